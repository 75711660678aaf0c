"""Cholesky's factor and its use against LAPACK, and what they must leave to nobody else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnu.numerics.positive_definite import backward, cholesky, forward, solve


def system(n, seed=0):
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(n, n))
    return half @ half.T + 0.1 * np.eye(n), rng.normal(size=n)


@pytest.mark.parametrize("n", [1, 2, 5, 30])
def test_as_lapack(n, agree):
    A, b = system(n)
    L, x = np.linalg.cholesky(A), np.linalg.solve(A, b)
    agree("factor", cholesky(A), L, 1e-12, scale=np.abs(L).max())
    agree("forward", L @ np.asarray(forward(L, b)), b, 1e-11, scale=np.abs(b).max())
    agree("backward", L.T @ np.asarray(backward(L, b)), b, 1e-11, scale=np.abs(b).max())
    agree("solution", solve(A, b), x, 1e-10, scale=np.abs(x).max())


def test_nothing_has_nothing_for_a_factor():
    assert cholesky(np.zeros((0, 0))).shape == (0, 0)


def test_derivatives_forward_and_reverse(agree):
    """d(A⁻¹b) = −A⁻¹ dA A⁻¹ b."""
    A, b = system(4)
    dA = system(4, seed=1)[0]
    expected = -np.linalg.solve(A, dA @ np.linalg.solve(A, b))
    agree("jvp", jax.jvp(lambda A: solve(A, b), (A,), (dA,))[1], expected, 1e-11)
    gradient = jax.grad(lambda A: solve(A, b)[2])(A)
    agree("gradient", jnp.sum(gradient * dA), expected[2], 1e-11)


def test_not_positive_definite_is_nan():
    A = np.diag([1.0, -1.0, 1.0])
    assert np.isnan(np.asarray(solve(A, np.ones(3)))).all()
    assert np.isfinite(np.asarray(solve(np.abs(A), np.ones(3)))).all()


def test_a_batch_is_not_given_to_lapack():
    A, b = (np.stack(parts) for parts in zip(*(system(4, seed) for seed in range(3)), strict=True))

    def program(f, *arguments):
        return jax.jit(f).trace(*arguments).lower(lowering_platforms=("cpu",)).as_text()

    assert "custom_call" not in program(jax.vmap(solve), A, b)
    assert "@lapack" in program(jnp.linalg.solve, A, b[..., None])
