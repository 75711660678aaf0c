"""Expected counts per bin: rate, smeared by the resolution, times the efficiency."""

from collections.abc import Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxnu import checks
from jaxnu.cross_sections.channels import Channel
from jaxnu.cross_sections.differential import check_range
from jaxnu.cross_sections.kinematics import transfer_end
from jaxnu.detector import energy_resolution, mean_efficiency
from jaxnu.errors import InputError
from jaxnu.experiments.experiment import Experiment
from jaxnu.nuclear_counts import recoil_deposits
from jaxnu.numerics.quadrature import panel_nodes
from jaxnu.precision import require_x64
from jaxnu.rates import map_rates
from jaxnu.responses.base import Response
from jaxnu.smearing import Deposits, efficiency_curve, recorded

NUISANCES = ("background",)


def _transfer_edges(experiment: Experiment, response: Response) -> Float[Array, "edges"]:
    """Panel edges in T with every step of dR/dT among them: they move with it, and so do nodes."""
    source = experiment.parameters.source
    edges = jnp.asarray(experiment.transfer_edges_keV)
    ends = transfer_end(jnp.append(source.lines_keV, source.edges_keV[-1]))
    steps = jnp.concatenate([response.steps_keV, ends])
    return jnp.sort(jnp.concatenate([edges, jnp.clip(steps, edges[0], edges[-1])]))


def signal_counts(experiment: Experiment, response: Response) -> Float[Array, "bins"]:
    """Expected signal counts per bin and per μ² in μ_B² (a linear function of μ²).

    The magnetic scattering on what the experiment sees: electrons, nuclei, or both.
    """
    return recorded(experiment, signal_deposits(experiment, response))


def signal_deposits(experiment: Experiment, response: Response) -> tuple[Deposits, ...]:
    """What the signal leaves in the detector, before resolution, quenching and efficiency."""
    return channel_deposits(experiment, response, "magnetic")


def channel_deposits(
    experiment: Experiment, response: Response, channel: str
) -> tuple[Deposits, ...]:
    """What one channel leaves in the detector, on all that the experiment sees: electrons, nuclei,
    or both; per unit of the parameters that it is the coefficient of."""
    deposits: tuple[Deposits, ...] = ()
    if experiment.recoil != "nuclear":
        deposits += (_electron_deposits(experiment, response, channel),)
    if experiment.recoil != "electron":
        deposits += recoil_deposits(experiment, channel)
    return deposits


def electron_counts(experiment: Experiment, response: Response) -> Float[Array, "bins"]:
    """Expected counts of magnetic scattering on electrons per bin and per μ² in μ_B².

    exposure · ∫_bin dE' ε(E') [∫dT R(T) G(E'; T, σ(T)) + Σ_n R_n G(E'; T_n, σ(T_n))]: smeared
    first, then multiplied by the efficiency ε of the reconstructed energy E'. With a response
    matrix P: exposure · [∫dT R(T) P_b(T) + Σ_n R_n P_b(T_n)].
    """
    return recorded(experiment, (_electron_deposits(experiment, response, "magnetic"),))


def _electron_deposits(experiment: Experiment, response: Response, name: str) -> Deposits:
    source, numerics = experiment.parameters.source, experiment.numerics
    channel = Channel(name, antineutrino=source.antineutrino)
    T, weight = panel_nodes(_transfer_edges(experiment, response), numerics.transfer_order)
    T, weight = T.ravel(), weight.ravel()
    channel.check(response)
    smooth, lines = map_rates(T, source, response, channel, numerics)
    T = jnp.concatenate([T, response.lines().T_keV])
    return Deposits(T, jnp.concatenate([weight * smooth, lines]))


def cevns_counts(experiment: Experiment) -> Float[Array, "bins"]:
    """Expected counts of coherent weak scattering on nuclei that are neither signal nor in the
    background: zero for electron recoils, or where the background's rate has them."""
    return recorded(experiment, cevns_deposits(experiment))


def cevns_deposits(experiment: Experiment) -> tuple[Deposits, ...]:
    """What that scattering leaves in the detector."""
    return recoil_deposits(experiment, "weak") if experiment.adds_cevns else ()


def weak_counts(experiment: Experiment, response: Response) -> Float[Array, "bins"]:
    """Expected counts of weak scattering on electrons that are not in the background: zero unless
    the experiment says that its background is without."""
    return recorded(experiment, weak_deposits(experiment, response) if experiment.adds_weak else ())


