"""Allowed β shapes against closed forms of their limits."""

import numpy as np
import pytest

from jaxnu.constants import FINE_STRUCTURE, ELECTRON_MASS_keV
from jaxnu.flux.beta import allowed_shape, fermi_function


def test_fermi_function_is_one_without_charge():
    np.testing.assert_allclose(fermi_function(0, 100, np.geomspace(1e-3, 30, 20)), 1.0, rtol=1e-14)


@pytest.mark.parametrize("Z", [1, -1, 2, -2])
def test_fermi_function_of_a_light_nucleus_is_the_sommerfeld_factor(Z):
    """F → 2πη/(1 − e^{−2πη}) up to terms of order (αZ)² ln."""
    p = np.geomspace(1e-2, 10.0, 50)
    eta = FINE_STRUCTURE * Z * np.sqrt(1.0 + p**2) / p
    sommerfeld = 2 * np.pi * eta / -np.expm1(-2 * np.pi * eta)
    worst = np.max(np.abs(fermi_function(Z, 4 * abs(Z), p) / sommerfeld - 1.0))
    print(f"Z = {Z}: worst departure from the Sommerfeld factor {worst:.1e}")
    assert worst < 16.0 * (FINE_STRUCTURE * Z) ** 2


def test_fermi_functions_of_both_charges_differ_by_their_penetration():
    """F(Z)/F(−Z) = e^{2πη} exactly: γ and |Γ(γ + iη)| do not know the sign."""
    p = np.geomspace(0.05, 5.0, 30)
    for Z in (8, 50, 94):
        eta = FINE_STRUCTURE * Z * np.sqrt(1.0 + p**2) / p
        ratio = fermi_function(Z, 2 * Z, p) / fermi_function(-Z, 2 * Z, p)
        np.testing.assert_allclose(ratio, np.exp(2 * np.pi * eta), rtol=1e-10)


def test_fermi_function_stays_finite_where_its_factors_overflow():
    p = np.array([1e-5, 1e-4])
    attracted, repelled = fermi_function(94, 239, p), fermi_function(-9, 17, p)
    assert np.all(np.isfinite(attracted)) and np.all(repelled >= 0.0)
    np.testing.assert_allclose(attracted[0] * p[0], attracted[1] * p[1], rtol=1e-6)  # F p → const


def test_shape_without_charge_has_the_textbook_mean_energy():
    """A slow electron: E²√(Q − E) has mean 2Q/3; a fast one: E²(Q − E)² has mean Q/2."""
    x, w = np.polynomial.legendre.leggauss(400)
    for Q, mean, tolerance in ((1e-3, 2 / 3, 1e-5), (1e6, 0.5, 1e-3)):
        E = 0.5 * Q * (1.0 + x)
        shape = allowed_shape(E, Q, 0, 1)
        got = np.sum(w * E * shape) / np.sum(w * shape) / Q
        print(f"Q = {Q} keV: mean/Q = {got:.6f}, limit {mean:.6f}")
        assert abs(got - mean) < tolerance


def test_shape_is_E2_pW_inside_and_zero_outside():
    E, Q = np.array([-1.0, 0.0, 100.0, 500.0, 600.0]), 500.0
    W = 1.0 + 400.0 / ELECTRON_MASS_keV
    expected = [0.0, 0.0, 1e4 * W * np.sqrt(W * W - 1.0), 0.0, 0.0]
    np.testing.assert_allclose(allowed_shape(E, Q, 0, 1), expected, rtol=1e-13)


def test_radius_drops_out_of_a_normalised_shape():
    E = np.linspace(1.0, 430.0, 100)
    one, other = allowed_shape(E, 436.0, 94, 239), allowed_shape(E, 436.0, 94, 1)
    np.testing.assert_allclose(one / one.sum(), other / other.sum(), rtol=1e-12)
    assert abs(one.sum() / other.sum() - 1.0) > 0.1
