"""One verb, `infer`: limit, interval, best fit, pulls, impacts and significance by any method."""

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from scipy.special import ndtr

from jaxnu import checks, precision  # noqa: F401
from jaxnu._version import __version__
from jaxnu.errors import FitError, InputError
from jaxnu.inference import crossing
from jaxnu.inference.asymptotics import SIGMAS, band_targets, level_words
from jaxnu.inference.bayes import bayes_interval
from jaxnu.inference.crossing import at_x, check_choice, find_limits, q_crossing, statistic_root
from jaxnu.inference.maximum_likelihood import (
    Fit,
    Search,
    bounds,
    check_finite,
    covariance,
    derivatives,
    fit,
    search,
)
from jaxnu.inference.model import Model, needs_signal, unreached
from jaxnu.inference.notes import asymptotic_notes, background_fluctuates, bayesian_notes
from jaxnu.inference.pseudodata import asimov
from jaxnu.inference.settings import STATISTICS, Statistics

METHODS = (*crossing.METHODS, "bayes", "nuts", "feldman-cousins")
DEFAULT_CONVENTION = {
    "profile": "two-sided",
    "cls": "one-sided",
    "clsb": "one-sided",
    "bayes": "one-sided",
    "nuts": "one-sided",
    "feldman-cousins": "two-sided",
}
FREE_CONVENTION = ("profile", "bayes", "nuts")  # methods with both conventions
WORDS = {
    "profile": "profile likelihood ratio, asymptotic Δ = {delta:.4g}",
    "cls": "CL_s of q̃, asymptotic",
    "clsb": "CL_s+b of q̃, asymptotic",
    "bayes": "Bayesian, flat prior in x ≥ 0, nuisances integrated",
    "nuts": "Bayesian, flat prior in x ≥ 0, sampled by NUTS",
    "feldman-cousins": "Feldman–Cousins ordering, profile construction by toys",
}


