"""Electrons of an atom: closed forms, X-ray form factors, and scattering on the atom as a whole."""

import jax
import numpy as np
import pytest
from scipy.optimize import brentq

from jaxnu import electron_cloud, flux, nuclear_cross_section, nuclear_rate
from jaxnu.constants import (
    SIN2_WEINBERG,
    ATOMIC_MASS_keV,
    ATOMIC_MOMENTUM_keV,
    HBARC_keV_cm,
    SIGMA0_cm2,
)
from jaxnu.cross_sections import nuclear
from jaxnu.cross_sections.form_factors import LAST_keV
from jaxnu.elements import element, isotopes
from jaxnu.errors import InputError

S2 = SIN2_WEINBERG


@pytest.mark.slow
def test_hydrogen_has_its_closed_form(agree):
    Q = np.array([0.0, 1e-3, 0.03, 0.5, 1.7, 5.0, 30.0, 200.0])
    expected = 1.0 / (1.0 + 0.25 * Q**2) ** 2
    got = electron_cloud("H").form_factor(Q * ATOMIC_MOMENTUM_keV)
    agree("H", got, expected, 1e-8, scale=1.0)
    agree("H at 30 a.u.", got[6], expected[6], 1e-4)
    agree("H beyond the last node", electron_cloud("H").form_factor(2 * LAST_keV),
          1.0 / (1.0 + (300.0) ** 2) ** 2, 1e-3)  # fmt: skip


def test_helium_is_the_hartree_fock_one(agree):
    """<r²> of Hartree–Fock helium, 1.18483 a.u. per electron."""
    Q = 0.02
    F = float(electron_cloud("He").form_factor(Q * ATOMIC_MOMENTUM_keV))
    agree("Σ<r²>", 6.0 * (2.0 - F) / Q**2, 2 * 1.18483, 3e-4)


@pytest.mark.parametrize("symbol", ["He", "Ne", "Ar", "Ge", "Xe"])
def test_form_factors_of_x_ray_scattering(symbol, agree):
    """Waasmaier and Kirfel's fits to relativistic Hartree–Fock ones, as xraydb has them."""
    xraydb = pytest.importorskip("xraydb")
    s = np.array([0.0, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0])  # sin θ/λ [1/Å], Q = 4π s
    Q = 4.0 * np.pi * s * HBARC_keV_cm * 1e8
    got = electron_cloud(symbol).form_factor(Q)
    agree(symbol, got, xraydb.f0(symbol, s), 0.02, scale=element(symbol).Z)


# ---- the whole atom ------------------------------------------------------------------------------


def weak_zero_meV(flavor="nu_e"):
    """Recoil of 4He at which the coherent weak cross section vanishes, from its two flanks."""
    cloud, row = electron_cloud("He"), isotopes("He")[1]
    targets = nuclear.nuclei("He", whole_atom=True)
    M = row.mass_u * ATOMIC_MASS_keV

    def amplitude(T):
        Q = np.sqrt(2.0 * M * T)
        charges = nuclear.amplitudes(np.asarray(Q), targets.Z, 4.0, cloud, "helm")
        return float(charges.weak_e if flavor == "nu_e" else charges.weak_x)

    return 1e6 * brentq(amplitude, 1e-6, 1e-4)


def test_zero_of_helium(agree, monkeypatch):
    """Where nucleus and electrons cancel for ν_e; none for ν_μ."""
    agree("sin²θ_W = 0.23857, meV", weak_zero_meV(), 8.62, 0.01)
    monkeypatch.setattr(nuclear, "SIN2_WEINBERG", 0.220)
    agree("sin²θ_W = 0.220, meV", weak_zero_meV(), 9.26, 0.01)
    with pytest.raises(ValueError, match="different signs"):
        weak_zero_meV("nu_mu")


@pytest.mark.parametrize("symbol", ["He", "Ge", "Xe"])
def test_a_neutral_atom_at_long_wavelength(symbol, agree):
    """Weak charge N − 2Z for ν_e and N for ν_μ: for the Z boson an electron undoes a proton;
    electric charge none."""
    cloud, Z = electron_cloud(symbol), element(symbol).Z
    for row in isotopes(symbol):
        charges = nuclear.amplitudes(np.asarray(0.0), float(Z), float(row.A), cloud, "helm")
        agree(f"{symbol}-{row.A}, ν_e", charges.weak_e, row.A - 3.0 * Z, 1e-9, scale=row.A)
        agree(f"{symbol}-{row.A}, ν_μ", charges.weak_x, row.A - Z, 1e-9, scale=row.A)
        agree(f"{symbol}-{row.A}, charge", charges.charge, 0.0, 1e-9, scale=Z)


