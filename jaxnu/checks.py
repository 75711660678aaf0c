"""Host-side checks of arguments, before anything is compiled.

Each raises InputError with one line: the argument, its value, the allowed range, the remedy.
Traced values (under jit, grad, vmap) pass: a kernel answers those with NaN or zero.
"""

import difflib
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

from jaxnu.errors import InputError

MU_MAX = 1e-6  # μ_B; laboratory limits are 1e-11, the loosest historical ones 1e-8


def is_traced(*trees: Any) -> bool:
    """Whether any leaf is a tracer of jit, grad or vmap, whose value is not known."""
    return any(
        isinstance(leaf, jax.core.Tracer) for tree in trees for leaf in jax.tree.leaves(tree)
    )


def number_range(
    name: str,
    value: Any,
    low: float,
    high: float,
    unit: str,
    remedy: str,
    *,
    open_low: bool = False,
) -> None:
    """Refuse a number or array that is not finite or has an element outside [low, high]."""
    if is_traced(value):
        return
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"{name} = {value!r} is not a number; {remedy}") from None
    bad = ~np.isfinite(array) | (array > high) | ((array <= low) if open_low else (array < low))
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        name, worst = name + "".join(f"[{i}]" for i in at), array[at]
        bracket = "(" if open_low else "["
        unit = f" {unit}" if unit else ""
        raise InputError(
            f"{name} = {worst:g}{unit} is outside {bracket}{low:g}, {high:g}]{unit}; {remedy}"
        )


def whole_number(name: str, value: Any, low: int) -> None:
    """Refuse what is no integer from `low` to 1e9."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not low <= value <= 10**9:
        raise InputError(
            f"{name} = {value!r} is no whole number from {low} to 1000000000; give one"
        )


def instance(name: str, value: Any, kind: type, remedy: str) -> None:
    """Refuse an argument of another kind, such as a name where the loaded thing is meant."""
    if not isinstance(value, kind):
        raise InputError(
            f"{name} = {value!r:.60} is a {type(value).__name__}; allowed: {kind.__name__}; "
            f"{remedy}"
        )


def magnetic_moment(name: str, mu: Any, open_low: bool = False) -> None:
    """Refuse a μ that is negative (or zero, open_low), NaN or plainly not in Bohr magnetons."""
    number_range(
        name, mu, 0.0, MU_MAX, "μ_B",
        "magnetic moments are in Bohr magnetons, so 11e-12 is written 1.1e-11", open_low=open_low,
    )  # fmt: skip


def magnetic_moment_squared(name: str, mu2: Any) -> None:
    """The same for μ²."""
    number_range(
        name, mu2, 0.0, MU_MAX**2, "μ_B²",
        "μ² is in squared Bohr magnetons, so μ = 1e-11 is 1e-22",
    )  # fmt: skip


def one_of(name: str, value: Any, allowed: Iterable[str]) -> None:
    """Refuse a word that is not in the list, naming the nearest ones."""
    allowed = list(allowed)
    if value not in allowed:
        near = difflib.get_close_matches(str(value), allowed, 1)
        hint = f"did you mean {near[0]!r}?" if near else "choose one of these"
        raise InputError(f"{name} = {value!r} is unknown; allowed: {', '.join(allowed)}; {hint}")


def broadcast(first: str, a: Any, second: str, b: Any) -> None:
    """Refuse two arrays whose shapes do not broadcast."""
    shapes = np.shape(a), np.shape(b)
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        raise InputError(
            f"{first} and {second} have shapes {shapes[0]} and {shapes[1]}, which do not "
            f"broadcast; give equal shapes, or {first}[:, None] with {second}[None, :]"
        ) from None


def increasing(name: str, values: Any, unit: str) -> None:
    """Refuse an array that does not increase strictly."""
    if is_traced(values):
        return
    array = np.asarray(values, dtype=float)
    steps = np.diff(array)
    if not np.isfinite(array).all() or (steps <= 0).any():
        at = int(np.argmax(~(steps > 0)))
        raise InputError(
            f"{name}[{at}:{at + 2}] = {array[at]:g}, {array[at + 1]:g} {unit} does not increase; "
            "give finite, strictly increasing values"
        )
