"""CSV files of a detector: energies in the first column, with their unit in the header."""

import re
from pathlib import Path

import numpy as np

from jaxnu.errors import InputError
from jaxnu.experiments.energy_scale import EnergyScale, split_label
from jaxnu.experiments.table import ENERGY_MAX_keV
from jaxnu.units import UNITS

SIZES = {symbol: size for symbol, (kind, size) in UNITS.items() if kind == "energy"}
_UNIT = re.compile(r"[^\[\]]*\[([^\[\]]+)\]\s*")


def read_columns(
    where: str, path: str, scale: EnergyScale, columns: int, high: float
) -> tuple[np.ndarray, np.ndarray]:
    """Energies and one or more columns of numbers.

        E [keV_ee], efficiency
        0.2, 0.0
        0.3, 0.5

    Empty lines and comments (#) are passed over. The header names the unit of the energies.

    Args:
        where: the key of the experiment file that names this one, for messages.
        path: of the file.
        scale: labels and conversion of its energies.
        columns: how many there must be beside the energies.
        high: largest value allowed; the smallest is 0.

    Returns:
        (rows,) energies in keV, as `scale` gives them, and (rows, columns) values.

    Raises:
        InputError: one line with the key, the file, the line, the value and what is expected.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())
        raise InputError(f"{where}: {path} cannot be read: {why}; give a CSV in UTF-8") from None
    unit: tuple[float, str | None] | None = None
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        here = f"{where}: {path}: line {number}"
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != columns + 1:
            raise InputError(
                f"{here} has {len(fields)} columns; give {columns + 1}: the energy and "
                f"{columns} value{'s' * (columns > 1)}"
            )
        if unit is None:
            unit = _header(here, fields[0])
            continue
        rows.append(_row(here, fields, unit[0], rows[-1][0] if rows else None, high))
    if unit is None or len(rows) < 2:
        raise InputError(
            f"{where}: {path} has {len(rows)} lines of numbers; give a header such as "
            "'E [keV], value' and two lines or more"
        )
    table = np.array(rows)
    return scale.point(f"{where}: {path}", table[:, 0], unit[1]), table[:, 1:]


def _header(here: str, field: str) -> tuple[float, str | None]:
    match = _UNIT.fullmatch(field)
    symbol, label = split_label(match[1].strip() if match else "")
    if symbol not in SIZES:
        raise InputError(
            f"{here}: {field!r:.60} is no header of energies; give their unit in brackets, such as "
            f"'E [keV]'; allowed: {', '.join(SIZES)}, with _ee or _nr"
        )
    return SIZES[symbol], label


def _row(here: str, fields: list[str], size: float, last: float | None, high: float) -> list[float]:
    try:
        energy, *values = map(float, fields)
    except ValueError:
        raise InputError(
            f"{here}: {', '.join(fields)!r:.80} is not all numbers; give numbers"
        ) from None
    energy *= size
    if not 0.0 <= energy <= ENERGY_MAX_keV:  # NaN too
        raise InputError(
            f"{here}: energy {fields[0]} is outside [0, {ENERGY_MAX_keV / size:g}]; give energies "
            "in the unit of the header"
        )
    if last is not None and energy <= last:
        raise InputError(
            f"{here}: energy {fields[0]} does not increase, after {last / size:g}; give strictly "
            "increasing energies"
        )
    for field, value in zip(fields[1:], values, strict=True):
        if not 0.0 <= value <= high:
            raise InputError(
                f"{here}: value {field} is outside [0, {high:g}]; give finite numbers in this range"
            )
    return [energy, *values]
