"""Coulomb functions F_l(η, ρ), G_l(η, ρ) for an attractive or no charge.

Steed's method: F_l and F_l' of all l up to a common factor by downward recurrence (Miller), the
logarithmic derivative p + iq of G_0 + iF_0 by a continued fraction, which with the Wronskian
fixes that factor, then G_l by upward recurrence. Each direction is the stable one.

Source: DLMF 33.4 (recurrences), 33.2.9 (Wronskian); Barnett, Feng, Steed & Goldfarb, Comput.
Phys. Commun. 8 (1974) 377 (method).
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnu import checks, precision

ETA_LOW = -200.0  # tested range of η and ρ
RHO_LOW, RHO_HIGH = 0.1, 2e4
L_LIMIT = 100
FRACTION_TERMS = 20000  # cap of the fraction: it takes 60/ρ + 10 terms, up to 180 at ρ = 1
FRACTION_TOLERANCE = 4e-16  # |factor − 1| of the last term: the rounding of one factor


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class CoulombFunctions:
    """F_l, G_l and their derivatives in ρ for l = 0 … l_max, in the last axis.

    F → sin θ, G → cos θ as ρ → ∞, θ = ρ − η ln 2ρ − lπ/2 + σ_l with
    σ_l = arg Γ(l + 1 + iη); F'G − FG' = 1.
    """

    F: Float[Array, "... l_max+1"]
    G: Float[Array, "... l_max+1"]
    dF: Float[Array, "... l_max+1"]
    dG: Float[Array, "... l_max+1"]


def _start_order(eta: Float[Array, ""], rho: Float[Array, ""], l_max: int) -> Float[Array, ""]:
    """An l so far above the turning order that F_{l+1}/F_l there does not matter at l_max."""
    turning = jnp.sqrt(rho * (rho + 2.0 * jnp.abs(eta)))
    return jnp.ceil(jnp.maximum(turning, l_max) + 30.0 + 12.0 * jnp.cbrt(turning + l_max))


def _regular_ratios(
    eta: Float[Array, ""], rho: Float[Array, ""], l_max: int
) -> tuple[Float[Array, "l_max+1"], Float[Array, "l_max+1"]]:
    """F_l and F_l' up to one positive factor, l = 0 … l_max."""

    def below(l, pair):
        F, dF = pair
        slope, root = l / rho + eta / l, jnp.sqrt(1.0 + (eta / l) ** 2)
        F_below = (slope * F + dF) / root
        return F_below, slope * F_below - root * F

    def scaled_below(carry):
        l, pair = carry
        F, dF = below(l, pair)
        size = jnp.abs(F) + jnp.abs(dF)  # positive: the sign of F survives
        return l - 1.0, (F / size, dF / size)

    l_start = _start_order(eta, rho, l_max)
    start = jnp.ones_like(rho), (l_start + 1.0) / rho + eta / (l_start + 1.0)
    _, top = jax.lax.while_loop(lambda carry: carry[0] > l_max, scaled_below, (l_start, start))

    orders = jnp.arange(l_max, 0, -1, dtype=float)
    _, (F, dF) = jax.lax.scan(lambda pair, l: (lower := below(l, pair), lower), top, orders)
    F = jnp.concatenate([F[::-1], top[0][None]])
    dF = jnp.concatenate([dF[::-1], top[1][None]])
    size = jnp.abs(F[0]) + jnp.abs(dF[0])
    return F / size, dF / size


