"""Likelihoods of several experiments put together, from arrays alone."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from jaxnu.inference import Sample, asimov, binned, build_model, difference, limit_value
from jaxnu.inference.experiment_model import ExperimentModel
from jaxnu.inference.joint import joint_model
from jaxnu.inference.methods import plain_numbers

S = np.array([3.0, 2.0, 1.0])


def part(model):
    zero = jnp.zeros(3)
    return ExperimentModel(model, zero, zero, zero, zero, jnp.ones(()), beside=zero,
                           source_variance=zero)  # fmt: skip


def on_and_off(name, scale):
    """Two spectra, as of a reactor that is never quite off."""
    signal = Sample("s", S, signal=True)
    return part(build_model([
        binned(name, scale * np.array([5.0, 4.0, 3.0]), [signal, Sample("b", scale * S)]),
        binned(f"{name} OFF", 7.0 * scale * S, [Sample("b", 9.0 * scale * S)]),
    ]))  # fmt: skip


def test_every_spectrum_keeps_its_own_data():
    parts = [on_and_off("a", 1.0), on_and_off("b", 2.0)]
    joint = joint_model(parts, ["a", "b"])
    names = [m.name for m in joint.measurements]
    assert len(set(names)) == 4, names
    expected = asimov(joint, jnp.zeros(len(joint.names)))
    rates = [float(np.sum(m.data["counts"])) for m in expected.measurements]
    np.testing.assert_allclose(rates, np.array([1.0, 9.0, 2.0, 18.0]) * S.sum())


def test_a_shared_nuisance_is_one():
    """Differences of two experiments with one flux of 10%, against a search by scipy."""
    rng = np.random.default_rng(5)
    sigma = [0.3 * np.ones(3), 0.5 * np.ones(3)]
    values = [4.0 * S + e * rng.normal(size=3) for e in sigma]
    parts = [
        part(build_model(difference(
            name, y, [Sample("s", S, signal=True, norms={"flux": 0.1})], sigma=e
        )))
        for name, y, e in zip("ab", values, sigma, strict=True)
    ]  # fmt: skip

    def profiled(x, shared):
        def deviance(a, b):
            each = zip(values, sigma, (a, b), strict=True)
            return sum(np.sum(((y - x * S * (1 + 0.1 * t)) / e) ** 2) for y, e, t in each)

        def least(f):
            return minimize_scalar(
                f, bounds=(-6, 6), method="bounded", options={"xatol": 1e-10}
            ).fun

        if shared:
            return least(lambda t: deviance(t, t) + t * t)
        return least(lambda a: a * a + least(lambda b: deviance(a, b) + b * b))

    for shared in (("flux",), ()):
        joint = joint_model(parts, ["a", "b"], shared)
        assert joint.nuisances == (("flux",) if shared else ("a: flux", "b: flux"))
        best = minimize_scalar(lambda x, s=shared: profiled(x, s), bounds=(2, 6), method="bounded",
                               options={"xatol": 1e-9})  # fmt: skip
        wanted = brentq(
            lambda x, s=shared, q=best.fun: profiled(x, s) - q - 2.705543454, best.x, 9.0
        )
        found = float(limit_value(joint, "profile", 0.90, "two-sided"))
        print(f"shared {shared}: {found:.9g}, by scipy {wanted:.9g}")
        assert found == pytest.approx(wanted, rel=1e-6)


def test_results_without_a_number_are_json():
    text = json.dumps(plain_numbers({"a": [np.nan, 1.0], "b": np.inf}), allow_nan=False)
    assert json.loads(text) == {"a": [None, 1.0], "b": "inf"}
