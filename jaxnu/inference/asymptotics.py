"""Asymptotic distributions of likelihood-ratio statistics.

Cowan, Cranmer, Gross & Vitells, EPJC 71, 1554 (2011), arXiv:1007.1727; equation numbers are its.
"""

from collections.abc import Sequence
from decimal import Decimal
from statistics import NormalDist

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr
from jaxtyping import Array, Float

from jaxnu import precision  # noqa: F401

SIGMAS = (-2, -1, 0, 1, 2)  # of the expected bands


def quantile(probability: float) -> float:
    """z with Φ(z) = probability."""
    return NormalDist().inv_cdf(probability)


def safe_sqrt(q: Float[Array, ""]) -> Float[Array, ""]:
    """√q for q > 0, else 0 with derivative 0."""
    return jnp.where(q > 0.0, jnp.sqrt(jnp.where(q > 0.0, q, 1.0)), 0.0)


def log_clsb(q: Float[Array, ""], q_asimov: Float[Array, ""], above: Array) -> Float[Array, ""]:
    """ln p_μ, p_μ = 1 − F(q̃_μ|μ), eq 66: 1 − Φ(√q̃), beyond σ² = μ²/q_A 1 − Φ((q̃ + q_A)/2√q_A).

    Below the best fit (`above` False), where eq 16 sets q̃ to zero, the signed root −√q goes on:
    p > 1/2 there, which limits of a confidence below 1/2 need.
    """
    root, width = safe_sqrt(q), safe_sqrt(q_asimov)
    beyond = above & (root > width) & (width > 0.0)
    far = (q + q_asimov) / (2.0 * jnp.where(width > 0.0, width, 1.0))
    statistic = jnp.where(beyond, far, jnp.where(above, root, -root))
    return log_ndtr(-statistic)


def log_cls(q: Float[Array, ""], q_asimov: Float[Array, ""]) -> Float[Array, ""]:
    """ln CL_s, CL_s = p_μ/(1 − p_b), with q̃ of eq 16 (0 below the best fit).

    1 − p_b = 1 − F(q̃_μ|0), eq 65 with μ' = 0: Φ(√q_A − √q̃), beyond q_A Φ((q_A − q̃)/2√q_A).
    CL_s: A. L. Read, J. Phys. G 28 (2002) 2693.
    """
    root, width = safe_sqrt(q), safe_sqrt(q_asimov)
    beyond = (root > width) & (width > 0.0)
    safe = jnp.where(width > 0.0, width, 1.0)
    excess = jnp.where(beyond, (q - q_asimov) / (2.0 * safe), root - width)
    return log_ndtr(-(excess + width)) - log_ndtr(-excess)


def band_targets(
    method: str, convention: str, confidence: float, sigmas: Sequence[float] = SIGMAS
) -> np.ndarray:
    """√q_A at the limit that background fluctuations of N σ give, for each N; 0: the limit is 0.

    The limit is where √q_A(x), which is x/σ in the Gaussian limit, has this value:
    CL_s: N + Φ⁻¹(1 − (1−CL) Φ(N)); CL_s+b: N + Φ⁻¹(CL) (eqs 88, 89). Profile: N + √Δ for a best
    fit x̂ = Nσ ≥ 0, N + √(N² + Δ) for N < 0, where x̂ = 0.
    """
    normal, found = NormalDist(), []
    for N in sigmas:
        if method == "cls":
            found.append(N + quantile(1.0 - (1.0 - confidence) * normal.cdf(N)))
        elif method == "clsb" or confidence_root(convention, confidence) < 0.0:
            z = (
                quantile(confidence)
                if method == "clsb"
                else confidence_root(convention, confidence)
            )
            found.append(N + z)
        else:
            z = confidence_root(convention, confidence)
            found.append(N + (z if N >= 0 else (N * N + z * z) ** 0.5))
    return np.maximum(np.array(found), 0.0)


def level_words(confidence: float) -> str:
    """As in "90% CL", with every digit that was given."""
    return f"{(Decimal(repr(float(confidence))) * 100).normalize():f}% CL"


def confidence_root(convention: str, confidence: float) -> float:
    """√Δ with its sign: Φ⁻¹((1+CL)/2) two-sided, Φ⁻¹(CL) one-sided (negative below 1/2)."""
    return quantile(confidence if convention == "one-sided" else 0.5 * (1.0 + confidence))
