"""Root finding."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, ArrayLike, Bool, Float

from jaxnu import precision  # noqa: F401


def increasing_root(
    f: Callable[[Float[Array, ""]], tuple[Float[Array, ""], Float[Array, ""], Any]],
    start: Float[Array, ""],
    step: Float[Array, ""],
    iterations: int,
    rounding: ArrayLike = 0.0,
) -> tuple[Float[Array, ""], Any, Bool[Array, ""]]:
    """Root of a function that is negative at `start` and increases above it.

    f returns (value, slope, extra). Newton's method inside a bracket: a step that leaves it, or
    follows one that did not halve |f|, is replaced by bisection, or, while no upper end is known,
    a step too far by a doubled distance from the start.
    Returns (root, extra there, converged) with the root to 1e-9; one more Newton step gives the
    last digits. A value within `rounding`, the error of f itself, counts as zero. Not
    differentiable.
    """

    def narrow(state: tuple) -> tuple:
        low, high, _, x, _, _, count, before = state
        value, slope, extra = f(x)
        low, high = jnp.where(value < 0.0, x, low), jnp.where(value < 0.0, high, x)
        newton = x - value / slope
        farthest = jnp.where(jnp.isinf(high), start + 4.0 * (x - start), high)
        fallback = jnp.where(jnp.isinf(high), start + 2.0 * (x - start), 0.5 * (low + high))
        # ends included: at the root itself the step is zero, and x is an end of the bracket
        inside = (newton >= low) & (newton <= farthest)
        # a wall that is steep on its far side, such as ln x at x = 0, is never left by small steps
        creeping = jnp.isfinite(high) & (jnp.abs(value) > 0.5 * before)
        following = jnp.where(inside & ~creeping, newton, fallback)
        small = jnp.abs(value) <= 1e-9 * jnp.abs(slope * (x - start)) + rounding
        done = small & jnp.isfinite(value)
        return low, high, x, following, extra, done, count + 1, jnp.abs(value)

    def unfinished(state: tuple) -> Bool[Array, ""]:
        return ~state[5] & (state[6] < iterations)

    shapes = jax.eval_shape(f, start)[2]
    extra = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    first = start + step
    infinite = jnp.full_like(start, jnp.inf)
    state = (start, infinite, first, first, extra, jnp.array(False), 0, infinite)
    _, _, root, _, extra, done, *_ = lax.while_loop(unfinished, narrow, state)
    return root, extra, done
