"""Read an experiment file (TOML): quantities with units in, an Experiment out.

The format is described in docs/experiment-file.md.
"""

import difflib
import os
import reprlib
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import erf

from jaxnu import checks, elements, flux, precision  # noqa: F401
from jaxnu.errors import InputError
from jaxnu.experiments.experiment import (
    DATA_KINDS,
    SYSTEMATICS,
    Experiment,
    Parameters,
    acceptance,
    half_efficiency_keV,
    transfer_edges,
)
from jaxnu.flux.spectrum import Spectrum
from jaxnu.settings import NUMERICS
from jaxnu.units import quantity

ENERGY_MAX_keV = 1000.0  # no electron-recoil spectrum reaches it; a number in eV does
NUMBER_MAX = 1e30  # of any list: beyond is a slip
RATE_MAX = 1e12  # 1/(kg keV d), only to refuse infinity
EXPOSURE_MAX = 1e12  # kg d, likewise

SECTIONS = (
    "title",
    "source",
    "target",
    "detector",
    "data",
    "background",
    "systematics",
    "statistics",
    "reference",
)
SOURCES = {
    "solar": ("metallicity", "components"),
    "reactor": ("power", "distance", "fractions", "spectrum", "nu_per_fission", "capture"),
}
EFFICIENCY = ("energies", "values", "threshold", "width", "plateau")
DATA = (
    "kind", "bin_edges", "counts", "off_counts", "off_exposure", "values", "errors",
)  # fmt: skip
REFERENCE = ("citation", "doi", "arxiv", "published_limit", "obtained", "notes")


