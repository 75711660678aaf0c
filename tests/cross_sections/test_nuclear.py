"""Nuclear recoils: kinematics, isotopes, form factor, charge terms, and published rates."""

import itertools

import jax
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import spherical_jn

from jaxnu import flux, nuclear_cross_section, nuclear_rate, weak_with_charges
from jaxnu.constants import (
    FINE_STRUCTURE,
    SIN2_WEINBERG,
    ATOMIC_MASS_keV,
    ELECTRON_MASS_keV,
    FERMI_per_keV2,
    HBARC2_keV2_cm2,
    HBARC_keV_cm,
    SIGMA0_cm2,
)
from jaxnu.cross_sections import FLAVORS, helm
from jaxnu.elements import element, isotopes, read_rows
from jaxnu.errors import InputError

SYMBOLS = list(dict.fromkeys(row["symbol"] for row in read_rows("isotopes.csv")))
G = FERMI_per_keV2


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_isotopes_have_the_standard_atomic_weight(symbol, agree):
    rows = isotopes(symbol)
    agree(f"{symbol} abundances", sum(row.abundance for row in rows), 1.0, 1e-12)
    mean = sum(row.abundance * row.mass_u for row in rows)
    agree(f"{symbol} mean mass", mean, element(symbol).weight, 1e-4)
    assert all(abs(row.mass_u - row.A) < 0.1 for row in rows)
    assert [row.A for row in rows] == sorted({row.A for row in rows})


def mass(symbol, row):
    return row.mass_u * ATOMIC_MASS_keV - element(symbol).Z * ELECTRON_MASS_keV


def shift(q2, r2, charge):
    F = charge + q2 * r2 / HBARC2_keV2_cm2 / 6.0
    return 2.0 * np.sqrt(2.0) * np.pi * FINE_STRUCTURE * F / (G * q2)


def point_nucleus(T, E, symbol, r2=0.0, charge=0.0):
    """Protons g_V = ½ − 2s² − δ, neutrons −½, as ν e scattering with a heavy target."""
    total = 0.0
    for row in isotopes(symbol):
        M, Z = mass(symbol, row), element(symbol).Z
        delta = shift(-2.0 * M * T, r2, charge)
        g = Z * (0.5 - 2.0 * SIN2_WEINBERG - delta) - 0.5 * (row.A - Z)
        one = G**2 * M / np.pi * HBARC2_keV2_cm2 * g**2 * (1 - T / E - M * T / (2 * E**2))
        total = total + row.abundance * np.where(2 * E**2 / (M + 2 * E) >= T, one, 0.0)
    return total


@pytest.mark.parametrize("symbol", ["He", "Ge", "Xe"])
def test_coherent_weak_scattering_of_points(symbol, agree):
    E = np.array([[500.0], [3000.0], [10000.0]])
    T = 2.0 * E**2 / (element(symbol).weight * ATOMIC_MASS_keV) * np.array([1e-3, 0.3, 0.9, 1.1])
    got = nuclear_cross_section(T, E, symbol, form_factor="none")
    agree(f"CEvNS on {symbol}", got, point_nucleus(T, E, symbol), 1e-12)
    r2, charge = 4e-32, -2e-11
    got = weak_with_charges(
        lambda name: nuclear_cross_section(T, E, symbol, channel=name, form_factor="none"),
        r2, charge,
    )  # fmt: skip
    agree(f"r² and q on {symbol}", got, point_nucleus(T, E, symbol, r2, charge), 1e-10)


def test_flavours_are_alike_on_a_bare_nucleus():
    values = {float(nuclear_cross_section(0.1, 3000.0, "Ge", flavor=f)) for f in FLAVORS}
    assert len(values) == 1


def test_magnetic_scattering_of_points(agree):
    E, T = 3000.0, np.array([0.01, 0.1, 0.2])
    got = nuclear_cross_section(T, E, "Ar", 1e-11, "magnetic", form_factor="none")
    expected = 0.0
    for row in isotopes("Ar"):
        M = mass("Ar", row)
        one = SIGMA0_cm2 * 1e-22 * 18**2 * (1 / T - 1 / E)
        expected = expected + row.abundance * np.where(2 * E**2 / (M + 2 * E) >= T, one, 0.0)
    agree("magnetic on Ar", got, expected, 1e-12)


def test_ends_of_the_kinematics():
    """Each isotope up to its own 2E²/(M+2E): the lightest goes furthest."""
    E = 5000.0
    ends = [2 * E**2 / (mass("Ge", row) + 2 * E) for row in isotopes("Ge")]
    T = np.array([ends[0] * (1 - 1e-9), ends[0] * (1 + 1e-9)])
    got = np.asarray(nuclear_cross_section(T, E, "Ge", channel="magnetic"))
    assert got[0] > 0.0 and got[1] == 0.0
    inside = float(nuclear_cross_section(ends[-1] * 0.999, E, "Ge", channel="magnetic"))
    assert inside > 4.0 * got[0]


