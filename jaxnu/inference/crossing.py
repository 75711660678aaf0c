"""Where a test statistic of a `Model` crosses a threshold: limits with their derivatives."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, ArrayLike, Bool, Float

from jaxnu import checks, precision  # noqa: F401
from jaxnu.errors import InputError
from jaxnu.inference.asymptotics import confidence_root, log_cls, log_clsb
from jaxnu.inference.maximum_likelihood import (
    Search,
    attach,
    best,
    bounds,
    derivatives,
    information,
    on_bounds,
    search,
    settle,
    start_point,
)
from jaxnu.inference.maximum_likelihood import solve_masked as solve
from jaxnu.inference.model import Model, unreached
from jaxnu.inference.pseudodata import asimov
from jaxnu.inference.settings import STATISTICS, Statistics
from jaxnu.numerics.roots import increasing_root

METHODS = ("profile", "cls", "clsb")
CONVENTIONS = ("two-sided", "one-sided")


class Crossing(NamedTuple):
    """A limit, the point (x, α̂̂) there, and whether it was found."""

    x: Float[Array, ""]
    theta: Float[Array, "P"]
    converged: Bool[Array, ""]


class Limits(NamedTuple):
    """Upper and lower end, and the best fit they belong to."""

    upper: Crossing
    lower: Crossing
    found: Search
    converged: Bool[Array, ""]


def x_held(model: Model, which: ArrayLike = 0) -> Bool[Array, "P"]:
    """The mask of a fit at given x, or at a given value of another parameter."""
    return jnp.arange(len(model.names)) == which


def tangent(found: Search, which: ArrayLike = 0) -> tuple[Float[Array, ""], Float[Array, "P"]]:
    """Curvature of the profile −ln L in x, or another parameter, at a fit, and the direction dθ/dx
    of its valley."""
    others = found.movable & (jnp.arange(found.theta.size) != which)
    along = -solve(found.hessian, found.hessian[:, which], others)
    direction = along.at[which].set(1.0)
    return jnp.maximum(found.hessian[which] @ direction, 0.0), direction


def crossing_step(
    found: Search, root: ArrayLike, which: ArrayLike = 0, sign: ArrayLike = 1.0
) -> Float[Array, ""]:
    """Distance in x, or another parameter, at which a parabola through the fit has q = root²."""
    curvature, _ = tangent(found, which)
    slope = jnp.maximum(sign * found.gradient[which], 0.0)
    bottom = slope + jnp.sqrt(slope**2 + curvature * root**2)
    unit = 1.0 / jnp.sqrt(jnp.maximum(found.hessian[which, which], 1e-300))
    return jnp.where(bottom > 0.0, root**2 / jnp.where(bottom > 0.0, bottom, 1.0), unit)


def rounding(found: Search, root: ArrayLike) -> Float[Array, ""]:
    """Error of √q near `root` from the rounding of −ln L; zero, so that a search fails, where it
    is above a millionth."""
    error = 2e-15 * (1.0 + jnp.abs(found.value)) / root
    return jnp.where(error < 1e-6 * root, error, 0.0)


def at_x(
    model: Model,
    x: Array,
    found: Search,
    settings: Statistics,
    which: ArrayLike = 0,
    held: Bool[Array, "P"] | bool = False,
) -> Search:
    """The fit at given x, started on the valley of a fit elsewhere, as far as it is inside bounds.

    which: the parameter whose value x is. held: parameters that stay at their value in that fit.
    """
    _, direction = tangent(found, which)
    low, high = bounds(lax.stop_gradient(model))
    step = direction * (x - found.theta[which])
    room = jnp.where(step > 0.0, high - found.theta, found.theta - low)
    share = room / jnp.where(step == 0.0, jnp.inf, jnp.abs(step))
    reached = jnp.min(jnp.where(step == 0.0, 1.0, share).at[which].set(1.0))
    start = (found.theta + jnp.clip(reached, 0.0, 1.0) * step).at[which].set(x)
    return search(model, start, x_held(model, which) | held, settings)


def q_crossing(
    model: Model,
    found: Search,
    root: ArrayLike,
    settings: Statistics,
    sign: ArrayLike = 1.0,
    which: ArrayLike = 0,
    held: Bool[Array, "P"] | bool = False,
) -> Crossing:
    """Largest (sign = 1) or smallest (−1) x ≥ 0 with q(x) = −2 ln [L(x, α̂̂)/L(x̂, α̂)] ≤ root².

    which: another parameter in the place of x; held: see `at_x`. What lies between the fit and
    the crossing has q < root², what lies beyond is not looked at.

    The search is by Newton's method on √q, which is linear in x in the Gaussian limit. Two last
    steps x − (q − root²)/q', each after one of the nuisances, with q' and the Hessian constant
    carry the first and second derivatives in the model, see `attach`. The bound, x = 0 downwards,
    if q there is below root².
    """
    constant, frozen = lax.stop_gradient(model), lax.stop_gradient(found)
    hat, target, sign = frozen.theta[which], jnp.asarray(root, float), jnp.asarray(sign, float)
    low, high = (end[which] for end in bounds(constant))
    step = jnp.maximum(crossing_step(frozen, target, which, sign), 1e-300)
    step = jnp.minimum(step, jnp.where(sign > 0.0, high - hat, 0.5 * (hat - low)))

    def excess(distance: Array) -> tuple[Array, Array, tuple]:
        value = jnp.clip(hat + sign * distance, low, high)
        at = at_x(constant, value, frozen, settings, which, held)
        size = jnp.sqrt(jnp.maximum(2.0 * (at.value - frozen.value), 1e-300))
        slope = sign * at.gradient[which] / jnp.maximum(size, 1e-6)  # below, q is rounding
        return size - target, slope, (at, size)

    _, (at, size), done = increasing_root(
        excess, jnp.zeros(()), step, settings.root_iterations, rounding(frozen, target)
    )
    end = jnp.where(sign < 0.0, at.theta[which] <= low, at.theta[which] >= high)
    at_end = end & (size <= target)
    safe = jnp.where(at.gradient[which] == 0.0, 1.0, at.gradient[which])
    lowest = model.minus_log_likelihood(attach(model, frozen))

    def follow(_: int, theta: Array) -> Array:
        theta = settle(model, at, theta)
        rise = model.minus_log_likelihood(theta) - lowest - 0.5 * target**2
        return theta.at[which].add(-rise / safe)

    # x itself is held in the search, so that it is not one of those that move with a bound
    start = on_bounds(model, at).at[which].set(at.theta[which])
    theta = lax.fori_loop(0, 2, follow, start)
    theta = jnp.where(at_end, lax.stop_gradient(at.theta), theta)
    far = settings.farthest / jnp.sqrt(information(constant)[which])
    measured = done & (jnp.abs(theta[which] - hat) < far)
    return Crossing(theta[which], theta, at.converged & (measured | at_end))


def _ratio_limit(
    model: Model, found: Search, method: str, confidence: ArrayLike, settings: Statistics
) -> Crossing:
    """Upper limit where CL_s or CL_s+b is 1 − CL, asymptotically."""
    origin = at_x(lax.stop_gradient(model), jnp.zeros(()), found, settings)
    quiet_hat = attach(model, origin)
    background = asimov(model, quiet_hat)
    constant, quiet, frozen = lax.stop_gradient((model, background, found))
    value, slope, curve = derivatives(quiet, origin.theta)  # a minimum of its own Asimov data
    flat = origin._replace(value=value, gradient=slope, hessian=curve)

    def statistic(x: Array, model: Model, background: Model, fitted: tuple[Array, ...]) -> Array:
        """ln(1 − CL) − ln p of x; fitted: θ of the best fit and at x, likewise for Asimov data."""
        hat, theta, quiet_hat, quiet_theta = fitted
        here, there = theta.at[0].set(x), quiet_theta.at[0].set(x)
        lowest = model.minus_log_likelihood(hat)
        q = 2.0 * (model.minus_log_likelihood(here) - lowest)
        zero = background.minus_log_likelihood(quiet_hat)
        q_asimov = 2.0 * (background.minus_log_likelihood(there) - zero)
        above = x >= frozen.theta[0]
        if method == "cls":
            log_p = log_cls(jnp.where(above, q, 0.0), q_asimov)
        else:
            log_p = log_clsb(q, q_asimov, above)
        return jnp.log1p(-jnp.asarray(confidence, float)) - log_p

    def excess(x: Array) -> tuple[Array, Array, tuple]:
        at = at_x(constant, x, frozen, settings)
        quiet_at = at_x(quiet, x, flat, settings)
        fitted = frozen.theta, at.theta, origin.theta, quiet_at.theta
        value, slope = jax.value_and_grad(statistic)(x, constant, quiet, fitted)
        return value, slope, (at, quiet_at, slope)

    zero = jnp.zeros(())
    step = frozen.theta[0] + crossing_step(frozen, 1.0)
    x, (at, quiet_at, slope), done = increasing_root(
        excess, zero, step, settings.root_iterations, rounding(frozen, 1.0)
    )
    safe = jnp.where(slope == 0.0, 1.0, slope)
    hat, fitted = attach(model, frozen), at.converged & quiet_at.converged

    def follow(_: int, state: tuple) -> tuple:
        theta = settle(model, at, state[0])
        quiet_theta = settle(background, quiet_at, state[1])
        value = statistic(theta[0], model, background, (hat, theta, quiet_hat, quiet_theta))
        x = theta[0] - value / safe
        return theta.at[0].set(x), quiet_theta.at[0].set(x)

    start = on_bounds(model, at).at[0].set(x), on_bounds(background, quiet_at).at[0].set(x)
    theta, _ = lax.fori_loop(0, 2, follow, start)
    limit = theta[0]
    if method == "cls":
        return Crossing(limit, theta, done & fitted)
    # CL_s+b may exclude every x, CL_s never does: the bisection then goes down to zero
    nothing = x < 1e-6 * step  # there q_A is lost in rounding
    return Crossing(
        jnp.where(nothing, 0.0, limit),
        jnp.where(nothing, origin.theta, theta),
        jnp.where(nothing, origin.converged, done & fitted),
    )


def both_ends(
    model: Model,
    confidence: ArrayLike,
    root: ArrayLike,
    method: str,
    side: str,
    settings: Statistics = STATISTICS,
) -> Limits:
    """Both ends of the interval; traced code may call it. See `limit_value`.

    root: √Δ ≥ 0 of the profile method. side: "both" ends of a two-sided interval, the upper end
    "above" the best fit, or, for a one-sided confidence below 1/2, "below" it.
    """
    found = best(model, start_point(model), jnp.zeros(len(model.names), bool), settings)
    lower = Crossing(jnp.zeros(()), found.theta, found.converged)
    if method != "profile":
        upper = _ratio_limit(model, found, method, confidence, settings)
    else:
        signs = jnp.array({"both": [1.0, -1.0], "above": [1.0], "below": [-1.0]}[side])
        ends = jax.vmap(lambda sign: q_crossing(model, found, root, settings, sign))(signs)
        upper = jax.tree.map(lambda leaf: leaf[0], ends)
        if side == "both":
            lower = jax.tree.map(lambda leaf: leaf[1], ends)
    converged = found.converged & upper.converged & lower.converged & jnp.isfinite(upper.x)
    converged &= ~unreached(model, found.theta) & ~unreached(model, upper.theta)
    return Limits(upper, lower, found._replace(theta=attach(model, found)), converged)


def upper_end(
    model: Model,
    root: ArrayLike,
    settings: Statistics = STATISTICS,
) -> tuple[Float[Array, ""], Search, Bool[Array, ""]]:
    """(x_up, best fit, converged) of the profile method alone: what toys need."""
    found = best(model, start_point(model), jnp.zeros(len(model.names), bool), settings)
    upper = q_crossing(model, found, root, settings)
    good = found.converged & upper.converged & ~unreached(model, found.theta)
    return upper.x, found, good


def check_choice(method: str, methods: Any, convention: str, confidence: Any) -> None:
    """Refuse an unknown word or a confidence outside (0, 1)."""
    checks.one_of("method", method, methods)
    checks.one_of("convention", convention, CONVENTIONS)
    number = isinstance(confidence, int | float) and not isinstance(confidence, bool)
    if not (number and 0.0 < confidence < 1.0):
        raise InputError(f"confidence = {confidence!r} is outside (0, 1); 90% is written 0.90")


def limit_value(
    model: Model,
    method: str = "profile",
    confidence: float = 0.90,
    convention: str = "two-sided",
    settings: Statistics = STATISTICS,
) -> Float[Array, ""]:
    """Upper limit on x as a function of the model, for jit, vmap and grad.

    Args:
        model: from build_model.
        method: "profile", q(x) = −2 ln Λ(x) = Δ (arXiv:1007.1727 eqs 7 and 10, x̂ ≥ 0); "cls" or
            "clsb" with q̃ (eq 16), asymptotic p-values (eqs 65, 66) and the Asimov data of x = 0.
        confidence: in (0, 1).
        convention: of the profile method, Δ = z²((1+CL)/2) "two-sided" or z²(CL) "one-sided".
        settings: tolerances.

    Returns:
        The limit; NaN if a search did not end. Its first and second derivatives in everything the
        model holds are exact (implicit function theorem), higher ones are not meant.

    Raises:
        InputError: for an unknown method or convention, or a confidence outside (0, 1).
    """
    check_choice(method, METHODS, convention, confidence)
    root, side = statistic_root(method, convention, confidence)
    found = find_limits(model, confidence, root, method, side, settings)
    return jnp.where(found.converged, found.upper.x, jnp.nan)


def statistic_root(method: str, convention: str, confidence: float) -> tuple[float, str]:
    """√Δ and the side of the best fit on which the limit lies, as `both_ends` takes them."""
    if method != "profile":
        return 0.0, "above"
    root = confidence_root(convention, confidence)
    side = "both" if convention == "two-sided" else "above" if root >= 0.0 else "below"
    return abs(root), side


find_limits: Callable[..., Limits] = jax.jit(
    both_ends, static_argnames=("method", "side", "settings")
)
