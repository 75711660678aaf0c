"""Derivative of a forecast in the exchange parameter of the atom, along its stored tangent."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest

from jaxnu import load_experiment, sensitivity
from jaxnu.atom.moving_table import table_along, table_and_slope
from jaxnu.atom.settings import ATOM_NUMERICS, RatioClass
from jaxnu.responses.central_field import CentralField

COARSE = dataclasses.replace(
    ATOM_NUMERICS,
    ratio_classes=(RatioClass(10.0, 1), RatioClass(20.0, 2)),
    orders=((0, 41), (41, 61)),
    energy_step=0.25,
    energy_slots=96,
)


@pytest.mark.slow
def test_exchange_of_an_atom(slope, agree):
    """GEMMA filled with neon: a coarse table, whose tangent test_build.py holds to differences."""
    value, tangent = table_and_slope("Ne", 1.0, COARSE)
    experiment = load_experiment("gemma").replace(target="Ne")

    @jax.jit
    def limit_and_slope(step):
        def limit(step):
            atom = CentralField.from_table(table_along(value, tangent, step), "model")
            return jnp.log(1e11 * sensitivity(experiment, atom).limit_mu_B)

        return jax.value_and_grad(limit)(step)

    numeric = slope(lambda h: limit_and_slope(h)[0], 0.0, 0.02)
    got = limit_and_slope(0.0)[1]
    print(f"d ln(limit)/d exchange = {got:.6f}")
    agree("d ln(limit)/d exchange", got, numeric, 1e-5, scale=max(abs(numeric), 1e-3))
    assert abs(numeric) > 1e-6, "the atom matters"
