"""Coulomb functions against power series, asymptotic series, integration and limits."""

import math
from decimal import Decimal, localcontext

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import jv, loggamma, spherical_jn, spherical_yn, yv

from jaxnu.errors import InputError
from jaxnu.numerics.coulomb import coulomb_functions

ETA = np.array([0.0, -0.01, -0.3, -1.0, -4.0, -20.0, -70.0, -200.0])
RHO = np.array([0.1, 0.5, 1.0, 3.0, 10.0, 40.0, 150.0, 600.0, 5000.0])
L_MAX = 60
POINTS = [
    (-0.1, 0.1), (-1.0, 0.3), (-1.0, 10.0), (-5.0, 3.0), (-20.0, 1.0), (-70.0, 3.0),
    (-200.0, 0.1), (-200.0, 1.0), (0.0, 5.0), (-2.0, 30.0),
]  # fmt: skip


def power_series(eta, rho, l):
    """F_l and F_l' by DLMF 33.6.1, summed with 120 digits."""
    with localcontext() as context:
        context.prec = 120
        e, r = Decimal(eta), Decimal(rho)
        older, newer, power = Decimal(1), e / (l + 1), r
        value, slope = older + newer * r, (l + 1) * older + (l + 2) * newer * r
        for k in range(2, 3000):
            older, newer = newer, (2 * e * newer - older) / (k * (k + 2 * l + 1))
            power *= r
            value += newer * power
            slope += (l + 1 + k) * newer * power
            size = max(abs(older), abs(newer)) * power * (l + k)
            if k > 2 * rho + 5 and size < Decimal(10) ** -60:
                break
        value, slope = float(value), float(slope)
    log_C = l * math.log(2) - math.pi * eta / 2 + loggamma(l + 1 + 1j * eta).real
    C = math.exp(log_C - math.lgamma(2 * l + 2))
    return C * value * rho ** (l + 1), C * slope * rho**l


def asymptotic(eta, rho, l):
    """F, G by DLMF 33.11.1–33.11.7, summed to the smallest term."""
    f, g, total_f, total_g, last = 1.0, 0.0, 1.0, 0.0, np.inf
    for k in range(200):
        a = (2 * k + 1) * eta / ((2 * k + 2) * rho)
        b = (l * (l + 1) - k * (k + 1) + eta**2) / ((2 * k + 2) * rho)
        f, g = a * f - b * g, a * g + b * f
        size = math.hypot(f, g)
        if size > last or size < 1e-20:
            break
        last = size
        total_f, total_g = total_f + f, total_g + g
    sigma = loggamma(l + 1 + 1j * eta).imag
    theta = rho - eta * math.log(2 * rho) - l * math.pi / 2 + sigma
    return (
        total_g * math.cos(theta) + total_f * math.sin(theta),
        total_f * math.cos(theta) - total_g * math.sin(theta),
    )


@pytest.fixture(scope="module")
def table():
    return coulomb_functions(ETA[:, None], RHO, L_MAX)


def test_wronskian(table):
    worst = jnp.max(jnp.abs(table.dF * table.G - table.F * table.dG - 1.0))
    print(f"Wronskian − 1: {worst:.2e}")
    assert worst < 1e-12


def test_without_charge_they_are_spherical_bessel_functions(table):
    l = np.arange(L_MAX + 1)
    rho = RHO[:, None]
    F, G = rho * spherical_jn(l, rho), -rho * spherical_yn(l, rho)
    amplitude = np.hypot(F, G)
    worst_F = np.max(np.abs(table.F[0] - F) / np.minimum(amplitude, 1.0))
    worst_G = np.max(np.abs(table.G[0] - G) / amplitude)
    inside = np.abs(F) < 1e-3 * amplitude
    relative = np.max(np.abs(table.F[0] / F - 1.0)[inside])
    print(f"η = 0: F {worst_F:.2e}, G {worst_G:.2e}, F in the barrier, relative {relative:.2e}")
    assert max(worst_F, worst_G, relative) < 1e-10


def test_power_series():
    """Power series: value, slope, sign and normalisation of F_l."""
    worst = 0.0
    for eta, rho in POINTS:
        f = coulomb_functions(eta, rho, L_MAX)
        for l in (0, 1, 2, 5, 17, 60):
            F, dF = power_series(eta, rho, l)
            scale = max(abs(F), abs(dF) * rho / (l + 1))
            worst = max(worst, abs(f.F[l] - F) / scale, abs(f.dF[l] - dF) * rho / scale / (l + 1))
    print(f"power series, relative: {worst:.2e}")
    assert worst < 1e-11


