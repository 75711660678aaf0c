"""The [target] and its recoils: material, exposure, quenching."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from jaxnu import checks, elements
from jaxnu.detector.quenching import (
    QUENCHING_MODELS,
    Quenching,
    check_quenching,
    electron_equivalent,
)
from jaxnu.errors import InputError
from jaxnu.experiments.csv_columns import read_columns
from jaxnu.experiments.energy_scale import EnergyScale, RecoilScale
from jaxnu.experiments.experiment import RECOILS
from jaxnu.experiments.table import Table, located

EXPOSURE_MAX = 1e12  # kg d, only to refuse infinity
FACTOR_MAX = 1.5  # of a quenching table: above 1 only by calibration errors
LOWEST_KNOT_keV = 1e-3  # a table says what recoils of 1 eV do, so that nothing is extrapolated
QUENCHING_KEYS = ("model", "k", "file", "energies", "values")


@dataclass(frozen=True)
class Target:
    """Material, exposure [kg d], what recoils, and the quenching of each element that does."""

    material: str
    exposure_kg_day: float
    recoil: str
    quenching: tuple[Quenching, ...]
    scale: EnergyScale


def read_target(table: Table, detector: Table) -> Target:
    """The target, with [detector.quenching] for nuclear recoils."""
    material = _material(table)
    exposure = table.quantity("exposure", "exposure", 'mass × time, such as "1.16 t yr"')
    checks.number_range(
        table.where("exposure"), exposure, 0.0, EXPOSURE_MAX, "kg d",
        'give a positive mass × time, such as "1.16 t yr"', open_low=True,
    )  # fmt: skip
    recoil = table.word("recoil", RECOILS) if "recoil" in table else "electron"
    if recoil == "electron":
        if "quenching" in detector:
            raise InputError(
                f"{detector.where('quenching')} is there without nuclear recoils; give [target] "
                'recoil = "nuclear" or "both", or leave it out'
            )
        return Target(material, exposure, recoil, (), EnergyScale())
    symbols = tuple(elements.composition(material))
    for symbol in symbols:
        with located(f"{table.where('recoil')}: "):
            elements.isotopes(symbol)
    quenching = _quenching(detector, symbols)
    return Target(material, exposure, recoil, quenching, _scale(recoil, quenching))


def _material(target: Table) -> str:
    """The element, or the compound, of a target."""
    if "compound" in target:
        if "element" in target:
            raise target.refuse("element", "either element or compound")
        formula = target.text("compound", 'a formula such as "NaI"')
        with located(f"{target.where('compound')}: "):
            elements.composition(formula)
        return formula
    symbol = target.text("element", 'a chemical symbol such as "Xe", or compound = "NaI"')
    with located(f"{target.where('element')}: "):
        elements.element(symbol)
    return symbol


def _quenching(detector: Table, symbols: tuple[str, ...]) -> tuple[Quenching, ...]:
    """One for each element: of [detector.quenching], or of [detector.quenching.SYMBOL]."""
    several = len(symbols) > 1
    table = detector.table("quenching", (*QUENCHING_KEYS, *(symbols if several else ())))
    if not several:
        return (_one(table, symbols[0]),)
    if "model" in table:  # only without quenching are all elements alike
        if table.word("model", QUENCHING_MODELS) != "none":
            raise table.refuse(
                "model", f'"none", or one table for each of {", ".join(symbols)}, such as '
                f"[{table.dotted(symbols[0])}]",
            )  # fmt: skip
        table.allow(("model",))
        return tuple(Quenching(symbol, "none") for symbol in symbols)
    table.allow(symbols)
    return tuple(_one(table.table(symbol, QUENCHING_KEYS), symbol) for symbol in symbols)


def _one(table: Table, symbol: str) -> Quenching:
    model = table.word("model", QUENCHING_MODELS)
    if model == "none":
        table.allow(("model",))
        return Quenching(symbol, "none")
    if model == "lindhard":
        table.allow(("model", "k"))
        k = table.number("k", 0.0, 1.0, "Lindhard's k, such as 0.157 for germanium")
        return Quenching(symbol, "lindhard", k=jnp.asarray(k))
    recoils = RecoilScale("nuclear")
    where = table.where("file" if "file" in table else "energies")
    if "file" in table:
        table.allow(("model", "file"))
        knots, columns = read_columns(where, table.csv_file("file"), recoils, 1, FACTOR_MAX)
        values = columns[:, 0]
    else:
        table.allow(("model", "energies", "values"))
        knots = table.energies("energies", recoils)
        values = table.numbers("values", "a quenching factor for each energy")
        if len(values) != len(knots):
            raise InputError(
                f"{table.where('values')} has {len(values)} values for {len(knots)} energies; "
                "give one for each"
            )
        checks.number_range(
            table.where("values"), values, 0.0, FACTOR_MAX, "", "a share of the recoil's energy"
        )
    if knots[0] > LOWEST_KNOT_keV:
        raise InputError(
            f"{where} = {knots[0]:g} keV … does not say what smaller recoils do; add a knot at 0"
        )
    return Quenching(symbol, "table", knots_keV=jnp.asarray(knots), factor=jnp.asarray(values))


def check_recoils(detector: Table, quenching: Quenching, highest_keV: float) -> None:
    """Refuse a quenching that folds energies over, or a table that ends below the recoils."""
    where = detector.where("quenching")
    if quenching.model == "table" and quenching.knots_keV[-1] < highest_keV:
        raise InputError(
            f"{where}: the table of {quenching.target} ends at "
            f"{float(quenching.knots_keV[-1]):g} keV, and recoils go up to {highest_keV:.4g} keV; "
            "add knots up to there"
        )
    check_quenching(where, quenching, highest_keV)


def _scale(recoil: str, quenching: tuple[Quenching, ...]) -> EnergyScale:
    heat = all(one.model == "none" for one in quenching)
    convert: Callable[[np.ndarray], np.ndarray] | None = None
    if len(quenching) == 1:
        seen = jax.jit(electron_equivalent)

        def convert(values: np.ndarray) -> np.ndarray:
            positive = np.where(values > 0.0, values, 1.0)
            return np.where(values > 0.0, np.asarray(seen(positive, quenching[0])), 0.0)

    ends = [float(one.knots_keV[-1]) for one in quenching if one.model == "table"]
    return EnergyScale(recoil, convert, heat, min(ends, default=np.inf))
