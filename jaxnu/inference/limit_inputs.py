"""The arguments of a limit: their shape, and what is refused before the work."""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from jaxnu import checks
from jaxnu.counts import check_parameters, check_target
from jaxnu.errors import FitError, InputError
from jaxnu.experiments.experiment import Experiment
from jaxnu.inference.experiment_model import ExperimentModel
from jaxnu.inference.likelihood import BinnedModel
from jaxnu.inference.methods import DEFAULT_CONVENTION, FREE_CONVENTION
from jaxnu.responses import response as make_response
from jaxnu.responses.base import Response

Likelihood = BinnedModel | ExperimentModel
CONVENTIONS = {
    "two-sided": "Δ of a two-sided interval of this confidence level (2.706 at 90%)",
    "one-sided": "Δ of a one-sided upper limit (1.642 at 90%)",
}

LOWEST_TAIL = 0.5005  # Δ = 1.6e-6: less is lost in the rounding of −ln L


def statistic_threshold(confidence_level: float, convention: str) -> float:
    """Δ: z²((1+CL)/2) two-sided or z²(CL) one-sided, z the standard normal quantile.

    A one-sided limit at a level of 1/2 or less would lie at the best fit or below it.
    """
    checks.one_of("convention", convention, CONVENTIONS)
    one_sided = convention == "one-sided"
    level = confidence_level if isinstance(confidence_level, int | float) else float("nan")
    tail = level if one_sided else 0.5 * (1.0 + level)
    if not LOWEST_TAIL <= tail < 1.0:
        low, why = (LOWEST_TAIL, " (one-sided)") if one_sided else (2.0 * LOWEST_TAIL - 1.0, "")
        raise InputError(
            f"confidence_level = {confidence_level!r} is outside [{low:.4g}, 1){why}; 90% is "
            "written 0.90"
        )
    return NormalDist().inv_cdf(tail) ** 2


def check_method(confidence_level: float, convention: str | None, method: str) -> str:
    """The convention, a method's own if None is given, after a look at all three."""
    checks.one_of("method", method, DEFAULT_CONVENTION)
    chosen = DEFAULT_CONVENTION[method] if convention is None else convention
    statistic_threshold(confidence_level, chosen if method == "profile" else "two-sided")
    if chosen != DEFAULT_CONVENTION[method] and method not in FREE_CONVENTION:
        raise InputError(
            f"convention = {convention!r} with method {method!r}; allowed: "
            f"{DEFAULT_CONVENTION[method]!r}; leave it out"
        )
    return chosen


def listed(
    experiment: Experiment | Sequence[Experiment], shared: Sequence[str] = ()
) -> tuple[Experiment, ...]:
    """One or several experiments, whose names and shared nuisances go together."""
    several = isinstance(experiment, list | tuple)
    found: tuple[Any, ...] = tuple(experiment) if several else (experiment,)  # type: ignore
    if not found:
        raise InputError("experiment = [] is empty; give one or more, from load_experiment(name)")
    for one in found:
        checks.instance("experiment", one, Experiment, "load_experiment(name) gives one")
    names = [one.name for one in found]
    if len(set(names)) < len(names):
        raise InputError(
            f"experiments = {', '.join(names)} repeat a name; give files of different names, or "
            "replace(name=...) of one"
        )
    known = [name for one in found for name, _ in one.systematics]
    for word in shared:
        if known.count(word) < 2:
            raise InputError(
                f"shared = {word!r} is not a systematic of two experiments; allowed: "
                f"{', '.join(n for n in dict.fromkeys(known) if known.count(n) > 1) or 'none'}; "
                "give [systematics.NAME] of the same name to each"
            )
    return found


def atoms_of(
    experiments: tuple[Experiment, ...], response: Response | Sequence[Response] | None
) -> tuple[Response, ...]:
    """An atom for each experiment."""
    if response is None:
        made = {target: make_response(target) for target in {one.target for one in experiments}}
        return tuple(made[one.target] for one in experiments)
    found: tuple[Any, ...] = tuple(response) if isinstance(response, list | tuple) else (response,)
    if len(found) != len(experiments):
        raise InputError(
            f"response has {len(found)} atoms for {len(experiments)} experiments; give one for "
            "each, in the same order"
        )
    return found


def check_experiment(experiment: Experiment, data: str) -> None:
    """Refuse an experiment without what a limit needs: a background, and counts if "observed"."""
    checks.instance("experiment", experiment, Experiment, "load_experiment(name) gives one")
    measured = experiment.difference is not None and data == "observed"
    if not experiment.has_background and not measured:
        raise InputError(
            f"{experiment.name} has no background model, so no limit follows; allowed: its rate, "
            "its counts; add [background] and [statistics] to a copy of its file"
        )
    if data == "observed" and not experiment.has_data:
        raise InputError(
            f"{experiment.name} has no counts, so there is no observed limit; allowed: an "
            "experiment with counts; use Asimov data: sensitivity(...) or 'jaxnu forecast', and of "
            "several parameters data='Asimov' or --asimov"
        )


def checked_atom(experiment: Experiment, response: Response | None, data: str) -> Response:
    """The atom, after a look at what goes into a likelihood."""
    check_experiment(experiment, data)
    if response is None:
        response = make_response(experiment.target)
    check_target(experiment, response)
    check_parameters(experiment)
    return response


def check_templates(experiment: Experiment, model: Likelihood) -> None:
    """Refuse templates from which no limit follows."""
    signal, reached = model.signal, model.signal + model.background > 0.0
    if not signal.sum() > 0.0:
        raise InputError(
            f"{experiment.name}: the expected signal is {signal.sum():g} events in all bins, so "
            "no limit follows; lower the threshold or move the bins below the kinematic end"
        )
    unreachable = (model.counts > 0.0) & ~reached & (experiment.data_kind != "difference")
    if unreachable.any():
        at = int(np.argmax(unreachable))
        raise InputError(
            f"{experiment.name}: counts[{at}] = {model.counts[at]:g} where neither signal "
            "nor background is expected; give a background above zero there or drop the bin"
        )


def check_shapes(experiment: Experiment, model: Likelihood) -> None:
    """Refuse one experiment alone whose counts cannot tell a signal from its background."""
    if isinstance(model, BinnedModel) and model.background_floating and model.one_shape():
        raise FitError(
            f"{experiment.name}: signal and background have one shape (bins: {model.signal.size}) "
            "and the background floats, so that counts cannot tell them apart; constrain the "
            "background or use more bins"
        )
