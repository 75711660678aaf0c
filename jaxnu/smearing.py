"""From events of a true energy to counts in the bins of an experiment."""

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnu.detector import bin_nodes, energy_resolution, gaussian
from jaxnu.experiments.experiment import Experiment


def efficiency_curve(experiment: Experiment) -> tuple[Array, Array, Array, Array]:
    """The arguments that bin_nodes and mean_efficiency share."""
    p = experiment.parameters
    return p.bin_edges_keV, p.threshold_keV, p.efficiency_offset_keV, p.efficiency


def recorded(
    experiment: Experiment,
    T_keV: Float[Array, "T"],
    events: Float[Array, "T"],
    between_keV: Sequence[float] = (),
) -> Float[Array, "bins"]:
    """Σ_i events_i · probability that one of true energy T_i is recorded in each bin.

    T_keV: deposited energies, electron-equivalent, keV. events: rates × quadrature weights.
    between_keV: see `bin_nodes`.
    A Gaussian of the reconstructed energy E' times the efficiency ε(E') — smeared first, then
    multiplied — or the response matrix, where there is one.
    """
    p = experiment.parameters
    if p.matrix is not None:
        return events @ p.matrix.at(T_keV)
    nodes = bin_nodes(*efficiency_curve(experiment), experiment.numerics.bin_order, between_keV)
    width = energy_resolution(T_keV, p.resolution_keV, experiment.resolution_in_quadrature)
    smeared = gaussian(nodes.E_keV[..., None] - T_keV, width) @ events
    return nodes.owner @ jnp.sum(nodes.kept * smeared, axis=-1)
