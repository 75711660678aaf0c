"""First-order minimisers inside bounds, optax's L-BFGS and Adam: no Hessian is formed."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from jaxnu import precision  # noqa: F401

OPTIMIZERS = ("newton", "lbfgs", "adam")
MEMORY = 10  # pairs that L-BFGS keeps
BACKTRACKS = 30  # halvings of a step
ARMIJO = 1e-4  # share of the linear fall that a step must keep
ADAM_RATE = 0.1  # first steps, in units of 1σ
ADAM_HALF_LIFE = 150  # steps after which they are half as long: 1e-8σ after 3500

Vector = TypeVar("Vector", Array, np.ndarray)


def stuck(gradient: Vector, z: Vector, low: Vector, high: Vector) -> Vector:
    """Which variables are at a bound that −∂f presses them against. Traced or on the host."""
    return ((z <= low) & (gradient > 0.0)) | ((z >= high) & (gradient < 0.0))


def projected_gradient(
    gradient: Float[Array, "P"],
    z: Float[Array, "P"],
    low: Float[Array, "P"],
    high: Float[Array, "P"],
) -> Float[Array, "P"]:
    """∂f without the components that press a variable against the bound it is at."""
    return jnp.where(stuck(gradient, z, low, high), 0.0, gradient)


def minimise_inside(
    objective: Callable[[Float[Array, "P"]], Float[Array, ""]],
    start: Float[Array, "P"],
    low: Float[Array, "P"],
    high: Float[Array, "P"],
    held: Bool[Array, "P"],
    optimizer: str,
    tolerance: float,
    iterations: int,
) -> tuple[Float[Array, "P"], Int[Array, ""]]:
    """(z, iterations) at which the projected gradient is below `tolerance` or the count is used up.

    Args:
        objective: smooth, of variables with a spread of order one.
        start, low, high: (P,) where to begin, and the bounds.
        held: (P,) variables that stay.
        optimizer: "lbfgs" (steps projected on the bounds, backtracking along the projected path,
            memory emptied when a bound comes into play or out of it) or "adam" (projected after
            each step, whose length halves every ADAM_HALF_LIFE steps).

    Source: L-BFGS Liu and Nocedal, Math. Program. 45 (1989) 503; projected path Bertsekas, SIAM
    J. Control Optim. 20 (1982) 221; Adam arXiv:1412.6980.
    """
    low, high = jnp.where(held, start, low), jnp.where(held, start, high)
    step, state = (_lbfgs if optimizer == "lbfgs" else _adam)(objective, start, low, high)
    value_and_grad = jax.value_and_grad(objective)

    def advance(carry: tuple) -> tuple:
        z, value, gradient, state, count = carry
        z, state = step(z, value, gradient, state)
        return z, *value_and_grad(z), state, count + 1

    def unfinished(carry: tuple) -> Array:
        z, _, gradient, _, count = carry
        left = jnp.max(jnp.abs(projected_gradient(gradient, z, low, high)))
        return ~(left <= tolerance) & jnp.isfinite(left) & (count < iterations)

    first = start, *value_and_grad(start), state, jnp.array(0)
    z, _, _, _, count = lax.while_loop(unfinished, advance, first)
    return z, count


def _lbfgs(objective: Callable, start: Array, low: Array, high: Array) -> tuple[Callable, Any]:
    """(one step, first state) of L-BFGS among the variables that no bound stops."""
    solver = optax.scale_by_lbfgs(MEMORY)
    empty = solver.init(start)

    def step(z: Array, value: Array, gradient: Array, state: tuple) -> tuple[Array, tuple]:
        memory, before = state
        free = projected_gradient(gradient, z, low, high)
        stopped = free != gradient
        fresh = jnp.any(stopped != before)
        memory = jax.tree.map(lambda new, old: jnp.where(fresh, new, old), empty, memory)
        direction, memory = solver.update(free, memory, z)
        direction = jnp.where(stopped, 0.0, -direction)
        # a first step of one, not of the whole gradient
        first = optax.tree.get(memory, "count") <= 1
        direction = jnp.where(first, direction / jnp.maximum(optax.tree.norm(free), 1.0), direction)
        noise = 1e-14 * (1.0 + jnp.abs(value)) + 1e-15 * jnp.sum(jnp.abs(gradient * z))

        def trial(length: Array) -> Array:
            return optax.projections.projection_box(z + length * direction, low, high)

        def too_long(carry: tuple) -> Array:
            length, count = carry
            there = trial(length)
            wanted = value + ARMIJO * gradient @ (there - z) + noise
            return ~(objective(there) <= wanted) & (count < BACKTRACKS)

        length, _ = lax.while_loop(
            too_long, lambda c: (0.5 * c[0], c[1] + 1), (jnp.ones(()), jnp.array(0))
        )
        return trial(length), (memory, stopped)

    return step, (empty, jnp.zeros(start.size, bool))


def _adam(objective: Callable, start: Array, low: Array, high: Array) -> tuple[Callable, Any]:
    """(one step, first state) of Adam, projected on the bounds."""
    solver = optax.adam(optax.exponential_decay(ADAM_RATE, ADAM_HALF_LIFE, 0.5), b2=0.99)

    def step(z: Array, value: Array, gradient: Array, state: Any) -> tuple[Array, Any]:
        free = projected_gradient(gradient, z, low, high)
        updates, state = solver.update(free, state, z)
        return optax.projections.projection_box(optax.apply_updates(z, updates), low, high), state

    return step, solver.init(start)
