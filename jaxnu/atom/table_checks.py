"""What every table must satisfy, whether computed here or given by a user."""

import re

import numpy as np
from jaxtyping import Float

from jaxnu import elements
from jaxnu.atom.configuration import LETTERS
from jaxnu.atom.table import AXES, AtomTable, LineTable, ShellTable
from jaxnu.constants import ELECTRON_MASS_keV
from jaxnu.errors import InputError

MIN_NODES = 4  # a cubic spline needs four
NEGATIVE_SHARE = 1e-12  # of the maximum: rounding noise of a difference may fall below zero
ELECTRON_TOLERANCE = 1e-6  # occupations sum to Z
F_SUM_RANGE = (0.3, 2.0)  # lines may be missing; a wrong unit is wrong by far more
F_SUM_STEP = 0.01  # in ln(1 + ε/eV): a tenth of the narrowest ridge
_EV_keV = 1e-3
_LABEL = re.compile(rf"([1-9])([{LETTERS}])")
_M = ELECTRON_MASS_keV


def check_table(table: AtomTable, where: str = "table") -> None:
    """Refuse a table with impossible numbers or a badly broken f-sum.

    Args:
        table: provenance["partial"] = True says that subshells are missing on purpose.
        where: stands before every message, such as the file's name.

    Raises:
        InputError: one line with shell, array, value, what is expected and the remedy.
    """
    _check_element(table, where)
    for shell in table.shells:
        _check_shell(shell, f"{where}: shell {shell.label}")
    _check_electrons(table, where)
    _check_f_sum(table, where)


def is_partial(table: AtomTable) -> bool:
    return table.provenance.get("partial") is True


def _check_element(table: AtomTable, where: str) -> None:
    try:
        expected = elements.element(table.symbol)
    except InputError:
        raise InputError(
            f"{where}: element = {table.symbol!r} is unknown; give a chemical symbol H to U such "
            "as 'Ge'"
        ) from None
    if table.Z != expected.Z:
        raise InputError(f"{where}: Z = {table.Z!r}, but {table.symbol} has Z = {expected.Z}")
    if not table.shells:
        raise InputError(f"{where}: shells is empty; give at least one subshell")
    seen = set()
    for shell in table.shells:
        match = _LABEL.fullmatch(str(shell.label))
        if match is None or LETTERS.index(match[2]) >= int(match[1]):
            raise InputError(
                f"{where}: shell {shell.label!r} is not a subshell; give n and one of "
                f"{', '.join(LETTERS)} with l < n, such as '3d'"
            )
        if shell.label in seen:
            raise InputError(f"{where}: shell {shell.label} is given twice; give each one once")
        seen.add(shell.label)


def _check_shell(shell: ShellTable, where: str) -> None:
    holds = 4 * LETTERS.index(shell.label[1]) + 2
    _positive(where, "electrons", shell.electrons, "the electrons of the subshell", high=holds)
    _positive(where, "threshold_keV", shell.threshold_keV, "the binding energy in keV")
    _positive(where, "width_keV", shell.width_keV, "the width of the Bethe ridge in keV")
    if shell.axis not in AXES:
        raise InputError(f"{where}: axis = {shell.axis!r}; allowed: {', '.join(AXES)}")
    _grid(where, "kinetic_keV", shell.kinetic_keV, lowest=0.0)
    _grid(where, "momentum_keV", shell.momentum_keV, above=0.0 if shell.axis == "Q" else None)
    axes = ("kinetic_keV", len(shell.kinetic_keV)), ("momentum_keV", len(shell.momentum_keV))
    for name in ("S", "R"):
        _response(where, name, getattr(shell, name), axes)
    if shell.lines is not None:
        _check_lines(shell.lines, where)


