"""Gradient and Hessian of a forecast in every parameter of every shipped experiment and its atom,
against finite differences of the limit and of the gradient."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnu import load_experiment, response, sensitivity
from jaxnu.experiments import available

STEP = 0.02
# of a step of one: a fraction of each number (threshold, energies of the efficiency: of the
# threshold; bin edges: of a bin), so that STEP is small against what the forecast varies over, the
# narrowest turn-on among it
SIZES = {
    "threshold_keV": 0.01,
    "exposure_kg_day": 1.0,
    "resolution_keV": 0.5,
    "efficiency_offset_keV": 0.004,
    "efficiency": 0.5,
    "bin_edges_keV": 0.2,
    "background": 1.0,
    "background_uncertainty": 1.0,
    "off_exposure_kg_day": 1.0,
    "systematic_uncertainty": 1.0,
}
SHIPPED = [name for name in available() if load_experiment(name).has_background]


def directions(experiment, atom):
    """Name → what a step s along it does to (parameters, atom)."""
    p = experiment.parameters
    scale = {
        "efficiency_offset_keV": float(p.threshold_keV),
        "bin_edges_keV": np.append(np.diff(p.bin_edges_keV), np.diff(p.bin_edges_keV)[-1]),
    }

    def along(field, which):
        def move(p, atom, s):
            old = getattr(p, field)
            size = scale.get(field, np.asarray(getattr(experiment.parameters, field)))
            step = SIZES[field] * which * size
            return dataclasses.replace(p, **{field: old + s * step}), atom

        return move

    def flux(power):
        def move(p, atom, s):
            return dataclasses.replace(p, source=p.source.scaled((1.0 + s) ** power)), atom

        return move

    def shells(which):
        def move(p, atom, s):
            moved = atom.thresholds_keV * (1.0 + 0.1 * s * which)
            return p, dataclasses.replace(atom, thresholds_keV=moved)

        return move

    found = {"flux": flux(1.0), "distance": flux(-2.0)}
    for field in SIZES:
        value = np.atleast_1d(getattr(p, field))
        number = np.arange(value.size)
        if not np.any(value != 0.0) or (
            field == "background_uncertainty" and experiment.background_floating
        ):
            continue  # there is none in this experiment
        if value.size == 1:
            found[field] = along(field, 1.0)
            continue
        found[field] = along(field, np.ones(value.size))
        if field != "resolution_keV":  # one number alone; an offset that is not an end
            one = number == max(value.size // 3, 1)
            # a knot of the efficiency moves against its neighbours, to which the slopes are sharp
            found[f"{field}, one"] = along(field, 0.1 * one if field == "efficiency" else one)
    count = atom.thresholds_keV.size
    found["all thresholds"] = shells(np.ones(count))
    for k in {0, count // 2}:
        found[f"threshold of {atom.labels[k]}"] = shells(np.arange(count) == k)
    return found


def check(name, atom, slope, agree, of_shells=1.0):
    """of_shells: of STEP where thresholds of subshells move."""
    experiment = load_experiment(name)
    # off the places where an energy of the efficiency is an edge of a bin: the third derivative
    # steps there, and with it the error of a finite difference
    p = experiment.parameters
    experiment = experiment.replace(threshold_keV=1.0037 * float(p.threshold_keV))
    moves = directions(experiment, atom)

    def value(s):
        p, here = experiment.parameters, atom
        for k, move in enumerate(moves.values()):
            p, here = move(p, here, s[k])
        return jnp.log(sensitivity(experiment.replace(parameters=p), here).limit_mu_B)

    @jax.jit
    def along(s, direction):
        def both(s):
            value_here, gradient = jax.value_and_grad(value)(s)
            return jnp.append(gradient, value_here)

        return jax.jvp(both, (s,), (direction,))

    gradient = along(jnp.zeros(len(moves)), jnp.zeros(len(moves)))[0][:-1]
    for k, label in enumerate(moves):
        direction = jnp.zeros(len(moves)).at[k].set(1.0)
        step = STEP * (of_shells if label.startswith(("all thresholds", "threshold of")) else 1.0)
        numeric = slope(lambda h, d=direction: along(h * d, d)[0], 0.0, step)
        got = along(0.0 * direction, direction)[1]
        size = max(abs(numeric[-1]), 1e-3)
        agree(f"{name}: d ln(limit)/d {label}", gradient[k], numeric[-1], 1e-5, scale=size)
        size = max(np.max(np.abs(numeric[:-1])), 1e-3)
        agree(f"{name}: its derivatives by {label}", got[:-1], numeric[:-1], 1e-5, scale=size)


@pytest.mark.slow
def test_first_and_second_derivatives_of_a_forecast(slope, agree):
    check("conus-plus-2025", response("Ge", "free"), slope, agree)


@pytest.mark.long
@pytest.mark.parametrize("name", SHIPPED)
def test_of_every_shipped_experiment(name, slope, agree):
    target = load_experiment(name).target
    check(name, response(target, "stepping"), slope, agree)


@pytest.mark.long
def test_with_the_default_atom(slope, agree):
    # its splines are cubic and fine near a threshold: a second derivative has a cusp wherever a
    # node of them passes a node of the integral, so that differences come to it slowly (by M5, of
    # a step of s: 0.002 to 2e-2, 0.0005 to 2e-4, 0.0002 to 9e-6, 0.0001 to 2e-6)
    check("xenonnt-sr0", response("Xe"), slope, agree, of_shells=0.01)
