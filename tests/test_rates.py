"""dR/dT against independent integrals over the flux, and against published-input way stations."""

import itertools

import jax
import numpy as np
import pytest
from scipy.integrate import quad

from jaxnu import cross_section, cross_section_lines, flux, rate, response
from jaxnu.constants import (
    SECONDS_PER_DAY,
    SIN2_WEINBERG,
    AVOGADRO_per_mol,
    ELECTRON_MASS_keV,
    FERMI_per_keV2,
    HBARC2_keV2_cm2,
    SIGMA0_cm2,
)
from jaxnu.cross_sections.channels import Channel
from jaxnu.elements import elements, subshells
from jaxnu.errors import InputError
from jaxnu.rates import map_rates
from jaxnu.settings import NUMERICS

M = ELECTRON_MASS_keV
MU2 = 1e-22
PER_TONNE_YEAR = 1000.0 * 365.25
POINTS = np.array([0.0, 40.0, 150.0, 400.0])
DENSITY = np.array([0.0, 3e8, 1e8, 0.0])
LINES = np.array([[384.3, 5e8], [862.0, 4e9]])
# knots on panel edges: one inside a panel is a kink that eight nodes see to 5e-6
SURVIVAL = np.array([[150.0, 0.56], [400.0, 0.50]])


@pytest.fixture(scope="module")
def source():
    return flux.tabulated(
        POINTS,
        DENSITY,
        lines_keV=LINES[:, 0],
        line_flux=LINES[:, 1],
        survival_keV=SURVIVAL[:, 0],
        survival=SURVIVAL[:, 1],
    )


def per_kg_day(symbol):
    return 1e3 * AVOGADRO_per_mol / elements()[symbol].weight * SECONDS_PER_DAY


def folded(sigma, T):
    """∫φ σ dE by adaptive integration from the kinematic end on, kinks as break points, + lines."""
    lowest = 0.5 * (T + np.sqrt(T**2 + 2.0 * M * T))
    ends = [lowest, *POINTS[lowest < POINTS]]
    total = sum(
        quad(lambda E: np.interp(E, POINTS, DENSITY) * sigma(E), a, b, epsabs=0, epsrel=1e-12)[0]
        for a, b in itertools.pairwise(ends)
    )
    return total + sum(F * sigma(E) for E, F in LINES if lowest < E)


T_keV = np.array([0.3, 2.0, 9.0, 120.0, 300.0, 650.0])


def test_free_electrons(source, agree):
    expected = [
        54 * per_kg_day("Xe") * folded(lambda E, T=T: SIGMA0_cm2 * MU2 * (1 / T - 1 / E), T)
        for T in T_keV
    ]
    got = rate(T_keV, source, response("Xe", "free"), MU2)
    # eight nodes per panel: settings promise 1e-6; the worst panel, E_min to 40 keV, has 4e-10
    agree("free electrons in 1/(kg keV d)", got, expected, 1e-8)


def test_nothing_beyond_the_end_of_the_highest_line(source):
    end = 2.0 * 862.0**2 / (M + 2.0 * 862.0)
    T, free = np.array([end * 0.999, end * 1.001, 861.9, 900.0, 1e5]), response("Xe", "free")
    got = np.asarray(jax.jit(lambda T: rate(T, source, free))(T))
    assert got[0] > 0.0 and not np.any(got[1:])
    with pytest.raises(InputError, match="below the energies of the flux"):
        rate(T, source, free)  # numbers that are known


def test_weak_mixes_flavours_by_survival(source, agree):
    def sigma(E, T):
        P_ee = np.interp(E, SURVIVAL[:, 0], SURVIVAL[:, 1])
        total = 0.0
        for share, gV, gA in (
            (P_ee, 2 * SIN2_WEINBERG + 0.5, 0.5),
            (1 - P_ee, 2 * SIN2_WEINBERG - 0.5, -0.5),
        ):
            bracket = (gV + gA) ** 2 + (gV - gA) ** 2 * (1 - T / E) ** 2
            total += share * (bracket + (gA**2 - gV**2) * M * T / E**2)
        return FERMI_per_keV2**2 * M / (2 * np.pi) * HBARC2_keV2_cm2 * total

    expected = [54 * per_kg_day("Xe") * folded(lambda E, T=T: sigma(E, T), T) for T in T_keV]
    got = rate(T_keV, source, response("Xe", "free"), MU2, channel="weak")
    agree("weak rate, mixed flavours", got, expected, 1e-8)


