"""Best fit of a `Model` inside its bounds: projected Newton steps, differentiable, vmappable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from jaxnu import checks, precision  # noqa: F401
from jaxnu.errors import FitError, InputError
from jaxnu.inference.descent import OPTIMIZERS, minimise_inside, stuck
from jaxnu.inference.model import POI, Model, unreached
from jaxnu.inference.settings import STATISTICS, Statistics
from jaxnu.numerics import positive_definite

ROUGH = 1e-3  # gradient in 1σ at which a first search without a Hessian stops


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Fit:
    """A point where −ln L is lowest inside the bounds.

    theta: (x̂, α̂), or with a value held.
    minus_log_likelihood: there.
    gradient: largest ∂(−ln L) along the parameters that may move, in units of 1σ.
    covariance: inverse Hessian; zero for a parameter that is held or at a bound.
    active: −1 at the lower bound, +1 at the upper one, 2 held, 0 free.
    iterations, converged: of the search.
    """

    theta: Float[Array, "P"]
    minus_log_likelihood: Float[Array, ""]
    gradient: Float[Array, ""]
    covariance: Float[Array, "P P"]
    active: Int[Array, "P"]
    iterations: Int[Array, ""]
    converged: Bool[Array, ""]
    names: tuple[str, ...] = field(metadata={"static": True})

    @property
    def values(self) -> dict[str, Any]:
        """Parameter → value."""
        return dict(zip(self.names, self.theta, strict=True))

    @property
    def uncertainties(self) -> dict[str, Any]:
        """Parameter → 1σ from the Hessian."""
        return dict(zip(self.names, jnp.sqrt(jnp.diagonal(self.covariance)), strict=True))


class Search(NamedTuple):
    """Where a search ended, with the derivatives there."""

    theta: Float[Array, "P"]
    value: Float[Array, ""]
    gradient: Float[Array, "P"]
    hessian: Float[Array, "P P"]
    movable: Bool[Array, "P"]
    residual: Float[Array, ""]
    iterations: Int[Array, ""]
    converged: Bool[Array, ""]


def bounds(model: Model) -> tuple[Float[Array, "P"], Float[Array, "P"]]:
    """Lowest and highest θ = (x, α); x ≥ 0."""
    low = jnp.concatenate([jnp.zeros(1), model.lower])
    return low, jnp.concatenate([jnp.full(1, jnp.inf), model.upper])


def derivatives(
    model: Model, theta: Float[Array, "P"]
) -> tuple[Float[Array, ""], Float[Array, "P"], Float[Array, "P P"]]:
    """−ln L with its gradient and Hessian in θ."""

    def gradient(theta: Array) -> tuple[Array, tuple[Array, Array]]:
        value, slope = jax.value_and_grad(model.minus_log_likelihood)(theta)
        return slope, (value, slope)

    hessian, (value, slope) = jax.jacfwd(gradient, has_aux=True)(theta)
    return value, slope, hessian


def information(model: Model) -> Float[Array, "P"]:
    """Diagonal of the Fisher information at nominal rates: sizes of the parameters."""
    start = jnp.concatenate([jnp.zeros(1), jnp.zeros_like(model.auxiliary)])
    total = jnp.concatenate([jnp.zeros(1), jnp.asarray(model.constrained)])
    alpha = dict(zip(model.nuisances, start[1:], strict=True))
    for m in model.measurements:

        def expected(theta: Array, m: Any = m) -> Array:
            moved = dict(zip(model.nuisances, theta[1:], strict=True))
            return jnp.sum(m.rates(theta[0], moved), axis=0)

        slope = jax.jacfwd(expected)(start)
        if m.kind == "difference":
            total = total + jnp.sum((m.data["whitening"] @ slope) ** 2, axis=0)
            continue
        size = m.reference + (m.data["counts"] if m.free_background else 0.0)
        if m.kind == "unbinned":  # the total stands for the events
            slope, size = slope[-1:], jnp.sum(m.rates(0.0, alpha), axis=0)[-1:] + 1.0
        safe = jnp.where(size > 0.0, size, 1.0)
        total = total + jnp.sum(jnp.where(size[:, None] > 0.0, slope**2 / safe[:, None], 0.0), 0)
    return lax.stop_gradient(jnp.where(total > 0.0, total, 1.0))


def start_point(model: Model) -> Float[Array, "P"]:
    """x from the data by weighted least squares at nominal backgrounds, or 1σ if that is more.

    Constraints at their centres, free nuisances at 0.
    """
    low, high = bounds(model)
    alpha = dict(zip(model.nuisances, jnp.zeros(model.auxiliary.size), strict=True))
    excess, weight = jnp.zeros(()), jnp.zeros(())
    for m in model.measurements:
        background = jnp.sum(m.rates(0.0, alpha), axis=0)
        signal = jnp.sum(m.rates(1.0, alpha), axis=0) - background
        if m.kind == "difference":
            white = m.data["whitening"] @ signal
            excess += white @ (m.data["whitening"] @ (m.data["values"] - background))
            weight += white @ white
            continue
        if m.kind == "unbinned":  # the totals
            seen, spread = jnp.full(1, background.size - 1.0), background[-1:] + background.size
            background, signal = background[-1:], signal[-1:]
        else:
            seen, spread = m.data["counts"], m.reference + m.data["counts"]
        if m.free_background:
            background = background + m.data["off"] / m.data["ratio"]
        safe = jnp.where(spread > 0.0, spread, 1.0)
        excess += jnp.sum(signal * (seen - background) / safe)
        weight += jnp.sum(signal**2 / safe)
    x = jnp.maximum(1.0 / jnp.sqrt(information(model)[0]), excess / jnp.maximum(weight, 1e-300))
    return lax.stop_gradient(jnp.clip(jnp.concatenate([x[None], model.auxiliary]), low, high))


def solve_masked(
    hessian: Float[Array, "P P"], vector: Float[Array, "P"], movable: Bool[Array, "P"]
) -> Float[Array, "P"]:
    """H⁻¹ v among the movable parameters, zero for the others; NaN unless positive definite."""
    both = movable[:, None] & movable[None, :]
    kept = jnp.where(both, hessian, jnp.eye(len(vector)))
    scale = 1.0 / jnp.sqrt(jnp.maximum(jnp.diagonal(kept), 1e-300))
    right = scale * jnp.where(movable, vector, 0.0)
    return scale * positive_definite.solve(kept * scale[:, None] * scale[None, :], right)


def _distance(
    gradient: Float[Array, "P"], hessian: Float[Array, "P P"], movable: Bool[Array, "P"]
) -> Float[Array, ""]:
    """sqrt(gᵀ H⁻¹ g): how far the minimum of a parabola is, in units of 1σ, along a valley too;
    infinite where there is none."""
    square = gradient @ solve_masked(hessian, gradient, movable)
    return jnp.where(square >= 0.0, jnp.sqrt(jnp.maximum(square, 0.0)), jnp.inf)


def search(
    model: Model,
    start: Float[Array, "P"],
    held: Bool[Array, "P"],
    settings: Statistics = STATISTICS,
) -> Search:
    """Minimum of −ln L over the parameters that are not held. Not differentiable.

    Newton steps with the exact Hessian among the parameters that are not at an active bound,
    projected on the bounds, with Levenberg's damping when −ln L does not fall (Bertsekas, SIAM J.
    Control Optim. 20 (1982) 221). One evaluation per iteration, no inner loop.
    """
    model = lax.stop_gradient(model)
    low, high = bounds(model)
    floor = 1e-10 * information(model)
    theta = jnp.where(held, start, jnp.clip(start, low, high))

    def movable_at(theta: Array, gradient: Array) -> Array:
        return ~held & ~stuck(gradient, theta, low, high)

    def advance(state: tuple) -> tuple:
        """Evaluate the trial point, keep it if it is better, and propose the next one."""
        theta, value, gradient, hessian, trial, wanted, damping, _, count = state
        new_value, new_gradient, new_hessian = derivatives(model, trial)
        finite = jnp.all(jnp.isfinite(trial)) & jnp.all(jnp.isfinite(new_hessian))
        better = (new_value <= wanted) & finite
        old, new = (theta, value, gradient, hessian), (trial, new_value, new_gradient, new_hessian)
        theta, value, gradient, hessian = jax.tree.map(
            lambda a, b: jnp.where(better, a, b), new, old
        )
        lower = jnp.where(damping > settings.damping_first, damping / settings.damping_step, 0.0)
        higher = jnp.maximum(damping * settings.damping_step, settings.damping_first)
        damping = jnp.where(better, lower, higher)
        movable = movable_at(theta, gradient)
        size = jnp.maximum(jnp.diagonal(hessian), floor)
        residual = _distance(gradient, hessian + jnp.diag(1e-6 * floor), movable)
        damped = hessian + jnp.diag(size * damping + floor)
        step = -solve_masked(damped, gradient, movable)
        trial = jnp.where(movable, jnp.clip(theta + step, low, high), theta)
        noise = 1e-14 * (1.0 + jnp.abs(value)) + 1e-15 * jnp.sum(jnp.abs(gradient * theta))
        wanted = value + 1e-4 * gradient @ (trial - theta) + noise
        started = jnp.isfinite(value)
        residual = jnp.where(started, residual, jnp.inf)
        return theta, value, gradient, hessian, trial, wanted, damping, residual, count + 1

    def unfinished(state: tuple) -> Array:
        damping, residual, count = state[-3:]
        return (
            ~(residual <= settings.fit_tolerance)
            & (count < settings.fit_iterations)
            & (damping < settings.damping_last)
        )

    infinite, zero = jnp.array(jnp.inf), jnp.zeros(())
    nothing = theta, infinite, jnp.zeros_like(theta), jnp.eye(theta.size)
    state = *nothing, theta, infinite, zero, infinite, jnp.array(0)
    theta, value, gradient, hessian, _, _, _, residual, count = lax.while_loop(
        unfinished, advance, state
    )
    movable = movable_at(theta, gradient)
    converged = (residual <= settings.fit_tolerance) & jnp.isfinite(value)
    return Search(theta, value, gradient, hessian, movable, residual, count, converged)


def descend(
    model: Model,
    start: Float[Array, "P"],
    held: Bool[Array, "P"],
    settings: Statistics = STATISTICS,
    optimizer: str = "lbfgs",
    tolerance: float = ROUGH,
) -> tuple[Float[Array, "P"], Int[Array, ""]]:
    """(θ, iterations) at the minimum by L-BFGS or Adam, gradient in nominal 1σ below `tolerance`.

    Not differentiable.
    """
    model = lax.stop_gradient(model)
    unit = 1.0 / jnp.sqrt(information(model))
    return _descend(model, start, held, unit, settings, optimizer, tolerance)


def _descend(
    model: Model,
    start: Float[Array, "P"],
    held: Bool[Array, "P"],
    unit: Float[Array, "P"],
    settings: Statistics,
    optimizer: str,
    tolerance: float,
) -> tuple[Float[Array, "P"], Int[Array, ""]]:
    """In variables z = (θ − start)/unit."""
    low, high = bounds(model)
    origin = jnp.where(held, start, jnp.clip(start, low, high))
    most = settings.lbfgs_iterations if optimizer == "lbfgs" else settings.adam_iterations

    lowest, highest = (low - origin) / unit, (high - origin) / unit

    def point(z: Array) -> Array:
        theta = jnp.where(z <= lowest, low, jnp.where(z >= highest, high, origin + unit * z))
        return jnp.where(held, origin, theta)  # a bound exactly, without rounding

    def objective(z: Array) -> Array:
        return model.minus_log_likelihood(origin + unit * z)

    z, count = minimise_inside(
        objective, jnp.zeros_like(origin), lowest, highest,
        held, optimizer, tolerance, most,
    )  # fmt: skip
    return point(z), count


def search_without_hessian(
    model: Model,
    start: Float[Array, "P"],
    held: Bool[Array, "P"],
    settings: Statistics,
    optimizer: str,
) -> Search:
    """`search` by L-BFGS or Adam; the Hessian is formed twice, for the 1σ and at the end.

    First in nominal 1σ, then from there in those of the Hessian, so that `residual` means the same.
    """
    model = lax.stop_gradient(model)
    low, high = bounds(model)
    floor = 1e-10 * information(model)
    theta, first = descend(model, start, held, settings, optimizer)

    def size_at(hessian: Array) -> Array:
        return jnp.maximum(jnp.diagonal(hessian), floor)

    unit = 1.0 / jnp.sqrt(size_at(derivatives(model, theta)[2]))
    aim = 0.9 * settings.fit_tolerance  # the sizes change a little on the way
    theta, second = _descend(model, theta, held, unit, settings, optimizer, aim)
    value, gradient, hessian = derivatives(model, theta)
    movable = ~held & ~stuck(gradient, theta, low, high)
    residual = jnp.max(jnp.where(movable, jnp.abs(gradient) / jnp.sqrt(size_at(hessian)), 0.0))
    converged = (residual <= settings.fit_tolerance) & jnp.isfinite(value)
    return Search(theta, value, gradient, hessian, movable, residual, first + second, converged)


def best(
    model: Model,
    start: Float[Array, "P"],
    held: Bool[Array, "P"],
    settings: Statistics = STATISTICS,
    optimizer: str = "newton",
) -> Search:
    """`search`, after `descend` where the nuisances are many, or another optimiser's.

    An x within the accuracy of the fit counts as zero.
    """
    if optimizer != "newton":
        found = search_without_hessian(model, start, held, settings, optimizer)
    else:
        if len(model.nuisances) > settings.large:
            start, _ = descend(model, start, held, settings)
        found = search(model, start, held, settings)
    small = settings.fit_tolerance / jnp.sqrt(information(model)[0])
    zero = ~held[0] & (found.theta[0] < small)
    theta = found.theta.at[0].set(jnp.where(zero, 0.0, found.theta[0]))
    return found._replace(theta=theta)


def attach(model: Model, found: Search) -> Float[Array, "P"]:
    """θ of a search with its first and second derivatives in the model.

    Two steps θ − H⁻¹ ∂(−ln L), H constant. The first, from a constant θ, has an error of second
    order in a change of the model, which the next step multiplies by one order more.
    """
    start = on_bounds(model, found)
    return lax.fori_loop(0, 2, lambda _, theta: settle(model, found, theta), start)


def on_bounds(model: Model, found: Search) -> Float[Array, "P"]:
    """θ of a search as a constant, but a parameter at its bound moves with the bound."""
    constant = lax.stop_gradient(found)
    low, high = bounds(model)
    edge = jnp.where(constant.theta <= lax.stop_gradient(low), low, constant.theta)
    edge = jnp.where(constant.theta >= lax.stop_gradient(high), high, edge)
    return jnp.where(constant.movable, constant.theta, edge)


def settle(model: Model, found: Search, theta: Float[Array, "P"]) -> Float[Array, "P"]:
    """One step θ − H⁻¹ ∂(−ln L) of the movable parameters, with the Hessian of a search."""
    constant = lax.stop_gradient(found)
    slope = jax.grad(model.minus_log_likelihood)(theta)
    return theta - solve_masked(constant.hessian, slope, constant.movable)


def covariance(found: Search) -> Float[Array, "P P"]:
    """Inverse Hessian among the movable parameters, zero elsewhere."""
    columns = jax.vmap(partial(solve_masked, found.hessian, movable=found.movable))
    inverse = columns(jnp.eye(len(found.theta)))
    both = found.movable[:, None] & found.movable[None, :]
    return jnp.where(both, inverse, 0.0)


def _fit_program(
    model: Model, values: Array, held: Array, settings: Statistics, optimizer: str
) -> Fit:
    found = best(model, jnp.where(held, values, start_point(model)), held, settings, optimizer)
    low, high = bounds(model)
    theta = attach(model, found)
    active = jnp.where(theta <= low, -1, jnp.where(theta >= high, 1, 0))
    return Fit(
        theta=theta,
        minus_log_likelihood=model.minus_log_likelihood(theta),
        gradient=found.residual,
        covariance=covariance(found),
        active=jnp.where(held, 2, jnp.where(found.movable, 0, active)),
        iterations=found.iterations,
        converged=found.converged & jnp.all(jnp.isfinite(theta)) & ~unreached(model, theta),
        names=model.names,
    )


_fit = jax.jit(_fit_program, static_argnames=("settings", "optimizer"))


def fit(
    model: Model,
    held: Mapping[str, Any] | None = None,
    settings: Statistics = STATISTICS,
    optimizer: str = "newton",
) -> Fit:
    """The point (x̂ ≥ 0, α̂) where −ln L is lowest.

    Args:
        model: from build_model.
        held: parameter → value at which it stays: {"x": 0.3}, or a nuisance.
        settings: tolerances.
        optimizer: "newton" (projected, with the exact Hessian; 4 to 10 iterations), "lbfgs" (tens)
            or "adam" (hundreds). All end by the same gradient inside the bounds.

    Returns:
        A Fit. Under jit, grad and vmap too; theta has its derivative in everything the model
        holds. There `converged` tells, and nothing is raised.

    Raises:
        InputError: for an unknown parameter or optimiser, or a value outside its bounds.
        FitError: if the search ended without a minimum.
    """
    checks.instance("model", model, Model, "build_model(measurements) gives one")
    checks.one_of("optimizer", optimizer, OPTIMIZERS)
    held = dict(held or {})
    mask = np.array([name in held for name in model.names])
    traced = checks.is_traced(model, held)
    for name, value in held.items():
        checks.one_of("parameter", name, model.names)
        if not traced:
            _check_inside(model, name, value)
    if not traced:
        check_finite(model)
    values = jnp.stack([jnp.asarray(held.get(name, 0.0), float) for name in model.names])
    result = _fit(model, values, mask, settings, optimizer)
    if not traced and jnp.ndim(result.converged) == 0:
        check_fit(result)
    return result


def _check_inside(model: Model, name: str, value: Any) -> None:
    at = model.names.index(name)
    low, high = (float(end[at]) for end in bounds(model))
    if not (np.isfinite(value) and low <= value <= high):
        raise InputError(
            f"held: {name} = {value:g} is outside [{low:g}, {high:g}]; hold it inside its bounds"
        )


def check_finite(model: Model) -> None:
    """Refuse NaN and infinities that came into a model after it was built."""
    held = {f"{m.name}: {key}": value for m in model.measurements for key, value in (
        ("template", m.template), ("norm", m.norm), ("shift", m.shift), *m.data.items()
    )}  # fmt: skip
    for key, value in {**held, "auxiliary": model.auxiliary}.items():
        if not np.isfinite(value).all():
            raise InputError(f"{key} holds a value that is not finite; give finite numbers")
    for key, value in (("lower", model.lower), ("upper", model.upper)):
        if np.isnan(value).any():
            raise InputError(f"{key} holds a bound that is not a number; give numbers or infinity")


def check_fit(result: Fit) -> None:
    """Refuse a search that ended without a minimum."""
    if bool(result.converged):
        return
    point = ", ".join(f"{n} = {float(v):.4g}" for n, v in result.values.items())
    raise FitError(
        f"the fit did not converge in {int(result.iterations)} iterations: gradient "
        f"{float(result.gradient):.2g} (allowed {STATISTICS.fit_tolerance:g}, in units of 1σ) at "
        f"{point}; inspect the templates for bins far below their counts and for nuisances that "
        "do the same, and bound these"
    )


__all__ = ["POI", "Fit", "fit"]
