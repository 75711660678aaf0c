"""Two-sided profile intervals of parameters that may be bounded, or have several minima."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from jaxnu.errors import FitError
from jaxnu.inference.crossing import Crossing, at_x, q_crossing
from jaxnu.inference.maximum_likelihood import Search, best, bounds, covariance, start_point
from jaxnu.inference.model import Model, unreached
from jaxnu.inference.settings import STATISTICS, Statistics

MINIMA = 8  # more than two parameters that interfere can have
BEYOND = 0.3  # of its width: how far outside an interval the scan looks for another piece of it
ROUNDS = 3  # of finding an end and looking beyond it
SADDLE = 1e-8  # below, a negative curvature (in units of the diagonal) is rounding
SAME = 1e-3  # minima nearer than this, in units of 1σ along their line, are one


@dataclass(frozen=True)
class Interval:
    """All values of a parameter with q = −2 ln [L(value, α̂̂)/L(best fit)] ≤ Δ: the hull of them.

    low, high: the ends. low_at_bound, high_at_bound: the end is the bound of the parameter.
    separate: values in between have q > Δ, so the set has pieces, of which this is the hull.
    scan, scan_q: values, from beyond one end to beyond the other, and q there.
    """

    low: float
    high: float
    low_at_bound: bool
    high_at_bound: bool
    separate: bool
    scan: np.ndarray
    scan_q: np.ndarray


def find_minima(
    model: Model, parameters: Sequence[str], held: np.ndarray, settings: Statistics = STATISTICS
) -> list[Search]:
    """The minima of −ln L that the search finds, lowest first.

    From x as the data have it and all α = 0, from there 1σ of its square up and down in each
    parameter, for a square alone has no slope at zero, and from the mirror image of each minimum in
    each parameter: where a square has the same size with the other sign of its amplitude.
    held: (P,) parameters that stay at their start.
    """
    squares = [at for at in map(model.names.index, parameters) if at > 0]  # λ is linear in x
    queue = [_start(model)]
    queue += [_steps(model, queue[0], at)[k] for at in squares for k in (1, 2)]
    found: list[Search] = []
    while queue and len(found) < MINIMA:
        start = queue.pop(0)
        new = _minimum(model, start, held, settings)
        if not bool(new.converged) or any(_same(new, old) for old in found):
            continue
        found.append(new)
        queue += [_steps(model, new.theta, at)[0] for at in squares]
    if not found:
        raise FitError(
            "no minimum of the likelihood was found from any start; inspect the templates for "
            "parameters that do the same, and leave one out"
        )
    return sorted(found, key=lambda one: float(one.value))


def profile_interval(
    model: Model,
    parameter: str,
    minima: Sequence[Search],
    root: float,
    held: np.ndarray,
    settings: Statistics = STATISTICS,
) -> Interval:
    """The two-sided profile interval of one parameter, all others free.

    From each minimum with q < Δ = root² the valley is followed to where q = Δ, to both sides; the
    outermost ends are those of the interval. A scan, from the valley of every minimum, looks for
    pieces beyond and gaps within.

    minima: from find_minima, lowest first. held: as there.
    Raises FitError where an end is not found.
    """
    at = model.names.index(parameter)
    lowest = float(minima[0].value)
    low_bound, high_bound = (float(end[at]) for end in bounds(model))
    branches = [one for one in minima if 2.0 * (float(one.value) - lowest) < root**2]
    low = high = float(minima[0].theta[at])
    for _ in range(ROUNDS):
        for one in branches:
            left = root**2 - 2.0 * (float(one.value) - lowest)
            ends = _ends(model, one, max(left, 0.0) ** 0.5, at, held, settings)
            if not np.all(np.asarray(ends.converged)):
                raise FitError(
                    f"the interval of {parameter} has no end: the likelihood may not fall off; "
                    "leave out a parameter that does the same"
                )
            high, low = max(high, float(ends.x[0])), min(low, float(ends.x[1]))
        margin = BEYOND * (high - low)
        grid = np.linspace(
            max(low - margin, low_bound), min(high + margin, high_bound), settings.scan_points
        )
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *minima)
        lines = _scan(model, grid, stacked, at, held, settings)
        q = 2.0 * (np.asarray(lines.value) - lowest)
        inside = q <= root**2 * (1.0 - 1e-9)
        outside = inside & ((grid < low) | (grid > high))
        if not outside.any():
            break
        branches = [jax.tree.map(lambda leaf, k=k: leaf[k], lines) for k in np.flatnonzero(outside)]
    else:
        raise FitError(
            f"the interval of {parameter} goes on beyond [{low:g}, {high:g}] in pieces that were "
            f"not all found in {ROUNDS} rounds; fit fewer parameters"
        )
    within = (grid > low) & (grid < high)
    return Interval(
        low, high, low <= low_bound, high >= high_bound,
        bool(np.any(within & (q > root**2 * (1.0 + 1e-9)))), grid, q,
    )  # fmt: skip


def correlations(found: Search, places: Sequence[int]) -> np.ndarray:
    """Correlation matrix at a minimum, from the Hessian, with all else profiled; a parameter at its
    bound has none with others."""
    part = np.asarray(covariance(found))[np.ix_(places, places)]
    sigma = np.sqrt(np.diagonal(part))
    safe = np.where(sigma > 0.0, sigma, 1.0)
    matrix = part / np.outer(safe, safe)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def _same(one: Search, other: Search) -> bool:
    apart = np.asarray(one.theta - other.theta)
    return bool(apart @ np.asarray(other.hessian) @ apart < SAME**2)


@jax.jit
def _start(model: Model) -> Float[Array, "P"]:
    return start_point(model)


@partial(jax.jit, static_argnames=("settings",))
def _minimum(
    model: Model, start: Float[Array, "P"], held: Bool[Array, "P"], settings: Statistics
) -> Search:
    start = jnp.where(held, jnp.clip(jnp.zeros_like(start), *bounds(model)), start)
    found = best(model, start, held, settings)
    minimum = _curves_up(found) & ~unreached(model, found.theta)
    return found._replace(converged=found.converged & minimum)


def _curves_up(found: Search) -> Bool[Array, ""]:
    """Whether no direction leads down from a point without a slope: not so at a saddle."""
    both = found.movable[:, None] & found.movable[None, :]
    size = jnp.sqrt(jnp.maximum(jnp.abs(jnp.diagonal(found.hessian)), 1e-300))
    scaled = jnp.where(both, found.hessian / jnp.outer(size, size), jnp.eye(size.size))
    return jnp.linalg.eigvalsh(scaled)[0] > -SADDLE


@jax.jit
def _steps(model: Model, theta: Float[Array, "P"], which: Any) -> Float[Array, "3 P"]:
    """θ moved along one parameter α, with slopes d and curvatures c of λ_b: to where the expected
    counts are most like those at θ, for s = −2 Σ dc/λ / Σ c²/λ makes s d + s² c/2 small; and up and
    down to where the square is 1σ, Σ (s² c/2)²/λ = 1."""
    above, below = jnp.zeros(()), jnp.zeros(())
    direction = jnp.zeros_like(theta).at[which].set(1.0)
    for at, m in enumerate(model.measurements):

        def expected(theta: Array, at: int = at) -> Array:
            return jnp.sum(model.rates(theta)[at], axis=0)

        def slope(theta: Array, expected: Any = expected) -> Array:
            return jax.jvp(expected, (theta,), (direction,))[1]

        d, c = jax.jvp(slope, (theta,), (direction,))
        size = m.reference
        if m.kind == "difference":
            size = 1.0 / jnp.diagonal(m.data["whitening"]) ** 2
        weight = jnp.where(size > 0.0, 1.0 / jnp.where(size > 0.0, size, 1.0), 0.0)
        above += jnp.sum(weight * d * c)
        below += jnp.sum(weight * c * c)
    curved = below > 0.0
    safe = jnp.where(curved, below, 1.0)
    one = (0.25 * safe) ** -0.25
    steps = jnp.where(curved, jnp.stack([-2.0 * above / safe, one, -one]), 0.0)
    low, high = bounds(model)
    return jnp.clip(theta + steps[:, None] * direction, low, high)


@partial(jax.jit, static_argnames=("settings",))
def _ends(
    model: Model, found: Search, root: Any, which: Any, held: Bool[Array, "P"], settings: Statistics
) -> Crossing:
    """Upper and lower crossing of one branch, on a first axis."""

    def end(sign: Array) -> Crossing:
        return q_crossing(model, found, root, settings, sign, which, held)

    return jax.vmap(end)(jnp.array([1.0, -1.0]))


@partial(jax.jit, static_argnames=("settings",))
def _scan(
    model: Model, grid: Float[Array, "points"], minima: Search, which: Any,
    held: Bool[Array, "P"], settings: Statistics,
) -> Search:  # fmt: skip
    """The lowest fit at each value of a parameter, of those that start on the valleys of minima."""

    def lowest(value: Array) -> Search:
        each = jax.vmap(lambda found: at_x(model, value, found, settings, which, held))(minima)
        best = jnp.argmin(jnp.where(each.converged, each.value, jnp.inf))
        return jax.tree.map(lambda leaf: leaf[best], each)

    return lax.map(lowest, grid)


__all__ = ["Interval", "correlations", "find_minima", "profile_interval"]
