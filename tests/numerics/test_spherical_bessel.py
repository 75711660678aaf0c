"""Spherical Bessel functions against series, sum rules, cross products and scipy."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import spherical_jn, spherical_yn

from jaxnu.errors import InputError
from jaxnu.numerics.spherical_bessel import bessel_scan, spherical_bessel_j

L_MAX = 200
ORDERS = np.arange(L_MAX + 1)


def report(label, worst):
    print(f"{label}: {worst:.2e}")


def test_small_arguments_follow_the_power_series():
    """j_L = x^L/(2L+1)!! · Σ (−x²/2)^n / [n! (2L+3)(2L+5)…], for all values above 1e-280."""
    x = np.concatenate([np.geomspace(1e-250, 1e-9, 60), np.geomspace(1e-8, 9.0, 200)])
    j = np.asarray(spherical_bessel_j(x, L_MAX))
    worst = 0.0
    for L in range(0, L_MAX + 1, 3):
        ok = x**2 < 2 * L + 3
        term = np.ones_like(x)
        series = np.ones_like(x)
        for n in range(1, 60):
            term = term * (-0.5 * x**2) / (n * (2 * L + 2 * n + 1))
            series = series + term
        log_value = L * np.log(x) - math.fsum(math.log(2 * k + 1) for k in range(L + 1))
        ok &= log_value > math.log(1e-280)
        value = np.exp(log_value) * series
        worst = max(worst, np.max(np.abs(j[ok, L] / value[ok] - 1.0), initial=0.0))
    report("series, relative", worst)
    assert worst < 2e-12


def test_underflow_is_zero_and_the_origin_exact():
    j = np.asarray(spherical_bessel_j(np.array([0.0, 1e-3]), L_MAX))
    assert j[0, 0] == 1.0 and not j[0, 1:].any()
    assert j[1, 0] == pytest.approx(math.sin(1e-3) / 1e-3, rel=1e-15)
    assert j[1, L_MAX] == 0.0 and np.isfinite(j).all()


def test_sum_rule():
    """Σ (2L+1) j_L² = 1 over all L, complete at L = 200 for x ≤ 150."""
    x = np.concatenate([[0.0], np.geomspace(1e-6, 150.0, 4000)])
    total = np.sum((2 * ORDERS + 1) * np.asarray(spherical_bessel_j(x, L_MAX)) ** 2, axis=-1)
    worst = np.max(np.abs(total - 1.0))
    report("sum rule − 1", worst)
    assert worst < 1e-12


def test_alternating_sum_is_a_plane_wave():
    """Σ (2L+1) i^L j_L(x) P_L(c) = e^{ixc}: signs and all orders at once."""
    x, c = np.linspace(0.0, 140.0, 300), 0.37
    j = np.asarray(spherical_bessel_j(x, L_MAX))
    legendre = np.array([np.polynomial.Legendre.basis(L)(c) for L in ORDERS])
    wave = np.sum((2 * ORDERS + 1) * 1j**ORDERS * legendre * j, axis=-1)
    worst = np.max(np.abs(wave - np.exp(1j * x * c)))
    report("plane wave", worst)
    assert worst < 1e-11


def test_cross_product_with_the_second_kind():
    """x² (j_{L+1} y_L − j_L y_{L+1}) = 1, also close to the turning point and at x = 5000."""
    x = np.concatenate([np.linspace(2.0, 260.0, 2000), np.geomspace(260.0, 5000.0, 500)])
    j = np.asarray(spherical_bessel_j(x, L_MAX))
    worst = 0.0
    for L in range(0, L_MAX, 7):
        ok = x > 0.3 * L
        with np.errstate(over="ignore"):
            y, y_next = spherical_yn(L, x[ok]), spherical_yn(L + 1, x[ok])
        product = x[ok] ** 2 * (j[ok, L + 1] * y - j[ok, L] * y_next)
        worst = max(worst, np.max(np.abs(product - 1.0)))
    report("cross product − 1", worst)
    assert worst < 1e-10


@pytest.mark.parametrize("L_max", [0, 1, 2, 7, 60, 220])
def test_agrees_with_scipy(L_max):
    turning = np.arange(0.5, 1.2 * L_max + 2, 0.5)
    x = np.concatenate([[0.0], np.geomspace(1e-6, 5000.0, 1000), turning])
    j = np.asarray(spherical_bessel_j(x, L_max))
    reference = np.stack([spherical_jn(L, x) for L in range(L_max + 1)], axis=-1)
    oscillates = x[:, None] > np.arange(L_max + 1)
    scale = np.where(oscillates, 1.0 / np.maximum(x, 1e-300)[:, None], np.abs(reference))
    ok = np.abs(reference) > 1e-280
    worst = np.max(np.abs(j - reference)[ok] / scale[ok])
    report(f"scipy, L_max = {L_max}", worst)
    assert worst < 1e-10


def test_scan_yields_each_order_once_and_matches():
    x = jnp.geomspace(1e-3, 900.0, 257).reshape(1, 257)
    scan = bessel_scan(x, 90)
    _, rows = jax.lax.scan(scan.step, scan.start, scan.orders)
    assert rows.shape == (91, 1, 257)
    np.testing.assert_array_equal(scan.orders, np.arange(90, -1, -1))
    np.testing.assert_allclose(
        rows[::-1], jnp.moveaxis(spherical_bessel_j(x, 90), -1, 0), rtol=1e-13, atol=1e-280
    )


def test_derivatives():
    """First derivative against DLMF 10.51.2 in scipy, second from the differential equation."""
    x = jnp.concatenate([jnp.geomspace(1e-3, 300.0, 200), jnp.array([60.0, 61.0])])
    L = np.arange(61)
    slope = jax.vmap(jax.jacfwd(lambda t: spherical_bessel_j(t, 60)))(x)
    reference = np.stack([spherical_jn(k, np.asarray(x), derivative=True) for k in L], axis=-1)
    worst = np.max(np.abs(slope - reference))
    report("j'", worst)
    assert worst < 1e-13
    curve = jax.vmap(jax.jacfwd(jax.jacrev(lambda t: spherical_bessel_j(t, 60))))(x)
    x = np.asarray(x)[:, None]
    residual = x**2 * curve + 2 * x * slope + (x**2 - L * (L + 1)) * spherical_bessel_j(x[:, 0], 60)
    worst = np.max(np.abs(residual) / (x**2 + L * (L + 1)))
    report("differential equation", worst)
    assert worst < 1e-13


def test_derivatives_at_the_origin():
    first = jax.jacfwd(lambda t: spherical_bessel_j(t, 4))(0.0)
    np.testing.assert_allclose(first, [0.0, 1 / 3, 0.0, 0.0, 0.0], atol=1e-16)
    second = jax.jacfwd(jax.jacfwd(lambda t: spherical_bessel_j(t, 4)))(0.0)
    np.testing.assert_allclose(second, [-1 / 3, 0.0, 2 / 15, 0.0, 0.0], atol=1e-16)


def test_eager_jit_vmap_agree_without_recompilation():
    x = jnp.linspace(0.0, 40.0, 33)
    traces = []

    @jax.jit
    def compiled(x):
        traces.append(1)
        return spherical_bessel_j(x, 20)

    eager = spherical_bessel_j(x, 20)
    np.testing.assert_allclose(compiled(x), eager, rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(
        jax.vmap(lambda t: spherical_bessel_j(t, 20))(x), eager, rtol=1e-12, atol=1e-300
    )
    compiled(x + 1.0)
    assert len(traces) == 1
    assert jnp.isnan(jax.jit(lambda t: spherical_bessel_j(t, 3))(-1.0)).all()


@pytest.mark.parametrize(
    ("x", "L_max", "word"), [(-1.0, 3, "x = -1"), (np.nan, 3, "x = nan"), (1.0, -1, "L_max = -1")]
)
def test_bad_inputs_are_named(x, L_max, word):
    with pytest.raises(InputError, match=word) as error:
        spherical_bessel_j(x, L_max)
    assert "\n" not in str(error.value)
