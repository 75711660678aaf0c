"""Energy resolution and selection efficiency of a detector."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnu.numerics.interpolation import monotone_cubic


def energy_resolution(
    T_keV: Float[Array, "..."], coefficients_keV: Float[Array, "3"], in_quadrature: bool = False
) -> Float[Array, "..."]:
    """σ(T) = c0 + c1 sqrt(T/keV) + c2 (T/keV), keV: the Gaussian width at true energy T.

    in_quadrature: σ² = c0² + c1² (T/keV) + c2² (T/keV)², the sum of the variances instead. Of N =
    T/w quanta with variance F N and electronic noise, c0 is the noise and c1² = F w keV (F the Fano
    factor, w the mean energy per quantum): σ² = noise² + F w T. A Gaussian, good for N ≫ 1.
    """
    c0, c1, c2 = coefficients_keV
    if in_quadrature:
        return jnp.sqrt(c0**2 + c1**2 * T_keV + (c2 * T_keV) ** 2)
    return c0 + c1 * jnp.sqrt(T_keV) + c2 * T_keV


def selection_efficiency(
    E_keV: Float[Array, "..."],
    threshold_keV: Float[Array, ""],
    offset_keV: Float[Array, "knots"],
    values: Float[Array, "knots"],
) -> Float[Array, "..."]:
    """Probability that an event of reconstructed energy E is kept: ε(E) = c(E − threshold).

    c is the monotone cubic through (offset_keV, values), constant beyond its ends; its offset 0
    is where it crosses half of its maximum, so that a shift of the threshold translates it.
    """
    return monotone_cubic(E_keV - threshold_keV, offset_keV, values)


def gaussian(x_keV: Float[Array, "..."], sigma_keV: Float[Array, "..."]) -> Float[Array, "..."]:
    """Normal density, 1/keV."""
    return jnp.exp(-0.5 * (x_keV / sigma_keV) ** 2) / (jnp.sqrt(2.0 * jnp.pi) * sigma_keV)
