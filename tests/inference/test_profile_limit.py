"""The limit of a binned model: constrained background against its two ends and a plain search."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import poisson

from jaxnu.inference.likelihood import BinnedModel
from jaxnu.inference.profile_limit import upper_limit
from jaxnu.settings import NUMERICS

COUNTS = np.array([3.0, 5.0, 2.0, 6.0, 4.0])
SIGNAL = np.array([3.0, 1.5, 0.8, 0.4, 0.2])
BACKGROUND = np.array([2.0, 3.5, 4.0, 4.2, 4.5])
DELTA = 2.7055

search = jax.jit(lambda model: upper_limit(model, DELTA, NUMERICS))


def ours(uncertainty=None):
    model = BinnedModel(
        jnp.asarray(COUNTS), jnp.asarray(SIGNAL), jnp.asarray(BACKGROUND),
        jnp.asarray(1.0 if uncertainty is None else uncertainty),
        background_floating=uncertainty is None,
    )  # fmt: skip
    x, (best, residual) = search(model)
    assert float(residual) < 1e-8
    return float(x), np.asarray(best)


def plain(uncertainty=None):
    """Limit by nested scalar searches in scipy; uncertainty 0: the norm is one."""

    def nll(x, b):
        total = -np.sum(poisson.logpmf(COUNTS, x * SIGNAL + b * BACKGROUND))
        return total + (0.0 if uncertainty in (None, 0.0) else 0.5 * ((b - 1) / uncertainty) ** 2)

    def profile(x):
        if uncertainty == 0.0:
            return nll(x, 1.0)
        return minimize_scalar(
            lambda b: nll(x, b), bounds=(1e-6, 5.0), method="bounded", options={"xatol": 1e-10}
        ).fun

    best = minimize_scalar(profile, bounds=(0.0, 5.0), method="bounded", options={"xatol": 1e-9})
    lowest = min(best.fun, profile(0.0))
    return brentq(lambda x: 2.0 * (profile(x) - lowest) - DELTA, max(best.x, 1e-3), 20.0)


@pytest.mark.parametrize("uncertainty", [None, 0.05, 0.5])
def test_limit_is_that_of_a_plain_search(uncertainty, agree):
    agree(f"background uncertainty {uncertainty}", ours(uncertainty)[0], plain(uncertainty), 1e-6)


def test_a_sharp_constraint_fixes_the_background(agree):
    agree("σ → 0 against a fixed background", ours(1e-5)[0], plain(0.0), 1e-6)


def test_a_loose_constraint_lets_it_float(agree):
    agree("σ → ∞ against a floating one", ours(1e4)[0], ours(None)[0], 1e-7)


def test_a_looser_constraint_never_helps():
    limits = [ours(s)[0] for s in (1e-3, 0.03, 0.1, 0.3, 1.0)]
    print("limits for growing uncertainty:", limits)
    assert np.all(np.diff(limits) > 0.0)


def test_derivative_in_every_number_of_the_model(slope, agree):
    model = BinnedModel(
        jnp.asarray(COUNTS), jnp.asarray(SIGNAL), jnp.asarray(BACKGROUND), jnp.asarray(0.2), False
    )
    gradient = jax.jit(jax.grad(lambda m: upper_limit(m, DELTA, NUMERICS)[0]))(model)
    for field in ("counts", "signal", "background", "background_uncertainty"):
        start, got = getattr(model, field), getattr(gradient, field)
        direction = jnp.cos(jnp.arange(start.size, dtype=float)).reshape(start.shape)

        def moved(h, field=field, start=start, direction=direction):
            return search(dataclasses.replace(model, **{field: start + h * direction}))[0]

        numeric = slope(moved, 0.0, 1e-2 if field != "background_uncertainty" else 5e-3)
        agree(f"d(limit)/d({field})", jnp.sum(got * direction), numeric, 1e-5)


def test_boundary_is_reached_exactly():
    low = dataclasses.replace(
        BinnedModel(
            jnp.asarray(COUNTS), jnp.asarray(SIGNAL), jnp.asarray(BACKGROUND), jnp.asarray(0.2),
            False,
        ),
        counts=jnp.array([0.0, 2.0, 4.0, 5.0, 6.0]),
    )  # fmt: skip
    _, (best, residual) = search(low)
    assert float(best[0]) == 0.0 and float(residual) < 1e-8


def test_a_search_that_is_cut_short_leaves_a_residual():
    numerics = dataclasses.replace(NUMERICS, fit_iterations=1, root_iterations=1)
    model = BinnedModel(
        jnp.asarray(COUNTS), jnp.asarray(SIGNAL), jnp.asarray(BACKGROUND), jnp.asarray(1.0), True
    )
    _, (_, residual) = jax.jit(lambda m: upper_limit(m, DELTA, numerics))(model)
    print(f"residual after one iteration: {float(residual):.2g}")
    assert not float(residual) < NUMERICS.fit_accepted
