"""Every method from an experiment; several experiments in one likelihood."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from jaxnu import InputError, convergence, limit, load_experiment, response, sensitivity
from jaxnu.counts import background_counts, signal_counts, templates, weak_counts
from jaxnu.experiments import available
from jaxnu.inference import Sample, binned, build_model, infer
from jaxnu.inference.limit_result import METHOD_WORDS

DELTA = norm.isf(0.05) ** 2
SHIPPED = [name for name in available() if load_experiment(name).has_background]


@pytest.fixture(scope="module")
def gemma():
    return load_experiment("gemma")


@pytest.fixture(scope="module")
def ge():
    return response("Ge", "free")


@pytest.fixture(scope="module")
def xe():
    return response("Xe", "free")


@pytest.fixture(scope="module")
def detailed(xenonnt, xe):
    return limit(xenonnt, xe, details=True)


def poisson_deviance(mean, counts):
    """−2 ln L over that of mean = counts: a small number, of which MINOS can see the steps."""
    at = mean > 0.0
    mean, counts = mean[at], counts[at]
    ratio = np.where(counts > 0.0, mean / np.where(counts > 0.0, counts, 1.0), 1.0)
    return 2.0 * np.sum(mean - counts - counts * np.log(ratio))


def by_hand(experiment, atom, unit):
    """The likelihood of XENONnT from its templates alone."""
    signal, background = templates(experiment, atom)
    parts = [
        Sample("s", np.asarray(signal) * unit, signal=True),
        Sample("b", np.asarray(background), norms={"background": 1.0}),
    ]
    return build_model(binned("x", np.asarray(experiment.counts), parts), free=("background",))


# ---- one experiment, every method ----------------------------------------------------------------


@pytest.mark.slow
def test_details_go_with_the_same_limit(detailed, xenonnt, xe, agree):
    """Two likelihoods, two searches and two modes of differentiation."""
    plain = limit(xenonnt, xe)
    agree("limit", detailed.limit_mu_B, plain.limit_mu_B, 1e-9)
    agree("expected", detailed.expected_mu_B, plain.expected_mu_B, 1e-9)
    for name, value in plain.derivatives.items():
        agree(f"d/d {name}", detailed.derivatives[name], value, 1e-7, scale=1.0)
    agree("norm", detailed.nuisances["background"], plain.nuisances["background"], 1e-7)
    agree("background", detailed.background, plain.background, 1e-7)
    assert plain.bands_mu_B is None and plain.significance is None
    assert detailed.significance == 0.0 and detailed.p0 == 0.5  # μ̂² = 0
    assert detailed.interval_mu2 == (0.0, pytest.approx(plain.limit_mu2))
    bands = detailed.bands_mu_B
    assert np.all(np.diff(bands) > 0.0) and bands[0] < plain.limit_mu_B < bands[2]


def test_impacts_are_limits_with_the_nuisance_held(detailed, xenonnt, xe, unit, agree):
    """By brute force: −2 ln L at a fixed norm, in numpy."""
    signal, background = (np.asarray(t) for t in templates(xenonnt, xe))
    n = np.asarray(xenonnt.counts)
    pull, sigma = detailed.pulls["background"]
    for got, step in zip(detailed.impacts_mu_B["background"], (-1.0, 1.0), strict=True):
        rate = (1.0 + pull + step * sigma) * background

        def deviance(x, rate=rate):
            mean = x * unit * signal + rate
            return 2.0 * np.sum(mean - n * np.log(mean))

        grid = np.linspace(0.0, 2.0, 20001)
        best = grid[np.argmin([deviance(x) for x in grid])]
        x = brentq(lambda x: deviance(x) - deviance(best) - DELTA, best + 1e-9, 20.0)  # noqa: B023
        agree(f"limit with the norm held at {step:+g} σ", got, np.sqrt(x * unit), 1e-4)


@pytest.mark.parametrize(
    "method",
    [pytest.param("cls", marks=pytest.mark.slow)]
    + [pytest.param(name, marks=pytest.mark.long) for name in ("clsb", "bayes")],
)
def test_a_method_is_that_of_the_statistics_layer(method, xenonnt, xe, unit, agree):
    result = limit(xenonnt, xe, method=method)
    print(result.summary())
    found = infer(by_hand(xenonnt, xe, unit), method)
    agree(method, result.limit_mu_B, np.sqrt(found.value * unit), 1e-8)
    assert result.convention == "one-sided" and result.delta is None
    words = f"(xenonnt-sr0, upper limit, {METHOD_WORDS[method]}, one-sided, atomic model: free;"
    assert words in result.summary() and len(result.summary().splitlines()) == 1
    # fewer events than background in the first bins: CL_s+b excludes every μ², and 0 has no slope
    assert (method == "clsb") == (result.limit_mu_B == 0.0)
    if method == "cls":
        agree("flux", result.derivatives["flux"], -0.5, 1e-9)
    else:
        assert result.derivatives is None
    json.dumps(result.as_dict(), allow_nan=False)


@pytest.mark.long
def test_feldman_cousins_of_an_experiment(xenonnt, xe, unit):
    result = limit(xenonnt, xe, method="feldman-cousins")
    print(result.summary(), result.interval_mu2, result.accuracy)
    profile = limit(xenonnt, xe)
    assert result.convention == "two-sided" and 0.0 < result.accuracy < 0.2
    assert result.limit_mu_B == pytest.approx(profile.limit_mu_B, rel=0.2)


@pytest.mark.slow
def test_a_gradient_of_another_method(xenonnt, xe, slope, agree):
    """By exposure, with the counts fixed: x ∝ 1/exposure while the norm floats."""
    exposure = xenonnt.parameters.exposure_kg_day

    @jax.jit
    def value(factor):
        return limit(
            xenonnt.replace(exposure_kg_day=factor * exposure), xe, method="cls"
        ).limit_mu_B

    agree("d ln/d ln exposure", jax.grad(value)(1.0) / value(1.0), -0.5, 1e-9)
    with pytest.raises(InputError, match="runs on the host"):
        jax.jit(lambda e: limit(xenonnt.replace(exposure_kg_day=e), xe, method="bayes").limit_mu_B)(
            exposure
        )


@pytest.mark.long
@pytest.mark.parametrize("method", ["profile", "cls", "clsb", "bayes"])
@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_experiment_by_every_method(name, method):
    experiment = load_experiment(name)
    atom = response(experiment.target, "stepping")
    find = limit if experiment.has_data else sensitivity
    result = find(experiment, atom, method=method, details=True)
    print(result.summary(), result.bands_mu_B, result.significance, result.impacts_mu_B)
    assert np.isfinite(result.limit_mu_B) and result.status == "converged"
    json.dumps(result.as_dict(), allow_nan=False)
    if method != "bayes":
        bands = result.bands_mu_B
        assert np.all(np.diff(bands) >= 0.0)
        if not experiment.has_data:
            assert result.limit_mu_B == pytest.approx(bands[2], rel=1e-6)
        assert convergence(result, experiment, atom) < 1e-3


# ---- several experiments -------------------------------------------------------------------------


@pytest.mark.long
def test_two_copies_are_one_of_twice_the_exposure(gemma, ge, agree):
    """Exact while each background floats: −ln L of the copies is that of the doubled counts."""
    twice = sensitivity(gemma.replace(exposure_kg_day=2.0 * gemma.parameters.exposure_kg_day), ge)
    both = sensitivity([gemma, gemma.replace(name="twin")], [ge, ge])
    print(both.summary())
    agree("limit", both.limit_mu_B, twice.limit_mu_B, 1e-9)
    exposure = [both.derivatives[f"{name}: exposure"] for name in ("gemma", "twin")]
    agree("exposures", exposure, 2 * [0.5 * twice.derivatives["exposure"]], 1e-7)
    assert set(both.nuisances) == {"gemma: background", "twin: background"}
    assert both.experiment == "gemma + twin" and len(both.counts) == 2
    json.dumps(both.as_dict(), allow_nan=False)
    assert convergence(both, [gemma, gemma.replace(name="twin")], [ge, ge]) < 1e-3


@pytest.mark.slow
def test_two_experiments_are_iminuits(xenonnt, gemma, xe, ge, unit, agree):
    """Both with a signal, not the same: MIGRAD and MINOS of x and two norms."""
    Minuit = pytest.importorskip("iminuit", reason="iminuit is not installed").Minuit
    a = [np.asarray(t) for t in templates(xenonnt, xe)]
    b = [np.asarray(t) for t in templates(gemma, ge, background_moves=False)]
    first = xenonnt.replace(counts=np.round(1.2 * unit * a[0] + 0.97 * a[1]))
    second = gemma.replace(counts=np.round(9.0 * unit * b[0] + 1.02 * b[1]))
    result = limit([first, second], [xe, ge])
    n, m = np.asarray(first.counts), np.asarray(second.counts)

    def deviance(x, first, second):
        total = 0.0
        for (s, background), counts, factor in ((a, n, first), (b, m, second)):
            total += poisson_deviance(x * unit * s + factor * background, counts)
        return total

    found = Minuit(deviance, x=0.5, first=1.0, second=1.0)
    found.errordef, found.tol, found.strategy = DELTA, 1e-6, 2
    found.limits = [(0.0, None), (0.1, 5.0), (0.1, 5.0)]
    found.migrad()
    found.minos("x")
    print(result.summary())
    assert found.values["x"] > 0.01 and found.merrors["x"].is_valid
    upper = found.values["x"] + found.merrors["x"].upper
    agree("limit", result.limit_mu_B, np.sqrt(upper * unit), 1e-4)
    agree("best fit", result.best_fit_mu2 / unit, found.values["x"], 1e-3)
    agree("norm", result.nuisances["gemma: background"], found.values["second"], 1e-5)
    q0 = result.significance**2
    fixed = Minuit(deviance, x=0.0, first=1.0, second=1.0)
    fixed.fixed["x"], fixed.errordef, fixed.tol, fixed.strategy = True, 1.0, 1e-6, 2
    fixed.limits["first"], fixed.limits["second"] = (0.1, 5.0), (0.1, 5.0)
    agree("q0", q0, fixed.migrad().fval - found.fval, 1e-4)


def test_bad_lists_are_refused(xenonnt, gemma, xe, ge):
    for call, words in (
        (lambda: sensitivity([]), "experiment = [] is empty"),
        (lambda: sensitivity([gemma, gemma], [ge, ge]), "gemma, gemma repeat a name"),
        (lambda: sensitivity([gemma, xenonnt], [ge]), "1 atoms for 2 experiments"),
        (lambda: sensitivity([gemma, xenonnt], [xe, ge]), "response is for 'Xe'"),
        (lambda: limit([xenonnt, gemma], [xe, ge]), "gemma has no counts"),
        (lambda: sensitivity([gemma, xenonnt], [ge, xe], shared=("flux",)), "shared = 'flux'"),
        (lambda: limit(xenonnt, xe, method="cls", convention="two-sided"), "leave it out"),
        (lambda: limit(xenonnt, xe, method="bays"), "did you mean 'bayes'"),
        (lambda: limit([xenonnt, 3.0], [xe, xe]), "experiment = 3.0 is a float"),
    ):
        with pytest.raises(InputError) as refusal:
            call()
        print(refusal.value)
        assert words in str(refusal.value) and len(str(refusal.value).splitlines()) == 1


# ---- iminuit on every shipped experiment ---------------------------------------------------------


def plain_deviance(experiment, atom, unit, x_true, fall=0.0):
    """(data with a signal of x_true as an experiment, −2 ln L(x, norm) in numpy).

    fall: share of the background that is missing at low energy.
    """
    p = experiment.parameters
    s = np.asarray(jax.jit(signal_counts)(experiment, atom)) * unit
    b = np.asarray(background_counts(experiment, False))
    if experiment.data_kind == "difference":
        weak = np.asarray(jax.jit(weak_counts)(experiment, atom))
        ratio = float(p.off_exposure_kg_day / p.exposure_kg_day)
        sigma = np.sqrt(b * (1.0 + 1.0 / ratio))
        wave = 1.0 + 0.2 * np.cos(np.arange(s.size))
        values = weak + x_true * s * wave - fall * s
        size = float(p.exposure_kg_day) * np.diff(np.asarray(p.bin_edges_keV))
        seen = experiment.replace(difference=np.stack([values, sigma]) / size)
        return seen, lambda x, norm: np.sum(((weak + x * s - values) / sigma) ** 2)
    less = 1.0 - fall * np.linspace(1.0, 0.0, s.size)
    counts = np.random.default_rng(11).poisson(x_true * s + less * b).astype(float)
    seen = experiment.replace(counts=counts)

    return seen, lambda x, norm: poisson_deviance(x * s + norm * b, counts)


@pytest.mark.parametrize("name", [
    name if name == "gemma-2010" else pytest.param(name, marks=pytest.mark.slow) for name in SHIPPED
])  # fmt: skip
def test_limits_of_shipped_experiments_are_iminuits(name, unit, agree):
    """MIGRAD and MINOS, with a signal in the data so that MINOS has an inside to start from; and
    MIGRAD at fixed μ² without one, where the best fit is on the boundary."""
    Minuit = pytest.importorskip("iminuit", reason="iminuit is not installed").Minuit
    experiment = load_experiment(name)
    atom = response(experiment.target, "stepping")
    expected = float(sensitivity(experiment, atom).limit_mu2 / unit)
    difference = experiment.data_kind == "difference"

    def fit(deviance, x=None):
        found = Minuit(deviance, x=expected if x is None else x, norm=1.0)
        found.errordef, found.tol, found.strategy = DELTA, 1e-7, 2
        found.limits["x"], found.limits["norm"] = (0.0, None), (0.1, 5.0)
        found.fixed["norm"], found.fixed["x"] = difference, x is not None
        return found.migrad()

    seen, deviance = plain_deviance(experiment, atom, unit, 2.0 * expected)
    found = fit(deviance)
    found.minos("x")
    assert found.merrors["x"].is_valid and found.values["x"] > 0.1 * expected
    upper = found.values["x"] + found.merrors["x"].upper
    result = limit(seen, atom)
    agree(f"{name}: MINOS", result.limit_mu_B, np.sqrt(upper * unit), 1e-3)
    agree(f"{name}: best fit", result.best_fit_mu2 / unit, found.values["x"], 1e-3, scale=expected)

    seen, deviance = plain_deviance(experiment, atom, unit, 0.0, fall=0.2)
    result = limit(seen, atom)
    assert result.best_fit_mu2 == 0.0
    lowest = fit(deviance, 0.0).fval
    x = brentq(lambda x: fit(deviance, x).fval - lowest - DELTA, 1e-3 * expected, 10.0 * expected)
    agree(f"{name}: on the boundary", result.limit_mu_B, np.sqrt(x * unit), 1e-3)


def test_zero_exposure_is_refused(gemma, ge):
    """What an experiment may not be; the statistics layer has its own hard cases."""
    with pytest.raises(InputError, match="exposure_kg_day = 0"):
        sensitivity([gemma.replace(exposure_kg_day=0.0)], [ge])
    with pytest.raises(InputError, match="background"):
        sensitivity([gemma.replace(background=jnp.zeros(gemma.acceptance.size))], [ge])
