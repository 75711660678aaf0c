"""Weak scattering: the free electron, bound electrons above and far below E, flavours."""

import itertools

import jax
import numpy as np
import pytest
from scipy.integrate import quad

from jaxnu import cross_section, response
from jaxnu.constants import (
    SIN2_WEINBERG,
    ELECTRON_MASS_keV,
    FERMI_per_keV2,
    HBARC2_keV2_cm2,
)
from jaxnu.cross_sections.weak import weak_free, weak_kernels
from jaxnu.errors import InputError

M = ELECTRON_MASS_keV
UNIT = FERMI_per_keV2**2 * M / (2.0 * np.pi) * HBARC2_keV2_cm2
COUPLINGS = {
    "nu_e": (2 * SIN2_WEINBERG + 0.5, 0.5),
    "nu_mu": (2 * SIN2_WEINBERG - 0.5, -0.5),
    "nu_tau": (2 * SIN2_WEINBERG - 0.5, -0.5),
    "antinu_e": (2 * SIN2_WEINBERG + 0.5, -0.5),
    "antinu_mu": (2 * SIN2_WEINBERG - 0.5, 0.5),
    "antinu_tau": (2 * SIN2_WEINBERG - 0.5, 0.5),
}


def free_electron(T, E, flavor):
    gV, gA = COUPLINGS[flavor]
    left, right = (gV + gA) ** 2, (gV - gA) ** 2 * (1.0 - T / E) ** 2
    return UNIT * (left + right + (gA**2 - gV**2) * M * T / E**2)


@pytest.mark.parametrize("flavor", COUPLINGS)
def test_free_electron(flavor, agree):
    E = np.array([[100.0], [862.0], [4000.0]])
    T = 2.0 * E**2 / (M + 2.0 * E) * np.array([1e-3, 0.3, 0.9, 1.0 - 1e-12])
    got = cross_section(T, E, response("Ge", "free"), channel="weak", flavor=flavor)
    agree(f"{flavor} on free electrons", got, 32.0 * free_electron(T, E, flavor), 1e-12)


def test_unit_is_the_published_number(agree):
    agree("G²m/2π (ħc)², cm²/keV", UNIT, 4.308165e-48, 3e-7)


def test_total_cross_section_of_the_free_electron(agree):
    """∫dσ = (G²m/2π) E [(g_V+g_A)² + (g_V−g_A)²/3] for E ≫ m: 't Hooft 1971."""
    E = 1e6
    f = lambda T: float(free_electron(T, E, "nu_e"))  # noqa: E731
    ours, _ = quad(f, 0.0, 2 * E**2 / (M + 2 * E), epsrel=1e-10)
    gV, gA = COUPLINGS["nu_e"]
    agree("σ(ν_e e) at 1 GeV", ours, UNIT * E * ((gV + gA) ** 2 + (gV - gA) ** 2 / 3), 1e-3)


@pytest.mark.parametrize("flavor", ["nu_e", "antinu_e", "nu_mu", "antinu_mu"])
def test_a_loosely_bound_electron_is_free(flavor, agree):
    """Hydrogen at T ≫ I: departures of order I/T and T/m."""
    atom = response("H", "hydrogenic")
    T, E = np.array([1.0, 3.0]), 400.0
    got = cross_section(T, E, atom, channel="weak", flavor=flavor)
    agree(f"{flavor}, hydrogen at T ≫ I", got, free_electron(T, E, flavor), 3.0 * T.max() / M)


def test_limit_of_high_neutrino_energy(agree):
    """For T, Q ≪ E: (G²/2π)(g_V² + g_A²) ∫S dQ² = (G² m/π)(g_V² + g_A²) × 0.957… at threshold."""
    atom = response("H", "hydrogenic")
    T = np.array([1.0, 2.0]) * float(atom.thresholds_keV[0])
    count = np.array([1.0 - 7.0 / 3.0 * np.exp(-4.0), 0.987439347010])
    for flavor in ("nu_e", "antinu_mu"):
        gV, gA = COUPLINGS[flavor]
        expected = 2.0 * UNIT * (gV**2 + gA**2) * count
        got = cross_section(T, 1e6, atom, channel="weak", flavor=flavor)
        # the convection current and the g_V g_A term are of order (Zα)² and Q/E
        agree(f"{flavor} at E = 1 GeV", got, expected, 5e-4)


def test_bound_against_a_direct_integral(agree):
    atom = response("Ge", "hydrogenic")
    T, E = 20.0, 300.0
    P = 2.0 * E - T
    both = jax.jit(lambda Q: (atom.longitudinal(T, Q), atom.transverse(T, Q)))

    def direct(flavor):
        gV, gA = COUPLINGS[flavor]

        def integrand(log_Q):
            Q = np.exp(log_Q)
            S, R = map(float, both(Q))
            R = R + (Q / (2.0 * M)) ** 2 * S
            vector = (P**2 - Q**2) * (1 - T**2 / Q**2) ** 2 * S
            vector += (P**2 + Q**2) * (Q**2 - T**2) * R / Q**2
            axial = (P**2 + Q**2 - 2.0 * T**2) * S
            mixed = 4.0 * P * (Q**2 - T**2) / (2.0 * M) * S
            return 2.0 * Q**2 * (gV**2 * vector + gA**2 * axial + gV * gA * mixed)

        points = np.log([T, 60.0, 143.0, 250.0, P])
        total = sum(
            quad(integrand, a, b, epsabs=0, epsrel=1e-11, limit=200)[0]
            for a, b in itertools.pairwise(points)
        )
        return FERMI_per_keV2**2 / (8.0 * np.pi * E**2) * HBARC2_keV2_cm2 * total

    for flavor in ("nu_e", "antinu_e"):
        got = cross_section(T, E, atom, channel="weak", flavor=flavor)
        agree(f"{flavor} on Ge 1s", got, direct(flavor), 1e-9)


def test_weak_has_no_parts():
    atom = response("Ge", "free")
    for options in ({"part": "longitudinal"}, {"spin_current": False}):
        with pytest.raises(InputError, match="allowed: part='total', spin_current=True"):
            cross_section(1.0, 100.0, atom, channel="weak", **options)


def test_mu_does_not_enter():
    atom = response("Ge", "free")
    a, b = (float(cross_section(1.0, 100.0, atom, mu, channel="weak")) for mu in (0.0, 1e-10))
    assert a == b > 0.0


def test_vector_part_on_the_relativistic_shell_is_the_free_one(monkeypatch, agree):
    """S = (2m+T) δ(Q² − T² − 2mT), R = T δ(…) (with spin) give the exact free one for g_A = 0."""
    monkeypatch.setattr("jaxnu.cross_sections.weak.G_A", 0.0)
    T, E = (x.ravel() for x in np.meshgrid([0.1, 5.0, 60.0], [200.0, 1000.0, 5000.0]))
    Q = np.sqrt(T**2 + 2.0 * M * T)
    k_S, k_R = weak_kernels(T, E, Q, 1.0, False)
    agree("vector part", (2.0 * M + T) * k_S + T * k_R, weak_free(T, E, 1.0, False), 1e-12)


def test_equivalent_photon_has_no_weak_cross_section():
    photon = response("Ge", "equivalent-photon", photoabsorption="hydrogenic")
    with pytest.raises(InputError, match="leaves out S"):
        cross_section(20.0, 1000.0, photon, channel="weak")
    assert float(photon.shells[0].electrons) == 1.0
