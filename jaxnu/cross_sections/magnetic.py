"""Magnetic-moment scattering: what multiplies S and R."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnu.constants import SIGMA0_cm2


def magnetic_kernels(
    T: Float[Array, "..."], E: Float[Array, "..."], Q: Float[Array, "..."]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """(k_S, k_R) in cm²/keV² with dσ/dT = μ² ∫_{T²}^{P²} [k_S S + k_R R] dQ², P = 2E − T.

    k_S = σ_0 (P²/4E²) (1 − T²/Q²)/Q²,   k_R = σ_0 (P²/4E²) (1 − Q²/P²)/Q²   (KS11 eqs 7, 8),
    μ in Bohr magnetons. The helicity-flip vertex makes no difference between neutrino flavours,
    neutrinos and antineutrinos.
    """
    P = 2.0 * E - T
    scale = SIGMA0_cm2 * (P / (2.0 * E * Q)) ** 2
    return scale * (1.0 - (T / Q) ** 2), scale * (1.0 - (Q / P) ** 2)


def magnetic_series(
    T: Float[Array, ""], Q: Float[Array, "Q"]
) -> tuple[Float[Array, "Q powers"], Float[Array, "Q powers"]]:
    """`magnetic_kernels` as coefficients of 1, 1/E, 1/E²: (P/2E)² = 1 − T/E + T²/4E²."""
    scale = SIGMA0_cm2 / Q**2
    even = jnp.stack(jnp.broadcast_arrays(1.0, -T, 0.25 * T**2, Q)[:3], axis=-1)
    backward = jnp.stack([0.0 * Q, 0.0 * Q, 0.25 * Q**2], axis=-1)
    k_S = (scale * (1.0 - (T / Q) ** 2))[:, None] * even
    return k_S, scale[:, None] * (even - backward)
