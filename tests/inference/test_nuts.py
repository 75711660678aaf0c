"""The No-U-Turn sampler: closed forms, quadrature, bounds, diagnostics, and its absence."""

import dataclasses
import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import gammainc, gammaincinv

from jaxnu import FitError, InputError, limit, response
from jaxnu.cli import main
from jaxnu.inference import Sample, binned, build_model, fit, infer, sample_posterior
from jaxnu.inference.nuts import Samples, from_theta, to_theta
from jaxnu.inference.settings import STATISTICS


@pytest.fixture
def numpyro():
    return pytest.importorskip("numpyro", reason="numpyro is not installed")


def counting(n, b):
    samples = [Sample("s", [1.0], signal=True), Sample("b", [float(b)])]
    return build_model(binned("c", [float(n)], samples))


@pytest.mark.parametrize(("n", "b"), [(0, 0.0), (3, 0.0), (7, 3.0)])
def test_a_count_in_closed_form(numpyro, n, b):
    """∫_x^∞ e^-μ-b (μ+b)^n dμ, a quantile of the gamma density of n + 1."""
    result = infer(counting(n, b), "nuts", seed=2)
    start = gammainc(n + 1, b)
    expected = gammaincinv(n + 1, 1.0 - 0.1 * (1.0 - start)) - b
    error = result.accuracy * result.value
    print(f"n = {n}, b = {b}: {result.value:.3f} ± {error:.3f}, exactly {expected:.3f}")
    print(result.sampling)
    assert abs(result.value - expected) < 4.0 * error and result.accuracy < 0.04
    assert result.sampling["divergences"] == 0 and result.sampling["r_hat"]["x"] < 1.05
    assert 500.0 < result.sampling["effective"]["x"] < 8000.0
    assert result.status.count("NUTS") == 1 and json.dumps(result.as_dict(), allow_nan=False)


def test_the_seed_decides_the_draws(numpyro):
    model = counting(3, 0.0)
    found = fit(model)
    first, again, other = (sample_posterior(model, found, seed=s).theta for s in (2, 2, 3))
    np.testing.assert_array_equal(first, again)
    assert np.all(first != other) and np.all(first >= 0.0)
    tails = infer(model, "nuts", convention="two-sided", seed=2).interval
    expected = gammaincinv(4, [0.05, 0.95])
    print(f"equal tails {tails}, exactly {expected}")
    assert np.all(np.abs(np.array(tails) / expected - 1.0) < [0.15, 0.06])


def test_coordinates_without_bounds(agree):
    """One bound, the other, both, none: |∂θ/∂z| against the Jacobian, and back."""
    low = jnp.array([0.0, -jnp.inf, -1.0, -jnp.inf])
    high = jnp.array([jnp.inf, 3.0, 2.0, jnp.inf])
    centre, unit = jnp.array([1.0, 2.0, 0.5, 0.3]), jnp.array([0.7, 0.2, 0.5, 3.0])

    def move(z):
        return to_theta(z, low, high, centre, unit)

    for z in ([0.3, -1.2, 0.8, 2.0], [-8.0, 9.0, -7.0, -5.0], [30.0, -40.0, 6.0, 0.0]):
        theta, log_volume = move(jnp.array(z))
        assert np.all((theta > low) & (theta < high))
        volume = np.linalg.slogdet(jax.jacfwd(lambda z: move(z)[0])(jnp.array(z)))
        assert volume[0] > 0.0
        agree("ln |∂θ/∂z|", log_volume, volume[1], 1e-10)
        back = from_theta(np.asarray(theta), *map(np.asarray, (low, high, centre, unit)))
        agree("z", back, z, 1e-9)


@pytest.mark.slow
def test_a_flat_nuisance_at_its_bound(numpyro):
    """Zero counts over a free norm: x is independent of it, so ln 10 per expected event."""
    samples = [
        Sample("s", [2.0, 1.0], signal=True), Sample("b", [2.0, 3.0], norms={"n": 1.0})
    ]  # fmt: skip
    model = build_model(binned("sr", [0.0, 0.0], samples), free=("n",))
    result = infer(model, "nuts", seed=1)
    print(result.value, result.accuracy, result.sampling)
    assert abs(result.value / (np.log(10.0) / 3.0) - 1.0) < 4.0 * result.accuracy
    draws = sample_posterior(model, result.fit, seed=1).theta[..., 1]
    # 1 + α is exponential with mean 1/5
    assert np.all(draws > -1.0) and abs(draws.mean() + 0.8) < 0.02


@pytest.mark.slow
def test_xenonnt_is_that_of_quadrature(numpyro, xenonnt, capsys, tmp_path, monkeypatch):
    """Within four Monte Carlo standard errors; and the command says how good the chains are."""
    monkeypatch.setattr("jaxnu.precision.enable_compilation_cache", lambda: None)
    words = ["limit", "xenonnt-sr0", "--response", "free", "--method", "nuts", "--seed", "3"]
    assert main([*words, "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    found = json.loads(Path(tmp_path / "limit-xenonnt-sr0.json").read_text())
    quadrature = limit(xenonnt, response("Xe", "free"), method="bayes")
    pull = (found["limit_mu_B"] / quadrature.limit_mu_B - 1.0) / found["accuracy"]
    print(text, f"{pull:+.2f} Monte Carlo standard errors from quadrature")
    assert abs(pull) < 4.0 and found["accuracy"] < 0.02 and quadrature.accuracy < 1e-4
    assert found["seed"] == found["sampling"]["seed"] == 3 and quadrature.seed is None
    assert (
        "chains         4 of 2000 draws, seed 3" in text and found["sampling"]["divergences"] == 0
    )
    assert set(found["sampling"]["r_hat"]) == {"x", "background"} and found["derivatives"] is None


def test_chains_that_disagree_raise(numpyro):
    good = Samples(np.ones((2, 5, 1)), ("x",), {"x": 1.0}, {"x": 9.0}, 0, 0)
    assert good.check() is good
    for change, words in (
        ({"r_hat": {"x": 1.06}}, "R̂ of x = 1.060"),
        ({"r_hat": {"x": np.nan}}, "R̂ of x = nan"),
        ({"divergences": 1}, "1 divergent"),
    ):
        with pytest.raises(FitError, match=words):
            dataclasses.replace(good, **change).check()
    # eight draws after no warming up
    short = dataclasses.replace(STATISTICS, nuts_warmup=1, nuts_draws=8)
    with pytest.raises(FitError, match="chains cannot be trusted"):
        infer(counting(3, 0.0), "nuts", settings=short)


def test_without_numpyro_it_says_what_to_install(monkeypatch):
    for name in ("numpyro", "numpyro.infer", "numpyro.diagnostics"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError) as refusal:
        infer(counting(3, 0.0), "nuts")
    print(refusal.value)
    assert ".[sample]" in str(refusal.value) and len(str(refusal.value).splitlines()) == 1