def _check_lines(lines: LineTable, where: str) -> None:
    count = len(lines.n)
    for name in ("n", "l", "T_keV", "vacancy", "closure"):
        values = getattr(lines, name)
        _shape(where, f"lines/{name}", values, (("lines", count),))
        _finite(where, f"lines/{name}", values)
    for name, bad, expected in (
        ("n", lines.n < 1, "the principal quantum number, 1 or more"),
        ("l", (lines.l < 0) | (lines.l >= lines.n), "0 to n − 1"),
        ("vacancy", (lines.vacancy < 0.0) | (lines.vacancy > 1.0), "the empty part, 0 to 1"),
        ("closure", lines.closure <= 0.0, "a factor above 0, 1 if it stands for itself alone"),
    ):
        if bad.any():
            at = int(np.argmax(bad))
            raise InputError(
                f"{where}: lines/{name}[{at}] = {getattr(lines, name)[at]:g}; give {expected}"
            )
    _grid(where, "lines/Q_keV", lines.Q_keV, above=0.0)
    for name in ("S", "R"):
        axes = ("lines", count), ("Q_keV", len(lines.Q_keV))
        _response(where, f"lines/{name}", getattr(lines, name), axes)


def _positive(where: str, name: str, value: float, what: str, high: float = np.inf) -> None:
    if not (np.isfinite(value) and 0.0 < value <= high):
        limit = f"outside (0, {high:g}]" if np.isfinite(high) else "not above 0"
        raise InputError(f"{where}: {name} = {value:g} is {limit}; give {what}")


def _shape(where: str, name: str, values: np.ndarray, axes: tuple[tuple[str, int], ...]) -> None:
    expected = tuple(size for _, size in axes)
    if values.shape != expected:
        along = " × ".join(axis for axis, _ in axes)
        raise InputError(
            f"{where}: {name} has shape {values.shape}, expected {expected}; give one value for "
            f"each of {along}"
        )


def _finite(where: str, name: str, values: np.ndarray) -> None:
    bad = ~np.isfinite(values)
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InputError(
            f"{where}: {name}{list(at)} = {values[at]:g} is not finite; give finite numbers"
        )


def _response(where: str, name: str, values: np.ndarray, axes: tuple[tuple[str, int], ...]) -> None:
    _shape(where, name, values, axes)
    _finite(where, name, values)
    bad = values < -NEGATIVE_SHARE * np.max(np.abs(values), initial=0.0)
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InputError(
            f"{where}: {name}{list(at)} = {values[at]:g} is negative; it is a sum of squares, "
            "give values of 0 or more"
        )


def _grid(
    where: str,
    name: str,
    values: np.ndarray,
    lowest: float | None = None,
    above: float | None = None,
) -> None:
    if values.ndim != 1 or len(values) < MIN_NODES:
        raise InputError(
            f"{where}: {name} has shape {values.shape}; give one axis of {MIN_NODES} or more nodes"
        )
    _finite(where, name, values)
    steps = np.diff(values)
    if (steps <= 0.0).any():
        at = int(np.argmax(steps <= 0.0))
        raise InputError(
            f"{where}: {name}[{at}:{at + 2}] = {values[at]:g}, {values[at + 1]:g} does not "
            "increase; give strictly increasing nodes in keV"
        )
    first = float(values[0])
    if lowest is not None and first < lowest:
        raise InputError(
            f"{where}: {name}[0] = {first:g} is below {lowest:g}; give the energy above threshold"
        )
    if above is not None and first <= above:
        raise InputError(f"{where}: {name}[0] = {first:g} is not above {above:g}; give Q in keV")


def _check_electrons(table: AtomTable, where: str) -> None:
    total = sum(shell.electrons for shell in table.shells)
    missing = table.Z - total
    if missing < -ELECTRON_TOLERANCE or (missing > ELECTRON_TOLERANCE and not is_partial(table)):
        raise InputError(
            f"{where}: the electrons of the shells sum to {total:g}, {table.symbol} has "
            f"{table.Z}; give every subshell, or partial = true for a table of some of them"
        )


# ---- f-sum ---------------------------------------------------------------------------------------


