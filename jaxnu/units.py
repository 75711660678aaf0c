"""Quantities written with their units, such as "1.16 t yr", as floats in jaxnu's base units."""

import difflib
import re

from jaxnu.constants import DAYS_PER_YEAR, SECONDS_PER_DAY
from jaxnu.errors import InputError

# symbol: (kind, size in the base unit of the kind: keV, kg, d, m, cm², GW, PBq)
UNITS = {
    "eV": ("energy", 1e-3),
    "keV": ("energy", 1.0),
    "MeV": ("energy", 1e3),
    "g": ("mass", 1e-3),
    "kg": ("mass", 1.0),
    "t": ("mass", 1e3),
    "s": ("time", 1.0 / SECONDS_PER_DAY),
    "h": ("time", 1.0 / 24.0),
    "d": ("time", 1.0),
    "yr": ("time", DAYS_PER_YEAR),
    "cm": ("length", 1e-2),
    "m": ("length", 1.0),
    "km": ("length", 1e3),
    "cm2": ("area", 1.0),
    "MW": ("power", 1e-3),
    "GW": ("power", 1.0),
    "MBq": ("activity", 1e-9),
    "GBq": ("activity", 1e-6),
    "TBq": ("activity", 1e-3),
    "PBq": ("activity", 1.0),
    "kCi": ("activity", 3.7e-2),
    "MCi": ("activity", 37.0),
    "events": ("count", 1.0),
}

# dimension: (powers of the kinds, base unit, example)
DIMENSIONS = {
    "energy": ({"energy": 1}, "keV", "12 keV"),
    "mass": ({"mass": 1}, "kg", "1.5 kg"),
    "time": ({"time": 1}, "d", "755 d"),
    "exposure": ({"mass": 1, "time": 1}, "kg d", "1.16 t yr"),
    "length": ({"length": 1}, "m", "13.9 m"),
    "area": ({"area": 1}, "cm2", "100 cm2"),
    "power": ({"power": 1}, "GW", "3 GW"),
    "activity": ({"activity": 1}, "PBq", "126 PBq"),
    "flux": ({"area": -1, "time": -1}, "1/(cm2 d)", "1e13 / (cm2 s)"),
    "rate": ({"mass": -1, "energy": -1, "time": -1}, "1/(kg keV d)", "2.5 / (keV kg d)"),
}

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_UNIT = r"[A-Za-z]+2?"
_PRODUCT = rf"{_UNIT}(?:[ *·]+{_UNIT})*"
# after a slash: one unit, or a product in brackets, so that 1/kg d cannot be read in two ways
_QUANTITY = re.compile(
    rf" *(?P<number>{_NUMBER}) *(?P<above>{_PRODUCT})? *"
    rf"(?P<below>(?:/ *(?:{_UNIT}|\( *{_PRODUCT} *\)) *)*)"
)


def quantity(text: str, dimension: str) -> float:
    """Read a number with its unit and return it in jaxnu's base unit of `dimension`.

    A quantity is a number, units multiplied by blanks, and for each division a slash with one unit
    or a bracket: "1133 kg d", "2.5 / (keV kg d)", "10.5 events/t/yr/keV". A year is 365.25 d.

    Args:
        text: the quantity.
        dimension: "energy" [keV], "mass" [kg], "time" [d], "exposure" [kg d], "length" [m],
            "area" [cm2], "power" [GW], "activity" [PBq], "flux" [1/(cm2 d)] or "rate"
            [1/(kg keV d)].

    Returns:
        The value in the unit in brackets above.

    Raises:
        InputError: one line with the value, the expected dimension and an example.
    """
    powers, base, example = DIMENSIONS[dimension]
    expected = f"expected {'an' if dimension[0] in 'ae' else 'a'} {dimension}, such as {example!r}"
    match = _QUANTITY.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        why = "is not a number with a unit" if isinstance(text, str) else "has no unit"
        raise InputError(f"{text!r} {why}; {expected} (jaxnu keeps it in {base})")
    factor = 1.0
    found = dict.fromkeys(powers, 0)
    for symbols, sign in ((match["above"], 1), (match["below"], -1)):
        for symbol in re.findall(_UNIT, symbols or ""):
            if symbol not in UNITS:
                near = [unit for unit in UNITS if unit.lower() == symbol.lower()]
                near = near or difflib.get_close_matches(symbol, UNITS, 1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise InputError(
                    f"{text!r} has the unknown unit {symbol!r}; {hint}known: {', '.join(UNITS)}; "
                    f"{expected}"
                )
            kind, size = UNITS[symbol]
            factor = factor * size if sign > 0 else factor / size
            if kind != "count":
                found[kind] = found.get(kind, 0) + sign
    if found != powers:
        raise InputError(f"{text!r} is not {expected.removeprefix('expected ')}")
    return float(match["number"]) * factor
