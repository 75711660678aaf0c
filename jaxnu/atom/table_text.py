"""The same header and arrays as plain text, for people to read and to type.

Lines "# key: value", then for each subshell "# shell 3d: electrons 10, ..." and rows of numbers,
the last coordinate fastest. "##" starts a comment. Numbers are written with all their digits.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from jaxnu.atom.table import AXES
from jaxnu.errors import InputError

COLUMNS = ("kinetic_keV", "momentum_keV", "S", "R")
LINE_COLUMNS = ("n", "l", "T_keV", "vacancy", "closure", "Q_keV", "S", "R")
_PER_LINE = LINE_COLUMNS[:5]
_NUMBERS = ("electrons", "threshold_keV", "width_keV")
_BLOCK = re.compile(r"#\s*(shell|lines)\s+([^\s:]+)\s*:\s*(.*)")
_KEY = re.compile(r"#\s*(\w+)\s*:\s*(.*)")


def format_text(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """A whole file."""
    return "\n".join(_lines(header, arrays)) + "\n"


def _lines(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Iterator[str]:
    for key, value in header.items():
        if key == "provenance":
            yield f"# provenance: {json.dumps(value, ensure_ascii=False)}"
        elif key != "shells":
            yield f"# {key}: {str(value).lower() if isinstance(value, bool) else value}"
    for shell in header["shells"]:
        label, axis = shell["label"], shell["axis"]
        entries = ", ".join(f"{k} {v}" for k, v in shell.items() if k != "label")
        yield f"# shell {label}: {entries}"
        yield f"## kinetic_keV {axis}_keV S R"
        kinetic, momentum, S, R = (arrays[f"{label}/{name}"] for name in COLUMNS)
        yield from _rows(*np.broadcast_arrays(kinetic[:, None], momentum, S, R))
        if f"{label}/lines/n" in arrays:
            yield f"# lines {label}: {' '.join(LINE_COLUMNS)}"
            columns = [arrays[f"{label}/lines/{name}"] for name in LINE_COLUMNS]
            columns[:5] = [column[:, None] for column in columns[:5]]
            yield from _rows(*np.broadcast_arrays(*columns))


def _rows(*columns: np.ndarray) -> Iterator[str]:
    """repr gives the shortest digits that are read back as the same number."""
    texts = [map(repr, column.ravel().tolist()) for column in columns]
    return map(" ".join, zip(*texts, strict=True))


# ---- reading -------------------------------------------------------------------------------------


class _Block:
    """The rows below one "# shell" or "# lines" line, with their line numbers."""

    def __init__(self, kind: str, label: str, number: int):
        self.kind, self.label, self.number = kind, label, number
        self.rows: list[list[str]] = []
        self.numbers: list[int] = []

    @property
    def name(self) -> str:
        return f"{self.kind} {self.label}"


def parse_text(text: str, where: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Header and arrays; every refusal names the line."""
    header: dict[str, Any] = {}
    shells: list[dict[str, Any]] = []
    blocks: list[_Block] = []
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("##"):
            continue
        at = f"{where}: line {number}"
        if not line.startswith("#"):
            if not blocks:
                raise InputError(
                    f"{at} = {line[:40]!r} stands before any '# shell' line; give "
                    "'# shell 1s: electrons 1, ...' first"
                )
            blocks[-1].rows.append(line.split())
            blocks[-1].numbers.append(number)
        elif match := _BLOCK.fullmatch(line):
            kind, label, rest = match.groups()
            if any((block.kind, block.label) == (kind, label) for block in blocks):
                raise InputError(f"{at}: {kind} {label} is given twice; give each one once")
            blocks.append(_Block(kind, label, number))
            if kind == "shell":
                shells.append({"label": label, **_entries(rest, f"{at}: shell {label}")})
            elif tuple(rest.split()) != LINE_COLUMNS:
                raise InputError(
                    f"{at}: lines {label} has columns {rest!r}; give {' '.join(LINE_COLUMNS)}"
                )
        elif match := _KEY.fullmatch(line):
            key, value = match.groups()
            if key in header:
                raise InputError(f"{at}: {key} is given twice; give it once")
            header[key] = _value(key, value, at)
        else:
            raise InputError(
                f"{at} = {line[:40]!r} is not '# key: value'; begin comments with '##'"
            )
    if shells:
        header["shells"] = shells
    arrays: dict[str, np.ndarray] = {}
    for block in blocks:
        arrays.update(_arrays(block, where))
    return header, arrays


