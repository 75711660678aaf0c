"""F(E,Q) of hydrogen from the Coulomb Green's function against what it was not made from."""

import numpy as np
import pytest

from jaxnu.constants import ATOMIC_MOMENTUM_keV
from jaxnu.errors import InputError
from jaxnu.examination.coulomb_green import hydrogen_density_function
from jaxnu.examination.dispersion import density_function, hydrogenic_elastic

Q = ATOMIC_MOMENTUM_keV * np.array([0.05, 0.3, 1.0, 2.0, 4.0, 8.0])


@pytest.fixture(scope="module")
def T(hydrogen):
    return float(hydrogen.thresholds_keV[0]) * np.array([1.06, 1.2, 2.0, 4.0, 10.0, 40.0])


@pytest.fixture(scope="module")
def closed(T):
    return np.asarray(hydrogen_density_function("H", T[:, None], Q[None, :] ** 2))


def test_imaginary_part_is_the_closed_form_of_S(hydrogen, T, closed, agree):
    S = np.asarray(hydrogen.longitudinal(T[:, None], Q[None, :]))
    agree("Im F over πS", closed.imag, np.pi * S, 1e-9, scale=np.abs(closed) + np.pi * S)


def test_spectral_sum_over_lines_and_continuum(hydrogen, T, closed, agree):
    """Lines above n = 400 are missing in the sum, 3e-6 of the strength."""
    F = density_function(T, Q, hydrogen, hydrogenic_elastic(Q, hydrogen))
    agree("Re F", F.real, closed.real, 4e-5, scale=np.abs(closed))
    agree("Im F", F.imaginary, closed.imag, 1e-9, scale=np.abs(closed))


def test_at_zero_momentum_only_the_ground_state_is_left(T, agree):
    """KS11 eq 14 with Z = 1."""
    F = np.asarray(hydrogen_density_function("H", T, 0.0))
    agree("T Re F(E,0)", T * F.real, np.ones_like(T), 1e-12)
    assert np.max(np.abs(T * F.imag)) < 1e-12


def test_scales_with_the_nuclear_charge(T, agree):
    """F = F_H(T/Z², Q/Z)/Z²."""
    ion = np.asarray(hydrogen_density_function("Ge", 32.0**2 * T, (32.0 * Q) ** 2))
    agree("Z = 32", 32.0**2 * ion.real, hydrogen_density_function("H", T, Q**2).real, 1e-9)


def test_far_above_the_ridge_it_is_a_free_electron(hydrogen, agree):
    """T = 4000 I: F = 1/(T − Q²/2m) but near the ridge, to I/T."""
    I = float(hydrogen.thresholds_keV[0])
    K = np.array([3.0, 20.0, 200.0, 400.0])
    F = np.asarray(hydrogen_density_function("H", 4000.0 * I, (K * ATOMIC_MOMENTUM_keV) ** 2))
    agree("T Re F", 4000.0 * I * F.real, 1.0 / (1.0 - K**2 / 4000.0), 2e-3)


def test_the_singularity_is_where_it_is_said(hydrogen):
    """At Q² = (pe − i p0)² F diverges; at the mirror point, and where its elastic part and the
    lines to n = 2 and 3 do by themselves, at −4p0² and −p0²(1 + 1/n)², it is regular."""
    I = float(hydrogen.thresholds_keV[0])
    for ratio in (1.5, 2.0, 5.0):
        pe = np.sqrt(ratio - 1.0)
        sizes = []
        for point in ((pe - 1j) ** 2, (pe + 1j) ** 2, -4.0 + 0j, -2.25 + 0j, -16.0 / 9.0 + 0j):
            near = (point + 1e-2 * np.exp(0.4j * np.pi)) * ATOMIC_MOMENTUM_keV**2
            F = complex(np.asarray(hydrogen_density_function("H", ratio * I, near)))
            sizes.append(abs(ratio * I * F))
        print(f"T = {ratio} I: T|F| near (pe − ip0)², (pe + ip0)², −4, −9/4, −16/9 p0²: {sizes}")
        assert sizes[0] > 100.0 * max(sizes[1:])


def test_analytic_around_the_physical_axis(hydrogen, agree):
    """Cauchy: a circle that crosses the axis gives F inside, so that F has no cut there."""
    I = float(hydrogen.thresholds_keV[0])
    angle = 2.0 * np.pi * np.arange(64) / 64
    centre, radius = 1.5, 1.2
    circle = (centre + radius * np.exp(1j * angle)) * ATOMIC_MOMENTUM_keV**2
    around = np.mean(np.asarray(hydrogen_density_function("H", 2.0 * I, circle)))
    inside = complex(
        np.asarray(hydrogen_density_function("H", 2.0 * I, centre * ATOMIC_MOMENTUM_keV**2))
    )
    agree("mean over a circle", [around.real, around.imag], [inside.real, inside.imag], 1e-7)


def test_refuses_energies_below_ionisation(hydrogen):
    with pytest.raises(InputError, match=r"T_keV = 0.01 keV is outside .*above the ionisation"):
        hydrogen_density_function("H", 0.01, 1.0)
