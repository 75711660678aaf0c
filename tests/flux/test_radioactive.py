"""51Cr and tritium: published numbers, decay over a run, shapes, gradients, refusals."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from jaxnu.errors import InputError
from jaxnu.flux import Point, Sphere, chromium51, mean_inverse_square, tritium
from jaxnu.flux.beta import allowed_shape
from jaxnu.flux.radioactive import (
    CHROMIUM51_LINES,
    CHROMIUM51_HALF_LIFE_d,
    TRITIUM_HALF_LIFE_d,
    tritium_activity_PBq,
)


def test_shares_of_the_chromium_lines():
    """All decays, 90.1% to the ground state (measured: 320-keV photon in 9.9%); Q = 752.4 keV."""
    shares = dict(CHROMIUM51_LINES)
    assert sum(shares.values()) == pytest.approx(1.0, abs=1e-12)
    excited = shares[427.0] + shares[432.0]
    print(f"51Cr: {excited:.3f} of the decays to the level at 320.1 keV (measured 0.099)")
    assert abs(excited - 0.099) < 5e-4
    # K below L by the binding energies of vanadium, 5.465 and about 0.6 keV
    assert all(b - a == 5.0 for a, b in ((747.0, 752.0), (427.0, 432.0)))
    assert all(abs(b - a - 320.1) < 0.2 for a, b in ((427.0, 747.0), (432.0, 752.0)))


def test_flux_of_a_chromium_source(agree):
    """One decay, one neutrino."""
    spectrum = chromium51(126.0, Point(2.0))
    agree("126 PBq at 2 m", spectrum.total(), 126e15 / (4 * math.pi * 200.0**2), 1e-13)
    expected = [0.816 * 747 + 0.085 * 752 + 0.09 * 427 + 0.009 * 432]
    agree("mean energy", spectrum.mean_energy_keV(), expected[0], 1e-13)
    assert not spectrum.antineutrino
    shell = Sphere(1.1, 0.0, 0.2)
    around = chromium51(126.0, shell).total()
    agree("around the source", around, 126e15 * float(mean_inverse_square(shell)), 1e-13)


@pytest.mark.parametrize(("run", "delay"), [(0.0, 0.0), (10.0, 0.0), (90.0, 4.0), (1e-7, 2.0)])
def test_activity_is_the_mean_over_the_run(run, delay, agree):
    def flux(**times):
        return float(chromium51(100.0, Point(1.0), **times).total())

    def activity(t):
        return 0.5 ** (t / CHROMIUM51_HALF_LIFE_d)

    mean = quad(activity, delay, delay + run)[0] / run if run else activity(delay)
    agree(f"run {run} d after {delay} d", flux(run_d=run, delay_d=delay) / flux(), mean, 1e-7)


def test_a_run_of_one_half_life():
    ratio = chromium51(1.0, Point(1.0), run_d=CHROMIUM51_HALF_LIFE_d).total()
    ratio = float(ratio / chromium51(1.0, Point(1.0)).total())
    print(f"mean activity over one half-life: {ratio:.6f}, 1/(2 ln 2) = {0.5 / math.log(2):.6f}")
    assert ratio == pytest.approx(0.5 / math.log(2.0), rel=1e-12)


def test_a_gram_of_tritium():
    """9.62 kCi (356 TBq) per gram, from any table."""
    activity = float(tritium_activity_PBq(1.0))
    print(f"tritium: {activity * 1e3:.1f} TBq/g, {activity / 37e-6:.0f} Ci/g (published 9621)")
    assert abs(activity / 37e-6 / 9621.0 - 1) < 2e-3


def test_mean_energy_of_tritium():
    """The electron takes 5.68 to 5.71 keV on average, the antineutrino the rest."""
    electron = 18.59 - float(tritium(1.0, Point(1.0)).mean_energy_keV())
    print(f"tritium: mean electron energy {electron:.3f} keV, published 5.68 to 5.71")
    assert 5.67 < electron < 5.72


def test_tritium_shape_against_an_adaptive_rule(agree):
    spectrum = tritium(1.0, Point(1.0))

    def shape(E):
        return float(allowed_shape(np.asarray(E), 18.59, 2, 3))

    whole = quad(shape, 0.0, 18.59, epsabs=0, epsrel=1e-12)[0]
    for low in (3.0, 11.0, 17.0, 18.3):
        above = float(jnp.sum(spectrum.nodes_above(jnp.asarray(low), 16)[1]) / spectrum.total())
        exact = quad(shape, low, 18.59, epsabs=0, epsrel=1e-12)[0] / whole
        agree(f"share above {low} keV", above, exact, 1e-10)
    E = np.array([0.5, 6.0, 15.0, 18.0, 18.5])
    density = [shape(e) / whole for e in E]
    agree("density", spectrum.at(E) / spectrum.total(), density, 1e-8)


def test_tritium_ends_with_a_step():
    """The Coulomb field keeps pF(p) above zero at p = 0: φ(end) is finite."""
    spectrum = tritium(1.0, Point(1.0))
    at_end = float(spectrum.at(18.59) / spectrum.total())
    free = allowed_shape(np.array([18.59 - 1e-6]), 18.59, 0, 3)
    print(f"tritium: {at_end:.4f} per keV at the end point; without charge {free[0]:.1e}")
    assert at_end > 0.01 and float(spectrum.at(18.6)) == 0.0
    assert spectrum.antineutrino


def test_gradients_against_closed_forms(agree):
    def total(activity, distance, delay):
        return tritium(activity, Point(distance), delay_d=delay).total()

    at = (2.0, 3.0, 100.0)
    value, got = float(total(*at)), jax.grad(total, argnums=(0, 1, 2))(*at)
    rate = math.log(2.0) / TRITIUM_HALF_LIFE_d
    agree("tritium", got, [value / 2, -2 * value / 3, -rate * value], 1e-12)

    def by_run(run):
        return chromium51(1.0, Point(1.0), run_d=run).total()

    start = float(by_run(0.0))
    slope = float(jax.grad(by_run)(0.0)) / start
    agree("d/d run at 0", slope, -0.5 * math.log(2.0) / CHROMIUM51_HALF_LIFE_d, 1e-12)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: chromium51(-1.0, Point(1.0)), "activity_PBq = -1"),
        (lambda: chromium51(1.26e17, Point(1.0)), "1 MCi = 37 PBq"),
        (lambda: chromium51(1.0, 10.0), "geometry = 10.0"),
        (lambda: chromium51(1.0, Point(1.0), run_d=-1.0), "run_d = -1"),
        (lambda: tritium(1.0, Point(1.0), delay_d=float("nan")), "delay_d = nan"),
        (lambda: tritium([1.0, 2.0], Point(1.0)), "not one number"),
        (lambda: tritium(1.0, Point(1.0), order=1), "order"),
        (lambda: tritium_activity_PBq(-2.0), "mass_g = -2"),
    ],
)
def test_bad_inputs_are_named_in_one_line(call, words):
    with pytest.raises(InputError, match=words) as raised:
        call()
    assert "\n" not in str(raised.value)
