"""Tables of an experiment file: every refusal names the file, the key and the value."""

import difflib
import re
import reprlib
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from jaxnu import checks
from jaxnu.errors import InputError
from jaxnu.experiments.energy_scale import ELECTRON_SCALE, EnergyScale, split_label
from jaxnu.units import quantity

ENERGY_MAX_keV = 1000.0  # no electron-recoil spectrum reaches it; a number in eV does
NUMBER_MAX = 1e30  # of any list: beyond is a slip


@contextmanager
def located(where: str) -> Iterator[None]:
    """Put the file and key before the message of a refusal from inside."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{where}{error}") from None


def parse_toml(file: str, text: str) -> dict[str, Any]:
    """The content of a TOML file, or a refusal with file and line."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        why = " ".join(str(error).split())
        why = why.replace("at end of document", f"at line {text.count(chr(10)) + 1}, the end")
        raise InputError(f"{file} is not valid TOML: {why}; correct the file there") from None


def refuse_eV(where: str, energies_keV: Any) -> None:
    """Refuse energies of a detector that are plainly numbers in eV."""
    largest = float(np.max(energies_keV))
    if largest > ENERGY_MAX_keV:
        raise InputError(
            f"{where} = {largest:g} keV is above {ENERGY_MAX_keV:g} keV and looks like eV; "
            'energies here are in keV; write "1.5 keV" or "1500 eV" (in lists: unit = "eV")'
        )


def one_each(where: str, values: Sequence[Any] | np.ndarray, bins: int) -> None:
    """Refuse a list that does not have one value for each bin."""
    if len(values) != bins:
        raise InputError(
            f"{where} has {len(values)} values for {bins} bins ({bins + 1} edges); "
            "give one for each bin"
        )


def _per_electron_equivalent(where: str, text: Any) -> Any:
    """A rate without the label _ee of its energy; that of recoils is refused."""
    plain, label = split_label(text)
    if label == "nr":
        raise InputError(
            f"{where} = {text!r} is a rate per recoil energy, and bins are electron-equivalent; "
            "give it per keV_ee"
        )
    return plain


class Table:
    """One table of the file.

    file: its name, for messages. path: dotted key of the table. folder: of the file, to which the
    names of CSV files in it are relative.
    """

    def __init__(
        self, file: str, path: str, content: Any, keys: Sequence[str], folder: Path = Path()
    ):
        self.file, self.path, self.content, self.folder = file, path, content, folder
        if not isinstance(content, dict):
            raise InputError(
                f"{file}: {path} = {reprlib.repr(content)} is not a table; give {', '.join(keys)}"
            )
        self.allow(keys)

    def dotted(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def allow(self, keys: Sequence[str]) -> None:
        """Refuse any other key."""
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

    def table(self, key: str, keys: Sequence[str]) -> "Table":
        words = f" with {', '.join(keys)}" if keys else ""
        content = self.get(key, f"a table [{self.dotted(key)}]{words}")
        return Table(self.file, self.dotted(key), content, keys, self.folder)

    def tables(self, key: str, keys: Sequence[str]) -> list["Table"]:
        """The tables of [[key]], one or more."""
        content = self.get(key, f"tables [[{self.dotted(key)}]] with {', '.join(keys)}")
        if not isinstance(content, list) or not content:
            raise self.refuse(key, f"tables [[{self.dotted(key)}]] with {', '.join(keys)}")
        return [
            Table(self.file, f"{self.dotted(key)}[{i}]", one, keys, self.folder)
            for i, one in enumerate(content)
        ]

    def text(self, key: str, expected: str) -> str:
        value = self.get(key, expected)
        if not isinstance(value, str) or not value.strip():
            raise self.refuse(key, expected)
        return value

    def word(self, key: str, allowed: Sequence[str]) -> str:
        """One of some words."""
        value = self.text(key, f"one of {', '.join(allowed)}")
        checks.one_of(self.where(key), value, allowed)
        return value

    def csv_file(self, key: str) -> str:
        """The path of a CSV file, relative to the folder of this one."""
        name = self.text(key, 'the name of a CSV file, such as "table.csv"')
        if not name.endswith(".csv"):
            raise self.refuse(key, 'the name of a CSV file, such as "table.csv"')
        return str(self.folder / name)

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
        if dimension == "rate":
            value = _per_electron_equivalent(self.where(key), value)
        with located(f"{self.where(key)} = "):
            return quantity(value, dimension)

    def energy(
        self, key: str, expected: str, scale: EnergyScale = ELECTRON_SCALE, *, width: bool = False
    ) -> float:
        """An energy of the detector in keV, electron-equivalent; a width is not converted."""
        value, label = split_label(self.get(key, expected))
        with located(f"{self.where(key)} = "):
            energy_keV = quantity(value, "energy")
        refuse_eV(self.where(key), energy_keV)
        convert = scale.width if width else scale.point
        return float(convert(self.where(key), np.array([energy_keV]), label)[0])

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
        return self.labelled(key, dimension, unit, None)[0]

    def labelled(
        self, key: str, dimension: str, unit: str, scale: EnergyScale | None
    ) -> tuple[np.ndarray, str | None]:
        """Values of { unit = "…", values = […] } in the base unit, and the label of its energy.

        scale: None where no label may stand.
        """
        expected = f'{{ unit = "{unit}", values = [...] }}'
        value = self.get(key, expected)
        if not isinstance(value, dict):
            raise self.refuse(key, expected)
        inner = Table(self.file, self.dotted(key), value, ("unit", "values"))
        symbol, label = inner.text("unit", f'a unit such as "{unit}"').strip(), None
        if scale is not None:
            symbol, label = split_label(symbol)
        if dimension == "rate":
            symbol = _per_electron_equivalent(inner.where("unit"), symbol)
        one = symbol if re.match(r"1(?![\d.])", symbol) else f"1 {symbol}"
        with located(f"{inner.where('unit')} = {symbol!r}: "):
            factor = quantity(one, dimension)
        return factor * inner.numbers("values", "a list of numbers"), label

    def energies(self, key: str, scale: EnergyScale = ELECTRON_SCALE) -> np.ndarray:
        """Two or more increasing energies of the detector in keV, electron-equivalent."""
        values, label = self.labelled(key, "energy", "keV", scale)
        where = self.where(key)
        refuse_eV(where, values)
        if len(values) < 2:
            raise InputError(f"{where} = {values.tolist()} has one value; give two or more")
        checks.increasing(where, values, "keV")
        checks.number_range(where, values, 0.0, ENERGY_MAX_keV, "keV", "energies are not negative")
        return scale.point(where, values, label)
