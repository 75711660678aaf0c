"""The spectral sum of real atoms, and the dispersion integral in Q² that does not equal it."""

import numpy as np
import pytest

from jaxnu import Numerics
from jaxnu.constants import ELECTRON_MASS_keV
from jaxnu.cross_sections import effective_charge, electron_cloud
from jaxnu.errors import InputError
from jaxnu.examination.coulomb_green import hydrogen_density_function
from jaxnu.examination.dispersion import (
    cloud_elastic,
    density_function,
    dispersion_integral,
    hydrogenic_elastic,
)
from jaxnu.responses import static_sum

T = np.array([0.1, 1.0, 10.0])
FINE = Numerics().refined(2)
T_keV, Q_keV = np.append(T, 90.0), np.array([0.02, 3.0, 10.0, 30.0, 100.0, 1.0])


@pytest.fixture(scope="module")
def F(germanium):
    return density_function(T_keV, Q_keV, germanium, cloud_elastic(Q_keV, electron_cloud("Ge")))


def test_imaginary_part_is_the_response(germanium, F, agree):
    """KS11 eq 11."""
    S = np.asarray(germanium.longitudinal(T_keV[:, None], Q_keV[None, :]))
    agree("Im F = πS", F.imaginary, np.pi * S, 1e-12)


def test_at_zero_momentum_it_is_coherent(F, agree):
    """KS11 eq 14: F(E,0) = Z²/T, all of it elastic."""
    agree("T F(E,0)", T_keV * np.asarray(F.real)[:, 0], np.full(4, 32.0**2), 2e-5)
    agree("elastic part", F.elastic[:, 0], F.real[:, 0], 1e-6)


def test_far_above_all_states_it_is_the_static_sum(germanium, F, agree):
    """T F → <0|ρρ†|0> = elastic + Σ S: moments of S by the other quadrature, in T' at fixed Q.

    At Q = 3 keV the strength lies below 12 keV, so that the next moment is Z Q²/2mT = 3e-3.
    """
    static = float(np.sum(np.asarray(static_sum(germanium, Q_keV[1], physical=True))))
    first = germanium.Z * Q_keV[1] ** 2 / (2.0 * ELECTRON_MASS_keV) / 90.0
    found = 90.0 * float((F.real - F.elastic)[3, 1])
    agree("T (F − elastic)", found, static + first, 2e-3)


def test_the_dispersion_integral_at_zero_is_the_effective_charge(germanium, hydrogen, agree):
    """And not Z²: KS11 eqs 13 to 15 fail, by 1024/9.3, 1024/21.7, 1024/30.0."""
    at_zero = T * np.asarray(dispersion_integral(T, [0.0], germanium))[:, 0]
    agree("T × integral", at_zero, effective_charge(T, germanium, numerics=FINE)[0], 1e-9)
    np.testing.assert_allclose(at_zero, [9.30, 21.72, 29.97], rtol=1e-3)
    I = float(hydrogen.thresholds_keV[0])
    one = dispersion_integral([1.2 * I, 2.0 * I], [0.0], hydrogen)[:, 0] * I * np.array([1.2, 2.0])
    agree("hydrogen, T = 1.2 and 2 I", one, [0.968137210955, 0.987439347010], 1e-9)


def test_the_dispersion_integral_of_hydrogen_is_not_its_function(hydrogen):
    """By a few per cent near threshold, by 1e-4 at 40 I: the branch point nears the axis."""
    I, p0 = float(hydrogen.thresholds_keV[0]), 3.7289395
    Q = p0 * np.array([0.05, 0.3, 1.0])
    ratios = np.array([1.06, 4.0, 40.0])
    integral = np.asarray(dispersion_integral(ratios * I, Q, hydrogen))
    F = np.asarray(hydrogen_density_function("H", ratios[:, None] * I, Q[None, :] ** 2)).real
    worst = np.max(np.abs(integral / F - 1.0), axis=1)
    print(f"hydrogen, T = 1.06, 4, 40 I: the integral misses Re F by up to {worst}")
    assert worst[0] > 0.03 and 1e-3 < worst[1] < 0.01 and worst[2] < 1e-4


def test_the_two_body_part_is_what_the_integral_lacks_for_germanium(germanium, F, agree):
    """T = 10 keV: F_el² − Σ_a F_a², Σ_a F_a² = Z − Σ S of independent particles; at Q = 10 keV, an
    inverse atomic radius, within 1.2%. F_el² alone is 3% off even at 1 keV."""
    at = [5, 1, 2]
    integral = np.asarray(dispersion_integral(T, Q_keV[at], germanium))[2]
    lacking = 10.0 * (np.asarray(F.real)[2, at] - integral)
    elastic = 10.0 * np.asarray(F.elastic)[2, at]
    static = np.asarray(static_sum(germanium, Q_keV[at], physical=False)).sum(-1)
    pairs = elastic - (germanium.Z - static)
    print(
        f"Ge, T = 10 keV: T(F − integral) over F_el² {lacking / elastic}, pairs {lacking / pairs}"
    )
    agree("Q = 1 and 3 keV", lacking[:2], pairs[:2], 5e-3)
    agree("Q = 10 keV", lacking[2], pairs[2], 0.012)
    assert np.all(lacking / elastic < 0.975)


@pytest.mark.slow
def test_panels_doubled(germanium, agree):
    Q = np.array([1.0, 10.0, 32.0, 40.0, 100.0, 200.0])
    once = dispersion_integral(T, Q, germanium)
    twice = dispersion_integral(T, Q, germanium, FINE)
    S = np.asarray(germanium.longitudinal(T[:, None], Q[None, :]))
    agree("dispersion integral", once, twice, 2e-5, scale=np.abs(twice) + np.pi * S)


def test_bad_arguments(hydrogen):
    Q = np.ones(1)
    with pytest.raises(InputError, match="T_keV = -1 keV"):
        density_function(-1.0, Q, hydrogen, hydrogenic_elastic(Q, hydrogen))
    with pytest.raises(InputError, match="Q_keV = 0 keV"):
        density_function(1.0, 0.0, hydrogen, hydrogenic_elastic(Q, hydrogen))
    with pytest.raises(InputError, match="Q_keV = -1 keV"):
        dispersion_integral(1.0, -1.0, hydrogen)
