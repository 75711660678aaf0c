"""Electrons seen by the magnetic and the weak process."""

import numpy as np
import pytest

from jaxnu import effective_charge, response

# ionisation energy 1/2: T ∫S dQ²/Q² over all Q, which for 1s equals ∫S dQ²/2m
HYDROGEN = {
    0.5: 1.0 - 7.0 / 3.0 * np.exp(-4.0),
    0.6: 0.968137210955,
    1.0: 0.987439347010,
    2.0: 0.996807037606,
    5.0: 0.999531146508,
}


@pytest.mark.parametrize("symbol", ["H", "Ge"])
def test_hydrogenic_numbers(symbol, agree):
    atom = response(symbol, "hydrogenic")
    assert HYDROGEN[0.5] == pytest.approx(0.957263509260, abs=5e-13)
    T = 2.0 * np.array(list(HYDROGEN)) * float(atom.thresholds_keV[0])
    magnetic, weak = effective_charge(T, atom)
    agree(f"{symbol} T∫S dQ²/Q²", magnetic, list(HYDROGEN.values()), 1e-10)
    agree(f"{symbol} ∫S dQ²/2m", weak, list(HYDROGEN.values()), 1e-10)


def test_coherent_enhancement_is_not_there(agree):
    """Z² (KS11 eq 15) would be 4 for two electrons; the atom gives 2 for T ≫ I, for any Z."""
    atom = response("Ge", "hydrogenic", electrons=2)
    magnetic, weak = effective_charge(30.0 * np.asarray(atom.thresholds_keV), atom)
    agree("two electrons at 30 I", [magnetic[0], weak[0]], [2.0, 2.0], 1e-4)


@pytest.mark.parametrize("model", ["free", "stepping"])
def test_electrons_at_rest_are_counted(model):
    atom = response("Xe", model)
    T = np.array([0.01, 1.0, 5.0, 40.0])
    thresholds = np.asarray(atom.thresholds_keV)
    expected = np.where(thresholds <= T[:, None], atom.electrons, 0.0)
    for by_shell in (True, False):
        for value in effective_charge(T, atom, by_shell=by_shell):
            np.testing.assert_array_equal(value, expected if by_shell else expected.sum(axis=1))


def test_by_shell_sums_to_the_total():
    atom = response("Ge", "hydrogenic")
    T = np.array([[14.0, 20.0], [50.0, 90.0]])
    for total, shells in zip(
        effective_charge(T, atom), effective_charge(T, atom, by_shell=True), strict=True
    ):
        assert total.shape == (2, 2) and shells.shape == (2, 2, 1)
        np.testing.assert_allclose(np.sum(shells, -1), total, rtol=1e-14)
