"""Differential cross sections from the responses of an atom."""

from jaxnu.cross_sections.channels import CHANNELS, weak_with_charges
from jaxnu.cross_sections.differential import FLAVORS, cross_section, cross_section_lines
from jaxnu.cross_sections.effective import effective_charge
from jaxnu.cross_sections.form_factors import ElectronCloud, electron_cloud, helm
from jaxnu.cross_sections.nuclear import nuclear_cross_section

__all__ = [
    "CHANNELS",
    "FLAVORS",
    "ElectronCloud",
    "cross_section",
    "cross_section_lines",
    "effective_charge",
    "electron_cloud",
    "helm",
    "nuclear_cross_section",
    "weak_with_charges",
]
