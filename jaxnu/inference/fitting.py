"""Minima of a convex negative log-likelihood: a general fit with optax, a conditional one."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Float

from jaxnu import precision  # noqa: F401
from jaxnu.settings import Numerics

Objective = Callable[[Float[Array, "n"]], Float[Array, ""]]


def minimise(
    objective: Objective, start: Float[Array, "n"], numerics: Numerics
) -> Float[Array, "n"]:
    """The minimum of a smooth convex function of variables of order one, by optax's L-BFGS.

    Not differentiable: hand it constants, and its result to numerics.roots.newton_polish, which
    also reveals whether it converged.
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


def minimise_nuisances(
    objective: Objective, start: Float[Array, "n"], numerics: Numerics
) -> Float[Array, "n"]:
    """The same by damped Newton steps, for the many small fits along a profile.

    Step length 1/(1 + d) with the Newton decrement d² = gᵀH⁻¹g until d < 1/4, then 1: converges
    from anywhere for a self-concordant function, which a Poisson −ln L is (Nesterov and
    Nemirovskii 1994, section 2.2).
    """
    gradient, hessian = jax.grad(objective), jax.hessian(objective)

    def step(carry: tuple) -> tuple:
        theta, _, count = carry
        g = gradient(theta)
        move = jnp.linalg.solve(hessian(theta), g)
        decrement = jnp.sqrt(jnp.abs(g @ move))
        length = jnp.where(decrement < 0.25, 1.0, 1.0 / (1.0 + decrement))
        return theta - length * move, decrement, count + 1

    def unfinished(carry: tuple) -> Array:
        return (carry[1] > numerics.fit_tolerance) & (carry[2] < numerics.fit_iterations)

    return lax.while_loop(unfinished, step, (start, jnp.array(jnp.inf), 0))[0]
