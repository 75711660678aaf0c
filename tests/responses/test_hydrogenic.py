"""The 1s electron in closed form: numbers, sum rules, gauge, threshold, photoabsorption."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from jaxnu import response
from jaxnu.constants import (
    FINE_STRUCTURE,
    ATOMIC_MOMENTUM_keV,
    ELECTRON_MASS_keV,
)

# α²m, to which the closed form scales exactly; CODATA's E_h differs by 1.4e-11, 7 times that in S
HARTREE_keV = ATOMIC_MOMENTUM_keV**2 / ELECTRON_MASS_keV
ALPHA = FINE_STRUCTURE
# Hartree units, Z = 1: T, Q, S, R, from two derivations that do not use the closed form
TABLE = np.array([
    [0.75, 1.0, 0.589676953553, 0.20884392105],
    [1.0, 0.5, 0.0485802887065, 0.143532671178],
    [1.0, 1.0, 0.373536738647, 0.186768369324],
    [2.0, 2.0, 0.408780093275, 0.102195023319],
    [5.0, 2.0, 0.0144419925732, 0.0213347617559],
    [20.0, 4.0, 0.000311680990799, 0.00141673177636],
])  # fmt: skip


@jax.jit
def both(atom, T, Q):
    return atom.longitudinal(T, Q), atom.transverse(T, Q)


@jax.jit
def line_strengths(atom, Q):
    n = jnp.arange(atom.lines().T_keV.shape[0])
    density = jax.vmap(lambda n: atom.line_longitudinal(n, Q))(n)
    return density, jax.vmap(lambda n: atom.line_transverse(n, Q))(n)


@pytest.fixture(scope="module")
def hydrogen():
    return response("H", model="hydrogenic", last_n=1000)


@pytest.mark.parametrize("symbol", ["H", "Ge"])
def test_twelve_digits(symbol, agree):
    atom = response(symbol, model="hydrogenic")
    Z = atom.Z
    T, Q, S_au, R_au = TABLE.T
    S, R = both(atom, T * Z**2 * HARTREE_keV, Q * Z * ATOMIC_MOMENTUM_keV)
    # of a hydrogen-like ion: S = S_au/(Z²E_h), R = α² Z² R_au/(Z²E_h)
    agree(f"{symbol} S", S * Z**2 * HARTREE_keV, S_au, 1e-10)
    agree(f"{symbol} R", R * HARTREE_keV / ALPHA**2, R_au, 1e-10)


def continuum_integral(atom, Q, power):
    """∫ T^power S dT from threshold on, adaptively."""
    I = float(atom.thresholds_keV[0])
    kernel = jax.jit(atom.longitudinal)
    ridge = Q**2 / (2.0 * ELECTRON_MASS_keV)
    ends = np.unique([I, I + 0.5 * ridge, I + ridge, 2 * I + 2 * ridge, 10 * (I + ridge)])
    finite = sum(
        quad(lambda T: T**power * float(kernel(T, Q)), a, b, epsabs=0, epsrel=1e-11, limit=200)[0]
        for a, b in itertools.pairwise(ends)
    )
    # S falls like T^-4.5 and slower powers of it: in u = T^-1 the tail is smooth enough
    tail = quad(
        lambda u: float(kernel(1 / u, Q)) * u ** (-2.0 - power), 0.0, 1 / ends[-1], epsrel=1e-10
    )
    return finite + tail[0]


def line_sum(atom, Q, power):
    """Σ T_n^power |F_n|² with the rest of the Rydberg series, ∝ 1/n³ + c/n⁵."""
    T = np.asarray(atom.lines().T_keV)
    terms = T**power * np.asarray(line_strengths(atom, jnp.asarray(Q))[0])
    N = len(terms) + 1  # the last principal quantum number
    rest = terms[-1] * N**3 / (2.0 * (N + 0.5) ** 2)
    return terms.sum() + rest


@pytest.mark.parametrize("K", [0.3, 1.0, 2.5])
def test_static_sum_is_one_minus_the_elastic_part(hydrogen, K, agree):
    Q = K * ATOMIC_MOMENTUM_keV
    elastic = (1.0 + K**2 / 4.0) ** -4
    total = continuum_integral(hydrogen, Q, 0) + line_sum(hydrogen, Q, 0)
    agree(f"static sum at Q = {K} p0", total, 1.0 - elastic, 1e-8)


@pytest.mark.parametrize("K", [0.3, 1.0, 2.5])
def test_f_sum(hydrogen, K, agree):
    Q = K * ATOMIC_MOMENTUM_keV
    total = continuum_integral(hydrogen, Q, 1) + line_sum(hydrogen, Q, 1)
    agree(f"f-sum at Q = {K} p0", total, Q**2 / (2.0 * ELECTRON_MASS_keV), 1e-8)


def test_lines_are_those_of_the_balmer_formula(hydrogen):
    n = np.arange(2, 12)
    T = np.asarray(hydrogen.lines().T_keV)[: len(n)]
    np.testing.assert_allclose(T, 0.5 * HARTREE_keV * (1.0 - 1.0 / n**2), rtol=1e-9)
    assert not np.any(hydrogen.lines().shell)


def test_dipole_strengths_of_the_lyman_lines(hydrogen, agree):
    """f_n = 2m T_n |F_n|²/Q² as Q → 0: 0.41620, 0.07910, 0.02899 (Bethe and Salpeter, table 13)."""
    Q = 1e-4 * ATOMIC_MOMENTUM_keV
    F2 = np.asarray(line_strengths(hydrogen, jnp.asarray(Q))[0])[:3]
    f = 2.0 * ELECTRON_MASS_keV * np.asarray(hydrogen.lines().T_keV)[:3] * F2 / Q**2
    agree("oscillator strengths", f, [0.41620, 0.07910, 0.02899], 1e-4)


@pytest.mark.parametrize("symbol", ["H", "Ge"])
def test_gauge_R_at_small_Q_is_T_squared_S_over_Q_squared(symbol, agree):
    atom = response(symbol, model="hydrogenic")
    I = float(atom.thresholds_keV[0])
    T = I * np.array([1.0, 1.3, 3.0, 30.0])
    Q = 1e-4 * np.sqrt(2.0 * ELECTRON_MASS_keV * I)
    S, R = both(atom, T, Q)
    agree(f"{symbol} gauge, continuum", R, T**2 * S / Q**2, 1e-6)
    S, R = line_strengths(atom, jnp.asarray(Q))
    T = np.asarray(atom.lines().T_keV)
    agree(f"{symbol} gauge, lines", R, T**2 * S / Q**2, 1e-6)


def test_lines_join_the_continuum_at_threshold(hydrogen, agree):
    """|F_n|² n³/2I → S(T = I): the strength per unit energy of the Rydberg series."""
    Q = jnp.asarray(1.3 * ATOMIC_MOMENTUM_keV)
    I = float(hydrogen.thresholds_keV[0])
    n = 1000.0
    S, R = both(hydrogen, I, Q)
    density, current = line_strengths(hydrogen, Q)
    agree("S at threshold", density[-1] * n**3 / (2.0 * I), S, 1e-5)
    agree("R at threshold", current[-1] * n**3 / (2.0 * I), R, 1e-5)


def test_zero_below_threshold(hydrogen):
    I = float(hydrogen.thresholds_keV[0])
    T = I * np.array([0.1, 0.9, 1.0 - 1e-12])
    for part in both(hydrogen, T, np.array([0.1, 3.0, 50.0])):
        np.testing.assert_array_equal(part, 0.0)
    gradient = jax.jit(jax.grad(lambda T: hydrogen.longitudinal(T, 3.0)))(0.5 * I)
    assert float(gradient) == 0.0


def test_threshold_itself_counts_as_above(hydrogen):
    S, R = both(hydrogen, hydrogen.thresholds_keV[0], 3.0)
    assert float(S) > 0.0 and float(R) > 0.0


@pytest.mark.parametrize("K", [0.05, 1.0, 6.0])
@pytest.mark.parametrize("part", ["longitudinal", "transverse"])
def test_gradient_at_threshold_is_the_one_sided_difference(hydrogen, part, K, agree):
    I = float(hydrogen.thresholds_keV[0])
    f = jax.jit(lambda T: getattr(hydrogen, part)(T, K * ATOMIC_MOMENTUM_keV))
    h = 0.01 * I
    # forward difference of fifth order
    weights = np.array([-137.0, 300.0, -300.0, 200.0, -75.0, 12.0]) / (60.0 * h)
    numeric = sum(w * float(f(I + k * h)) for k, w in enumerate(weights))
    agree(f"d{part}/dT at threshold, Q = {K} p0", jax.jit(jax.grad(f))(I), numeric, 1e-6)


def test_smooth_across_the_series_switch(hydrogen):
    """The Coulomb factor changes its evaluation at small pe: no step there."""
    I = float(hydrogen.thresholds_keV[0])
    x = np.geomspace(1e-6, 0.1, 4001)
    S = np.asarray(both(hydrogen, I * (1.0 + x), 1.1 * ATOMIC_MOMENTUM_keV)[0])
    curvature = np.diff(np.log(S), 2)
    jump = np.max(np.abs(np.diff(curvature)))
    print(f"largest change of the second difference of ln S near threshold: {jump:.1e}")
    assert jump < 1e-7


def test_photoabsorption_at_threshold_is_6_304_megabarn(hydrogen, agree):
    sigma = jax.jit(hydrogen.photoabsorption_cm2)(hydrogen.thresholds_keV[0])
    agree("σ_γ of hydrogen at threshold, Mb", float(sigma) * 1e18, 6.304, 1e-4)


def test_photoabsorption_is_stobbes(agree):
    """σ_γ in dipole form (Stobbe 1930), 2⁹π²/3 α a0² (I/T)⁴ e^{−4η acot η}/(1 − e^{−2πη})."""
    atom = response("H", model="hydrogenic")
    I = float(atom.thresholds_keV[0])
    T = I * np.array([1.2, 2.0, 5.0])
    eta = 1.0 / np.sqrt(T / I - 1.0)
    a0_cm = 5.29177210903e-9
    stobbe = 2.0**9 * np.pi**2 / 3.0 * ALPHA * a0_cm**2 * (I / T) ** 4
    stobbe *= np.exp(-4.0 * eta * np.arctan(1.0 / eta)) / (1.0 - np.exp(-2.0 * np.pi * eta))
    # retardation is of order (αZ)², 1e-4 here
    agree("σ_γ against the dipole form", jax.jit(atom.photoabsorption_cm2)(T), stobbe, 5e-4)


def test_two_electrons_count_twice():
    one = response("Ge", model="hydrogenic")
    two = response("Ge", model="hydrogenic", electrons=2)
    for a, b in zip(both(one, 20.0, 100.0), both(two, 20.0, 100.0), strict=True):
        assert float(b) == pytest.approx(2.0 * float(a), rel=1e-15)
    line_one, line_two = (np.asarray(line_strengths(a, 100.0)[0]) for a in (one, two))
    np.testing.assert_allclose(line_two, 2.0 * line_one, rtol=1e-15)
