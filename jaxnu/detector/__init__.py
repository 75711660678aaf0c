"""From true energy transfer to reconstructed energy: resolution, then efficiency, in bins."""

from jaxnu.detector.bins import bin_nodes, mean_efficiency
from jaxnu.detector.curves import energy_resolution, gaussian, selection_efficiency
from jaxnu.detector.matrix import ResponseMatrix
from jaxnu.detector.quenching import Quenching, electron_equivalent, quenching_factor

__all__ = [
    "Quenching",
    "ResponseMatrix",
    "bin_nodes",
    "electron_equivalent",
    "energy_resolution",
    "gaussian",
    "mean_efficiency",
    "quenching_factor",
    "selection_efficiency",
]