@contextmanager
def _located(where: str) -> Iterator[None]:
    """Put the file and key before the message of a refusal from inside."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{where}{error}") from None


class _Table:
    """One table of the file; every refusal names the file, the key and the value."""

    def __init__(self, file: str, path: str, content: Any, keys: tuple[str, ...]):
        self.file, self.path, self.content = file, path, content
        if not isinstance(content, dict):
            raise InputError(
                f"{file}: {path} = {reprlib.repr(content)} is not a table; give {', '.join(keys)}"
            )
        self.allow(keys)

    def dotted(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def allow(self, keys: tuple[str, ...]) -> None:
        for key, value in self.content.items():
            if key not in keys:
                near = difflib.get_close_matches(key, keys, 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise InputError(
                    f"{self.where(key)} = {reprlib.repr(value)} is an unknown key; "
                    f"allowed: {', '.join(keys)}{hint}"
                )

    def where(self, key: str) -> str:
        return f"{self.file}: {self.dotted(key)}"

    def __contains__(self, key: str) -> bool:
        return key in self.content

    def get(self, key: str, expected: str) -> Any:
        if key not in self.content:
            raise InputError(f"{self.where(key)} is missing; give {expected}")
        return self.content[key]

    def refuse(self, key: str, expected: str) -> InputError:
        return InputError(f"{self.where(key)} = {reprlib.repr(self.content[key])}; give {expected}")

    def table(self, key: str, keys: tuple[str, ...]) -> "_Table":
        content = self.get(key, f"a table [{self.dotted(key)}] with {', '.join(keys)}")
        return _Table(self.file, self.dotted(key), content, keys)

    def text(self, key: str, expected: str) -> str:
        value = self.get(key, expected)
        if not isinstance(value, str) or not value.strip():
            raise self.refuse(key, expected)
        return value

    def number(self, key: str, low: float, high: float, remedy: str) -> float:
        """A bare number above low, up to high."""
        expected = f"a number in ({low:g}, {high:g}]"
        value = self.get(key, expected)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refuse(key, expected)
        checks.number_range(self.where(key), value, low, high, "", remedy, open_low=True)
        return float(value)

    def flag(self, key: str) -> bool:
        value = self.get(key, "true or false")
        if not isinstance(value, bool):
            raise self.refuse(key, "true or false")
        return value

    def quantity(self, key: str, dimension: str, expected: str) -> float:
        value = self.get(key, expected)
        with _located(f"{self.where(key)} = "):
            return quantity(value, dimension)

    def energy(self, key: str, expected: str) -> float:
        value = self.quantity(key, "energy", expected)
        _refuse_eV(self.where(key), value)
        return value

    def numbers(self, key: str, expected: str) -> np.ndarray:
        values = self.get(key, expected)
        if not isinstance(values, list) or not values:
            raise self.refuse(key, expected)
        for i, value in enumerate(values):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not abs(value) < NUMBER_MAX:  # NaN too
                raise InputError(
                    f"{self.where(key)}[{i}] = {reprlib.repr(value)} is not a finite number below "
                    f"{NUMBER_MAX:g}; give {expected}"
                )
        return np.asarray(values, dtype=float)

    def quantities(self, key: str, dimension: str, unit: str) -> np.ndarray:
        """Values of { unit = "…", values = […] } in the base unit."""
        expected = f'{{ unit = "{unit}", values = [...] }}'
        value = self.get(key, expected)
        if not isinstance(value, dict):
            raise self.refuse(key, expected)
        inner = _Table(self.file, self.dotted(key), value, ("unit", "values"))
        symbol = inner.text("unit", f'a unit such as "{unit}"').strip()
        one = symbol if symbol.startswith("1") else f"1 {symbol}"
        with _located(f"{inner.where('unit')} = {symbol!r}: "):
            factor = quantity(one, dimension)
        return factor * inner.numbers("values", "a list of numbers")


def _refuse_eV(where: str, energies_keV: Any) -> None:
    largest = float(np.max(energies_keV))
    if largest > ENERGY_MAX_keV:
        raise InputError(
            f"{where} = {largest:g} keV is above {ENERGY_MAX_keV:g} keV and looks like eV; "
            'energies here are in keV; write "1.5 keV" or "1500 eV" (in lists: unit = "eV")'
        )


def _energies(table: _Table, key: str) -> np.ndarray:
    values = table.quantities(key, "energy", "keV")
    where = table.where(key)
    _refuse_eV(where, values)
    if len(values) < 2:
        raise InputError(f"{where} = {values.tolist()} has one value; give two or more")
    checks.increasing(where, values, "keV")
    checks.number_range(where, values, 0.0, ENERGY_MAX_keV, "keV", "energies are not negative")
    return values


def _source(table: _Table) -> Spectrum:
    kind = table.text("kind", "one of solar, reactor")
    checks.one_of(table.where("kind"), kind, SOURCES)
    table.allow(("kind", *SOURCES[kind]))
    options: dict[str, Any] = {}
    if kind == "solar":
        model = table.text("metallicity", 'a solar model, such as "GS98"')
        checks.one_of(table.where("metallicity"), model, flux.SOLAR_FLUXES)
        options["metallicity"] = model
        if "components" in table:
            components = table.content["components"]
            if not isinstance(components, list) or not all(isinstance(c, str) for c in components):
                raise table.refuse("components", 'a list such as ["pp", "7Be", "pep"]')
            for i, component in enumerate(components):
                where = f"{table.where('components')}[{i}]"
                checks.one_of(where, component, flux.SOLAR_FLUXES[model])
            options["components"] = tuple(components)
        with _located(f"{table.file}: {table.path}."):
            return flux.solar(**options)
    power_GW = table.quantity("power", "power", 'the thermal power, such as "3 GW"')
    distance_m = table.quantity("distance", "length", 'the distance, such as "13.9 m"')
    checks.number_range(
        table.where("power"), power_GW, 0.0, 100.0, "GW",
        'give the thermal power, such as "3 GW"', open_low=True,
    )  # fmt: skip
    checks.number_range(
        table.where("distance"), distance_m, 1.0, 1000.0, "m",
        'give the distance from the core, such as "13.9 m"',
    )  # fmt: skip
    if "fractions" in table:
        fractions = table.content["fractions"]
        if not isinstance(fractions, dict):
            raise table.refuse("fractions", "a table of fission fractions by isotope")
        options["fractions"] = fractions
    if "spectrum" in table:
        options["spectrum"] = table.text("spectrum", f"one of {', '.join(flux.SPECTRA)}")
    if "nu_per_fission" in table:
        options["nu_per_fission"] = table.text("nu_per_fission", '"texono" or "tables"')
    if "capture" in table:
        options["capture"] = table.flag("capture")
    with _located(f"{table.file}: {table.path}."):
        return flux.reactor(power_GW, distance_m, **options)


def _resolution(table: _Table) -> np.ndarray:
    keys = ("constant", "sqrt", "linear")
    if not table.content:
        raise InputError(
            f"{table.file}: {table.path} is empty; give one or more of {', '.join(keys)}, "
            'such as sqrt = "0.31 keV"'
        )
    expected = 'an energy such as "0.3 keV"'
    values = [table.energy(key, expected) if key in table else 0.0 for key in keys]
    for key, value in zip(keys, values, strict=True):
        checks.number_range(
            table.where(key), value, 0.0, ENERGY_MAX_keV, "keV", "coefficients are not negative"
        )
    return np.array(values)


ERF_KNOTS = 41  # over ±4 widths: the cubic through them differs from erf by 2e-5


def _turn_on(table: _Table, first: float, last: float) -> tuple[np.ndarray, np.ndarray]:
    """Knots of plateau · ½ (1 + erf((E − threshold)/(√2 width))), from bin to bin."""
    threshold = table.energy("threshold", 'the energy of half efficiency, such as "0.3 keV"')
    width = table.energy("width", 'the 1σ width of the turn-on, such as "30 eV"')
    plateau = table.number("plateau", 0.0, 1.0, "80% is written 0.8")
    remedy = "a turn-on has a threshold and a width above zero"
    for key, value in (("threshold", threshold), ("width", width)):
        checks.number_range(
            table.where(key), value, 0.0, ENERGY_MAX_keV, "keV", remedy, open_low=True
        )
    z = np.linspace(-4.0, 4.0, ERF_KNOTS)
    energies, values = threshold + width * z, 0.5 * plateau * (1.0 + erf(z / np.sqrt(2.0)))
    values[0], values[-1] = 0.0, plateau
    below = [first] if first < energies[0] else []
    above = [last] if last > energies[-1] else []
    return (
        np.concatenate([below, energies, above]),
        np.concatenate([[0.0] * len(below), values, [plateau] * len(above)]),
    )


def _efficiency(table: _Table, first: float, last: float) -> tuple[np.ndarray, np.ndarray]:
    if "threshold" in table:
        table.allow(("threshold", "width", "plateau"))
        return _turn_on(table, first, last)
    table.allow(("energies", "values"))
    energies = _energies(table, "energies")
    values = table.numbers("values", "an efficiency between 0 and 1 for each energy")
    if len(values) != len(energies):
        raise InputError(
            f"{table.where('values')} has {len(values)} values for {len(energies)} energies; "
            "give one for each"
        )
    remedy = "efficiencies are fractions, so 80% is written 0.8"
    checks.number_range(table.where("values"), values, 0.0, 1.0, "", remedy)
    return energies, values


def _counts(table: _Table, key: str, bins: int) -> np.ndarray | None:
    if key not in table:
        return None
    expected = f"a whole number of events for each bin, or leave {key} out for a forecast"
    counts = table.numbers(key, expected)
    for i, value in enumerate(table.content[key]):
        if value < 0 or not isinstance(value, int):
            raise InputError(
                f"{table.where(key)}[{i}] = {value!r} is not a number of events; give {expected}"
            )
    if len(counts) != bins:
        raise InputError(
            f"{table.where(key)} has {len(counts)} values for {bins} bins "
            f"({bins + 1} edges); give one for each bin"
        )
    return counts


def _background(table: _Table, bins: int) -> np.ndarray:
    example = "1/(t yr keV)"
    expected = f'"2.5 / (keV kg d)", or {{ unit = "{example}", values = [...] }} by bin'
    rate = table.get("rate", expected)
    where = table.where("rate")
    if isinstance(rate, dict):
        values = table.quantities("rate", "rate", example)
        if len(values) != bins:
            raise InputError(
                f"{where} has {len(values)} values for {bins} bins ({bins + 1} edges); "
                "give one for each bin"
            )
    elif isinstance(rate, str):
        values = np.full(bins, table.quantity("rate", "rate", expected))
    else:
        raise table.refuse("rate", expected)
    checks.number_range(where, values, 0.0, RATE_MAX, "1/(kg keV d)", "rates are not negative")
    if not values.any():
        raise InputError(f"{where} = 0 in all bins; its norm has no meaning: give a positive rate")
    return values


def _statistics(table: _Table) -> tuple[bool, float]:
    word = table.text("background_norm", '"floating" or "constrained"')
    checks.one_of(table.where("background_norm"), word, ("floating", "constrained"))
    key = "background_uncertainty"
    if word == "floating":
        if key in table:
            raise table.refuse(key, 'background_norm = "constrained", or leave this key out')
        return True, 1.0
    return False, table.number(key, 0.0, 1.0, "5% is written 0.05")


def _systematics(top: _Table) -> tuple[tuple[tuple[str, str], ...], np.ndarray]:
    """((name, parameter), …) and the relative 1σ of each [systematics.NAME]."""
    if "systematics" not in top:
        return (), np.zeros(0)
    names = (
        tuple(top.content["systematics"]) if isinstance(top.content["systematics"], dict) else ()
    )
    table = top.table("systematics", names)
    pairs, sigmas = [], []
    for name in names:
        if name == "background":
            raise InputError(
                f"{table.where(name)}: the background's norm has its own nuisance; give "
                "[statistics] background_uncertainty, or another name"
            )
        one = table.table(name, ("parameter", "uncertainty"))
        parameter = one.text("parameter", f"one of {', '.join(SYSTEMATICS)}")
        checks.one_of(one.where("parameter"), parameter, SYSTEMATICS)
        pairs.append((name, parameter))
        sigmas.append(one.number("uncertainty", 0.0, 1.0, "a relative 1σ, 5% is written 0.05"))
    return tuple(pairs), np.array(sigmas)


def _observed(table: _Table, bins: int) -> dict[str, Any]:
    """What was measured, by kind: fields of Experiment, and off_exposure_kg_day."""
    kind = table.text("kind", f"one of {', '.join(DATA_KINDS)}") if "kind" in table else "counts"
    checks.one_of(table.where("kind"), kind, DATA_KINDS)
    own = {
        "counts": ("counts",),
        "on-off": ("counts", "off_counts", "off_exposure"),
        "difference": ("values", "errors", "off_exposure"),
    }
    table.allow(("kind", "bin_edges", *own[kind]))
    found: dict[str, Any] = {"data_kind": kind, "off_exposure_kg_day": 0.0}
    if kind != "difference":
        found["counts"] = _counts(table, "counts", bins)
    if kind == "on-off":
        found["off_counts"] = _counts(table, "off_counts", bins)
        if (found["counts"] is None) != (found["off_counts"] is None):
            raise InputError(
                f"{table.file}: {table.path} has one of counts and off_counts; give both, or "
                "neither for a forecast"
            )
    if kind == "difference" and ("values" in table or "errors" in table):
        if "off_exposure" in table:
            raise table.refuse("off_exposure", "either values and errors, or off_exposure alone")
        found["difference"] = _difference(table, bins)
    if kind == "on-off" or (kind == "difference" and "values" not in table):
        expected = 'mass × time without the source, such as "280 kg d"'
        exposure = table.quantity("off_exposure", "exposure", expected)
        checks.number_range(
            table.where("off_exposure"), exposure, 0.0, EXPOSURE_MAX, "kg d", expected,
            open_low=True,
        )  # fmt: skip
        found["off_exposure_kg_day"] = exposure
    return found


def _difference(table: _Table, bins: int) -> np.ndarray:
    pair = [table.quantities(key, "rate", "1/(kg keV d)") for key in ("values", "errors")]
    for key, each in zip(("values", "errors"), pair, strict=True):
        if len(each) != bins:
            raise InputError(
                f"{table.where(key)} has {len(each)} values for {bins} bins ({bins + 1} edges); "
                "give one for each bin"
            )
    checks.number_range(
        table.where("errors"), pair[1], 0.0, RATE_MAX, "1/(kg keV d)", "1σ of each value",
        open_low=True,
    )  # fmt: skip
    return np.stack(pair)


def _parse(file: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        why = " ".join(str(error).split())
        why = why.replace("at end of document", f"at line {text.count(chr(10)) + 1}, the end")
        raise InputError(f"{file} is not valid TOML: {why}; correct the file there") from None


def _loaded(name: str, file: str, text: str) -> Experiment:
    """The experiment as constants, inside a jitted function too."""
    with jax.ensure_compile_time_eval():
        return _read(name, file, text)


def _material(target: _Table) -> str:
    """The element, or the compound, of a target."""
    if "compound" in target:
        target.allow(("compound", "exposure"))
        formula = target.text("compound", 'a formula such as "NaI"')
        with _located(f"{target.where('compound')}: "):
            elements.composition(formula)
        return formula
    symbol = target.text("element", 'a chemical symbol such as "Xe", or compound = "NaI"')
    with _located(f"{target.where('element')}: "):
        elements.element(symbol)
    return symbol


def _read(name: str, file: str, text: str) -> Experiment:
    top = _Table(file, "", _parse(file, text), SECTIONS)
    title = top.text("title", "one line that names the experiment")
    source_keys = ("kind", *(key for keys in SOURCES.values() for key in keys))
    source_table = top.table("source", source_keys)
    target = top.table("target", ("element", "compound", "exposure"))
    detector = top.table("detector", ("resolution", "efficiency"))
    resolution_table = detector.table("resolution", ("constant", "sqrt", "linear"))
    data = top.table("data", DATA)
    known = "background" in top
    if not known and "statistics" in top:
        raise InputError(
            f"{file}: statistics is there without background; give [background] with its rate, or "
            "leave both out"
        )
    reference = top.table("reference", REFERENCE)

    material = _material(target)
    exposure = target.quantity("exposure", "exposure", 'mass × time, such as "1.16 t yr"')
    checks.number_range(
        target.where("exposure"), exposure, 0.0, EXPOSURE_MAX, "kg d",
        'give a positive mass × time, such as "1.16 t yr"', open_low=True,
    )  # fmt: skip

    bin_edges = _energies(data, "bin_edges")
    bins = len(bin_edges) - 1
    observed = _observed(data, bins)
    background, has_efficiency, floating, uncertainty = np.zeros(bins), True, True, 1.0
    if known:
        background_table = top.table("background", ("rate", "includes_efficiency"))
        background = _background(background_table, bins)
        has_efficiency = background_table.flag("includes_efficiency")
        statistics = top.table("statistics", ("background_norm", "background_uncertainty"))
        floating, uncertainty = _statistics(statistics)
    resolution = _resolution(resolution_table)
    # parameters only, no efficiency known: all events of the bins
    step = {
        "threshold": f"{bin_edges[0]} keV",
        "width": f"{bin_edges[0] * 1e-3} keV",
        "plateau": 1.0,
    }
    if not known and "efficiency" not in detector:
        detector.content["efficiency"] = step
    efficiency_table = detector.table("efficiency", EFFICIENCY)
    knots, efficiency = _efficiency(efficiency_table, bin_edges[0], bin_edges[-1])
    systematics, sigmas = _systematics(top)
    if knots[0] > bin_edges[0] or knots[-1] < bin_edges[-1]:
        raise InputError(
            f"{efficiency_table.where('energies')} = {knots[0]:g} … {knots[-1]:g} keV does not "
            f"cover the bins, {bin_edges[0]:g} … {bin_edges[-1]:g} keV; add knots at the ends"
        )
    with _located(f"{efficiency_table.where('values')}: "):
        threshold = half_efficiency_keV(knots, efficiency)
    citation = reference.text("citation", "whose numbers these are")
    texts = {key: reference.text(key, "a text") for key in REFERENCE if key in reference}

    source = _source(source_table)
    T_max = float(np.max([source.edges_keV[-1], *np.asarray(source.lines_keV)]))
    with _located(f"{detector.where('resolution')}: "):
        edges = transfer_edges(resolution, bin_edges[0], bin_edges[-1], T_max)
    parameters = Parameters(
        source=source,
        exposure_kg_day=jnp.asarray(exposure, float),
        threshold_keV=jnp.asarray(threshold, float),
        resolution_keV=jnp.asarray(resolution, float),
        efficiency_offset_keV=jnp.asarray(knots - threshold, float),
        efficiency=jnp.asarray(efficiency, float),
        bin_edges_keV=jnp.asarray(bin_edges, float),
        background=jnp.asarray(background, float),
        background_uncertainty=jnp.asarray(uncertainty, float),
        off_exposure_kg_day=jnp.asarray(observed.pop("off_exposure_kg_day"), float),
        systematic_uncertainty=jnp.asarray(sigmas, float),
    )
    kind = observed.pop("data_kind")
    data_arrays = {
        key: None if value is None else jnp.asarray(value, float)
        for key, value in {"counts": None, **observed}.items()
    }
    return Experiment(
        parameters=parameters,
        acceptance=acceptance(parameters),
        name=name,
        title=title,
        target=material,
        background_floating=floating,
        background_has_efficiency=has_efficiency,
        transfer_edges_keV=edges,
        reference=tuple({"citation": citation, **texts}.items()),
        numerics=NUMERICS,
        data_kind=kind,
        systematics=systematics,
        has_background=known,
        **data_arrays,
    )


def _catalogue() -> dict[str, Any]:
    folder = resources.files("jaxnu.experiments") / "catalogue"
    files = [file for file in folder.iterdir() if file.name.endswith(".toml")]
    return {file.name.removesuffix(".toml"): file for file in sorted(files, key=lambda f: f.name)}


def available() -> tuple[str, ...]:
    """Names of the experiments that come with jaxnu."""
    return tuple(_catalogue())


def load_experiment(name_or_path: str | os.PathLike[str]) -> Experiment:
    """Read an experiment: a shipped one by name, or any other by the path of its file.

    Args:
        name_or_path: a name from available(), or the path of a file (docs/experiment-file.md).

    Returns:
        The experiment; its name is the file's name without ".toml".

    Raises:
        InputError: one line with file, key, value and what is expected there.
    """
    shipped = _catalogue()
    key = os.fspath(name_or_path)
    if key in shipped:
        return _loaded(key, f"{key}.toml", shipped[key].read_text(encoding="utf-8"))
    path = Path(key)
    if not path.is_file():
        with _located(f"{key!r} is not a file and not a shipped experiment: "):
            checks.one_of("name_or_path", key, shipped)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = " ".join(str(error).split())
        raise InputError(f"{key} cannot be read: {why}; give a TOML file in UTF-8") from None
    return _loaded(path.name.removesuffix(".toml"), key, text)


def describe(name: str | os.PathLike[str]) -> str:
    """A few lines about an experiment: what, how much, from whom.

    Args:
        name: as for load_experiment.
    """
    experiment = load_experiment(name)
    p = experiment.parameters
    c0, c1, c2 = (float(c) for c in p.resolution_keV)
    terms = (f"{c0:g}" * (c0 > 0), f"{c1:g} √T" * (c1 > 0), f"{c2:g} T" * (c2 > 0))
    counts = "none, a forecast" if experiment.has_background else "none, parameters only"
    if experiment.difference is not None:
        counts = "ON − OFF spectrum with errors"
    elif experiment.counts is not None:
        counts = f"{int(experiment.counts.sum())}"
    if experiment.off_counts is not None:
        counts += f" ON, {int(experiment.off_counts.sum())} OFF"
    if not experiment.has_background:
        norm = "unknown: no limit can be computed"
    elif experiment.background_floating:
        norm = "floating norm"
    else:
        norm = f"norm constrained to {100 * float(p.background_uncertainty):g}%"
    lines = {
        "experiment": f"{experiment.name}: {experiment.title}",
        "source": f"{p.source.name}, {float(p.source.total()):.4g} /(cm² s)",
        "target": f"{experiment.target}, {float(p.exposure_kg_day):g} kg d",
        "threshold": f"{float(p.threshold_keV):.3g} keV (half of the maximal efficiency)",
        "resolution": f"σ = {' + '.join(term for term in terms if term)} keV, T in keV",
        "bins": f"{p.background.shape[0]}, {float(p.bin_edges_keV[0]):g} to "
        f"{float(p.bin_edges_keV[-1]):g} keV",
        "events": counts,
        "background": f"{float(p.background.min()):.4g} to {float(p.background.max()):.4g} "
        f"/(kg keV d), {norm}"
        if experiment.has_background
        else norm,
        "statistics": f"{experiment.data_kind}"
        + (f", {float(p.off_exposure_kg_day):g} kg d off" if p.off_exposure_kg_day > 0.0 else ""),
        **{
            f"nuisance {name}": f"{parameter} ± {100.0 * float(sigma):g}%"
            for (name, parameter), sigma in zip(
                experiment.systematics, p.systematic_uncertainty, strict=True
            )
        },
        **{key.replace("_", " "): text for key, text in experiment.reference},
    }
    width = max(map(len, lines))
    return "\n".join(f"{key:<{width}}  {text}" for key, text in lines.items())


def _what_data(content: dict[str, Any]) -> str:
    data = content["data"]
    if "background" not in content:
        return "counts only" if "counts" in data else "parameters only"
    return "counts" if "counts" in data or "values" in data else "forecast only"


def headline(name: str) -> tuple[str, str, str, str]:
    """(target, what data it has, title, citation) of a shipped experiment, read only."""
    content = _parse(f"{name}.toml", _catalogue()[name].read_text(encoding="utf-8"))
    return (
        content["target"].get("element") or content["target"]["compound"],
        _what_data(content),
        content["title"],
        content["reference"]["citation"],
    )
