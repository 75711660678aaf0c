"""Free and stepping electrons: counts, binding energies, terms on the Bethe ridge."""

import numpy as np
import pytest

from jaxnu import response
from jaxnu.constants import ELECTRON_MASS_keV
from jaxnu.elements import elements, read_rows, subshells

TABULATED = sorted({row["symbol"] for row in read_rows("binding_energies.csv")})
ASKED = ["H", "He", "O", "Ne", "Al", "Ca", "Kr", "W", "Ar", "Si", "Ge", "Xe", "I", "Na", "Cs"]


def test_every_element_of_the_list_is_there():
    assert set(ASKED) <= set(TABULATED)


@pytest.mark.parametrize("symbol", TABULATED)
def test_occupations_sum_to_Z(symbol):
    atom = response(symbol, "stepping")
    count = float(np.sum(atom.electrons))
    assert count == atom.Z == elements()[symbol].Z
    assert sum(float(s.electrons) for s in atom.shells) == atom.Z
    assert [s.label for s in atom.shells] == list(atom.labels)
    assert np.all(np.asarray(atom.thresholds_keV) > 0.0)


def test_occupations_are_those_of_a_full_subshell_or_less():
    full = {"1": 2, "2": 2, "3": 4, "4": 4, "5": 6, "6": 6, "7": 8}
    for symbol in TABULATED:
        for shell in subshells(symbol):
            most = 2 if shell.label == "K" else full[shell.label[1]]
            assert 0 < shell.electrons <= most, (symbol, shell)


def test_binding_energies_are_elams():
    xraydb = pytest.importorskip("xraydb", reason="xraydb is not installed")
    compared, worst = 0, (0.0, "")
    for row in read_rows("binding_energies.csv"):
        if row["source"] != "Elam":
            continue
        edge = xraydb.xray_edge(row["symbol"], row["shell"], energy_only=True)
        worst = max(worst, (abs(float(row["energy_eV"]) - edge), f"{row['symbol']} {row['shell']}"))
        compared += 1
    print(f"{compared} edges against xraydb: worst difference {worst[0]:.3g} eV, {worst[1]}")
    assert compared > 100 and worst[0] < 0.05 + 1e-9  # the table is rounded to 0.1 eV


def test_atomic_weights_are_xraydbs():
    xraydb = pytest.importorskip("xraydb", reason="xraydb is not installed")
    error = {
        e.symbol: abs(e.weight / xraydb.atomic_mass(e.symbol) - 1.0)
        for e in elements().values()
        if e.symbol in TABULATED and e.symbol != "Tc"  # no standard weight: no stable isotope
    }
    worst = max(error, key=error.get)
    print(f"weights against xraydb: worst {worst}, {error[worst]:.1e}")
    assert error[worst] < 2.5e-4  # hydrogen, whose weight varies by 2e-4 in nature


def test_stepping_counts_the_electrons_bound_by_less_than_T():
    atom = response("Xe", "stepping")
    for T in (0.01, 0.0121, 0.5, 1.0, 4.786, 5.0, 34.561, 40.0):
        expected = sum(s.electrons for s in subshells("Xe") if s.binding_keV <= T)
        Q, weight = atom.on_shell(T)
        assert float(np.sum(weight)) == expected
        np.testing.assert_allclose(np.asarray(Q) ** 2, 2.0 * ELECTRON_MASS_keV * T, rtol=1e-14)


def test_free_electrons_have_one_term_of_weight_Z():
    Q, weight = response("Ge", model="free").on_shell(np.array([1e-4, 1.0]))
    assert Q.shape == weight.shape == (2, 1)
    np.testing.assert_array_equal(weight, 32.0)


@pytest.mark.parametrize("model", ["free", "stepping"])
def test_the_smooth_part_and_the_lines_are_empty(model):
    atom = response("Ge", model=model)
    T, Q = np.array([[1.0], [2.0]]), np.array([1.0, 5.0, 9.0])
    for part in (atom.longitudinal, atom.transverse):
        assert part(T, Q).shape == (2, 3) and not np.any(part(T, Q))
        assert part(T, Q, by_shell=True).shape == (2, 3, len(atom.shells))
    assert atom.lines().T_keV.shape == atom.lines().shell.shape == (0,)
