"""Interpolating B-splines: coefficients made once on the host, values anywhere in JAX.

Coefficients are linear in the interpolated values: c = M f, with a matrix M for each axis.
"""

import operator
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, partial, reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float, Int
from scipy.interpolate import BSpline, make_interp_spline

from jaxnu import precision  # noqa: F401

EVEN = 1e-9  # nodes count as even if their steps agree to this share


class Interpolation(NamedTuple):
    """Spline through values f at given nodes: Σ_j (matrix @ f)_j B_j(x) with these knots."""

    knots: Float[np.ndarray, "coefficients+degree+1"]
    matrix: Float[np.ndarray, "coefficients nodes"]


def is_even(nodes: Float[np.ndarray, "nodes"]) -> bool:
    """Whether all steps agree."""
    steps = np.diff(nodes)
    return bool(np.ptp(steps) <= EVEN * np.mean(steps))


def interpolation(
    nodes: Float[np.ndarray, "nodes"], degree: int, even: bool = False
) -> Interpolation:
    """The not-a-knot spline of odd degree through degree+1 or more increasing nodes.

    even=False: the knots of scipy's make_interp_spline, (degree+1)-fold at both ends.
    even=True: the same curve for nodes with equal steps, on knots that go on evenly beyond the
        ends; degree−1 coefficients more, but the basis is one polynomial in every interval.
    """
    if not even:
        spline = make_interp_spline(nodes, np.eye(len(nodes)), k=degree)
        return Interpolation(spline.t, spline.c)
    n = len(nodes)
    step = (nodes[-1] - nodes[0]) / (n - 1)
    return Interpolation(nodes[0] + step * np.arange(-degree, n + degree), _even_matrix(n, degree))


@cache
def _even_matrix(n: int, degree: int) -> Float[np.ndarray, "coefficients nodes"]:
    """The matrix for n even nodes: the same for all steps."""
    nodes, half = np.arange(float(n)), (degree - 1) // 2
    spline = make_interp_spline(nodes, np.eye(n), k=degree)
    knots = np.arange(-degree, n + degree, dtype=float)
    # the nodes and, near the ends, as many points between them determine the coefficients
    points = [k + 0.5 for k in range(half)]
    points += [n - 1.5 - k for k in range(half)]
    sites = np.sort(np.append(nodes, points))
    collocation = BSpline.design_matrix(sites, knots, degree).toarray()
    return np.linalg.solve(collocation, spline(sites))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SplineAxis:
    """Knots of one or several splines; shorter ones are padded with larger knots.

    low, high: the interval that is meant; a caller clamps to it, here the first and the last
    polynomial go on. high is the last node. even: all steps are equal, as from
    `interpolation(..., even=True)`: finds the interval without a search.
    """

    knots: Float[Array, "*splines knots"]
    low: Float[Array, "*splines"]
    high: Float[Array, "*splines"]
    degree: int = field(metadata={"static": True})
    even: bool = field(metadata={"static": True})

    def __getitem__(self, which: Any) -> "SplineAxis":
        """Some of the splines."""
        return SplineAxis(
            self.knots[which], self.low[which], self.high[which], self.degree, self.even
        )

    def basis(
        self, x: Float[Array, "*splines points"], derivative: int = 0
    ) -> tuple[Int[Array, "*splines points"], list[Float[Array, "*splines points"]]]:
        """(first, values): the d-th derivative of the degree+1 B-splines that are not zero at x.

        values[k] belongs to coefficient first + k. Cox–de Boor recurrence.
        """
        p = self.degree
        if self.even:
            interval, s, step = self.locate(x)
            values = _cox_de_boor(s, list(range(1 - p, p + 1)), p, derivative)
            return interval, [v / step**derivative for v in values]
        inner = (self.knots > self.knots[..., p, None]) & (self.knots < self.high[..., None])
        first = jnp.sum(inner[..., None, :] & (self.knots[..., None, :] <= x[..., None]), axis=-1)
        knots = jnp.broadcast_to(self.knots, (*first.shape[:-1], self.knots.shape[-1]))
        local = [
            jnp.take_along_axis(knots, first + k, axis=-1, mode="promise_in_bounds")
            for k in range(1, 2 * p + 1)
        ]
        return first, _cox_de_boor(x, local, p, derivative)

    def locate(
        self, x: Float[Array, "*splines points"]
    ) -> tuple[Int[Array, "*splines points"], Float[Array, "*splines points"], Array]:
        """(interval, place in it from 0 to 1, step) of even knots."""
        start = self.knots[..., self.degree, None]
        step = self.knots[..., self.degree + 1, None] - start
        last = jnp.round((self.high[..., None] - start) / step) - 1.0
        s = (x - start) / step
        interval = jnp.clip(jnp.floor(jax.lax.stop_gradient(s)), 0.0, last)
        return interval.astype(jnp.int32), s - interval, step


def _cox_de_boor(x: Any, t: list, degree: int, derivative: int) -> list:
    """Basis values in the interval t[degree−1] ≤ x < t[degree] from its 2·degree nearest knots."""
    if derivative > degree:
        return [jnp.zeros_like(x)] * (degree + 1)
    values = [1.0 + 0.0 * x]
    for d in range(1, degree + 1):
        differentiate = d > degree - derivative
        new, carry = [], 0.0 * x
        for j, value in enumerate(values):
            right, left = t[degree + j], t[degree + j - d]
            share = value * (1.0 / (right - left))
            if differentiate:
                new.append(carry - d * share)
                carry = d * share
            else:
                new.append(carry + (right - x) * share)
                carry = (x - left) * share
        values = [*new, carry]
    return values


