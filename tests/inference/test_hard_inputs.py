"""Hard and bad inputs through `infer` and `limit`: the right answer, or one line that says why."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar
from scipy.special import gammaincinv, xlogy
from scipy.stats import norm, poisson

from jaxnu import FitError, InputError, limit, response
from jaxnu.inference import (
    Sample,
    binned,
    build_model,
    fit,
    infer,
    limit_impacts,
    limit_value,
    on_off,
)
from jaxnu.inference.bayes import posterior
from jaxnu.inference.notes import bayesian_notes, counts_under
from jaxnu.inference.toy_limits import toy_model

ASYMPTOTIC = ["profile", "cls", pytest.param("clsb", marks=pytest.mark.slow)]
METHODS = [*ASYMPTOTIC, pytest.param("bayes", marks=pytest.mark.slow)]
SIGNAL = np.array([2.0, 1.0])


def two_bins(counts, background, signal=SIGNAL):
    samples = [Sample("s", signal, signal=True), Sample("b", background)]
    return build_model(binned("sr", counts, samples))


def counting(n, b):
    samples = [Sample("s", [1.0], signal=True), Sample("b", [b])]
    return build_model(binned("c", [n], samples))


def one_norm(counts, background, free=(), bounds=None):
    samples = [Sample("s", SIGNAL, signal=True), Sample("b", background, norms={"n": 1.0})]
    return build_model(binned("sr", counts, samples), free=free, bounds=bounds)


def deviance(counts, mean):
    return 2.0 * np.sum(mean - counts - xlogy(counts, mean / np.where(counts > 0.0, counts, 1.0)))


def by_hand(method, n, b):
    """Upper limit without nuisances by the formulas of arXiv:1007.1727, in numpy."""
    n, b = np.asarray(n, float), np.asarray(b, float)

    def d(x, data):
        return deviance(data, x * SIGNAL + b)

    def score(x):
        return np.sum(SIGNAL * (1.0 - n / (x * SIGNAL + b)))

    far = 10.0 * (n.sum() + 10.0)
    low = 1e-9 if np.any((b == 0.0) & (n > 0.0)) else 0.0
    hat = 0.0 if n.sum() == 0.0 or score(low) >= 0.0 else brentq(score, low, far, xtol=1e-12)

    def q(x):
        return d(x, n) - d(hat, n)

    if method == "profile":
        return brentq(lambda x: q(x) - norm.isf(0.05) ** 2, hat, far, xtol=1e-12)

    def excess(x):
        r = max(q(x), 0.0) ** 0.5  # rounding near x̂
        width = max(d(x, b) - d(0.0, b), 1e-300) ** 0.5
        # q̃ (eqs 16, 65, 66): below q_A a normal tail, above it another slope
        t = r if q(x) <= width**2 else (q(x) + width**2) / (2.0 * width)
        return norm.logsf(t) - (norm.logcdf(width - t) if method == "cls" else 0.0) - np.log(0.1)

    start = hat + 1e-9 * (1.0 + hat)
    return 0.0 if excess(start) < 0.0 else brentq(excess, start, far, xtol=1e-12)


CASES = {
    "zero counts": ([0.0, 0.0], [2.0, 3.0]),
    "zero counts over no background": ([0.0, 0.0], [0.0, 0.0]),
    "no background in one bin": ([3.0, 4.0], [0.0, 5.0]),
    "far above the model": ([3e6, 1e6], [2.0, 3.0]),
    "far below the model": ([0.0, 1.0], [40.0, 60.0]),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("method", ASYMPTOTIC)
def test_a_limit_is_that_of_the_formulas(method, case, agree):
    counts, background = CASES[case]
    got = infer(two_bins(counts, background), method).value
    agree(f"{method}, {case}", got, by_hand(method, counts, background), 1e-6, scale=max(got, 1e-2))


@pytest.mark.slow
def test_bayes_of_zero_counts_and_of_many(agree):
    for case in ("zero counts", "zero counts over no background"):
        agree(case, infer(two_bins(*CASES[case]), "bayes").value, np.log(10.0) / 3.0, 1e-6)
    n = 4e6  # the background is nothing: a gamma density of one more than all counts
    got = infer(two_bins([2 / 3 * n, n / 3], [0.0, 0.0]), "bayes").value
    agree("many counts", got, gammaincinv(n + 1.0, 0.9) / 3.0, 1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_what_has_no_limit_is_refused(method):
    nan = jnp.array([[jnp.nan, 1.0], [1.0, 1.0]])
    good = two_bins([1.0, 2.0], [2.0, 3.0])
    template = dataclasses.replace(good.measurements[0], template=nan)
    loose = one_norm([1.0, 2.0], [2.0, 3.0])
    for make, words in (
        (lambda: two_bins([1.0, 2.0], [2.0, 3.0], [0.0, 0.0]), "the signal template is 0 events"),
        (lambda: two_bins([1.0, 2.0], [np.nan, 3.0]), "template[0] = nan"),
        (lambda: two_bins([1.0, np.inf], [2.0, 3.0]), "counts[1] = inf"),
        (lambda: two_bins([1.0, 2.0], [2.0, -3.0]), "template[1] = -3"),
        (lambda: two_bins([1.0, 2.0], [2.0, 0.0], [1.0, 0.0]), "counts[1] are above zero"),
        (lambda: dataclasses.replace(good, measurements=(template,)), "sr: template holds"),
        (lambda: dataclasses.replace(loose, auxiliary=jnp.array([jnp.nan])), "auxiliary holds"),
        (lambda: dataclasses.replace(loose, lower=jnp.array([jnp.nan])), "lower holds"),
    ):
        with pytest.raises(InputError) as refusal:
            infer(make(), method)
        print(refusal.value)
        assert words in str(refusal.value) and len(str(refusal.value).splitlines()) == 1
    for confidence in (0.0, 1.0, -0.1, 90, np.nan, True, None):
        with pytest.raises(InputError, match=r"is outside \(0, 1\); 90% is written 0.90"):
            infer(good, method, confidence)


@pytest.mark.slow
def test_a_nuisance_at_its_bound_by_hand(agree):
    """σ = 1 and α ≤ 1/2, which the data press against: b stays at 1.5 of its value."""
    counts, background = np.array([60.0, 70.0]), np.array([10.0, 20.0])
    result = infer(one_norm(counts, background, bounds={"n": (-1.0, 0.5)}))
    assert int(result.fit.active[1]) == 1 and result.nuisances["n"] == 0.5
    # α leaves the bound on the way to the limit, so "no spread, no impact" would be wrong
    assert result.pulls["n"][0] == 0.5 and np.isnan(result.pulls["n"][1])
    assert np.isnan(result.impacts["n"]).all()
    written = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    assert written["pulls"]["n"] == [0.5, None] and written["impacts"]["n"] == [None, None]
    low, high = result.interval
    assert 0.0 < low < result.best_fit < high

    def q(x):
        def best(x):
            """The deviance with its constraint at the best α of [−1, 1/2]."""
            f = lambda a: deviance(counts, x * SIGNAL + (1.0 + a) * background) + a**2  # noqa: E731
            inner = minimize_scalar(f, bounds=(-1.0, 0.5), method="bounded",
                                    options={"xatol": 1e-10})  # fmt: skip
            return min(inner.fun, f(0.5))

        return best(x) - best(result.best_fit)

    for x in (low, high):
        agree(f"q({x:.3f})", q(x), norm.isf(0.05) ** 2, 1e-5)


@pytest.mark.slow
def test_impacts_on_a_limit_of_a_nuisance_at_its_bound_are_none():
    """Of one at its bound there is no 1σ; of the other, far inside, there is."""
    samples = [
        Sample("s", SIGNAL, signal=True),
        Sample("b", [10.0, 20.0], norms={"n": 1.0, "m": 0.1}),
    ]
    model = build_model(binned("sr", [60.0, 70.0], samples), bounds={"n": (-1.0, 0.5)})
    impacts = limit_impacts(model, fit(model))
    print(impacts)
    assert np.isnan(impacts["n"]).all() and impacts["m"][0] > impacts["m"][1] > 0.0


@pytest.mark.slow
def test_a_flat_direction_at_a_bound_is_refused_by_quadrature():
    with pytest.raises(FitError, match="no curvature"):
        infer(one_norm([0.0, 0.0], [2.0, 3.0], free=("n",)), "bayes")


@pytest.mark.slow
def test_few_counts_are_not_covered_and_the_result_says_so(agree):
    """Coverage by the exact Poisson sum. Without background n = 0 has the limit Δ/2 = 1.353 two-
    sided, so x = 1.36 is missed with probability e^-1.36; far from this boundary CL is held."""

    def coverage(b, x, convention):
        n = np.arange(0.0, 200.0)
        model = counting(0.0, b)
        limits = jax.vmap(
            lambda n: limit_value(model.with_data({"c": {"counts": n[None]}}), "profile", 0.9,
                                  convention)
        )(n)  # fmt: skip
        return float(np.sum(poisson.pmf(n, x + b)[np.asarray(limits) >= x]))

    for convention, nominal in (("two-sided", 0.95), ("one-sided", 0.90)):
        agree(f"b = 0, x = 1.36, {convention}", coverage(0.0, 1.36, convention),
              1.0 - np.exp(-1.36), 1e-9)  # fmt: skip
        found = coverage(100.0, 40.0, convention)
        print(f"b = 100, x = 40, {convention}: {found:.4f}, nominal {nominal}")
        assert abs(found - nominal) < 0.01
    for method in ("profile", "cls"):
        few = infer(counting(0.0, 0.0), method)
        assert "few counts: 1.4 expected where" in few.status and few.notes[0] in few.status
        assert json.loads(json.dumps(few.as_dict()))["notes"] == list(few.notes)
        assert infer(counting(100.0, 100.0), method).notes == ()


@pytest.mark.slow
def test_bands_of_a_background_that_is_not_there_are_none():
    """Zero counts fit the free norm to zero; three counts of background fluctuate."""
    assert infer(one_norm([0.0, 0.0], [20.0, 30.0], free=("n",))).expected is None
    assert infer(one_norm([20.0, 30.0], [20.0, 30.0], free=("n",))).expected is not None
    for b, some in ((0.0, False), (2.5, False), (3.0, True)):
        assert (infer(counting(0.0, b)).expected is not None) == some


def test_counts_where_the_signal_lies(agree):
    """λ of all bins where s follows it, of its own bin where s is narrow; 0 without any."""
    agree("alike", counts_under([2.0, 1.0], [6.0, 3.0]), 9.0, 1e-12)
    agree("split", counts_under([1.0, 1.0, 1.0], [3.0, 3.0, 3.0]), 9.0, 1e-12)
    agree("narrow", counts_under([0.0, 1e-24], [1e6, 3.0]), 3.0, 1e-12)
    assert counts_under([1.0, 1.0], [0.0, 50.0]) == 0.0


@pytest.mark.slow
def test_what_a_posterior_profiles_is_said():
    """ON/OFF (3, 3), τ = 1: 4.798 with b profiled, 4.633 with a flat b integrated."""
    signal = Sample("s", [1.0], signal=True)
    rough = Sample("b", [3.0], variance=[0.3])
    free = build_model(on_off("o", [3.0], [3.0], 1.0, [signal], "free"))
    result = infer(free, "bayes")
    assert abs(result.value - 4.798) < 5e-4
    assert "b of each ON/OFF bin profiled, not integrated" in result.status
    (note,) = bayesian_notes(build_model(binned("c", [3.0], [signal, rough])))
    assert note == "γ of Monte Carlo errors profiled, not integrated"
    assert bayesian_notes(counting(3.0, 3.0)) == ()


def uncertain_signal(sigma, bounds=None, rest=()):
    signal = Sample("s", [1.0], signal=True, norms={"efficiency": sigma})
    return build_model(binned("c", [0.0], [signal, *rest, Sample("b", [3.0])]), bounds=bounds)


@pytest.mark.parametrize("method", ["bayes", "nuts"])
def test_a_signal_that_may_vanish_has_no_posterior(method):
    """∫ L(x, α) φ(α) dα falls off like 1/x."""
    if method == "nuts":
        pytest.importorskip("numpyro", reason="numpyro is not installed")
    with pytest.raises(InputError, match="norm 'efficiency' of the signal with σ = 30%") as refusal:
        infer(uncertain_signal(0.3), method)
    print(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1
    with pytest.raises(InputError, match="efficiency"):
        infer(uncertain_signal(-0.3), method)


@pytest.mark.slow
def test_a_signal_that_cannot_vanish_has_a_posterior(agree):
    """Of zero counts x is exponential at each α, with mean 1/(1 + σα)."""
    for sigma, low in ((0.3, -2.0), (0.1, -10.0)):
        t, w = np.polynomial.legendre.leggauss(200)
        alpha = low + 0.5 * (8.0 - low) * (1.0 + t)
        rate = 1.0 + sigma * alpha
        weight = w * norm.pdf(alpha) / np.maximum(rate, 1e-30)

        def above(x, weight=weight, rate=rate):
            return np.sum(weight * np.exp(-x * rate)) / np.sum(weight)

        expected = brentq(lambda x: above(x) - 0.1, 0.1, 20.0)
        found = posterior(uncertain_signal(sigma, {"efficiency": (low, np.inf)}))
        agree(f"σ = {sigma}", found.quantile(0.9), expected, 1e-5)
    other = Sample("u", [0.5], signal=True)  # goes on where the first one ends
    assert 1.0 < posterior(uncertain_signal(0.3, rest=[other])).quantile(0.9) < 5.0


# ---- from an experiment --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def xe():
    return response("Xe", "free")


@pytest.mark.slow
def test_counts_a_million_times_too_many_and_none_at_all(xenonnt, xe, unit, agree):
    """Too many: the shape fits nowhere, the slope is steep and −ln L of 1e7 is rounded at 1e-9.
    None: the floating norm goes to zero, the limit is Δ/2 signal events."""
    counts = 1e6 * np.asarray(xenonnt.counts)
    many = xenonnt.replace(counts=counts)
    model, _ = toy_model(many, xe)
    s, b = np.asarray(model.measurements[0].template)

    def best(x):
        """Lowest deviance over the norm, where its slope is zero."""
        slope = lambda a: np.sum(b * (1.0 - counts / (x * s + a * b)))  # noqa: E731
        hat = brentq(slope, 1e5, 1e7, xtol=1e-6, rtol=1e-15)
        return deviance(counts, x * s + hat * b)

    x = brentq(lambda x: best(x) - best(0.0) - norm.isf(0.05) ** 2, 1e-3, 10.0)
    result = limit(many, xe)
    assert result.best_fit_mu2 == 0.0
    agree("limit, too many", result.limit_mu2 / unit, x, 1e-5)

    result = limit(xenonnt.replace(counts=np.zeros(58)), xe)
    assert result.best_fit_mu2 == 0.0 and float(result.nuisances["background"]) == 0.0
    agree("limit, none", result.limit_mu2 / unit, 0.5 * norm.isf(0.05) ** 2 / s.sum(), 1e-6)


@pytest.mark.parametrize("method", ["profile", "cls", "clsb", "bayes", "feldman-cousins"])
def test_an_experiment_without_a_limit_is_refused(method, xenonnt, xe):
    p = xenonnt.parameters
    for changes, words in (
        ({"exposure_kg_day": 0.0}, "exposure_kg_day = 0 kg d"),
        ({"background": 0.0 * p.background}, "background = 0 in all bins"),
        ({"background": jnp.nan * p.background}, "background[0] = nan"),
        ({"source": p.source.scaled(jnp.nan)}, "source.density[0][0] = nan"),
        ({"source": p.source.scaled(0.0)}, "the expected signal is 0 events in all bins"),
    ):
        with pytest.raises(InputError) as refusal:
            limit(xenonnt.replace(**changes), xe, method=method)
        print(refusal.value)
        assert words in str(refusal.value) and len(str(refusal.value).splitlines()) == 1
    for level in (0.0, 1.0, -0.1, 90, np.nan, True, None, "high"):
        with pytest.raises(InputError, match=r"is outside \[0.001, 1\); 90% is written 0.90"):
            limit(xenonnt, xe, confidence_level=level, method=method)
    for seed in (1.5, -1, True, None):
        with pytest.raises(InputError, match="is no whole number from 0"):
            limit(xenonnt, xe, method=method, seed=seed)
