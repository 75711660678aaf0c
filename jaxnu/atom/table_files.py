"""Tables of atoms in files: .npz, small and checked, or .txt, for people: docs/table-file.md."""

import dataclasses
import difflib
import json
import reprlib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from jaxnu.atom.table import AXES, TABLE_FILES, AtomTable, LineTable, ShellTable
from jaxnu.atom.table_checks import check_table, is_partial
from jaxnu.atom.table_npz import CHECKSUM, is_response, read_npz, rounded, write_npz
from jaxnu.atom.table_text import COLUMNS, LINE_COLUMNS, format_text, parse_text
from jaxnu.constants import ELECTRON_MASS_keV
from jaxnu.errors import InputError
from jaxnu.files import atomic_path, write_text

FORMAT = "jaxnu-atom-table"
FORMAT_VERSION = 1
UNITS = {"energy": "keV", "momentum": "keV", "response": "1/keV"}
REQUIRED = ("format", "version", "element", "Z", "units", "shells")
OPTIONAL = ("provenance", "partial", CHECKSUM)
SHELL_KEYS = ("label", "electrons", "threshold_keV", "axis", "width_keV")
_PAGE = "see docs/table-file.md"


def write_table(table: AtomTable, path: str | PathLike[str]) -> None:
    """Write a table, whole or not at all; the same table gives the same bytes.

    Args:
        table: is checked first.
        path: ends in .npz (S and R rounded to 28 bits, 2e-9) or .txt (all digits).

    Raises:
        InputError: a table that `read_table` would refuse, or a file that cannot be written.
    """
    path = _checked_path(path)
    check_table(table, f"table of {table.symbol}, to be written to {str(path)!r}")
    header, arrays = _header(table), _arrays(table)
    if path.suffix == ".txt":
        write_text(path, format_text(header, arrays))
        return
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        write_npz(file, header, arrays)


def read_table(path: str | PathLike[str], checked: bool = True) -> AtomTable:
    """Read and check a table.

    Args:
        path: a .npz or .txt file as docs/table-file.md describes.
        checked: False leaves the checks of the numbers out, for a file whose checksum proves
            that they were made; one without a checksum is checked all the same.

    Raises:
        InputError: one line with file, shell, key, array or line, value, expectation and remedy.
    """
    path = _checked_path(path)
    where = repr(str(path))
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = "it is a folder" if path.is_dir() else error.strerror
        raise InputError(
            f"{where} cannot be read: {reason}; give a .npz or .txt file that you may read"
        ) from None
    if not content.strip():
        raise InputError(f"{where} is empty; get or make the file again")
    if path.suffix == ".npz":
        header, arrays = read_npz(content, where)
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{where} is not UTF-8 text (byte {error.start}); a binary table ends in .npz"
            ) from None
        header, arrays = parse_text(text, where)
        if CHECKSUM in header:
            raise InputError(f"{where}: {CHECKSUM} is for .npz files; leave it out of a text table")
    table = _table(header, arrays, where)
    if checked or CHECKSUM not in header:
        check_table(table, where)
    return table


def as_stored(table: AtomTable) -> AtomTable:
    """The table that comes back from an .npz file: S and R rounded, provenance as JSON has it."""
    arrays = {
        name: rounded(array) if is_response(name) else array
        for name, array in _arrays(table).items()
    }
    return _table(_header(table), arrays, f"table of {table.symbol}")


def _checked_path(path: str | PathLike[str]) -> Path:
    if not isinstance(path, str | PathLike):
        raise InputError(f"path = {reprlib.repr(path)} is not a file name; give 'Ge.npz'")
    path = Path(path)
    if path.suffix not in TABLE_FILES:
        raise InputError(f"{str(path)!r} ends in {path.suffix!r}; give {' or '.join(TABLE_FILES)}")
    return path


# ---- a table taken apart -------------------------------------------------------------------------


