"""Principal values of integrals from a quadrature rule for the same integrals without the pole."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnu import precision  # noqa: F401


def principal_value(
    x: Float[Array, "nodes"],
    weights: Float[Array, "nodes"],
    values: Float[Array, "... nodes"],
    pole: Float[Array, "..."],
    at_pole: Float[Array, "..."],
    low: Float[Array, ""],
    high: Float[Array, ""],
) -> Float[Array, "..."]:
    """P∫_low^high f(x)/(x − pole) dx, where ∫ f dx ≈ Σ weights·values.

    [f(x) − f(pole)]/(x − pole) is as smooth as f, and ∫dx/(x − pole) is a logarithm; for a pole
    outside [low, high] nothing is subtracted. f must be resolved by the nodes around the pole.
    pole: any shape but a node itself (then that node's small share is left out).
    """
    inside = (pole > low) & (pole < high)
    subtracted = jnp.where(inside, at_pole, 0.0)
    distance = x - pole[..., None]
    away = distance != 0.0
    quotient = jnp.where(
        away, (values - subtracted[..., None]) / jnp.where(away, distance, 1.0), 0.0
    )
    above, below = jnp.where(inside, high - pole, 1.0), jnp.where(inside, pole - low, 1.0)
    return quotient @ weights + subtracted * jnp.log(above / below)
