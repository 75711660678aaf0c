"""Roots with exact derivatives: a search outside of differentiation, then Newton steps inside."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from jaxnu import precision  # noqa: F401


def newton_polish(
    residual: Callable[[Float[Array, "n"]], Float[Array, "n"]], root: Float[Array, "n"]
) -> Float[Array, "n"]:
    """The root with its derivatives in everything that `residual` closes over.

    x = x* − J(x*)⁻¹ r(x*), twice, with x* held constant: the first step has the exact first
    derivative (implicit function theorem), the second the exact second and third.
    """
    x = lax.stop_gradient(root)
    for _ in range(2):
        x = x - jnp.linalg.solve(jax.jacfwd(residual)(x), residual(x))
    return x


def increasing_root(
    f: Callable[[Float[Array, ""]], Float[Array, ""]],
    low: Float[Array, ""],
    step: Float[Array, ""],
    iterations: int,
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    """(root, converged) of a function that increases above `low`, where it is negative.

    Doubles `step` until the sign changes, then bracketed Newton (bisection when a step leaves the
    bracket) to the last digits. Not differentiable by itself: hand the root to `newton_polish`.
    """

    def expand(state: tuple) -> tuple:
        high, step, count = state
        return high + step, 2.0 * step, count + 1

    high, _, count = lax.while_loop(
        lambda s: (f(s[0]) < 0.0) & (s[2] < iterations), expand, (low + step, step, 0)
    )
    value_and_slope = jax.value_and_grad(f)

    def narrow(state: tuple) -> tuple:
        low, high, x, _, count = state
        value, slope = value_and_slope(x)
        low, high = jnp.where(value < 0.0, x, low), jnp.where(value < 0.0, high, x)
        newton = x - value / slope
        inside = (newton > low) & (newton < high)
        following = jnp.where(inside, newton, 0.5 * (low + high))
        # a Newton step below 1e-12 is followed by the two of newton_polish
        done = jnp.abs(value / slope) <= 1e-12 * jnp.abs(x)
        return low, high, following, done, count + 1

    start = (low, high, high, jnp.array(False), 0)
    _, _, root, done, _ = lax.while_loop(
        lambda s: ~s[3] & (s[4] < iterations), narrow, start
    )
    return root, done & (count < iterations)
