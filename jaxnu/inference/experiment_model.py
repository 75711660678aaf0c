"""An experiment as a likelihood of x = μ²/(1e-11 μ_B)²: every kind of data, every systematic."""

import dataclasses
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnu.counts import background_counts, signal_counts
from jaxnu.experiments.experiment import SYSTEMATICS, Experiment
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

MU2_UNIT = 1e-22  # fits run in μ²/(1e-11 μ_B)², of order one
BACKGROUND = "background"  # the nuisance of its norm
NORMS = ("flux", "exposure")  # systematics that are a factor of the signal


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ExperimentModel:
    """The likelihood of an experiment, and per bin what went into it.

    model: x is μ²/(1e-11 μ_B)², the nuisances are "background", a factor 1 + σα of the background
        (σ = 1 where it floats), and the experiment's systematics.
    counts, errors: the data and their 1σ, ON − OFF in counts where they are a difference.
    signal: at x = 1. background: nominal, zero in a difference.
    background_uncertainty: σ.
    """

    model: Model
    counts: Float[Array, "bins"]
    errors: Float[Array, "bins"]
    signal: Float[Array, "bins"]
    background: Float[Array, "bins"]
    background_uncertainty: Float[Array, ""]

    def with_signal(self, factor: Float[Array, ""]) -> "ExperimentModel":
        """The signal and its variations multiplied by a factor."""

        def scaled(m: Measurement) -> Measurement:
            each = jnp.where(jnp.asarray(m.signal), factor, 1.0)
            return dataclasses.replace(
                m, template=each[:, None] * m.template, shift=each[:, None, None] * m.shift
            )

        model = dataclasses.replace(
            self.model, measurements=tuple(scaled(m) for m in self.model.measurements)
        )
        return dataclasses.replace(self, model=model, signal=factor * self.signal)

    def asimov(self) -> "ExperimentModel":
        """The expected background as the data."""
        quiet = asimov(self.model, jnp.zeros(len(self.model.names)))
        return dataclasses.replace(self, model=quiet, counts=_seen(quiet)[0])

    def nuisances(self, theta: Float[Array, "P"]) -> dict[str, Array]:
        """The norm of the background as a factor, each systematic in units of its 1σ."""
        named = dict(zip(self.model.nuisances, theta[1:], strict=True))
        if BACKGROUND in named:
            named[BACKGROUND] = 1.0 + self.background_uncertainty * named[BACKGROUND]
        return named

    def expected_background(self, theta: Float[Array, "P"]) -> Float[Array, "bins"]:
        """Background per bin at a point θ of the fit, without what other nuisances do to it."""
        return self.nuisances(theta).get(BACKGROUND, jnp.ones(())) * self.background


def experiment_model(experiment: Experiment, response: Response, data: str) -> ExperimentModel:
    """The likelihood of an experiment as a function of its parameters, for tracing too.

    experiment: with data of any kind and any systematics. response: the atom.
    data: "observed", or "Asimov": the expected background, which moves with the parameters.
    A systematic of relative 1σ σ on a parameter p adds the shape α σ ∂s/∂ln p to the signal s, and
    to the background where its rate is one before the efficiency; of the flux or the exposure it
    is a factor 1 + σα of the signal. With ON − OFF data the background and its nuisance are gone.
    """
    p = experiment.parameters
    moves = data == "Asimov"
    shapes = [name for name, parameter in experiment.systematics if parameter not in NORMS]
    chosen = [SYSTEMATICS[what] for _, what in experiment.systematics if what not in NORMS]

    def templates(logs: Float[Array, "shapes"], moves: bool) -> tuple[Array, Array]:
        changed = {name: jnp.ones(()) for name in chosen}
        for k, name in enumerate(chosen):
            changed[name] *= 1.0 + logs[k]
        moved = {name: factor * getattr(p, name) for name, factor in changed.items()}
        here = dataclasses.replace(experiment, parameters=dataclasses.replace(p, **moved))
        return signal_counts(here, response) * MU2_UNIT, background_counts(here, moves)

    zero = jnp.zeros(len(chosen))
    signal, background = templates(zero, moves)
    sigma = dict(zip((n for n, _ in experiment.systematics), p.systematic_uncertainty, strict=True))
    shifts: list[dict[str, Array]] = [{}, {}]
    if chosen:
        free = not experiment.background_has_efficiency

        def along(direction: Array) -> tuple[Array, Array]:
            return jax.jvp(lambda logs: templates(logs, free), (zero,), (direction,))[1]

        slopes = jax.vmap(along)(jnp.eye(len(chosen)))
        for shift, slope in zip(shifts, slopes, strict=True):
            shift |= {name: sigma[name] * slope[k] for k, name in enumerate(shapes)}
        if not free:
            shifts[1] = {}
    norms = {n: sigma[n] for n, what in experiment.systematics if what in NORMS}
    floating = experiment.background_floating
    width = jnp.ones(()) if floating else p.background_uncertainty
    parts = [Sample("signal", signal, signal=True, norms=norms, shapes=shifts[0])]
    if experiment.data_kind != "difference":
        parts.append(Sample("background", background, norms={BACKGROUND: width}, shapes=shifts[1]))
    measured = _measurement(experiment, parts, background, data)
    known = experiment.data_kind != "difference"
    model = build_model(measured, free=(BACKGROUND,) if floating and known else ())
    seen = background if known else jnp.zeros_like(background)
    return ExperimentModel(model, *_seen(model), signal, seen, width)


def _measurement(
    experiment: Experiment, parts: list[Sample], background: Array, data: str
) -> Measurement:
    """The samples with the observed, or the expected, data."""
    name, p = experiment.name, experiment.parameters
    on, off, spectrum = experiment.counts, experiment.off_counts, experiment.difference
    ratio = p.off_exposure_kg_day / p.exposure_kg_day
    if data == "Asimov" or on is None:
        on = background
    if data == "Asimov" or off is None:
        off = ratio * background
    if experiment.data_kind == "counts":
        return binned(name, on, parts)
    if experiment.data_kind == "on-off":
        return on_off(name, on, off, ratio, parts)
    if spectrum is not None:
        values, errors = spectrum * p.exposure_kg_day * jnp.diff(p.bin_edges_keV)
        return difference(name, values if data == "observed" else 0.0 * values, parts, sigma=errors)
    # Poisson fluctuations of the background, ON and OFF, the OFF counts scaled to the ON time
    sigma = jnp.sqrt(background * (1.0 + 1.0 / ratio))
    return difference(name, jnp.zeros_like(background), parts, sigma=sigma)


def _seen(model: Model) -> tuple[Float[Array, "bins"], Float[Array, "bins"]]:
    """Data of the only measurement and their 1σ."""
    data = model.measurements[0].data
    if "counts" in data:
        return data["counts"], jnp.sqrt(data["counts"])
    return data["values"], 1.0 / jnp.diagonal(data["whitening"])