def _check_f_sum(table: AtomTable, where: str) -> None:
    """∫ T S dT + Σ_lines T S = n_e Q²/2m, coarsely.

    For one subshell it holds where the ridge T = Q²/2m lies well above threshold; for the whole
    atom at every Q. What the grids leave out can only be missing, so the upper bound always holds.
    """
    low, high = F_SUM_RANGE
    tops = [_highest_momentum(shell) for shell in table.shells]
    for shell, Q in zip(table.shells, tops, strict=True):
        ridge_keV = Q**2 / (2.0 * _M)
        if ridge_keV > 2.0 * shell.threshold_keV and _within(shell, Q):
            ratio = first_moment(shell, Q) / (shell.electrons * ridge_keV)
            if not low <= ratio <= high:
                raise _f_sum_refusal(f"{where}: shell {shell.label}", Q, ratio)
    for Q in [0.25 * min(tops), *np.geomspace(min(tops), max(tops), 3)]:
        shells = [shell for shell in table.shells if _within(shell, Q)]
        if not shells:
            continue
        free = sum(shell.electrons for shell in shells) * Q**2 / (2.0 * _M)
        ratio = sum(first_moment(shell, Q) for shell in shells) / free
        whole = len(shells) == len(table.shells) and not is_partial(table)
        if ratio > high or (whole and all(_covers(s, Q) for s in shells) and ratio < low):
            raise _f_sum_refusal(where, Q, ratio)


def _f_sum_refusal(where: str, Q_keV: float, ratio: float) -> InputError:
    low, high = F_SUM_RANGE
    return InputError(
        f"{where}: S breaks the f-sum: ∫T S dT + Σ_lines T S at Q = {Q_keV:.4g} keV is {ratio:.3g} "
        f"of electrons × Q²/2m, expected {low:g} to {high:g}; S is in 1/keV, of all electrons of "
        "the subshell, energies and momenta in keV, on grids that resolve them"
    )


def _highest_momentum(shell: ShellTable) -> float:
    """The Q whose ridge, with two widths, ends with the table: T_max = (Q²/2 + 2 p0 Q)/m.

    Nodes in Q may end before, or be too far apart.
    """
    T_max = shell.kinetic_keV[-1] + shell.threshold_keV
    p0 = 2.0 * shell.width_keV
    Q = -p0 + np.sqrt(p0**2 + 2.0 * _M * T_max)
    return float(Q if shell.axis == "p_z" else min(Q, _resolved_momentum(shell)))


def _resolved_momentum(shell: ShellTable) -> float:
    """The Q up to which nodes in Q are close enough for the ridge: p_z changes by p0 or less.

    On the ridge |dp_z| = dQ along the nodes of Q and m dT/Q along those of the energy.
    """
    Q = shell.momentum_keV
    ridge = Q**2 / (2.0 * _M) - shell.threshold_keV
    at = np.clip(np.searchsorted(shell.kinetic_keV, ridge), 1, len(shell.kinetic_keV) - 1)
    energy_step = np.where(ridge > 0.0, shell.kinetic_keV[at] - shell.kinetic_keV[at - 1], 0.0)
    coarse = np.maximum(np.diff(Q, append=Q[-1]), _M * energy_step / Q) > shell.width_keV
    return float(Q[np.argmax(coarse)] if coarse.any() else Q[-1])


def _within(shell: ShellTable, Q: float) -> bool:
    if shell.axis == "p_z":
        return True
    return bool(shell.momentum_keV[0] <= Q <= _resolved_momentum(shell))


def _covers(shell: ShellTable, Q: float) -> bool:
    """Whether the energies hold the ridge and, at small Q, most of the dipole strength."""
    T_max = shell.kinetic_keV[-1] + shell.threshold_keV
    ridge = (Q**2 / 2.0 + 2.0 * shell.width_keV * Q) / _M
    return bool(T_max >= max(4.0 * shell.threshold_keV, ridge) * (1.0 - 1e-9))