@dataclass(frozen=True)
class Inference:
    """What the data say about x, with what is needed to quote, check and draw it.

    value: upper limit on x at `confidence`. interval: (low, high); high is value.
    best_fit: x̂ ≥ 0. fit: the fit itself, with gradient, active bounds and iterations.
    pulls: nuisance → (α̂ − a, its 1σ); without a constraint α̂ and its 1σ. At a bound, where the
        curvature tells nothing, the 1σ is NaN.
    impacts: nuisance → shifts of x̂ when it is held 1σ below and above its best fit; NaN at a bound.
    covariance: of θ in the order of names.
    scan_x, scan_q: test statistic −2 ln Λ on a grid (Bayes: −2 ln of the posterior over its peak).
    significance, p0: Z = √q0 and its p-value 1 − Φ(Z), eqs 12, 53 of arXiv:1007.1727.
    expected: limits for background-only data, −2σ to +2σ (Asimov data at x = 0 with the nuisances
        fitted there); None for methods without an asymptotic formula, unbinned data, data that
        cannot be without a signal, and fewer than 3 counts of background under it.
    accuracy: relative error of value by quadrature, chains or toys; 0 where only rounding is left.
        What `notes` say comes on top.
    critical: Feldman–Cousins: (x, share of toys at x with a smaller q than the data); else None.
    sampling: of "nuts": chains, draws, seed, r_hat and effective number of draws of each parameter,
        divergences; else None.
    notes: what to know before quoting the value: few counts under the signal by an asymptotic
        method, unknowns of a bin that are profiled in a posterior; empty without any.
    status: one line naming method, convention and notes.
    """

    value: float
    interval: tuple[float, float]
    best_fit: float
    confidence: float
    method: str
    convention: str
    fit: Fit
    pulls: dict[str, tuple[float, float]]
    impacts: dict[str, tuple[float, float]]
    covariance: np.ndarray
    names: tuple[str, ...]
    scan_x: np.ndarray
    scan_q: np.ndarray
    significance: float
    p0: float
    expected: tuple[float, ...] | None
    accuracy: float
    critical: tuple[np.ndarray, np.ndarray] | None
    status: str
    sampling: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()
    version: str = __version__

    @property
    def nuisances(self) -> dict[str, float]:
        """Nuisance → α̂."""
        return {name: float(v) for name, v in self.fit.values.items() if name != "x"}

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and strings for JSON (NaN as None, infinities as strings)."""
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        plain["fit"] = {f.name: getattr(self.fit, f.name) for f in dataclasses.fields(self.fit)}
        return plain_numbers(plain)


def plain_numbers(value: Any) -> Any:
    """Lists, strings and numbers for JSON: NaN becomes None, an infinity a word."""
    if isinstance(value, dict):
        return {key: plain_numbers(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [plain_numbers(inner) for inner in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    array = np.asarray(value)
    if array.ndim:
        return [plain_numbers(inner) for inner in array.tolist()]
    number = array.item()
    if isinstance(number, float) and not np.isfinite(number):
        return None if np.isnan(number) else str(number)
    return number


def infer(
    model: Model,
    method: str = "profile",
    confidence: float = 0.90,
    convention: str | None = None,
    settings: Statistics = STATISTICS,
    seed: int = 0,
) -> Inference:
    """Limit and interval on x ≥ 0 from the data in a model.

    Args:
        model: from build_model.
        method: "profile": q(x) = −2 ln [L(x, α̂̂)/L(x̂, α̂)] ≤ Δ, x̂ ≥ 0 (arXiv:1007.1727, eqs 7,
                10); "two-sided" Δ = z²((1+CL)/2), "one-sided" Δ = z²(CL);
            "cls": CL_s = p_μ/(1 − p_b) = 1 − CL with q̃ (eqs 16, 65, 66), one-sided;
            "clsb": p_μ = 1 − CL; may exclude every x, and the limit is then 0;
            "bayes": quantile of the posterior with a flat prior in x; "two-sided": equal tails;
            "nuts": the same from Markov chains in (x, α), for many nuisances; needs numpyro;
            "feldman-cousins": x at which less than CL of toys drawn at (x, α̂̂(x)) have a smaller
                q(x) than the data.
        confidence: in (0, 1).
        convention: "two-sided" or "one-sided"; None takes the method's own.
        settings: tolerances and sizes.
        seed: of toys and of chains.

    Returns:
        An Inference. For derivatives, jit and vmap use `limit_value`.

    Raises:
        InputError: for a bad argument or a model that holds NaN.
        FitError: if a search did not converge, no limit exists, or chains cannot be trusted.
    """
    checks.instance("model", model, Model, "build_model(measurements) gives one")
    checks.one_of("method", method, METHODS)
    checks.whole_number("seed", seed, 0)
    convention = DEFAULT_CONVENTION[method] if convention is None else convention
    check_choice(method, METHODS, convention, confidence)
    if convention != DEFAULT_CONVENTION[method] and method not in FREE_CONVENTION:
        raise InputError(
            f"convention = {convention!r} with method {method!r}; allowed: "
            f"{DEFAULT_CONVENTION[method]!r}; leave it out"
        )
    if checks.is_traced(model):
        raise InputError("infer runs on the host; inside jit, grad or vmap use limit_value")
    check_finite(model)
    found = fit(model, settings=settings)
    accuracy, critical, delta, sampling = 0.0, None, 0.0, None
    if method in crossing.METHODS:
        root, side = statistic_root(method, convention, confidence)
        delta = root**2
        ends = jax.device_get(find_limits(model, confidence, root, method, side, settings))
        _check_limit(ends.converged, found)
        interval = float(ends.lower.x), float(ends.upper.x)
    elif method == "bayes":
        interval, curve, accuracy = bayes_interval(
            model, confidence, convention == "two-sided", settings
        )
    elif method == "nuts":
        from jaxnu.inference.nuts import nuts_interval

        interval, samples, accuracy = nuts_interval(
            model, found, confidence, convention == "two-sided", settings, seed
        )
        sampling = samples.as_dict()
    else:
        from jaxnu.inference.toys import feldman_cousins_interval

        interval, critical, accuracy = feldman_cousins_interval(
            model, confidence, settings=settings, seed=seed
        )
    scan_x = np.linspace(0.0, 2.0 * interval[1] or 1.0, settings.scan_points)
    scan_q, q0, impacts = _scan(model, found, scan_x, settings)
    if method == "bayes":
        scan_x, scan_q = curve.x, -2.0 * curve.log_density
    expected = None
    binned = all(m.kind != "unbinned" for m in model.measurements)
    if method in crossing.METHODS and binned and not needs_signal(model):
        expected = expected_limits(model, method, confidence, convention, settings)
        origin = fit(model, held={"x": 0.0}, settings=settings)
        if not background_fluctuates(model, np.array([expected[2], *origin.theta[1:]])):
            expected = None
    sigma = _sigma(found)
    centred = np.asarray(found.theta[1:] - model.auxiliary)
    words = WORDS[method].format(delta=delta)
    notes: tuple[str, ...] = ()
    if method in crossing.METHODS:
        notes = asymptotic_notes(model, np.array([interval[1], *found.theta[1:]]))
    elif method in ("bayes", "nuts"):
        notes = bayesian_notes(model)
    level = level_words(confidence)
    return Inference(
        value=interval[1],
        interval=interval,
        best_fit=float(found.theta[0]),
        confidence=confidence,
        method=method,
        convention=convention,
        fit=found,
        pulls={
            name: (float(c), float(s))
            for name, c, s in zip(model.nuisances, centred, sigma[1:], strict=True)
        },
        impacts=impacts,
        covariance=np.asarray(found.covariance),
        names=model.names,
        scan_x=scan_x,
        scan_q=scan_q,
        significance=q0**0.5,
        p0=0.5 if q0 == 0.0 else float(ndtr(-(q0**0.5))),
        expected=expected,
        accuracy=accuracy,
        critical=critical,
        status=f"x < {interval[1]:.4g} at {level} ({'; '.join((words, convention, *notes))})",
        sampling=sampling,
        notes=notes,
    )


def _sigma(found: Fit) -> np.ndarray:
    """(P,) 1σ from the covariance; NaN for a parameter at its bound, whose row there is zero."""
    sigma = np.sqrt(np.diagonal(found.covariance))
    return np.where(np.abs(np.asarray(found.active)) == 1, np.nan, sigma)


def _check_limit(converged: Any, found: Fit) -> None:
    if not converged:
        raise FitError(
            "the search for the limit did not converge from x̂ = "
            f"{float(found.theta[0]):.4g}: the likelihood may not fall off in x; allowed: a signal "
            "that no combination of free nuisances can imitate; constrain or bound these"
        )


def significance(model: Model, settings: Statistics = STATISTICS) -> tuple[float, float]:
    """(Z, p0) of a discovery: q0 = −2 ln [L(0, α̂̂)/L(x̂, α̂)], Z = √q0, p0 = 1 − Φ(Z).

    Eqs 12, 52, 53 of arXiv:1007.1727; x̂ = 0 gives Z = 0, p0 = 1/2. Infinite Z where the data
    cannot be without a signal.
    """
    found = fit(model, settings=settings)
    _, q0, _ = _scan(model, found, np.zeros(1), settings)
    return q0**0.5, 0.5 if q0 == 0.0 else float(ndtr(-(q0**0.5)))


@partial(jax.jit, static_argnames=("settings",))
def _held_fits(
    model: Model, starts: Float[Array, "N P"], held: Bool[Array, "N P"], settings: Statistics
) -> tuple[Search, Array]:
    """Fits with some parameters held, all at once; and whether data lie where nothing is."""
    found = jax.vmap(lambda start, mask: search(model, start, mask, settings))(starts, held)
    return found, jax.vmap(partial(unreached, model))(found.theta)


def _scan(
    model: Model, found: Fit, scan_x: np.ndarray, settings: Statistics
) -> tuple[np.ndarray, float, dict[str, tuple[float, float]]]:
    """(q on a grid, q0, impacts) from one batch of fits with a parameter held."""
    theta, count = np.asarray(found.theta), len(model.names)
    low, high = (np.asarray(end) for end in bounds(model))
    sigma = _sigma(found)
    points, masks = [], []
    for x in (0.0, *scan_x):
        points.append(np.concatenate([[x], theta[1:]]))
        masks.append(np.arange(count) == 0)
    for k in range(1, count):
        for step in np.nan_to_num([-sigma[k], sigma[k]]):
            moved = theta.copy()
            moved[k] = np.clip(theta[k] + step, low[k], high[k])
            points.append(moved)
            masks.append(np.arange(count) == k)
    fits, empty = jax.device_get(_held_fits(model, np.stack(points), np.stack(masks), settings))
    q = 2.0 * (fits.value - float(found.minus_log_likelihood))
    q = np.where(empty, np.inf, np.maximum(q, 0.0))
    q = np.where(fits.converged | empty, q, np.nan)
    scan, rest = q[1 : 1 + len(scan_x)], slice(1 + len(scan_x), None)
    if np.isnan(q[0]) or np.isnan(scan).any():
        raise FitError(
            "a fit at given x did not converge; inspect the templates for bins far below their "
            "counts, or bound the nuisances"
        )
    shifts = np.where(fits.converged, fits.theta[:, 0] - theta[0], np.nan)[rest].reshape(-1, 2)
    shifts[np.isnan(sigma[1:])] = np.nan
    impacts = {
        name: (float(down), float(up))
        for name, (down, up) in zip(model.nuisances, shifts, strict=True)
    }
    q0 = 0.0 if theta[0] <= 0.0 else float(q[0])
    return scan, q0, impacts


def limit_impacts(
    model: Model,
    found: Fit,
    method: str = "profile",
    confidence: float = 0.90,
    convention: str | None = None,
    settings: Statistics = STATISTICS,
) -> dict[str, tuple[float, float]]:
    """Limits with each nuisance held 1σ below and above its best fit, all at once.

    Args:
        model, method, confidence, convention, settings: as in `infer`; profile, cls or clsb.
        found: fit(model).

    Returns:
        Nuisance → (limit on x with it held below, above); NaN where that search did not end, and
        for a nuisance at its bound, which has no 1σ.
    """
    convention = DEFAULT_CONVENTION[method] if convention is None else convention
    check_choice(method, crossing.METHODS, convention, confidence)
    if not model.nuisances:
        return {}
    theta, sigma = np.asarray(found.theta)[1:], _sigma(found)[1:]
    low, high = np.asarray(model.lower), np.asarray(model.upper)
    lows, highs = [], []
    for k in range(theta.size):
        for step in np.nan_to_num([-sigma[k], sigma[k]]):
            held = np.clip(theta[k] + step, low[k], high[k])
            lows.append(np.where(np.arange(theta.size) == k, held, low))
            highs.append(np.where(np.arange(theta.size) == k, held, high))
    root, side = statistic_root(method, convention, confidence)
    side = "above" if side == "both" else side
    x, good = jax.device_get(
        _held_limits(
            model, np.stack(lows), np.stack(highs), confidence, root, method, side, settings
        )
    )
    pairs = np.where(good, x, np.nan).reshape(-1, 2)
    pairs[np.isnan(sigma)] = np.nan
    return {n: (float(a), float(b)) for n, (a, b) in zip(model.nuisances, pairs, strict=True)}


@partial(jax.jit, static_argnames=("method", "side", "settings"))
def _held_limits(
    model: Model,
    lows: Float[Array, "N K"],
    highs: Float[Array, "N K"],
    confidence: float,
    root: float,
    method: str,
    side: str,
    settings: Statistics,
) -> tuple[Array, Array]:
    """(limits, converged); a nuisance whose bounds are equal is held."""

    def one(low: Array, high: Array) -> tuple[Array, Array]:
        held = dataclasses.replace(model, lower=low, upper=high)
        ends = crossing.both_ends(held, confidence, root, method, side, settings)
        return ends.upper.x, ends.converged

    return jax.vmap(one)(lows, highs)


@partial(jax.jit, static_argnames=("settings",))
def _bands(model: Model, theta: Array, roots: Array, settings: Statistics) -> tuple[Array, Array]:
    """x with q(x) = root² on the Asimov data of θ."""
    quiet = asimov(model, theta)
    value, slope, hessian = derivatives(quiet, theta)
    low, high = bounds(model)
    movable = ((theta > low) & (theta < high)) | (jnp.arange(theta.size) == 0)
    zero = jnp.zeros(())
    start = Search(theta, value, slope, hessian, movable, zero, jnp.array(0), jnp.array(True))
    found = jax.vmap(lambda root: q_crossing(quiet, start, root, settings))(roots)
    return found.x, found.converged


def expected_limits(
    model: Model,
    method: str = "profile",
    confidence: float = 0.90,
    convention: str | None = None,
    settings: Statistics = STATISTICS,
    sigmas: tuple[float, ...] = SIGMAS,
) -> tuple[float, ...]:
    """Limits that background-only data would give, at −2, −1, 0, +1, +2 σ of their fluctuation.

    From one Asimov data set at x = 0 with the nuisances fitted there (arXiv:1007.1727, sections
    3.2 and 4.3; for CL_s as in pyhf): the x where √q_A(x) has the value that the fluctuation asks.
    """
    check_choice(method, crossing.METHODS, convention or "one-sided", confidence)
    if needs_signal(model):
        raise InputError(
            "the data lie where only signal is expected, so no background-only data follow from "
            "them; allowed: a background above zero in bins with counts, or other data (with_data)"
        )
    convention = DEFAULT_CONVENTION[method] if convention is None else convention
    origin = fit(model, held={"x": 0.0}, settings=settings)
    targets = band_targets(method, convention, confidence, sigmas)
    x, good = jax.device_get(
        _bands(model, origin.theta, np.where(targets > 0.0, targets, 1.0), settings)
    )
    if not good.all():
        raise FitError(
            "the search for the expected limit did not converge: the likelihood may not fall off "
            "in x; constrain or bound the free nuisances"
        )
    return tuple(float(v) if t > 0.0 else 0.0 for v, t in zip(x, targets, strict=True))


__all__ = [
    "METHODS",
    "Inference",
    "at_x",
    "covariance",
    "expected_limits",
    "infer",
    "limit_impacts",
    "significance",
]
