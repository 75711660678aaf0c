"""Elements and their electron binding energies, read from the shipped tables."""

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

from jaxnu.errors import InputError

ATOMS_MAX = 1000  # of one element in a formula unit


@dataclass(frozen=True)
class Element:
    """Nuclear charge Z and standard atomic weight [g/mol] of a chemical element."""

    symbol: str
    Z: int
    weight: float


@dataclass(frozen=True)
class Subshell:
    """A subshell in X-ray notation with its electrons and binding energy [keV]."""

    label: str
    electrons: float
    binding_keV: float

    @property
    def orbital(self) -> str:
        """The nl label to which this subshell belongs: "3d" for M4 and M5."""
        n = "KLMNOPQ".index(self.label[0]) + 1
        l = int(self.label[1:] or 1) // 2  # 1 is s; 2, 3 are p1/2, p3/2; 4, 5 are d3/2, d5/2
        return f"{n}{'spdf'[l]}"


@dataclass(frozen=True)
class Isotope:
    """A natural isotope: mass number, atomic mass [u], share of the element's atoms."""

    A: int
    mass_u: float
    abundance: float


def read_rows(name: str) -> list[dict[str, str]]:
    """Rows of a shipped CSV table; lines that start with # carry source and unit."""
    text = resources.files("jaxnu.data").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


@cache
def elements() -> dict[str, Element]:
    """All elements H to U by symbol (IUPAC 2021 weights)."""
    return {
        row["symbol"]: Element(row["symbol"], int(row["Z"]), float(row["weight"]))
        for row in read_rows("elements.csv")
    }


@cache
def _isotope_table() -> dict[str, tuple[Isotope, ...]]:
    table: dict[str, tuple[Isotope, ...]] = {}
    for row in read_rows("isotopes.csv"):
        isotope = Isotope(int(row["A"]), float(row["mass_u"]), float(row["abundance"]))
        table[row["symbol"]] = (*table.get(row["symbol"], ()), isotope)
    return table


def isotopes(symbol: str) -> tuple[Isotope, ...]:
    """The natural isotopes of an element, abundances summing to 1.

    Raises:
        InputError: not an element, or one whose isotopes are not tabulated here.
    """
    element(symbol)
    if symbol not in _isotope_table():
        raise InputError(
            f"target = {symbol!r} has no isotopes in jaxnu; tabulated are "
            f"{', '.join(_isotope_table())}; use one of these"
        )
    return _isotope_table()[symbol]


@cache
def _binding_table() -> dict[str, tuple[Subshell, ...]]:
    table: dict[str, tuple[Subshell, ...]] = {}
    for row in read_rows("binding_energies.csv"):
        subshell = Subshell(row["shell"], float(row["electrons"]), float(row["energy_eV"]) / 1e3)
        table[row["symbol"]] = (*table.get(row["symbol"], ()), subshell)
    return table


def refuse_ion(name: str, word: object) -> None:
    """Refuse "Xe+", "Xe 8+" or "Cl-" in the same words everywhere: atoms are neutral here."""
    charged = r"\s*(.+?)[\s^]*\d*(\++\d*|-+)\s*"
    found = re.fullmatch(charged, word) if isinstance(word, str) else None
    if found:
        symbol = f" {found[1]!r}" if found[1] in elements() else ""
        raise InputError(
            f"{name} = {word!r} is an ion; allowed: neutral atoms; give the symbol{symbol} "
            "without a charge"
        )


def element(symbol: str) -> Element:
    """The element with this symbol; InputError for any other word."""
    refuse_ion("target", symbol)
    if not isinstance(symbol, str) or symbol not in elements():
        raise InputError(
            f"target = {symbol!r} is not an element; allowed: chemical symbols H to U such as 'Xe' "
            "or 'Ge', capital first"
        )
    return elements()[symbol]


def composition(target: str) -> dict[str, int]:
    """Atoms of each element in a formula unit: {"Ca": 1, "W": 1, "O": 4} of "CaWO4".

    Raises InputError for what is neither an element nor a formula of elements; no brackets.
    """
    refuse_ion("target", target)
    if not isinstance(target, str) or not re.fullmatch(r"([A-Z][a-z]?\d*)+", target):
        raise InputError(
            f"target = {target!r} is neither an element nor a formula; allowed: chemical symbols H "
            "to U, capital first, each with its number, such as 'Xe', 'NaI' or 'CaWO4'; no "
            "brackets"
        )
    atoms: dict[str, int] = {}
    for symbol, count in re.findall(r"([A-Z][a-z]?)(\d*)", target):
        number = int(count or 1)
        if not 1 <= number <= ATOMS_MAX:
            raise InputError(
                f"target = {target!r} has {count} atoms of {symbol}; allowed: 1 to {ATOMS_MAX}; "
                "write the smallest formula unit"
            )
        atoms[element(symbol).symbol] = atoms.get(symbol, 0) + number
    return atoms


def molar_mass(target: str) -> float:
    """Mass of a formula unit [g/mol] from standard atomic weights."""
    return sum(number * element(symbol).weight for symbol, number in composition(target).items())


def subshells(symbol: str) -> tuple[Subshell, ...]:
    """Tabulated subshells of an element, H to Cs or W, occupations summing to Z.

    Edges of Elam 2002, first ionisation energies where there is none; data/README.md has the rule.

    Raises:
        InputError: not an element, or one without binding energies here.
    """
    element(symbol)
    if symbol not in _binding_table():
        raise InputError(
            f"target = {symbol!r} has no binding energies in jaxnu; tabulated are H to Cs and W; "
            "use model='free' or one of these"
        )
    return _binding_table()[symbol]
