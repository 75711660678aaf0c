"""The monotone cubic is scipy's PCHIP curve, differentiable in its knots."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from jaxnu.numerics.interpolation import monotone_cubic

curve_through = jax.jit(monotone_cubic)
X = np.array([0.5, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 8.0])
CURVES = {
    "rising": [0.0, 0.07, 0.23, 0.44, 0.70, 0.78, 0.80, 0.81],
    "flat parts": [0.0, 0.0, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0],
    "up and down": [0.1, 0.9, 0.2, 0.3, 0.1, -0.7, 0.4, 0.0],
    "steep ends": [1.0, 0.0, 0.1, 0.2, 0.25, 0.2, 0.1, 5.0],
}


@pytest.mark.parametrize("name", CURVES)
def test_equals_pchip(name):
    y = np.array(CURVES[name])
    x = np.unique(np.concatenate([np.linspace(0.5, 8.0, 400), X]))
    worst = np.max(np.abs(curve_through(x, X, y) - PchipInterpolator(X, y)(x)))
    print(f"{name}: worst difference from PchipInterpolator {worst:.1e}")
    assert worst < 1e-13 * np.max(np.abs(y))


def test_constant_outside_the_knots():
    y = np.array(CURVES["rising"])
    x = jnp.array([-10.0, 0.49, 8.01, 1e3])
    np.testing.assert_array_equal(curve_through(x, X, y), [y[0], y[0], y[-1], y[-1]])
    gradient = jax.jit(jax.vmap(jax.grad(curve_through), (0, None, None)))(x, X, y)
    np.testing.assert_array_equal(gradient, 0.0)


def test_no_overshoot():
    x = jnp.linspace(0.0, 9.0, 2001)
    y = curve_through(x, X, np.array(CURVES["flat parts"]))
    assert np.all(np.diff(y) >= -1e-15) and np.min(y) >= 0.0 and np.max(y) <= 1.0 + 1e-15


@pytest.mark.parametrize("which", ["positions", "values"])
def test_gradient_in_the_knots_is_the_finite_difference(which, slope):
    x = jnp.linspace(0.55, 7.93, 13)  # none on a knot, where the curve is C¹ only
    y = np.array(CURVES["up and down"])
    weight = jnp.cos(jnp.arange(13.0))
    start = X if which == "positions" else y

    @jax.jit
    def total(k):
        knots, values = (k, y) if which == "positions" else (X, k)
        return weight @ monotone_cubic(x, jnp.asarray(knots), jnp.asarray(values))

    gradient = np.asarray(jax.jit(jax.grad(total))(start))
    numeric = [
        slope(lambda h, i=i: total(start + h * np.eye(len(start))[i]), 0.0, 1e-3)
        for i in range(len(start))
    ]
    worst = np.max(np.abs(gradient - numeric)) / np.max(np.abs(gradient))
    print(f"gradient in the knots' {which}: worst error {worst:.1e} of the largest")
    assert worst < 1e-7


def test_gradient_in_x_is_continuous_and_right(slope):
    y = jnp.asarray(CURVES["rising"])

    @jax.jit
    def curve(x):
        return monotone_cubic(x, jnp.asarray(X), y)

    d = jax.jit(jax.vmap(jax.grad(curve)))
    inner = jnp.asarray(X[1:-1])
    jump = np.max(np.abs(d(inner + 1e-9) - d(inner - 1e-9)))
    x = np.array([0.7, 1.1, 1.3, 1.8, 2.6, 4.2, 7.0])
    worst = np.max(np.abs(d(x) - slope(jax.vmap(curve), x, 1e-3)))
    print(f"derivative in x: jump at knots {jump:.1e}, worst error {worst:.1e}")
    assert jump < 1e-6 and worst < 1e-9
