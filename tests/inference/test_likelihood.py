"""The likelihood with its own derivatives against automatic ones and against scipy's Poisson."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm, poisson

from jaxnu.inference.likelihood import BinnedModel

COUNTS = jnp.array([0.0, 3.0, 7.0, 2.0, 0.0, 5.0])
SIGNAL = jnp.array([4.0, 2.0, 1.0, 0.5, 0.2, 0.0])
BACKGROUND = jnp.array([1.0, 2.5, 4.0, 3.0, 0.0, 4.5])
POINTS = np.array([[0.0, 1.0], [1.0, 1.0], [0.3, 1.7], [5.0, 0.2]])

expand = jax.jit(BinnedModel.expand)
value = jax.jit(BinnedModel.deviance_half)
gradient = jax.jit(jax.grad(BinnedModel.deviance_half, argnums=1))
hessian = jax.jit(jax.hessian(BinnedModel.deviance_half, argnums=1))


@pytest.fixture(scope="module", params=["floating", "constrained"])
def model(request):
    floating = request.param == "floating"
    return BinnedModel(COUNTS, SIGNAL, BACKGROUND, jnp.asarray(0.07), floating)


def test_differences_are_those_of_the_poisson_probability(model, agree):
    def plain(theta):
        rate = theta[0] * np.asarray(SIGNAL) + theta[1] * np.asarray(BACKGROUND)
        total = -np.sum(poisson.logpmf(np.asarray(COUNTS), rate))
        if not model.background_floating:
            total -= norm.logpdf(theta[1], 1.0, 0.07)
        return total

    inside = POINTS[1:]  # at x = 0 a bin without background expects nothing, and has nothing
    ours = [float(value(model, jnp.asarray(t))) for t in inside]
    expected = [plain(t) for t in inside]
    agree("−ln L, differences", np.diff(ours), np.diff(expected), 1e-12)


def test_is_zero_when_the_model_is_the_data(agree):
    exact = BinnedModel(SIGNAL + BACKGROUND, SIGNAL, BACKGROUND, jnp.asarray(1.0), True)
    assert abs(float(value(exact, jnp.ones(2)))) < 1e-14


def test_derivatives_are_the_automatic_ones(model, agree):
    for theta in POINTS:
        _, g, H = expand(model, jnp.asarray(theta))
        agree(f"gradient at {theta}", g, gradient(model, theta), 1e-12, scale=np.max(np.abs(g)))
        agree(f"Hessian at {theta}", H, hessian(model, theta), 1e-12, scale=np.max(np.abs(H)))


def test_continued_below_zero_rates_with_matching_derivatives(model, agree):
    """Where λ would be negative the function stays finite and convex."""
    for theta in np.array([[-2.0, 1.0], [-0.6, 0.1], [0.1, -0.5]]):
        v, g, H = expand(model, jnp.asarray(theta))
        assert np.isfinite(float(v))
        agree(f"gradient at {theta}", g, gradient(model, theta), 1e-12, scale=np.max(np.abs(g)))
        agree(f"Hessian at {theta}", H, hessian(model, theta), 1e-12, scale=np.max(np.abs(H)))
        assert np.all(np.linalg.eigvalsh(np.asarray(H)) > 0.0)


def test_convex_along_lines(model):
    rng = np.random.default_rng(3)
    worst = np.inf
    f = jax.jit(jax.vmap(BinnedModel.deviance_half, (None, 0)))
    for _ in range(20):
        a, b = rng.normal(size=(2, 2)) * 2.0
        t = np.linspace(0.0, 1.0, 101)[:, None]
        line = np.asarray(f(model, (1 - t) * a + t * b))
        worst = min(worst, np.min(np.diff(line, 2)) / (1.0 + np.max(np.abs(line))))
    print(f"smallest second difference along 20 lines: {worst:.1e}")
    assert worst > -1e-14


def test_a_bin_that_nothing_reaches_adds_nothing():
    empty = dataclasses.replace(
        BinnedModel(COUNTS, SIGNAL, BACKGROUND, jnp.asarray(1.0), True),
        signal=SIGNAL.at[0].set(0.0),
        background=BACKGROUND.at[0].set(0.0),
    )
    v, g, H = expand(empty, jnp.ones(2))
    rate = np.asarray(SIGNAL + BACKGROUND)[1:]
    expected = np.sum(np.asarray(SIGNAL)[1:] * (1.0 - np.asarray(COUNTS)[1:] / rate))
    assert float(g[0]) == pytest.approx(expected, rel=1e-14)
    assert np.isfinite(float(v)) and np.isfinite(H).all()
