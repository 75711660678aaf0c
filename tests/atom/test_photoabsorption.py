"""Photoabsorption of real atoms against the tables of Elam, Ravel and Sieber."""

import numpy as np
import pytest

from jaxnu.atom.field import self_consistent_field
from jaxnu.atom.photoabsorption import Edge, model_edges, photoabsorption_cm2
from jaxnu.constants import AVOGADRO_per_mol

LEVELS = {
    "1s": ["K"], "2s": ["L1"], "2p": ["L2", "L3"], "3s": ["M1"], "3p": ["M2", "M3"],
    "3d": ["M4", "M5"], "4s": ["N1"], "4p": ["N2", "N3"], "4d": ["N4", "N5"], "5s": ["O1"],
    "5p": ["O2", "O3"],
}  # fmt: skip
HIGH_keV = np.array([2.0, 2.8, 4.0, 5.6, 7.0, 8.5, 10.0])
LOW_keV = np.array([0.35, 0.5, 0.7, 1.0, 1.4, 1.95])


def measured_edges(xraydb, symbol, atom):
    """Tabulated binding energies; j = l ∓ 1/2 hold l and l + 1 parts of 2l + 1."""
    table = xraydb.xray_edges(symbol)
    edges = []
    for model, l in zip(model_edges(atom), atom.configuration.l, strict=True):
        names = LEVELS[model.subshell]
        shares = [1.0] if l == 0 else [l / (2 * l + 1), (l + 1) / (2 * l + 1)]
        for name, share in zip(names, shares, strict=True):
            known = name in table and table[name].energy > 0.0
            energy = table[name].energy if known else model.binding_eV
            edges.append(Edge(model.subshell, float(energy), share))
    return edges


def compare(symbol, T_keV, tolerance):
    xraydb = pytest.importorskip("xraydb")
    atom = self_consistent_field(symbol)
    edges = measured_edges(xraydb, symbol, atom)
    barn_per = xraydb.atomic_mass(symbol) / AVOGADRO_per_mol
    table = xraydb.mu_elam(symbol, T_keV * 1e3, kind="photo") * barn_per
    ratio = np.asarray(photoabsorption_cm2(atom, T_keV, edges)) / table
    near = np.array([[abs(T * 1e3 / e.binding_eV - 1.0) < 0.04 for e in edges] for T in T_keV])
    away = ~near.any(axis=1)
    print(f"{symbol}: T [keV] {T_keV}, over Elam {ratio.round(3)}, away from edges {away}")
    assert away.sum() >= 4
    assert np.abs(ratio[away] - 1.0).max() < tolerance, symbol


@pytest.mark.slow
def test_argon_from_2_to_10_kev():
    compare("Ar", HIGH_keV, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("symbol", ["He", "Si", "Ge", "I", "Xe"])
def test_from_2_to_10_kev(symbol):
    compare(symbol, HIGH_keV, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("symbol", ["Si", "Ar", "Ge", "Xe"])
def test_from_a_third_to_2_kev(symbol):
    compare(symbol, LOW_keV, 0.15)


@pytest.mark.slow
def test_nothing_is_absorbed_below_the_first_threshold():
    atom = self_consistent_field("He")
    assert float(photoabsorption_cm2(atom, 0.010)[0]) == 0.0
