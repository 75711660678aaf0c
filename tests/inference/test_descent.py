"""L-BFGS and Adam: the minimum that Newton finds, inside and on the bounds, or an error."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnu import FitError, InputError
from jaxnu.inference import fit
from jaxnu.inference.descent import minimise_inside
from jaxnu.inference.settings import STATISTICS

pytestmark = pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])


@pytest.fixture(scope="module")
def boundary(arrays):
    a = arrays(3, x=0.0)
    return dict(a, counts=np.floor(a["counts"] * np.linspace(0.4, 1.0, a["counts"].size)))


def test_an_inner_minimum_is_newtons(optimizer, arrays, build, agree):
    model = build(arrays(1, x=1.5))
    newton, other = fit(model), fit(model, optimizer=optimizer)
    assert float(newton.theta[0]) > 0.5 and bool(other.converged)
    # where the search itself ended, before the last steps that make a fit differentiable
    assert float(other.gradient) <= STATISTICS.fit_tolerance
    assert int(other.iterations) > int(newton.iterations)
    sigma = np.sqrt(np.diagonal(newton.covariance))
    agree("θ", other.theta / sigma, newton.theta / sigma, 1e-6, scale=1.0)
    agree("covariance", other.covariance, newton.covariance, 1e-6)


def test_a_minimum_at_zero_signal_is_newtons(optimizer, boundary, build, agree):
    model = build(boundary)
    newton, other = fit(model), fit(model, optimizer=optimizer)
    assert float(newton.theta[0]) == 0.0 == float(other.theta[0])
    assert list(np.asarray(other.active)) == [-1, 0, 0, 0]
    agree("θ", other.theta, newton.theta, 1e-6, scale=1.0)
    held = {"x": 0.7, "tilt": 0.2}
    agree("two held", fit(model, held, optimizer=optimizer).theta, fit(model, held).theta, 1e-6,
          scale=1.0)  # fmt: skip


def test_a_bound_is_left_again(optimizer, agree):
    """(a − 1)² + (b − 3)²/2 + ab/2 with 0 ≤ a, b ≤ 2, from a corner: a = 1/2, b at its bound."""

    def f(z):
        return (z[0] - 1.0) ** 2 + 0.5 * (z[1] - 3.0) ** 2 + 0.5 * z[0] * z[1]

    low, high = jnp.zeros(2), jnp.full(2, 2.0)
    for start in ([0.0, 0.0], [2.0, 0.0], [0.0, 2.0]):
        z, count = minimise_inside(f, jnp.array(start), low, high, jnp.zeros(2, bool), optimizer,
                                   1e-8, 4000)  # fmt: skip
        print(start, "→", z, int(count))
        assert float(z[1]) == 2.0
        agree("a", z[0], 0.5, 1e-8)


def test_a_fit_that_is_cut_short_raises(optimizer, arrays, build):
    short = dataclasses.replace(STATISTICS, lbfgs_iterations=2, adam_iterations=20)
    with pytest.raises(FitError, match=r"did not converge in (4|40) iterations"):
        fit(build(arrays(1, x=1.5)), settings=short, optimizer=optimizer)


def test_an_unknown_optimizer_is_refused(optimizer, arrays, build):
    with pytest.raises(InputError, match=f"did you mean '{optimizer}'"):
        fit(build(arrays(1)), optimizer=optimizer + "s")
