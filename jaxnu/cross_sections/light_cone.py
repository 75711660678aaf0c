"""Quadrature in Q where the transverse kernel has its pole at the light cone, Q = T.

k_R = c/(Q² − T²) there, and a real photon is absorbed at Q = T, so the integral over Q is a
logarithm of its lower end, which the neutrino mass sets: Q² − T² ≥ m_ν² T²/[E(E − T)]. From there
to a small Q² − T² = low, R and c are constant and the integral is c R(T,T) ln(low/cut), exact in E
and m_ν: one node at Q = T. Above it Gauss–Legendre panels are even in ln(Q² − T²).
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnu.numerics.quadrature import panel_nodes, ridge_panel_edges
from jaxnu.settings import Numerics


def mass_cut(T: Float[Array, ""], E: Float[Array, "..."], m_nu_eV: float) -> Float[Array, "..."]:
    """The least Q² − T² = m_ν² T²/[E(E − T)] [keV²], for m_ν ≪ E − T."""
    return (1e-3 * m_nu_eV * T) ** 2 / (E * (E - T))


def cone_start(T: Float[Array, ""], high: Float[Array, "..."], numerics: Numerics) -> Array:
    """Q² − T² [keV²] up to which the light cone's own values hold."""
    return jnp.minimum(numerics.cone_start * T**2, 0.25 * high)


def cone_edges(
    low: Float[Array, ""],
    high: Float[Array, ""],
    T: Float[Array, ""],
    ridge: Float[Array, ""],
    width: Float[Array, ""],
    numerics: Numerics,
) -> Float[Array, "panels+1"]:
    """Panel edges in ln(Q² − T²) from Q² − T² = low to high: even up to Q² = 2T², then those of
    `ridge_panel_edges`."""
    middle = jnp.clip(T**2, low, high)
    below = jnp.linspace(jnp.log(low), jnp.log(middle), max(numerics.q_panels // 3, 1) + 1)
    log_Q2 = ridge_panel_edges(
        jnp.sqrt(T**2 + middle), jnp.sqrt(T**2 + high) * (1.0 + 1e-15), ridge, width,
        numerics.q_panels,
    )  # fmt: skip
    gap = jnp.clip(jnp.exp(log_Q2[1:-1]) - T**2, middle, high)
    return jnp.concatenate([below, jnp.log(gap), jnp.log(high)[None]])


def cone_nodes(
    edges: Float[Array, "panels+1"], T: Float[Array, ""], numerics: Numerics
) -> tuple[Float[Array, "nodes"], Float[Array, "nodes"]]:
    """(Q, weight) with ∫ f dQ² ≈ Σ weight·f on panels in ln(Q² − T²)."""
    log_gap, weight = panel_nodes(edges, numerics.q_order)
    gap = jnp.exp(log_gap.ravel())
    return jnp.sqrt(T**2 + gap), weight.ravel() * gap
