"""Upper limits on μ_ν from an experiment, and forecasts of them."""

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnu import checks
from jaxnu.counts import check_parameters, check_target, templates
from jaxnu.errors import FitError, InputError
from jaxnu.experiments.experiment import Experiment, Parameters
from jaxnu.inference.crossing import at_x, upper_end
from jaxnu.inference.experiment_model import MU2_UNIT, ExperimentModel, experiment_model
from jaxnu.inference.likelihood import BinnedModel
from jaxnu.inference.limit_inputs import (
    Likelihood,
    atoms_of,
    check_experiment,
    check_method,
    check_shapes,
    check_templates,
    checked_atom,
    listed,
    statistic_threshold,
)
from jaxnu.inference.limit_result import LimitResult
from jaxnu.inference.notes import asymptotic_notes, few_counts
from jaxnu.inference.profile_limit import profile_ratio, upper_limit
from jaxnu.inference.settings import STATISTICS
from jaxnu.precision import require_x64
from jaxnu.responses.base import Response
from jaxnu.settings import Numerics

# name of a logarithmic derivative → the field of Parameters that is scaled
DERIVATIVES = {
    "threshold_keV": "threshold_keV",
    "exposure": "exposure_kg_day",
    "resolution": "resolution_keV",
    "background": "background",
    "flux": "source",
}


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
    confidence_level: from 0.001 to below 1; from 0.5005 for a one-sided profile.
    convention: "two-sided", Δ = z²((1+CL)/2), or "one-sided", Δ = z²(CL); None is the method's own.
    method: "profile"; "cls", "clsb", "bayes", "nuts" or "feldman-cousins" as in `inference.infer`.
    details: pulls, impacts, significance and bands too; some seconds more to compile. Other methods
        and several experiments have them always.
    shared: of several experiments, systematics by name that are one and the same in all.
    seed: of the toys of "feldman-cousins" and the chains of "nuts", a whole number from 0.
    Returns a LimitResult; its limit_mu_B is differentiable in experiment.parameters and response
        (methods profile, cls, clsb):
        jax.grad(lambda p: limit(experiment.replace(parameters=p)).limit_mu_B)(parameters).
        Traced code has the short likelihood of one signal and one norm alone: NaN where that does
        not do (a norm that few counts push to zero), while the same call outside has a limit.
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
            if not several:
                check_shapes(e, model)
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

    None where the short likelihood does not do: a norm that ends at zero, a valley, a failed fit.
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
        check_templates(experiment, model)
        check_shapes(experiment, model)
        if isinstance(model, BinnedModel) and not np.isfinite(fit.residual):
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
    finer, value = (float(_joint_value(tuple(m), names, result)) ** 0.5 for m in (models, plain))
    if finer == value == 0.0:  # CL_s+b may exclude every x
        return 0.0
    return abs(finer / value - 1.0) if value > 0.0 else 1.0


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
    response = checked_atom(experiment, response, data)
    return _compiled_model(experiment.parameters, experiment.refined(2), response, data)


def checked_model(
    experiment: Experiment, response: Response | None = None, data: str = "observed"
) -> tuple[Likelihood, Response]:
    """(the likelihood, the atom) on the host, after the checks of `limit`. Arguments as there."""
    response = checked_atom(experiment, response, data)
    model = _compiled_model(experiment.parameters, experiment, response, data)
    model = jax.tree.map(np.asarray, model)
    check_templates(experiment, model)
    return model, response


_compiled_model = jax.jit(_likelihood, static_argnames=("data",))


def _check_fit(experiment: Experiment, model: Likelihood, fit: _Fit) -> None:
    """Refuse a fit that did not converge."""
    if not fit.residual < experiment.numerics.fit_accepted:
        raise FitError(
            f"the fit of {experiment.name} did not converge: its equations are left with "
            f"{float(fit.residual):.2g} (allowed {experiment.numerics.fit_accepted:g}, in units of "
            f"1σ); last point μ² = {fit.best[0] * MU2_UNIT:.3g} μ_B², nuisances "
            f"{ {n: float(v) for n, v in model.nuisances(fit.best).items()} }; inspect counts and "
            "background for bins far apart"
        )


__all__ = ["convergence", "limit", "sensitivity"]
