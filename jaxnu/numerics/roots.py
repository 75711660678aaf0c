"""Roots with exact derivatives: a search outside of differentiation, then Newton steps inside."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from jaxnu import precision  # noqa: F401


def newton_polish(
    residual: Callable[[Float[Array, "n"]], Float[Array, "n"]],
    root: Float[Array, "n"],
    constant_residual: Callable[[Float[Array, "n"]], Float[Array, "n"]],
    order: int = 1,
) -> Float[Array, "n"]:
    """A root found by search, improved to the last digits and made differentiable.

    Two Newton steps on `constant_residual` (the same function with everything that it closes over
    held constant), then `order` steps x ← x − J⁻¹ r(x) with J constant: each of these makes one
    more derivative exact, the first being the implicit function theorem, dx = −J⁻¹ ∂r.
    """
    jacobian = jax.jacfwd(constant_residual)
    x = lax.stop_gradient(root)
    x = lax.fori_loop(0, 2, lambda _, x: x - jnp.linalg.solve(jacobian(x), constant_residual(x)), x)
    inverse = jnp.linalg.inv(jacobian(x))
    for _ in range(order):
        x = x - inverse @ residual(x)
    return x


def increasing_root(
    value_and_slope: Callable[[Float[Array, ""]], tuple[Float[Array, ""], Float[Array, ""]]],
    start: Float[Array, ""],
    step: Float[Array, ""],
    iterations: int,
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    """(root, converged) of a function that is negative at `start` and increases above it.

    Newton's method inside a bracket: a step that leaves it is replaced by bisection, or, while no
    upper end is known, by a doubled distance from the start. Not differentiable by itself: hand
    the root to `newton_polish`.
    """

    def narrow(state: tuple) -> tuple:
        low, high, x, _, count = state
        value, slope = value_and_slope(x)
        low, high = jnp.where(value < 0.0, x, low), jnp.where(value < 0.0, high, x)
        newton = x - value / slope
        farthest = jnp.where(jnp.isinf(high), start + 4.0 * (x - start), high)
        fallback = jnp.where(jnp.isinf(high), start + 2.0 * (x - start), 0.5 * (low + high))
        following = jnp.where((newton > low) & (newton < farthest), newton, fallback)
        # newton_polish squares this error twice
        done = jnp.abs(value) <= 1e-9 * jnp.abs(slope * (x - start))
        return low, high, following, done, count + 1

    state = (start, jnp.full_like(start, jnp.inf), start + step, jnp.array(False), 0)
    _, _, root, done, _ = lax.while_loop(lambda s: ~s[3] & (s[4] < iterations), narrow, state)
    return root, done
