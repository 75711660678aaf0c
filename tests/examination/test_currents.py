"""The transverse term over Q, and R/S beside the velocity of the electrons."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq

from jaxnu.atom.field import self_consistent_field
from jaxnu.atom.impulse import compton_profile
from jaxnu.constants import FINE_STRUCTURE, ATOMIC_MOMENTUM_keV, SIGMA0_cm2
from jaxnu.cross_sections import cross_section, electron_cloud
from jaxnu.examination.currents import RIDGE_WIDTHS, current_ratios, transverse_integrand
from jaxnu.examination.orbitals import Orbitals, field_orbitals, orbital_names

E = 1000.0


@pytest.fixture(scope="module")
def orbitals():
    return field_orbitals("Ge")


def free(T):
    return 32.0 * SIGMA0_cm2 * (1.0 / T - 1.0 / E)


def test_velocities_are_those_of_the_orbitals(orbitals, agree):
    """<p²> = ∫[P'² + l(l+1)P²/r²] dr, short of P'(0)² times the first radius, 1e-4 for s; and
    their sum is the kinetic energy of the field."""
    atom = self_consistent_field("Ge")
    mesh, count = atom.mesh, len(orbitals.labels)
    P, l = atom.bound.P[:count], np.asarray(atom.bound.l)[:count, None]
    direct = mesh.integral(mesh.slope(P) ** 2 + l * (l + 1) * (P / mesh.r) ** 2)
    square = np.array(orbitals.speed_squared) / FINE_STRUCTURE**2
    agree("<p²>", direct, square, 1e-4)
    agree("p and d", np.asarray(direct)[l[:, 0] > 0], square[l[:, 0] > 0], 1e-7)
    kinetic = 0.5 * np.dot(orbitals.electrons, square)
    agree("kinetic energy [Hartree]", kinetic, float(atom.energies.kinetic), 1e-8)
    assert orbitals.labels == ("1s", "2s", "2p", "3s", "3p", "3d", "4s", "4p")
    assert sum(orbitals.electrons) == 32.0


def test_radius_times_momentum_of_1s(orbitals, agree):
    """3/2 for hydrogen-like 1s of any charge."""
    radius = ATOMIC_MOMENTUM_keV / orbitals.inverse_radius_keV[0]
    momentum = np.sqrt(orbitals.speed_squared[0]) / FINE_STRUCTURE
    agree("<r> <p²>^½", radius * momentum, 1.5, 0.01)


@pytest.mark.parametrize("symbol", ["Ne", "Ar", "Ge", "Xe"])
def test_the_inverse_radius_of_atoms_goes_like_the_cube_root_of_Z(symbol):
    """Z^{1/3} αm, 8.0 to 14.1 keV, is within a fifth of both inverse radii of the computed atom:
    the Q where F_el is Z/2, and 1/<r> averaged over its electrons."""
    cloud, found = electron_cloud(symbol), field_orbitals(symbol)
    Z = float(cloud.Z)
    half = brentq(lambda Q: float(cloud.form_factor(Q)) / Z - 0.5, 1.0, 50.0)
    mean = np.dot(found.electrons, found.inverse_radius_keV) / Z
    ratios = half / found.thomas_fermi_keV, mean / found.thomas_fermi_keV
    print(f"{symbol}: F_el = Z/2 at {ratios[0]:.3f} Z^(1/3) αm, <1/<r>> {ratios[1]:.3f} of it")
    assert all(0.83 < ratio < 1.2 for ratio in ratios)


def test_names_of_subshells():
    assert orbital_names("Ge", ("K", "L3", "M4", "3d")) == ("1s", "2p", "3d", "3d")


def test_integrand_adds_up_to_the_cross_section(germanium, orbitals, agree):
    """600 trapezoids against panels of the cross section; both frozen ones against closed forms."""
    T = 1.0
    one = transverse_integrand(T, E, germanium, free(T), orbitals.thomas_fermi_keV)
    whole = [np.trapezoid(y, np.log(one.Q_keV)) for y in (one.exact, one.frozen_current)]
    sigma = float(cross_section(T, E, germanium, 1e-11, part="transverse", spin_current=False))
    agree("convection", whole[0], sigma / 1e-22 / free(T), 2e-3)
    P = 2.0 * E - T
    R = float(germanium.transverse(T, T))
    scale = SIGMA0_cm2 * P**2 / (4.0 * E**2) / free(T)
    agree("frozen R", whole[1], scale * R * (np.log(P**2 / T**2) - 1.0 + T**2 / P**2), 2e-3)
    photon = np.trapezoid(one.equivalent_photon, np.log(one.Q_keV))
    agree("photon", photon, scale * R * (P**2 - T**2) ** 2 / (2.0 * P**2) / T**2, 2e-3)


def test_the_equivalent_photon_comes_from_where_there_is_no_current(germanium, orbitals):
    """Less than 1e-4 of it lies below 1/r_a; 95% of the true term lies below 4/r_a."""
    one = transverse_integrand(1.0, E, germanium, free(1.0), orbitals.thomas_fermi_keV)
    print(f"{one.photon_share:.1e} of the photon below {orbitals.thomas_fermi_keV:.2f} keV")
    assert one.photon_share < 1e-4
    assert one.median_keV < orbitals.thomas_fermi_keV < one.last_keV
    assert one.last_keV < 4.0 * orbitals.thomas_fermi_keV
    assert one.exact[0] == pytest.approx(one.equivalent_photon[0], rel=1e-12)


def test_on_the_ridge_of_1s_it_is_a_quarter_of_the_squared_velocity(hydrogen, agree):
    v2 = FINE_STRUCTURE**2
    one = Orbitals(("1s",), [1.0], [1.0], [v2], 1.0)
    (ratio,) = current_ratios(hydrogen, one)
    agree("R/S at p_z = 0", ratio.at_ridge, v2 / 4.0, 1e-9)
    agree("over the ridge", ratio.mean, v2 / 3.0, 0.1)
    heavy = replace(hydrogen, thresholds_keV=hydrogen.thresholds_keV * 100.0)
    (ratio,) = current_ratios(heavy, one)
    agree("Z = 10", ratio.at_ridge, 100.0 * v2 / 4.0, 1e-9)


@pytest.fixture(scope="module")
def profiles(germanium, orbitals):
    """By subshell: the impulse form of R/S over |p_z| < 6 widths, from K and J."""
    field, names = self_consistent_field("Ge"), orbital_names("Ge", germanium.labels)
    r, w, found = np.asarray(field.mesh.r), np.asarray(field.mesh.weights), {}
    for i, label in enumerate(orbitals.labels):
        P, n, l = np.asarray(field.bound.P)[i], int(label[0]), "spdf".index(label[1])
        inside = np.flatnonzero(np.abs(P) > 1e-5 * np.max(np.abs(P)))
        finest = 2.1 / np.max(np.diff(r)[inside[0] : inside[-1]])
        profile = compton_profile(r, w, P, l, min(50.0 * 32.0 / n, finest))
        width = float(germanium.widths_keV[names.index(label)]) / ATOMIC_MOMENTUM_keV
        p = np.linspace(0.0, RIDGE_WIDTHS * width, 2001)
        K, J = (np.trapezoid(np.asarray(y), p) for y in (profile.K(p), profile.J(p)))
        found[label] = FINE_STRUCTURE**2 * K / J
    return found


def test_over_the_ridge_it_is_that_of_the_compton_profile(germanium, orbitals, profiles):
    """One tolerance for all subshells, I/T of the nearest: T is 160 I or the end of the table, 9 I
    for 1s. In the impulse form S = n J/Q and R = n K/m²Q, K(p) = ∫_p^∞ p'J dp', hence over a
    ridge R/S = ∫K/∫J = ∫_0^∞ p min(p, p_cut) J dp / ∫_0^p_cut J dp, <p_z²> for a wide window."""
    own = replace(germanium, thresholds_keV=germanium.model_thresholds_keV)
    far = {r.label: r for r in current_ratios(own, orbitals, 160.0)}
    near = {r.label: r for r in current_ratios(own, orbitals)}
    for label, impulse in profiles.items():
        share = impulse / (far[label].speed_squared / 3.0)
        ratios = far[label].mean / impulse, near[label].mean / impulse
        print(f"Ge {label}: impulse {share:.3f} <v²>/3; R/S over it far and near {ratios}")
        assert abs(ratios[0] - 1.0) < 0.11
    # what outer electrons lack of <v²>/3 is outside the ridge
    assert profiles["4s"] < 0.5 * near["4s"].speed_squared / 3.0
    assert profiles["4p"] < 0.65 * near["4p"].speed_squared / 3.0


def test_over_the_ridge_of_compact_subshells_it_is_a_third(germanium, orbitals, agree):
    """The table's R/S against <p²> of the field's orbitals; never above v²."""
    found = {r.label: r for r in current_ratios(germanium, orbitals)}
    for label, tolerance in (("1s", 0.11), ("2s", 0.12), ("2p", 0.03), ("3p", 0.1), ("3d", 0.11)):
        agree(label, found[label].mean, found[label].speed_squared / 3.0, tolerance)
    assert all(r.mean < r.speed_squared for r in found.values())