def _header(table: AtomTable) -> dict[str, Any]:
    """The header in the order in which it is written."""
    header: dict[str, Any] = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "element": table.symbol,
        "Z": table.Z,
        "units": ", ".join(f"{what} {unit}" for what, unit in UNITS.items()),
    }
    if is_partial(table):
        header["partial"] = True
    header["provenance"] = _plain_provenance(table)
    header["shells"] = [
        {
            "label": shell.label,
            "electrons": float(shell.electrons),
            "threshold_keV": float(shell.threshold_keV),
            "axis": shell.axis,
            "width_keV": float(shell.width_keV),
        }
        for shell in table.shells
    ]
    return header


def _plain_provenance(table: AtomTable) -> dict[str, Any]:
    """As JSON gives it back: tuples become lists, NumPy numbers plain ones."""

    def plain(value: Any) -> Any:
        if isinstance(value, np.generic | np.ndarray):
            return value.tolist()
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return dataclasses.asdict(value)
        raise TypeError(f"{reprlib.repr(value)} is a {type(value).__name__}")

    content = {key: value for key, value in table.provenance.items() if key != "partial"}
    try:
        return json.loads(json.dumps(content, default=plain, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"provenance of {table.symbol} cannot be written: {error}; give words, finite numbers, "
            "lists and dictionaries"
        ) from None


def _arrays(table: AtomTable) -> dict[str, np.ndarray]:
    arrays = {}
    for shell in table.shells:
        for name in COLUMNS:
            arrays[f"{shell.label}/{name}"] = np.asarray(getattr(shell, name), dtype="<f8")
        if shell.lines is not None and len(shell.lines.n):
            for name in LINE_COLUMNS:
                kind = "<i8" if name in ("n", "l") else "<f8"
                values = np.asarray(getattr(shell.lines, name), dtype=kind)
                arrays[f"{shell.label}/lines/{name}"] = values
    return arrays


# ---- and put together ----------------------------------------------------------------------------


def _table(header: Mapping[str, Any], arrays: dict[str, np.ndarray], where: str) -> AtomTable:
    if header.get("format") != FORMAT:
        raise InputError(
            f"{where}: format = {reprlib.repr(header.get('format'))} is not {FORMAT!r}, so it is "
            f"not a table of an atom; {_PAGE}"
        )
    if header.get("version") != FORMAT_VERSION or isinstance(header["version"], bool):
        raise InputError(
            f"{where}: version = {reprlib.repr(header.get('version'))}, this jaxnu reads version "
            f"{FORMAT_VERSION}; use the jaxnu that wrote it or make the table again"
        )
    _allow(header, REQUIRED, OPTIONAL, where, "key")
    _check_units(header["units"], where)
    Z = header["Z"]
    if not isinstance(Z, int) or isinstance(Z, bool):
        raise InputError(f"{where}: Z = {reprlib.repr(Z)}; give the nuclear charge, a whole number")
    shells = header["shells"]
    if not isinstance(shells, list) or not all(isinstance(shell, dict) for shell in shells):
        raise InputError(
            f"{where}: shells = {reprlib.repr(shells)}; give a list of objects with "
            f"{', '.join(SHELL_KEYS)}"
        )
    left = dict(arrays)
    found = tuple(_shell(shell, left, where) for shell in shells)
    if left:
        name = next(iter(left))
        names = [*COLUMNS, *(f"lines/{n}" for n in LINE_COLUMNS)]
        known = [f"{shell.label}/{n}" for shell in found for n in names]
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are shells times {names}"
        raise InputError(f"{where}: {name!r} belongs to no shell or is no known array; {hint}")
    return AtomTable(header["element"], Z, found, _provenance(header, where))


def _allow(
    content: Mapping[str, Any],
    required: tuple[str, ...],
    optional: tuple[str, ...],
    where: str,
    what: str,
) -> None:
    """Refuse unknown and missing keys."""
    allowed = (*required, *optional)
    for key in content:
        if key not in allowed:
            near = difflib.get_close_matches(str(key), allowed, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InputError(
                f"{where}: {key!r} is an unknown {what}; allowed: {', '.join(allowed)}{hint}"
            )
    for key in required:
        if key not in content:
            raise InputError(f"{where}: {what} {key!r} is missing; {_PAGE}")


def _check_units(units: Any, where: str) -> None:
    expected = ", ".join(f"{what} {unit}" for what, unit in UNITS.items())
    pairs = [part.split() for part in units.split(",")] if isinstance(units, str) else []
    try:
        given = dict(pairs)
    except ValueError:
        given = {}
    for what in dict.fromkeys([*UNITS, *given]):
        if given.get(what) != UNITS.get(what):
            raise InputError(
                f"{where}: units = {reprlib.repr(units)}: {what} is in {given.get(what)!r}, "
                f"expected {UNITS.get(what)!r}; convert the numbers and write {expected!r}"
            )


def _provenance(header: Mapping[str, Any], where: str) -> dict[str, Any]:
    given = header.get("provenance", {})
    if isinstance(given, str):
        given = {"note": given}
    if not isinstance(given, dict):
        raise InputError(
            f"{where}: provenance = {reprlib.repr(given)}; give words or a JSON object"
        )
    partial = header.get("partial", False)
    if not isinstance(partial, bool):
        raise InputError(f"{where}: partial = {reprlib.repr(partial)}; give true or false")
    own = {key: value for key, value in given.items() if key != "partial"}
    return {**own, "partial": True} if partial else own


def _shell(shell: dict[str, Any], arrays: dict[str, np.ndarray], where: str) -> ShellTable:
    """One shell; the arrays that it uses are taken out of `arrays`."""
    label = shell.get("label")
    if not isinstance(label, str):
        raise InputError(f"{where}: label = {reprlib.repr(label)} of a shell; give '3d'")
    at = f"{where}: shell {label}"
    required = 4 if shell.get("axis", "Q") == "Q" else 5  # width_keV only scales F on axis Q
    _allow(shell, SHELL_KEYS[:required], SHELL_KEYS[required:], at, "key")
    axis = shell["axis"]
    if axis not in AXES:
        raise InputError(f"{at}: axis = {reprlib.repr(axis)}; allowed: {', '.join(AXES)}")
    scalars = {name: shell[name] for name in SHELL_KEYS if name in shell and name.endswith("_keV")}
    for name, value in {"electrons": shell["electrons"], **scalars}.items():
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise InputError(f"{at}: {name} = {reprlib.repr(value)}; give a number")
    threshold = float(scalars["threshold_keV"])
    # without a width, the momentum of a bound electron, sqrt(2mI)
    width = scalars.get("width_keV", float(np.sqrt(2.0 * ELECTRON_MASS_keV * max(threshold, 0.0))))
    values = {name: _take(arrays, label, name, at) for name in COLUMNS}
    lines = None
    if any(name.startswith(f"{label}/lines/") for name in arrays):
        parts = {name: _take(arrays, label, f"lines/{name}", at) for name in LINE_COLUMNS}
        lines = LineTable(
            **{**parts, "n": _whole(parts["n"], "n", at), "l": _whole(parts["l"], "l", at)}
        )
    return ShellTable(
        label=label,
        electrons=float(shell["electrons"]),
        threshold_keV=threshold,
        width_keV=float(width),
        axis=axis,
        lines=lines,
        **values,
    )


def _take(arrays: dict[str, np.ndarray], label: str, name: str, at: str) -> np.ndarray:
    if f"{label}/{name}" not in arrays:
        raise InputError(f"{at}: array '{label}/{name}' is missing; {_PAGE}")
    array = np.asarray(arrays.pop(f"{label}/{name}"))
    if array.dtype.kind not in "fiu":
        raise InputError(f"{at}: {name} holds {array.dtype}, not numbers; give real numbers")
    return array.astype(np.float64)


def _whole(values: np.ndarray, name: str, at: str) -> np.ndarray:
    bad = ~(np.abs(values) < 1e3) | (values != np.round(values))
    if bad.any():
        worst = values[bad].flat[0]
        raise InputError(f"{at}: lines/{name} = {worst:g}; give whole quantum numbers")
    return values.astype(np.int64)
