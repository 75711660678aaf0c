"""What a forecast depends on, and the cheapest detector that reaches a limit."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from jaxnu import checks, precision  # noqa: F401
from jaxnu._version import __version__
from jaxnu.costs import Costs
from jaxnu.counts import check_target
from jaxnu.errors import FitError, InputError
from jaxnu.experiments.experiment import Experiment, transfer_edges
from jaxnu.inference.descent import stuck
from jaxnu.inference.limit_inputs import statistic_threshold
from jaxnu.inference.limit_result import LimitResult
from jaxnu.inference.limits import sensitivity
from jaxnu.responses import response as make_response
from jaxnu.responses.base import Response

STATIONARY = 1e-6  # largest KKT residual: d ln(cost) per d ln(parameter)
REACHED = 1e-7  # |ln(limit/target)| of a design that ends on its target
ROUNDS = 30  # of the multiplier; each gains a factor of the penalty, so some six are enough
STEPS = 60  # of L-BFGS in a round
HALVINGS = 30  # of a step that does not descend
ROUNDING = 1e-11  # of ln(limit), where its solver has converged
STRIDE = 0.7  # longest step in ln(parameter): a factor of two
PENALTY, PENALTY_MAX = 10.0, 1e8  # on ln(limit/target)², of ln(cost); beyond, no multiplier exists

# parameter → (field of Parameters, dimension in a cost file; None: a number)
ABSOLUTE: dict[str, tuple[str, str | None]] = {
    "threshold": ("threshold_keV", "energy"),
    "exposure": ("exposure_kg_day", "exposure"),
    "off_exposure": ("off_exposure_kg_day", "exposure"),
    "background_uncertainty": ("background_uncertainty", None),
}
# as factors of what the file has; of the distance with the flux going as its inverse square
FACTORS = ("resolution", "background", "flux", "distance")
UNITS = {"energy": "keV", "exposure": "kg d", None: ""}


def parameters_of(experiment: Experiment) -> dict[str, str | None]:
    """What a design may change: name → dimension of its quantity, None for a number.

    threshold, exposure, off_exposure; resolution, background, flux, distance as factors of what
    the experiment has; background_uncertainty and NAME_uncertainty of each systematic as relative
    1σ. Those that the experiment does not have are left out: threshold and resolution with a
    response matrix, which holds both; resolution with nuclear recoils, whose nodes are laid out
    for the one in the file; distance of what is no reactor, where it is no factor 1/L²; exposures
    and background where the errors of a difference are measured, and would not follow.
    """
    p = experiment.parameters
    names = [] if p.matrix is not None else ["threshold"]
    left_out = set()
    if experiment.difference is not None:
        left_out.add("background")
    else:
        names.append("exposure")
        if float(p.off_exposure_kg_day) > 0.0:
            names.append("off_exposure")
    if p.matrix is not None or experiment.recoil != "electron":
        left_out.add("resolution")
    if not p.source.name.startswith("reactor"):
        left_out.add("distance")
    names += [name for name in FACTORS if name not in left_out]
    if not experiment.background_floating and experiment.data_kind != "difference":
        names.append("background_uncertainty")
    names += [f"{name}_uncertainty" for name, _ in experiment.systematics]
    return {name: ABSOLUTE[name][1] if name in ABSOLUTE else None for name in names}


def value_of(experiment: Experiment, name: str) -> float:
    """The parameter as the experiment has it; 1 for a factor."""
    if name in ABSOLUTE:
        return float(getattr(experiment.parameters, ABSOLUTE[name][0]))
    if name in FACTORS:
        return 1.0
    at = _systematic(experiment, name)
    return float(experiment.parameters.systematic_uncertainty[at])


def changed(experiment: Experiment, values: Mapping[str, Any]) -> Experiment:
    """The experiment with other values of parameters, by the names of `parameters_of`."""
    p = experiment.parameters
    moved: dict[str, Any] = {}
    flux = jnp.ones(())
    uncertainty = p.systematic_uncertainty
    for name, value in values.items():
        if name in ABSOLUTE:
            moved[ABSOLUTE[name][0]] = jnp.asarray(value, float)
        elif name in ("flux", "distance"):
            flux = flux * (value if name == "flux" else jnp.asarray(value) ** -2.0)
        elif name == "resolution":
            moved["resolution_keV"] = p.resolution_keV * value
        elif name == "background":
            moved["background"] = p.background * value
        else:
            uncertainty = uncertainty.at[_systematic(experiment, name)].set(value)
    moved |= {"source": p.source.scaled(flux), "systematic_uncertainty": uncertainty}
    if p.source_variations is not None:  # as relative uncertainties they stay
        moved["source_variations"] = p.source_variations.scaled(flux)
    return dataclasses.replace(experiment, parameters=dataclasses.replace(p, **moved))


def _systematic(experiment: Experiment, name: str) -> int:
    names = [f"{known}_uncertainty" for known, _ in experiment.systematics]
    checks.one_of("parameter", name, (*ABSOLUTE, *FACTORS, *names))
    return names.index(name)


def log_derivatives(
    experiment: Experiment,
    response: Response | None = None,
    confidence_level: float = 0.90,
    convention: str = "two-sided",
) -> dict[str, float]:
    """d ln(limit)/d ln(parameter) of a forecast, exact, all from one reverse pass.

    Args:
        experiment, response, confidence_level, convention: as in `sensitivity`.

    Returns:
        Each of `parameters_of`, and of the atom "shells n": the ionisation thresholds of the
        subshells with that principal quantum number (or letter), by a common factor.

    Raises:
        InputError, FitError: as `sensitivity`.
    """
    if response is None:
        response = make_response(experiment.target)
    check_target(experiment, response)
    names = tuple(parameters_of(experiment))
    groups = tuple(dict.fromkeys(label[0] for label in response.labels))
    logs = jnp.log(jnp.array([value_of(experiment, name) for name in names]))
    choice = names, groups, confidence_level, convention
    found = _slopes(logs, jnp.zeros(len(groups)), experiment, response, *choice)
    slopes = np.concatenate([np.asarray(part) for part in found])
    if not np.isfinite(slopes).all():
        raise FitError(
            f"the derivatives of {experiment.name} are not finite; call sensitivity(...), which "
            "says what did not converge"
        )
    return dict(zip((*names, *(f"shells {g}" for g in groups)), slopes.tolist(), strict=True))


@partial(jax.jit, static_argnums=(4, 5, 6, 7))
def _slopes(
    logs: Array,
    shells: Array,
    experiment: Experiment,
    response: Response,
    names: tuple[str, ...],
    groups: tuple[str, ...],
    level: float,
    convention: str,
) -> tuple[Array, Array]:
    which = np.array([groups.index(label[0]) for label in response.labels])

    def value(logs: Array, shells: Array) -> Array:
        atom = dataclasses.replace(
            response, thresholds_keV=response.thresholds_keV * jnp.exp(shells[which])
        )
        return _log_limit(logs, experiment, atom, names, level, convention)

    return jax.grad(value, argnums=(0, 1))(logs, shells)


def _log_limit(
    logs: Float[Array, "free"],
    experiment: Experiment,
    response: Response,
    names: tuple[str, ...],
    level: float,
    convention: str,
) -> Float[Array, ""]:
    """ln(limit/μ_B) at ln(parameter)."""
    there = changed(experiment, dict(zip(names, jnp.exp(logs), strict=True)))
    return jnp.log(sensitivity(there, response, level, convention).limit_mu_B)


_limit_and_slope = jax.jit(jax.value_and_grad(_log_limit), static_argnums=(3, 4, 5))


@jax.jit
def _cost_and_slope(logs: Float[Array, "free"], costs: Costs) -> tuple[Array, Array]:
    """ln(total cost) and its gradient; the parameters in alphabetic order."""
    names = sorted(costs.parameters)  # as jit hands a dict on

    def value(logs: Array) -> Array:
        return jnp.log(costs.total(dict(zip(names, logs, strict=True))))

    return jax.value_and_grad(value)(logs)


@dataclass(frozen=True)
class Design:
    """The cheapest detector that reaches a limit, and how well that is known.

    values: parameter → value in the unit of `units` (a factor has none). start: where the search
        began, the experiment as it was, cut to the bounds.
    bounds: parameter → (lowest, highest). at_bound: those that ended on one: "lowest", "highest".
    cost: total; costs: of each parameter, and "fixed". currency: of them.
    target_mu_B, limit_mu_B: asked and reached 90% (confidence_level) forecast.
    multiplier: λ = −d ln(cost)/d ln(target) ≥ 0: a target that is 1% lower costs λ% more; 0 if the
        cheapest values reach it by themselves.
    stationarity: largest |d ln(cost) + λ d ln(limit)| per d ln(parameter) that is left (KKT).
    evaluations: of the limit with its gradient.
    derivatives: d ln(limit)/d ln(parameter) at the design. forecast: the limit there in full.
    """

    experiment: str
    response: str
    values: dict[str, float]
    units: dict[str, str]
    start: dict[str, float]
    bounds: dict[str, tuple[float, float]]
    at_bound: dict[str, str]
    cost: float
    costs: dict[str, float]
    currency: str
    target_mu_B: float
    limit_mu_B: float
    multiplier: float
    stationarity: float
    evaluations: int
    derivatives: dict[str, float]
    forecast: LimitResult
    confidence_level: float
    convention: str
    version: str = __version__

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and strings for JSON."""
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return plain | {"forecast": self.forecast.as_dict()}


