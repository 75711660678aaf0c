"""Upper limit by profile likelihood: searched without derivatives, then made exact with them."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jaxnu.inference.fitting import minimise, minimise_nuisances
from jaxnu.inference.likelihood import BinnedModel
from jaxnu.numerics.roots import increasing_root, newton_polish
from jaxnu.settings import Numerics


def conditional_fit(
    x: Float[Array, ""], model: BinnedModel, numerics: Numerics
) -> Float[Array, "2"]:
    """(x, β) with the β that minimises −ln L at a given x. Not differentiable."""
    unit = model.scale[1:]

    def objective(z: Array) -> Array:
        return model.deviance_half(jnp.concatenate([x[None], 1.0 + unit * z]))

    return jnp.concatenate(
        [x[None], 1.0 + unit * minimise_nuisances(objective, unit * 0, numerics)]
    )


def best_fit(model: BinnedModel, numerics: Numerics) -> Float[Array, "2"]:
    """(x, β) that minimise −ln L over x ≥ 0. Not differentiable.

    −ln L is convex: the bounded minimum is the free one if that has x > 0, else it is at x = 0.
    An x within the accuracy of the fit counts as zero.
    """
    origin, unit = jnp.array([0.0, 1.0]), model.scale
    free = minimise(lambda z: model.deviance_half(origin + unit * z), jnp.zeros(2), numerics)
    bounded = conditional_fit(jnp.zeros(()), model, numerics)
    return jnp.where(free[0] > numerics.fit_accepted, origin + unit * free, bounded)


@partial(jax.jit, static_argnames=("numerics",))
def upper_limit(
    model: BinnedModel, delta: Float[Array, ""], numerics: Numerics
) -> tuple[Float[Array, ""], tuple[Float[Array, "2"], Float[Array, ""]]]:
    """(x_up, (best fit (x̂, β̂), worst residual)): q(x_up) = Δ with q(x) = −2 ln L(x, β̂̂)/L(x̂, β̂).

    The profile likelihood ratio with x̂ ≥ 0 (Cowan et al., EPJC 71, 1554 (2011), eqs 7 and 10).
    x_up, x̂ and β̂ are found by search and then solve, as one system whose derivatives the implicit
    function theorem gives: q − Δ = 0, ∂_β = 0 at x_up, ∂_β = 0 and (∂_x = 0 or x̂ = 0) at the best
    fit, all in units of 1σ. The residual is the largest left of these; NaN if the search failed.
    """
    constant = lax.stop_gradient(model)
    unit = constant.scale
    best = best_fit(constant, numerics)
    lowest = constant.deviance_half(best)
    gradient = jax.grad(BinnedModel.deviance_half, argnums=1)

    def excess(x: Array) -> tuple[Array, Array]:
        theta = conditional_fit(x, constant, numerics)
        value = 2.0 * (constant.deviance_half(theta) - lowest) - delta
        return value, 2.0 * gradient(constant, theta)[0]  # envelope: β̂̂ moves, but ∂_β = 0

    x_up, converged = increasing_root(excess, best[0], unit[0], numerics.root_iterations)
    at_limit = conditional_fit(x_up, constant, numerics)
    interior = best[0] > 0.0

    def equations(model: BinnedModel, z: Float[Array, "4"]) -> Float[Array, "4"]:
        up, hat = unit * z[:2], unit * z[2:]
        q = 2.0 * (model.deviance_half(up) - model.deviance_half(hat))
        slope_up, slope_hat = unit * gradient(model, up), unit * gradient(model, hat)
        edge = jnp.where(interior, slope_hat[0], z[2])
        return jnp.stack([q - delta, slope_up[1], edge, slope_hat[1]])

    start = jnp.concatenate([at_limit, best]) / jnp.concatenate([unit, unit])
    solution = newton_polish(partial(equations, model), start, partial(equations, constant))
    residual = jnp.max(jnp.abs(equations(constant, lax.stop_gradient(solution))))
    # on the boundary −ln L must not fall towards x > 0
    outward = jnp.where(interior, 0.0, jnp.maximum(-unit[0] * gradient(constant, best)[0], 0.0))
    residual = jnp.where(converged, jnp.maximum(residual, outward), jnp.nan)
    hat = jnp.where(jnp.array([True, False]) & ~interior, 0.0, unit * solution[2:])
    return unit[0] * solution[0], (hat, residual)


@partial(jax.jit, static_argnames=("numerics",))
def profile_ratio(
    x: Float[Array, "points"],
    best: Float[Array, "2"],
    model: BinnedModel,
    numerics: Numerics,
) -> Float[Array, "points"]:
    """q(x) = −2 ln L(x, β̂̂)/L(x̂, β̂) on a grid of x ≥ 0."""
    lowest = model.deviance_half(best)

    def q(x: Array) -> Array:
        return 2.0 * (model.deviance_half(conditional_fit(x, model, numerics)) - lowest)

    return lax.map(q, x)
