"""Upper limit by profile likelihood: searched without derivatives, then made exact with them."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, ArrayLike, Bool, Float

from jaxnu.inference.fitting import minimise
from jaxnu.inference.likelihood import BinnedModel
from jaxnu.numerics.roots import increasing_root
from jaxnu.settings import Numerics


def conditional_fit(
    x: Float[Array, ""], model: BinnedModel, numerics: Numerics
) -> Float[Array, "2"]:
    """(x, β) with the β that minimises −ln L at a given x. Not differentiable.

    Damped Newton steps, length 1/(1 + d) with the Newton decrement d until d < 1/4, then 1:
    converges from anywhere for a self-concordant function, which a Poisson −ln L is (Nesterov and
    Nemirovskii 1994, section 2.2).
    """

    def step(carry: tuple) -> tuple:
        beta, _, count = carry
        _, gradient, hessian = model.expand(jnp.stack([x, beta]))
        g, h = gradient[1], hessian[1, 1]
        decrement = jnp.abs(g) / jnp.sqrt(h)
        length = jnp.where(decrement < 0.25, 1.0, 1.0 / (1.0 + decrement))
        return beta - length * g / h, decrement, count + 1

    def unfinished(carry: tuple) -> Array:
        return (carry[1] > numerics.fit_tolerance) & (carry[2] < numerics.fit_iterations)

    # where all counts that are not signal are background, unless that is less than expected
    left = jnp.sum(model.counts) - x * jnp.sum(model.signal)
    start = jnp.maximum(left / jnp.maximum(jnp.sum(model.background), 1e-300), 1.0)
    beta, _, _ = lax.while_loop(unfinished, step, (start, jnp.array(jnp.inf), 0))
    return jnp.stack([x, beta])


def best_fit(model: BinnedModel, numerics: Numerics) -> Float[Array, "2"]:
    """(x, β) that minimise −ln L over x ≥ 0. Not differentiable.

    −ln L is convex: the bounded minimum is the free one if that has x > 0, else it is at x = 0.
    An x within the accuracy of the fit counts as zero.
    """
    origin, unit = jnp.array([0.0, 1.0]), model.scale
    z = minimise(lambda z: model.deviance_half(origin + unit * z), jnp.zeros(2), numerics)
    free = origin + unit * z
    _, gradient, hessian = model.expand(free)
    polish = _solve_two(hessian[0], hessian[1], gradient)
    free = jnp.where(jnp.all(jnp.isfinite(polish)), free - polish, free)
    bounded = conditional_fit(jnp.zeros(()), model, numerics)
    return jnp.where(free[0] > numerics.fit_accepted * unit[0], free, bounded)


def _parallel(first: Float[Array, "2"], second: Float[Array, "2"]) -> Bool[Array, ""]:
    """Whether two directions are one to 1e-8, where steps lose the half of their digits."""
    one, other = first[0] * second[1], first[1] * second[0]
    return jnp.abs(one - other) <= 1e-8 * (jnp.abs(one) + jnp.abs(other))


def _solve_two(
    first: Float[Array, "2"], second: Float[Array, "2"], right: Float[Array, "2"]
) -> Float[Array, "2"]:
    """z with first·z = right[0] and second·z = right[1]; NaN if they are nearly one equation."""
    determinant = first[0] * second[1] - first[1] * second[0]
    determinant = jnp.where(_parallel(first, second), jnp.nan, determinant)
    x = right[0] * second[1] - first[1] * right[1]
    y = first[0] * right[1] - right[0] * second[0]
    return jnp.stack([x, y]) / determinant


def upper_limit(
    model: BinnedModel, delta: ArrayLike, numerics: Numerics
) -> tuple[Float[Array, ""], tuple[Float[Array, "2"], Float[Array, ""]]]:
    """(x_up, (best fit (x̂, β̂), residual)): q(x_up) = Δ with q(x) = −2 ln L(x, β̂̂)/L(x̂, β̂).

    The profile likelihood ratio with x̂ ≥ 0 (Cowan et al., EPJC 71, 1554 (2011), eqs 7 and 10).
    x_up, β̂̂, x̂, β̂ are found by search; they solve one system r = 0: q − Δ, ∂_β at x_up, ∂_β and
    (∂_x or x) at the best fit. Two last steps z − J⁻¹ r(z; model), J and the first z constant, give
    the last digits and the derivatives in the model: by the implicit function theorem the first
    step has the first ones, and each further one the next order, as its error is O(dmodel) times
    that of the step before.
    The residual is the largest |r| before these steps, in units of 1σ; NaN if the search failed,
    infinite if it ended where the general likelihood is needed: β < 0, hardly any λ, a valley.
    """
    constant = lax.stop_gradient(model)
    unit = constant.scale
    best = best_fit(constant, numerics)
    lowest = constant.deviance_half(best)
    interior = best[0] > 0.0

    def excess(x: Array) -> tuple[Array, Array, Array]:
        theta = conditional_fit(x, constant, numerics)
        value, gradient, _ = constant.expand(theta)
        return 2.0 * (value - lowest) - delta, 2.0 * gradient[0], theta  # envelope: ∂_β vanishes

    # of q: of terms n ln λ that cancel; nothing to lean on where it is not small against Δ
    noise = 16.0 * jnp.finfo(float).eps * (lowest + jnp.sum(constant.counts))
    rounding = jnp.where(noise < 1e-6 * delta, noise, 0.0)
    _, up, converged = increasing_root(excess, best[0], unit[0], numerics.root_iterations, rounding)

    def equations(points: Float[Array, "2 2"]) -> tuple[Array, Array, Array]:
        """(r, slopes, curvatures) at (x_up, β̂̂) and (x̂, β̂), in units of 1σ."""
        value, gradient, hessian = jax.vmap(model.expand)(points)
        slope, curvature = unit * gradient, jnp.outer(unit, unit) * hessian
        edge = jnp.where(interior, slope[1, 0], points[1, 0] / unit[0])
        r = jnp.stack([2.0 * (value[0] - value[1]) - delta, slope[0, 1], edge, slope[1, 1]])
        return r, slope, curvature

    def exact(theta: Array) -> Array:
        """Whether −ln L at θ is itself, not what continues it where there is hardly any λ."""
        return jnp.all((constant.counts == 0.0) | constant.inside(theta))

    constant_up, constant_best = up, best
    points = jnp.stack([up, best])
    r, slope, curvature = equations(points)
    # J = [[2 slope_up, −2 slope_best], [curvature_up, 0], [0, edge], [0, curvature_best]]
    s, c = lax.stop_gradient((2.0 * slope, curvature))
    edge = jnp.where(interior, c[1, 0], jnp.array([1.0, 0.0]))

    def step(r: Array) -> Array:
        of_best = _solve_two(edge, c[1, 1], r[2:])
        of_up = _solve_two(s[0], c[0, 1], jnp.stack([r[0] + s[1] @ of_best, r[1]]))
        return unit * jnp.stack([of_up, of_best])

    points = points - step(r)
    up, best = points - step(equations(points)[0])

    size = jnp.max(jnp.abs(r / jnp.array([jnp.minimum(delta, 1.0), 1.0, 1.0, 1.0])))
    good = converged & jnp.isfinite(up[0])
    residual = jnp.where(good, lax.stop_gradient(size), jnp.nan)
    # the searches do not know that β ≥ 0; a NaN is a norm that few counts do not hold. On the
    # boundary −ln L must not fall towards x > 0: there is no minimum without that bound. And along
    # a valley, of templates much alike, a gradient does not tell how far the minimum is
    inward = jnp.where(interior, 0.0, jnp.maximum(-slope[1, 0], 0.0))
    known = (constant_up[1] >= 0.0) & (constant_best[1] >= 0.0) & (inward < numerics.fit_accepted)
    known &= exact(constant_up) & exact(constant_best) & ~_parallel(c[1, 0], c[1, 1])
    residual = jnp.where(known, residual, jnp.inf)
    return up[0], (best, residual)


def profile_ratio(
    x: Float[Array, "points"],
    best: Float[Array, "2"],
    model: BinnedModel,
    numerics: Numerics,
) -> Float[Array, "points"]:
    """q(x) = −2 ln L(x, β̂̂)/L(x̂, β̂) on a grid of x ≥ 0. Not differentiable."""
    lowest = model.deviance_half(best)

    def q(x: Array) -> Array:
        return 2.0 * (model.deviance_half(conditional_fit(x, model, numerics)) - lowest)

    return jax.vmap(q)(x)