def spline_values(
    coefficients: Float[Array, "coefficients"], axis: SplineAxis, x: Float[Array, "points"]
) -> Float[Array, "points"]:
    """Σ_j c_j B_j(x) of one spline."""
    first, values = axis.basis(x)
    return _total(
        value * coefficients.at[first + k].get(mode="promise_in_bounds")
        for k, value in enumerate(values)
    )


def _total(terms: Iterable[Array]) -> Array:
    return reduce(operator.add, terms)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def tensor_values(
    derivatives: tuple[int, int],
    coefficients: Float[Array, "tables x y *functions"],
    table: Int[Array, "rows"],
    axes: tuple[SplineAxis, SplineAxis],
    x: Float[Array, "rows x_points"],
    y: Float[Array, "rows points"],
) -> Float[Array, "rows points *functions"]:
    """Values at (x, y), or a mixed derivative, of tensor splines Σ c_ij B_i(x) B_j(y).

    derivatives: orders in x and y. table: which spline each row takes; axes: those of the tables,
    stacked. x: one point for a row, which contracts x first, or as many as y. Several functions
    on the same knots share the basis.
    Derivatives in x and y are evaluated, not transposed: a reverse pass scatters nothing unless
    it is in the coefficients. Knots are fixed.
    """
    along_x, along_y = (axis[table] for axis in axes)
    i, b_x = along_x.basis(x, derivatives[0])
    j, b_y = along_y.basis(y, derivatives[1])
    b_x, b_y = ([_with_axes(b, coefficients.ndim - 3) for b in basis] for basis in (b_x, b_y))
    at: Any = coefficients.at
    if x.shape[-1] == 1 and y.shape[-1] > 2 * len(b_y):
        lines = _total(
            b * at[table, i[:, 0] + k].get(mode="promise_in_bounds") for k, b in enumerate(b_x)
        )
        if along_y.even:
            # kept apart: each of the windows would contract x again
            lines = jax.lax.optimization_barrier(lines)
            return _piecewise(lines, along_y, y, derivatives[1])
        rows = jnp.arange(table.shape[0])[:, None]
        return _total(
            b * lines.at[rows, j + k].get(mode="promise_in_bounds") for k, b in enumerate(b_y)
        )
    return _total(
        b * _total(
            c * at[table[:, None], i + k, j + l].get(mode="promise_in_bounds")
            for l, c in enumerate(b_y)
        )
        for k, b in enumerate(b_x)
    )  # fmt: skip


def _piecewise(
    lines: Float[Array, "rows y *functions"],
    axis: SplineAxis,
    y: Float[Array, "rows points"],
    derivative: int,
) -> Float[Array, "rows points *functions"]:
    """Splines on even knots as a polynomial in every interval: one gather and Horner's scheme."""
    p, count = axis.degree, lines.shape[1] - axis.degree
    interval, s, step = axis.locate(y)
    windows = jnp.stack([lines[:, k : k + count] for k in range(p + 1)])
    pieces = jnp.einsum("kd,krj...->drj...", _interval_polynomials(p, derivative), windows)
    pieces = jax.lax.optimization_barrier(pieces)
    rows = jnp.arange(lines.shape[0])[:, None]
    local = pieces.at[:, rows, interval].get(mode="promise_in_bounds")
    local = jax.lax.optimization_barrier(local)
    s, step = (_with_axes(a, lines.ndim - 2) for a in (s, step))
    value = local[p]
    for d in range(p - 1, -1, -1):
        value = value * s + local[d]
    return value / step**derivative


@cache
def _interval_polynomials(degree: int, derivative: int) -> Float[np.ndarray, "basis powers"]:
    """The degree+1 B-splines on unit steps, or a derivative, as polynomials of x in [0, 1]."""
    x = np.linspace(0.0, 1.0, degree + 1)
    values = np.stack(_cox_de_boor(x, list(range(1 - degree, degree + 1)), degree, 0))
    series = np.linalg.solve(np.vander(x, increasing=True), values.T).T
    for _ in range(derivative):
        series = np.pad(series[:, 1:] * np.arange(1.0, degree + 1.0), ((0, 0), (0, 1)))
    return series


def _with_axes(values: Array, number: int) -> Array:
    return values.reshape(values.shape + (1,) * number)


@partial(tensor_values.defjvp, symbolic_zeros=True)
def _tensor_values_jvp(derivatives: tuple[int, int], primals: tuple, tangents: tuple) -> tuple:
    coefficients, table, axes, x, y = primals
    functions = coefficients.ndim - 3
    d_coefficients, _, _, dx, dy = tangents
    value = tensor_values(derivatives, *primals)
    tangent = jnp.zeros_like(value)
    if not isinstance(d_coefficients, SymbolicZero):
        tangent += tensor_values(derivatives, d_coefficients, table, axes, x, y)
    nx, ny = derivatives
    if not isinstance(dx, SymbolicZero):
        tangent += _with_axes(dx, functions) * tensor_values((nx + 1, ny), *primals)
    if not isinstance(dy, SymbolicZero):
        tangent += _with_axes(dy, functions) * tensor_values((nx, ny + 1), *primals)
    return value, tangent
