"""Interpolation that is differentiable in its knots."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnu import precision  # noqa: F401


def monotone_cubic(
    x: Float[Array, "..."], knots: Float[Array, "knots"], values: Float[Array, "knots"]
) -> Float[Array, "..."]:
    """Piecewise cubic Hermite curve that keeps the monotony of its data; constant outside.

    Slopes by Fritsch and Butland (SIAM J. Sci. Stat. Comput. 5, 300, 1984), end slopes one-sided:
    the curve of scipy's PchipInterpolator. Continuous with its first derivative, no overshoot.
    knots increase strictly; two at least.
    """
    h = jnp.diff(knots)
    secant = jnp.diff(values) / h
    slopes = jnp.concatenate(
        [
            _end_slope(h[0], h[1], secant[0], secant[1])[None],
            _inner_slopes(h, secant),
            _end_slope(h[-1], h[-2], secant[-1], secant[-2])[None],
        ]
    )
    x = jnp.clip(x, knots[0], knots[-1])
    i = jnp.clip(jnp.searchsorted(knots, x, side="right") - 1, 0, knots.shape[0] - 2)
    pieces = jnp.stack(
        [knots[:-1], h, values[:-1], values[1:], slopes[:-1] * h, slopes[1:] * h], axis=-1
    )
    x0, dx, y0, y1, d0, d1 = jnp.moveaxis(pieces[i], -1, 0)
    t = (x - x0) / dx
    left = y0 * (1.0 + 2.0 * t) + d0 * t
    right = y1 * (3.0 - 2.0 * t) + d1 * (t - 1.0)
    return left * (1.0 - t) ** 2 + right * t**2


def _inner_slopes(h: Float[Array, "n"], secant: Float[Array, "n"]) -> Float[Array, "n-1"]:
    """Weighted harmonic mean of neighbouring secants, zero where they differ in sign."""
    w1, w2 = 2.0 * h[1:] + h[:-1], h[1:] + 2.0 * h[:-1]
    same = secant[:-1] * secant[1:] > 0.0
    a, b = jnp.where(same, secant[:-1], 1.0), jnp.where(same, secant[1:], 1.0)
    return jnp.where(same, (w1 + w2) / (w1 / a + w2 / b), 0.0)


def _end_slope(h0: Array, h1: Array, s0: Array, s1: Array) -> Array:
    """Three-point slope at an end, limited so that the first piece stays monotone."""
    slope = ((2.0 * h0 + h1) * s0 - h0 * s1) / (h0 + h1)
    slope = jnp.where(slope * s0 <= 0.0, 0.0, slope)
    limited = (s0 * s1 <= 0.0) & (jnp.abs(slope) > 3.0 * jnp.abs(s0))
    return jnp.where(limited, 3.0 * s0, slope)
