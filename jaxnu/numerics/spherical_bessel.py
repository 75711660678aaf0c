"""Spherical Bessel functions j_L(x) of the first kind, all orders at once or one order a step.

The recurrence is run downward on g_L = j_L (2L+1)!!/s^L with s = min(x, top), which is of order
one for x ≪ L where j_L itself underflows, needs no division by x and is stable at every x:
    g_{L−1} = (s/x) g_L − s² g_{L+1} / [(2L+1)(2L+3)].
Its start at L = top comes, for x < top, from the continued fraction of g_{L+1}/g_L with the
scale set by j_0 and j_1 (Miller), and for x ≥ top from the upward recurrence, stable there.
Cost per element of x: about 3 top multiply-adds to start, then two and one exp a step; memory:
a few arrays like x, whatever the number of orders.

Source: DLMF 10.51.1 (recurrence), 10.51.2 (derivative), 10.53.1 (series), 3.6(iii) (Miller).
"""

import math
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxnu import checks, precision

L_LIMIT = 1000  # tested to 200; exp(L ln s − ln(2L+1)!!) loses digits like L ln L
X_LIMIT = 1e8  # beyond it sin(x) has lost the eight digits that x itself no longer holds
SERIES_BELOW = 1.0  # j_0, j_1 by series below; (j_0 − cos x)/x loses half a digit above
SERIES_TERMS = 10  # x²⁰/21! at x = 1 is 2e-20
ZERO_LOG = -1e4  # stands for ln 0: exp(L · ZERO_LOG) is 1 for L = 0 and 0 for L ≥ 1


def _log_double_factorials(L_max: int) -> np.ndarray:
    """ln (2L+1)!! for L = 0 … L_max."""
    logs = [math.log(2 * L + 1) for L in range(L_max + 1)]
    return np.array([math.fsum(logs[: L + 1]) for L in range(L_max + 1)])


def _fraction_steps(top: int) -> int:
    """Steps of the continued fraction before `top` that bring its error at x = top below 1e-16.

    Around the turning point the error falls like exp[−(4√2/3) d^{3/2} top^{−1/2}] in d steps.
    """
    return 10 + math.ceil(8.0 * top ** (1.0 / 3.0))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class BesselScan:
    """All that one downward scan over L needs; made by `bessel_scan`.

        scan = bessel_scan(x, L_max)
        carry, out = jax.lax.scan(body, (scan.start, …), scan.orders)   # body calls scan.step

    s_over_x, s2, log_s: s/x, s² and ln s, shaped like x.
    start: the carry (g_L, g_{L+1}) for L = L_max.
    orders: L_max, L_max − 1, …, 0, the order in which `step` must be called.
    log_double_factorial: ln (2L+1)!!.
    """

    s_over_x: Float[Array, "..."]
    s2: Float[Array, "..."]
    log_s: Float[Array, "..."]
    start: tuple[Float[Array, "..."], Float[Array, "..."]]
    orders: Int[Array, "L_max+1"]
    log_double_factorial: Float[Array, "L_max+1"]

    def step(
        self, carry: tuple[Float[Array, "..."], Float[Array, "..."]], L: Int[Array, ""]
    ) -> tuple[tuple[Float[Array, "..."], Float[Array, "..."]], Float[Array, "..."]]:
        """From (g_L, g_{L+1}) to (g_{L−1}, g_L) and j_L(x); L falls by one at each call."""
        g, above = carry
        j = g * jnp.exp(L * self.log_s - self.log_double_factorial[L])
        return (_below(self.s_over_x, self.s2, g, above, L), g), j


def _below(
    s_over_x: Float[Array, "..."],
    s2: Float[Array, "..."],
    g: Float[Array, "..."],
    above: Float[Array, "..."],
    L: Int[Array, ""],
) -> Float[Array, "..."]:
    """g_{L−1} from g_L and g_{L+1}."""
    return s_over_x * g - s2 * above / ((2 * L + 1.0) * (2 * L + 3.0))


