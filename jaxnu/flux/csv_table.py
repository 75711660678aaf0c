"""A spectrum from a CSV file of two columns with their units in the header."""

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxnu import precision
from jaxnu.constants import MEV_J
from jaxnu.errors import InputError
from jaxnu.flux.fission import check_cores, core_flux
from jaxnu.flux.spectrum import FLUX_MAX, ENERGY_MAX_keV, Spectrum, check_scalar, tabulated
from jaxnu.units import UNITS

ENERGY_PER_FISSION_MeV = 205.0  # of a usual fuel, within 1%
ENERGIES = {symbol: size for symbol, (kind, size) in UNITS.items() if kind == "energy"}
HEADER = "E [MeV], nu [1/(MeV fission)]"
EXPECTED_HEADER = f"give a header such as '{HEADER}' or 'E [keV], flux [1/(cm2 s keV)]'"
_COLUMN = re.compile(r"[^\[\]]*\[([^\[\]]+)\]\s*")
_DENSITY = re.compile(r"(?:1|nu|ν)\s*/\s*\(([^()]*)\)")


@dataclass(frozen=True)
class _Units:
    """Of a header: size of the energy unit and of the density's, in keV and 1/keV; whether the
    density is one per fission."""

    energy_keV: float
    density_per_keV: float
    per_fission: bool


def read_csv(
    path: str | os.PathLike[str],
    *,
    power_GW: Any = None,
    distance_m: Any = None,
    energy_per_fission_MeV: Any = ENERGY_PER_FISSION_MeV,
    antineutrino: bool | None = None,
    name: str | None = None,
) -> Spectrum:
    """A spectrum from a file: energies and a flux, or antineutrinos per fission of a reactor.

    The first line that is neither empty nor a comment (#) names the two columns and their units,
    the others hold two numbers each:

        E [MeV], nu [1/(MeV fission)]
        1.0, 2.41
        1.5, 1.69

    Energies in eV, keV or MeV; the second column in 1/(MeV fission) (or per keV, eV), or in
    1/(cm2 s keV). Linear between the points, zero outside. φ = flux, or
    φ = Σ_cores P/(4πL² e) · dN/dE with e MeV per fission.

    Args:
        path: of the file, UTF-8.
        power_GW, distance_m: as for `reactor`; required for a column per fission, refused for a
            flux.
        energy_per_fission_MeV: thermal energy e, scalar, MeV.
        antineutrino: whether they are antineutrinos; True for a column per fission, else False.
        name: label; the file's name if left out.

    Returns:
        Spectrum in 1/(cm² s keV). Differentiable in power_GW, distance_m and
        energy_per_fission_MeV. Decays after neutron capture are in it if they are in the file.

    Raises:
        InputError: one line with file, line number, value and what is expected there, for a file
            that cannot be read, a header without units, and numbers that are missing, not finite,
            negative, or energies that do not increase.
    """
    precision.require_x64("read_csv")
    file = os.fspath(path)
    energies, values, units = _read(file)
    if not units.per_fission:
        for option, given in (("power_GW", power_GW), ("distance_m", distance_m)):
            if given is not None:
                raise InputError(
                    f"{option} = {given!r} belongs to a column in 1/(MeV fission), and {file} "
                    "holds a flux; leave it out"
                )
        factor: Any = 1.0
    else:
        for option, given in (("power_GW", power_GW), ("distance_m", distance_m)):
            if given is None:
                raise InputError(
                    f"{option} is missing, and {file} holds a column per fission; give power_GW "
                    "and distance_m of the reactor, such as 3.0 and 13.9"
                )
        check_cores(power_GW, distance_m)
        check_scalar(
            "energy_per_fission_MeV", energy_per_fission_MeV, 100.0, 300.0, "MeV",
            "a fission releases about 205 MeV",
        )  # fmt: skip
        factor = core_flux(power_GW, distance_m) / (MEV_J * energy_per_fission_MeV)
    return tabulated(
        energies * units.energy_keV,
        factor * jnp.asarray(values * units.density_per_keV),
        name=Path(file).name if name is None else name,
        antineutrino=units.per_fission if antineutrino is None else antineutrino,
    )


def _read(file: str) -> tuple[np.ndarray, np.ndarray, _Units]:
    try:
        text = Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = " ".join(str(error).split())
        raise InputError(f"{file!r} cannot be read: {why}; give a CSV file in UTF-8") from None
    units = None
    points: list[tuple[float, float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = f"{file}: line {number}"
        if units is None:
            units = _header(where, line)
        else:
            points.append(_point(where, line, units, points[-1][0] if points else None))
    if units is None:
        raise InputError(f"{file} is empty; {EXPECTED_HEADER} and two numbers on each line below")
    if len(points) < 2:
        raise InputError(f"{file} has {len(points)} points below its header; give 2 or more")
    energies, values = np.array(points).T
    return energies, values, units


def _header(where: str, line: str) -> _Units:
    columns = line.split(",")
    found = [_COLUMN.fullmatch(column) for column in columns]
    if len(columns) != 2 or not all(found):
        raise InputError(
            f"{where}: {line.strip()!r:.80} is no header with units; {EXPECTED_HEADER}"
        )
    energy, density = (match[1].strip() for match in found if match)
    if energy not in ENERGIES:
        raise InputError(
            f"{where}: unit of the energies {energy!r} is unknown; allowed: {', '.join(ENERGIES)}; "
            f"{EXPECTED_HEADER}"
        )
    match = _DENSITY.fullmatch(density)
    factors = re.split(r"[\s*·]+", match[1].strip()) if match else []
    factors = ["cm2" if factor in ("cm²", "cm^2") else factor for factor in factors]
    bins = [factor for factor in factors if factor in ENERGIES]
    others = sorted(factor for factor in factors if factor not in ENERGIES)
    if len(bins) != 1 or others not in (["fission"], ["cm2", "s"]):
        raise InputError(
            f"{where}: unit of the spectrum {density!r} is unknown; allowed: 1/(MeV fission), "
            f"1/(cm2 s keV); {EXPECTED_HEADER}"
        )
    return _Units(ENERGIES[energy], 1.0 / ENERGIES[bins[0]], others == ["fission"])


def _point(where: str, line: str, units: _Units, last: float | None) -> tuple[float, float]:
    fields = [field.strip() for field in line.split(",")]
    try:
        energy, value = map(float, fields)
    except ValueError:
        raise InputError(
            f"{where}: {line.strip()!r:.80} is not two numbers with a comma between; give an "
            "energy and a value, such as '1.5, 1.69'"
        ) from None
    top = ENERGY_MAX_keV / units.energy_keV
    if not 0.0 <= energy <= top:  # NaN too
        raise InputError(
            f"{where}: energy {fields[0]} is outside [0, {top:g}]; give neutrino energies in the "
            "unit of the header"
        )
    if last is not None and energy <= last:
        raise InputError(
            f"{where}: energy {fields[0]} does not increase, after {last:g}; give strictly "
            "increasing energies"
        )
    if not (math.isfinite(value) and 0.0 <= value <= FLUX_MAX):
        raise InputError(
            f"{where}: value {fields[1]} is outside [0, {FLUX_MAX:g}]; a spectrum is finite and "
            "not negative"
        )
    return energy, value