@pytest.mark.parametrize("channel", ["magnetic", "weak"])
def test_exchanged_integrals_of_a_bound_electron(source, channel, agree):
    """The rate folds over E inside the integral over Q; here σ(T, E) is folded over E directly."""
    atom = response("Ge", "hydrogenic")
    T = np.array([14.0, 14.0, 25.0, 25.0, 60.0, 60.0])
    x, w = np.polynomial.legendre.leggauss(24)
    expected = []
    for t in T[::2]:
        # dense near E = T, where the bound cross section opens with a power law
        edges = np.unique([t, *(t + np.array([1.0, 4.0, 10.0, 25.0])), *POINTS[t < POINTS]])
        half, middle = 0.5 * np.diff(edges)[:, None], 0.5 * (edges[1:] + edges[:-1])[:, None]
        E, weight = (middle + half * x).ravel(), (half * w).ravel()
        weight = weight * np.interp(E, POINTS, DENSITY)
        padded = np.zeros(240)
        padded[: len(E)] = weight
        energies = np.full(240, 500.0)
        energies[: len(E)] = E
        energies[-2:], padded[-2:] = LINES.T
        total = 0.0
        shares = ((1.0, "nu_e"),) if channel == "magnetic" else ((1, "nu_e"), (0, "nu_mu"))
        for electron, flavor in shares:
            sigma = np.asarray(
                cross_section(t, energies, atom, np.sqrt(MU2), channel=channel, flavor=flavor)
            )
            P_ee = np.interp(energies, SURVIVAL[:, 0], SURVIVAL[:, 1])
            share = 1.0 if channel == "magnetic" else (P_ee if electron else 1 - P_ee)
            total += np.sum(padded * share * sigma)
        expected.append(total * per_kg_day("Ge"))
    got = rate(T, source, atom, MU2, channel=channel)[::2]
    agree(f"{channel}, ∫dQ ∫dE against ∫dE ∫dQ", got, expected, 1e-5)


def test_rates_of_lines_are_their_cross_sections_folded(source, agree):
    atom = response("Ge", "hydrogenic")
    got = np.asarray(map_rates(np.array([20.0]), source, atom, Channel(), NUMERICS)[1]) * MU2
    x, w = np.polynomial.legendre.leggauss(24)
    edges = np.array([10.5, 12.0, 14.0, 20.0, 40.0, 150.0, 400.0])
    half, middle = 0.5 * np.diff(edges)[:, None], 0.5 * (edges[1:] + edges[:-1])[:, None]
    E, weight = (middle + half * x).ravel(), (half * w).ravel()
    _, sigma = cross_section_lines(np.append(E, LINES[:, 0]), atom, np.sqrt(MU2))
    weight = np.append(weight * np.interp(E, POINTS, DENSITY), LINES[:, 1])
    agree("1s → 2 in 1/(kg d)", got[0], (weight @ sigma)[0] * per_kg_day("Ge"), 1e-4)


# true signal in XENONnT at μ = 1e-11, events/(t yr keV), of an independent calculation
STATIONS_keV = np.array([1.0, 2.0, 3.0, 5.0, 10.0])
FREE = np.array([12.594, 6.268, 4.159, 2.472, 1.205])
STEPPING = np.array([9.35, 5.108, 3.389, 2.197, 1.161])


def test_way_stations_of_xenon(agree):
    sun = flux.solar(components=("pp", "7Be", "pep"))
    free = np.asarray(rate(STATIONS_keV, sun, response("Xe", "free"), MU2)) * PER_TONNE_YEAR
    agree("xenon, free electrons", free, FREE, 1e-3)
    stepping = np.asarray(rate(STATIONS_keV, sun, response("Xe", "stepping"), MU2)) * PER_TONNE_YEAR
    counted = np.array(
        [sum(s.electrons for s in subshells("Xe") if s.binding_keV <= T) for T in STATIONS_keV]
    )
    np.testing.assert_array_equal(counted, [40, 44, 44, 48, 52])
    agree("stepping over free is the count of electrons", stepping / free, counted / 54, 1e-12)
    # at 1 keV the M2 edge, 1.0021 keV, is 2 eV away: 9.35 is quoted, 40/54 of the free rate is 9.33
    for T, ours, quoted in zip(STATIONS_keV, stepping, STEPPING, strict=True):
        print(f"stepping at {T:g} keV: {ours:.3f}, quoted {quoted:g}")
    agree("stepping away from an edge", stepping[1:], STEPPING[1:], 1e-3)


def test_linear_in_mu2_and_in_the_flux(source, agree):
    atom = response("Xe", "free")
    base = rate(T_keV, source, atom, MU2)
    agree("twice μ²", rate(T_keV, source, atom, 2.0 * MU2), 2.0 * base, 1e-15)
    agree("twice the flux", rate(T_keV, source.scaled(2.0), atom, MU2), 2.0 * base, 1e-15)


def test_gradient_in_T(source, slope, agree):
    atom = response("Xe", "free")
    f = jax.jit(lambda T: rate(T, source, atom, MU2))
    gradient = jax.jit(jax.grad(lambda T: f(T).sum()))(T_keV)
    agree("dR/dT²", gradient, slope(f, T_keV, 1e-3 * T_keV), 1e-8)
