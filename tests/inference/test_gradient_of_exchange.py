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


@pytest.mark.long
def test_exchange_of_an_atom(slope, agree):
    """CONUS+ filled with neon, whose K shell lies among the bins: a coarse table, whose tangent
    test_build.py holds to differences."""
    value, tangent = table_and_slope("Ne", 1.0, COARSE)
    experiment = load_experiment("conus-plus-2025").replace(target="Ne")

    def atom(step):  # outside of jit: which lines there are depends on numbers
        return CentralField.from_table(table_along(value, tangent, step), "model")

    @jax.jit
    def limit(atom):
        return jnp.log(1e11 * sensitivity(experiment, atom).limit_mu_B)

    _, got = jax.jvp(lambda step: limit(atom(step)), (0.0,), (1.0,))
    numeric = slope(lambda h: limit(atom(h)), 0.0, 0.01)
    print(f"d ln(limit)/d exchange = {float(got):.7f}")
    assert abs(numeric) > 1e-4, "the atom matters"
    agree("d ln(limit)/d exchange", got, numeric, 1e-5)
