"""Root finding."""

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from jaxnu import precision  # noqa: F401


def increasing_root(
    value_and_slope: Callable[[Float[Array, ""]], tuple[Float[Array, ""], Float[Array, ""]]],
    start: Float[Array, ""],
    step: Float[Array, ""],
    iterations: int,
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    """(root, converged) of a function that is negative at `start` and increases above it.

    Newton's method inside a bracket: a step that leaves it is replaced by bisection, or, while no
    upper end is known, by a doubled distance from the start. To 1e-9; one more Newton step gives
    the last digits. Not differentiable.
    """

    def narrow(state: tuple) -> tuple:
        low, high, x, _, count = state
        value, slope = value_and_slope(x)
        low, high = jnp.where(value < 0.0, x, low), jnp.where(value < 0.0, high, x)
        newton = x - value / slope
        farthest = jnp.where(jnp.isinf(high), start + 4.0 * (x - start), high)
        fallback = jnp.where(jnp.isinf(high), start + 2.0 * (x - start), 0.5 * (low + high))
        # ends included: at the root itself the step is zero, and x is an end of the bracket
        following = jnp.where((newton >= low) & (newton <= farthest), newton, fallback)
        small = jnp.abs(value) <= 1e-9 * jnp.abs(slope * (x - start))
        done = small & jnp.isfinite(value)
        return low, high, following, done, count + 1

    state = (start, jnp.full_like(start, jnp.inf), start + step, jnp.array(False), 0)
    _, _, root, done, _ = lax.while_loop(lambda s: ~s[3] & (s[4] < iterations), narrow, state)
    return root, done
