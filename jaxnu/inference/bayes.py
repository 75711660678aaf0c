"""Posterior of x ≥ 0 with a flat prior: nuisances integrated numerically at each x."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.polynomial import Chebyshev
from scipy.optimize import brentq
from scipy.special import gammaln
from scipy.stats import chi2, norm, qmc

from jaxnu import precision  # noqa: F401
from jaxnu.errors import FitError, InputError
from jaxnu.inference.crossing import at_x, q_crossing
from jaxnu.inference.maximum_likelihood import Search, best, bounds, start_point
from jaxnu.inference.model import Model
from jaxnu.inference.settings import STATISTICS, Statistics
from jaxnu.numerics import positive_definite

REACH = 50.0**0.5  # √q at which the posterior ends: e^-25 of its peak
GRIDDED = 2  # nuisances up to which a grid of nodes is affordable
WIDEST = 25.0  # σ at which a side without a bound ends: few counts fall off like e^-z
STUDENT = 7.0  # degrees of freedom of the sampling density: heavier tails than a Poisson's
ACCEPTED = 0.01  # largest relative change of the limit between two sets of nodes


@dataclass(frozen=True)
class Posterior:
    """Density of x on the range where it is above e^-25 of its peak.

    x, log_density: nodes and ln p there, peak near 0 (not normalised).
    cumulative: of the normalised density, as a polynomial on [x[0], x[-1]].
    """

    x: np.ndarray
    log_density: np.ndarray
    cumulative: Chebyshev

    def quantile(self, probability: float) -> float:
        """x below which the probability lies."""
        low, high = self.x.min(), self.x.max()
        return float(brentq(lambda x: self.cumulative(x) - probability, low, high, xtol=1e-12))


def nodes(dimensions: int, settings: Statistics, second: bool) -> tuple[np.ndarray, np.ndarray]:
    """(points, ln weights) with ∫f dz ≈ Σ e^weight f(z); `second`: another set, for the error.

    Up to two dimensions Gauss–Legendre on [−1, 1], which `inside_bounds` maps to z; above,
    quasi-random points z of a Student density.
    """
    if dimensions <= GRIDDED:
        order = settings.legendre_order + (6 if second else 0)
        t, w = np.polynomial.legendre.leggauss(order)
        grids = np.meshgrid(*[t] * dimensions, indexing="ij")
        points = np.stack([g.ravel() for g in grids], -1) if dimensions else np.zeros((1, 0))
        logs = np.meshgrid(*[np.log(w)] * dimensions, indexing="ij")
        return points, sum((g.ravel() for g in logs), np.zeros(len(points)))
    sobol = qmc.Sobol(dimensions + 1, seed=np.random.default_rng(1 + second))
    uniform = np.clip(sobol.random(settings.sample_points), 1e-12, 1.0 - 1e-12)
    spread = np.sqrt(chi2.ppf(uniform[:, -1:], STUDENT) / STUDENT)
    z = norm.ppf(uniform[:, :-1]) / spread
    half = 0.5 * (STUDENT + dimensions)
    log_density = (
        gammaln(half) - gammaln(0.5 * STUDENT) - 0.5 * dimensions * np.log(STUDENT * np.pi)
        - half * np.log1p(np.sum(z**2, axis=1) / STUDENT)
    )  # fmt: skip
    return z, -log_density - np.log(len(z))


def inside_bounds(
    t: Float[Array, "K"], root: Float[Array, "K K"], low: Float[Array, "K"], high: Float[Array, "K"]
) -> tuple[Float[Array, "K"], Float[Array, ""]]:
    """(δ, ln |∂z/∂t|) of t in [−1, 1]^K, z = rootᵀδ, with δ inside [low, high] and |z| ≤ WIDEST.

    From the last δ to the first: rootᵀ is upper triangular, so that given those after it each has
    its own range of z. There z = sinh s with s linear in t: dense at the fit, and far out wide.
    """
    delta, log_volume = jnp.zeros_like(t), jnp.zeros(())
    for k in reversed(range(t.size)):
        width = 1.0 / root[k, k]
        centre = -width * (root[:, k] @ delta)
        first = jnp.arcsinh(jnp.clip((low[k] - centre) / width, -WIDEST, WIDEST))
        last = jnp.arcsinh(jnp.clip((high[k] - centre) / width, -WIDEST, WIDEST))
        half = 0.5 * (last - first)
        s = first + half * (1.0 + t[k])
        delta = delta.at[k].set(centre + width * jnp.sinh(s))
        log_volume += jnp.log(half) + jnp.log(jnp.cosh(s))
    return delta, log_volume


@partial(jax.jit, static_argnames=("settings",))
def _range(model: Model, settings: Statistics) -> tuple[Search, Array, Array, Array]:
    found = best(model, start_point(model), jnp.zeros(len(model.names), bool), settings)
    signs = jnp.array([-1.0, 1.0])
    ends = jax.vmap(lambda sign: q_crossing(model, found, REACH, settings, sign))(signs)
    return found, ends.x[0], ends.x[1], found.converged & jnp.all(ends.converged)


@partial(jax.jit, static_argnames=("settings",))
def _marginal(
    model: Model, found: Search, x: Array, points: Array, weights: Array, settings: Statistics
) -> Float[Array, "points"]:
    """ln ∫ L(x, α) dα, with nodes placed by the Hessian at the conditional fit."""
    low, high = bounds(model)

    def at(x: Array) -> Array:
        fitted = at_x(model, x, found, settings)
        block = fitted.hessian[1:, 1:]
        root = positive_definite.cholesky(block)
        volume = -jnp.sum(jnp.log(jnp.diagonal(root)))
        edges = low[1:] - fitted.theta[1:], high[1:] - fitted.theta[1:]

        def term(point: Array, weight: Array) -> Array:
            if point.size <= GRIDDED:
                shift, log_volume = inside_bounds(point, root, *edges)
                theta = jnp.clip(fitted.theta.at[1:].add(shift), low, high)  # but for rounding
                return weight + log_volume - model.minus_log_likelihood(theta)
            shift = positive_definite.backward(root, point)
            theta = fitted.theta.at[1:].add(shift)
            inside = jnp.all((theta[1:] >= low[1:]) & (theta[1:] <= high[1:]))
            value = model.minus_log_likelihood(jnp.clip(theta, low, high))
            return jnp.where(inside, weight - value, -jnp.inf)

        return volume + jax.scipy.special.logsumexp(jax.vmap(term)(points, weights))

    return jax.lax.map(at, x, batch_size=8)


def check_proper(model: Model) -> None:
    """Refuse a norm that can take the signal to zero: ∫ p(x) dx has no end, p ~ φ(1/σ)/(σx).

    Where 1 + σα = 0 lies √50 σ or more from the centre of α that tail is below e^-25.
    """
    for k, name in enumerate(model.nuisances):
        edges = []
        for m in model.measurements:
            seen = np.any(np.asarray(m.template) != 0.0, axis=1) & np.asarray(m.signal)
            column = m.norm_names.index(name) if name in m.norm_names else None
            sigma = np.zeros(seen.size) if column is None else np.asarray(m.norm)[:, column]
            edges += [-1.0 / s if s != 0.0 else np.inf for s in sigma[seen]]
        edge = edges[0]
        reached = np.isfinite(edge) and model.lower[k] <= edge <= model.upper[k]
        far = name not in model.free and abs(edge - float(model.auxiliary[k])) >= REACH
        if not reached or far or any(other != edge for other in edges):
            continue
        raise InputError(
            f"norm {name!r} of the signal with σ = {100.0 / abs(edge):.3g}% can take it to zero, "
            "so the posterior with a flat prior in x has no end; allowed: below 14%; give a "
            "smaller σ, bounds that keep 1 + σα above zero, or method 'profile'"
        )


def posterior(model: Model, settings: Statistics = STATISTICS, second: bool = False) -> Posterior:
    """Posterior density of x, flat prior in x ≥ 0 and in free nuisances within their bounds.

    p(x) ∝ ∫ L(x, α) Π N(a; α, 1) dα. With up to two nuisances by Gauss–Legendre quadrature
    between their bounds, dense at the fit at x, with more by quasi-random importance sampling
    there. Monte Carlo factors γ and the free backgrounds of ON/OFF bins are profiled, not
    integrated.

    Raises:
        InputError: if a norm can take the signal to zero, which leaves no quantile.
        FitError: if the likelihood does not fall off in x or a nuisance.
    """
    check_proper(model)
    found, low, high, good = jax.device_get(_range(model, settings))
    if not good or not high > low:
        raise FitError(
            "the posterior has no end: −ln L does not rise by 25 above the best fit; give a "
            "signal that differs from the free backgrounds, or constrain these"
        )
    points, weights = nodes(len(model.nuisances), settings, second)
    degree = settings.posterior_points - 1
    cosines = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
    x = 0.5 * (low + high) + 0.5 * (high - low) * cosines
    logs = np.asarray(_marginal(model, found, x, points, weights, settings))
    if not np.isfinite(logs).all():
        raise FitError(
            "the integral over the nuisances diverges, is empty, or has no curvature to place its "
            "nodes by, as with zero counts; constrain the free ones, or take method 'nuts'"
        )
    logs = logs - logs.max()
    density = Chebyshev.interpolate(
        lambda t: np.exp(logs)[np.argmin(np.abs(t[:, None] - x), axis=1)], degree, [low, high]
    )
    rising = density.integ(lbnd=low)
    order = np.argsort(x)
    return Posterior(x[order], logs[order], rising / rising(high))


def bayes_interval(
    model: Model, confidence: float, two_sided: bool, settings: Statistics = STATISTICS
) -> tuple[tuple[float, float], Posterior, float]:
    """((low, high), posterior, accuracy): (0, CL) quantiles, or the two equal tails.

    accuracy: relative change of the upper end with another set of nodes.

    Raises:
        InputError: if the posterior has no end.
        FitError: if that change is above 1%.
    """
    level = 0.5 * (1.0 + confidence) if two_sided else confidence
    found = posterior(model, settings)
    high = found.quantile(level)
    change = abs(posterior(model, settings, second=True).quantile(level) / high - 1.0)
    if not change < ACCEPTED:
        raise FitError(
            f"the Bayesian limit changes by {change:.2g} with other nodes (allowed {ACCEPTED:g}); "
            "raise Statistics.sample_points or widen bounds that cut the posterior of a nuisance"
        )
    low = found.quantile(1.0 - level) if two_sided else 0.0
    return (low, high), found, change
