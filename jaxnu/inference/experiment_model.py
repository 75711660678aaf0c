"""An experiment as a likelihood of x = μ²/(1e-11 μ_B)²: every kind of data, every systematic."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnu.counts import background_counts, cevns_deposits, signal_deposits
from jaxnu.experiments.experiment import SPECTRUM, SYSTEMATICS, Experiment
from jaxnu.inference.model import (
    Measurement,
    Model,
    Sample,
    asimov,
    binned,
    build_model,
    difference,
    on_off,
)
from jaxnu.responses.base import Response
from jaxnu.smearing import Deposits, recorded

MU2_UNIT = 1e-22  # fits run in μ²/(1e-11 μ_B)², of order one
BACKGROUND = "background"  # the nuisance of its norm
CEVNS = "cevns"  # the sample of coherent weak scattering: what the source sends, x apart
NORMS = ("flux", "exposure")  # systematics that are a factor of all that the source sends


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ExperimentModel:
    """The likelihood of an experiment, and per bin what went into it.

    model: x is μ²/(1e-11 μ_B)², the nuisances are "background", a factor 1 + σα of the background
        (σ = 1 where it floats), and the experiment's systematics.
    counts, errors: the data and their 1σ, ON − OFF in counts where they are a difference.
    signal: at x = 1. background: nominal, zero in a difference. cevns: fixed, beside both.
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
    cevns: Float[Array, "bins"]
    source_variance: Float[Array, "bins"]
    expected: bool = field(default=False, metadata={"static": True})

    def with_signal(self, factor: Float[Array, ""]) -> "ExperimentModel":
        """All that the source sends multiplied by a factor: the signal and CEvNS with their
        variations, and expected data."""

        errors = self.errors
        forecast = self.expected and self.model.measurements[0].kind == "difference"
        if forecast:
            errors = jnp.sqrt(errors**2 + (factor - 1.0) * self.source_variance)

        def scaled(m: Measurement) -> Measurement:
            sent = [s or name == CEVNS for s, name in zip(m.signal, m.samples, strict=True)]
            each = jnp.where(jnp.asarray(sent), factor, 1.0)
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
            cevns=factor * self.cevns,
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
        """Background and CEvNS per bin at a point θ of the fit, without what other nuisances do."""
        return self.nuisances(theta).get(BACKGROUND, jnp.ones(())) * self.background + self.cevns


def experiment_model(experiment: Experiment, response: Response, data: str) -> ExperimentModel:
    """The likelihood of an experiment as a function of its parameters, for tracing too.

    experiment: with data of any kind and any systematics. response: the atom.
    data: "observed", or "Asimov": what is expected without a signal, which moves with the
        parameters.
    A systematic of relative 1σ σ on a parameter p adds the shape α σ ∂s/∂ln p to the signal s and
    to CEvNS, and to the background where its rate is one before the efficiency; of the flux or the
    exposure it is a factor 1 + σα of signal and CEvNS; of the spectrum it adds α σ s[δφ], the
    counts of the variation δφ. With ON − OFF data the background and its nuisance are gone.
    """
    p = experiment.parameters
    moves = data == "Asimov"
    known = experiment.data_kind != "difference"
    # what a difference has of the source: that of ON less that of OFF
    net = jnp.ones(()) if known else 1.0 - p.off_fraction

    def deposits(here: Experiment) -> Deposited:
        return signal_deposits(here, response), cevns_deposits(here)

    def counts(here: Experiment, left: Deposited) -> tuple[Array, Array]:
        signal, cevns = (net * recorded(here, part) for part in left)
        return signal * MU2_UNIT, cevns

    left = deposits(experiment)
    signal, cevns = counts(experiment, left)
    background = background_counts(experiment, moves)
    shapes = _detector_shapes(experiment, lambda here: counts(here, left))
    varied = _spectrum_shapes(experiment, lambda here: counts(here, deposits(here)))
    sigma = _sigma(experiment)
    norms = {n: sigma[n] for n, what in experiment.systematics if what in NORMS}
    floating = experiment.background_floating
    width = jnp.ones(()) if floating else p.background_uncertainty
    parts = [Sample("signal", signal, signal=True, norms=norms, shapes=shapes[0] | varied[0])]
    if experiment.adds_cevns:
        parts.append(Sample(CEVNS, cevns, norms=norms, shapes=shapes[1] | varied[1]))
    if known:
        parts.append(Sample("background", background, norms={BACKGROUND: width}, shapes=shapes[2]))
    measured, source_variance = _measurements(experiment, parts, cevns, background, data)
    model = build_model(measured, free=(BACKGROUND,) if floating and known else ())
    return ExperimentModel(
        model, *_seen(model), signal, background if known else jnp.zeros_like(background), width,
        cevns, source_variance, expected=moves,
    )  # fmt: skip


