"""Weak (standard-model) scattering: what multiplies S and R, and the exact free limit."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnu.constants import (
    SIN2_WEINBERG,
    ELECTRON_MASS_keV,
    FERMI_per_keV2,
    HBARC2_keV2_cm2,
)

G_V = 2.0 * SIN2_WEINBERG + 0.5  # ν_e; one less for ν_μ and ν_τ, which have no charged current
G_A = 0.5
_G2_cm2 = FERMI_per_keV2**2 * HBARC2_keV2_cm2


def weak_kernels(
    T: Float[Array, "..."],
    E: Float[Array, "..."],
    Q: Float[Array, "..."],
    electron_fraction: Float[Array, "..."],
    antineutrino: bool,
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """(k_S, k_R) in cm²/keV² with dσ/dT = ∫_{T²}^{P²} [k_S S + k_R R] dQ², R with spin, P = 2E − T.

    k_S = (G²/8πE²) {g_V² (P²−Q²)(1−T²/Q²)² + g_A² (P²+Q²−2T²) ± 4 g_V g_A P Q²/2m},
    k_R = (G²/8πE²) g_V² (P²+Q²)(Q²−T²)/Q²,   + for ν, − for ν̄ (docs/physics.md),
    averaged over the flavour: a fraction ν_e, the rest ν_μ or ν_τ. Valid for T ≪ m.
    """
    P = 2.0 * E - T
    scale = _G2_cm2 / (8.0 * jnp.pi * E**2)
    v2, a2, va = _mean_couplings(electron_fraction, antineutrino)
    k_S = (
        v2 * (P**2 - Q**2) * (1.0 - (T / Q) ** 2) ** 2
        + a2 * (P**2 + Q**2 - 2.0 * T**2)
        + va * 4.0 * P * Q**2 / (2.0 * ELECTRON_MASS_keV)
    )
    return scale * k_S, scale * v2 * (P**2 + Q**2) * (1.0 - (T / Q) ** 2)


def weak_series(
    T: Float[Array, ""], Q: Float[Array, "Q"], antineutrino: bool
) -> tuple[Float[Array, "Q flavours powers"], Float[Array, "Q flavours powers"]]:
    """`weak_kernels` as coefficients of 1, 1/E, 1/E² that multiply [1, electron fraction]."""
    scale = _G2_cm2 / (8.0 * jnp.pi)
    Q2, T2, zero, one = Q**2, T**2 + 0.0 * Q, 0.0 * Q, 1.0 + 0.0 * Q
    transverse = (1.0 - T2 / Q2)[:, None]
    P2 = jnp.stack([4.0 * one, -4.0 * T * one, T2], axis=-1)
    P = jnp.stack([zero, 2.0 * one, -T * one], axis=-1)
    recoil = jnp.stack([zero, zero, Q2], axis=-1)
    energy = jnp.stack([zero, zero, 2.0 * T2], axis=-1)
    v2, a2, va = (
        jnp.stack([other, electron - other])[:, None]
        for other, electron in zip(
            _mean_couplings(jnp.zeros(()), antineutrino),
            _mean_couplings(jnp.ones(()), antineutrino),
            strict=True,
        )
    )
    vector = (P2 - recoil) * transverse**2
    axial = P2 + recoil - energy
    mixed = P * (2.0 * Q2 / ELECTRON_MASS_keV)[:, None]
    k_S = v2 * vector[:, None] + a2 * axial[:, None] + va * mixed[:, None]
    return scale * k_S, scale * v2 * ((P2 + recoil) * transverse)[:, None]


def weak_free(
    T: Float[Array, "..."],
    E: Float[Array, "..."],
    electron_fraction: Float[Array, "..."],
    antineutrino: bool,
) -> Float[Array, "..."]:
    """dσ/dT of one free electron at rest, cm²/keV, exact (VE89).

    (G² m/2π) [(g_V+g_A)² + (g_V−g_A)² (1−T/E)² + (g_A²−g_V²) mT/E²],  g_A → −g_A for ν̄.
    """
    v2, a2, va = _mean_couplings(electron_fraction, antineutrino)
    m = ELECTRON_MASS_keV
    bracket = (
        (v2 + a2 + 2.0 * va) + (v2 + a2 - 2.0 * va) * (1.0 - T / E) ** 2 + (a2 - v2) * m * T / E**2
    )
    return _G2_cm2 * m / (2.0 * jnp.pi) * bracket


def _mean_couplings(
    electron_fraction: Float[Array, "..."], antineutrino: bool
) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
    """Flavour averages of g_V², g_A² and g_V g_A."""

    def mean(electron: float, other: float) -> Float[Array, "..."]:
        return other + electron_fraction * (electron - other)

    sign = -1.0 if antineutrino else 1.0
    return (
        mean(G_V**2, (G_V - 1.0) ** 2),
        mean(G_A**2, (G_A - 1.0) ** 2),
        sign * mean(G_V * G_A, (G_V - 1.0) * (G_A - 1.0)),
    )