def first_moment(shell: ShellTable, Q: float) -> float:
    """∫ T S dT + Σ_lines T S of one subshell at one Q, in keV, independent-particle weights.

    Trapezoids in ε; between nodes F = S Q⁴ (p_z² + p0²)³ / (3Q² + 2mT), which varies slowly, is
    bilinear in ln(1 + ε/eV) and in asinh(2 p_z/p0) or ln Q.
    """
    p0, threshold = shell.width_keV, shell.threshold_keV
    x_nodes = np.log1p(shell.kinetic_keV / _EV_keV)
    x = np.union1d(x_nodes, np.arange(x_nodes[0], x_nodes[-1], F_SUM_STEP))
    kinetic = np.clip(_EV_keV * np.expm1(x), shell.kinetic_keV[0], shell.kinetic_keV[-1])
    T = kinetic + threshold
    T_nodes = (shell.kinetic_keV + threshold)[:, None]
    p_z = _M * T / Q - Q / 2.0
    if shell.axis == "p_z":
        p_nodes = shell.momentum_keV[None, :]
        Q_nodes = _momentum(p_nodes, T_nodes)
        u_nodes, u = np.arcsinh(2.0 * shell.momentum_keV / p0), np.arcsinh(2.0 * p_z / p0)
    else:
        Q_nodes = shell.momentum_keV[None, :]
        p_nodes = _M * T_nodes / Q_nodes - Q_nodes / 2.0
        u_nodes, u = np.log(shell.momentum_keV), np.full_like(x, np.log(Q))
    F = shell.S / _shape_of_S(p0, T_nodes, Q_nodes, p_nodes)
    S = _bilinear(x_nodes, u_nodes, F, x, u) * _shape_of_S(p0, T, Q, p_z)
    total = float(np.trapezoid(T * S, kinetic))
    return total if shell.lines is None else total + _line_moment(shell.lines, Q)


def _momentum(
    p_z: Float[np.ndarray, "..."], T: Float[np.ndarray, "..."]
) -> Float[np.ndarray, "..."]:
    """Q = −p_z + sqrt(p_z² + 2mT), without cancellation at p_z > 0."""
    root = np.sqrt(p_z**2 + 2.0 * _M * T)
    return np.where(p_z > 0.0, 2.0 * _M * T / (root + np.abs(p_z)), root - p_z)


def _shape_of_S(p0, T, Q, p_z):
    """S/F: S of a hydrogen-like 1s electron but for a slow factor."""
    return (3.0 * Q**2 + 2.0 * _M * T) / (Q**4 * (p_z**2 + p0**2) ** 3)


def _line_moment(lines: LineTable, Q: float) -> float:
    """Σ T S; below the first node S ~ Q², above the last it is gone."""
    log_Q = np.log(lines.Q_keV)
    strength = [np.interp(np.log(Q), log_Q, S / lines.Q_keV**2, right=0.0) for S in lines.S]
    return float(np.sum(lines.T_keV * lines.closure * np.array(strength)) * Q**2)


def _bilinear(
    x_nodes: Float[np.ndarray, "x"],
    y_nodes: Float[np.ndarray, "y"],
    values: Float[np.ndarray, "x y"],
    x: Float[np.ndarray, "points"],
    y: Float[np.ndarray, "points"],
) -> Float[np.ndarray, "points"]:
    """Bilinear interpolation, constant beyond the nodes."""

    def locate(nodes, at):
        at = np.clip(at, nodes[0], nodes[-1])
        i = np.clip(np.searchsorted(nodes, at) - 1, 0, len(nodes) - 2)
        return i, (at - nodes[i]) / (nodes[i + 1] - nodes[i])

    i, a = locate(x_nodes, x)
    j, b = locate(y_nodes, y)
    lower = (1.0 - b) * values[i, j] + b * values[i, j + 1]
    upper = (1.0 - b) * values[i + 1, j] + b * values[i + 1, j + 1]
    return (1.0 - a) * lower + a * upper
