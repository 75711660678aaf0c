"""From true energy transfer to reconstructed energy: resolution, then efficiency, in bins."""

from jaxnu.detector.bins import bin_nodes, mean_efficiency
from jaxnu.detector.curves import energy_resolution, gaussian, selection_efficiency

__all__ = ["bin_nodes", "energy_resolution", "gaussian", "mean_efficiency", "selection_efficiency"]
