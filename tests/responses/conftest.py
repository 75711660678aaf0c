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

M = ELECTRON_MASS_keV
LAST_N = 40


def hydrogenic(charge, electrons=1.0, last_n=LAST_N):
    """1s electrons in the field of any charge."""
    threshold = (charge * ATOMIC_MOMENTUM_keV) ** 2 / (2.0 * M)
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


def ridge_momenta(width, nodes=128):
    """p_z even in u = asinh(2 p_z/p0), from −30 p0 to where F no longer changes."""
    first, last = np.arcsinh(2.0 * np.array([-30.0, 300.0]))
    return 0.5 * width * np.sinh(np.linspace(first, last, nodes))


def momentum_transfer(p_z, T):
    """Q of p_z = mT/Q − Q/2."""
    return 2.0 * M * T / (p_z + jnp.sqrt(p_z**2 + 2.0 * M * T))


def shell_table(label, charge, electrons=1.0, *, kinetic_eV=None, momenta=None, axis="p_z"):
    """kinetic_eV: nodes, or 192 even in ln(1 + ε/1 eV) from 0.02 eV to 100 keV."""
    width = charge * ATOMIC_MOMENTUM_keV
    ion = hydrogenic(charge, electrons, LAST_N)
    threshold = float(ion.thresholds_keV[0])
    if kinetic_eV is None:
        kinetic_eV = np.expm1(np.linspace(np.log1p(0.02), np.log1p(1e5), 192))
    kinetic = np.asarray(kinetic_eV) / 1e3
    momenta = ridge_momenta(width) if momenta is None else momenta
    T = (kinetic + threshold)[:, None]
    S, R = _parts(ion, T, momenta[None] if axis == "Q" else momentum_transfer(momenta, T))
    n = np.arange(2, LAST_N + 1)
    Q = width * np.geomspace(1e-3, 30.0, 96)
    strengths = [np.asarray(strength) for strength in _line_parts(ion, Q)]
    # the last line stands for the rest of its series, ∝ 1/n³
    rest = LAST_N**3 * np.sum(np.arange(LAST_N, 1e6) ** -3)
    lines = LineTable(
        n, np.ones_like(n), np.asarray(ion.lines().T_keV), np.ones(len(n)),
        np.where(n == LAST_N, rest, 1.0), Q, *strengths,
    )  # fmt: skip
    return ShellTable(
        label, electrons, threshold, width, kinetic, axis, momenta, np.asarray(S), np.asarray(R),
        lines,
    )  # fmt: skip


def atom_table(symbol, *shells):
    return AtomTable(symbol, element(symbol).Z, shells)


@pytest.fixture(scope="session")
def known():
    """Makers of tables and ions."""
    return SimpleNamespace(
        ion=hydrogenic, shell=shell_table, table=atom_table, Q=momentum_transfer, last_n=LAST_N
    )
