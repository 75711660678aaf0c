"""Toys of an experiment, and the command: seeds, coverage, p-values, refusals."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from jaxnu import InputError, load_experiment, response, sensitivity
from jaxnu.cli import main
from jaxnu.inference import asimov, experiment_toys, fit, run_toys
from jaxnu.inference.toy_limits import toy_model

MU = 7e-12
WORDS = ["toys", "xenonnt-sr0", "--response", "free", "--mu", str(MU), "--toys", "200"]


@pytest.fixture(scope="module")
def xe():
    return response("Xe", "free")


@pytest.fixture(scope="module")
def found(xenonnt, xe):
    return experiment_toys(xenonnt, xe, 200, mu_B=MU, seed=4)


@pytest.fixture(autouse=True)
def _no_other_cache(monkeypatch):
    # the run's own cache of compiled programs stays in charge
    monkeypatch.setattr("jaxnu.precision.enable_compilation_cache", lambda: None)


def test_coverage_bands_and_p_value_are_those_of_the_toys(found, xenonnt, xe, unit, agree):
    """From the toys of the statistics layer; q of the data from the scan of `limit`."""
    model, _ = toy_model(xenonnt, xe)
    truth = {"x": 0.49, **found.truth}
    toys = run_toys(model, truth, 200, tested=(0.49,), confidence=0.9, seed=4)
    q = toys.q[:, 0]
    agree("interval", found.interval_coverage[0], np.mean(q <= norm.isf(0.05) ** 2), 1e-12)
    agree("upper limit", found.limit_coverage[0], np.mean(toys.limit >= 0.49), 1e-12)
    share = norm.cdf([-2, -1, 0, 1, 2])
    agree("bands", found.bands_mu_B, np.quantile(np.sqrt(toys.limit * unit), share), 0.01)
    agree("p", found.p_value[0], np.mean(q >= found.q_observed), 1e-12)
    # a Gaussian x̂ of width σ about x = kσ; for x̂ < 0 the best fit is 0, and q = k² − 2k x̂/σ
    theta = np.array([0.49, *found.truth.values()])
    k = 0.49 / float(fit(asimov(model, theta)).covariance[0, 0]) ** 0.5

    def beyond(q):
        return norm.sf(q**0.5) + norm.sf((k**2 + q) / (2.0 * k) if q > k**2 else q**0.5)

    def spread(share):
        return (share * (1.0 - share) / 200) ** 0.5

    outside, p = beyond(norm.isf(0.05) ** 2), beyond(found.q_observed)
    print(f"k = {k:.3f}: coverage {1.0 - outside:.4f}, p = {p:.4f}; {found}")
    assert abs(found.interval_coverage[0] - (1.0 - outside)) < 4.0 * spread(outside)
    assert abs(found.p_value[0] - p) < 4.0 * spread(p)


def test_the_truth_is_fitted_to_the_counts(found, xenonnt, xe, xenon_templates):
    """One floating norm at μ = 7e-12: the sum of the counts is that of the fit, n = Σλ."""
    model, _ = toy_model(xenonnt, xe)
    rates = model.measurements[0].rates(0.49, found.truth)
    b, s = np.asarray(rates)[1], np.asarray(rates)[0]
    n = np.asarray(xenonnt.counts)
    score = np.sum(b * (n / (s + b) - 1.0))
    print(f"norm {found.truth}, score {score:.1e} of {b.sum():.0f} events")
    assert abs(score) < 1e-4 * b.sum() ** 0.5


@pytest.mark.slow
def test_the_median_limit_is_the_forecast(xenonnt, xe, agree):
    """Background alone: the median of 400 limits is that of Asimov data within some percent."""
    toys = experiment_toys(xenonnt, xe, 400, seed=1)
    assert toys.p_value is not None and toys.q_observed == 0.0 and toys.p_value[0] == 1.0
    agree("median", toys.bands_mu_B[2], sensitivity(xenonnt, xe).limit_mu_B, 0.05)


@pytest.mark.slow
def test_a_forecast_has_no_p_value():
    gemma, ge = load_experiment("gemma-2010"), response("Ge", "free")
    toys = experiment_toys(gemma, ge, 100)
    assert toys.p_value is None and toys.q_observed is None
    assert toys.limit_coverage[0] == 1.0  # of μ = 0
    assert np.all(np.diff(toys.bands_mu_B) > 0.0)


def test_the_command_prints_and_writes_the_same(tmp_path, capsys, found):
    out, part = tmp_path / "toys-xenonnt-sr0.json", tmp_path / "part.npz"
    words = [*WORDS, "--seed", "4", "--out", str(tmp_path), "--checkpoint", str(part)]
    assert main(words) == 0
    text = capsys.readouterr().out

    written = json.loads(out.read_text())
    assert written == json.loads(json.dumps(found.as_dict()))
    assert f"median {found.bands_mu_B[2]:.4g}" in text and "p-value" in text
    assert text.splitlines()[0].startswith("XENONnT"), "nothing but the report on stdout"
    # again: all toys are in the file
    before = part.read_bytes()
    assert main(words) == 0 and capsys.readouterr().out == text
    assert np.load(part)["finished"].all() and len(before) == len(part.read_bytes())
    # a half of them, as after a kill
    held = dict(np.load(part))
    held["finished"][100:] = False
    held["limit"][100:] = np.nan
    np.savez(part, **held)
    assert main(words) == 0 and capsys.readouterr().out == text
    assert main([*words, "--json"]) == 0 and capsys.readouterr().out == out.read_text()


def test_another_seed_gives_other_toys(found, xenonnt, xe):
    again = experiment_toys(xenonnt, xe, 200, mu_B=MU, seed=4)
    other = experiment_toys(xenonnt, xe, 200, mu_B=MU, seed=5)
    np.testing.assert_array_equal(again.toys.limit, found.toys.limit)
    assert again.as_dict() == found.as_dict()
    assert np.all(other.toys.limit != found.toys.limit)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--toys", "0"], "--toys = 0"),
        (["--toys", "1e3"], "'1e3' is not a whole number"),
        (["--seed", "-1"], "'-1' is not a whole number"),
        (["--mu", "11"], "11e-12 is written 1.1e-11"),
        (["--mu", "nan"], "--mu = nan"),
        (["--confidence-level", "90"], "90% is written 0.90"),
        (["--convention", "both"], "allowed: two-sided, one-sided"),
        (["--out", "/dev/null/toys"], "cannot be used as a folder"),
        (["--checkpoint", "."], "cannot be written"),
        (["--response", "fre"], "did you mean 'free'"),
        (["--distributed"], "coordinator"),
        (["--distributed", "--coordinator", "localhost:1234"], "processes = None"),
        (["--distributed", "--coordinator", "localhost:1234", "--processes", "2", "--process",
          "2"], "process = 2"),
    ],
)  # fmt: skip
def test_bad_arguments_are_one_line(more, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        code = main([*WORDS, *more])
    except SystemExit as stop:  # argparse
        code = stop.code
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if line.startswith("jaxnu: error")]
    print(lines)
    assert code == 2 and out == "" and len(lines) == 1 and words in lines[0]
    assert "Traceback" not in err and not list(Path().iterdir())


def test_bad_arguments_of_the_function(xenonnt, xe):
    for change, words in (
        ({"count": 0}, "count = 0"),
        ({"count": 1.5}, "count = 1.5"),
        ({"seed": -1}, "seed = -1"),
        ({"seed": True}, "seed = True"),
        ({"mu_B": -1e-11}, "mu_B = -1e-11"),
        ({"confidence_level": 1.0}, "confidence_level = 1.0"),
    ):
        with pytest.raises(InputError, match=words):
            experiment_toys(xenonnt, xe, **change)
    with pytest.raises(InputError, match="no background model"):
        experiment_toys(dataclasses.replace(xenonnt, has_background=False), xe)
