"""Coherent recoils beside ionisation, against closed forms and the other ways to the same rates."""

import numpy as np
import pytest
from scipy.optimize import brentq

from jaxnu import flux, nuclear_rate, rate
from jaxnu.constants import SECONDS_PER_DAY, AVOGADRO_per_mol, SIGMA0_cm2
from jaxnu.cross_sections import electron_cloud
from jaxnu.detector.quenching import Quenching, electron_equivalent
from jaxnu.elements import isotopes, molar_mass
from jaxnu.errors import InputError
from jaxnu.examination.outlook import HIGH_keV, crossing, outlook, rates_above
from jaxnu.examination.outlook_report import energy, outlook_lines, outlook_section
from jaxnu.responses import response

MU = 1e-11


@pytest.fixture(scope="module")
def germanium():
    return outlook(response("Ge", "stepping"), MU, {"reactor": (flux.reactor(3.0, 13.9), "")})


def test_rates_are_those_of_the_public_functions(germanium, agree):
    (row,), reactor = germanium.sources, flux.reactor(3.0, 13.9)
    at = np.searchsorted(row.T_keV, [0.02, 0.2, 2.0])
    T = row.T_keV[at]
    agree("electrons", row.electrons[at], rate(T, reactor, response("Ge", "stepping")), 1e-12)
    at = np.searchsorted(row.T_keV, [1e-6, 1e-4, 0.02, 0.2])
    T, cloud = row.T_keV[at], electron_cloud("Ge")
    whole = nuclear_rate(T, reactor, "Ge", channel="magnetic", electrons=cloud)
    agree("recoils", row.recoils[at], whole, 1e-12)


def test_quenching_moves_recoils_and_loses_none(germanium, agree):
    """As many above Q(T) T as above T."""
    (row,) = germanium.sources
    quenching = Quenching("Ge", "lindhard", k=np.asarray(germanium.lindhard_k))
    T = np.array([1e-3, 0.01, 0.1, 0.5])
    seen = np.asarray(electron_equivalent(T, quenching))
    before = np.exp(np.interp(np.log(T), np.log(row.T_keV), np.log(row.recoils_above + 1e-300)))
    some = row.quenched_above > 0.0
    after = np.interp(np.log(seen), np.log(row.T_keV[some]), np.log(row.quenched_above[some]))
    agree("events above", np.exp(after), before, 0.01)
    assert np.all(seen < 0.3 * T), "k = 0.157: below a third at 0.5 keV"
    at = np.searchsorted(row.T_keV, [0.01, 0.1])
    slope = -np.gradient(row.quenched_above, row.T_keV)[at]
    agree("dR/dT_ee is the slope", row.quenched[at], slope, 0.03)


def test_a_line_on_helium_has_its_closed_form(agree):
    """Point nuclei and free electrons: Z² ln(T_max/T) against Z ln(50 keV/T), less (…)/E."""
    E, strength = 2000.0, 1e13
    helium = outlook(response("He", "stepping"), MU, {"line": (flux.line(E, strength), "")})
    (row,) = helium.sources
    mass = isotopes("He")[-1].mass_u * 931494.10
    end = 2.0 * E**2 / (mass + 2.0 * E)
    agree("largest recoil of 4He", row.recoil_end_keV, end, 1e-6)
    light = isotopes("He")[0].mass_u * 931494.10
    last = 2.0 * E**2 / (light + 2.0 * E)
    assert np.any(np.abs(row.T_keV / last - 1.0) < 2e-6), "3He, 1e-6 of helium, ends on the grid"
    between = row.recoils[(row.T_keV > 1.01 * end) & (row.T_keV < 0.99 * last)]
    whole = row.recoils[np.searchsorted(row.T_keV, 0.99 * end)]
    assert np.all(between > 0.0) and np.all(between < 1e-5 * whole)
    scale = (
        MU**2 * SIGMA0_cm2 * strength
        * SECONDS_PER_DAY * 1e3 * AVOGADRO_per_mol / molar_mass("He")
    )  # fmt: skip

    def above(T, top):
        return scale * (np.log(top / T) - (top - T) / E)

    at = np.searchsorted(row.T_keV, [0.03, 0.1, 1.0])
    T = row.T_keV[at]
    agree("recoils", row.recoils_above[at], 4.0 * above(T, end), 2e-3)
    agree("electrons", row.electrons_above[at], 2.0 * above(T, HIGH_keV), 1e-4)
    expected = brentq(lambda T: 2.0 * above(T, end) - above(T, HIGH_keV), 1e-3, 1.0)
    agree("crossing", row.crossing_whole_keV, expected, 0.01)


