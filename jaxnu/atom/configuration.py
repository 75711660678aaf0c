"""Ground-state electron configurations of the neutral atoms H to Cs."""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise

import numpy as np

from jaxnu import checks
from jaxnu.elements import elements, refuse_ion
from jaxnu.errors import InputError

_SYMBOLS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se "
    "Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs"
)
SYMBOLS = tuple(_SYMBOLS.split())  # indexed by Z − 1
Z_MAX = len(SYMBOLS)
LETTERS = "spdf"
SLOTS = 12  # subshells of Cs; shorter configurations are padded, so all atoms share programs

# Order of filling (Madelung) and the exceptions among Z <= 55: NIST Atomic Spectra Database,
# Kramida et al., version 5.11 (2023), ground states of neutral atoms.
FILLING = ("1s", "2s", "2p", "3s", "3p", "4s", "3d", "4p", "5s", "4d", "5p", "6s")
EXCEPTIONS = {
    "Cr": "3d5 4s1", "Cu": "3d10 4s1", "Nb": "4d4 5s1", "Mo": "4d5 5s1",
    "Ru": "4d7 5s1", "Rh": "4d8 5s1", "Pd": "4d10 5s0", "Ag": "4d10 5s1",
}  # fmt: skip
_SHELL = re.compile(r"([1-9])([spdf])(\d+(?:\.\d+)?)?")


@dataclass(frozen=True)
class Configuration:
    """Subshells of a neutral atom, ordered by n then l, with their numbers of electrons.

    Each subshell is averaged over its magnetic numbers: every one of its 2(2l+1) spin orbitals
    holds occupation/(2(2l+1)) electrons, so that density and field are spherical.
    """

    symbol: str
    n: tuple[int, ...]
    l: tuple[int, ...]
    occupation: tuple[float, ...]

    @property
    def Z(self) -> int:
        return SYMBOLS.index(self.symbol) + 1

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(f"{n}{LETTERS[l]}" for n, l in zip(self.n, self.l, strict=True))

    def padded(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """n, l and occupation as arrays of SLOTS entries; the padding repeats 1s, empty."""
        spare = SLOTS - len(self.n)
        return (
            np.array(self.n + (1,) * spare),
            np.array(self.l + (0,) * spare),
            np.array(self.occupation + (0.0,) * spare),
        )

    def __str__(self) -> str:
        shells = zip(self.labels, self.occupation, strict=True)
        return " ".join(f"{label}{count:g}" for label, count in shells)


def _parse(label: str) -> tuple[int, int, float]:
    match = _SHELL.fullmatch(label)
    if match is None or LETTERS.index(match[2]) >= int(match[1]):
        raise InputError(f"subshell = {label!r} is not nl^k; write it as 2p6 or 3d7.5, with l < n")
    l = LETTERS.index(match[2])
    count = float(match[3] or 0)
    if count > 4 * l + 2:
        raise InputError(
            f"occupation of {label!r} = {count:g} is outside [0, {4 * l + 2}]; "
            "a subshell holds 2(2l+1) electrons"
        )
    return int(match[1]), l, count


def _ordered(symbol: str, shells: list[tuple[int, int, float]]) -> Configuration:
    shells = sorted(shell for shell in shells if shell[2] > 0)
    for (n1, l1, _), (n2, l2, _) in pairwise(shells):
        if (n1, l1) == (n2, l2):
            raise InputError(
                f"configuration of {symbol} names {n1}{LETTERS[l1]} twice; give each subshell once"
            )
    n, l, occupation = zip(*shells, strict=True)
    return Configuration(symbol, n, l, occupation)


def element_symbol(element: str | int) -> str:
    """Symbol of an element given by its symbol or its nuclear charge.

    Raises:
        InputError: unknown, an ion, or beyond Cs (Z = 55).
    """
    if isinstance(element, int | np.integer) and not isinstance(element, bool):
        checks.number_range("Z", element, 1, Z_MAX, "", "atoms from H to Cs can be computed")
        return SYMBOLS[int(element) - 1]
    refuse_ion("element", element)
    if element not in SYMBOLS:
        raise InputError(f"element = {element!r} {_reason(str(element))}")
    return str(element)


def _reason(word: str) -> str:
    """Why a word is none of H to Cs, and what may have been meant."""
    if word in elements():
        return (
            f"has Z = {elements()[word].Z}; allowed: H to Cs (Z ≤ {Z_MAX}), where a "
            "nonrelativistic field serves; choose one of these"
        )
    word = word.capitalize()
    near = [word] if word in SYMBOLS else [s for s in SYMBOLS if s[0] == word[:1]]
    near = get_close_matches(word, near, 4, 0.0)
    hint = f"did you mean {' or '.join(near)}?" if near else "give a symbol such as 'Xe'"
    return f"is unknown; allowed: symbols H to Cs, capital first; {hint}"


def ground_state(element: str | int) -> Configuration:
    """Ground-state configuration of a neutral atom, H (Z = 1) to Cs (Z = 55).

    Args:
        element: symbol ("Ge") or nuclear charge (32).

    Raises:
        InputError: unknown element, an ion, or Z > 55.
    """
    symbol = element_symbol(element)
    left = SYMBOLS.index(symbol) + 1
    occupation = {}
    for label in FILLING:
        occupation[label] = min(left, 4 * _parse(label)[1] + 2)
        left -= occupation[label]
    for shell in EXCEPTIONS.get(symbol, "").split():
        occupation[shell[:2]] = int(shell[2:])
    return _ordered(symbol, [_parse(f"{label}{count}") for label, count in occupation.items()])


def parse_configuration(element: str | int, shells: str) -> Configuration:
    """A given, possibly excited or fractional, configuration of a neutral atom.

    Args:
        element: symbol or nuclear charge.
        shells: as in "1s2 2s2 2p5 3s1"; occupations may be fractional and must sum to Z.

    Raises:
        InputError: a subshell that does not exist, is overfull or is named twice; a wrong sum.
    """
    symbol = element_symbol(element)
    result = _ordered(symbol, [_parse(label) for label in shells.split()])
    if abs(sum(result.occupation) - result.Z) > 1e-9:
        raise InputError(
            f"shells = {shells!r} holds {sum(result.occupation):g} electrons, {symbol} needs "
            f"{result.Z}; occupations of a neutral atom sum to Z"
        )
    if len(result.n) > SLOTS:
        raise InputError(
            f"shells = {shells!r} has {len(result.n)} subshells, at most {SLOTS} are allowed; "
            "drop empty ones"
        )
    return result