def test_asymptotic_series_fixes_phase_and_irregular_function():
    worst = 0.0
    for eta, rho in [(0.0, 900.0), (-0.5, 300.0), (-3.0, 500.0), (-10.0, 4000.0), (-30.0, 2e4)]:
        f = coulomb_functions(eta, rho, 12)
        for l in (0, 1, 4, 12):
            F, G = asymptotic(eta, rho, l)
            worst = max(worst, abs(f.F[l] - F), abs(f.G[l] - G))
    print(f"asymptotic series: {worst:.2e}")
    assert worst < 1e-10


def test_three_term_recurrence(table):
    """DLMF 33.4.1 without derivatives, for F and G."""
    l = np.arange(1, L_MAX)
    eta, rho = ETA[:, None, None], RHO[:, None]
    low, high = (l + 1) * np.hypot(l, eta), l * np.hypot(l + 1, eta)
    middle = (2 * l + 1) * (eta + l * (l + 1) / rho)
    for name in ("F", "G"):
        X = np.asarray(getattr(table, name))
        terms = np.stack([low * X[..., :-2], -middle * X[..., 1:-1], high * X[..., 2:]])
        scale = np.max(np.abs(terms), axis=0)
        worst = np.max(np.abs(terms.sum(axis=0)) / scale)
        print(f"recurrence of {name}: {worst:.2e}")
        assert worst < 1e-10


@pytest.mark.parametrize(("eta", "l"), [(-1.0, 0), (-6.0, 3), (-0.2, 10)])
def test_integration_of_the_wave_equation(eta, l):
    """Both solutions carried from ρ = 15 to ρ = 120 by solve_ivp."""
    ends = coulomb_functions(eta, np.array([15.0, 120.0]), l)
    for name in ("F", "G"):
        X, dX = getattr(ends, name)[:, l], getattr(ends, "d" + name)[:, l]
        run = solve_ivp(
            lambda r, y: [y[1], -(1 - 2 * eta / r - l * (l + 1) / r**2) * y[0]],
            (15.0, 120.0), [float(X[0]), float(dX[0])], method="DOP853", rtol=1e-12, atol=1e-13,
        )  # fmt: skip
        worst = max(abs(run.y[0, -1] - X[1]), abs(run.y[1, -1] - dX[1]))
        print(f"integration, {name}, η = {eta}, l = {l}: {worst:.2e}")
        assert worst < 1e-9


def test_zero_energy_limit():
    """At fixed radius F_l → sqrt(πρ) J_{2l+1}(z), G_l → −sqrt(πρ) Y_{2l+1}(z), z = sqrt(8|η|ρ)."""
    Zr = 20.0  # |η|ρ, the radius in units of the Bohr radius over Z
    z, l, errors = math.sqrt(8 * Zr), np.arange(4), []
    for eta in (-20.0, -60.0, -180.0):
        f = coulomb_functions(eta, Zr / abs(eta), 3)
        scale = math.sqrt(math.pi * Zr / abs(eta))
        regular, irregular = scale * jv(2 * l + 1, z), -scale * yv(2 * l + 1, z)
        norm = np.hypot(regular, irregular)
        errors.append(float(np.max(np.hypot(f.F - regular, f.G - irregular) / norm)))
        print(f"zero-energy limit, η = {eta}: {errors[-1]:.2e}")
    # the error falls like 1/η², the energy
    assert errors[2] < 0.01
    assert errors[0] / errors[1] == pytest.approx(9.0, rel=0.3)
    assert errors[1] / errors[2] == pytest.approx(9.0, rel=0.1)


def test_eager_jit_vmap_agree():
    eta, rho = jnp.array([-0.4, -2.0]), jnp.array([12.0, 33.0])
    eager = coulomb_functions(eta, rho, 5)
    compiled = jax.jit(coulomb_functions, static_argnums=2)(eta, rho, 5)
    mapped = jax.vmap(lambda e, r: coulomb_functions(e, r, 5))(eta, rho)
    for other in (compiled, mapped):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), eager, other)


def test_traced_values_out_of_range_give_nan():
    compiled = jax.jit(jax.vmap(lambda e, r: coulomb_functions(e, r, 2).F))
    eta, rho = jnp.array([-1.0, 0.5, -1.0, jnp.nan]), jnp.array([3.0, 3.0, -3.0, 3.0])
    assert jnp.isnan(compiled(eta, rho)).all(axis=-1).tolist() == [False, True, True, True]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [((0.5, 3.0, 2), "eta = 0.5"), ((-1.0, 0.0, 2), "rho = 0"), ((-1.0, 3.0, -1), "l_max = -1")],
)
def test_bad_inputs_are_named(arguments, word):
    with pytest.raises(InputError, match=word):
        coulomb_functions(*arguments)