Deposited = tuple[tuple[Deposits, ...], tuple[Deposits, ...]]
Counts = Callable[[Experiment], tuple[Array, Array]]


def _sigma(experiment: Experiment) -> dict[str, Array]:
    """Relative 1σ of each systematic by name."""
    sigma = experiment.parameters.systematic_uncertainty
    return dict(zip((name for name, _ in experiment.systematics), sigma, strict=True))


def _detector_shapes(experiment: Experiment, counts: Counts) -> tuple[dict[str, Array], ...]:
    """By name what 1σ of each systematic of the detector adds to signal, CEvNS and background.

    counts: (signal, CEvNS) of an experiment with another detector: what the source leaves in it
        stays, so that no atom is evaluated again.
    """
    p, sigma = experiment.parameters, _sigma(experiment)
    moved = [(n, what) for n, what in experiment.systematics if what not in (*NORMS, SPECTRUM)]
    if not moved:
        return {}, {}, {}
    fields = [SYSTEMATICS[what] for _, what in moved]
    zero = jnp.zeros(len(fields))

    def templates(logs: Float[Array, "shapes"]) -> tuple[Array, Array, Array]:
        factors = {name: jnp.ones(()) for name in fields}
        for k, name in enumerate(fields):
            factors[name] *= 1.0 + logs[k]
        new = {name: factor * getattr(p, name) for name, factor in factors.items()}
        here = dataclasses.replace(experiment, parameters=dataclasses.replace(p, **new))
        return (*counts(here), background_counts(here, True))

    def along(direction: Array) -> tuple[Array, Array, Array]:
        return jax.jvp(templates, (zero,), (direction,))[1]

    slopes = jax.vmap(along)(jnp.eye(len(fields)))
    signal, cevns, background = (
        {name: sigma[name] * slope[k] for k, (name, _) in enumerate(moved)} for slope in slopes
    )
    return signal, cevns, {} if experiment.background_has_efficiency else background


def _spectrum_shapes(experiment: Experiment, counts: Counts) -> tuple[dict[str, Array], ...]:
    """By name what 1σ of each systematic of the spectrum adds to signal and CEvNS: the counts of
    its variation, for they are linear in the flux."""
    p, sigma = experiment.parameters, _sigma(experiment)
    names = [name for name, what in experiment.systematics if what == SPECTRUM]
    variations = p.source_variations
    if variations is None:
        return {}, {}

    def of(density: Array, line_flux: Array) -> tuple[Array, Array]:
        # on common panels: the nodes, and the atom there, are the same for all variations
        source = dataclasses.replace(variations, density=density, line_flux=line_flux)
        return counts(
            dataclasses.replace(experiment, parameters=dataclasses.replace(p, source=source))
        )

    found = jax.vmap(of)(variations.density, variations.line_flux)
    signal, cevns = (
        {name: sigma[name] * each[k] for k, name in enumerate(names)} for each in found
    )
    return signal, cevns


def _measurements(
    experiment: Experiment, parts: list[Sample], cevns: Array, background: Array, data: str
) -> tuple[tuple[Measurement, ...], Array]:
    """The samples with the observed, or the expected, data; and what the errors of a forecast of a
    difference owe to the source."""
    name, p = experiment.name, experiment.parameters
    on, off, spectrum = experiment.counts, experiment.off_counts, experiment.difference
    ratio, nothing = p.off_exposure_kg_day / p.exposure_kg_day, jnp.zeros_like(background)
    if data == "Asimov" or on is None:
        on = background + cevns
    if data == "Asimov" or off is None:
        off = ratio * (background + p.off_fraction * cevns)
    if experiment.data_kind == "counts":
        return (binned(name, on, parts),), nothing
    if experiment.data_kind == "on-off":
        if not (experiment.adds_cevns or experiment.off_source):
            return (on_off(name, on, off, ratio, parts),), nothing
        # the source, or part of it, is in the OFF data too: two spectra with the same nuisances
        seen = [
            _scaled(s, ratio * (1.0 if s.name == BACKGROUND else p.off_fraction)) for s in parts
        ]
        return (binned(name, on, parts), binned(f"{name} OFF", off, seen)), nothing
    if spectrum is not None:
        values, errors = spectrum * p.exposure_kg_day * jnp.diff(p.bin_edges_keV)
        if data == "Asimov":
            values = cevns
        return (difference(name, values, parts, sigma=errors),), nothing
    # Poisson fluctuations of what is expected, ON and OFF, the OFF counts scaled to the ON time;
    # cevns is that of ON less OFF here
    each = cevns / (1.0 - p.off_fraction)
    source_variance = each * (1.0 + p.off_fraction / ratio)
    sigma = jnp.sqrt(background * (1.0 + 1.0 / ratio) + source_variance)
    return (difference(name, cevns, parts, sigma=sigma),), source_variance


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
