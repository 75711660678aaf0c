"""Principal values against closed forms."""

import jax.numpy as jnp
import numpy as np

from jaxnu.numerics.principal_value import principal_value
from jaxnu.numerics.quadrature import panel_nodes


def lorentzian(pole, low, high):
    """P∫ dx/[(1 + x²)(x − y)] between low and high, y = pole."""

    def part(x):
        log = np.log(np.abs(x - pole)) - 0.5 * np.log(1.0 + x**2)
        return (log - pole * np.arctan(x)) / (1.0 + pole**2)

    return part(high) - part(low)


def test_lorentzian_with_poles_inside_and_outside(agree):
    low, high = -3.0, 7.0
    x, w = (a.ravel() for a in panel_nodes(jnp.linspace(low, high, 41), 12))
    pole = jnp.array([-2.5, 0.013, 1.0, 6.9, 8.0, -4.0])
    value = principal_value(
        x, w, 1.0 / (1.0 + x**2), pole, 1.0 / (1.0 + pole**2), jnp.asarray(low), jnp.asarray(high)
    )
    agree("Lorentzian", value, lorentzian(np.asarray(pole), low, high), 1e-12)


def test_a_pole_on_a_node_is_finite(agree):
    x, w = (a.ravel() for a in panel_nodes(jnp.linspace(0.0, 1.0, 201), 8))
    pole = x[700:701]
    value = principal_value(x, w, x**2, pole, pole**2, jnp.asarray(0.0), jnp.asarray(1.0))
    y = float(pole[0])
    agree("x²", value, [0.5 + y + y**2 * np.log((1.0 - y) / y)], 1e-3)
