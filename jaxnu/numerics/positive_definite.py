"""Small positive definite systems, many at once: Cholesky's factor and its use, as plain loops.

LAPACK, behind jnp.linalg on the CPU, shares a large batch among the threads that wait for it, and
in jaxlib 0.10 two batches that meet wait for each other for ever.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jaxnu import precision  # noqa: F401


def cholesky(A: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """Lower triangular L with A = L Lᵀ; NaN from the first pivot on that is not positive."""
    A = jnp.asarray(A)
    if A.size == 0:
        return A
    rows = jnp.arange(A.shape[0])

    def column(k: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        rest, L = state
        new = jnp.where(rows >= k, rest[:, k] / jnp.sqrt(rest[k, k]), 0.0)
        return rest - jnp.outer(new, new), L.at[:, k].set(new)

    return lax.fori_loop(0, A.shape[0], column, (A, jnp.zeros_like(A)))[1]


def forward(L: Float[Array, "n n"], b: Float[Array, "n"]) -> Float[Array, "n"]:
    """x with L x = b, L lower triangular."""
    L, b = jnp.asarray(L), jnp.asarray(b)

    def row(k: Array, x: Array) -> Array:
        return x.at[k].set((b[k] - L[k] @ x) / L[k, k])

    return lax.fori_loop(0, b.shape[0], row, jnp.zeros_like(b))


def backward(L: Float[Array, "n n"], b: Float[Array, "n"]) -> Float[Array, "n"]:
    """x with Lᵀ x = b, L lower triangular."""
    L, b = jnp.asarray(L), jnp.asarray(b)
    last = b.shape[0] - 1

    def row(i: Array, x: Array) -> Array:
        k = last - i
        return x.at[k].set((b[k] - L[:, k] @ x) / L[k, k])

    return lax.fori_loop(0, b.shape[0], row, jnp.zeros_like(b))


def solve(A: Float[Array, "n n"], b: Float[Array, "n"]) -> Float[Array, "n"]:
    """x with A x = b; NaN unless A is positive definite."""
    L = cholesky(A)
    return backward(L, forward(L, b))
