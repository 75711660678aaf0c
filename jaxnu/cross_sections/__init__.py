"""Differential cross sections from the responses of an atom."""

from jaxnu.cross_sections.channels import CHANNELS, weak_with_charges
from jaxnu.cross_sections.differential import FLAVORS, cross_section, cross_section_lines
from jaxnu.cross_sections.effective import effective_charge

__all__ = [
    "CHANNELS",
    "FLAVORS",
    "cross_section",
    "cross_section_lines",
    "effective_charge",
    "weak_with_charges",
]
