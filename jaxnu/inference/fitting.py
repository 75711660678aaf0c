"""Minimum of a convex negative log-likelihood, with optax."""

from collections.abc import Callable

import optax
from jax import lax
from jaxtyping import Array, Float

from jaxnu import precision  # noqa: F401
from jaxnu.settings import Numerics


def minimise(
    objective: Callable[[Float[Array, "n"]], Float[Array, ""]],
    start: Float[Array, "n"],
    numerics: Numerics,
) -> Float[Array, "n"]:
    """The minimum of a smooth convex function of variables of order one, by optax's L-BFGS.

    To the tolerance of `numerics`; the caller improves it by a Newton step and tests the gradient
    there. Not differentiable: hand it constants.
    """
    # backtracking compiles in half the time of the zoom search, and convexity needs no more
    search = optax.scale_by_backtracking_linesearch(max_backtracking_steps=25, store_grad=True)
    solver = optax.lbfgs(linesearch=search)
    value_and_grad = optax.value_and_grad_from_state(objective)

    def unfinished(carry: tuple) -> Array:
        _, state, count = carry
        gradient = optax.tree.norm(optax.tree.get(state, "grad"))
        far = (count == 0) | (gradient > numerics.fit_tolerance)
        return far & (count < numerics.fit_iterations)

    def step(carry: tuple) -> tuple:
        theta, state, count = carry
        value, gradient = value_and_grad(theta, state=state)
        updates, state = solver.update(
            gradient, state, theta, value=value, grad=gradient, value_fn=objective
        )
        return optax.apply_updates(theta, updates), state, count + 1

    theta, _, _ = lax.while_loop(unfinished, step, (start, solver.init(start), 0))
    return theta
