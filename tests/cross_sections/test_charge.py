"""A charge radius and a millicharge: closed forms, the light cone, rates, and the polynomial."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from jaxnu import cross_section, cross_section_lines, flux, rate, response, weak_with_charges
from jaxnu.constants import (
    FINE_STRUCTURE,
    SIN2_WEINBERG,
    AVOGADRO_per_mol,
    ELECTRON_MASS_keV,
    FERMI_per_keV2,
    HBARC2_keV2_cm2,
)
from jaxnu.cross_sections import FLAVORS
from jaxnu.cross_sections.charge import CHARGE_POWERS, RADIUS_SHIFT_per_cm2
from jaxnu.cross_sections.weak import weak_kernels
from jaxnu.elements import element
from jaxnu.errors import InputError

M, G, ALPHA = ELECTRON_MASS_keV, FERMI_per_keV2, FINE_STRUCTURE
R2, CHARGE = -3e-32, 4e-13
UNIT = ALPHA**2 * np.pi * HBARC2_keV2_cm2


def couplings(flavor):
    electron, antineutrino = FLAVORS[flavor]
    g_V, g_A = 2 * SIN2_WEINBERG + electron - 0.5, electron - 0.5
    return g_V, -g_A if antineutrino else g_A


def shift(q2, r2=R2, charge=CHARGE):
    """δg_V of −4πα F(q²)/(2q²) against −(G/√2) g_V, for F = q_ν + q²<r²>/6."""
    F = charge + q2 * r2 / HBARC2_keV2_cm2 / 6.0
    return 2.0 * np.sqrt(2.0) * np.pi * ALPHA * F / (G * q2)


def free_electron(T, E, g_V, g_A):
    left, right = (g_V + g_A) ** 2, (g_V - g_A) ** 2 * (1 - T / E) ** 2
    unit = G**2 * M / (2 * np.pi) * HBARC2_keV2_cm2
    return unit * (left + right + (g_A**2 - g_V**2) * M * T / E**2)


def with_charges(T, E, atom, flavor, r2=R2, charge=CHARGE):
    return weak_with_charges(
        lambda channel: cross_section(T, E, atom, channel=channel, flavor=flavor), r2, charge
    )


@pytest.mark.parametrize("flavor", FLAVORS)
def test_free_electron_has_a_shifted_vector_coupling(flavor, agree):
    E = np.array([[60.0], [862.0], [4000.0]])
    T = 2.0 * E**2 / (M + 2.0 * E) * np.array([1e-3, 0.3, 0.9, 1.0 - 1e-12])
    g_V, g_A = couplings(flavor)
    expected = 32.0 * free_electron(T, E, g_V + shift(-2 * M * T), g_A)
    got = with_charges(T, E, response("Ge", "free"), flavor)
    agree(f"{flavor}, r² and q on free electrons", got, expected, 1e-10)


def test_closed_forms_of_each_channel(agree):
    T, E = np.array([0.3, 5.0, 90.0]), 300.0
    atom = response("H", "free")
    got = {name: cross_section(T, E, atom, channel=name) for name in CHARGE_POWERS}
    g_V, g_A = couplings("nu_e")
    C = np.sqrt(2.0) * np.pi * ALPHA / (3 * G * HBARC2_keV2_cm2)
    agree("δg_V per cm² of <r²>", [RADIUS_SHIFT_per_cm2] * 2, [C, 2.3796e30], 1e-4)
    vector = 1 + (1 - T / E) ** 2 - M * T / E**2
    unit = G**2 * M / (2 * np.pi) * HBARC2_keV2_cm2
    interference = 2 * g_V * vector + 2 * g_A * (1 - (1 - T / E) ** 2)
    pole = -np.sqrt(2.0) * np.pi * ALPHA / (G * M * T)
    expected = {
        "weak": free_electron(T, E, g_V, g_A),
        "charge-radius": unit * C * interference,
        "charge-radius-squared": unit * C**2 * vector,
        "millicharge-weak": unit * pole * interference,
        "millicharge-charge-radius": unit * 2 * C * pole * vector,
        "millicharge": UNIT / (M * T**2) * vector,
    }
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        agree(name, got[name], value, 1e-10)


def test_kernels_are_the_weak_ones_with_a_shifted_coupling(agree):
    """At every Q, the terms sum to k_S and k_R of the coupling g_V + δ(Q² − T²)."""
    T, E, Q = 7.0, 300.0, np.geomspace(7.1, 590.0, 40)
    P = 2 * E - T
    for flavor in FLAVORS:
        electron, antineutrino = FLAVORS[flavor]
        g_V, g_A = couplings(flavor)
        g_V = g_V + shift(T**2 - Q**2)
        scale = G**2 / (8 * np.pi * E**2) * HBARC2_keV2_cm2
        k_S = g_V**2 * (P**2 - Q**2) * (1 - T**2 / Q**2) ** 2
        k_S = k_S + g_A**2 * (P**2 + Q**2 - 2 * T**2)
        k_S = scale * (k_S + 4 * g_V * g_A * P * (Q**2 - T**2) / (2 * M))
        k_R = scale * g_V**2 * (P**2 + Q**2) * (Q**2 - T**2) / Q**2
        kernels = {n: weak_kernels(T, E, Q, electron, antineutrino, n) for n in CHARGE_POWERS}
        for part, expected in enumerate((k_S, k_R)):
            got = weak_with_charges(lambda n, i=part, k=kernels: k[n][i], R2, CHARGE)
            agree(f"{flavor}, k_{'SR'[part]}", got, expected, 1e-12)


def test_radius_and_charge_of_an_antineutrino_have_the_same_sign():
    """An antineutrino has the opposite charge and the opposite weak vector coupling."""
    atom = response("Ge", "free")
    for name in ("charge-radius", "millicharge-weak"):
        sigma = [
            float(cross_section(1.0, 4000.0, atom, channel=name, flavor=flavor))
            for flavor in ("nu_e", "antinu_e")
        ]
        print(f"{name}: {sigma}")
        assert sigma[0] * sigma[1] > 0.0
        assert (sigma[0] > 0.0) == (name == "charge-radius")


# ---- the light cone ------------------------------------------------------------------------------


def millicharge_kernels(T, E, Q2):
    """(S, R with spin) of dσ/dT = (πα²/E²) ∫dQ² {(P²−Q²) S/Q⁴ + (P²+Q²) R/[Q²(Q²−T²)]}."""
    P = 2 * E - T
    current = (P**2 + Q2) / (Q2 * (Q2 - T**2))
    density = (P**2 - Q2) / Q2**2 + current * Q2 / (4 * M**2)
    return UNIT / E**2 * density, UNIT / E**2 * current


def adaptive(atom, T, E, m_nu_eV):
    """∫dQ² from the cut on, adaptively in ln(Q² − T²)."""
    both = jax.jit(lambda Q: atom.both(T, Q))
    cut = (1e-3 * m_nu_eV * T) ** 2 / (E * (E - T))
    high = (2 * E - T) ** 2 - T**2

    def integrand(log_gap):
        gap = np.exp(log_gap)
        S, R = map(float, both(np.sqrt(T**2 + gap)))
        # Q² − T² as given: the difference loses its digits
        P, Q2 = 2 * E - T, T**2 + gap
        current = (P**2 + Q2) / Q2
        density = (P**2 - Q2) / Q2**2 * gap + current * Q2 / (4 * M**2)
        return UNIT / E**2 * (density * S + current * R)

    points = np.log([cut, *[g for g in np.geomspace(1e-4, 3e5, 12) if cut < g < high], high])
    return sum(
        quad(integrand, a, b, epsabs=0, epsrel=1e-10, limit=200)[0]
        for a, b in itertools.pairwise(points)
    )


@pytest.mark.parametrize("m_nu_eV", [0.05, 1.0])
def test_millicharge_of_a_hydrogenic_atom(m_nu_eV, agree):
    atom = response("Ge", "hydrogenic")
    for T, E in ((14.5, 300.0), (20.0, 20.5), (20.0, 3000.0), (60.0, 300.0)):
        got = cross_section(T, E, atom, channel="millicharge", m_nu_eV=m_nu_eV)
        expected = adaptive(atom, T, E, m_nu_eV)
        agree(f"Ge 1s, T = {T}, E = {E} keV", got, expected, 1e-7)


@pytest.mark.parametrize("symbol", ["He", "Ge"])
def test_millicharge_of_a_central_field(symbol, agree):
    """Against 1500 × 6 Gauss–Legendre nodes even in ln(Q² − T²)."""
    atom = response(symbol)
    x, w = np.polynomial.legendre.leggauss(6)
    for T, E in ((0.05, 300.0), (1.0, 300.0), (12.0, 3000.0)):
        cut, P = (5e-5 * T) ** 2 / (E * (E - T)), 2 * E - T
        edges = np.linspace(np.log(cut), np.log(P**2 - T**2), 1501)
        half, middle = 0.5 * np.diff(edges)[:, None], 0.5 * (edges[1:] + edges[:-1])[:, None]
        gap, weight = np.exp((middle + half * x).ravel()), (half * w).ravel()
        Q2 = T**2 + gap
        S, R = (np.asarray(part) for part in jax.jit(atom.both)(T, np.sqrt(Q2)))
        current = (P**2 + Q2) / Q2
        density = (P**2 - Q2) / Q2**2 * gap + current * Q2 / (4 * M**2)
        expected = UNIT / E**2 * np.sum(weight * (density * S + current * R))
        got = cross_section(T, E, atom, channel="millicharge")
        agree(f"{symbol}, T = {T}, E = {E} keV", got, expected, 3e-6)


def test_the_logarithm_is_that_of_equivalent_photons(agree):
    """dσ/d ln m_ν = −2 (πα²/E²) [(P² + T²)/T²] R(T,T), and R(T,T) = T σ_γ/(4π²α)."""
    atom = response("Ge")
    T, E = 2.0, 500.0
    light, heavy = (
        float(cross_section(T, E, atom, channel="millicharge", m_nu_eV=m)) for m in (0.01, 1.0)
    )
    P = 2 * E - T
    R = T * float(atom.photoabsorption_cm2(T)) / (4 * np.pi**2 * ALPHA * HBARC2_keV2_cm2)
    spin = (T / (2 * M)) ** 2 * float(atom.longitudinal(T, T))
    expected = 2 * np.log(100.0) * UNIT / E**2 * (P**2 + T**2) / T**2 * (R + spin)
    agree("a mass 100 times as large", light - heavy, expected, 1e-7)
    free = 32 * UNIT / (M * T**2) * (1 + (1 - T / E) ** 2 - M * T / E**2)
    print(f"Ge at 2 keV over 32 free electrons: {light / free:.2f}")
    assert light > 2.0 * free


def test_loosely_bound_electrons_are_free_but_for_the_photon(agree):
    """Hydrogen at T ≫ I; for the millicharge so far above that photoabsorption is small too."""
    atom, E = response("H", "hydrogenic"), 400.0
    for name, T in (
        ("charge-radius", np.array([0.5, 1.0])),
        ("charge-radius-squared", np.array([0.5, 1.0])),
        ("millicharge-weak", np.array([0.5, 1.0])),
        ("millicharge", np.array([5.0])),
    ):
        got = np.asarray(cross_section(T, E, atom, channel=name))
        free = np.asarray(cross_section(T, E, response("H", "free"), channel=name))
        agree(f"{name}, hydrogen at T ≫ I", got, free, 3.0 * T.max() / M)


def test_lines_have_the_light_cone_too(agree):
    """1s → 2p of hydrogen in the dipole limit: R = (T²/Q²) S at Q → 0 gives the same logarithm."""
    atom = response("Ge", "hydrogenic")
    E = 300.0
    n = jnp.asarray(0)
    (T, *_), sigma = cross_section_lines(E, atom, channel="millicharge")
    T = float(T)
    _, heavy = cross_section_lines(E, atom, channel="millicharge", m_nu_eV=0.5)
    P = 2 * E - T
    strength = float(atom.line_transverse(n, T)) + (T / (2 * M)) ** 2 * float(
        atom.line_longitudinal(n, T)
    )
    expected = 2 * np.log(10.0) * UNIT / E**2 * (P**2 + T**2) / T**2 * strength
    agree("1s → 2, a mass ten times as large", sigma[0] - heavy[0], expected, 1e-7)


# ---- rates ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def source():
    return flux.tabulated(
        [10.0, 40.0, 150.0, 400.0],
        [0.0, 3e8, 1e8, 0.0],
        lines_keV=[384.3, 862.0],
        line_flux=[5e8, 4e9],
        survival_keV=[150.0, 400.0],
        survival=[0.56, 0.50],
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["charge-radius", "millicharge-weak", "millicharge"])
def test_rate_is_the_double_integral(source, name, agree):
    """∫dE φ(E) ∫dQ² by brute force, for the hydrogenic response; E − T ∝ s⁴ in each panel."""
    atom = response("Ge", "hydrogenic")
    x, w = np.polynomial.legendre.leggauss(24)
    s, weight = 0.5 * (1 + x), 0.5 * w
    for T in (14.5, 30.0):
        ends = np.array([T, T + 3.0, 40.0, 150.0, 400.0])
        E = (ends[:-1, None] + np.diff(ends)[:, None] * s**4).ravel()
        dE = (np.diff(ends)[:, None] * 4 * s**3 * weight).ravel()
        fluxes = dE * np.interp(E, [10.0, 40.0, 150.0, 400.0], [0.0, 3e8, 1e8, 0.0])
        E, fluxes = np.append(E, [384.3, 862.0]), np.append(fluxes, [5e8, 4e9])
        P_ee = np.interp(E, [150.0, 400.0], [0.56, 0.50])
        sigma = {
            flavor: np.asarray(cross_section(T, E, atom, channel=name, flavor=flavor))
            for flavor in ("nu_e", "nu_mu")
        }
        per_kg_day = 1e3 * AVOGADRO_per_mol / element("Ge").weight * 86400.0
        parts = {
            "nu_e": per_kg_day * np.sum(fluxes * P_ee * sigma["nu_e"]),
            "nu_x": per_kg_day * np.sum(fluxes * (1 - P_ee) * sigma["nu_mu"]),
        }
        parts["all"] = sum(parts.values())
        for flavors, expected in parts.items():
            if flavors != "all" and name != "charge-radius":
                continue  # each compiles anew
            scale = abs(parts["nu_e"]) + abs(parts["nu_x"])
            got = rate(T, source, atom, channel=name, flavors=flavors)
            agree(f"{name}, {flavors}, T = {T}", got, expected, 1e-6, scale)


def test_millicharge_rate_of_a_central_field(agree):
    """∫dE of cross_section, E − T ∝ s⁴ in each panel, reactor-like spectrum on germanium."""
    atom = response("Ge")
    spectrum = flux.tabulated([0.0, 500.0, 3000.0], [0.0, 1e9, 0.0], antineutrino=True)
    x, w = np.polynomial.legendre.leggauss(32)
    s, weight = 0.5 * (1 + x), 0.5 * w
    T = 1.3
    ends = np.array([T, T + 3.0, 40.0, 500.0, 3000.0])
    E = (ends[:-1, None] + np.diff(ends)[:, None] * s**4).ravel()
    dE = (np.diff(ends)[:, None] * 4 * s**3 * weight).ravel()
    fluxes = dE * np.interp(E, [0.0, 500.0, 3000.0], [0.0, 1e9, 0.0])
    sigma = cross_section(T, E, atom, channel="millicharge", flavor="antinu_e")
    expected = 1e3 * AVOGADRO_per_mol / element("Ge").weight * 86400.0 * np.sum(fluxes * sigma)
    agree("Ge", rate(T, spectrum, atom, channel="millicharge"), expected, 1e-6)


def test_free_rates(source, agree):
    atom = response("Xe", "free")
    got = rate([1.0, 20.0], source, atom, channel="millicharge")
    x, w = np.polynomial.legendre.leggauss(40)
    expected = []
    for T in (1.0, 20.0):
        low = 0.5 * (T + np.sqrt(T**2 + 2 * M * T))
        ends = [low, *[e for e in (40.0, 150.0, 400.0) if e > low]]
        total = 0.0
        for a, b in itertools.pairwise(ends):
            E = 0.5 * (a + b) + 0.5 * (b - a) * x
            phi = np.interp(E, [10.0, 40.0, 150.0, 400.0], [0.0, 3e8, 1e8, 0.0])
            vector = 1 + (1 - T / E) ** 2 - M * T / E**2
            total += 0.5 * (b - a) * np.sum(w * phi * vector)
        for E, F in ((384.3, 5e8), (862.0, 4e9)):
            total += F * (1 + (1 - T / E) ** 2 - M * T / E**2)
        per_kg_day = 1e3 * AVOGADRO_per_mol / element("Xe").weight * 86400.0
        expected.append(54 * per_kg_day * UNIT / (M * T**2) * total)
    # eight nodes from E_min to 40 keV
    agree("millicharge on free electrons in 1/(kg keV d)", got, expected, 1e-7)


# ---- the polynomial ------------------------------------------------------------------------------


def test_polynomial_and_its_derivative(agree):
    atom = response("Ge", "hydrogenic")
    T, E = 20.0, 300.0
    base = float(with_charges(T, E, atom, "nu_e", 0.0, 0.0))
    agree("no charges", base, float(cross_section(T, E, atom, channel="weak")), 1e-15)
    slope = jax.grad(lambda r2: 1e45 * with_charges(T, E, atom, "nu_e", r2 * 1e-32, 0.0))(0.0)
    linear = 1e13 * float(cross_section(T, E, atom, channel="charge-radius"))
    agree("derivative in <r²>", slope, linear, 1e-12)


def test_bad_input():
    atom = response("Ge", "free")
    for arguments, told in (
        ((1e-2, 0.0), "r2_cm2 = 0.01 cm² is outside"),
        ((0.0, 1.0), "q_e = 1 e is outside"),
        ((np.nan, 0.0), "r2_cm2 = nan"),
    ):
        with pytest.raises(InputError, match=told):
            with_charges(1.0, 300.0, atom, "nu_e", *arguments)
    with pytest.raises(InputError, match="m_nu_eV = 0 eV is outside"):
        cross_section(1.0, 300.0, atom, channel="millicharge", m_nu_eV=0.0)
    with pytest.raises(InputError, match="flavors = 'nu_mu' is unknown"):
        rate(1.0, flux.line(747.0, 1e9), atom, channel="weak", flavors="nu_mu")


@pytest.mark.slow
def test_gradients_and_ends_of_the_millicharge(source, slope, agree):
    atom = response("Ge", "hydrogenic")
    f = jax.jit(lambda T: rate(T, source, atom, channel="millicharge"))
    T = np.array([16.0, 60.0])
    gradient = jax.jit(jax.grad(lambda T: f(T).sum()))(T)
    agree("dR/dT²", gradient, slope(f, T, 1e-3 * T), 1e-6)
    sigma = jax.jit(lambda E: cross_section(20.0, E, atom, channel="millicharge"))
    derivative = jax.jit(jax.grad(sigma))(200.0)
    agree("d²σ/dTdE", derivative, slope(sigma, 200.0, 0.2), 1e-6)
    # below threshold, at the end, beyond the flux
    ends = np.concatenate([f(np.array(pair)) for pair in ([5.0, 861.9], [862.1, 2000.0])])
    assert ends[0] == 0.0 and np.all(ends[2:] == 0.0) and 0.0 < ends[1] < 0.01 * float(f(T)[1])
    close = [float(sigma(20.0 + gap)) for gap in (-1.0, 1e-12, 1e-4, 1e-2, 1.0)]
    print(f"σ at E − T = −1, 1e-12, 1e-4, 0.01, 1 keV: {close}")
    assert close[0] == close[1] == 0.0 and np.all(np.diff(close[1:]) > 0.0)
