"""Panels of reconstructed energy: who owns them, and derivatives at knots beside bin edges."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.interpolate import PchipInterpolator

from jaxnu.detector import mean_efficiency

BINS = np.array([1.0, 1.5, 2.0, 3.0])
KNOTS = np.array([0.5, 1.1, 1.5, 2.2, 2.6, 4.0])
VALUES = np.array([0.0, 0.1, 0.45, 0.7, 0.72, 0.8])
THRESHOLD = 1.4


def means(threshold, bins, knots):
    return mean_efficiency(bins, threshold, knots, jnp.asarray(VALUES), 6)


@pytest.mark.slow
@pytest.mark.parametrize("ulp", [-1, 0, 1])
def test_means_and_derivatives_with_a_knot_on_a_bin_edge(ulp, slope, agree):
    offset = KNOTS - THRESHOLD
    edge = 1.5 - THRESHOLD
    offset[2] = edge if ulp == 0 else np.nextafter(edge, np.inf * ulp)
    curve = PchipInterpolator(offset + THRESHOLD, VALUES)
    expected = [
        quad(curve, a, b, points=[k for k in KNOTS if a < k < b] or None, epsrel=1e-12)[0] / (b - a)
        for a, b in itertools.pairwise(BINS)
    ]
    agree(f"means, {ulp} ulp", means(THRESHOLD, BINS, offset), expected, 1e-12)
    run = jax.jit(means)
    got = jax.jacfwd(means)(THRESHOLD, BINS, offset)
    numeric = slope(lambda t: run(t, BINS, offset), THRESHOLD, 1e-3)
    agree(f"d/d threshold, {ulp} ulp", got, numeric, 1e-6, scale=np.max(np.abs(numeric)))
    got = jax.jacfwd(means, argnums=1)(THRESHOLD, jnp.asarray(BINS), offset)[:, 1]
    numeric = slope(lambda x: run(THRESHOLD, jnp.asarray(BINS).at[1].set(x), offset), 1.5, 1e-3)
    agree(f"d/d edge, {ulp} ulp", got, numeric, 1e-6, scale=np.max(np.abs(numeric)))


def test_a_curve_that_ends_inside_the_bins_is_constant_there():
    got = means(THRESHOLD, np.array([3.5, 4.5, 6.0]), KNOTS - THRESHOLD)
    assert float(got[1]) == pytest.approx(0.8, rel=1e-13)