def test_amplitude_is_the_sum_over_constituents(agree):
    """Vector couplings: p ½ − 2s², n −½, e 2s² ± ½ (+ for ν_e); Q_w is −2 times the sum."""
    cloud = electron_cloud("Ge")
    Q = np.geomspace(0.1, 50.0, 12)
    got = nuclear.amplitudes(Q, 32.0, 74.0, cloud, "none")
    F = np.asarray(cloud.form_factor(Q))
    for name, sign in (("weak_e", 1.0), ("weak_x", -1.0)):
        total = 32 * (0.5 - 2 * S2) - 42 * 0.5 + F * (2 * S2 + 0.5 * sign)
        agree(name, getattr(got, name), -2.0 * total, 1e-12, scale=74.0)


def test_screening_sets_in_at_the_atomic_radius(agree):
    """Q = Z^{1/3} αm is T = 3.0, 1.0, 0.8 meV for He, Ge, Xe; there F_el is some half of Z; at
    100 eV nothing is left of it."""
    for symbol, meV in (("He", 3.0), ("Ge", 1.0), ("Xe", 0.8)):
        cloud, Z = electron_cloud(symbol), element(symbol).Z
        M = element(symbol).weight * ATOMIC_MASS_keV
        Q = Z ** (1 / 3) * ATOMIC_MOMENTUM_keV
        agree(f"{symbol}, meV", Q**2 / (2 * M) * 1e6, meV, 0.05)  # one digit
        F = float(cloud.form_factor(Q)) / Z
        print(f"{symbol}: F_el/Z = {F:.3f}")
        assert 0.4 < F < 0.8
    for channel in ("weak", "magnetic", "charge-radius", "millicharge"):
        bare, whole = (
            float(nuclear_cross_section(0.1, 3000.0, "Ge", channel=channel, electrons=e))
            for e in (None, electron_cloud("Ge"))
        )
        # the atom is heavier by its electrons: 2.4e-4
        agree(f"{channel} on Ge at 100 eV", whole, bare, 1e-3)


def test_magnetic_scattering_is_screened(agree):
    T, E = np.array([1e-7, 1e-6, 1e-5]), 300.0
    got = nuclear_cross_section(
        T, E, "F", 1e-11, "magnetic", electrons=electron_cloud("F"), form_factor="none"
    )
    M = isotopes("F")[0].mass_u * ATOMIC_MASS_keV
    F = np.asarray(electron_cloud("F").form_factor(np.sqrt(2 * M * T)))
    expected = SIGMA0_cm2 * 1e-22 * (9 - F) ** 2 * (1 / T - 1 / E)
    agree("fluorine", got, expected, 1e-12)


def test_rate_mixes_flavours(agree):
    """Solar neutrinos on helium at meV: P_ee of ν_e, the rest as ν_μ."""
    cloud = electron_cloud("He")
    source = flux.tabulated(
        [100.0, 400.0], [1e8, 1e8], survival_keV=[100.0, 400.0], survival=[0.6, 0.6]
    )
    T = np.array([3e-6, 8.62e-6, 5e-5])
    shares = [
        np.asarray(nuclear_rate(T, source, "He", flavors=flavors, electrons=cloud))
        for flavors in ("nu_e", "nu_x", "all")
    ]
    agree("sum", shares[0] + shares[1], shares[2], 1e-12)
    only = flux.tabulated([100.0, 400.0], [1e8, 1e8])
    expected = 0.6 * np.asarray(nuclear_rate(T, only, "He", electrons=cloud))
    agree("ν_e", shares[0], expected, 1e-12, scale=shares[2])  # a zero at 8.62 meV
    assert shares[0][1] < 1e-4 * shares[1][1]


@pytest.mark.slow
def test_gradient(slope, agree):
    cloud = electron_cloud("He")
    Q = np.array([0.02, 1.0, 9.0, 300.0])
    gradient = jax.vmap(jax.grad(cloud.form_factor))(Q)
    agree("dF/dQ", gradient, slope(cloud.form_factor, Q, 1e-3 * Q), 1e-5)


def test_bad_input():
    with pytest.raises(InputError, match="allowed: Z ≤ 55"):
        electron_cloud("W")
    with pytest.raises(InputError, match="electrons are those of 'He'"):
        nuclear_cross_section(0.1, 1e3, "Ge", electrons=electron_cloud("He"))
