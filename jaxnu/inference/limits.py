"""Upper limits on μ_ν from an experiment, and forecasts of them."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnu import checks
from jaxnu._version import __version__
from jaxnu.counts import check_parameters, check_target, templates
from jaxnu.errors import FitError, InputError
from jaxnu.experiments.experiment import Experiment, Parameters
from jaxnu.inference.crossing import at_x, upper_end
from jaxnu.inference.experiment_model import MU2_UNIT, ExperimentModel, experiment_model
from jaxnu.inference.likelihood import BinnedModel
from jaxnu.inference.methods import FREE_CONVENTION, plain_numbers
from jaxnu.inference.notes import asymptotic_notes, few_counts
from jaxnu.inference.profile_limit import profile_ratio, upper_limit
from jaxnu.inference.settings import STATISTICS
from jaxnu.precision import require_x64
from jaxnu.responses import response as make_response
from jaxnu.responses.base import Response
from jaxnu.settings import Numerics

Likelihood = BinnedModel | ExperimentModel
METHODS = {  # → convention without one, and its words in a summary
    "profile": ("two-sided", "profile likelihood"),
    "cls": ("one-sided", "CL_s, asymptotic"),
    "clsb": ("one-sided", "CL_s+b, asymptotic"),
    "bayes": ("one-sided", "Bayesian, flat prior in mu_nu^2"),
    "nuts": ("one-sided", "Bayesian by NUTS, flat prior in mu_nu^2"),
    "feldman-cousins": ("two-sided", "Feldman-Cousins, toys"),
}
CONVENTIONS = {
    "two-sided": "Δ of a two-sided interval of this confidence level (2.706 at 90%)",
    "one-sided": "Δ of a one-sided upper limit (1.642 at 90%)",
}
# name of a logarithmic derivative → the field of Parameters that is scaled
DERIVATIVES = {
    "threshold_keV": "threshold_keV",
    "exposure": "exposure_kg_day",
    "resolution": "resolution_keV",
    "background": "background",
    "flux": "source",
}


@dataclass(frozen=True)
class LimitResult:
    """An upper limit on μ_ν with everything needed to quote, check and draw it.

    limit_mu_B: upper limit on μ_ν [μ_B]; limit_mu2, best_fit_mu2: its square, and μ̂² ≥ 0 [μ_B²].
    expected_mu_B: the limit that the expected background alone would give (Asimov data, nuisances
        nominal) [μ_B].
    nuisances: best-fit values: "background", a factor, where there is one, and each systematic in
        units of its 1σ.
    scan_mu2, scan_q: test statistic q(μ²) on a grid [μ_B²].
    derivatives: d ln(limit)/d ln(parameter) for threshold_keV, exposure, resolution, background,
        flux (an array counts as one parameter: a common factor); None for the methods "bayes",
        "nuts" and "feldman-cousins", and for a limit of zero (CL_s+b excludes every μ²). For the
        derivative in every number use jax.grad of the limit, see `limit`.
    data: "observed" (counts, bins and background shape stay fixed when a parameter moves) or
        "Asimov" (the expected background is the data, and moves too).
    delta: the threshold on q; None where the method has none.
    residual: what is left of the equations solved, in units of 1σ.
    threshold_keV, exposure_kg_day: of the experiment that was fitted.
    counts, errors, background, signal: per bin; the data (ON − OFF where they are a difference)
        with their 1σ, the background at the best fit (zero in a difference), signal at the limit.
    With details, by another method than "profile", or where the norm of a background ends at zero,
        else None:
    interval_mu2: both ends of the interval [μ_B²]. significance, p0: Z = √q0 of a discovery and its
        p-value; None where the data cannot be without a signal.
    pulls: nuisance → ((α̂ − a)/1σ of the constraint, uncertainty of α̂ in the same unit).
    impacts_mu_B: nuisance → limits with it held 1σ below and above its best fit [μ_B]. A nuisance
        at its bound has neither uncertainty nor impact: NaN, null in JSON.
    bands_mu_B: limits that background alone would give at −2σ … +2σ [μ_B], from Asimov data with
        the nuisances fitted at μ = 0; None with fewer than 3 counts of it under the signal.
    accuracy: relative error of limit_mu_B by quadrature, chains or toys.
    sampling: of the method "nuts", see `inference.Inference`. seed: of toys or chains, else None.
    shared: nuisances that are one in several experiments.
    notes: what to know before quoting the limit, see `inference.Inference`; in the summary too.
    Of several experiments: names are joined by " + ", what each has for its own (threshold, bins,
    counts, …) is a tuple, nuisances and derivatives carry "name: " before their own.
    Inside traced code (grad, jit, vmap) numbers are tracers, a failed fit gives NaN, and
    derivatives and expected_mu_B are None.
    """

    limit_mu_B: Any
    expected_mu_B: float | None
    best_fit_mu2: Any
    nuisances: dict[str, Any]
    scan_mu2: Any
    scan_q: Any
    derivatives: dict[str, float] | None
    status: str
    experiment: str
    title: str
    target: str
    response: str
    method: str
    convention: str
    confidence_level: float
    delta: float | None
    data: str
    residual: Any
    threshold_keV: Any
    exposure_kg_day: Any
    bin_edges_keV: Any
    counts: Any
    errors: Any
    background: Any
    signal: Any
    interval_mu2: tuple[float, ...] | None = None
    significance: float | None = None
    p0: float | None = None
    pulls: dict[str, tuple[float, float]] | None = None
    impacts_mu_B: dict[str, tuple[float, ...]] | None = None
    bands_mu_B: tuple[float, ...] | None = None
    accuracy: float | None = None
    sampling: dict[str, Any] | None = None
    seed: int | None = None
    shared: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    version: str = __version__

    @property
    def limit_mu2(self) -> Any:
        return self.limit_mu_B**2

    @property
    def method_words(self) -> str:
        """Method and convention in words."""
        threshold = "" if self.delta is None else f" q = {self.delta:.3f}"
        return f"{METHODS[self.method][1]}, {self.convention}{threshold}"

    def summary(self) -> str:
        """One line fit for a paper."""
        notes = "".join(f"; {note}" for note in self.notes)
        kind = "upper limit" if self.data == "observed" else "expected upper limit (Asimov data)"
        return (
            f"mu_nu < {self.limit_mu_B:.3g} mu_B at {100 * self.confidence_level:g}% CL "
            f"({self.experiment}, {kind}, {self.method_words}, "
            f"atomic model: {self.response}{notes}; jaxnu {self.version})"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and strings for JSON."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return plain_numbers({"limit_mu2": self.limit_mu2, **plain})


def limit(
    experiment: Experiment | Sequence[Experiment],
    response: Response | Sequence[Response] | None = None,
    confidence_level: float = 0.90,
    convention: str | None = None,
    method: str = "profile",
    details: bool = False,
    shared: Sequence[str] = (),
    seed: int = 0,
) -> LimitResult:
    """Upper limit on μ_ν from the observed counts of an experiment, or of several at once.

    By default the largest μ² with q(μ²) = −2 ln [L(μ², β̂̂)/L(μ̂², β̂)] ≤ Δ, μ̂² ≥ 0, β the
    nuisances.

    experiment: from load_experiment, with counts; a list of them shares μ² in one likelihood, each
        with its own nuisances.
    response: the atom, by default response(experiment.target); a list with a list.
    confidence_level: between 0.5 and 1.
    convention: "two-sided", Δ = z²((1+CL)/2), or "one-sided", Δ = z²(CL); None is the method's own.
    method: "profile"; "cls", "clsb", "bayes", "nuts" or "feldman-cousins" as in `inference.infer`.
    details: pulls, impacts, significance and bands too; some seconds more to compile. Other methods
        and several experiments have them always.
    shared: of several experiments, systematics by name that are one and the same in all.
    seed: of the toys of "feldman-cousins" and the chains of "nuts", a whole number from 0.
    Returns a LimitResult; its limit_mu_B is differentiable in experiment.parameters and response
        (methods profile, cls, clsb):
        jax.grad(lambda p: limit(experiment.replace(parameters=p)).limit_mu_B)(parameters).
    Raises InputError for a forecast-only experiment or a bad argument, FitError for a fit that
        did not converge.
    Source: Cowan et al., EPJC 71, 1554 (2011), eqs 7, 10; Δ is asymptotic, not calibrated by toys.
        As an upper limit, asymptotically and far from the boundary μ² = 0, the two-sided Δ covers
        (1+CL)/2, 95% at CL = 90%, and the one-sided Δ covers CL.
    """
    options = confidence_level, convention, method, details, shared, seed
    return _limit(experiment, response, *options, data="observed")


def sensitivity(
    experiment: Experiment | Sequence[Experiment],
    response: Response | Sequence[Response] | None = None,
    confidence_level: float = 0.90,
    convention: str | None = None,
    method: str = "profile",
    details: bool = False,
    shared: Sequence[str] = (),
    seed: int = 0,
) -> LimitResult:
    """Expected upper limit: `limit` on Asimov data, counts equal to the expected background.

    Arguments and errors as in `limit`; counts of the experiment are ignored. The Asimov data move
    with the parameters, so derivatives are those of a design.
    """
    options = confidence_level, convention, method, details, shared, seed
    return _limit(experiment, response, *options, data="Asimov")


def statistic_threshold(confidence_level: float, convention: str) -> float:
    """Δ: z²((1+CL)/2) two-sided or z²(CL) one-sided, z the standard normal quantile."""
    checks.one_of("convention", convention, CONVENTIONS)
    if not (isinstance(confidence_level, int | float) and 0.5 < confidence_level < 1.0):
        raise InputError(
            f"confidence_level = {confidence_level!r} is outside (0.5, 1); 90% is written 0.90"
        )
    tail = confidence_level if convention == "one-sided" else 0.5 * (1.0 + confidence_level)
    return NormalDist().inv_cdf(tail) ** 2


def _limit(
    experiment: Experiment | Sequence[Experiment],
    response: Response | Sequence[Response] | None,
    confidence_level: float,
    convention: str | None,
    method: str,
    details: bool,
    shared: Sequence[str],
    seed: int,
    data: str,
) -> LimitResult:
    require_x64("limit")
    checks.whole_number("seed", seed, 0)
    convention = check_method(confidence_level, convention, method)
    experiments = listed(experiment, shared)
    for one in experiments:
        check_experiment(one, data)
    responses = atoms_of(experiments, response)
    for one, atom in zip(experiments, responses, strict=True):
        check_target(one, atom)
        check_parameters(one)
    if method != "profile" or details or len(experiments) > 1:
        choice = confidence_level, convention, method, tuple(shared), seed
        return _general_limit(experiments, responses, *choice, data)
    found = _profile_limit(experiments[0], responses[0], confidence_level, convention, data)
    if found is None:  # the norm of the background ends at zero: for a search with that bound
        choice = confidence_level, convention, method, (), seed
        found = _general_limit(experiments, responses, *choice, data)
    return found


def check_method(confidence_level: float, convention: str | None, method: str) -> str:
    """The convention, a method's own if None is given, after a look at all three."""
    checks.one_of("method", method, METHODS)
    chosen = METHODS[method][0] if convention is None else convention
    statistic_threshold(confidence_level, chosen)
    if chosen != METHODS[method][0] and method not in FREE_CONVENTION:
        raise InputError(
            f"convention = {convention!r} with method {method!r}; allowed: {METHODS[method][0]!r}; "
            "leave it out"
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


def _general_limit(
    experiments: tuple[Experiment, ...],
    responses: tuple[Response, ...],
    confidence_level: float,
    convention: str,
    method: str,
    shared: tuple[str, ...],
    seed: int,
    data: str,
) -> LimitResult:
    """Any method, any number of experiments, through the statistics layer."""
    from jaxnu.inference import joint as joint_limits
    from jaxnu.inference.crossing import METHODS as ASYMPTOTIC
    from jaxnu.inference.crossing import limit_value

    names = tuple(one.name for one in experiments)
    several = len(names) > 1
    traced = checks.is_traced(experiments, responses)
    choice = method, confidence_level, convention
    blank: dict[str, Any]
    rest: dict[str, Any] = {}
    if traced:
        if method not in ASYMPTOTIC:
            raise InputError(
                f"method = {method!r} runs on the host; allowed inside jit, grad or vmap: "
                f"{', '.join(ASYMPTOTIC)}; call it outside"
            )
        parts = tuple(
            joint_limits.general(_likelihood(e.parameters, e, r, data))
            for e, r in zip(experiments, responses, strict=True)
        )
        joint = joint_limits.joint_model(parts, names, shared)
        value = jnp.sqrt(limit_value(joint, *choice) * MU2_UNIT)
        blank = {"expected_mu_B": None, "derivatives": None, "scan_mu2": None, "scan_q": None}
        theta, residual = None, None
    else:
        likelihoods, moves = [], []
        for e, r in zip(experiments, responses, strict=True):
            model, moved = jax.tree.map(np.asarray, _model_and_tangents(e.parameters, e, r, data))
            check_templates(e, model)
            primal, tangent = joint_limits.general_with_tangents(model, moved)
            likelihoods.append(primal)
            moves.append(tangent)
        parts = tuple(likelihoods)
        joint = joint_limits.joint_model(parts, names, shared)
        found, rest = joint_limits.everything(joint, *choice, seed)
        value = (found.value * MU2_UNIT) ** 0.5
        theta, residual = found.fit.theta, found.fit.gradient
        blank = {
            "expected_mu_B": joint_limits.quiet_limit(joint, *choice),
            "derivatives": joint_limits.log_slopes(
                parts, moves, names, shared, *choice, words=tuple(DERIVATIVES)
            ),
            "scan_mu2": np.asarray(found.scan_x) * MU2_UNIT,
            "scan_q": np.asarray(found.scan_q),
        }

    def each(values: list[Any]) -> Any:
        return tuple(values) if several else values[0]

    nuisances: dict[str, Any] = {}
    backgrounds: list[Any] = []
    for part, name in zip(parts, names, strict=True):
        if theta is None:
            backgrounds.append(part.background)
            continue
        own = joint_limits.own_theta(theta, joint, part, name)
        backgrounds.append(part.expected_background(own))
        for key, at in part.nuisances(own).items():
            alone = not several or key in shared
            nuisances[key if alone else f"{name}{joint_limits.JOINT}{key}"] = at
    parameters = [one.parameters for one in experiments]
    delta = statistic_threshold(confidence_level, convention) if method == "profile" else None
    return LimitResult(
        limit_mu_B=value,
        best_fit_mu2=None if theta is None else float(theta[0]) * MU2_UNIT,
        nuisances=nuisances,
        status="traced" if traced else "converged",
        experiment=" + ".join(names),
        title=" + ".join(one.title for one in experiments),
        target=" + ".join(dict.fromkeys(one.target for one in experiments)),
        response=" + ".join(dict.fromkeys(one.model for one in responses)),
        method=method,
        convention=convention,
        confidence_level=confidence_level,
        delta=delta,
        data=data,
        residual=residual,
        threshold_keV=each([p.threshold_keV for p in parameters]),
        exposure_kg_day=each([p.exposure_kg_day for p in parameters]),
        bin_edges_keV=each([p.bin_edges_keV for p in parameters]),
        counts=each([part.counts for part in parts]),
        errors=each([part.errors for part in parts]),
        background=each(backgrounds),
        signal=each([value**2 / MU2_UNIT * part.signal for part in parts]),
        shared=shared,
        **blank,
        **rest,
    )


def _profile_limit(
    experiment: Experiment,
    response: Response,
    confidence_level: float,
    convention: str,
    data: str,
) -> LimitResult | None:
    """The profile limit of one experiment, through two programs that compile in a few seconds.

    None if the norm of a background ends below zero: the short likelihood has no bound there.
    """
    delta = statistic_threshold(confidence_level, convention)
    traced = checks.is_traced(experiment, response)
    parameters, numerics = experiment.parameters, experiment.numerics
    if traced:
        model = _likelihood(parameters, experiment, response, data)
        value, fit = _fit(model, delta, numerics)
        value = jnp.where(fit.residual < numerics.fit_accepted, value, jnp.nan)
        derivatives = expected = None
    else:
        model, moved = _model_and_tangents(parameters, experiment, response, data)
        value, slopes, fit = _fit_and_tangents(model, moved, delta, numerics)
        model, fit = jax.tree.map(np.asarray, (model, fit))
        value = float(value)
        if isinstance(model, BinnedModel) and np.isposinf(fit.residual):
            check_templates(experiment, model)
            return None
        _check_fit(experiment, model, fit)
        quiet, _, quiet_fit = _fit_and_tangents(model.asimov(), moved, delta, numerics)
        if not float(quiet_fit.residual) < numerics.fit_accepted:
            return None
        expected = float(quiet)
        derivatives = dict(zip(DERIVATIVES, (slopes / value).tolist(), strict=True))
    return LimitResult(
        limit_mu_B=value,
        expected_mu_B=expected,
        best_fit_mu2=fit.best[0] * MU2_UNIT,
        nuisances=model.nuisances(fit.best),
        scan_mu2=fit.scan_x * MU2_UNIT,
        scan_q=fit.scan_q,
        derivatives=derivatives,
        status="traced" if traced else "converged",
        experiment=experiment.name,
        title=experiment.title,
        target=experiment.target,
        response=response.model,
        method="profile",
        convention=convention,
        confidence_level=confidence_level,
        delta=delta,
        data=data,
        residual=fit.residual,
        threshold_keV=parameters.threshold_keV,
        exposure_kg_day=parameters.exposure_kg_day,
        bin_edges_keV=parameters.bin_edges_keV,
        counts=model.counts,
        errors=model.errors,
        background=model.expected_background(fit.best),
        signal=value**2 / MU2_UNIT * model.signal,
        notes=() if traced else _notes(model, value**2 / MU2_UNIT, fit),
    )


def _notes(model: Likelihood, x: float, fit: "_Fit") -> tuple[str, ...]:
    """Whether few counts are expected where the signal lies, at the limit."""
    if isinstance(model, ExperimentModel):
        return asymptotic_notes(model.model, np.array([x, *fit.best[1:]]))
    return few_counts(model.signal, x * model.signal + model.expected_background(fit.best))


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


class _Fit(NamedTuple):
    """What a limit leaves behind, in the units of the likelihood."""

    best: Float[Array, "P"]
    residual: Float[Array, ""]
    scan_x: Float[Array, "points"]
    scan_q: Float[Array, "points"]


def _likelihood(
    parameters: Parameters, experiment: Experiment, response: Response, data: str
) -> Likelihood:
    """The likelihood as a function of the parameters: the short one of a signal and one norm where
    that is all, which compiles in a few seconds, else the general one."""
    experiment = dataclasses.replace(experiment, parameters=parameters)
    weak = experiment.adds_cevns or experiment.adds_weak
    if experiment.systematics or experiment.data_kind != "counts" or weak:
        return experiment_model(experiment, response, data)
    signal, background = templates(experiment, response, background_moves=data == "Asimov")
    counts = experiment.counts if data == "observed" else None
    return BinnedModel(
        counts=background if counts is None else counts,
        signal=signal * MU2_UNIT,
        background=background,
        background_uncertainty=parameters.background_uncertainty,
        background_floating=experiment.background_floating,
    )


def _mu_limit(model: Likelihood, delta: float, numerics: Numerics) -> tuple[Float[Array, ""], _Fit]:
    """Limit on μ_ν [μ_B] as a function of the likelihood."""
    if isinstance(model, ExperimentModel):
        x, found, good = upper_end(model.model, delta**0.5)
        best, found, frozen = jax.lax.stop_gradient((found.theta, found, model.model))
        scan_x = jnp.linspace(0.0, 2.0 * jax.lax.stop_gradient(x), numerics.scan_points)
        values = jax.vmap(lambda x: at_x(frozen, x, found, STATISTICS).value)(scan_x)
        residual = jnp.where(good, 0.0, jnp.inf)
        return jnp.sqrt(x * MU2_UNIT), _Fit(best, residual, scan_x, 2.0 * (values - found.value))
    x, (best, residual) = upper_limit(model, delta, numerics)
    constant = jax.lax.stop_gradient((model, best, x))
    scan_x = jnp.linspace(0.0, 2.0 * constant[2], numerics.scan_points)
    scan_q = profile_ratio(scan_x, constant[1], constant[0], numerics)
    return jnp.sqrt(x * MU2_UNIT), _Fit(best, residual, scan_x, scan_q)


# Two compiled programs, each with derivatives along a few directions, so that the second serves
# every set of nodes. A limit under jax.grad compiles its own.
@partial(jax.jit, static_argnames=("data",))
def _model_and_tangents(
    parameters: Parameters, experiment: Experiment, response: Response, data: str
) -> tuple[Likelihood, Likelihood]:
    """The likelihood, and its derivatives by ln of DERIVATIVES (stacked on a first axis).

    A common factor of the fluxes is one of the signal, so no derivative passes through the atom.
    """

    def build(logs: Float[Array, "directions"]) -> Likelihood:
        factors = dict(zip(DERIVATIVES.values(), 1.0 + logs, strict=True))
        flux = factors.pop("source")
        moved = {name: getattr(parameters, name) * factor for name, factor in factors.items()}
        model = _likelihood(dataclasses.replace(parameters, **moved), experiment, response, data)
        return model.with_signal(flux)

    def along(direction: Float[Array, "directions"]) -> tuple[Likelihood, Likelihood]:
        return jax.jvp(build, (jnp.zeros(len(DERIVATIVES)),), (direction,))

    return jax.vmap(along, out_axes=(None, 0))(jnp.eye(len(DERIVATIVES)))


@partial(jax.jit, static_argnames=("numerics",))
def _fit_and_tangents(
    model: Likelihood, moved: Likelihood, delta: float, numerics: Numerics
) -> tuple[Float[Array, ""], Float[Array, "directions"], _Fit]:
    """The limit, its derivatives along the `moved` directions, and the fit."""

    def along(tangent: Likelihood) -> tuple[Array, Array, _Fit]:
        solve = partial(_mu_limit, delta=delta, numerics=numerics)
        return jax.jvp(solve, (model,), (tangent,), has_aux=True)

    return jax.vmap(along, out_axes=(None, 0, None))(moved)


_fit = jax.jit(_mu_limit, static_argnames=("numerics",))


def convergence(
    result: LimitResult,
    experiment: Experiment | Sequence[Experiment],
    response: Response | Sequence[Response] | None = None,
    refined: Likelihood | Sequence[Likelihood] | None = None,
) -> float:
    """Relative change of a limit when the nodes of its integrals over T, E, Q and bins are doubled.

    The source keeps its own nodes: how well those hold φ(E) is tested with the sources. By the
    methods "bayes", "nuts" and "feldman-cousins" it is the change of the profile limit.
    refined: from `refined_model`, if it is at hand; of several experiments one for each.
    """
    experiments = listed(experiment)
    responses = atoms_of(experiments, response)
    if refined is None:
        refined = [
            refined_model(*pair, result.data) for pair in zip(experiments, responses, strict=True)
        ]
    models: list[Any] = list(refined) if isinstance(refined, list | tuple) else [refined]
    if result.method == "profile" and len(models) == 1 and result.interval_mu2 is None:
        still = jax.tree.map(lambda leaf: np.zeros((len(DERIVATIVES), *leaf.shape)), models[0])
        value, _, _ = _fit_and_tangents(models[0], still, result.delta, experiments[0].numerics)
        return abs(float(value) / result.limit_mu_B - 1.0)
    plain = [
        _compiled_model(one.parameters, one, atom, result.data)
        for one, atom in zip(experiments, responses, strict=True)
    ]
    names = tuple(one.name for one in experiments)
    values = [_joint_value(tuple(m), names, result) for m in (models, plain)]
    return abs(float((values[0] / values[1]) ** 0.5) - 1.0)


def _joint_value(
    models: tuple[Likelihood, ...], names: tuple[str, ...], result: LimitResult
) -> Any:
    """Limit on x by the result's method if it is asymptotic, else by the profile."""
    from jaxnu.inference.crossing import METHODS as ASYMPTOTIC
    from jaxnu.inference.crossing import limit_value
    from jaxnu.inference.joint import general, joint_model

    asymptotic = result.method in ASYMPTOTIC
    choice = (result.method, result.convention) if asymptotic else ("profile", "two-sided")
    joint = joint_model([general(m) for m in models], names, result.shared)
    return limit_value(joint, choice[0], result.confidence_level, choice[1])


def refined_model(
    experiment: Experiment, response: Response | None = None, data: str = "observed"
) -> Likelihood:
    """The likelihood with doubled nodes in T, E, Q and bins. Arguments as in `limit`."""
    response = _checked_atom(experiment, response, data)
    return _compiled_model(experiment.parameters, experiment.refined(2), response, data)


def checked_model(
    experiment: Experiment, response: Response | None = None, data: str = "observed"
) -> tuple[Likelihood, Response]:
    """(the likelihood, the atom) on the host, after the checks of `limit`. Arguments as there."""
    response = _checked_atom(experiment, response, data)
    model = _compiled_model(experiment.parameters, experiment, response, data)
    model = jax.tree.map(np.asarray, model)
    check_templates(experiment, model)
    return model, response


def _checked_atom(experiment: Experiment, response: Response | None, data: str) -> Response:
    """The atom, after a look at what goes into a likelihood."""
    check_experiment(experiment, data)
    if response is None:
        response = make_response(experiment.target)
    check_target(experiment, response)
    check_parameters(experiment)
    return response


_compiled_model = jax.jit(_likelihood, static_argnames=("data",))


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
    if isinstance(model, BinnedModel) and model.background_floating and model.one_shape():
        raise FitError(
            f"{experiment.name}: signal and background have one shape (bins: {signal.size}) and "
            "the background floats, so that counts cannot tell them apart; constrain the "
            "background or use more bins"
        )


def _check_fit(experiment: Experiment, model: Likelihood, fit: _Fit) -> None:
    """Refuse templates from which no limit follows, and a fit that did not converge."""
    check_templates(experiment, model)
    if not fit.residual < experiment.numerics.fit_accepted:
        raise FitError(
            f"the fit of {experiment.name} did not converge: its equations are left with "
            f"{float(fit.residual):.2g} (allowed {experiment.numerics.fit_accepted:g}, in units of "
            f"1σ); last point μ² = {fit.best[0] * MU2_UNIT:.3g} μ_B², nuisances "
            f"{ {n: float(v) for n, v in model.nuisances(fit.best).items()} }; inspect counts and "
            "background for bins far apart"
        )


__all__ = ["LimitResult", "convergence", "limit", "sensitivity"]
