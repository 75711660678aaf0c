"""A source of neutrinos in numbers and in words: what `jaxnu flux` prints."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxnu import checks, flux
from jaxnu.errors import InputError
from jaxnu.experiments import load_experiment
from jaxnu.experiments.reader import available, load_source
from jaxnu.flux.radioactive import CHROMIUM51_HALF_LIFE_d, TRITIUM_HALF_LIFE_d
from jaxnu.flux.spectrum import Spectrum

# name: the options it takes, with what stands in for one that is left out
SOURCES: Mapping[str, Mapping[str, Any]] = {
    "solar": {"metallicity": "GS98"},
    "reactor": {
        "power_GW": 3.0, "distance_m": 13.9, "spectrum": "huber-mueller",
        "nu_per_fission": "tables",
    },
    "chromium-51": {"activity_PBq": 100.0, "distance_m": 1.0},
    "tritium": {"activity_PBq": 100.0, "distance_m": 1.0},
}  # fmt: skip
CSV_OPTIONS: Mapping[str, Any] = {"power_GW": None, "distance_m": None}


@dataclass(frozen=True)
class Source:
    """A spectrum, its parts by name (some or none) with the relative 1σ of each that has one, and
    a line about where it comes from."""

    spectrum: Spectrum
    components: Mapping[str, Spectrum]
    relative_errors: Mapping[str, float]
    origin: str


def named_source(name: str, **options: Any) -> Source:
    """The source that a name stands for.

    Args:
        name: "solar", "reactor", "chromium-51", "tritium", a shipped experiment or its TOML file
            (its source), or a CSV file as for `flux.read_csv`.
        options: power_GW, distance_m, spectrum, nu_per_fission, metallicity, activity_PBq; None
            stands for one that is not given.

    Returns:
        Source.

    Raises:
        InputError: for an unknown name, an option that does not belong to it, or a bad value.
    """
    given = {option: value for option, value in options.items() if value is not None}
    suffix = Path(name).suffix
    if suffix == ".csv":
        _refuse_options(name, given, CSV_OPTIONS)
        return Source(flux.read_csv(name, **given), {}, {}, f"table {name}")
    if suffix == ".toml" or name in available():
        _refuse_options(name, given, {})
        experiment = load_experiment(name)
        found = load_source(name)
        origin = f"{found.description} (source of {experiment.name}: {experiment.title})"
        return Source(found.spectrum, found.components, found.relative_errors, origin)
    checks.one_of("source", name, [*SOURCES, *available(), "FILE.toml", "FILE.csv"])
    _refuse_options(name, given, SOURCES[name])
    return _built_in(name, {**SOURCES[name], **given})


def _refuse_options(name: str, given: Mapping[str, Any], allowed: Mapping[str, Any]) -> None:
    for option, value in given.items():
        if option not in allowed:
            raise InputError(
                f"--{option.replace('_', '-')} = {value} does not belong to {name!r}; allowed: "
                f"{', '.join('--' + o.replace('_', '-') for o in allowed) or 'none'}; leave it out"
            )


def _built_in(name: str, options: dict[str, Any]) -> Source:
    if name == "solar":
        parts = flux.solar_components(**options)
        return Source(
            flux.solar(**options),
            {part: spectrum for part, (spectrum, _) in parts.items()},
            {part: error for part, (_, error) in parts.items()},
            "B16 standard solar model at one astronomical unit",
        )
    if name == "reactor":
        return Source(
            flux.reactor(**options),
            flux.reactor_components(**options),
            {},
            f"{options['power_GW']:g} GW at {options['distance_m']:g} m, {options['spectrum']} "
            "above 2 MeV, Vogel–Engel below",
        )
    make, days = {
        "chromium-51": (flux.chromium51, CHROMIUM51_HALF_LIFE_d),
        "tritium": (flux.tritium, TRITIUM_HALF_LIFE_d),
    }[name]
    activity, distance = options["activity_PBq"], options["distance_m"]
    return Source(
        make(activity, flux.Point(distance)),
        {},
        {},
        f"{activity:g} PBq at {distance:g} m, half-life {days:.5g} d",
    )


@dataclass(frozen=True)
class ComponentSummary:
    """Flux [1/(cm² s)] of a part, its share of the whole, mean and highest energy, and the
    relative 1σ of its flux (None: not known to jaxnu)."""

    name: str
    flux_per_cm2_s: float
    share: float
    mean_energy_keV: float
    E_max_keV: float
    relative_error: float | None


@dataclass(frozen=True)
class LineSummary:
    """Energy, flux [1/(cm² s)] and share of a line."""

    E_keV: float
    flux_per_cm2_s: float
    share: float


@dataclass(frozen=True)
class FluxSummary:
    """The numbers of a source; lines are counted in its components too, where it has any."""

    name: str
    origin: str
    antineutrino: bool
    flux_per_cm2_s: float
    mean_energy_keV: float
    E_max_keV: float
    survival_keV: list[float]
    survival: list[float]
    components: list[ComponentSummary]
    lines: list[LineSummary]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def summarize_flux(source: Source) -> FluxSummary:
    """Total, mean energy, parts and lines of a source."""
    spectrum = source.spectrum
    total = float(spectrum.total())
    if not total > 0.0:
        raise InputError(
            f"the flux of {spectrum.name!r} is {total:g} /(cm² s); give a source that is on"
        )
    parts = [
        ComponentSummary(
            name=name,
            flux_per_cm2_s=float(part.total()),
            share=float(part.total()) / total,
            mean_energy_keV=float(part.mean_energy_keV()),
            E_max_keV=highest_energy(part),
            relative_error=source.relative_errors.get(name),
        )
        for name, part in source.components.items()
        if float(part.total()) > 0.0
    ]
    lines = [
        LineSummary(E, strength, strength / total)
        for E, strength in zip(
            np.asarray(spectrum.lines_keV).tolist(),
            np.asarray(spectrum.line_flux).tolist(),
            strict=True,
        )
    ]
    return FluxSummary(
        name=spectrum.name,
        origin=source.origin,
        antineutrino=spectrum.antineutrino,
        flux_per_cm2_s=total,
        mean_energy_keV=float(spectrum.mean_energy_keV()),
        E_max_keV=highest_energy(spectrum),
        survival_keV=np.asarray(spectrum.survival_keV).tolist(),
        survival=np.asarray(spectrum.survival).tolist(),
        components=parts,
        lines=lines,
    )


def highest_energy(spectrum: Spectrum) -> float:
    """End of the last panel or line, keV, that holds a flux."""
    filled = np.any(np.asarray(spectrum.density) != 0.0, axis=1)
    lines = np.asarray(spectrum.lines_keV)[np.asarray(spectrum.line_flux) != 0.0]
    return float(np.max([0.0, *np.asarray(spectrum.edges_keV)[1:][filled], *lines]))


def format_flux(summary: FluxSummary) -> str:
    """The summary in words."""
    kind = "antineutrinos" if summary.antineutrino else "neutrinos"
    P, E = summary.survival, summary.survival_keV
    oscillation = (
        f"{P[0]:.3f} to {P[-1]:.3f} from {E[0]:g} to {E[-1]:g} keV"
        if len(set(P)) > 1
        else f"{P[0]:g}"
    )
    text = [
        f"{summary.name}, {kind}",
        f"  what           {summary.origin}",
        f"  flux           {summary.flux_per_cm2_s:.4g} /(cm² s)",
        f"  mean energy    {summary.mean_energy_keV:.5g} keV",
        f"  energies       to {summary.E_max_keV:.6g} keV",
        f"  P_ee           {oscillation} (weak channel only)",
    ]
    if summary.components:
        text.append(
            f"  {'component':<14} {'flux/(cm² s)':>13} {'share':>10} {'mean E/keV':>11} "
            f"{'end/keV':>9} {'1σ of flux':>11}"
        )
    for row in summary.components:
        error = "–" if row.relative_error is None else f"{100 * row.relative_error:.1f}%"
        text.append(
            f"    {row.name:<12} {row.flux_per_cm2_s:>13.4e} {row.share:>10.3e} "
            f"{row.mean_energy_keV:>11.5g} {row.E_max_keV:>9.6g} {error:>11}"
        )
    if summary.lines:
        text.append(f"  {'line':<14} {'flux/(cm² s)':>13} {'share':>10}")
    text += [
        f"    {f'{row.E_keV:g} keV':<12} {row.flux_per_cm2_s:>13.4e} {row.share:>10.3e}"
        for row in summary.lines
    ]
    return "\n".join(text)
