"""Neutrino fluxes: reactor, Sun, lines and tables of the user."""

from jaxnu.flux.fission import reactor
from jaxnu.flux.spectrum import Spectrum, line, tabulated
from jaxnu.flux.sun import SOLAR_FLUXES, solar

__all__ = ["SOLAR_FLUXES", "Spectrum", "line", "reactor", "solar", "tabulated"]
