"""Spectrum: evaluation, partial integrals, gradients, and the two plain sources."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnu.errors import InputError
from jaxnu.flux import Spectrum, difference, line, reactor, solar, tabulated
from jaxnu.numerics.quadrature import legendre_rule

EDGES = np.array([0.0, 30.0, 70.0, 200.0])


def polynomial(E):
    return 2.0 + 0.3 * E - 1e-3 * E**2 + 2e-6 * E**3


def antiderivative(E):
    return 2.0 * E + 0.15 * E**2 - 1e-3 / 3 * E**3 + 5e-7 * E**4


@pytest.fixture
def cubic() -> Spectrum:
    half = 0.5 * np.diff(EDGES)[:, None]
    nodes = EDGES[:-1, None] + half * (1.0 + legendre_rule(4)[0])
    return Spectrum(
        edges_keV=jnp.asarray(EDGES),
        density=jnp.asarray(polynomial(nodes)),
        lines_keV=jnp.array([50.0]),
        line_flux=jnp.array([10.0]),
        survival_keV=jnp.array([20.0, 120.0]),
        survival=jnp.array([0.6, 0.4]),
        name="cubic",
        antineutrino=False,
    )


def test_at_is_exact_for_a_polynomial_of_the_panel_order(cubic):
    E = np.concatenate([np.linspace(0.0, 200.0, 41), EDGES, [30.0 - 1e-9, 30.0 + 1e-9]])
    worst = np.max(np.abs(cubic.at(E) / polynomial(E) - 1.0))
    print(f"worst relative error of at(): {worst:.1e}")
    assert worst < 1e-13


def test_at_is_zero_outside_the_panels(cubic):
    assert np.all(np.asarray(cubic.at(jnp.array([-1.0, 200.1, 1e6]))) == 0.0)
    assert float(jax.grad(cubic.at)(300.0)) == 0.0


def test_at_returns_the_density_at_the_nodes():
    for spectrum in (reactor(3.0, 13.9), solar(), tabulated([1.0, 2.0, 5.0], [0.0, 4.0, 1.0])):
        there = spectrum.at(spectrum.nodes_keV)
        worst = float(jnp.max(jnp.abs(there - spectrum.density)) / jnp.max(spectrum.density))
        print(f"{spectrum.name}: worst |at(node) − density| over its maximum {worst:.1e}")
        assert worst < 1e-13


def test_total_and_mean_energy_hold_the_lines(cubic):
    total = antiderivative(200.0) + 10.0
    moment = 1.0 * 200**2 + 0.1 * 200**3 - 0.25e-3 * 200**4 + 0.4e-6 * 200**5 + 50.0 * 10.0
    np.testing.assert_allclose(cubic.total(), total, rtol=1e-13)
    np.testing.assert_allclose(cubic.mean_energy_keV(), moment / total, rtol=1e-13)


@pytest.mark.parametrize("E_min", [-5.0, 0.0, 1e-6, 29.0, 30.0, 50.0, 199.999, 200.0, 250.0])
def test_nodes_above_integrates_from_the_end_point(cubic, E_min):
    E, w = cubic.nodes_above(jnp.asarray(E_min), 6)
    start = np.clip(E_min, 0.0, 200.0)
    exact = antiderivative(200.0) - antiderivative(start)
    np.testing.assert_allclose(jnp.sum(w), exact, rtol=1e-12, atol=1e-12)
    assert bool(jnp.all(start <= E))
    # 1/E is not a polynomial: converged, not exact
    if E_min >= 29.0 and E_min < 200.0:
        E, w = cubic.nodes_above(jnp.asarray(E_min), 16)
        primitive = lambda e: 2 * np.log(e) + 0.3 * e - 5e-4 * e**2 + 2e-6 / 3 * e**3  # noqa: E731
        np.testing.assert_allclose(jnp.sum(w / E), primitive(200.0) - primitive(E_min), rtol=1e-11)


@pytest.mark.parametrize("make", [lambda: reactor(3.0, 13.9), solar], ids=["reactor", "solar"])
def test_part_above_and_part_below_make_the_whole(make):
    spectrum = make()
    continuum = spectrum.total() - jnp.sum(spectrum.line_flux)
    part_above = jax.jit(lambda E_min: jnp.sum(spectrum.nodes_above(E_min, 16)[1]))
    at = jax.jit(spectrum.at)
    for E_min in (3.0, 55.0, 212.0, 419.5, 1000.0, 2500.0):
        above = part_above(E_min)
        # the part below, by a rule of its own on at(), panel by panel
        edges = np.minimum(spectrum.edges_keV, E_min)
        x, w = legendre_rule(24)
        half = 0.5 * np.diff(edges)[:, None]
        below = np.sum(half * w * at(edges[:-1, None] + half * (1.0 + x)))
        error = abs(float((above + below) / continuum) - 1.0)
        print(f"{spectrum.name} E_min = {E_min}: |above + below − whole|/whole = {error:.1e}")
        assert error < 1e-12


@pytest.mark.parametrize("make", [lambda: reactor(3.0, 13.9), solar], ids=["reactor", "solar"])
def test_derivative_in_the_lower_end_is_minus_the_density(make):
    spectrum = make()

    def above(E_min):
        return jnp.sum(spectrum.nodes_above(E_min, 16)[1])

    slope_at, at = jax.jit(jax.grad(above)), jax.jit(spectrum.at)
    for E_min in (5.0, 55.0, 222.0, 405.0, 1100.0, 2400.0):
        slope, density = float(slope_at(E_min)), float(at(E_min))
        print(f"{spectrum.name} E_min = {E_min}: −d/dE_min over φ − 1 = {-slope / density - 1:.1e}")
        np.testing.assert_allclose(-slope, density, rtol=1e-9)


def test_integral_above_is_differentiable_for_a_kernel_that_ends_at_E_min(cubic):
    """√(E − E_min) is not defined below: empty panels must not bring NaN into the gradient."""

    def rate(E_min):
        E, w = cubic.nodes_above(E_min, 8)
        return jnp.sum(w * jnp.sqrt(E - E_min))

    for E_min in (35.0, 120.0, 250.0):
        value, slope = jax.value_and_grad(rate)(E_min)
        assert np.isfinite(value) and np.isfinite(slope)
        assert float(slope) < 0.0 if E_min < 200.0 else float(slope) == 0.0


def test_electron_fraction_is_linear_and_constant_outside(cubic):
    got = cubic.electron_fraction(jnp.array([0.0, 20.0, 70.0, 120.0, 1e4]))
    np.testing.assert_allclose(got, [0.6, 0.6, 0.5, 0.4, 0.4], rtol=1e-14)


def test_scaled_multiplies_density_and_lines(cubic):
    twice = cubic.scaled(2.0)
    np.testing.assert_allclose(twice.total(), 2.0 * cubic.total(), rtol=1e-15)
    np.testing.assert_allclose(twice.line_flux, [20.0])
    np.testing.assert_allclose(jax.grad(lambda f: cubic.scaled(f).total())(1.0), cubic.total())


def test_plus_adds_density_and_lines(cubic):
    E = jnp.array([5.0, 55.0, 150.0])
    both = cubic.plus(cubic.scaled(2.0), -0.25)
    np.testing.assert_allclose(both.at(E), 0.5 * cubic.at(E), rtol=1e-14)
    np.testing.assert_allclose(both.line_flux, [5.0])
    assert both.name == "cubic"
    slope = jax.grad(lambda x: jax.jit(cubic.plus)(cubic, x).total())(0.3)
    np.testing.assert_allclose(slope, cubic.total(), rtol=1e-14)


def test_difference_is_on_the_nodes_of_the_first(cubic):
    """Of a straight line of the same line, exactly; pulls lead from one to the other."""
    other = tabulated([0.0, 200.0], [1.0, 41.0], lines_keV=[50.0], line_flux=[4.0])
    variation = difference(cubic, other)
    E = np.array([3.0, 60.0, 199.0])
    np.testing.assert_allclose(variation.at(E), 1.0 + 0.2 * E - polynomial(E), rtol=1e-12)
    np.testing.assert_allclose(variation.line_flux, [-6.0])
    np.testing.assert_allclose(cubic.plus(variation).at(E), other.at(E), rtol=1e-12)
    assert float(jax.grad(lambda f: difference(cubic, other.scaled(f)).total())(1.0)) == (
        pytest.approx(float(other.total()), rel=1e-12)
    )


def test_spectra_that_do_not_fit_together_are_refused(cubic):
    moved = tabulated([0.0, 30.0, 71.0, 200.0], [1.0] * 4)
    for call, words in (
        (lambda: cubic.plus(moved), "edges_keV of 'tabulated'"),
        (lambda: moved.plus(tabulated([0.0, 30.0, 70.0, 200.0], [1.0] * 4)), "edges_keV"),
        (lambda: cubic.plus(2.0), "other = 2.0"),
        (lambda: difference(cubic, moved), "lines_keV of 'tabulated'"),
        (lambda: difference(cubic, "solar"), "other = 'solar'"),
    ):
        with pytest.raises(InputError, match=words) as raised:
            call()
        print(raised.value)
        assert "\n" not in str(raised.value)


def test_spectrum_passes_through_jit(cubic):
    out = jax.jit(lambda s: s.scaled(3.0))(cubic)
    assert isinstance(out, Spectrum) and out.name == "cubic" and not out.antineutrino
    np.testing.assert_allclose(out.total(), 3.0 * cubic.total(), rtol=1e-14)


def test_line_has_its_flux_and_energy():
    spectrum = line(861.8, 4.93e9)
    assert float(spectrum.total()) == 4.93e9
    assert float(spectrum.mean_energy_keV()) == pytest.approx(861.8, rel=1e-15)
    assert np.all(np.asarray(spectrum.at(jnp.array([0.0, 400.0, 861.8]))) == 0.0)
    assert float(jnp.sum(spectrum.nodes_above(jnp.asarray(100.0), 8)[1])) == 0.0
    several = line([747.0, 427.0], [0.9, 0.1], antineutrino=True)
    assert several.antineutrino
    assert float(several.mean_energy_keV()) == pytest.approx(715.0)


def test_line_is_differentiable_in_both():
    dE = jax.grad(lambda E, f: line(E, f).mean_energy_keV(), argnums=(0, 1))(500.0, 2.0)
    np.testing.assert_allclose(dE, (1.0, 0.0), atol=1e-14)
    assert float(jax.grad(lambda f: line(500.0, f).total())(2.0)) == 1.0


def test_tabulated_is_piecewise_linear():
    E, phi = np.array([0.0, 10.0, 25.0, 100.0]), np.array([0.0, 5.0, 1.0, 0.0])
    spectrum = tabulated(E, phi, lines_keV=[50.0], line_flux=[3.0])
    x = np.linspace(0.0, 100.0, 101)
    np.testing.assert_allclose(spectrum.at(x), np.interp(x, E, phi), atol=1e-13)
    np.testing.assert_allclose(spectrum.total(), np.trapezoid(phi, E) + 3.0, rtol=1e-14)
    slope = jax.grad(lambda p: tabulated(E, p).total())(jnp.asarray(phi))
    np.testing.assert_allclose(slope, [5.0, 12.5, 45.0, 37.5], rtol=1e-13)
    jitted = jax.jit(lambda p: tabulated(E, p).density)(jnp.asarray(phi))
    np.testing.assert_allclose(jitted, spectrum.density, rtol=1e-14)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: line(-1.0, 1.0), "E_keV"),
        (lambda: line(0.0, 1.0), "E_keV"),
        (lambda: line(8.6e8, 1.0), "keV"),
        (lambda: line(1.0, -1.0), "flux_per_cm2_s"),
        (lambda: line(float("nan"), 1.0), "E_keV"),
        (lambda: line([1.0, 2.0], 1.0), "one flux per line"),
        (lambda: line([], []), "E_keV is empty"),
        (lambda: tabulated([1.0], [1.0]), "2 or more"),
        (lambda: tabulated([1.0, 2.0], [1.0]), "same length"),
        (lambda: tabulated([2.0, 1.0], [1.0, 1.0]), "increase"),
        (lambda: tabulated([1.0, 2.0], [1.0, -1.0]), "density"),
        (lambda: tabulated([1.0, 2.0], [1.0, float("nan")]), "density"),
        (lambda: tabulated([1.0, 2.0], [1.0, 1.0], survival=[0.5, 1.2]), "survival"),
        (lambda: tabulated([1.0, 2.0], [1.0, 1.0], lines_keV=[3.0]), "line_flux"),
    ],
)
def test_bad_inputs_are_named_in_one_line(call, words):
    with pytest.raises(InputError, match=words) as raised:
        call()
    assert "\n" not in str(raised.value)
