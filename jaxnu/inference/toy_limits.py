"""Toys of an experiment: coverage of its interval, spread of its limit, p-value of its data."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from scipy.special import ndtr

from jaxnu import checks
from jaxnu._version import __version__
from jaxnu.errors import InputError
from jaxnu.experiments.experiment import Experiment
from jaxnu.inference.asymptotics import SIGMAS
from jaxnu.inference.experiment_model import MU2_UNIT
from jaxnu.inference.joint import general
from jaxnu.inference.limit_inputs import statistic_threshold
from jaxnu.inference.limits import checked_model
from jaxnu.inference.maximum_likelihood import fit
from jaxnu.inference.methods import plain_numbers
from jaxnu.inference.model import Model, needs_signal
from jaxnu.inference.toys import Toys, binomial_share, coverage, run_toys
from jaxnu.responses.base import Response


@dataclass(frozen=True)
class ExperimentToys:
    """What toys of an experiment at one μ_ν say.

    mu_B: the true μ_ν [μ_B]. truth: nuisance → value at which the toys are drawn.
    interval_coverage: (share of toys with q(μ²) ≤ Δ, its binomial error): how often the interval
        holds the truth. limit_coverage: the same of upper limits at or above the truth.
    bands_mu_B: quantiles of the upper limits at −2σ … +2σ [μ_B], the median in the middle.
    p_value: (share of toys whose q(μ²) is at least that of the observed data, its error); None
        without counts. q_observed: that q.
    converged: share of the toys.
    toys: every toy, with x = μ²/(1e-11 μ_B)².
    """

    experiment: str
    response: str
    mu_B: float
    confidence_level: float
    convention: str
    truth: dict[str, float]
    interval_coverage: tuple[float, float]
    limit_coverage: tuple[float, float]
    bands_mu_B: tuple[float, ...]
    p_value: tuple[float, float] | None
    q_observed: float | None
    converged: float
    count: int
    seed: int
    toys: Toys = dataclasses.field(repr=False)
    version: str = __version__

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and strings for JSON, without the toys themselves."""
        names = [f.name for f in dataclasses.fields(self) if f.name != "toys"]
        return plain_numbers({name: getattr(self, name) for name in names})


def experiment_toys(
    experiment: Experiment,
    response: Response | None = None,
    count: int = 1000,
    mu_B: float = 0.0,
    confidence_level: float = 0.90,
    convention: str = "two-sided",
    seed: int = 0,
    checkpoint: Path | str | None = None,
    progress: bool = False,
    distributed: bool = False,
) -> ExperimentToys:
    """Toys of an experiment at a given μ_ν, each with its fit, q(μ²) and profile limit.

    q(μ²) = −2 ln [L(μ², β̂̂)/L(μ̂² ≥ 0, β̂)]; Δ as in `limit`. Drawn at (μ², β̂̂(μ²)), the nuisances
    fitted to the observed counts at that μ²; nominal ones for an experiment without counts.

    Args:
        experiment: from load_experiment; with a background.
        response: the atom, by default response(experiment.target).
        count: number of toys.
        mu_B: the true μ_ν [μ_B].
        confidence_level: from 0.001 to below 1; from 0.5005 if one-sided.
        convention: "two-sided", Δ = z²((1+CL)/2), or "one-sided", Δ = z²(CL).
        seed, checkpoint, progress, distributed: as in `run_toys`.

    Returns:
        An ExperimentToys, the same for any number of devices, processes and interruptions.

    Raises:
        InputError: for a bad argument, or a checkpoint of another run.
        FitError: if the data, or more than 1% of the toys, cannot be fitted.
    """
    checks.magnetic_moment("mu_B", mu_B)
    delta = statistic_threshold(confidence_level, convention)
    checks.whole_number("count", count, 1)
    checks.whole_number("seed", seed, 0)
    model, atom = toy_model(experiment, response)
    x = float(mu_B) ** 2 / MU2_UNIT
    truth, q_observed = {"x": x}, None
    if experiment.has_data:
        if x == 0.0 and needs_signal(model):
            raise InputError(
                f"mu_B = 0, but {experiment.name} has counts where only signal is expected, which "
                "no toys without it show; give mu_B above zero or a background there"
            )
        held, best = fit(model, held={"x": x}), fit(model)
        truth = {name: float(value) for name, value in held.values.items()}
        q_observed = max(2.0 * float(held.minus_log_likelihood - best.minus_log_likelihood), 0.0)
    toys = run_toys(
        model, truth, count, tested=(x,), confidence=confidence_level, convention=convention,
        seed=seed, checkpoint=checkpoint, progress=progress, distributed=distributed,
    ).check()  # fmt: skip
    q, limits = toys.q[toys.converged, 0], toys.limit[toys.converged]
    p_value = None
    if q_observed is not None:  # equal data give equal q up to rounding, and count as reached
        p_value = binomial_share(q >= q_observed - 1e-7 * (1.0 + q_observed))
    return ExperimentToys(
        experiment=experiment.name,
        response=atom.model,
        mu_B=float(mu_B),
        confidence_level=confidence_level,
        convention=convention,
        truth={name: value for name, value in truth.items() if name != "x"},
        interval_coverage=binomial_share(q <= delta),
        limit_coverage=coverage(toys),
        bands_mu_B=tuple(float(v) for v in np.sqrt(np.quantile(limits, ndtr(SIGMAS)) * MU2_UNIT)),
        p_value=p_value,
        q_observed=q_observed,
        converged=float(np.mean(toys.converged)),
        count=count,
        seed=seed,
        toys=toys,
    )


def toy_model(experiment: Experiment, response: Response | None = None) -> tuple[Model, Response]:
    """(likelihood in x = μ²/(1e-11 μ_B)², atom): with the observed counts, or those expected
    without a signal where there are none."""
    checks.instance("experiment", experiment, Experiment, "load_experiment(name) gives one")
    data = "observed" if experiment.has_data else "Asimov"
    likelihood, atom = checked_model(experiment, response, data)
    return jax.tree.map(np.asarray, general(likelihood).model), atom


__all__ = ["ExperimentToys", "experiment_toys", "toy_model"]