def cheapest_detector(
    experiment: Experiment,
    costs: Costs,
    free: Sequence[str],
    target_mu_B: float | None = None,
    response: Response | None = None,
    confidence_level: float = 0.90,
    convention: str = "two-sided",
    progress: Callable[[str], None] = lambda line: None,
) -> Design:
    """The parameters of least total cost with which the expected limit is at most the target.

    Minimises ln(cost) over ln(parameter) within the bounds, subject to ln(limit/target) ≤ 0, by an
    augmented Lagrangian: optax's L-BFGS with projection on the bounds inside, the multiplier
    outside (Nocedal & Wright, Numerical Optimization, 2nd ed. (2006), algorithm 17.4). The first
    derivatives of the limit are exact. What is returned fulfils the Karush–Kuhn–Tucker conditions;
    it is a minimum near the start, and the only one where costs are power laws and the limit is
    close to one.

    Args:
        experiment: the detector to begin with; its counts are not used.
        costs: from read_costs, with at least the free parameters.
        free: names from parameters_of(experiment).
        target_mu_B: limit on μ_ν [μ_B]; None: the one that the experiment has as it is.
        response, confidence_level, convention: as in `sensitivity`.
        progress: is called with a line after each round.

    Returns:
        A Design.

    Raises:
        InputError: for an unknown or unpriced parameter, a bound that the experiment cannot have,
            or a bad target.
        FitError: if the target is not reached within the bounds, or the search did not converge.
    """
    checks.instance("experiment", experiment, Experiment, "load_experiment(name) gives one")
    checks.instance("costs", costs, Costs, "read_costs(path, parameters_of(experiment)) gives them")
    statistic_threshold(confidence_level, convention)
    if response is None:
        response = make_response(experiment.target)
    check_target(experiment, response)
    names = check_free(experiment, costs, free)
    chosen = dataclasses.replace(costs, parameters={n: costs.parameters[n] for n in names})
    given = {n: value_of(experiment, n) for n in names}
    if target_mu_B is None:
        found = sensitivity(experiment, response, confidence_level, convention)
        target_mu_B = float(found.limit_mu_B)
    checks.magnetic_moment("target_mu_B", target_mu_B, open_low=True)
    room = _with_room(experiment, chosen)
    low = np.log([chosen.parameters[n].lowest for n in names])
    high = np.log([chosen.parameters[n].highest for n in names])
    begin = np.clip(np.log([given[n] for n in names]), low, high)
    count = 0

    def limit_at(u: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal count
        count += 1
        where = names, confidence_level, convention
        value, slope = _limit_and_slope(jnp.asarray(u), room, response, *where)
        return float(value) - float(np.log(target_mu_B)), np.asarray(slope)

    def cost_at(u: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = _cost_and_slope(jnp.asarray(u), chosen)
        return float(value), np.asarray(slope)

    end = _augmented_lagrangian(cost_at, limit_at, begin, low, high, progress)
    if not end.converged:
        raise _refusal(end, limit_at, names, low, high, target_mu_B)
    values = {n: float(v) for n, v in zip(names, np.exp(end.u), strict=True)}
    there = changed(room, values)
    forecast = sensitivity(there, response, confidence_level, convention)
    logs = dict(zip(names, jnp.asarray(end.u), strict=True))
    each = {n: float(v) for n, v in chosen.each(logs).items()}
    at = {n: "lowest" for n, u, b in zip(names, end.u, low, strict=True) if u <= b}
    at |= {n: "highest" for n, u, b in zip(names, end.u, high, strict=True) if u >= b}
    return Design(
        experiment=experiment.name,
        response=response.model,
        values=values,
        units={n: UNITS[parameters_of(experiment)[n]] for n in names},
        start={n: float(v) for n, v in zip(names, np.exp(begin), strict=True)},
        bounds={n: (chosen.parameters[n].lowest, chosen.parameters[n].highest) for n in names},
        at_bound=at,
        cost=sum(each.values()) + float(chosen.fixed),
        costs={**each, "fixed": float(chosen.fixed)},
        currency=chosen.currency,
        target_mu_B=target_mu_B,
        limit_mu_B=float(forecast.limit_mu_B),
        multiplier=end.multiplier,
        stationarity=end.stationarity,
        evaluations=count,
        derivatives=log_derivatives(there, response, confidence_level, convention),
        forecast=forecast,
        confidence_level=confidence_level,
        convention=convention,
    )


def check_free(experiment: Experiment, costs: Costs, free: Sequence[str]) -> tuple[str, ...]:
    """The free parameters in alphabetic order; InputError for one unknown, twice or unpriced."""
    known = parameters_of(experiment)
    names = tuple(free)
    if not names or len(set(names)) < len(names):
        raise InputError(
            f"free = {', '.join(names) or 'nothing'}: give one or more parameters, each once; "
            f"allowed: {', '.join(known)}"
        )
    top = float(experiment.parameters.bin_edges_keV[-1])
    for name in names:
        checks.one_of("free parameter", name, known)
        if name not in costs.parameters:
            raise InputError(
                f"free parameter {name!r} has no cost; allowed: those with a table in the cost "
                f"file, {', '.join(costs.parameters)}; add [{name}] to it"
            )
        if name == "threshold" and not costs.parameters[name].highest < top:
            raise InputError(
                f"threshold: highest = {costs.parameters[name].highest:g} keV is not below the end "
                f"of the bins of {experiment.name}, {top:g} keV; thresholds are energies in them"
            )
    return tuple(sorted(names))


def _with_room(experiment: Experiment, costs: Costs) -> Experiment:
    """Panels in T that are right for every resolution within its bounds."""
    if "resolution" not in costs.parameters:
        return experiment
    p, cost = experiment.parameters, costs.parameters["resolution"]
    ends = (float(p.bin_edges_keV[0]), float(p.bin_edges_keV[-1]))
    top = float(np.max([p.source.edges_keV[-1], *np.asarray(p.source.lines_keV)]))
    sharp, broad = (
        transfer_edges(
            factor * np.asarray(p.resolution_keV), *ends, top, experiment.resolution_in_quadrature
        )
        for factor in (min(cost.lowest, 1.0), max(cost.highest, 1.0))
    )
    beyond = tuple(edge for edge in broad if edge > sharp[-1])
    below = tuple(edge for edge in broad if edge < sharp[0])
    return dataclasses.replace(experiment, transfer_edges_keV=(*below, *sharp, *beyond))


# ---- the search ----------------------------------------------------------------------------------

Function = Callable[[np.ndarray], tuple[float, np.ndarray]]


class _End(NamedTuple):
    """Where the search ended: ln(parameter), λ, the KKT residual and ln(limit/target)."""

    u: np.ndarray
    multiplier: float
    stationarity: float
    excess: float
    converged: bool


def _projected(u: np.ndarray, slope: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The gradient without what pushes against a bound."""
    return np.where(stuck(slope, u, low, high), 0.0, slope)


def _descend(
    function: Function, u: np.ndarray, low: np.ndarray, high: np.ndarray, tolerance: float
) -> np.ndarray:
    """A minimum within the bounds by projected L-BFGS (optax) with backtracking."""
    solver = optax.scale_by_lbfgs(memory_size=10)
    value, slope = function(u)
    state, blocked = solver.init(jnp.asarray(u)), None
    for _ in range(STEPS):
        pushing = _projected(u, slope, low, high)
        if np.max(np.abs(pushing)) <= tolerance:
            break
        now = tuple(pushing == 0.0)
        if now != blocked:  # another face of the box, another Hessian
            state, blocked = solver.init(jnp.asarray(u)), now
        update, state = solver.update(jnp.asarray(pushing), state, jnp.asarray(u))
        step = -np.where(pushing == 0.0, 0.0, np.asarray(update))
        if not step @ slope < 0.0:
            step = -pushing
        step = step * min(1.0, STRIDE / np.max(np.abs(step)))
        for _ in range(HALVINGS):
            trial = np.clip(u + step, low, high)
            new_value, new_slope = function(trial)
            along = slope @ (trial - u)
            lower = new_value <= value + 1e-4 * along
            # where values differ by their rounding only, slopes still tell: approximate Wolfe
            # condition of Hager & Zhang, SIAM J. Optim. 16 (2005) 170, eq 2.6
            flat = new_value <= value + ROUNDING * (1.0 + abs(value))
            level = new_slope @ (trial - u) <= (2e-4 - 1.0) * along
            if (lower or (flat and level)) and np.isfinite(new_slope).all():
                break
            step = 0.5 * step
        else:
            break
        u, value, slope = trial, new_value, new_slope
    return u


def _augmented_lagrangian(
    cost: Function,
    limit: Function,
    u: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    progress: Callable[[str], None],
) -> _End:
    """Minimum of cost with limit ≤ 0 within bounds."""
    multiplier, penalty, tolerance, before = 0.0, PENALTY, 1e-2, np.inf
    for turn in range(ROUNDS):

        def lagrangian(u: np.ndarray) -> tuple[float, np.ndarray]:
            (f, df), (g, dg) = cost(u), limit(u)
            push = max(0.0, multiplier + penalty * g)  # noqa: B023
            return f + 0.5 * push**2 / penalty, df + push * dg  # noqa: B023

        u = _descend(lagrangian, u, low, high, tolerance)
        (f, df), (g, dg) = cost(u), limit(u)
        multiplier = max(0.0, multiplier + penalty * g)
        left = float(np.max(np.abs(_projected(u, df + multiplier * dg, low, high))))
        progress(
            f"round {turn + 1}: cost {np.exp(f):.6g}, limit/target {np.exp(g):.8f}, "
            f"multiplier {multiplier:.4g}, left {left:.1e}"
        )
        away = abs(g) if multiplier > 0.0 else max(g, 0.0)
        if not np.isfinite([f, g, left]).all() or penalty > PENALTY_MAX:
            break
        if away <= REACHED and left <= STATIONARY:
            return _End(u, multiplier, left, float(g), True)
        if away > max(REACHED, 0.25 * before):
            penalty *= 8.0
        before, tolerance = away, max(0.1 * STATIONARY, min(tolerance, 0.1 * left, 0.1 * away))
    return _End(u, multiplier, left, float(g), False)


def _refusal(
    end: _End,
    limit: Function,
    names: tuple[str, ...],
    low: np.ndarray,
    high: np.ndarray,
    target_mu_B: float,
) -> FitError:
    """Why there is no design: the target is out of reach, or the search failed."""
    if np.isfinite(end.excess) and end.excess > REACHED:
        best = _descend(limit, end.u, low, high, STATIONARY)
        least, _ = limit(best)
        if least > 0.0:
            where = ", ".join(f"{n} = {v:.4g}" for n, v in zip(names, np.exp(best), strict=True))
            return FitError(
                f"target_mu_B = {target_mu_B:g} μ_B is not reached within the bounds: the lowest "
                f"limit found there is {target_mu_B * np.exp(least):.4g} μ_B at {where}; raise the "
                "target, widen the bounds or free another parameter"
            )
    where = ", ".join(f"{n} = {v:.4g}" for n, v in zip(names, np.exp(end.u), strict=True))
    return FitError(
        f"the search for the cheapest detector did not converge: at {where} the limit is "
        f"{np.exp(end.excess):.6g} of the target and {end.stationarity:.2g} is left of the "
        f"gradient (allowed {STATIONARY:g}); inspect the costs for steps, or begin elsewhere"
    )


__all__ = ["Design", "changed", "cheapest_detector", "log_derivatives", "parameters_of"]
