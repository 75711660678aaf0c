"""An experiment as a likelihood of x = μ²/(1e-11 μ_B)², and of further parameters of the neutrino:
every kind of data, every systematic."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnu.counts import background_counts, cevns_deposits, channel_deposits, weak_deposits
from jaxnu.experiments.experiment import SPECTRUM, SURVIVAL, SYSTEMATICS, Experiment
from jaxnu.inference.measurements import binned, build_model, difference, on_off
from jaxnu.inference.model import Measurement, Model, Sample
from jaxnu.inference.pseudodata import asimov
from jaxnu.responses.base import Response
from jaxnu.smearing import Deposits, recorded

MU2_UNIT = 1e-22  # fits run in μ²/(1e-11 μ_B)², of order one
SIGNAL, BACKGROUND = "signal", "background"  # samples; background is the nuisance of its norm too
CEVNS, WEAK = "cevns", "weak"  # samples of weak scattering on nuclei, on electrons
NORMS = ("flux", "exposure")  # systematics that are a factor of all that the source sends


@dataclass(frozen=True)
class Term:
    """A product of powers of parameters times the counts of a channel (static).

    channel: name, as in `Channel`. powers: pairs (parameter, power). unit: of the product, for the
        parameters of the fit are of order one.
    """

    channel: str
    powers: tuple[tuple[str, int], ...]
    unit: float


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ExperimentModel:
    """The likelihood of an experiment, and per bin what went into it.

    model: x is μ²/(1e-11 μ_B)², the nuisances are "background", a factor 1 + σα of the background
        (σ = 1 where it floats), and the experiment's systematics; parameters of the terms, if any.
    counts, errors: the data and their 1σ, ON − OFF in counts where they are a difference.
    signal: at x = 1. background: nominal, zero in a difference.
    beside: expected beside both: CEvNS, and weak scattering on electrons where it is added.
    background_uncertainty: σ.
    source_variance: how much of errors² goes with the flux of the source, where errors are those of
        a forecast of a difference; zero otherwise.
    expected: the data are what is expected without a signal, and move with the flux (static).
    """

    model: Model
    counts: Float[Array, "bins"]
    errors: Float[Array, "bins"]
    signal: Float[Array, "bins"]
    background: Float[Array, "bins"]
    background_uncertainty: Float[Array, ""]
    beside: Float[Array, "bins"]
    source_variance: Float[Array, "bins"]
    expected: bool = field(default=False, metadata={"static": True})

    def with_signal(self, factor: Float[Array, ""]) -> "ExperimentModel":
        """All that the source sends multiplied by a factor: signal and weak scattering with their
        variations, and expected data."""

        errors = self.errors
        forecast = self.expected and self.model.measurements[0].kind == "difference"
        if forecast:
            errors = jnp.sqrt(errors**2 + (factor - 1.0) * self.source_variance)

        def scaled(m: Measurement) -> Measurement:
            sent = jnp.array([name != BACKGROUND for name in m.samples])
            each = jnp.where(sent, factor, 1.0)
            return dataclasses.replace(
                m,
                template=each[:, None] * m.template,
                shift=each[:, None, None] * m.shift,
                data={**m.data, "whitening": jnp.diag(1.0 / errors)} if forecast else m.data,
            )

        moved = dataclasses.replace(
            self,
            model=dataclasses.replace(
                self.model, measurements=tuple(scaled(m) for m in self.model.measurements)
            ),
            signal=factor * self.signal,
            beside=factor * self.beside,
            errors=errors,
            source_variance=factor * self.source_variance,
        )
        return moved.asimov() if self.expected else moved

    def asimov(self) -> "ExperimentModel":
        """The expected background as the data."""
        quiet = asimov(self.model, jnp.zeros(len(self.model.names)))
        counts, errors = _seen(quiet)
        return dataclasses.replace(self, model=quiet, counts=counts, errors=errors)

    def nuisances(self, theta: Float[Array, "P"]) -> dict[str, Array]:
        """The norm of the background as a factor, each systematic in units of its 1σ."""
        named = dict(zip(self.model.nuisances, theta[1:], strict=True))
        if BACKGROUND in named:
            named[BACKGROUND] = 1.0 + self.background_uncertainty * named[BACKGROUND]
        return named

    def expected_background(self, theta: Float[Array, "P"]) -> Float[Array, "bins"]:
        """Background and weak scattering per bin at a point θ of the fit, without what other
        nuisances and parameters do."""
        return self.nuisances(theta).get(BACKGROUND, jnp.ones(())) * self.background + self.beside


def experiment_model(
    experiment: Experiment,
    response: Response,
    data: str,
    terms: tuple[Term, ...] = (),
    moment_weights: Float[Array, "2"] | None = None,
) -> ExperimentModel:
    """The likelihood of an experiment as a function of its parameters, for tracing too.

    experiment: with data of any kind and any systematics. response: the atom.
    data: "observed", or "Asimov": what is expected without a signal, which moves with the
        parameters.
    terms: what further parameters of the neutrino, without bounds here, add or take away.
    moment_weights: (w0, w1), the signal of the flux times w0 + w1 P_ee(E), for x the square of one
        element of the matrix of moments; None for 1.
    A systematic of relative 1σ σ on a parameter p adds the shape α σ ∂s/∂ln p to what the source
    sends, s, and to the background where its rate is one before the efficiency; of the flux or the
    exposure it is a factor 1 + σα of s; of the spectrum it adds α σ s[δφ], the counts of the
    variation δφ; of the survival probability it adds α σ ∂s/∂ln P_ee. With ON − OFF data the
    background and its nuisance are gone.
    """
    p = experiment.parameters
    moves = data == "Asimov"
    known = experiment.data_kind != "difference"
    # what a difference has of the source: that of ON less that of OFF
    net = jnp.ones(()) if known else 1.0 - p.off_fraction
    sent = [SIGNAL, *[CEVNS] * experiment.adds_cevns, *[WEAK] * experiment.adds_weak]
    names = (*sent, *(term.channel for term in terms))
    units = (MU2_UNIT, *[1.0] * (len(sent) - 1), *(term.unit for term in terms))

    def deposits(here: Experiment) -> Deposited:
        return tuple(_left(name, here, response, moment_weights) for name in sent) + tuple(
            channel_deposits(here, response, term.channel) for term in terms
        )

    def counts(here: Experiment, left: Deposited) -> tuple[Array, ...]:
        return tuple(
            net * recorded(here, part) * unit for part, unit in zip(left, units, strict=True)
        )

    def anew(here: Experiment) -> tuple[Array, ...]:
        return counts(here, deposits(here))

    left = deposits(experiment)
    templates = counts(experiment, left)
    background = background_counts(experiment, moves)
    *shapes, background_shapes = _detector_shapes(
        experiment, lambda here: counts(here, left), len(names)
    )
    varied = _spectrum_shapes(experiment, anew, len(names))
    survived = _survival_shapes(experiment, anew, len(names))
    sigma = _sigma(experiment)
    norms = {n: sigma[n] for n, what in experiment.systematics if what in NORMS}
    floating = experiment.background_floating
    width = jnp.ones(()) if floating else p.background_uncertainty
    powers = ((),) * len(sent) + tuple(term.powers for term in terms)
    parts = [
        Sample(name, template, name == SIGNAL, norms, shape | more | P_ee, powers=power)
        for name, template, shape, more, P_ee, power in zip(
            names, templates, shapes, varied, survived, powers, strict=True
        )
    ]
    if known:
        parts.append(
            Sample(BACKGROUND, background, norms={BACKGROUND: width}, shapes=background_shapes)
        )
    beside = sum(templates[1 : len(sent)], jnp.zeros_like(background))
    measured, source_variance = _measurements(experiment, parts, beside, background, data)
    free = [BACKGROUND] * (floating and known) + [name for term in terms for name, _ in term.powers]
    model = build_model(measured, free=tuple(dict.fromkeys(free)))
    return ExperimentModel(
        model, *_seen(model), templates[0], background if known else jnp.zeros_like(background),
        width, beside, source_variance, expected=moves,
    )  # fmt: skip


Deposited = tuple[tuple[Deposits, ...], ...]
Counts = Callable[[Experiment], tuple[Array, ...]]


def _left(
    name: str, experiment: Experiment, response: Response, moment_weights: Array | None
) -> tuple[Deposits, ...]:
    """What signal, CEvNS or weak scattering on electrons leave in the detector."""
    if name == CEVNS:
        return cevns_deposits(experiment)
    if name == WEAK:
        return weak_deposits(experiment, response)
    if moment_weights is not None:
        source = experiment.parameters.source.weighted(*moment_weights)
        parameters = dataclasses.replace(experiment.parameters, source=source)
        experiment = dataclasses.replace(experiment, parameters=parameters)
    return channel_deposits(experiment, response, "magnetic")


def _sigma(experiment: Experiment) -> dict[str, Array]:
    """Relative 1σ of each systematic by name."""
    sigma = experiment.parameters.systematic_uncertainty
    return dict(zip((name for name, _ in experiment.systematics), sigma, strict=True))


def _detector_shapes(
    experiment: Experiment, counts: Counts, samples: int
) -> tuple[dict[str, Array], ...]:
    """By name what 1σ of each systematic of the detector adds to what the source sends, sample by
    sample, and last to the background.

    counts: of these samples for an experiment with another detector: what the source leaves in it
        stays, so that no atom is evaluated again.
    """
    p, sigma = experiment.parameters, _sigma(experiment)
    elsewhere = (*NORMS, SPECTRUM, SURVIVAL)
    moved = [(n, what) for n, what in experiment.systematics if what not in elsewhere]
    if not moved:
        return ({},) * (samples + 1)
    fields = [SYSTEMATICS[what] for _, what in moved]
    zero = jnp.zeros(len(fields))

    def templates(logs: Float[Array, "shapes"]) -> tuple[Array, ...]:
        factors = {name: jnp.ones(()) for name in fields}
        for k, name in enumerate(fields):
            factors[name] *= 1.0 + logs[k]
        new = {name: factor * getattr(p, name) for name, factor in factors.items()}
        here = dataclasses.replace(experiment, parameters=dataclasses.replace(p, **new))
        return (*counts(here), background_counts(here, True))

    def along(direction: Array) -> tuple[Array, ...]:
        return jax.jvp(templates, (zero,), (direction,))[1]

    slopes = jax.vmap(along)(jnp.eye(len(fields)))
    *sent, background = (
        {name: sigma[name] * slope[k] for k, (name, _) in enumerate(moved)} for slope in slopes
    )
    return *sent, {} if experiment.background_has_efficiency else background


def _spectrum_shapes(
    experiment: Experiment, counts: Counts, samples: int
) -> tuple[dict[str, Array], ...]:
    """By name what 1σ of each systematic of the spectrum adds to what the source sends: the counts
    of its variation, for they are linear in the flux."""
    p, sigma = experiment.parameters, _sigma(experiment)
    names = [name for name, what in experiment.systematics if what == SPECTRUM]
    variations = p.source_variations
    if variations is None:
        return ({},) * samples

    def of(density: Array, line_flux: Array) -> tuple[Array, ...]:
        # on common panels: the nodes, and the atom there, are the same for all variations
        source = dataclasses.replace(variations, density=density, line_flux=line_flux)
        return counts(
            dataclasses.replace(experiment, parameters=dataclasses.replace(p, source=source))
        )

    found = jax.vmap(of)(variations.density, variations.line_flux)
    return tuple({name: sigma[name] * each[k] for k, name in enumerate(names)} for each in found)


def _survival_shapes(
    experiment: Experiment, counts: Counts, samples: int
) -> tuple[dict[str, Array], ...]:
    """By name what 1σ of each systematic of P_ee adds to what the source sends: σ ∂s/∂ln P_ee,
    exact, for counts are linear in P_ee."""
    p, sigma = experiment.parameters, _sigma(experiment)
    names = [name for name, what in experiment.systematics if what == SURVIVAL]
    if not names:
        return ({},) * samples

    def of(factor: Array) -> tuple[Array, ...]:
        source = dataclasses.replace(p.source, survival=factor * p.source.survival)
        return counts(
            dataclasses.replace(experiment, parameters=dataclasses.replace(p, source=source))
        )

    slopes = jax.jvp(of, (jnp.ones(()),), (jnp.ones(()),))[1]
    return tuple({name: sigma[name] * slope for name in names} for slope in slopes)


def _measurements(
    experiment: Experiment, parts: list[Sample], beside: Array, background: Array, data: str
) -> tuple[tuple[Measurement, ...], Array]:
    """The samples with the observed, or the expected, data; and what the errors of a forecast of a
    difference owe to the source."""
    name, p = experiment.name, experiment.parameters
    on, off, spectrum = experiment.counts, experiment.off_counts, experiment.difference
    ratio, nothing = p.off_exposure_kg_day / p.exposure_kg_day, jnp.zeros_like(background)
    if data == "Asimov" or on is None:
        on = background + beside
    if data == "Asimov" or off is None:
        off = ratio * (background + p.off_fraction * beside)
    if experiment.data_kind == "counts":
        return (binned(name, on, parts),), nothing
    if experiment.data_kind == "on-off":
        if not (experiment.off_source or {s.name for s in parts} - {SIGNAL, BACKGROUND}):
            return (on_off(name, on, off, ratio, parts),), nothing
        # the source, or part of it, is in the OFF data too: two spectra with the same nuisances
        seen = [
            _scaled(s, ratio * (1.0 if s.name == BACKGROUND else p.off_fraction)) for s in parts
        ]
        return (binned(name, on, parts), binned(f"{name} OFF", off, seen)), nothing
    if spectrum is not None:
        values, errors = spectrum * p.exposure_kg_day * jnp.diff(p.bin_edges_keV)
        if data == "Asimov":
            values = beside
        return (difference(name, values, parts, sigma=errors),), nothing
    # Poisson fluctuations of what is expected, ON and OFF, the OFF counts scaled to the ON time;
    # that of ON less OFF here
    each = beside / (1.0 - p.off_fraction)
    source_variance = each * (1.0 + p.off_fraction / ratio)
    sigma = jnp.sqrt(background * (1.0 + 1.0 / ratio) + source_variance)
    return (difference(name, beside, parts, sigma=sigma),), source_variance


def _scaled(sample: Sample, factor: Array) -> Sample:
    """A sample and its variations times a factor."""
    shapes = {name: factor * delta for name, delta in sample.shapes.items()}
    return dataclasses.replace(sample, template=factor * sample.template, shapes=shapes)


def _seen(model: Model) -> tuple[Float[Array, "bins"], Float[Array, "bins"]]:
    """Data of the first measurement, the one with the source, and their 1σ."""
    data = model.measurements[0].data
    if "counts" in data:
        return data["counts"], jnp.sqrt(data["counts"])
    return data["values"], 1.0 / jnp.diagonal(data["whitening"])