def _j0_j1(x: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """j_0 and j_1 for all x; j_1 = (j_0 − cos x)/x would cancel at small x."""
    small = x < SERIES_BELOW
    y = jnp.where(small, 1.0, x)
    j0 = jnp.sin(y) / y
    x2 = jnp.where(small, x, 0.0) ** 2
    series0, series1 = jnp.zeros_like(x), jnp.zeros_like(x)
    for n in range(SERIES_TERMS, -1, -1):
        series0 = (-1.0) ** n / math.factorial(2 * n + 1) + x2 * series0
        series1 = (-1.0) ** n * (2 * n + 2) / math.factorial(2 * n + 3) + x2 * series1
    return jnp.where(small, series0, j0), jnp.where(small, x * series1, (j0 - jnp.cos(y)) / y)


def bessel_scan(x: Float[Array, "..."], L_max: int) -> BesselScan:
    """Prepare a scan that yields j_L(x) for L = L_max, …, 0, one order a step, none stored.

    x: arguments ≥ 0, any shape. L_max: highest order (static).
    Returns a BesselScan. Differentiate through `spherical_bessel_j`, or with
    (2L+1) j_L' = L j_{L−1} − (L+1) j_{L+1}, not through the scan (its carries would be stored).
    """
    top = L_max + 1
    s = jnp.minimum(x, top)
    positive = x > 0
    s_over_x = jnp.where(positive, s / jnp.where(positive, x, 1.0), 1.0)
    s2 = s**2
    log_s = jnp.where(positive, jnp.log(jnp.where(positive, s, 1.0)), ZERO_LOG)
    log_factorial = jnp.asarray(_log_double_factorials(top))
    j0, j1 = _j0_j1(x)

    def upward(L, pair):
        # the same recurrence solved for g_{L+1}; for x < top it is not used
        g, below = pair
        above = (2 * L + 1.0) * (2 * L + 3.0) * (s_over_x * g - below) / jnp.where(far, s2, 1.0)
        return jnp.where(far, above, g), jnp.where(far, g, below)

    far = x >= top
    g_top, g_last = jax.lax.fori_loop(1, top, upward, (3.0 * j1 / jnp.where(far, s, 1.0), j0))

    def fraction(i, ratio):
        L = top - 1 + steps - i
        return 1.0 / (1.0 - near_s2 * ratio / ((2 * L + 1.0) * (2 * L + 3.0)))

    # ratio = g_L/g_{L−1} for L = top; far elements run along at x = 0
    steps = _fraction_steps(top)
    near_s2 = jnp.where(far, 0.0, s2)
    ratio = jax.lax.fori_loop(0, steps, fraction, jnp.ones_like(x))
    pair = jnp.where(far, g_last, 1.0), jnp.where(far, g_top, ratio)

    def downward(i, pair):
        g, above = pair
        return _below(s_over_x, s2, g, above, L_max - i), g

    g0, g1 = jax.lax.fori_loop(0, L_max, downward, pair)
    # j_0 = norm·g_0 and j_1 = norm·s g_1/3 are never small together: project on both
    g1 = g1 * s / 3.0
    norm = (j0 * g0 + j1 * g1) / (g0**2 + g1**2)
    return BesselScan(
        s_over_x=s_over_x,
        s2=s2,
        log_s=log_s,
        start=(norm * pair[0], norm * pair[1]),
        orders=jnp.arange(L_max, -1, -1),
        log_double_factorial=log_factorial,
    )


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _all_orders(x: Float[Array, "..."], L_max: int) -> Float[Array, "... L_max+1"]:
    scan = bessel_scan(x, L_max)
    _, j = jax.lax.scan(scan.step, scan.start, scan.orders)
    return jnp.moveaxis(j[::-1], 0, -1)


@_all_orders.defjvp
def _all_orders_jvp(L_max, primals, tangents):
    (x,), (dx,) = primals, tangents
    j = _all_orders(x, L_max + 1)
    L = jnp.arange(L_max + 1)
    below = jnp.concatenate([jnp.zeros_like(j[..., :1]), j[..., :L_max]], axis=-1)
    slope = (L * below - (L + 1) * j[..., 1:]) / (2 * L + 1)
    return j[..., :-1], slope * dx[..., None]


_compiled_orders = jax.jit(_all_orders, static_argnums=1)


def spherical_bessel_j(x: Float[Array, "..."], L_max: int) -> Float[Array, "... L_max+1"]:
    """Spherical Bessel functions j_0(x) … j_{L_max}(x).

    x: arguments ≥ 0, any shape. L_max: highest order (static).
    Returns an array with one more axis, the order L. Relative accuracy 1e-10 and better for
    x ≤ L down to values of 1e-280 (0 below 1e-300), and relative to the envelope 1/x for x > L.
    Derivatives of any order by (2L+1) j_L' = L j_{L−1} − (L+1) j_{L+1}, also at x = 0.
    Raises InputError for x < 0 or L_max outside [0, 1000]; NaN for a traced x < 0.
    Source: DLMF 10.51.1, 10.51.2. Range tested: L ≤ 220, 0 ≤ x ≤ 5000.
    """
    precision.require_x64("spherical_bessel_j")
    checks.number_range("L_max", L_max, 0, L_LIMIT, "", "give the highest order wanted")
    checks.number_range("x", x, 0.0, X_LIMIT, "", "use j_L(−x) = (−1)^L j_L(x) for negative x")
    x = jnp.asarray(x, dtype=float)
    return _compiled_orders(jnp.where(x >= 0, x, jnp.nan), L_max)
