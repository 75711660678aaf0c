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


def below_ionisation(t, K2):
    """I F for 0 < t = T/I < 3/4, the formula of docs/theory.md with X = sqrt(1 − t) continued from
    T < 0, where ∫ρ^{−1/X} h dρ converges: ∫ρ^a (h − h(0)) dρ + h(0)/(a + 1), a = −1/X."""
    X = np.sqrt(1.0 - t)
    a = -1.0 / X
    x, w = np.polynomial.legendre.leggauss(600)
    s, power = 0.5 * (x + 1.0), 1.0 / (a + 2.0)  # ρ = s^power takes the endpoint away
    rho = np.append(s**power, 0.0)
    f, g = (1.0 + X) ** 2 + K2[..., None], (1.0 - X) ** 2 + K2[..., None]
    D = (f - g * rho) ** 2
    D1 = 2.0 * (1.0 - rho) * ((1.0 + X) * f - rho * (1.0 - X) * g) + 16.0 * X**2 * rho
    D2 = 4.0 * (1.0 - rho) * ((1.0 + X) ** 2 - rho * (1.0 - X) ** 2) + 8.0 * X**2 * rho
    h = 2.0 * D1**2 / D**3 - D2 / D**2
    less = (h[..., :-1] - h[..., -1:]) / rho[:-1]
    return -8.0 * X * (0.5 * power * less @ w + h[..., -1] / (a + 1.0))


def test_below_ionisation_it_is_singular_on_the_negative_axis(hydrogen, agree):
    """At Q² = −p0²(1 + sqrt(1 − T/I))², where a cut starts; −4p0² is on it, those of the lines,
    −p0²(1 + 1/n)², are not. Checked by the spectral sum on the positive axis, then by Cauchy."""
    I, t = float(hydrogen.thresholds_keV[0]), 0.36
    F = density_function(t * I, Q, hydrogen, hydrogenic_elastic(Q, hydrogen))
    closed = below_ionisation(t, (Q / ATOMIC_MOMENTUM_keV) ** 2)
    agree("I F, spectral sum", I * np.asarray(F.real)[0], closed, 1e-5)
    start = -((1.0 + np.sqrt(1.0 - t)) ** 2)
    worst = []
    for centre, radius, points in ((-1.5, 1.4, 400), (-4.5, 1.0, 20)):  # few: away from the cut
        step = radius * np.exp(2j * np.pi * (np.arange(points) + 0.5) / points)
        z, inside = centre + step, centre + 0.5j
        around = np.mean(below_ionisation(t, z) * step / (z - inside))
        worst.append(abs(around / below_ionisation(t, np.array(inside)) - 1.0))
    near = np.abs(below_ionisation(t, np.array([start + 0.1j, -2.25 + 0.1j, -16.0 / 9.0 + 0.1j])))
    print(f"T = 0.36 I: start {start:.2f} p0²; Cauchy above and below it {worst}; I|F| {near}")
    assert worst[0] < 1e-6 and worst[1] > 0.1
    assert near[0] > 100.0 * np.max(near[1:])


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