def _outgoing_slope(eta: Float[Array, ""], rho: Float[Array, ""]) -> Array:
    """p + iq = (G_0' + iF_0')/(G_0 + iF_0) by the modified Lentz algorithm; NaN if capped."""
    a_0 = 1j * eta * (1j * eta + 1.0)

    def partial_terms(n):
        return (n + 1j * eta) * (n + 1j * eta + 1.0), 2.0 * (rho - eta + 1j * (n + 1.0))

    def more(carry):
        n, _, _, _, change = carry
        return (n < FRACTION_TERMS) & (jnp.abs(change) > FRACTION_TOLERANCE)

    def term(carry):
        n, value, C, D, _ = carry
        a, b = partial_terms(n)
        D = 1.0 / (b + a * D)
        C = b + a / C
        return n + 1.0, value * C * D, C, D, C * D - 1.0

    b_0 = 2.0 * (rho - eta + 1j)
    start = (jnp.ones_like(rho), b_0, b_0, jnp.zeros_like(b_0), jnp.ones_like(b_0))
    n, value, _, _, _ = jax.lax.while_loop(more, term, start)
    slope = 1j * (1.0 - eta / rho) + 1j / rho * a_0 / value
    return jnp.where(n < FRACTION_TERMS, slope, jnp.nan)


def _one_point(eta: Float[Array, ""], rho: Float[Array, ""], l_max: int) -> CoulombFunctions:
    F, dF = _regular_ratios(eta, rho, l_max)
    slope = _outgoing_slope(eta, rho)
    p, q = slope.real, slope.imag
    # F_0' = pF_0 + qG_0 and the Wronskian q(F_0² + G_0²) = 1
    G_0 = (dF[0] - p * F[0]) / q
    scale = 1.0 / jnp.sqrt(q * (F[0] ** 2 + G_0**2))
    G_0, F, dF = scale * G_0, scale * F, scale * dF
    dG_0 = p * G_0 - q * F[0]

    def above(pair, l):
        G, dG = pair
        slope, root = l / rho + eta / l, jnp.sqrt(1.0 + (eta / l) ** 2)
        G_above = (slope * G - dG) / root
        upper = G_above, root * G - slope * G_above
        return upper, upper

    _, (G, dG) = jax.lax.scan(above, (G_0, dG_0), jnp.arange(1, l_max + 1, dtype=float))
    return CoulombFunctions(
        F=F, dF=dF, G=jnp.concatenate([G_0[None], G]), dG=jnp.concatenate([dG_0[None], dG])
    )


def coulomb_functions(
    eta: Float[Array, "..."], rho: Float[Array, "..."], l_max: int
) -> CoulombFunctions:
    """Regular and irregular Coulomb functions and their derivatives in ρ for l = 0 … l_max.

    F'' + [1 − 2η/ρ − l(l+1)/ρ²] F = 0, F_l ~ C_l ρ^{l+1} as ρ → 0, the same for G_l.

    eta: Sommerfeld parameter −Z/k ≤ 0 (attractive or none), −200 to 0. rho: kr > 0, 0.1 to
    2e4. They broadcast. l_max: highest order (static).
    Returns CoulombFunctions with l in the last axis. To normalise a continuum orbital per unit
    energy in atomic units multiply F by sqrt(2/(πk)).
    Raises InputError outside these ranges; NaN for a traced η > 0 or ρ ≤ 0 and where the
    continued fraction does not converge. Reverse-mode differentiation raises: the loops have
    no fixed length.
    Accuracy 1e-12 relative to sqrt(F² + G²), 1e-11 relative where F_l is small, in this range.
    Source: DLMF 33.2–33.4.
    """
    precision.require_x64("coulomb_functions")
    checks.number_range(
        "eta", eta, ETA_LOW, 0.0, "", "η = −Z/k is negative for an attractive charge"
    )
    checks.number_range("rho", rho, RHO_LOW, RHO_HIGH, "", "match further out or further in")
    checks.number_range("l_max", l_max, 0, L_LIMIT, "", "give the highest order wanted")
    eta, rho = jnp.broadcast_arrays(jnp.asarray(eta, float), jnp.asarray(rho, float))
    valid = (eta <= 0.0) & (rho > 0.0)
    return _coulomb(jnp.where(valid, eta, jnp.nan), jnp.where(valid, rho, jnp.nan), l_max)


@partial(jax.jit, static_argnums=2)
def _coulomb(eta: Float[Array, "..."], rho: Float[Array, "..."], l_max: int) -> CoulombFunctions:
    point = partial(_one_point, l_max=l_max)
    for _ in range(eta.ndim):
        point = jax.vmap(point)
    return point(eta, rho)
