"""From the table of an atom to the numbers of its response: shells, spline coefficients, lines.

Everything after the choice of nodes is linear in S and R, so that their tangents pass.
"""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxnu import checks
from jaxnu.atom.table import AXES, AtomTable, LineTable, ShellTable
from jaxnu.constants import ELECTRON_MASS_keV
from jaxnu.elements import element, subshells
from jaxnu.errors import InputError
from jaxnu.numerics.splines import SplineAxis, interpolation, is_even

THRESHOLDS = ("measured", "model")
KINETIC_DEGREE, MOMENTUM_DEGREE = 3, 5
PER_keV = 1e3  # the kinetic energy enters as x = ln(1 + ε/1 eV)
LINE_POWER = 5  # lines fall at least like Q^-8 beyond the width of their shell
_M = ELECTRON_MASS_keV


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LineList:
    """Which lines a response has: subshell, row among the tables' lines, energy of the model
    [keV] and weight (vacancy and closure, or closure alone)."""

    shell: Int[Array, "lines"]
    row: Int[Array, "lines"]
    T_keV: Float[Array, "lines"]
    weight: Float[Array, "lines"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LineSplines:
    """Strengths of every line of every table, per electron, as splines in ln Q:
    density S (Q² + p0²)⁵/Q² and current R (Q² + p0²)⁴, p0 the width of the initial subshell."""

    axis: SplineAxis  # one per table
    table: Int[Array, "rows"]
    density: Float[Array, "rows coefficients"]
    current: Float[Array, "rows coefficients"]


def assemble(table: AtomTable, thresholds: str) -> dict[str, Any]:
    """The fields of CentralField that a table determines."""
    checks.instance("table", table, AtomTable, "read_table(path) or build_table gives one")
    checks.one_of("thresholds", thresholds, THRESHOLDS)
    _check(table)
    labels, electrons, measured, which = _response_shells(table, thresholds)
    thresholds_keV = [table.shells[i].threshold_keV for i in which]
    model = jnp.asarray(_namespace(*thresholds_keV).stack(thresholds_keV), dtype=float)
    line_splines, every = _line_splines(table.shells)
    shift = 0.0 if measured is None else np.asarray(measured) - _concrete(model)
    physical, all_lines = _line_lists(every, which, np.broadcast_to(shift, len(which)))
    return {
        "target": table.symbol,
        "Z": table.Z,
        "labels": labels,
        "electrons": jnp.asarray(np.asarray(electrons)),
        "thresholds_keV": model if measured is None else jnp.asarray(np.asarray(measured)),
        "model_thresholds_keV": model,
        "widths_keV": jnp.asarray(np.asarray([float(table.shells[i].width_keV) for i in which])),
        **_continuum_splines(table.shells),
        "line_splines": line_splines,
        "physical_lines": physical,
        "every_line": all_lines,
        "axis": table.shells[0].axis,
        "table": which,
    }


def _check(table: AtomTable) -> None:
    if element(table.symbol).Z != table.Z:
        raise InputError(
            f"table.Z = {table.Z} is not that of {table.symbol!r}, Z = {element(table.symbol).Z}; "
            "give the element's own table"
        )
    kinds = sorted({shell.axis for shell in table.shells})
    if len(kinds) != 1 or kinds[0] not in AXES:
        raise InputError(
            f"table.shells have momentum axes {', '.join(kinds) or 'none'}; allowed: one of "
            f"{', '.join(AXES)} for all subshells; bring every subshell to the same kind of axis"
        )
    for shell in table.shells:
        checks.number_range(
            f"{shell.label}.electrons", shell.electrons, 0.0, 14.0, "",
            "leave empty subshells out", open_low=True,
        )  # fmt: skip
        for name, nodes, degree in (
            ("kinetic_keV", shell.kinetic_keV, KINETIC_DEGREE),
            ("momentum_keV", shell.momentum_keV, MOMENTUM_DEGREE),
        ):
            checks.increasing(f"{shell.label}.{name}", nodes, "keV")
            if len(nodes) <= degree:
                raise InputError(
                    f"{shell.label}.{name} has {len(nodes)} nodes; its spline needs more than "
                    f"{degree}; give a denser table"
                )


def _response_shells(
    table: AtomTable, thresholds: str
) -> tuple[tuple[str, ...], list[float], list[float] | None, tuple[int, ...]]:
    """(labels, electrons, measured thresholds or None, table of each) of the response's shells."""
    names = [shell.label for shell in table.shells]
    if thresholds == "model":
        occupations = [float(shell.electrons) for shell in table.shells]
        return tuple(names), occupations, None, tuple(range(len(names)))
    xray = subshells(table.symbol)
    orbitals = [s.orbital for s in xray]
    for shell in table.shells:
        share = sum(s.electrons for s, nl in zip(xray, orbitals, strict=True) if nl == shell.label)
        if not math.isclose(share, float(shell.electrons), rel_tol=1e-9):
            raise InputError(
                f"table {shell.label} of {table.symbol} holds {float(shell.electrons):g} "
                f"electrons, the tabulated subshells of {shell.label} hold {share:g}; "
                "use thresholds='model'"
            )
    kept = [(s, nl) for s, nl in zip(xray, orbitals, strict=True) if nl in names]
    return (
        tuple(s.label for s, _ in kept),
        [s.electrons for s, _ in kept],
        [s.binding_keV for s, _ in kept],
        tuple(names.index(nl) for _, nl in kept),
    )


def _continuum_splines(
    shells: tuple[ShellTable, ...],
) -> dict[str, Any]:
    """Coefficients of F and G, the axis in x = ln(1 + ε/1 eV), the axis in u or ln Q."""
    xs = [np.log1p(PER_keV * np.asarray(s.kinetic_keV, float)) for s in shells]
    us = []
    for shell in shells:
        nodes = np.asarray(shell.momentum_keV, float)
        scaled = np.log(nodes) if shell.axis == "Q" else np.arcsinh(2.0 * nodes / shell.width_keV)
        us.append(scaled)
    even = all(is_even(u) for u in us)
    in_x = [interpolation(x, KINETIC_DEGREE) for x in xs]
    in_u = [interpolation(u, MOMENTUM_DEGREE, even) for u in us]
    FG = [
        _einsum("ae,bq,eqf->abf", along_x.matrix, along_u.matrix, _scaled_values(shell))
        for shell, along_x, along_u in zip(shells, in_x, in_u, strict=True)
    ]
    # below its first node a spline goes on by one step, if ε = 0 is not nearer
    starts = [max(0.0, 2.0 * x[0] - x[1]) for x in xs]
    kinetic = _stacked_axis(in_x, starts, [x[-1] for x in xs], KINETIC_DEGREE, False)
    ends = [u[0] for u in us], [u[-1] for u in us]
    momentum = _stacked_axis(in_u, *ends, MOMENTUM_DEGREE, even)
    return {"FG": _stack(FG), "kinetic": kinetic, "momentum": momentum}


def _scaled_values(shell: ShellTable) -> Any:
    """F and G at the nodes, per electron, on a last axis."""
    xp = _namespace(shell.threshold_keV, shell.S, shell.R)
    T = (np.asarray(shell.kinetic_keV, float) + shell.threshold_keV)[:, None]
    nodes = np.asarray(shell.momentum_keV, float)
    if shell.axis == "Q":
        Q, p = nodes, _M * T / nodes - 0.5 * nodes
    else:
        p = nodes
        root = xp.sqrt(p**2 + 2.0 * _M * T)  # Q = root − p, without cancellation
        Q = xp.where(p > 0.0, 2.0 * _M * T / (root + np.abs(p)), root + np.abs(p))
    D = Q**2 * (p**2 + shell.width_keV**2)
    F = shell.S * D**3 / (Q**2 * (3.0 * Q**2 + 2.0 * _M * T)) / shell.electrons
    G = shell.R * D**2 * _M / (2.0 * T) / shell.electrons
    return _namespace(F, G).stack([F, G], axis=-1)


def _line_splines(shells: tuple[ShellTable, ...]) -> tuple[LineSplines, list[dict[str, Any]]]:
    """Splines of every line, and per table the rows, energies and weights."""
    degree = MOMENTUM_DEGREE
    tables = [shell.lines for shell in shells]
    Qs = [np.geomspace(1.0, 2.0, 8) if t is None else np.asarray(t.Q_keV, float) for t in tables]
    even = all(is_even(np.log(Q)) for Q in Qs)
    splines = [interpolation(np.log(Q), degree, even) for Q in Qs]
    every: list[dict[str, Any]] = []
    owner: list[int] = []
    densities, currents = [], []
    for index, (shell, lines, Q, spline) in enumerate(
        zip(shells, tables, Qs, splines, strict=True)
    ):
        if lines is None:
            none = np.zeros(0)
            every.append({"row": none.astype(int), "T": none, "vacancy": none, "closure": none})
            continue
        bracket = Q**2 + float(shell.width_keV) ** 2
        scale = bracket**LINE_POWER / Q**2 / shell.electrons, bracket ** (LINE_POWER - 1)
        densities.append(_einsum("aq,nq->na", spline.matrix, lines.S * scale[0]))
        currents.append(_einsum("aq,nq->na", spline.matrix, lines.R * scale[1] / shell.electrons))
        every.append(_numbers(lines, len(owner)))
        owner += [index] * len(lines.T_keV)
    low, high = [np.log(Q[0]) for Q in Qs], [np.log(Q[-1]) for Q in Qs]
    axis = _stacked_axis(splines, low, high, degree, even)
    density, current = (
        _stack([row for table in parts for row in table]) if owner else jnp.zeros((0, 1))
        for parts in (densities, currents)
    )
    return LineSplines(axis, jnp.asarray(np.asarray(owner, dtype=int)), density, current), every


def _numbers(lines: LineTable, first: int) -> dict[str, Any]:
    return {
        "row": first + np.arange(len(lines.T_keV)),
        "T": lines.T_keV,
        "vacancy": np.asarray(lines.vacancy, float),
        "closure": lines.closure,
    }


def _line_lists(
    every: list[dict[str, Any]], which: tuple[int, ...], shift: Float[np.ndarray, "shells"]
) -> tuple[LineList, LineList]:
    """(upward lines into empty states, all lines): rows repeat where subshells share a table."""
    shell = np.repeat(np.arange(len(which)), [len(every[i]["row"]) for i in which])
    row, T, vacancy, closure = (
        _concatenate([every[i][name] for i in which]) for name in ("row", "T", "vacancy", "closure")
    )
    T_model = _concrete(T)
    upward = (T_model > 0.0) & (T_model + shift[shell] > 0.0)
    kept = np.flatnonzero(upward & (vacancy > 0.0))

    def listed(at: Any, weight: Any) -> LineList:
        return LineList(
            jnp.asarray(shell[at]), jnp.asarray(row[at]), jnp.asarray(T[at]),
            jnp.asarray(weight[at]),
        )  # fmt: skip

    return listed(kept, vacancy * closure), listed(slice(None), closure)


# ---- arrays that may be traced -------------------------------------------------------------------


def _namespace(*values: Any) -> Any:
    return jnp if checks.is_traced(*values) else np


def _concrete(values: Any) -> np.ndarray:
    """The numbers of an array that jax.jvp or jax.grad traces."""
    try:
        return np.asarray(jax.lax.stop_gradient(values), dtype=float)
    except jax.errors.TracerArrayConversionError:
        raise InputError(
            "table = one traced by jit or vmap; allowed: plain numbers, or jax.jvp and jax.grad; "
            "make the response outside of jit and pass it as an argument"
        ) from None


def _einsum(subscripts: str, *operands: Any) -> Any:
    return _namespace(*operands).einsum(subscripts, *operands, optimize=True)


def _concatenate(parts: list[Any]) -> Any:
    return _namespace(*parts).concatenate(parts)


def _stack(parts: list[Any]) -> Array:
    """One array of blocks, each padded with zeros to the largest."""
    xp = _namespace(*parts)
    shape = np.max([np.shape(p) for p in parts], axis=0)
    pads = [[(0, n - k) for n, k in zip(shape, np.shape(p), strict=True)] for p in parts]
    return jnp.asarray(xp.stack([xp.pad(p, pad) for p, pad in zip(parts, pads, strict=True)]))


def _stacked_axis(splines: list, low: list, high: list, degree: int, even: bool) -> SplineAxis:
    """Axes of several tables; padding knots lie beyond the last one."""
    longest = max(len(s.knots) for s in splines)
    knots = [
        np.append(s.knots, s.knots[-1] + 1.0 + np.arange(longest - len(s.knots))) for s in splines
    ]
    ends = jnp.asarray(np.asarray(low)), jnp.asarray(np.asarray(high))
    return SplineAxis(jnp.asarray(np.stack(knots)), *ends, degree, even)
