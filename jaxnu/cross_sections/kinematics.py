"""Kinematic ends of the energy transfer T, the momentum transfer Q and the neutrino energy E."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnu import precision  # noqa: F401
from jaxnu.constants import ELECTRON_MASS_keV


def transfer_end(
    E_keV: Float[Array, "..."], mass_keV: float | Array = ELECTRON_MASS_keV
) -> Float[Array, "..."]:
    """T_max = 2E²/(m + 2E), the largest recoil of a free particle at rest, keV (VE89)."""
    return 2.0 * E_keV**2 / (mass_keV + 2.0 * E_keV)


def lowest_neutrino_energy(
    T_keV: Float[Array, "..."], mass_keV: float | Array = ELECTRON_MASS_keV
) -> Float[Array, "..."]:
    """E_min = (T + sqrt(T² + 2mT))/2, the inverse of `transfer_end`, keV."""
    return 0.5 * (T_keV + jnp.sqrt(T_keV**2 + 2.0 * mass_keV * T_keV))
