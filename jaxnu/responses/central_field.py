"""Responses of a real atom, electron by electron in a central field, from its tables."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxnu import checks
from jaxnu.atom.configuration import Z_MAX
from jaxnu.atom.table import AtomTable
from jaxnu.constants import ELECTRON_MASS_keV
from jaxnu.elements import element, subshells
from jaxnu.errors import InputError
from jaxnu.numerics.splines import SplineAxis, spline_values, tensor_values
from jaxnu.responses.base import Lines, Response
from jaxnu.responses.table_splines import (
    LINE_POWER,
    THRESHOLDS,
    LineList,
    LineSplines,
    PER_keV,
    assemble,
)

ROUNDING = 1e-12  # T at the end of a table is still inside
_M = ELECTRON_MASS_keV


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class CentralField(Response):
    """One electron at a time, bound and ejected in one spherical potential: tabulated S and R.

    Per subshell, with p0 its width, p_z = mT/Q − Q/2 and T = ε + |E_nl| of the model,
        S = F (3Q² + 2mT) / [Q⁴ (p_z² + p0²)³],   R = G 2mT / [m² Q⁴ (p_z² + p0²)²]
    where F and G vary slowly (for 1s of a hydrogen-like ion both are one function: docs/physics.md,
    section 4). They are tensor splines, cubic in x = ln(1 + ε/1 eV) and quintic in
    u = asinh(2 p_z/p0), or in ln Q for tables on fixed momenta. A spline that turns negative in a
    dip counts as zero. Between ε = 0 and the first node the cubic goes on, by one step at most.

    thresholds="model": T = ε + |E_nl|. "measured": T = ε + tabulated binding energy of each X-ray
    subshell, which takes its electrons' share of its nl; S is unchanged at fixed ε and R scaled by
    (T/T_model)², so that R(T, Q→0) = T² lim S/Q² still holds. Lines shift alike.

    Range: T from the first excitation to `T_max_keV` (ε = 100 keV in the tables of jaxnu); beyond
    it values are NaN, below every threshold, T < 0 included, zero. Q in the tables of jaxnu from
    the light cone Q = T or below, p_z = max(m, 100 p0), to p_z = −9 p0 (Cs 1s) to −74 p0 (Cs 6s),
    Q above 100 keV (docs/atoms.md). Every other Q ≥ 0 is answered too, with F and G of the nearest
    end: S ∝ Q² and R constant as Q → 0, both ∝ Q⁻⁸ at large Q (and so are lines). Q < 0 is NaN.
    Nonrelativistic. No hole in the potential and no correlation: tens of per
    cent near thresholds of d subshells, per cents well above.
    Source: docs/physics.md, section 5. Differentiable in every number but the spline knots.
    """

    model_thresholds_keV: Float[Array, "shells"]
    widths_keV: Float[Array, "shells"]
    FG: Float[Array, "tables kinetic momentum 2"]  # coefficients of F and G, per electron
    kinetic: SplineAxis
    momentum: SplineAxis
    line_splines: LineSplines
    physical_lines: LineList  # upward, into empty states
    every_line: LineList  # into filled subshells and downward too
    axis: str = field(metadata={"static": True})
    table: tuple[int, ...] = field(metadata={"static": True})  # which table each subshell uses

    @classmethod
    def from_table(
        cls, table: AtomTable, thresholds: str = "measured", model: str = "central-field"
    ) -> "CentralField":
        """The response of a table of S and R.

        thresholds: "measured" or "model", see the class.
        S, R, thresholds, lines and their closure may be traced by jax.jvp or jax.grad (not by jit:
        which lines there are depends on the signs of their energies): every coefficient is linear
        in S and R. Nodes, widths and occupations are plain numbers.

        Raises InputError for a table whose subshells have different kinds of momentum axes, too
        few nodes, or do not match the X-ray subshells of the element ("measured").
        """
        return cls(model=model, **assemble(table, thresholds))

    @property
    def momentum_scales_keV(self) -> Float[Array, "shells"]:
        return self.widths_keV

    @property
    def T_max_keV(self) -> Float[Array, ""]:
        """The highest T that every subshell's table reaches."""
        last = jnp.expm1(self.kinetic.high[np.array(self.table)]) / PER_keV
        return jnp.min(self.thresholds_keV + last)

    def longitudinal(
        self, T_keV: Float[Array, "..."], Q_keV: Float[Array, "..."], by_shell: bool = False
    ) -> Float[Array, "..."]:
        return self.both(T_keV, Q_keV, by_shell)[0]

    def transverse(
        self, T_keV: Float[Array, "..."], Q_keV: Float[Array, "..."], by_shell: bool = False
    ) -> Float[Array, "..."]:
        return self.both(T_keV, Q_keV, by_shell)[1]

    def both(
        self, T_keV: Float[Array, "..."], Q_keV: Float[Array, "..."], by_shell: bool = False
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """S and R of every subshell with one evaluation of the basis: zero below threshold, NaN
        beyond the table, for Q < 0 and where T or Q is NaN, with finite gradients."""
        shape = jnp.broadcast_shapes(jnp.shape(T_keV), jnp.shape(Q_keV))
        T, Q = jnp.asarray(T_keV, dtype=float), jnp.asarray(Q_keV, dtype=float)
        if T.ndim:  # pairs; with one T all its Q share a contraction over energy nodes
            T, Q = jnp.broadcast_to(T, shape), jnp.broadcast_to(Q, shape)
        T, Q = T.ravel(), Q.ravel()
        table = np.array(self.table)
        kinetic, momentum = self.kinetic[table], self.momentum[table]
        threshold, model, width, electrons = (
            a[:, None]
            for a in (
                self.thresholds_keV, self.model_thresholds_keV, self.widths_keV, self.electrons
            )
        )  # fmt: skip
        above = threshold <= T
        energy = jnp.where(above, T - threshold, 0.0)
        x = jnp.log1p(PER_keV * energy)
        unknown = (x > kinetic.high[:, None] * (1.0 + ROUNDING)) | jnp.isnan(T) | ~(Q >= 0.0)
        x = jnp.clip(x, kinetic.low[:, None], kinetic.high[:, None])
        T_model = energy + model
        D = (_M * T_model - 0.5 * Q**2) ** 2 + (Q * width) ** 2
        if self.axis == "p_z":
            u = _asinh(2.0 * (_M * T_model / Q - 0.5 * Q) / width)
        else:
            u = jnp.log(jnp.broadcast_to(Q, D.shape))
        u = jnp.clip(u, momentum.low[:, None], momentum.high[:, None])
        values = tensor_values(
            (0, 0), self.FG, jnp.asarray(table), (self.kinetic, self.momentum), x, u
        )
        F, G = jnp.moveaxis(jnp.maximum(values, 0.0), -1, 0)
        measured = 2.0 * (T_model + (threshold - model)) ** 2 / (_M * T_model)
        density = F * (3.0 * Q**2 + 2.0 * _M * T_model) * Q**2 / D**3
        S, R = (
            jnp.where(unknown, jnp.nan, jnp.where(above, electrons * one, 0.0))
            for one in (density, G * measured / D**2)
        )
        if by_shell:
            shape = (*shape, len(self.table))
            return S.T.reshape(shape), R.T.reshape(shape)
        return jnp.sum(S, axis=0).reshape(shape), jnp.sum(R, axis=0).reshape(shape)

    def lines(self) -> Lines:
        """Upward excitations into empty states, or what `independent_particle` says."""
        shell = self.physical_lines.shell
        return Lines(self.physical_lines.T_keV + self._shift[shell], shell)

    def line_longitudinal(
        self, n: Int[Array, ""], Q_keV: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        value, Q, width2, _ = self._line(self.line_splines.density, n, Q_keV)
        return value * Q**2 / (Q**2 + width2) ** LINE_POWER

    def line_transverse(self, n: Int[Array, ""], Q_keV: Float[Array, "..."]) -> Float[Array, "..."]:
        value, Q, width2, scale = self._line(self.line_splines.current, n, Q_keV)
        return value * scale / (Q**2 + width2) ** (LINE_POWER - 1)

    def independent_particle(self) -> "CentralField":
        """The same atom with the thresholds of the model and every bound–bound transition: into
        filled subshells and downward (T < 0) too. What sum rules are about."""
        return replace(
            self, thresholds_keV=self.model_thresholds_keV, physical_lines=self.every_line
        )

    @property
    def _shift(self) -> Float[Array, "shells"]:
        return self.thresholds_keV - self.model_thresholds_keV

    def _line(
        self, coefficients: Array, n: Int[Array, ""], Q_keV: Float[Array, "..."]
    ) -> tuple[Array, Array, Array, Array]:
        """(spline with electrons and weight, Q, p0², (T/T_model)²) of line n."""
        Q = jnp.asarray(Q_keV, dtype=float)
        lines = self.physical_lines
        if lines.row.shape[0] == 0:
            return jnp.zeros(Q.shape), Q, jnp.ones(()), jnp.ones(())
        row, shell = lines.row[n], lines.shell[n]
        axis = self.line_splines.axis[self.line_splines.table[row]]
        x = jnp.clip(jnp.log(Q), axis.low, axis.high)
        value = spline_values(coefficients[row], axis, x.ravel()).reshape(Q.shape)
        value = jnp.maximum(value, 0.0) * lines.weight[n] * self.electrons[shell]
        scale = (1.0 + self._shift[shell] / lines.T_keV[n]) ** 2
        return value, Q, self.widths_keV[shell] ** 2, scale


def _asinh(x: Array) -> Array:
    """asinh to 1e-16 absolute, which is what an interval of a spline needs; faster than jnp's."""
    size = jnp.abs(x)
    return jnp.where(x < 0.0, -1.0, 1.0) * jnp.log(size + jnp.sqrt(size**2 + 1.0))


def central_field_atom(
    target: str,
    source: str = "table",
    thresholds: str = "measured",
    exchange: float = 1.0,
    progress: Any = None,
) -> CentralField:
    """An atom from its self-consistent Herman–Skillman field.

    source: "table" (shipped, or computed once and kept in the user's cache) or "compute".
    thresholds: "measured" or "model", see CentralField. exchange: factor of the exchange
    potential. progress: as in jaxnu.atom.table_store.atom_table.
    """
    from jaxnu.atom.table_store import atom_table

    subshells(target)  # refuses what has none: there, only free electrons are left
    if element(target).Z > Z_MAX:
        raise InputError(
            f"target = {target!r} has Z = {element(target).Z}; allowed: Z ≤ {Z_MAX}, H to Cs, for "
            "model='central-field'; use model='stepping'"
        )
    checks.one_of("thresholds", thresholds, THRESHOLDS)
    table = atom_table(target, source=source, exchange=exchange, progress=progress)
    return CentralField.from_table(table, thresholds)


def file_atom(target: str | Path, thresholds: str = "measured") -> CentralField:
    """An atom from a user's table of S and R, npz or text (format: jaxnu.atom.table_files)."""
    from jaxnu.atom.table_files import read_table

    return CentralField.from_table(read_table(target), thresholds, model="table")