def _value(key: str, value: str, at: str) -> Any:
    if key in ("version", "Z"):
        try:
            return int(value)
        except ValueError:
            raise InputError(f"{at}: {key} = {value!r}; give a whole number") from None
    if key == "partial":
        if value not in ("true", "false"):
            raise InputError(f"{at}: partial = {value!r}; give true or false")
        return value == "true"
    if key == "provenance" and value.startswith("{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{at}: provenance is not JSON: {error}; give plain words or a JSON object"
            ) from None
    return value


def _entries(rest: str, at: str) -> dict[str, Any]:
    """{'electrons': 10.0, ...} of "electrons 10, threshold_keV 0.03, axis Q"."""
    found: dict[str, Any] = {}
    for part in rest.split(","):
        words = part.split()
        if len(words) != 2:
            raise InputError(
                f"{at}: {part.strip()!r} is not a name and a value; give 'electrons 10, "
                "threshold_keV 0.03, axis Q'"
            )
        name, value = words
        if name in found:
            raise InputError(f"{at}: {name} is given twice; give it once")
        found[name] = value
        if name in _NUMBERS:
            try:
                found[name] = float(value)
            except ValueError:
                raise InputError(f"{at}: {name} = {value!r}; give a number") from None
    return found


def _arrays(block: _Block, where: str) -> dict[str, np.ndarray]:
    columns = COLUMNS if block.kind == "shell" else LINE_COLUMNS
    if not block.rows:
        raise InputError(
            f"{where}: line {block.number}: {block.name} has no rows below it; give rows of "
            f"{_column_names(columns)}"
        )
    data = _numbers(block, columns, where)
    outer = data[:, : 1 if block.kind == "shell" else len(_PER_LINE)]
    inner = data[:, outer.shape[1]]
    # one group of rows for each energy (line); the first group says how long they are
    key = outer if block.kind == "shell" else outer[:, :2]
    changes = np.flatnonzero((key != key[0]).any(axis=1))
    count = int(changes[0]) if len(changes) else len(data)
    place = np.arange(len(data))
    first = place - place % count
    wrong = (outer != outer[first]).any(axis=1) | (inner != inner[place % count])
    if wrong.any() or len(data) % count:
        at = int(np.argmax(wrong)) if wrong.any() else len(data) - 1
        names = COLUMNS[:2] if block.kind == "shell" else LINE_COLUMNS[:6]
        raise InputError(
            f"{where}: line {block.numbers[at]}: {block.name} is not rectangular here "
            f"({_column_names(names)} = {' '.join(block.rows[at][: len(names)])}); give the same "
            f"{count} momenta, in the same order, for each "
            f"{'energy' if block.kind == 'shell' else 'line'}"
        )
    prefix = block.label if block.kind == "shell" else f"{block.label}/lines"
    shape = (len(data) // count, count)
    arrays = {}
    for i, name in enumerate(columns):
        column = data[:, i].reshape(shape)
        if i < outer.shape[1]:
            column = column[:, 0]
        elif i == outer.shape[1]:
            column = column[0]
        arrays[f"{prefix}/{name}"] = column.copy()
    return arrays


def _numbers(block: _Block, columns: tuple[str, ...], where: str) -> np.ndarray:
    try:
        data = np.array(block.rows, dtype=float)
        if data.shape == (len(block.rows), len(columns)):
            return data
    except ValueError:
        pass
    for number, row in zip(block.numbers, block.rows, strict=True):  # find the first bad one
        at = f"{where}: line {number}: {block.name}"
        if len(row) != len(columns):
            raise InputError(
                f"{at} has {len(row)} numbers, expected {len(columns)}, separated by blanks: "
                f"{_column_names(columns)}"
            )
        for name, word in zip(columns, row, strict=True):
            try:
                float(word)
            except ValueError:
                raise InputError(f"{at}: {name} = {word[:40]!r} is not a number") from None
    raise InputError(f"{where}: {block.name} cannot be read as numbers; {_column_names(columns)}")


def _column_names(columns: tuple[str, ...]) -> str:
    words = [f"{' or '.join(AXES)} in keV" if c == "momentum_keV" else c for c in columns]
    return ", ".join(words)
