"""A table with its exact derivative in the exchange parameter of the field."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnu.atom.build import assemble, closure_slope, compute, plan_table, series_closure
from jaxnu.atom.field import self_consistent_field
from jaxnu.atom.settings import ATOM_NUMERICS, AtomNumerics
from jaxnu.atom.table import AtomTable, ShellTable
from jaxnu.errors import InputError


@lru_cache(maxsize=2)
def table_and_slope(
    element: str, exchange: float, knobs: AtomNumerics = ATOM_NUMERICS
) -> tuple[AtomTable, AtomTable]:
    """The table of an atom, and d/d(exchange) of its thresholds, S, R and lines.

    By implicit differentiation of the self-consistent field and forward differentiation of all
    that follows, at fixed nodes in ε and p_z. Takes several times as long as the table alone.
    Raises as `build_table`.
    """
    atom = self_consistent_field(element, exchange=exchange, knobs=knobs)
    plan = plan_table(atom, knobs)

    def responses(x: Float[Array, ""]) -> Any:
        return compute(self_consistent_field(element, exchange=x, knobs=knobs), plan, knobs)

    value, slope = jax.jvp(responses, (jnp.asarray(exchange, float),), (jnp.ones(()),))
    closure = series_closure(value.final_level, knobs)
    table = assemble(atom, plan, value, closure, exchange, knobs)
    # nodes, widths and occupations are the table's own; what is left is linear in the responses
    closing = closure_slope(value.final_level, knobs) * np.asarray(slope.final_level)
    moved = assemble(atom, plan, slope, closing, exchange, knobs)
    return table, moved


def moving_table(element: str, exchange: Any) -> AtomTable:
    """The table at a traced exchange: the numbers of its value, with their first derivative.

    exchange: traced by jax.grad, jax.jvp and the like, outside of jit.
    Raises InputError under jit or vmap, where the value is not known.
    """
    try:
        at = float(np.asarray(jax.lax.stop_gradient(exchange)))
    except (jax.errors.TracerArrayConversionError, jax.errors.ConcretizationTypeError):
        raise InputError(
            "exchange = one traced by jit or vmap; allowed: a number, or jax.grad and jax.jvp; "
            "make the response outside of jit and pass it as an argument"
        ) from None
    value, slope = table_and_slope(element, at)
    # a step of zero, with the derivative one
    return table_along(value, slope, exchange - jax.lax.stop_gradient(exchange))


def table_along(value: AtomTable, slope: AtomTable, step: Any) -> AtomTable:
    """value + step × slope in thresholds, S, R and lines: a table moved along a stored tangent.

    value, slope: from `table_and_slope`. step: change of exchange, traced or not.
    """

    def moved(a: Any, b: Any) -> Array:
        return jnp.asarray(a) + jnp.asarray(b) * step

    def shell(a: Any, b: Any) -> ShellTable:
        return replace(
            a,
            threshold_keV=moved(a.threshold_keV, b.threshold_keV),
            S=moved(a.S, b.S),
            R=moved(a.R, b.R),
            lines=replace(
                a.lines,
                T_keV=moved(a.lines.T_keV, b.lines.T_keV),
                closure=moved(a.lines.closure, b.lines.closure),
                S=moved(a.lines.S, b.lines.S),
                R=moved(a.lines.R, b.lines.R),
            ),
        )

    return replace(value, shells=tuple(map(shell, value.shells, slope.shells)))