def test_helm(agree):
    """3 j_1(x)/x from scipy, the radius from its moments, and the series where it takes over."""
    fm = HBARC_keV_cm * 1e13  # keV fm
    for A in (20.0, 74.0, 132.0):
        c, a, s = 1.23 * A ** (1 / 3) - 0.6, 0.52, 0.9
        R2 = c**2 + 7 * np.pi**2 * a**2 / 3 - 5 * s**2
        Q = np.geomspace(1e2, 4e5, 60)
        x = Q * np.sqrt(R2) / fm
        expected = 3 * spherical_jn(1, x) / x * np.exp(-((Q * s / fm) ** 2) / 2)
        agree(
            f"Helm, A = {A:g}", helm(Q, A), expected, 1e-11, scale=np.exp(-((Q * s / fm) ** 2) / 2)
        )
        slope = (1.0 - float(helm(1e2, A))) / (1e2 / fm) ** 2
        agree("<r²>/6", slope, (0.6 * R2 + 3 * s**2) / 6, 1e-4)
    x = np.array([0.0999999, 0.1000001]) * fm / np.sqrt(R2)
    agree("the series meets the formula", helm(x[0], A), float(helm(x[1], A)), 1e-8)


def test_form_factor_is_squared(agree):
    T, E, row = 10.0, 30000.0, isotopes("I")[0]
    Q = np.sqrt(2 * mass("I", row) * T)
    for name in ("weak", "magnetic", "charge-radius", "millicharge"):
        with_it, without = (
            float(nuclear_cross_section(T, E, "I", channel=name, form_factor=kind))
            for kind in ("helm", "none")
        )
        agree(f"{name}: F²", with_it / without, float(helm(Q, 127.0)) ** 2, 1e-12)


# ---- rates ---------------------------------------------------------------------------------------


def test_rate_is_the_integral_over_the_flux(agree):
    source = flux.tabulated(
        [0.0, 2000.0, 8000.0], [1e6, 3e6, 0.0], lines_keV=[5000.0], line_flux=[2e8]
    )
    T, weight = 0.15, element("Ar").weight

    def sigma(E, name):
        return float(nuclear_cross_section(T, E, "Ar", channel=name))

    lowest = [0.5 * (T + np.sqrt(T**2 + 2 * mass("Ar", row) * T)) for row in isotopes("Ar")]
    ends = sorted([2000.0, 8000.0, *lowest])
    for name in ("weak", "magnetic", "charge-radius", "millicharge-weak"):
        total = sum(
            quad(lambda E, n=name: np.interp(E, [0, 2000, 8000], [1e6, 3e6, 0]) * sigma(E, n),
                 a, b, epsabs=0.0, epsrel=1e-9)[0]
            for a, b in itertools.pairwise(ends)
        )  # fmt: skip
        total += 2e8 * sigma(5000.0, name)
        expected = 6.02214076e26 / weight * 86400.0 * total
        got = nuclear_rate(T, source, "Ar", 1e-22, name)
        agree(f"{name} on Ar in 1/(kg keV d)", got, expected, 1e-6)


def test_share_of_electron_neutrinos(agree):
    sun = flux.solar(components=("8B",))
    parts = [
        float(nuclear_rate(1.0, sun, "Xe", channel="charge-radius", flavors=flavors))
        for flavors in ("all", "nu_e", "nu_x")
    ]
    agree("ν_e and others", parts[1] + parts[2], parts[0], 1e-12)
    assert 0.2 < parts[1] / parts[0] < 0.6


def test_published_rates_in_germanium(agree):
    """Billard et al., J. Phys. G 44, 105101 (2017): events/(kg d) above a threshold."""
    fractions = {"235U": 0.556, "239Pu": 0.326, "238U": 0.071, "241Pu": 0.047}
    core = flux.reactor(8.54, 400.0, fractions=fractions, E_max_keV=12000.0)
    x, w = np.polynomial.legendre.leggauss(60)
    for form_factor in ("helm", "none"):
        counts = []
        for threshold in (0.05, 0.10, 0.20):
            half = 0.5 * np.log(5.0 / threshold)
            T = threshold * np.exp(half * (1.0 + x))
            rate = np.asarray(nuclear_rate(T, core, "Ge", form_factor=form_factor))
            counts.append(float(np.sum(half * w * T * rate)))
        print(f"form factor {form_factor}: {np.round(counts, 4)}")
        agree("Ge above 50, 100, 200 eV", counts, [0.76, 0.51, 0.26], 0.03)
    # F = 1, and sin²θ_W = 0.2387 for 0.23857
    agree("an independent recomputation", counts, [0.747, 0.505, 0.259], 0.005)


def test_gradient_in_T(slope, agree):
    core = flux.reactor(3.0, 20.0)
    f = jax.jit(lambda T: nuclear_rate(T, core, "Ge"))
    T = np.array([0.05, 0.3])
    gradient = jax.jit(jax.grad(lambda T: f(T).sum()))(T)
    agree("dR/dT²", gradient, slope(f, T, 1e-3 * T), 1e-6)


def test_bad_input():
    for call, told in (
        (lambda: nuclear_cross_section(0.1, 1e3, "Pb"), "'Pb' has no isotopes in jaxnu"),
        (lambda: nuclear_cross_section(0.1, 1e3, "xe"), "is not an element"),
        (lambda: nuclear_cross_section(0.0, 1e3, "Ge"), "T_nr_keV = 0 keV is outside"),
        (lambda: nuclear_cross_section([0.1, 0.2], [1e3] * 3, "Ge"), "do not broadcast"),
        (lambda: nuclear_cross_section(0.1, 1e3, "Ge", channel="cevns"), "is unknown"),
        (lambda: nuclear_cross_section(0.1, 1e3, "Ge", form_factor="klein"), "is unknown"),
        (lambda: nuclear_cross_section(0.1, 1e3, "Ge", electrons=3), "electron_cloud"),
        (lambda: nuclear_rate(0.1, "sun", "Ge"), "flux = 'sun'"),
    ):
        with pytest.raises(InputError, match=told) as refusal:
            call()
        assert len(str(refusal.value).splitlines()) == 1
