"""Weak scattering, with a charge radius and a millicharge: what multiplies S and R, and the exact
free limit."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnu.constants import (
    SIN2_WEINBERG,
    ELECTRON_MASS_keV,
    FERMI_per_keV2,
    HBARC2_keV2_cm2,
)
from jaxnu.cross_sections.charge import (
    CHARGE_POWERS,
    CHARGE_SHIFT_keV2,
    RADIUS_SHIFT_per_cm2,
    product,
)

G_V = 2.0 * SIN2_WEINBERG + 0.5  # ν_e; one less for ν_μ and ν_τ, which have no charged current
G_A = 0.5
_G2_cm2 = FERMI_per_keV2**2 * HBARC2_keV2_cm2
Products = tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]


def weak_kernels(
    T: Float[Array, "..."],
    E: Float[Array, "..."],
    Q: Float[Array, "..."],
    electron_fraction: Float[Array, "..."],
    antineutrino: bool,
    name: str = "weak",
    flavors: str = "all",
    poles: int | None = None,
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """(k_S, k_R) in cm²/keV² with dσ/dT = ∫_{T²}^{P²} [k_S S + k_R R] dQ², R with spin, P = 2E − T.

    k_S = (G²/8πE²) {g_V² (P²−Q²)(1−T²/Q²)² + g_A² (P²+Q²−2T²) ± 4 g_V g_A P (Q²−T²)/2m},
    k_R = (G²/8πE²) g_V² (P²+Q²)(Q²−T²)/Q²,   + for ν, − for ν̄ (docs/physics.md),
    averaged over the flavour: a fraction ν_e, the rest ν_μ or ν_τ. Valid for T ≪ m.
    name: a channel of `charge.CHARGE_POWERS`, whose part of g_V², g_A², g_V g_A is taken, with
    1/(Q²−T²) for each power of q_ν; poles: that power, if not the channel's own.
    """
    P, gap = 2.0 * E - T, (Q - T) * (Q + T)
    scale = _G2_cm2 / (8.0 * jnp.pi * E**2)
    v2, a2, va = _mean_products(electron_fraction, antineutrino, name, flavors)
    poles = CHARGE_POWERS[name][1] if poles is None else poles
    k_S = v2 * (P**2 - Q**2) * gap ** (2 - poles) / Q**4
    if poles == 0:
        k_S = k_S + a2 * (P**2 + Q**2 - 2.0 * T**2)
    if poles < 2:
        k_S = k_S + va * 4.0 * P * gap ** (1 - poles) / (2.0 * ELECTRON_MASS_keV)
    return scale * k_S, scale * v2 * (P**2 + Q**2) * gap ** (1 - poles) / Q**2


def weak_series(
    T: Float[Array, ""],
    Q: Float[Array, "Q"],
    antineutrino: bool,
    name: str = "weak",
    flavors: str = "all",
    poles: int | None = None,
) -> tuple[Float[Array, "Q flavours powers"], Float[Array, "Q flavours powers"]]:
    """`weak_kernels` as coefficients of 1, 1/E, 1/E² that multiply [1, electron fraction]."""
    scale = _G2_cm2 / (8.0 * jnp.pi)
    gap = ((Q - T) * (Q + T))[:, None]
    Q2, T2, zero, one = Q**2, T**2 + 0.0 * Q, 0.0 * Q, 1.0 + 0.0 * Q
    P2 = jnp.stack([4.0 * one, -4.0 * T * one, T2], axis=-1)
    P = jnp.stack([zero, 2.0 * one, -T * one], axis=-1)
    recoil = jnp.stack([zero, zero, Q2], axis=-1)
    energy = jnp.stack([zero, zero, 2.0 * T2], axis=-1)
    v2, a2, va = (
        jnp.stack([other, electron - other])[:, None]
        for other, electron in zip(
            _mean_products(jnp.zeros(()), antineutrino, name, flavors),
            _mean_products(jnp.ones(()), antineutrino, name, flavors),
            strict=True,
        )
    )
    poles = CHARGE_POWERS[name][1] if poles is None else poles
    vector = (P2 - recoil) * gap ** (2 - poles) / Q2[:, None] ** 2
    k_S = v2 * vector[:, None]
    if poles == 0:
        k_S = k_S + a2 * (P2 + recoil - energy)[:, None]
    if poles < 2:
        k_S = k_S + va * (P * 2.0 * gap ** (1 - poles) / ELECTRON_MASS_keV)[:, None]
    k_R = (P2 + recoil) * gap ** (1 - poles) / Q2[:, None]
    return scale * k_S, scale * v2 * k_R[:, None]


def weak_free(
    T: Float[Array, "..."],
    E: Float[Array, "..."],
    electron_fraction: Float[Array, "..."],
    antineutrino: bool,
    name: str = "weak",
    flavors: str = "all",
) -> Float[Array, "..."]:
    """dσ/dT of one free electron at rest, cm²/keV, exact (VE89).

    (G² m/2π) [(g_V+g_A)² + (g_V−g_A)² (1−T/E)² + (g_A²−g_V²) mT/E²],  g_A → −g_A for ν̄,
    and of it the part of a channel, at Q² − T² = 2mT.
    """
    v2, a2, va = _mean_products(electron_fraction, antineutrino, name, flavors)
    m = ELECTRON_MASS_keV
    bracket = (
        (v2 + a2 + 2.0 * va) + (v2 + a2 - 2.0 * va) * (1.0 - T / E) ** 2 + (a2 - v2) * m * T / E**2
    )
    return _G2_cm2 * m / (2.0 * jnp.pi) * bracket / (2.0 * m * T) ** CHARGE_POWERS[name][1]


def _mean_products(
    electron_fraction: Float[Array, "..."], antineutrino: bool, name: str, flavors: str
) -> Products:
    """Flavour averages of a channel's parts of g_V², g_A² and ±g_V g_A, without 1/(Q²−T²)."""
    shifts = (RADIUS_SHIFT_per_cm2, -CHARGE_SHIFT_keV2)
    linear = {"weak": 1.0, "charge-radius": shifts[0], "millicharge-weak": shifts[1]}.get(name, 0.0)
    sign = -1.0 if antineutrino else 1.0

    def products(g_V: float, g_A: float) -> tuple[float, float, float]:
        axial = g_A**2 if name == "weak" else 0.0
        mixed = linear * g_A * (g_V if name == "weak" else 1.0)
        return product(name, g_V, *shifts), axial, sign * mixed

    electron, other = products(G_V, G_A), products(G_V - 1.0, G_A - 1.0)
    v2, a2, va = (
        flavor_mean(electron_fraction, e, o, flavors) for e, o in zip(electron, other, strict=True)
    )
    return v2, a2, va


def flavor_mean(
    electron_fraction: Float[Array, "..."],
    electron: float | Array,
    other: float | Array,
    flavors: str,
) -> Float[Array, "..."]:
    """fraction·electron + (1 − fraction)·other, or one of the two terms ("nu_e", "nu_x")."""
    if flavors == "nu_e":
        return electron_fraction * electron
    if flavors == "nu_x":
        return (1.0 - electron_fraction) * other
    return other + electron_fraction * (electron - other)
