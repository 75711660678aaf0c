"""Root of an increasing function: found from near and far, and honest when it is not."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from jaxnu.numerics.roots import increasing_root

FUNCTIONS = {
    "parabola": lambda x: x**2 - 2.7,
    "square": lambda x: x**2 - 4.0,
    "exponential": lambda x: jnp.expm1(x) - 40.0,
    "flat then steep": lambda x: 1e-3 * x + jnp.maximum(x - 3.0, 0.0) ** 3 - 5.0,
    "like a test statistic": lambda x: x - 4.0 * jnp.log1p(x / 4.0) - 1.3,
}
EXACT = {
    "parabola": lambda x: x**2 - 2.7,
    "square": lambda x: x**2 - 4.0,
    "exponential": lambda x: np.expm1(x) - 40.0,
    "flat then steep": lambda x: 1e-3 * x + max(x - 3.0, 0.0) ** 3 - 5.0,
    "like a test statistic": lambda x: x - 4.0 * np.log1p(x / 4.0) - 1.3,
}


def with_slope(f):
    """(value, slope, extra) as increasing_root asks for; the extra is where it was evaluated."""
    return lambda x: (*jax.value_and_grad(f)(x), {"at": x})


@partial(jax.jit, static_argnames=("name", "iterations"))
def solve(name, step, iterations=60):
    start = jnp.zeros(())
    return increasing_root(with_slope(FUNCTIONS[name]), start, step + start, iterations)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("step", [1e-3, 1.0, 1e4])
def test_root_is_brents(name, step):
    # Newton's steps on the exponential's far side are of length one
    root, extra, converged = solve(name, step, iterations=60 if step < 1e3 else 1000)
    exact = brentq(EXACT[name], 0.0, 100.0, xtol=1e-14)
    print(f"{name}, first step {step:g}: {float(root):.12g}, brentq {exact:.12g}")
    assert bool(converged) and abs(float(root) / exact - 1.0) < 1e-8
    assert float(extra["at"]) == float(root), "the extra belongs to the root"


def test_a_wrong_slope_is_caught_by_bisection():
    root, _, converged = increasing_root(
        lambda x: (x**3 - 9.0, jnp.asarray(1e-12), ()), jnp.zeros(()), jnp.ones(()), iterations=100
    )
    print(f"bisection alone: {float(root):.12g}, converged {bool(converged)}")
    # with the slope wrong the error estimate means nothing, but the bracket has arrived
    assert float(root) == pytest.approx(9.0 ** (1 / 3), rel=1e-9)


def test_too_few_iterations_are_reported():
    *_, converged = solve("exponential", 1e-3, iterations=2)
    assert not bool(converged)


def test_a_function_without_a_root_does_not_converge():
    *_, converged = increasing_root(
        with_slope(lambda x: -1.0 / (1.0 + x)), jnp.zeros(()), jnp.ones(()), iterations=40
    )
    assert not bool(converged)


def test_maps_over_starts():
    targets = jnp.array([0.5, 3.0, 80.0])
    root = jax.vmap(
        lambda t: increasing_root(
            with_slope(lambda x: x**2 + x - t), jnp.zeros(()), jnp.ones(()), 60
        )[0]
    )(targets)
    exact = 0.5 * (np.sqrt(1.0 + 4.0 * np.asarray(targets)) - 1.0)
    np.testing.assert_allclose(root, exact, rtol=1e-8)


@pytest.mark.parametrize("step", [2.0, 0.5])
def test_a_root_that_is_hit_exactly_stays(step):
    """x² − 4 is zero to the last bit at the first try, or after a doubling."""
    root, _, converged = solve("square", step)
    print(f"first step {step:g}: root {float(root):.12g} of x² − 4")
    assert bool(converged) and float(root) == pytest.approx(2.0, rel=1e-9)
