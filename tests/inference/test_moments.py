"""Limits on single elements of the matrix of moments."""

import dataclasses
import math

import jax.numpy as jnp
import numpy as np
import pytest

import jaxnu
from jaxnu import flux
from jaxnu.errors import InputError
from jaxnu.experiments import load_experiment
from jaxnu.inference.moments import ELEMENTS, moment_limits
from jaxnu.mixing import (
    flavor_moment_squared,
    pmns_matrix,
    solar_moment_squared,
    solar_moment_weights,
    solar_shares,
)


@pytest.fixture(scope="module")
def xenon():
    return jaxnu.response("Xe", "free")


@pytest.fixture(scope="module")
def gemma():
    return load_experiment("gemma"), jaxnu.response("Ge", "free")


def with_survival(e, P):
    source = e.parameters.source
    source = dataclasses.replace(source, survival=jnp.full_like(source.survival, P))
    return e.replace(source=source)


@pytest.mark.slow
def test_published_mapping(xenonnt, xenon, agree):
    """|A|² = (.678, .300, .022) and the ratios of PRD 96, 091103 to its μ_eff < 2.8e-11."""
    theta13 = math.asin(math.sqrt(0.022))
    theta12 = 0.584
    U2 = np.abs(np.asarray(pmns_matrix(theta12, theta13, 0.0))[0]) ** 2
    e = with_survival(xenonnt, float(np.array([0.678, 0.300, 0.022]) @ U2))
    effective = jaxnu.limit(e, xenon).limit_mu_B
    for kind, published in (("dirac", (3.40, 5.11, 18.9)), ("majorana", (2.83, 3.35, 4.93))):
        found = moment_limits(e, xenon, kind, theta12=theta12, theta13=theta13)
        print(found.summary())
        ratios = np.array(list(found.limits_mu_B.values())) / effective
        agree(kind, ratios, np.array(published) / 2.8, 0.01)


def test_survival_of_the_flux_enters_energy_by_energy(xenonnt, xenon, agree):
    """A limit with P_ee(E) lies between those of its ends; at a constant one it is exact."""
    e = with_survival(xenonnt, 0.525)
    effective = float(jaxnu.limit(e, xenon).limit_mu_B)
    found = moment_limits(e, xenon, "dirac", theta12=0.6, theta13=0.15)
    for name, matrix in ELEMENTS["dirac"].items():
        share = float(solar_moment_squared(matrix, solar_shares(0.525, 0.6, 0.15)))
        agree(f"|μ_{name}|", found.limits_mu_B[name], effective / math.sqrt(share), 1e-7)
        agree("mean share", found.shares["xenonnt-sr0"][name], share, 1e-9)
    real = moment_limits(xenonnt, xenon, "dirac", theta12=0.6, theta13=0.15).limits_mu_B["11"]
    ends = [
        effective / math.sqrt(float(solar_shares(P, 0.6, 0.15)[0]))
        for P in (0.547, 0.504)
    ]  # fmt: skip
    print(f"|μ_11|: {ends[0]:.5e} < {real:.5e} < {ends[1]:.5e}")
    assert ends[0] < real < ends[1]


def test_states_that_arrive_are_said_by_the_source(xenonnt, xenon, agree):
    """|A_k|² of the Sun's line, |U_ek|² of a line of ν_e; a bare number says neither."""
    line = flux.line(861.8, 4.42e9)
    U2 = np.abs(np.asarray(pmns_matrix(0.6, 0.15, 0.0))[0]) ** 2
    P = np.interp(861.8, [857.0, 1468.0], [0.525, 0.504])
    for source, weights in (
        (flux.solar_survival(line), np.asarray(solar_shares(P, 0.6, 0.15))),
        (line, U2),
    ):
        e = xenonnt.replace(source=source)
        shares = moment_limits(e, xenon, "dirac", theta12=0.6, theta13=0.15).shares
        agree(source.name, list(shares["xenonnt-sr0"].values()), weights, 1e-9)
    # the Sun with P_ee = 1 does not turn into a reactor: no conversion gives it
    with pytest.raises(InputError, match=r"survival = 1 of .* makes one of \|A_k\|² negative"):
        moment_limits(with_survival(xenonnt, 1.0), xenon)
    half = xenonnt.replace(source=dataclasses.replace(line, survival=jnp.full(2, 0.5)))
    with pytest.raises(InputError, match=r"survival = 0.5 of the source of xenonnt-sr0") as told:
        moment_limits(half, xenon)
    assert "\n" not in str(told.value)


def test_weights_are_the_moment_at_any_survival(agree):
    rng = np.random.default_rng(3)
    mu = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
    w0, w1 = solar_moment_weights(mu, 0.584, 0.149)
    for P in (0.35, 0.5, 0.547):
        exact = solar_moment_squared(mu, solar_shares(P, 0.584, 0.149))
        agree(f"P_ee = {P}", w0 + w1 * P, exact, 1e-13)


@pytest.mark.slow
def test_reactor_and_sun_in_one_likelihood(xenonnt, xenon, gemma, agree):
    """A reactor sees |U_ek|² of the ν_e; a limit of both is below the limit of each."""
    e, germanium = gemma
    effective = jaxnu.sensitivity(e, germanium).limit_mu_B
    alone = moment_limits(e, germanium, "majorana", data="Asimov")
    U = pmns_matrix(0.584, 0.149, 0.0)
    for name, matrix in ELEMENTS["majorana"].items():
        share = float(flavor_moment_squared(matrix, U))
        agree(f"|μ_{name}|", alone.limits_mu_B[name], effective / math.sqrt(share), 1e-7)
    sun = moment_limits(xenonnt, xenon, "majorana", data="Asimov")
    both = moment_limits([xenonnt, e], [xenon, germanium], "majorana", data="Asimov")
    for name in both.limits_mu_B:
        values = [each.limits_mu_B[name] for each in (both, sun, alone)]
        print(f"|μ_{name}| of both, Sun, reactor: {values}")
        # in x = |μ|², Gaussian limits of independent data add like 1/x²
        gauss = (values[1] ** -4 + values[2] ** -4) ** -0.25
        agree(f"|μ_{name}|, Gaussian", values[0], gauss, 0.01)


def test_bad_input(xenonnt, xenon):
    for arguments, told in (
        ({"kind": "Weyl"}, "kind = 'Weyl' is unknown"),
        ({"theta12": 33.4}, "theta12 = 33.4 rad is outside"),
        ({"confidence_level": 90}, "90% is written 0.90"),
        ({"convention": "both"}, "convention = 'both'"),
        ({"data": "asimov"}, "did you mean 'Asimov'"),
    ):
        with pytest.raises(InputError, match=told):
            moment_limits(xenonnt, xenon, **arguments)
