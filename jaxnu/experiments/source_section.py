"""The [source] of an experiment file, and the nuisances that move its spectrum."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp

from jaxnu import checks, flux
from jaxnu.constants import SECONDS_PER_DAY
from jaxnu.errors import InputError
from jaxnu.experiments.table import Table, located
from jaxnu.flux.csv_table import ENERGY_PER_FISSION_MeV
from jaxnu.flux.spectrum import Spectrum

CORE = ("power", "distance", "off_power")
FUEL = ("fractions", "nu_per_fission", "capture")
DECAY = ("run", "delay", "distance", "geometry")
SOURCES = {
    "solar": ("metallicity", "components"),
    "reactor": ("power", "distance", "core", "spectrum", "energy_per_fission", *FUEL),
    "chromium-51": ("activity", *DECAY),
    "tritium": ("activity", "mass", *DECAY),
    "csv": ("file", "antineutrino", "survival"),
    "line": ("energy", "flux", "antineutrino", "survival"),
}
SOURCE_KEYS = ("kind", *dict.fromkeys(key for keys in SOURCES.values() for key in keys))
GEOMETRIES = {
    "sphere": ("radius", "inner_radius", "distance"),
    "cylinder": ("radius", "height", "distance", "elevation"),
}
MASS_MAX_kg = 100.0
ENERGY_MAX_keV = 1e6


@dataclass(frozen=True)
class SourceInput:
    """What a file says of its source.

    spectrum: at the detector. description: one line for people.
    components, relative_errors: parts of the spectrum with the 1σ of their fluxes, where known.
    has_survival: P_ee belongs to it, as that of the Sun, and may be uncertain.
    cores: number of reactor cores. off_fraction: flux of the OFF period over that of ON, None
        where the file does not say.
    reactor: (power_GW, distance_m, options of flux.reactor, None with a CSV file) of a reactor,
        to compare it with another model. energy_per_fission_MeV: thermal, of a CSV file.
    """

    spectrum: Spectrum
    description: str
    components: Mapping[str, Spectrum] = field(default_factory=dict)
    relative_errors: Mapping[str, float] = field(default_factory=dict)
    has_survival: bool = False
    cores: int = 1
    off_fraction: float | None = None
    reactor: tuple[list[float], list[float], dict[str, Any] | None] | None = None
    energy_per_fission_MeV: float = ENERGY_PER_FISSION_MeV


def read_source(table: Table) -> SourceInput:
    """The source of an experiment; refusals name file, key, value and expectation."""
    kind = table.word("kind", tuple(SOURCES))
    table.allow(("kind", *SOURCES[kind]))
    return _READERS[kind](table)


def _solar(table: Table) -> SourceInput:
    model = table.word("metallicity", tuple(flux.SOLAR_FLUXES))
    options: dict[str, Any] = {"metallicity": model}
    names = tuple(flux.SOLAR_FLUXES[model])
    if "components" in table:
        components = table.content["components"]
        if not isinstance(components, list) or not all(isinstance(c, str) for c in components):
            raise table.refuse("components", 'a list such as ["pp", "7Be", "pep"]')
        for i, component in enumerate(components):
            checks.one_of(f"{table.where('components')}[{i}]", component, names)
        options["components"] = names = tuple(dict.fromkeys(components))
    with located(f"{table.file}: {table.path}."):
        spectrum = flux.solar(**options)
    parts = {name: part for name, part in flux.solar_components(model).items() if name in names}
    return SourceInput(
        spectrum,
        f"Sun, {model}: {', '.join(names)}",
        {name: part for name, (part, _) in parts.items()},
        {name: sigma for name, (_, sigma) in parts.items()},
        has_survival=True,
    )


def _cores(table: Table) -> tuple[list[float], list[float], list[float | None]]:
    """Powers [GW], distances [m] and powers in the OFF period (None: not said) of the cores."""
    several = "core" in table
    if several:
        for key in ("power", "distance"):
            if key in table:
                raise table.refuse(key, "it in each [[source.core]], or leave those out")
    cores = table.tables("core", CORE) if several else [table]
    powers: list[float] = []
    distances: list[float] = []
    off: list[float | None] = []
    for core in cores:
        power_GW = core.quantity("power", "power", 'the thermal power, such as "3 GW"')
        distance_m = core.quantity("distance", "length", 'the distance, such as "13.9 m"')
        checks.number_range(
            core.where("power"), power_GW, 0.0, 100.0, "GW",
            'give the thermal power, such as "3 GW"', open_low=not several,
        )  # fmt: skip
        checks.number_range(
            core.where("distance"), distance_m, 1.0, 1000.0, "m",
            'give the distance from the core, such as "13.9 m"',
        )  # fmt: skip
        powers.append(power_GW)
        distances.append(distance_m)
        off_GW = None
        if "off_power" in core:
            expected = 'the power in the OFF period, such as "0 GW"'
            off_GW = core.quantity("off_power", "power", expected)
            checks.number_range(core.where("off_power"), off_GW, 0.0, 100.0, "GW", expected)
        off.append(off_GW)
    if not sum(powers) > 0.0:
        raise InputError(f"{table.where('core')}: all powers are 0 GW; give a core that is on")
    return powers, distances, off


def _reactor(table: Table) -> SourceInput:
    powers, distances, off = _cores(table)
    given = [power for power in off if power is not None]
    if given and len(given) < len(off):
        raise InputError(
            f"{table.where('core')}[{off.index(None)}].off_power is missing, and other cores have "
            "it; give the power of each core in the OFF period"
        )
    off_fraction = None
    if given:
        strengths = [
            sum(power / distance**2 for power, distance in zip(each, distances, strict=True))
            for each in (given, powers)
        ]
        off_fraction = strengths[0] / strengths[1]
        if not off_fraction < 1.0:
            raise InputError(
                f"{table.where('core')}: the flux of the OFF period is {off_fraction:g} of that of "
                "ON; give off_power of the cores that are switched off, below their power"
            )
    place = ", ".join(f"{P:g} GW at {L:g} m" for P, L in zip(powers, distances, strict=True))
    model = table.text("spectrum", "a model or a CSV file") if "spectrum" in table else None
    extra: dict[str, Any] = {"cores": len(powers), "off_fraction": off_fraction}
    if model is not None and model.endswith(".csv"):
        energy_MeV = _energy_per_fission(table)
        return SourceInput(
            _fission_file(table, powers, distances, energy_MeV), f"{place}; {model}",
            reactor=(powers, distances, None), energy_per_fission_MeV=energy_MeV, **extra,
        )  # fmt: skip
    if "energy_per_fission" in table:
        raise table.refuse("energy_per_fission", 'spectrum = "my.csv" with it, or leave it out')
    options: dict[str, Any] = {}
    if model is not None:
        checks.one_of(table.where("spectrum"), model, (*flux.SPECTRA, "FILE.csv"))
        options["spectrum"] = model
    if "fractions" in table:
        fractions = table.content["fractions"]
        if not isinstance(fractions, dict):
            raise table.refuse("fractions", "a table of fission fractions by isotope")
        options["fractions"] = fractions
    if "nu_per_fission" in table:
        options["nu_per_fission"] = table.text("nu_per_fission", '"texono" or "tables"')
    if "capture" in table:
        options["capture"] = table.flag("capture")
    with located(f"{table.file}: {table.path}."):
        spectrum = flux.reactor(powers, distances, **options)
        parts = flux.reactor_components(powers, distances, **options)
    return SourceInput(
        spectrum, f"{place}; {model or flux.SPECTRA[0]}", parts,
        reactor=(powers, distances, options), **extra,
    )  # fmt: skip


def _energy_per_fission(table: Table) -> float:
    """Thermal energy per fission that goes with a CSV file, MeV."""
    if "energy_per_fission" not in table:
        return ENERGY_PER_FISSION_MeV
    expected = 'the thermal energy per fission, such as "205 MeV"'
    energy_MeV = table.quantity("energy_per_fission", "energy", expected) / 1e3
    checks.number_range(
        table.where("energy_per_fission"), energy_MeV, 100.0, 300.0, "MeV", expected
    )
    return energy_MeV


def _fission_file(
    table: Table, powers: list[float], distances: list[float], energy_MeV: float
) -> Spectrum:
    """A spectrum per fission from a CSV file."""
    for key in FUEL:
        if key in table:
            raise table.refuse(key, "this key with a spectrum by name; a CSV file holds the mean")
    path = table.csv_file("spectrum")
    with located(f"{table.where('spectrum')}: "):
        return flux.read_csv(
            path, power_GW=powers, distance_m=distances, energy_per_fission_MeV=energy_MeV
        )


def _length(table: Table, key: str, example: str, low: float = 0.0) -> float:
    value = table.quantity(key, "length", f'a length such as "{example}"')
    checks.number_range(table.where(key), value, low, 1e4, "m", f'such as "{example}"')
    return value


def _geometry(table: Table) -> tuple[flux.Point | flux.Sphere | flux.Cylinder, str]:
    """A detector beside a source: small at a distance, or a body."""
    if "geometry" not in table:
        distance = _length(table, "distance", "1.5 m")
        with located(f"{table.file}: {table.path}."):
            point = flux.Point(distance)
            flux.mean_inverse_square(point)
        return point, f"at {distance:g} m"
    if "distance" in table:
        raise table.refuse("distance", f"it in [{table.dotted('geometry')}], or leave that out")
    keys = ("shape", *dict.fromkeys(key for keys in GEOMETRIES.values() for key in keys))
    inner = table.table("geometry", keys)
    shape = inner.word("shape", tuple(GEOMETRIES))
    inner.allow(("shape", *GEOMETRIES[shape]))
    required = ("radius", "height") if shape == "cylinder" else ("radius",)
    sizes = {
        f"{key}_m": _length(inner, key, "0.5 m", -1e4 if key == "elevation" else 0.0)
        for key in GEOMETRIES[shape]
        if key in inner or key in required
    }
    with located(f"{inner.file}: {inner.path}."):
        body = (flux.Sphere if shape == "sphere" else flux.Cylinder)(**sizes)
        flux.mean_inverse_square(body)
    words = ", ".join(f"{key.removesuffix('_m')} {value:g} m" for key, value in sizes.items())
    return body, f"{shape}: {words}"


def _decay(table: Table) -> tuple[Any, dict[str, Any], str]:
    """Geometry, run and delay of a radioactive source, and a line about them."""
    body, words = _geometry(table)
    times: dict[str, Any] = {}
    for key in ("run", "delay"):
        if key in table:
            expected = 'a time such as "40 d"'
            times[f"{key}_d"] = table.quantity(key, "time", expected)
            checks.number_range(table.where(key), times[f"{key}_d"], 0.0, 1e5, "d", expected)
            words += f", {key} {times[f'{key}_d']:g} d"
    return body, times, words


def _activity(table: Table) -> float:
    expected = 'the activity at time 0, such as "126 PBq"'
    value = table.quantity("activity", "activity", expected)
    checks.number_range(table.where("activity"), value, 0.0, 1e6, "PBq", expected, open_low=True)
    return value


def _chromium51(table: Table) -> SourceInput:
    activity = _activity(table)
    body, times, words = _decay(table)
    spectrum = flux.chromium51(activity, body, **times)
    return SourceInput(spectrum, f"51Cr, {activity:g} PBq; {words}")


def _tritium(table: Table) -> SourceInput:
    if "mass" in table:
        if "activity" in table:
            raise table.refuse("activity", "either mass or activity")
        expected = 'the mass of tritium, such as "10 kg"'
        mass_kg = table.quantity("mass", "mass", expected)
        checks.number_range(
            table.where("mass"), mass_kg, 0.0, MASS_MAX_kg, "kg", expected, open_low=True
        )
        activity = float(flux.tritium_activity_PBq(1e3 * mass_kg))
    else:
        activity = _activity(table)
    body, times, words = _decay(table)
    spectrum = flux.tritium(activity, body, **times)
    return SourceInput(spectrum, f"tritium, {activity:.6g} PBq; {words}")


def _csv(table: Table) -> SourceInput:
    path = table.csv_file("file")
    antineutrino = table.flag("antineutrino")
    with located(f"{table.where('file')}: "):
        spectrum = flux.read_csv(path, antineutrino=antineutrino)
    return _survived(table, spectrum, f"table {table.content['file']}")


def _line(table: Table) -> SourceInput:
    expected = 'the energy of the line, such as "862 keV"'
    energy_keV = table.quantity("energy", "energy", expected)
    checks.number_range(
        table.where("energy"), energy_keV, 0.0, ENERGY_MAX_keV, "keV", expected, open_low=True
    )
    expected = 'the flux at the detector, such as "4.9e9 / (cm2 s)"'
    per_cm2_s = table.quantity("flux", "flux", expected) / SECONDS_PER_DAY
    checks.number_range(
        table.where("flux"), per_cm2_s, 0.0, 1e30, "1/(cm² s)", expected, open_low=True
    )
    spectrum = flux.line(energy_keV, per_cm2_s, table.flag("antineutrino"))
    return _survived(table, spectrum, f"line of {energy_keV:g} keV")


def _survived(table: Table, spectrum: Spectrum, description: str) -> SourceInput:
    """A flux of the user with the P_ee that goes with it."""
    if "survival" not in table:
        return SourceInput(spectrum, description)
    value = table.content["survival"]
    if value == "solar":
        if spectrum.antineutrino:
            raise table.refuse("survival", "it with antineutrino = false, or a number in [0, 1]")
        return SourceInput(
            flux.solar_survival(spectrum), f"{description}, P_ee of the Sun", has_survival=True
        )
    expected = 'P_ee, a number in [0, 1], or "solar" for that of the Sun'
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise table.refuse("survival", expected)
    checks.number_range(table.where("survival"), value, 0.0, 1.0, "", expected)
    constant = jnp.full_like(spectrum.survival, value)
    spectrum = dataclasses.replace(spectrum, survival=constant)
    return SourceInput(spectrum, f"{description}, P_ee = {value:g}", has_survival=True)


_READERS = {
    "solar": _solar,
    "reactor": _reactor,
    "chromium-51": _chromium51,
    "tritium": _tritium,
    "csv": _csv,
    "line": _line,
}


def model_variation(table: Table, source: SourceInput) -> Spectrum:
    """δφ = φ_other − φ on the nodes of φ, for a systematic that names the other reactor model."""
    if source.reactor is None:
        raise table.refuse("parameter", 'another one: "spectrum" compares models of a reactor')
    powers, distances, options = source.reactor
    other = table.text("other", f"one of {', '.join(flux.SPECTRA)}, or a CSV file")
    if other.endswith(".csv"):
        path = table.csv_file("other")
        with located(f"{table.where('other')}: "):
            energy_MeV = source.energy_per_fission_MeV  # the same as in the source
            varied = flux.read_csv(
                path, power_GW=powers, distance_m=distances, energy_per_fission_MeV=energy_MeV
            )
            return flux.difference(source.spectrum, varied)
    checks.one_of(table.where("other"), other, (*flux.SPECTRA, "FILE.csv"))
    with located(f"{table.where('other')}: "):
        if options is None:
            varied = flux.reactor(powers, distances, spectrum=other)
            return flux.difference(source.spectrum, varied)
        return flux.reactor_model_spread(powers, distances, other=other, **options)


def stack(variations: list[Spectrum]) -> Spectrum | None:
    """Spectra on the same panels and lines as one: density and line_flux have a first axis. None
    for no spectra."""
    if not variations:
        return None
    first = variations[0]
    for other in variations[1:]:
        first.plus(other)  # refuses other panels or lines
    return dataclasses.replace(
        first,
        density=jnp.stack([v.density for v in variations]),
        line_flux=jnp.stack([v.line_flux for v in variations]),
        name="variations",
    )