@pytest.mark.parametrize(
    ("symbol", "meV", "left", "half_meV"),
    [("He", 2.960, 0.0615, 17.61), ("Xe", 0.812, 0.2586, 3.295)],
)
def test_electrons_screen_recoils_of_meV_only(symbol, meV, left, half_meV):
    one = {"line": (flux.line(1000.0, 1e13), "")}
    found = outlook(response(symbol, "stepping"), MU, one).screening
    print(f"{symbol}: Q = Z^(1/3) αm at {1e6 * found.radius_keV:.2f} meV, half of Z² at "
          f"{1e6 * found.half_keV:.1f} meV")  # fmt: skip
    assert 1e6 * found.radius_keV == pytest.approx(meV, abs=1e-3)
    assert found.radius_share == pytest.approx(left, rel=0.01)
    assert 1e6 * found.half_keV == pytest.approx(half_meV, rel=0.01)
    assert np.all(np.diff(found.share[found.share < 0.9]) > 0.0)
    Q = np.sqrt(2.0 * molar_mass(symbol) * 931494.10 * found.T_keV[0])
    cloud = electron_cloud(symbol)
    first = (1.0 - float(cloud.form_factor(Q)) / float(cloud.Z)) ** 2
    assert found.share[0] == pytest.approx(first, rel=0.01) and first < 0.1
    assert found.share[np.searchsorted(found.T_keV, 1e-2)] > 0.99  # 10 eV


@pytest.mark.slow
def test_where_each_wins():
    """Reactor: recoils of up to 1.9 keV; the Sun: those of its lines; tritium: of 10 meV, where
    two thirds of Z² are left."""
    germanium = outlook(response("Ge", "stepping"), MU)
    reactor, sun, tritium = germanium.sources
    for row in germanium.sources:
        print(f"Ge, {row.name}: whole {row.crossing_whole_keV}, quenched "
              f"{row.crossing_quenched_keV}, recoils to {row.recoil_end_keV:.3g} keV")  # fmt: skip
    assert 0.05 < reactor.crossing_whole_keV < 0.3
    assert 0.005 < reactor.crossing_quenched_keV < 0.03
    assert 1e-3 < sun.crossing_whole_keV < 0.02 and sun.crossing_quenched_keV is None
    mass = {row.A: row.mass_u * 931494.10 for row in isotopes("Ge")}[74]
    assert tritium.recoil_end_keV == pytest.approx(2.0 * 18.59**2 / (mass + 2 * 18.59), rel=1e-6)
    shares = [row.end_share for row in germanium.sources]
    assert shares == pytest.approx([0.9659, 0.8250, 0.6713], rel=1e-3)
    assert tritium.crossing_whole_keV < tritium.recoil_end_keV
    assert tritium.crossing_quenched_keV is None
    high = reactor.T_keV > 1.0
    assert np.all(reactor.electrons_above[high][:-1] > 100.0 * reactor.quenched_above[high][:-1])
    text = "\n".join(outlook_section(germanium, "![outlook](Ge.png)"))
    assert "Lindhard" in text and energy(reactor.crossing_whole_keV) in text
    assert len(outlook_lines(germanium)) == 3


def test_an_element_without_isotopes_has_its_mean_mass():
    found = outlook(response("Zn", "stepping"), MU, {"line": (flux.line(1000.0, 1e13), "")})
    assert not found.isotopes
    mass = molar_mass("Zn") * 931494.10
    assert found.sources[0].recoil_end_keV == pytest.approx(2e6 / (mass + 2e3), rel=1e-6)


def test_integrals_and_crossings(agree):
    edges = np.geomspace(0.01, 10.0, 40)
    _, above = rates_above(edges, lambda T: 1.0 / T)
    agree("∫dT/T", above[:-1], np.log(10.0 / edges[:-1]), 1e-12)
    T = np.array([1.0, 10.0, 100.0])
    assert crossing(T, 1.0 / T**2, 0.1 / T) == pytest.approx(10.0)
    assert crossing(T, np.zeros(3), np.ones(3)) is None
    assert crossing(T, np.ones(3), np.zeros(3)) == 100.0


def test_free_electrons_have_no_ionisation_energy():
    with pytest.raises(InputError, match="no ionisation energy"):
        outlook(response("Ge", "free"), MU)
