"""The equivalent-photon approximation: refuted for the magnetic moment, kept for comparison."""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnu import checks
from jaxnu.constants import FINE_STRUCTURE, AVOGADRO_per_mol, HBARC2_keV2_cm2
from jaxnu.elements import element
from jaxnu.errors import InputError
from jaxnu.responses.base import Response
from jaxnu.responses.hydrogenic import hydrogenic_ion

VARIANTS = ("light-cone", "frozen-current")


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class PhotoabsorptionTable:
    """σ_γ(T) in cm² per atom, log–log between nodes and beyond the last, zero below the first."""

    T_keV: Float[Array, "nodes"]
    sigma_cm2: Float[Array, "nodes"]

    def photoabsorption_cm2(self, T_keV: Float[Array, "..."]) -> Float[Array, "..."]:
        x, y = jnp.log(self.T_keV), jnp.log(self.sigma_cm2)
        u = jnp.log(jnp.maximum(T_keV, self.T_keV[0]))
        i = jnp.clip(jnp.searchsorted(x, u, side="right") - 1, 0, x.shape[0] - 2)
        value = jnp.exp(y[i] + (y[i + 1] - y[i]) / (x[i + 1] - x[i]) * (u - x[i]))
        return jnp.where(T_keV >= self.T_keV[0], value, 0.0)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class EquivalentPhoton(Response):
    """R continued from the light cone, where R(T, Q=T) = T σ_γ(T)/(4π²α) (KS11 eq 17); S = 0.

    variant "light-cone" (Wong, Li, Lin, PRL 105, 061801): R/Q² frozen, R = Q² σ_γ/(4π²α T), which
        gives dσ/dT → α μ² E² σ_γ/(2π m² T), the spurious enhancement;
    variant "frozen-current": R itself frozen, R = T σ_γ/(4π²α).
    S is not modelled, so the weak channel refuses this response. σ_γ is zero below the first
    energy of its table (100 eV for xraydb), the `threshold_keV` of the single shell "all".
    Both variants fail because R falls fast once Q exceeds an inverse atomic radius (KS11, 4).
    """

    source: Any  # a PhotoabsorptionTable or a Response: whatever has photoabsorption_cm2
    variant: str = field(metadata={"static": True})

    @property
    def magnetic_only(self) -> bool:
        return True

    def transverse(
        self, T_keV: Float[Array, "..."], Q_keV: Float[Array, "..."], by_shell: bool = False
    ) -> Float[Array, "..."]:
        sigma = self.source.photoabsorption_cm2(T_keV) / HBARC2_keV2_cm2
        frozen = sigma / (4.0 * jnp.pi**2 * FINE_STRUCTURE)
        R = frozen * (Q_keV**2 / T_keV if self.variant == "light-cone" else T_keV)
        return self._sum(jnp.broadcast_to(R, self._shape(T_keV, Q_keV)[:-1])[..., None], by_shell)


def frozen_photon(
    target: str, variant: str = "light-cone", photoabsorption: Any = "xraydb"
) -> EquivalentPhoton:
    """The equivalent-photon response of an atom with a given photoabsorption cross section.

    photoabsorption: "xraydb" (Elam's tables, needs the extra `data`), "hydrogenic" (one 1s
        electron in closed form), or a pair of arrays (T_keV, sigma_cm2 per atom).
    """
    checks.one_of("variant", variant, VARIANTS)
    Z = element(target).Z
    source: Any
    if isinstance(photoabsorption, str):
        checks.one_of("photoabsorption", photoabsorption, ("xraydb", "hydrogenic"))
        source = hydrogenic_ion(target) if photoabsorption == "hydrogenic" else _elam(target)
    else:
        checks.instance("photoabsorption", photoabsorption, tuple, "give (T_keV, sigma_cm2)")
        T, sigma = photoabsorption
        checks.increasing("photoabsorption[0]", T, "keV")
        checks.number_range("photoabsorption[0]", T, 0.0, 1e6, "keV", "T > 0", open_low=True)
        checks.number_range(
            "photoabsorption[1]", sigma, 0.0, 1e-12, "cm²",
            "give positive cross sections per atom, 1 Mb = 1e-18 cm²", open_low=True,
        )  # fmt: skip
        if np.shape(T) != np.shape(sigma):
            raise InputError(
                f"photoabsorption = arrays of shapes {np.shape(T)} and {np.shape(sigma)}; "
                "give T_keV and sigma_cm2 of one length"
            )
        source = PhotoabsorptionTable(jnp.asarray(T, float), jnp.asarray(sigma, float))
    if isinstance(source, Response):
        first, electrons = source.thresholds_keV[0], source.electrons
    else:
        first, electrons = source.T_keV[0], jnp.array([float(Z)])
    return EquivalentPhoton(
        target, "equivalent-photon", Z, ("all",), electrons, jnp.atleast_1d(first),
        source, variant,
    )  # fmt: skip


def _elam(target: str) -> PhotoabsorptionTable:
    try:
        import xraydb
    except ImportError:
        raise InputError(
            "photoabsorption = 'xraydb' needs the package xraydb, which is not installed; "
            "remedy: pip install '.[data]', or give (T_keV, sigma_cm2) arrays"
        ) from None
    edges = np.array([edge.energy for edge in xraydb.xray_edges(target).values()])
    # Elam's tables reach from 100 eV to 800 keV; a pair of nodes at each edge keeps it sharp
    grid = np.concatenate(
        [np.geomspace(100.0, 8.0e5, 1500), edges[edges > 101.0], edges[edges > 101.0] * (1 - 1e-6)]
    )
    T_eV = np.unique(grid)
    per_gram = xraydb.mu_elam(target, T_eV, kind="photo")
    atoms_per_gram = AVOGADRO_per_mol / xraydb.atomic_mass(target)
    return PhotoabsorptionTable(jnp.asarray(T_eV / 1e3), jnp.asarray(per_gram / atoms_per_gram))
