"""Neutrino fluxes: reactor, Sun, radioactive sources, lines and tables of the user."""

from jaxnu.flux.csv_table import read_csv
from jaxnu.flux.fission import SPECTRA, reactor, reactor_components, reactor_model_spread
from jaxnu.flux.geometry import Cylinder, Point, Sphere, mean_inverse_square
from jaxnu.flux.radioactive import chromium51, tritium, tritium_activity_PBq
from jaxnu.flux.spectrum import Spectrum, difference, line, tabulated
from jaxnu.flux.sun import SOLAR_FLUXES, solar, solar_components, solar_survival, vary_survival

__all__ = [
    "SOLAR_FLUXES",
    "SPECTRA",
    "Cylinder",
    "Point",
    "Spectrum",
    "Sphere",
    "chromium51",
    "difference",
    "line",
    "mean_inverse_square",
    "reactor",
    "reactor_components",
    "reactor_model_spread",
    "read_csv",
    "solar",
    "solar_components",
    "solar_survival",
    "tabulated",
    "tritium",
    "tritium_activity_PBq",
    "vary_survival",
]
