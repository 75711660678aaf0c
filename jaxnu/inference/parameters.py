"""Several properties of the neutrino fitted to one spectrum at once."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnu import checks
from jaxnu._version import __version__
from jaxnu.constants import SIN2_WEINBERG
from jaxnu.counts import check_parameters, check_target
from jaxnu.cross_sections.charge import CHARGE_POWERS, RADIUS_SHIFT_per_cm2
from jaxnu.errors import InputError
from jaxnu.experiments.experiment import Experiment
from jaxnu.inference.asymptotics import level_words
from jaxnu.inference.experiment_model import MU2_UNIT, ExperimentModel, Term, experiment_model
from jaxnu.inference.intervals import correlations, find_minima, profile_interval
from jaxnu.inference.joint import JOINT, joint_model, own_theta
from jaxnu.inference.limit_inputs import (
    atoms_of,
    check_experiment,
    check_templates,
    listed,
    statistic_threshold,
)
from jaxnu.inference.methods import plain_numbers
from jaxnu.inference.model import POI, Model
from jaxnu.inference.pseudodata import asimov
from jaxnu.inference.settings import STATISTICS
from jaxnu.precision import require_x64
from jaxnu.responses.base import Response


@dataclass(frozen=True)
class Parameter:
    """value = nominal + unit · α, between low and high; symbol and unit in words."""

    nominal: float
    unit: float
    low: float
    high: float
    symbol: str
    words: str


PARAMETERS = {
    "mu2": Parameter(0.0, MU2_UNIT, 0.0, np.inf, "mu_nu^2", "mu_B^2"),
    "sin2_theta_w": Parameter(SIN2_WEINBERG, 0.1, 0.0, 1.0, "sin^2 theta_W", ""),
    "r2_cm2": Parameter(0.0, 1e-32, -np.inf, np.inf, "<r^2>", "cm^2"),
    "q_e": Parameter(0.0, 1e-12, -np.inf, np.inf, "q_nu", "e"),
}
DATA = ("observed", "Asimov")


@dataclass(frozen=True)
class ParameterFit:
    """Best fit and two-sided profile intervals of several parameters.

    parameters: names, each one in these units: mu2 [μ_B²], sin2_theta_w, r2_cm2 [cm²], q_e [e].
    best_fit: the lowest minimum. intervals: (low, high) with q ≤ delta, the others profiled; where
        that set has pieces, its hull. correlation: at the best fit, in the order of the parameters.
    at_bound: ends ("low", "high") of an interval that are the bound of the parameter: μ² ≥ 0,
        0 ≤ sin²θ_W ≤ 1.
    separate: parameters whose interval is the hull of separate pieces.
    minima: all minima found: parameter → value, and q, lowest first.
    scans: parameter → (values, q).
    nuisances: at the best fit, in units of their 1σ, "background" as 1 + σα.
    delta: z²((1+CL)/2). data: "observed", or "Asimov": the expectation at `truth`.
    """

    parameters: tuple[str, ...]
    best_fit: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    correlation: np.ndarray
    at_bound: dict[str, tuple[str, ...]]
    separate: tuple[str, ...]
    minima: tuple[dict[str, float], ...]
    scans: dict[str, tuple[np.ndarray, np.ndarray]]
    nuisances: dict[str, float]
    confidence_level: float
    delta: float
    data: str
    truth: dict[str, float]
    status: str
    experiment: str
    title: str
    target: str
    response: str
    version: str = __version__

    def sentence(self, name: str) -> str:
        """One parameter in words: best fit, interval, and what is special about its ends."""
        what, (low, high) = PARAMETERS[name], self.intervals[name]
        unit = f" {what.words}" if what.words else ""
        bounds = f", {' and '.join(self.at_bound[name])} end at the bound"
        return (
            f"{what.symbol} = {self.best_fit[name]:.3g} in [{low:.3g}, {high:.3g}]{unit}"
            f"{bounds * bool(self.at_bound[name])}"
            f"{', hull of separate pieces' * (name in self.separate)}"
        )

    def summary(self) -> str:
        """One line fit for a paper."""
        parts = "; ".join(self.sentence(name) for name in self.parameters)
        each = "" if len(self.parameters) == 1 else " each, the others profiled"
        kind = "" if self.data == "observed" else ", Asimov data"
        return (
            f"{parts} at {level_words(self.confidence_level)}{each} ({self.experiment}{kind}, "
            f"profile likelihood, two-sided q = {self.delta:.4g}, atomic model: {self.response}; "
            f"jaxnu {self.version})"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and strings for JSON."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return plain_numbers({"summary": self.summary(), **plain})


def fit_parameters(
    experiment: Experiment | Sequence[Experiment],
    response: Response | Sequence[Response] | None = None,
    parameters: Sequence[str] = ("mu2",),
    confidence_level: float = 0.90,
    data: str = "observed",
    truth: Mapping[str, float] | None = None,
    shared: Sequence[str] = (),
) -> ParameterFit:
    """Properties of the neutrino fitted to one spectrum at once, with two-sided profile intervals.

    q(p) = −2 ln [L(p, all else fitted)/L(best fit)] ≤ z²((1+CL)/2) for each parameter p.

    experiment: from load_experiment; a list of them shares the parameters in one likelihood.
    response: the atom, by default response(experiment.target); a list with a list.
    parameters: any of "mu2" (μ_ν² in μ_B², ≥ 0), "sin2_theta_w" (in [0, 1]), "r2_cm2" (charge
        radius <r²>), "q_e" (millicharge), those of all flavours alike; the others stay at 0 and
        sin²θ_W at 0.23857. Expected counts are exact polynomials in them, interference included.
    confidence_level: from 0.001 to below 1.
    data: "observed" or "Asimov", the expectation at `truth`, which is nominal where not given.
    shared: of several experiments, systematics by name that are one and the same in all.
    Returns a ParameterFit. Raises InputError for an unknown or repeated parameter, for
        sin2_theta_w together with r2_cm2, which are one shift of g_V, and for an experiment
        without the data; FitError for a fit without a minimum or an interval without an end.
    Weak scattering on electrons is expected with its standard-model value beside signal and
    background where the file's `includes_weak` is false, as ON/OFF data and differences have it if
    they say nothing; only changes of it enter otherwise.
    Source: Cowan et al., EPJC 71, 1554 (2011), eq 7; docs/physics.md for the cross sections.
    """
    require_x64("fit_parameters")
    if checks.is_traced(experiment, response):
        raise InputError(
            "experiment is traced: fit_parameters searches on the host; allowed: concrete numbers; "
            "call it outside jit, grad and vmap"
        )
    names = _checked(parameters)
    delta = statistic_threshold(confidence_level, "two-sided")
    checks.one_of("data", data, DATA)
    values = _checked_truth(truth, names, data)
    experiments = listed(experiment, shared)
    for one in experiments:
        check_experiment(one, data)
        _check_names(one)
    responses = atoms_of(experiments, response)
    parts = []
    for one, atom in zip(experiments, responses, strict=True):
        check_target(one, atom)
        check_parameters(one)
        part = jax.tree.map(np.asarray, _compiled(one, atom, data, terms_of(names)))
        check_templates(one, part)
        parts.append(part)
    labels = tuple(one.name for one in experiments)
    model = _bounded(joint_model(parts, labels, (*shared, *names)), names)
    if data == "Asimov":
        model = asimov(model, _theta(model, values))
    held = np.array([name == POI and "mu2" not in names for name in model.names])
    inner = tuple(POI if name == "mu2" else name for name in names)
    minima = find_minima(model, inner, held)
    found = [profile_interval(model, name, minima, delta**0.5, held, STATISTICS) for name in inner]
    places = [model.names.index(name) for name in inner]
    at_minima = [
        {n: _physical(n, one.theta[k]) for n, k in zip(names, places, strict=True)}
        for one in minima
    ]
    drop = [2.0 * float(one.value - minima[0].value) for one in minima]
    theta = np.asarray(minima[0].theta)
    return ParameterFit(
        parameters=names,
        best_fit=at_minima[0],
        intervals={
            n: (_physical(n, one.low), _physical(n, one.high))
            for n, one in zip(names, found, strict=True)
        },
        correlation=correlations(minima[0], places),
        at_bound={
            n: ("low",) * one.low_at_bound + ("high",) * one.high_at_bound
            for n, one in zip(names, found, strict=True)
        },
        separate=tuple(n for n, one in zip(names, found, strict=True) if one.separate),
        minima=tuple({**at, "q": q} for at, q in zip(at_minima, drop, strict=True)),
        scans={
            n: (PARAMETERS[n].nominal + PARAMETERS[n].unit * one.scan, one.scan_q)
            for n, one in zip(names, found, strict=True)
        },
        nuisances=_nuisances(model, theta, parts, labels, names),
        confidence_level=confidence_level,
        delta=delta,
        data=data,
        truth=values,
        status="converged",
        experiment=" + ".join(labels),
        title=" + ".join(one.title for one in experiments),
        target=" + ".join(dict.fromkeys(one.target for one in experiments)),
        response=" + ".join(dict.fromkeys(one.model for one in responses)),
    )


def terms_of(parameters: Sequence[str]) -> tuple[Term, ...]:
    """The products of parameters beside μ² in the expected counts, with the channel of each.

    sin²θ_W moves g_V of all electrons by 2δ and Q_w of a nucleus by 4Zδ, which is what a charge
    radius C<r²> = 2δ does.
    """
    radius = next((n for n in parameters if n in ("sin2_theta_w", "r2_cm2")), None)
    charge = "q_e" if "q_e" in parameters else None
    angle = 2.0 * PARAMETERS["sin2_theta_w"].unit / RADIUS_SHIFT_per_cm2
    size = {"r2_cm2": PARAMETERS["r2_cm2"].unit, "sin2_theta_w": angle}
    terms = []
    for channel, (r, q) in CHARGE_POWERS.items():
        powers = tuple((n, k) for n, k in ((radius, r), (charge, q)) if n is not None and k)
        if channel != "weak" and sum(k for _, k in powers) == r + q:
            unit = (size[radius] if radius else 1.0) ** r * PARAMETERS["q_e"].unit ** q
            terms.append(Term(channel, powers, unit))
    return tuple(terms)


_compiled = jax.jit(experiment_model, static_argnames=("data", "terms"))


def _checked(parameters: Sequence[str]) -> tuple[str, ...]:
    names = (parameters,) if isinstance(parameters, str) else tuple(parameters)
    for name in names:
        checks.one_of("parameter", name, PARAMETERS)
    if not names or len(set(names)) < len(names):
        raise InputError(
            f"parameters = {', '.join(names) or '()'}: give at least one, and each once; allowed: "
            f"{', '.join(PARAMETERS)}"
        )
    if {"sin2_theta_w", "r2_cm2"} <= set(names):
        raise InputError(
            "parameters = sin2_theta_w with r2_cm2: both shift g_V, by 2 δsin²θ_W and by C<r²>, so "
            "no data tell them apart; allowed: one of them; leave the other out"
        )
    return names


def _checked_truth(
    truth: Mapping[str, float] | None, names: Sequence[str], data: str
) -> dict[str, float]:
    truth = dict(truth or {})
    if truth and data != "Asimov":
        raise InputError(
            f"truth = {truth} with data = {data!r}; allowed: with data='Asimov'; leave truth out"
        )
    for name, value in truth.items():
        checks.one_of("truth", name, names)
        what = PARAMETERS[name]
        checks.number_range(f"truth[{name!r}]", value, max(what.low, -1.0), min(what.high, 1.0),
                            what.words, "the value behind the expected data")  # fmt: skip
    return {name: float(truth.get(name, PARAMETERS[name].nominal)) for name in names}


def _check_names(experiment: Experiment) -> None:
    for name, _ in experiment.systematics:
        if name in PARAMETERS:
            raise InputError(
                f"{experiment.name}: the systematic {name!r} has the name of a parameter; allowed: "
                f"any other name; rename [systematics.{name}]"
            )


def _bounded(model: Model, names: Sequence[str]) -> Model:
    """The model with the bounds of the parameters; x ≥ 0 has its own."""
    lower, upper = jnp.asarray(model.lower), jnp.asarray(model.upper)
    for name in names:
        if name != "mu2":
            what, at = PARAMETERS[name], model.nuisances.index(name)
            lower = lower.at[at].set((what.low - what.nominal) / what.unit)
            upper = upper.at[at].set((what.high - what.nominal) / what.unit)
    return dataclasses.replace(model, lower=lower, upper=upper)


def _theta(model: Model, values: Mapping[str, float]) -> Any:
    theta = np.zeros(len(model.names))
    for name, value in values.items():
        what = PARAMETERS[name]
        at = model.names.index(POI if name == "mu2" else name)
        theta[at] = (value - what.nominal) / what.unit
    return jnp.asarray(theta)


def _physical(name: str, alpha: Any) -> float:
    return PARAMETERS[name].nominal + PARAMETERS[name].unit * float(alpha)


def _nuisances(
    model: Model,
    theta: np.ndarray,
    parts: Sequence[ExperimentModel],
    labels: Sequence[str],
    names: Sequence[str],
) -> dict[str, float]:
    found: dict[str, float] = {}
    for part, label in zip(parts, labels, strict=True):
        own = part.nuisances(own_theta(jnp.asarray(theta), model, part, label))
        for name, value in own.items():
            if name in names:
                continue
            plain = name in model.names
            found[name if plain else f"{label}{JOINT}{name}"] = float(value)
    return found


__all__ = ["ParameterFit", "fit_parameters"]
