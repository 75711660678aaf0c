"""Quenching: Lindhard's formula, tables, their inverse, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from jaxnu.detector import Quenching, electron_equivalent, quenching_factor
from jaxnu.detector.quenching import check_quenching, recoil_energy
from jaxnu.errors import InputError

T = np.geomspace(0.01, 100.0, 30)
KNOTS, VALUES = np.array([0.0, 0.2, 1.0, 5.0, 200.0]), np.array([0.05, 0.1, 0.18, 0.25, 0.4])


def lindhard(symbol="Ge", k=0.157):
    return Quenching(symbol, "lindhard", k=jnp.asarray(k))


def table(values=VALUES):
    return Quenching("Ge", "table", knots_keV=jnp.asarray(KNOTS), factor=jnp.asarray(values))


@pytest.mark.parametrize(("symbol", "Z", "k"), [("Ge", 32, 0.157), ("Xe", 54, 0.166)])
def test_lindhard_by_hand(symbol, Z, k):
    ours = np.asarray(quenching_factor(T, lindhard(symbol, k)))
    for energy, value in zip(T, ours, strict=True):
        e = 11.5 * energy / Z ** (7 / 3)
        g = 3 * e**0.15 + 0.7 * e**0.6 + e
        assert value == pytest.approx(k * g / (1 + k * g), rel=1e-13)
    assert (np.diff(ours) > 0.0).all()


def test_a_table_goes_through_its_knots():
    np.testing.assert_allclose(quenching_factor(KNOTS, table()), VALUES, rtol=1e-13)
    curve = PchipInterpolator(KNOTS, VALUES)
    np.testing.assert_allclose(quenching_factor(T, table()), curve(T), rtol=1e-12)


def test_none_is_one():
    np.testing.assert_array_equal(electron_equivalent(T, Quenching("Ge", "none")), T)


@pytest.mark.parametrize("quenching", [lindhard(), table(), Quenching("Ge", "none")])
def test_the_inverse(quenching):
    seen = np.asarray(electron_equivalent(T, quenching))
    np.testing.assert_allclose(recoil_energy(seen, quenching, 200.0), T, rtol=1e-12)
    assert recoil_energy(np.array([1e6]), quenching, 200.0) == pytest.approx(200.0)


@pytest.mark.parametrize("quenching", [lindhard(), table(), Quenching("Ge", "none")])
def test_derivative_in_the_scale(quenching):
    slope = jax.jvp(lambda s: electron_equivalent(T, quenching, s), (1.0,), (1.0,))[1]
    h = 1e-5
    two = [np.asarray(electron_equivalent(T, quenching, 1.0 + s)) for s in (h, -h)]
    np.testing.assert_allclose(slope, (two[0] - two[1]) / (2.0 * h), rtol=1e-8)


def test_a_curve_that_folds_over_is_refused():
    check_quenching("q", table(), 200.0)
    with pytest.raises(InputError, match=r"q: Q\(T\) T falls") as refusal:
        check_quenching("q", table(np.array([0.05, 0.4, 0.05, 0.25, 0.4])), 200.0)
    assert "\n" not in str(refusal.value)
    # a cutoff below which nothing is seen is no fold
    check_quenching("q", table(np.array([0.0, 0.0, 0.18, 0.25, 0.4])), 200.0)