def weak_deposits(experiment: Experiment, response: Response) -> tuple[Deposits, ...]:
    """What weak scattering on electrons leaves in the detector, where electrons are seen."""
    seen = experiment.recoil != "nuclear"
    return (_electron_deposits(experiment, response, "weak"),) if seen else ()


def background_counts(experiment: Experiment, moves: bool = True) -> Float[Array, "bins"]:
    """Expected background counts per bin, exposure · rate · efficiency · bin width.

    moves: the background passes the efficiency as the parameters have it now, like the signal: what
    a detector with these parameters would see. False: the efficiency as loaded, so that the shape
    stays fixed: what goes with counts that were taken once.
    A file's rate may be one of detected events; it is divided by the efficiency as loaded first.
    """
    p = experiment.parameters
    loaded = experiment.acceptance
    rate = p.background * (1.0 if experiment.background_has_efficiency else loaded)
    if moves:
        now = mean_efficiency(*efficiency_curve(experiment), experiment.numerics.bin_order)
        seen = now / jnp.where(loaded > 0.0, loaded, 1.0)
        rate = p.background * (seen if experiment.background_has_efficiency else now)
    return p.exposure_kg_day * rate * jnp.diff(p.bin_edges_keV)


@partial(jax.jit, static_argnames=("background_moves",))
def templates(
    experiment: Experiment, response: Response, background_moves: bool = True
) -> tuple[Float[Array, "bins"], Float[Array, "bins"]]:
    """(signal_counts, background_counts), compiled together: all there is without weak scattering.

    Raises InputError for an experiment that expects CEvNS, or weak scattering on electrons, too,
        which no norm may move: its likelihood is that of `experiment_model`.
    """
    if experiment.adds_cevns or experiment.adds_weak:
        what = "CEvNS" if experiment.adds_cevns else "weak scattering on electrons"
        raise InputError(
            f"experiment = {experiment.name!r} expects {what} beside signal and background; "
            "allowed here: an experiment without; use expected_counts, signal_counts, cevns_counts"
        )
    background = background_counts(experiment, background_moves)
    return signal_counts(experiment, response), background


def expected_counts(
    experiment: Experiment,
    mu2: ArrayLike,
    response: Response,
    nuisances: Mapping[str, ArrayLike] | None = None,
) -> Float[Array, "bins"]:
    """Expected counts per bin: magnetic signal plus background.

    CEvNS is added where the experiment sees nuclear recoils and its background is without, and
    weak scattering on electrons where the file says that the background is without.

    experiment: from load_experiment; differentiable in all of experiment.parameters.
    mu2: μ_ν² [μ_B²].
    response: the atom, from jaxnu.response, of the experiment's target.
    nuisances: {"background": norm}, 1 by default.
    Returns (bins,) counts. The weak signal is part of a background that was measured or modelled
        with it; a file without one (has_background is False) has zero here.
    Raises InputError for μ² outside [0, 1e-12], a response of another element, an unknown nuisance,
        or a parameter out of its range.
    """
    require_x64("expected_counts")
    checks.instance("experiment", experiment, Experiment, "load_experiment(name) gives one")
    check_target(experiment, response)
    check_parameters(experiment)
    checks.magnetic_moment_squared("mu2", mu2)
    nuisances = dict(nuisances or {})
    for name, value in nuisances.items():
        checks.one_of("nuisance", name, NUISANCES)
        checks.number_range(f"nuisances[{name!r}]", value, 0.0, 1e6, "", "1 is the nominal norm")
    signal, background, weak = _expected(experiment, response)
    return jnp.asarray(mu2) * signal + nuisances.get("background", 1.0) * background + weak


@jax.jit
def _expected(experiment: Experiment, response: Response) -> tuple[Array, Array, Array]:
    return (
        signal_counts(experiment, response),
        background_counts(experiment),
        cevns_counts(experiment) + weak_counts(experiment, response),
    )


def check_target(experiment: Experiment, response: Response) -> None:
    """Refuse a response of another element than the experiment's target, or one that ends below
    its energies."""
    checks.instance("response", response, Response, "response('Xe') gives one")
    if response.target != experiment.target:
        raise InputError(
            f"response is for {response.target!r}, but {experiment.name} has the target "
            f"{experiment.target!r}; give response({experiment.target!r}, {response.model!r})"
        )
    if experiment.recoil != "nuclear":
        check_range(experiment.transfer_edges_keV, response)


