"""Tables of atoms whose every number is known: each subshell is hydrogen-like 1s in closed form."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnu.atom.table import AtomTable, LineTable, ShellTable
from jaxnu.constants import ATOMIC_MOMENTUM_keV, ELECTRON_MASS_keV
from jaxnu.elements import element
from jaxnu.responses.hydrogenic import Hydrogenic


def hydrogenic(charge, electrons=1.0, last_n=12):
    """1s electrons in the field of any charge."""
    threshold = (charge * ATOMIC_MOMENTUM_keV) ** 2 / (2.0 * ELECTRON_MASS_keV)
    return Hydrogenic(
        "H", "hydrogenic", 1, ("1s",), jnp.array([electrons]), jnp.array([threshold]), last_n
    )


@jax.jit
def _parts(ion, T, Q):
    return ion.longitudinal(T, Q), ion.transverse(T, Q)


@jax.jit
def _line_parts(ion, Q):
    n = jnp.arange(ion.lines().T_keV.shape[0])
    return tuple(
        jax.vmap(part, (0, None))(n, Q) for part in (ion.line_longitudinal, ion.line_transverse)
    )


def ridge_momenta(width, threshold):
    """p_z even in u = asinh(2 p_z/p0), from the light cone to −30 p0."""
    first, last = np.arcsinh(2.0 * np.array([-30.0 * width, ELECTRON_MASS_keV]) / width)
    return 0.5 * width * np.sinh(np.linspace(first, last, 128))


def shell_table(label, charge, electrons=1.0, *, kinetic_eV=None, momenta=None, axis="p_z",
                lines=True, charge_of_values=None):  # fmt: skip
    """kinetic_eV: nodes, or 192 even in ln(1 + ε/1 eV) from 0.02 eV to 100 keV. charge_of_values:
    of S and R, if not that of threshold, width and nodes."""
    width = charge * ATOMIC_MOMENTUM_keV
    ion = hydrogenic(charge if charge_of_values is None else charge_of_values, electrons)
    threshold = float(ion.thresholds_keV[0])
    if kinetic_eV is None:
        kinetic_eV = np.expm1(np.linspace(np.log1p(0.02), np.log1p(1e5), 192))
    kinetic = np.asarray(kinetic_eV) / 1e3
    momenta = ridge_momenta(width, threshold) if momenta is None else momenta
    T = (kinetic + threshold)[:, None]
    Q = momenta[None]
    if axis == "p_z":
        Q = 2.0 * ELECTRON_MASS_keV * T / (momenta + np.hypot(momenta, np.sqrt(2.0 * 
            ELECTRON_MASS_keV * T)))  # fmt: skip
    S, R = _parts(ion, T, Q)
    line_table = None
    if lines:
        n = np.arange(2, 13)
        line_Q = width * np.geomspace(1e-3, 30.0, 96)
        strengths = [np.asarray(a) for a in _line_parts(ion, line_Q)]
        # the last line stands for the rest of its series, Σ 1/n³ from 12 on over 1/12³
        closure = np.where(n == 12, 12.0**3 * np.sum(np.arange(12.0, 1e5) ** -3), 1.0)
        line_table = LineTable(
            n, np.ones_like(n), np.asarray(ion.lines().T_keV), np.ones(len(n)), closure,
            line_Q, *strengths,
        )  # fmt: skip
    return ShellTable(
        label, electrons, threshold, width, kinetic, axis, momenta, np.asarray(S), np.asarray(R),
        line_table,
    )  # fmt: skip


def atom_table(symbol, *shells):
    return AtomTable(symbol, element(symbol).Z, shells)


@pytest.fixture(scope="session")
def known():
    """Makers of tables and ions."""
    return SimpleNamespace(ion=hydrogenic, shell=shell_table, table=atom_table)
