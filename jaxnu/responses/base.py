"""The one interface of every model of the atomic responses S(T,Q) and R(T,Q)."""

from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnu import precision  # noqa: F401
from jaxnu.constants import FINE_STRUCTURE, ELECTRON_MASS_keV, HBARC2_keV2_cm2


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Shell:
    """A subshell: its label, number of electrons and ionisation threshold [keV]."""

    label: str = field(metadata={"static": True})
    electrons: Float[Array, ""]
    threshold_keV: Float[Array, ""]


class Lines(NamedTuple):
    """Bound–bound excitations: energies T_n [keV] and the index of the shell each starts from."""

    T_keV: Float[Array, "lines"]
    shell: Int[Array, "lines"]


@dataclass(frozen=True)
class Response:
    """Longitudinal and transverse response of one atom (KS11 eqs 9, 10).

    S(T,Q) = Σ_n |<n|Σ_j e^{iq·r_j}|0>|² δ(T − E_n + E_0)     density
    R(T,Q) = Σ_n |<n|e_⊥·j(−q)|0>|² δ(T − E_n + E_0)           convection current, per polarisation

    Both split into a smooth continuum, terms on the Bethe ridge weight·δ(T − Q²/2m), and lines.
    A model overrides the parts that it has; the others are empty. Instances are pytrees: every
    number is differentiable, names are static.
    """

    target: str = field(metadata={"static": True})
    model: str = field(metadata={"static": True})
    Z: int = field(metadata={"static": True})
    labels: tuple[str, ...] = field(metadata={"static": True})
    electrons: Float[Array, "shells"]
    thresholds_keV: Float[Array, "shells"]

    @property
    def has_continuum(self) -> bool:
        """False: the smooth part is zero and never integrated."""
        return True

    @property
    def magnetic_only(self) -> bool:
        """True: S is left out, so that no weak cross section follows."""
        return False

    @property
    def shells(self) -> tuple[Shell, ...]:
        """The subshells of the model, occupations as in `electrons`."""
        return tuple(
            Shell(label, self.electrons[i], self.thresholds_keV[i])
            for i, label in enumerate(self.labels)
        )

    @property
    def momentum_scales_keV(self) -> Float[Array, "shells"]:
        """The widths of the shells' Bethe ridges in p_z = mT/Q − Q/2, here sqrt(2 m I)."""
        return jnp.sqrt(2.0 * ELECTRON_MASS_keV * self.thresholds_keV)

    @property
    def momentum_scale_keV(self) -> Float[Array, ""]:
        """The width of the narrowest Bethe ridge."""
        return jnp.min(self.momentum_scales_keV)

    @property
    def steps_keV(self) -> Float[Array, "shells"]:
        """Where S and R may step in T: integrals over T need an edge there that moves with it."""
        return self.thresholds_keV

    @property
    def T_max_keV(self) -> Float[Array, ""] | None:
        """The highest T of the model's range, beyond which it gives NaN; None where it has no
        end."""
        return None

    def independent_particle(self) -> "Response":
        """The response for which sum rules hold: of an atom, with transitions into filled states
        and downward ones. Here the same."""
        return self

    def longitudinal(
        self, T_keV: Float[Array, "..."], Q_keV: Float[Array, "..."], by_shell: bool = False
    ) -> Float[Array, "..."]:
        """Smooth part of S in 1/keV per atom, zero below threshold.

        T_keV, Q_keV broadcast; by_shell=True adds a last axis over `shells`.
        """
        return self._sum(jnp.zeros(self._shape(T_keV, Q_keV)), by_shell)

    def transverse(
        self, T_keV: Float[Array, "..."], Q_keV: Float[Array, "..."], by_shell: bool = False
    ) -> Float[Array, "..."]:
        """Smooth part of R (convection current alone) in 1/keV per atom, zero below threshold."""
        return self._sum(jnp.zeros(self._shape(T_keV, Q_keV)), by_shell)

    def both(
        self, T_keV: Float[Array, "..."], Q_keV: Float[Array, "..."], by_shell: bool = False
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """(longitudinal, transverse); a model overrides it where they share work."""
        return self.longitudinal(T_keV, Q_keV, by_shell), self.transverse(T_keV, Q_keV, by_shell)

    def on_shell(
        self, T_keV: Float[Array, "..."]
    ) -> tuple[Float[Array, "... terms"], Float[Array, "... terms"]]:
        """(Q_keV, weight) of the terms weight·δ(T − Q²/2m) in S: one for each of `shells`, or
        none at all."""
        empty = jnp.zeros((*jnp.shape(T_keV), 0))
        return empty, empty

    def lines(self) -> Lines:
        """Bound–bound excitations, possibly none."""
        return Lines(jnp.zeros(0), jnp.zeros(0, dtype=int))

    def line_longitudinal(
        self, n: Int[Array, ""], Q_keV: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        """Strength Σ|<n|e^{iq·r}|0>|² of line n (an index into `lines()`), dimensionless."""
        return jnp.zeros(jnp.shape(Q_keV))

    def line_transverse(self, n: Int[Array, ""], Q_keV: Float[Array, "..."]) -> Float[Array, "..."]:
        """Strength |<n|e_⊥·j|0>|² of line n (an index into `lines()`), dimensionless."""
        return jnp.zeros(jnp.shape(Q_keV))

    def photoabsorption_cm2(self, T_keV: Float[Array, "..."]) -> Float[Array, "..."]:
        """σ_γ(T) = 4π²α R(T, Q=T)/T in cm² per atom: a real photon sees the transverse response."""
        R = self.transverse(T_keV, T_keV)
        return 4.0 * jnp.pi**2 * FINE_STRUCTURE * HBARC2_keV2_cm2 * R / T_keV

    def _shape(self, T_keV: Float[Array, "..."], Q_keV: Float[Array, "..."]) -> tuple[int, ...]:
        return (*jnp.broadcast_shapes(jnp.shape(T_keV), jnp.shape(Q_keV)), len(self.labels))

    @staticmethod
    def _sum(values: Float[Array, "... shells"], by_shell: bool) -> Float[Array, "..."]:
        return values if by_shell else jnp.sum(values, axis=-1)