def check_parameters(experiment: Experiment) -> None:
    """Refuse parameters that no detector has: a unit slip, a negative exposure, NaN."""
    p = experiment.parameters
    if checks.is_traced(experiment):
        return
    top = float(np.asarray(p.bin_edges_keV)[-1])
    checks.increasing("bin_edges_keV", p.bin_edges_keV, "keV")
    checks.number_range("bin_edges_keV", p.bin_edges_keV, 0.0, 1e6, "keV", "energies are positive")
    checks.increasing("efficiency_offset_keV", p.efficiency_offset_keV, "keV")
    checks.number_range(
        "exposure_kg_day", p.exposure_kg_day, 0.0, 1e12, "kg d", "give mass × time", open_low=True
    )
    checks.number_range(
        "threshold_keV", p.threshold_keV, 0.0, top, "keV",
        f"the bins end at {top:g} keV; thresholds are in keV, so 1500 eV is 1.5", open_low=True,
    )  # fmt: skip
    checks.number_range(
        "resolution_keV", p.resolution_keV, 0.0, top, "keV", "coefficients of σ(T) are in keV"
    )
    checks.number_range("efficiency", p.efficiency, 0.0, 1.0, "", "80% is written 0.8")
    checks.number_range(
        "background", p.background, 0.0, 1e12, "1/(kg keV d)", "rates are not negative"
    )
    if p.matrix is None:
        T = np.asarray(experiment.transfer_edges_keV)
        width = jax.jit(energy_resolution, static_argnums=2)(
            T, p.resolution_keV, experiment.resolution_in_quadrature
        )
        checks.number_range(
            "resolution σ(T)", width, 0.0, 1e6, "keV", "give coefficients whose sum is positive",
            open_low=True,
        )  # fmt: skip
    else:
        checks.increasing("matrix.T_keV", p.matrix.T_keV, "keV")
        checks.number_range("matrix.seen", p.matrix.seen, 0.0, 1.0, "", "give probabilities")
    for one in p.quenching:
        checks.number_range(
            f"quenching of {one.target}: k", one.k, 0.0, 1.0, "", "Lindhard's k, 0.157 for Ge",
            open_low=True,
        )  # fmt: skip
        checks.number_range(
            f"quenching of {one.target}: factor", one.factor, 0.0, 2.0, "",
            "a share of the recoil's energy",
        )  # fmt: skip
    checks.number_range(
        "quenching_factor", p.quenching_factor, 0.0, 10.0, "", "a factor on k or Q, 1 for none",
        open_low=True,
    )  # fmt: skip
    checks.number_range(
        "off_fraction", p.off_fraction, 0.0, 1.0, "", "flux of the OFF period over that of ON"
    )
    for name, flux in (("density", p.source.density), ("line_flux", p.source.line_flux)):
        checks.number_range(f"source.{name}", flux, 0.0, 1e30, "", "fluxes are finite, positive")
    if (
        experiment.has_background
        and experiment.background_floating
        and not np.any(np.asarray(p.background) > 0.0)
    ):
        raise InputError(
            "background = 0 in all bins, and its norm floats, which then has no meaning; give a "
            "positive rate in some bin, or constrain the norm (background_floating=False)"
        )
    if not experiment.background_floating:
        checks.number_range(
            "background_uncertainty", p.background_uncertainty, 0.0, 1e6, "",
            "a relative 1σ, 5% is written 0.05", open_low=True,
        )  # fmt: skip
    checks.number_range(
        "systematic_uncertainty", p.systematic_uncertainty, 0.0, 1.0, "",
        "each a relative 1σ, 5% is written 0.05", open_low=True,
    )  # fmt: skip
    if experiment.data_kind == "on-off" or (
        experiment.data_kind == "difference" and experiment.difference is None
    ):
        checks.number_range(
            "off_exposure_kg_day", p.off_exposure_kg_day, 0.0, 1e12, "kg d",
            "give mass × time without the source", open_low=True,
        )  # fmt: skip
        if not np.all(np.asarray(p.background) > 0.0) and experiment.data_kind == "difference":
            raise InputError(
                "background = 0 in some bin of a difference forecast, which then has no error "
                "there; give a positive rate in every bin, or measured values and errors"
            )
    if experiment.off_counts is not None:
        checks.number_range(
            "off_counts", experiment.off_counts, 0.0, 1e15, "events", "give events per bin"
        )
    if experiment.counts is not None:
        checks.number_range("counts", experiment.counts, 0.0, 1e15, "events", "give events per bin")
