"""Resolution and efficiency of a detector."""

import jax
import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator
from scipy.stats import norm

from jaxnu.detector import energy_resolution, selection_efficiency
from jaxnu.detector.curves import gaussian

OFFSET = np.array([-1.0, -0.5, 0.0, 0.5, 2.0, 20.0])
VALUES = np.array([0.0, 0.1, 0.4, 0.7, 0.79, 0.8])
efficiency = jax.jit(selection_efficiency)


def test_resolution_has_three_terms(agree):
    T = np.array([0.5, 1.0, 9.0, 30.0])
    got = jax.jit(energy_resolution)(T, np.array([0.05, 0.31, 0.0037]))
    agree("σ(T) in keV", got, 0.05 + 0.31 * np.sqrt(T) + 0.0037 * T, 1e-15)


def test_efficiency_is_the_curve_through_its_knots(agree):
    E = np.linspace(0.6, 21.0, 301)
    agree("ε(E)", efficiency(E, 1.5, OFFSET, VALUES), PchipInterpolator(OFFSET, VALUES)(E - 1.5),
          1e-12, scale=1.0)  # fmt: skip


def test_threshold_is_where_half_of_the_maximum_is_crossed():
    assert float(efficiency(1.5, 1.5, OFFSET, VALUES)) == pytest.approx(0.4, rel=1e-14)


def test_a_higher_threshold_translates_the_curve(agree):
    E = np.linspace(0.6, 21.0, 301)
    moved = efficiency(E + 0.7, 2.2, OFFSET, VALUES)
    agree("ε moved by 0.7 keV", moved, efficiency(E, 1.5, OFFSET, VALUES), 1e-12, scale=1.0)


def test_efficiency_is_constant_outside_its_knots():
    got = efficiency(np.array([0.0, 0.4, 30.0, 1e3]), 1.5, OFFSET, VALUES)
    np.testing.assert_array_equal(got, [0.0, 0.0, 0.8, 0.8])


def test_gaussian_is_the_normal_density(agree):
    x = np.linspace(-3.0, 3.0, 25)
    agree("Gaussian", jax.jit(gaussian)(x, 0.4), norm.pdf(x, scale=0.4), 1e-13)
