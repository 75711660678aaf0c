"""Angular factors of the one-electron responses S and R of a subshell, in tables per (l, l').

Both responses are sums over the final l' of small quadratic forms in the radial integrals:
    S_nl = n_e Σ_{l'} Σ_a weight[l', a] I_a²,           I_a = ∫ P_εl' j_{L_a}(Qr) P_nl dr
    R_nl = n_e Σ_{l'} Σ_{ab} v_a matrix[l', a, b] v_b,  v_a = ∫ P_εl' j_{L_a}(Qr) g_{λ_a} dr
Slots have fixed shapes per l. A momentum λ couples to l' by L = l' − λ + 2i, i = 0 … λ. S has
l + 1 slots, λ = l. R has 2l + 2: first λ = l − 1 (l slots, none for l = 0), then λ = l + 1
(l + 2 slots). A slot outside the triangle (only where l' < λ) has order 0 and no weight.
"""

import math
from dataclasses import dataclass
from functools import cache

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxnu import checks, precision  # noqa: F401
from jaxnu.numerics.wigner import clebsch_gordan, squared_3j_zero, wigner_3j

L_BOUND_LIMIT, L_FINAL_LIMIT = 6, 400  # tested for l ≤ 3, l' ≤ 220


@dataclass(frozen=True)
class DensityFactors:
    """order: L of each slot. weight: (2l'+1)(2L+1)(l L l'; 0 0 0)²; rows l' = 0 … l'_max."""

    order: Int[np.ndarray, "final slots"]
    weight: Float[np.ndarray, "final slots"]


@dataclass(frozen=True)
class CurrentFactors:
    """order: L of each slot. raised: False where λ = l − 1, True where λ = l + 1.
    matrix: symmetric, positive semidefinite, of rank ≤ 2l + 1; rows l' = 0 … l'_max."""

    order: Int[np.ndarray, "final slots"]
    raised: Bool[np.ndarray, "slots"]
    matrix: Float[np.ndarray, "final slots slots"]


def _slots(lam: int, final_max: int) -> tuple[np.ndarray, np.ndarray]:
    """L = l' − λ + 2i and whether it is inside the triangle (l' L λ); rows l'."""
    final = np.arange(final_max + 1)[:, None]
    order = final - lam + 2 * np.arange(lam + 1)
    inside = (order >= np.abs(final - lam)) & (order <= final + lam)
    return np.where(inside, order, 0), inside


def _check(l: int, final_max: int) -> None:
    checks.number_range("l", l, 0, L_BOUND_LIMIT, "", "give the subshell's orbital momentum")
    checks.number_range("final_max", final_max, 0, L_FINAL_LIMIT, "", "give the largest l'")


@cache
def density_factors(l: int, final_max: int) -> DensityFactors:
    """Weights of the squared radial integrals in S of a subshell with orbital momentum l.

    l: 0 to 6. final_max: largest l'. Returns DensityFactors with l + 1 slots. For every L,
    Σ_{l'} weight = 2L + 1. Raises InputError outside these ranges.
    Source: expansion of e^{iq·r} in j_L (DLMF 10.60.7) and the Gaunt integral (34.3.22).
    """
    _check(l, final_max)
    order, inside = _slots(l, final_max)
    final = np.arange(final_max + 1)[:, None]
    weight = (2 * final + 1) * (2 * order + 1) * squared_3j_zero(l, order, final)
    return DensityFactors(order=order, weight=np.where(inside, weight, 0.0))


def _current_vectors(l: int, final: int, lam: int, orders: np.ndarray) -> np.ndarray:
    """Coefficients c[a, M] of v_a in the amplitude for e_{+1}; i^L is i^{l'+λ} times a sign.

    c = ± (2L+1)(−1)^{M−1} sqrt((2l'+1)(2λ+1)) (l' L λ; 1−M 0 M−1)(l' L λ; 0 0 0)
        · C(λ M−1, 1 1 | l M)
    The phase i^{l'+λ} is the same, up to the sign kept here, in all slots of one l'.
    """
    result = np.zeros((len(orders), 2 * l + 1))
    for a, L in enumerate(map(int, orders)):
        sign = (-1) ** ((L - final - l - 1) // 2)  # L + l' + l + 1 is even in every slot
        common = sign * (2 * L + 1) * math.sqrt((2 * final + 1) * (2 * lam + 1))
        common *= wigner_3j(lam, L, final, 0, 0, 0)
        if common == 0.0:
            continue
        for M in range(-l, l + 1):
            # even columns sum: (l' L λ) may be written (λ L l')·(−1)^{l'+L+λ} = (λ L l')
            three_j = wigner_3j(lam, L, final, M - 1, 0, 1 - M)
            coupling = clebsch_gordan(lam, M - 1, 1, 1, l, M) if abs(M - 1) <= lam else 0.0
            result[a, M + l] = common * (-1) ** (M - 1) * three_j * coupling
    return result


@cache
def current_factors(l: int, final_max: int) -> CurrentFactors:
    """Quadratic forms in the radial integrals for R of a subshell with orbital momentum l.

    l: 0 to 6. final_max: largest l'. Returns CurrentFactors with 2l + 2 slots; the factor
    1/(2l+1), the sum over M and the average over polarisations are in the matrix.
        g_{l−1} = sqrt(l/(2l+1)) (P' + l P/r),  g_{l+1} = −sqrt((l+1)/(2l+1)) (P' − (l+1) P/r)
    Raises InputError outside these ranges.
    Source: gradient formula (Varshalovich 1988, 5.8.3) on the bound state, e^{iq·r} in j_L; the
    transverse polarisation lets ∇ commute with e^{iq·r}, and both polarisations give the same.
    """
    _check(l, final_max)
    momenta = ([l - 1] if l > 0 else []) + [l + 1]
    slots = [_slots(lam, final_max) for lam in momenta]
    order = np.concatenate([s[0] for s in slots], axis=1)
    inside = np.concatenate([s[1] for s in slots], axis=1)
    matrix = np.zeros((final_max + 1, order.shape[1], order.shape[1]))
    for final in range(final_max + 1):
        parts = [
            _current_vectors(l, final, lam, table[final])
            for lam, (table, _) in zip(momenta, slots, strict=True)
        ]
        vectors = np.where(inside[final][:, None], np.concatenate(parts), 0.0)
        matrix[final] = vectors @ vectors.T / (2 * l + 1)
    raised = np.concatenate([np.full(lam + 1, lam == l + 1) for lam in momenta])
    return CurrentFactors(order=order, raised=raised, matrix=matrix)


def gradient_parts(
    l: int | Int[Array, ""], r: Float[Array, "r"], P: Float[Array, "r"], dP: Float[Array, "r"]
) -> Float[Array, "2 r"]:
    """g_{l−1} and g_{l+1}, the radial parts of ∇ acting on P_nl(r)/r Y_lm.

    l: orbital momentum. r: radii, a.u. P, dP: radial function and its derivative in r.
    Returns both rows; the first is zero for l = 0. Index it with CurrentFactors.raised.
    """
    lowered = (l / (2 * l + 1)) ** 0.5 * (dP + l * P / r)
    raised = -(((l + 1) / (2 * l + 1)) ** 0.5) * (dP - (l + 1) * P / r)
    return jnp.stack([lowered, raised])
