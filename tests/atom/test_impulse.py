"""Compton profiles of hydrogen and the impulse form against exact integrals and closed forms."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import gegenbauer

from jaxnu.atom.impulse import compton_profile, impulse_current, impulse_density, momentum_orbital
from jaxnu.errors import InputError

ORBITALS = {
    "1s": (1, 0, lambda r: 2 * r * np.exp(-r)),
    "2s": (2, 0, lambda r: r * (1 - r / 2) * np.exp(-r / 2) / math.sqrt(2)),
    "2p": (2, 1, lambda r: r**2 * np.exp(-r / 2) / math.sqrt(24)),
    "3d": (3, 2, lambda r: 4 / (81 * math.sqrt(30)) * r**3 * np.exp(-r / 3)),
}
P_MAX = 100.0  # divided by n, as the mesh is stretched by n


def mesh(n, r_max=45.0, panels=400):
    """Composite Gauss–Legendre in sqrt(r), dense at the nucleus."""
    x, w = np.polynomial.legendre.leggauss(16)
    edges = np.linspace(0.0, math.sqrt(n * r_max), panels + 1)
    half = 0.5 * np.diff(edges)
    t = (0.5 * (edges[1:] + edges[:-1]))[:, None] + half[:, None] * x
    return (t**2).ravel(), (2 * t * half[:, None] * w).ravel()


@pytest.fixture(scope="module")
def profiles():
    made = {}
    for name, (n, l, P) in ORBITALS.items():
        r, w = mesh(n)
        made[name] = compton_profile(r, w, P(r), l, P_MAX / n)
    return made


def chi_exact(n, l, p):
    """Podolsky & Pauling, Phys. Rev. 34 (1929) 109."""
    norm = math.sqrt(2 / math.pi * math.factorial(n - l - 1) / math.factorial(n + l))
    norm *= n**2 * 2 ** (2 * l + 2) * math.factorial(l)
    s = (n * p) ** 2
    polynomial = gegenbauer(n - l - 1, l + 1)((s - 1) / (s + 1))
    return norm * (n * p) ** l / (s + 1) ** (l + 2) * polynomial


@pytest.mark.parametrize("name", ORBITALS)
def test_momentum_orbital(name):
    n, l, P = ORBITALS[name]
    p = np.concatenate([[0.0], np.geomspace(1e-3, P_MAX / n, 80)])
    r, w = mesh(n)
    chi = np.abs(momentum_orbital(r, w, P(r), l, jnp.asarray(p)))
    exact = np.abs(chi_exact(n, l, p))
    worst = np.max(np.abs(chi - exact)) / np.max(exact)
    print(f"{name} χ: {worst:.2e}")
    assert worst < 1e-12


@pytest.mark.parametrize("name", ORBITALS)
def test_profile_against_quadrature_of_the_exact_momentum_density(name, profiles):
    n, l, _ = ORBITALS[name]
    p = np.array([0.0, 0.03, 0.11, 0.25, 0.5, 1.0, 2.0, 5.0, 30.0, 90.0, 400.0])
    density = lambda k: 0.5 * k * chi_exact(n, l, k) ** 2  # noqa: E731
    tolerance = {"epsabs": 0.0, "epsrel": 1e-11, "limit": 400}
    J = np.array([quad(density, q, max(4 * q, 3.0), **tolerance)[0] for q in p])
    J += [quad(density, max(4 * q, 3.0), np.inf, **tolerance)[0] for q in p]
    worst = np.abs(np.asarray(profiles[name].J(p)) / J - 1.0)
    even = np.max(np.abs(profiles[name].J(-p) - profiles[name].J(p)))
    print(f"{name} J, relative: {worst[p < 10.0].max():.2e}, to p = 400: {worst.max():.2e}")
    assert worst[p < 10.0].max() < 1e-8
    assert worst.max() < 3e-3  # the power law begins at 100/n: relative corrections 1/(np)²
    assert even == 0.0


def test_hydrogen_ground_state_closed_forms(profiles):
    """J = 8/[3π(1+p²)³], K = 2/[3π(1+p²)²]."""
    p = np.linspace(0.0, 6.0, 61)
    J, K = 8 / (3 * np.pi * (1 + p**2) ** 3), 2 / (3 * np.pi * (1 + p**2) ** 2)
    worst_J = np.max(np.abs(profiles["1s"].J(p) - J))
    worst_K = np.max(np.abs(profiles["1s"].K(p) - K))
    print(f"1s J {worst_J:.2e}, K {worst_K:.2e}")
    assert worst_J < 1e-12 and worst_K < 1e-11


@pytest.mark.parametrize("name", ORBITALS)
def test_norms_and_kinetic_energy(name, profiles):
    """∫J dp = 1; 3 ∫p_z² J dp/2 is the kinetic energy 1/(2n²)."""
    profile, n = profiles[name], ORBITALS[name][0]
    u, w = np.polynomial.legendre.leggauss(400)
    top = math.asinh(1e6)
    p = 0.1 * np.sinh(0.5 * top * (u + 1))
    w = 0.5 * top * w * 0.1 * np.cosh(0.5 * top * (u + 1))
    total, energy = 2 * np.sum(w * profile.J(p)), 3 * np.sum(w * p**2 * profile.J(p))
    print(f"{name}: 1 − ∫J {1 - total:.1e}, attribute {1 - profile.norm:.1e}, E {energy:.9f}")
    assert total == pytest.approx(1.0, abs=1e-11)
    assert profile.norm == pytest.approx(1.0, abs=1e-11)
    assert energy == pytest.approx(0.5 / n**2, rel=1e-8)


@pytest.mark.parametrize("name", ORBITALS)
@pytest.mark.parametrize("T", [0.7, 6.0, 80.0])
def test_transfer_integrals_are_the_electron_number(name, T, profiles):
    """I1 = T∫S dQ²/Q² = n_e and I0 = ∫S dQ²/2 = n_e at any T above the threshold."""
    u, w = np.polynomial.legendre.leggauss(600)
    top = math.asinh(1e5)
    p, w = 0.1 * np.sinh(top * u), top * w * 0.1 * np.cosh(top * u)
    root = np.sqrt(p**2 + 2 * T)
    Q = np.where(p > 0, 2 * T / (root + np.abs(p)), root + np.abs(p))  # p = T/Q − Q/2
    dQ = w / (T / Q**2 + 0.5)
    S = np.asarray(impulse_density(T, Q, profiles[name], 0.6, 5.0))
    I1, I0 = np.sum(2 * T / Q * S * dQ), np.sum(Q * S * dQ)
    print(f"{name}, T = {T}: I1 − 5 {I1 - 5:.1e}, I0 − 5 {I0 - 5:.1e}")
    assert abs(I1 - 5.0) < 1e-9
    assert abs(I0 - 5.0) < 1e-9
    assert not np.any(impulse_density(0.5, Q, profiles[name], 0.6, 5.0))
    assert not np.any(impulse_current(0.5, Q, profiles[name], 0.6, 5.0))


def exact_1s(T, Q):
    """Closed forms of S and R for the hydrogen ground state, continuum, atomic units."""
    k = math.sqrt(2 * T - 1)
    D = (Q**2 + 1 + k**2) ** 2 - 4 * Q**2 * k**2
    shape = 3 * Q**2 + 1 + k**2
    S = 2**8 * Q**2 * shape / (3 * D**3 * -np.expm1(-2 * np.pi / k))
    S = S * np.exp(-2 / k * np.arctan2(2 * k, Q**2 - k**2 + 1))
    return S, S * 0.5 * T * D / (Q**2 * shape)


def test_ridge_limit_of_the_exact_response(profiles):
    """On the ridge, at fixed p_z, S and R approach the impulse form like T^{−1/2}."""
    p = np.linspace(-1.5, 1.5, 61)
    errors = []
    for T in (50.0, 200.0, 800.0, 3200.0):
        Q = np.sqrt(p**2 + 2 * T) - p
        S, R_exact = exact_1s(T, Q)
        dS = np.max(np.abs(impulse_density(T, Q, profiles["1s"], 0.5, 1.0) - S)) / np.max(S)
        dR = np.max(np.abs(impulse_current(T, Q, profiles["1s"], 0.5, 1.0) - R_exact))
        errors.append((dS, dR / np.max(R_exact)))
        print(f"T = {T}: S {errors[-1][0]:.2e}, R {errors[-1][1]:.2e} of the ridge height")
    errors = np.array(errors)
    assert errors[-1].max() < 0.03
    np.testing.assert_allclose(errors[1:] / errors[:-1], 0.5, atol=0.06)


@pytest.mark.slow
def test_grad_jit_vmap(profiles):
    profile, p = profiles["2s"], jnp.array([0.0, 0.2, 1.3, 20.0])
    slope = jax.vmap(jax.grad(profile.J))(p)
    expected = -0.5 * np.asarray(p) * chi_exact(2, 0, np.asarray(p)) ** 2
    np.testing.assert_allclose(slope, expected, atol=1e-12)
    np.testing.assert_allclose(jax.grad(profile.K)(0.7), -0.7 * profile.J(0.7), rtol=1e-9)
    compiled = jax.jit(impulse_density)(3.0, p + 0.5, profile, 0.1, 2.0)
    mapped = jax.vmap(lambda Q: impulse_density(3.0, Q, profile, 0.1, 2.0))(p + 0.5)
    eager = impulse_density(3.0, p + 0.5, profile, 0.1, 2.0)
    np.testing.assert_allclose(compiled, eager, rtol=1e-11)
    np.testing.assert_allclose(mapped, eager, rtol=1e-11)
    # continuous at p_max, where panels end and the power law begins
    ends = profile.J(jnp.array([50.0 * (1 - 1e-9), 50.0 * (1 + 1e-9)]))
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-7)


def test_bad_inputs_are_named():
    R, W = mesh(1)
    P = ORBITALS["1s"][2](R)
    with pytest.raises(InputError, match=r"p_max = 1000 a\.u\. is outside"):
        compton_profile(R, W, P, 0, 1000.0)
    with pytest.raises(InputError, match=r"∫P² dr = 4"):
        compton_profile(R, W, 2 * P, 0, 50.0)
    with pytest.raises(InputError, match="l = -1"):
        compton_profile(R, W, P, -1, 50.0)
