"""The [systematics.NAME] of an experiment file."""

from dataclasses import dataclass

import numpy as np

from jaxnu.errors import InputError
from jaxnu.experiments.experiment import MOVED, SPECTRUM, SURVIVAL
from jaxnu.experiments.source_section import SourceInput, model_variation
from jaxnu.experiments.table import Table
from jaxnu.flux.spectrum import Spectrum

SOLAR_FLUXES = "solar-fluxes"  # in a file: one systematic of the spectrum for each component
IN_MATRIX = ("resolution", "threshold", "efficiency")


@dataclass(frozen=True)
class Systematics:
    """((name, parameter), …), the relative 1σ of each, and δφ of those of the spectrum."""

    pairs: tuple[tuple[str, str], ...]
    sigmas: np.ndarray
    variations: list[Spectrum]


def read_systematics(top: Table, source: SourceInput, recoil: str, matrix: bool) -> Systematics:
    """Every [systematics.NAME], in the order of the file."""
    pairs: list[tuple[str, str]] = []
    sigmas: list[float] = []
    variations: list[Spectrum] = []
    content = top.content.get("systematics", {})
    names = tuple(content) if isinstance(content, dict) else ()
    table = top.table("systematics", names) if "systematics" in top else None
    for name in names:
        assert table is not None
        if name == "x":
            raise InputError(
                f"{table.where(name)}: x is the name of the signal strength; give another name"
            )
        if name == "background":
            raise InputError(
                f"{table.where(name)}: the background's norm has its own nuisance; give "
                "[statistics] background_uncertainty, or another name"
            )
        one = table.table(name, ("parameter", "uncertainty", "other"))
        parameter = one.word("parameter", (*MOVED, SOLAR_FLUXES))
        one.allow(_keys(parameter))
        if parameter == SOLAR_FLUXES:
            if not source.relative_errors:
                raise one.refuse("parameter", "another one: the source is not the Sun")
            for component, sigma in source.relative_errors.items():
                pairs.append((f"{name} {component}", SPECTRUM))
                sigmas.append(sigma)
                variations.append(source.components[component])
            continue
        if parameter == "quenching" and recoil == "electron":
            raise one.refuse("parameter", 'another one, or [target] recoil = "nuclear" or "both"')
        if parameter == SURVIVAL and not source.has_survival:
            raise one.refuse(
                "parameter", "another one: P_ee is 1 for this source (the Sun has one, and a line "
                "or a table with [source] survival)"
            )  # fmt: skip
        if matrix and parameter in IN_MATRIX:
            raise one.refuse("parameter", "another one: this is within the response matrix")
        if parameter == SPECTRUM:
            variations.append(model_variation(one, source))
        pairs.append((name, parameter))
        sigmas.append(one.number("uncertainty", 0.0, 1.0, "a relative 1σ, 5% is written 0.05"))
    used: set[str] = set()
    for name, _ in pairs:
        if name in used:
            raise InputError(
                f"{top.where('systematics')}: the nuisance {name!r} is there twice; rename one"
            )
        used.add(name)
    return Systematics(tuple(pairs), np.array(sigmas), variations)


def _keys(parameter: str) -> tuple[str, ...]:
    if parameter == SOLAR_FLUXES:
        return ("parameter",)
    if parameter == SPECTRUM:
        return ("parameter", "other", "uncertainty")
    return ("parameter", "uncertainty")
