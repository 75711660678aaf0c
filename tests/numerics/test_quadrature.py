"""Quadrature on panels: exactness, derivatives in the ends, and where the panels lie."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from jaxnu.numerics.quadrature import (
    legendre_coefficients,
    legendre_rule,
    legendre_values,
    panel_nodes,
    ridge_panel_edges,
    weights_below,
)

nodes = jax.jit(panel_nodes, static_argnums=1)
ridge_edges = jax.jit(ridge_panel_edges, static_argnums=4)
EDGES = np.array([0.3, 0.5, 1.1, 2.0])


def integrate(f, edges, order):
    x, w = nodes(jnp.asarray(edges), order)
    return (w * f(x)).sum()


@pytest.mark.parametrize("order", [2, 5, 8])
def test_exact_up_to_degree_two_order_minus_one_and_not_beyond(order):
    def error(degree):
        exact = (EDGES[-1] ** (degree + 1) - EDGES[0] ** (degree + 1)) / (degree + 1)
        x, w = (np.asarray(a) for a in nodes(EDGES, order))
        return abs(np.sum(w * x**degree) / exact - 1.0)

    worst = max(error(d) for d in range(2 * order))
    print(f"order {order}: up to degree {2 * order - 1} {worst:.1e}, next {error(2 * order):.1e}")
    assert worst < 5e-15
    # the rule's error is f^(2n)/(2n)! times the norm of the monic Legendre polynomial: not zero
    monic = np.prod([k**2 / (4 * k**2 - 1) for k in range(1, order + 1)]) * 2.0
    missing = sum((0.5 * h) ** (2 * order + 1) * monic for h in np.diff(EDGES))
    exact = (EDGES[-1] ** (2 * order + 1) - EDGES[0] ** (2 * order + 1)) / (2 * order + 1)
    if missing / exact > 1e-13:
        assert error(2 * order) == pytest.approx(missing / exact, rel=1e-2)


def test_each_order_converges_with_its_power():
    exact = np.exp(2.0) - 1.0
    errors = [
        abs(float(integrate(np.exp, np.linspace(0.0, 2.0, n + 1), 2)) - exact) for n in (4, 8, 16)
    ]
    powers = np.log2(np.array(errors[:-1]) / errors[1:])
    print(f"order 2: error falls with powers {powers} of the panel width")
    assert np.all(np.abs(powers - 4.0) < 0.1)


def test_derivative_in_an_end_is_the_integrand_there():
    def area(edges):
        return integrate(jnp.sin, edges, 10)

    gradient = jax.jit(jax.grad(area))(EDGES)
    expected = [-np.sin(EDGES[0]), 0.0, 0.0, np.sin(EDGES[-1])]
    worst = np.max(np.abs(gradient - np.array(expected)))
    print(f"d(integral)/d(edges): worst error {worst:.1e}")
    assert worst < 1e-13


def test_empty_panel_has_no_weight():
    _, w = nodes(np.array([1.0, 1.0, 2.0]), 4)
    assert np.all(np.asarray(w[0]) == 0.0) and np.sum(w) == pytest.approx(1.0, rel=1e-15)


def test_legendre_values_are_numpys():
    x = np.linspace(-1.0, 1.0, 41)
    expected = np.polynomial.legendre.legvander(x, 15)
    worst = np.max(np.abs(jax.jit(legendre_values, static_argnums=1)(x, 16) - expected))
    print(f"P_l(x), l < 16: worst error {worst:.1e}")
    assert worst < 1e-14


@pytest.mark.parametrize("order", [1, 2, 7])
def test_coefficients_pass_through_the_nodes(order):
    values = np.random.default_rng(1).normal(size=(3, order))
    c = np.asarray(jax.jit(legendre_coefficients)(values))
    again = np.polynomial.legendre.legval(legendre_rule(order)[0], c.T)
    worst = np.max(np.abs(again - values))
    print(f"order {order}: worst departure at the nodes {worst:.1e}")
    assert worst < 1e-13


@pytest.mark.parametrize(("low", "high", "width"), [(1.0, 2e3, 0.4), (14.0, 1.9e3, 119.0)])
def test_ridge_panels_increase_between_the_ends_and_resolve_the_ridge(low, high, width):
    ridge = np.sqrt(2.0 * 511.0 * low)
    edges = np.asarray(ridge_edges(low, high, ridge, width, 12))
    assert np.all(np.diff(edges) > 0.0)
    np.testing.assert_allclose(np.exp(0.5 * edges[[0, -1]]), [low, high], rtol=1e-12)
    Q = np.exp(0.5 * edges)
    p = 0.5 * (ridge**2 / Q - Q)
    steps = np.diff(np.arcsinh(p / width))
    print(f"steps in asinh(p/width): {steps.min():.6f} to {steps.max():.6f}")
    np.testing.assert_allclose(steps, steps[0], rtol=1e-6)


def test_a_narrow_ridge_is_integrated():
    ridge, width, low, high = 32.0, 0.4, 1.0, 2000.0

    def profile(log_Q2):  # a bell in the momentum along q, 1 atomic scale wide
        Q = np.exp(0.5 * log_Q2)
        p = 0.5 * (ridge**2 / Q - Q)
        return width**3 / (p**2 + width**2) ** 2 * Q**2

    x, w = nodes(ridge_edges(low, high, ridge, width, 24), 16)
    ours = float(np.sum(np.asarray(w) * profile(np.asarray(x))))
    at = 2.0 * np.log(ridge)
    exact = sum(
        quad(profile, a, b, epsabs=0.0, epsrel=1e-12, limit=500)[0]
        for a, b in [(2 * np.log(low), at - 0.2), (at - 0.2, at), (at, at + 0.2),
                     (at + 0.2, 2 * np.log(high))]
    )  # fmt: skip
    print(f"narrow ridge: {ours:.12g}, adaptive {exact:.12g}, error {ours / exact - 1:.1e}")
    assert abs(ours / exact - 1.0) < 1e-9


def test_weights_below_an_end(agree):
    """∫ of x² e^-x from 0.3 up to any end, inside, at and beyond the panels."""
    edges = jnp.array([0.3, 0.7, 1.5, 4.0])
    x, _ = panel_nodes(edges, 16)
    f = x**2 * jnp.exp(-x)

    def below(end):
        return jnp.sum(weights_below(edges, end, 16) * f)

    def primitive(t):
        return -np.exp(-t) * (t**2 + 2.0 * t + 2.0)

    for end in (0.1, 0.3, 0.31, 0.7, 1.2, 3.9, 4.0, 9.0):
        exact = primitive(np.clip(end, 0.3, 4.0)) - primitive(0.3)
        agree(f"end {end}", below(end), exact, 1e-12, scale=1.0)
    agree("slope", jax.grad(below)(1.2), 1.2**2 * np.exp(-1.2), 1e-9)
