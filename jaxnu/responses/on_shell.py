"""Electrons at rest: free, and stepping over the binding energies."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnu.constants import ELECTRON_MASS_keV
from jaxnu.elements import element, subshells
from jaxnu.responses.base import Response


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class OnShell(Response):
    """S = Σ_i n_i θ(T − I_i) δ(T − Q²/2m); R (convection) = 0 for an electron at rest.

    Stepping approximation: Kopeikin et al., Phys. Atom. Nucl. 60, 1859 (1997); free electrons are
    its case I = 0.
    """

    @property
    def has_continuum(self) -> bool:
        return False

    def on_shell(
        self, T_keV: Float[Array, "..."]
    ) -> tuple[Float[Array, "... shells"], Float[Array, "... shells"]]:
        T = jnp.asarray(T_keV)[..., None]
        weight = jnp.where(self.thresholds_keV <= T, self.electrons, 0.0)
        return jnp.broadcast_to(jnp.sqrt(2.0 * ELECTRON_MASS_keV * T), weight.shape), weight


def free_electrons(target: str) -> OnShell:
    """Z free electrons at rest, for any element."""
    Z = element(target).Z
    return OnShell(target, "free", Z, ("free",), jnp.array([float(Z)]), jnp.zeros(1))


def stepping(target: str) -> OnShell:
    """Free electrons counted from their tabulated binding energies on."""
    table = subshells(target)
    return OnShell(
        target,
        "stepping",
        element(target).Z,
        tuple(s.label for s in table),
        jnp.array([s.electrons for s in table]),
        jnp.array([s.binding_keV for s in table]),
    )
