"""From true energy transfer to reconstructed energy: resolution, then efficiency."""

from jaxnu.detector.curves import energy_resolution, selection_efficiency

__all__ = ["energy_resolution", "selection_efficiency"]
