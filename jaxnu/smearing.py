"""From events of a true energy to counts in the bins of an experiment."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnu.detector import (
    Quenching,
    bin_nodes,
    electron_equivalent,
    energy_resolution,
    gaussian,
)
from jaxnu.experiments.experiment import Experiment

BIN_RATIO = 1.5  # of a panel's ends within a bin: recoil spectra fall steeply


class Deposits(NamedTuple):
    """Events of true energies, before the detector: rates × quadrature weights, 1/(kg d).

    quenching: of the recoils of one element, whose energies these are; None for electrons.
    """

    T_keV: Float[Array, "T"]
    events: Float[Array, "T"]
    quenching: Quenching | None = None


def efficiency_curve(experiment: Experiment) -> tuple[Array, Array, Array, Array]:
    """The arguments that bin_nodes and mean_efficiency share."""
    p = experiment.parameters
    return p.bin_edges_keV, p.threshold_keV, p.efficiency_offset_keV, p.efficiency


def recorded(experiment: Experiment, deposits: Sequence[Deposits]) -> Float[Array, "bins"]:
    """Expected counts per bin: exposure · Σ_i events_i P_b(T_i), P_b for the bin b.

    P_b is that of the electron-equivalent energy Q(T) T for a recoil. It is a Gaussian of the
    reconstructed energy E' times the efficiency ε(E') — smeared first, then multiplied — or the
    response matrix, where there is one.
    """
    p = experiment.parameters
    total = jnp.zeros(p.background.shape)
    for T, events, quenching in deposits:
        seen = T if quenching is None else electron_equivalent(T, quenching, p.quenching_factor)
        if p.matrix is not None:
            total = total + events @ p.matrix.at(seen)
            continue
        between = () if quenching is None else _between(experiment)
        nodes = bin_nodes(*efficiency_curve(experiment), experiment.numerics.bin_order, between)
        width = energy_resolution(seen, p.resolution_keV, experiment.resolution_in_quadrature)
        smeared = gaussian(nodes.E_keV[..., None] - seen, width) @ events
        total = total + nodes.owner @ jnp.sum(nodes.kept * smeared, axis=-1)
    return p.exposure_kg_day * total


def _between(experiment: Experiment) -> tuple[float, ...]:
    """Panel edges within the bins, in a constant ratio."""
    low, high = experiment.transfer_edges_keV[0], experiment.transfer_edges_keV[-1]
    return tuple(np.geomspace(low, high, 2 + int(np.log(high / low) / np.log(BIN_RATIO))))
