"""The density–density function of hydrogen-like 1s, from the Coulomb Green's function."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex

from jaxnu import checks, precision
from jaxnu.constants import ATOMIC_MOMENTUM_keV, ELECTRON_MASS_keV
from jaxnu.elements import element
from jaxnu.numerics.quadrature import legendre_rule

# ρ = e^-t from 1 to e^-40; near ρ = 1 panels shrink, for Q far above the ridge
_EDGES = np.concatenate([[0.0], np.geomspace(1e-5, 0.3, 24), np.linspace(0.3, 40.0, 257)[1:]])
_ORDER = 12
_X, _W = legendre_rule(_ORDER)
_HALF = 0.5 * np.diff(_EDGES)[:, None]
_t = (0.5 * (_EDGES[1:] + _EDGES[:-1])[:, None] + _HALF * _X).ravel()
_WEIGHT = (_HALF * _W).ravel()


def hydrogen_density_function(
    target: str, T_keV: ArrayLike, Q2_keV2: ArrayLike
) -> Complex[Array, "..."]:
    """F(E,Q) = <1s| e^{−iq·r} (T − H + E_0 − i0)^{-1} e^{iq·r} |1s> of one electron [1/keV].

    With Coulomb units p0 = Zαm, I = p0²/2m, K = Q/p0, X = i sqrt(T/I − 1):

        F = −(8X/I) ∫_0^1 dρ ρ^{−1/X} [2 D_1²/D³ − D_2/D²],
        f = (1 + X)² + K², g = (1 − X)² + K², D = (f − gρ)²,
        D_1 = 2(1−ρ)[(1+X)f − ρ(1−X)g] + 16X²ρ,  D_2 = 4(1−ρ)[(1+X)² − ρ(1−X)²] + 8X²ρ

    (from Schwinger's integral of the Coulomb Green's function between two e^{−λr}/r,
    −16πX ∫ρ^{−1/X} dρ/D, differentiated by each λ: docs/theory.md). Im F = πS, F(E,0) = 1/T.

    T_keV: above the ionisation energy I. Q2_keV2: Q², real or complex; they broadcast. For complex
    Q² the branch is the one of the real axis, whose cut goes from Q² = (pe − i p0)², where f = 0
    (pe² = 2mT − p0²), to infinity. Accurate to 1e-9 for T > 1.05 I and Q² away from the cut.
    Raises InputError for T ≤ I.
    """
    precision.require_x64("hydrogen_density_function")
    p0 = element(target).Z * ATOMIC_MOMENTUM_keV
    threshold = p0**2 / (2.0 * ELECTRON_MASS_keV)
    checks.number_range(
        "T_keV", T_keV, threshold, np.inf, "keV",
        "the closed form is for energies above the ionisation energy", open_low=True,
    )  # fmt: skip
    T = jnp.asarray(T_keV, dtype=float) / threshold
    K2 = jnp.asarray(Q2_keV2) / p0**2
    T, K2 = jnp.broadcast_arrays(T, K2.astype(complex))
    value = _map_function(T.ravel(), K2.ravel()).reshape(T.shape)
    return value / (2.0 * threshold)


@jax.jit
def _map_function(T: Array, K2: Array) -> Array:
    rho = jnp.exp(-_t)

    def one(pair: tuple[Array, Array]) -> Array:
        T, K2 = pair
        X = 1j * jnp.sqrt(T - 1.0)
        f, g = (1.0 + X) ** 2 + K2, (1.0 - X) ** 2 + K2
        D = (f - g * rho) ** 2
        first = 2.0 * (1.0 - rho) * ((1.0 + X) * f - rho * (1.0 - X) * g) + 16.0 * X**2 * rho
        second = 4.0 * (1.0 - rho) * ((1.0 + X) ** 2 - rho * (1.0 - X) ** 2) + 8.0 * X**2 * rho
        power = jnp.exp((1.0 / X - 1.0) * _t)  # ρ^{−1/X} dρ
        return -16.0 * X * jnp.sum(_WEIGHT * power * (2.0 * first**2 / D**3 - second / D**2))

    return jax.lax.map(one, (T, K2), batch_size=min(64, T.shape[0]))
