"""Expected counts per bin: rate, smeared by the resolution, times the efficiency."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxnu import checks
from jaxnu.cross_sections.channels import Channel
from jaxnu.cross_sections.kinematics import transfer_end
from jaxnu.detector.curves import energy_resolution, gaussian, selection_efficiency
from jaxnu.errors import InputError
from jaxnu.experiments.experiment import Experiment
from jaxnu.numerics.quadrature import panel_nodes
from jaxnu.precision import require_x64
from jaxnu.rates import map_line_rates, map_rate
from jaxnu.responses.base import Response

NUISANCES = ("background",)


class _Reconstructed(NamedTuple):
    """Nodes of reconstructed energy in all bins, weights × efficiency, and who owns each panel."""

    E_keV: Float[Array, "panels order"]
    kept: Float[Array, "panels order"]
    owner: Float[Array, "bins panels"]  # 1 for the bin that a panel lies in


def _reconstructed_nodes(experiment: Experiment) -> _Reconstructed:
    """Panels between all bin edges and efficiency knots: smooth in each, and moving with them."""
    p = experiment.parameters
    bins = p.bin_edges_keV
    knots = jnp.clip(p.threshold_keV + p.efficiency_offset_keV, bins[0], bins[-1])
    edges = jnp.sort(jnp.concatenate([bins, knots]))
    E, weight = panel_nodes(edges, experiment.numerics.bin_order)
    kept = selection_efficiency(E, p.threshold_keV, p.efficiency_offset_keV, p.efficiency)
    middle = 0.5 * (edges[1:] + edges[:-1])
    owner = (middle >= bins[:-1, None]) & (middle < bins[1:, None])
    return _Reconstructed(E, weight * kept, owner.astype(float))


def _transfer_edges(experiment: Experiment, response: Response) -> Float[Array, "edges"]:
    """Panel edges in T with every step of dR/dT among them: they move with it, and so do nodes."""
    source = experiment.parameters.source
    edges = jnp.asarray(experiment.transfer_edges_keV)
    ends = transfer_end(jnp.append(source.lines_keV, source.edges_keV[-1]))
    steps = jnp.concatenate([response.thresholds_keV, ends])
    return jnp.sort(jnp.concatenate([edges, jnp.clip(steps, edges[0], edges[-1])]))


def signal_counts(experiment: Experiment, response: Response) -> Float[Array, "bins"]:
    """Expected signal counts per bin and per μ² in μ_B² (a linear function of μ²).

    exposure · ∫_bin dE' ε(E') [∫dT R(T) G(E'; T, σ(T)) + Σ_n R_n G(E'; T_n, σ(T_n))]: smeared
    first, then multiplied by the efficiency ε of the reconstructed energy E'.
    """
    p = experiment.parameters
    channel = Channel("magnetic", antineutrino=p.source.antineutrino)
    numerics = experiment.numerics
    T, weight = panel_nodes(_transfer_edges(experiment, response), numerics.transfer_order)
    T, weight = T.ravel(), weight.ravel()
    events = weight * map_rate(T, p.source, response, channel, numerics)
    lines = response.lines().T_keV
    if lines.shape[0]:
        T = jnp.concatenate([T, lines])
        events = jnp.concatenate([events, map_line_rates(p.source, response, channel, numerics)])
    nodes = _reconstructed_nodes(experiment)
    width = energy_resolution(T, p.resolution_keV)
    smeared = gaussian(nodes.E_keV[..., None] - T, width) @ events
    return p.exposure_kg_day * nodes.owner @ jnp.sum(nodes.kept * smeared, axis=-1)


def background_counts(experiment: Experiment) -> Float[Array, "bins"]:
    """Expected background counts per bin: the given rate times exposure and bin width.

    The rate is multiplied by the efficiency unless the experiment says that it contains it.
    """
    p = experiment.parameters
    if experiment.background_has_efficiency:
        width = jnp.diff(p.bin_edges_keV)
    else:
        nodes = _reconstructed_nodes(experiment)
        width = nodes.owner @ jnp.sum(nodes.kept, axis=-1)
    return p.exposure_kg_day * p.background * width


@jax.jit
def templates(
    experiment: Experiment, response: Response
) -> tuple[Float[Array, "bins"], Float[Array, "bins"]]:
    """(signal_counts, background_counts), compiled together."""
    return signal_counts(experiment, response), background_counts(experiment)


def expected_counts(
    experiment: Experiment,
    mu2: ArrayLike,
    response: Response,
    nuisances: Mapping[str, ArrayLike] | None = None,
) -> Float[Array, "bins"]:
    """Expected counts per bin: magnetic signal plus background.

    experiment: from load_experiment; differentiable in all of experiment.parameters.
    mu2: μ_ν² [μ_B²].
    response: the atom, from jaxnu.response, of the experiment's target.
    nuisances: {"background": norm}, 1 by default.
    Returns (bins,) counts. The weak signal is part of the background of every shipped experiment.
    Raises InputError for μ² outside [0, 1e-12], a response of another element, an unknown nuisance,
        or a parameter out of its range.
    """
    require_x64("expected_counts")
    check_target(experiment, response)
    check_parameters(experiment)
    checks.magnetic_moment_squared("mu2", mu2)
    nuisances = dict(nuisances or {})
    for name in nuisances:
        checks.one_of("nuisance", name, NUISANCES)
    signal, background = templates(experiment, response)
    return jnp.asarray(mu2) * signal + nuisances.get("background", 1.0) * background


def check_target(experiment: Experiment, response: Response) -> None:
    """Refuse a response of another element than the experiment's target."""
    if response.target != experiment.target:
        raise InputError(
            f"response is for {response.target!r}, but {experiment.name} has the target "
            f"{experiment.target!r}; give response({experiment.target!r}, {response.model!r})"
        )


def check_parameters(experiment: Experiment) -> None:
    """Refuse parameters that no detector has: a unit slip, a negative exposure, NaN."""
    p = experiment.parameters
    if checks.is_traced(experiment):
        return
    top = float(p.bin_edges_keV[-1])
    checks.increasing("bin_edges_keV", p.bin_edges_keV, "keV")
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
    if not experiment.background_floating:
        checks.number_range(
            "background_uncertainty", p.background_uncertainty, 0.0, 1e6, "",
            "a relative 1σ, 5% is written 0.05", open_low=True,
        )  # fmt: skip
    if experiment.counts is not None:
        checks.number_range("counts", experiment.counts, 0.0, 1e15, "events", "give events per bin")
