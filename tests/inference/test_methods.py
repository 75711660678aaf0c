"""Results of `infer`: closed forms, pyhf, another integration, and what is refused."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import gammaincinv
from scipy.stats import norm, poisson

from jaxnu import FitError, InputError
from jaxnu.inference.bayes import inside_bounds, nodes
from jaxnu.inference.crossing import limit_value
from jaxnu.inference.measurements import binned, build_model, difference
from jaxnu.inference.methods import expected_limits, infer, significance
from jaxnu.inference.model import Sample


def counting(n, b, sigma=None):
    background = Sample("b", [float(b)], norms={} if sigma is None else {"b": sigma})
    return build_model(binned("c", [float(n)], [Sample("s", [1.0], signal=True), background]))


def gaussian(y, sigma=0.5):
    return build_model(difference("d", [y], [Sample("s", [1.0], signal=True)], sigma=[sigma]))


@pytest.fixture(scope="module")
def result(arrays, build):
    return infer(build(arrays(1, x=1.5)))


@pytest.mark.slow
def test_everything_is_in_a_result(result, arrays, build, agree):
    model = build(arrays(1, x=1.5))
    agree("value", result.value, limit_value(model), 1e-10)
    low, high = result.interval
    assert low < result.best_fit < high == result.value
    assert set(result.pulls) == set(result.impacts) == {"efficiency", "first", "tilt"}
    q = np.interp([low, high], result.scan_x, result.scan_q)
    print("q at the ends from the scan:", q)
    assert np.all(np.abs(q - 2.7055) < 0.05)
    assert "profile likelihood" in result.status and "two-sided" in result.status
    text = json.dumps(result.as_dict(), allow_nan=False)
    assert json.loads(text)["value"] == result.value


def test_impacts_are_those_of_the_covariance(result, agree):
    """Δx̂ for a nuisance held at ±1σ is ∓cov/σ in the Gaussian limit."""
    for k, name in enumerate(result.names[1:], 1):
        expected = result.covariance[0, k] / result.covariance[k, k] ** 0.5
        down, up = result.impacts[name]
        agree(f"impact of {name}", 0.5 * (up - down), expected, 0.02, scale=abs(expected) + 0.01)


def test_both_ends_of_the_interval_are_minos(result, arrays, build, agree):
    """At the lower end q = Δ too, by fits of the model with x held."""
    from jaxnu.inference.maximum_likelihood import fit

    model = build(arrays(1, x=1.5))
    for x in result.interval:
        held = fit(model, held={"x": x})
        q = 2.0 * float(held.minus_log_likelihood - result.fit.minus_log_likelihood)
        agree(f"q({x:.4f})", q, norm.isf(0.05) ** 2, 1e-8)


def test_discovery_of_a_count_in_closed_form(agree):
    """q0 = 2 (n ln(n/b) − n + b), eq 97 of arXiv:1007.1727."""
    for n, b in ((12, 4.0), (150, 100.0)):
        Z, p0 = significance(counting(n, b))
        agree(f"Z, n = {n}", Z, np.sqrt(2.0 * (n * np.log(n / b) - n + b)), 1e-8)
        agree(f"p0, n = {n}", p0, norm.sf(Z), 1e-12)
    assert significance(counting(2, 4.0)) == (0.0, 0.5)
    Z, p0 = significance(counting(3, 0.0))
    assert np.isinf(Z) and p0 == 0.0


def test_bands_of_a_gaussian_in_closed_form(agree):
    """Data at x̂ = Nσ; CL_s of arXiv:1007.1727 section 4.3, profile with x̂ ≥ 0."""
    z, sigma = norm.isf(0.05), 0.5
    cls = [sigma * (N + norm.isf(0.1 * norm.cdf(N))) for N in range(-2, 3)]
    clsb = [max(sigma * (N + norm.isf(0.1)), 0.0) for N in range(-2, 3)]
    agree("CL_s", expected_limits(gaussian(0.3), "cls"), cls, 1e-8)
    agree("CL_s+b", expected_limits(gaussian(0.3), "clsb"), clsb, 1e-8)
    profile = expected_limits(gaussian(0.3), "profile")
    for N, got in zip(range(-2, 3), profile, strict=True):
        agree(f"profile, {N} σ", got, limit_value(gaussian(N * sigma)), 1e-8)
    assert profile[2] == pytest.approx(z * sigma)


@pytest.mark.slow
def test_the_median_of_toys_is_the_expected_limit(arrays, build, agree):
    model = build(arrays(1, x=0.0))
    truth = {"x": 0.0}
    from jaxnu.inference.maximum_likelihood import fit
    from jaxnu.inference.toys import run_toys

    truth = {n: float(v) for n, v in fit(model, held={"x": 0.0}).values.items()}
    toys = run_toys(model, truth, 1000, confidence=0.9).check()
    bands = expected_limits(model, "profile")
    got = np.quantile(toys.limit[toys.converged], norm.cdf([-1, 0, 1]))
    agree("−1σ, median, +1σ of 1000 toys", got, bands[1:4], 0.08)


# ---- Bayes ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("n", "b"), [(0, 0.0), (0, 3.0), (4, 0.0), (7, 3.0)])
def test_bayes_of_a_count_in_closed_form(n, b, agree):
    """∫_x^∞ e^-μ-b (μ+b)^n dμ: incomplete Γ (Helene, Nucl. Instrum. Meth. 212 (1983) 319)."""
    tail = 1.0 - 0.9
    from scipy.special import gammainc

    start = gammainc(n + 1, b)
    expected = gammaincinv(n + 1, 1.0 - tail * (1.0 - start)) - b
    agree(f"n = {n}, b = {b}", infer(counting(n, b), "bayes").value, expected, 1e-6)


@pytest.mark.slow
def test_bayes_with_an_uncertain_background_by_another_integration(agree):
    n, b, sigma = 6, 3.0, 0.2
    result = infer(counting(n, b, sigma), "bayes")

    def density(x):
        def f(alpha):
            return poisson.pmf(n, x + b * (1.0 + sigma * alpha)) * norm.pdf(alpha)

        return quad(f, -1.0 / sigma, 12.0, epsabs=0.0, epsrel=1e-9)[0]

    total = quad(density, 0.0, 60.0, epsrel=1e-8)[0]
    expected = brentq(lambda x: quad(density, 0.0, x, epsrel=1e-8)[0] - 0.9 * total, 1.0, 20.0,
                      xtol=1e-7)  # fmt: skip
    agree("90% limit", result.value, expected, 1e-5)
    assert result.accuracy < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(("n", "b"), [(2, 10.0), (5, 30.0), (1, 3.0)])
def test_bayes_of_a_background_that_may_vanish(n, b, agree):
    """σ = 100%: the bound 1 + α = 0 cuts the nuisance 1σ from its centre and near the fit."""
    t, w = np.polynomial.legendre.leggauss(200)
    alpha, weight = -1.0 + 6.5 * (1.0 + t), 6.5 * w

    def above(x):
        """∫_x^∞ of the marginal density: Σ_k≤n of Poisson probabilities, over α."""
        upper = poisson.cdf(n, x + b * (1.0 + alpha))
        return np.sum(weight * norm.pdf(alpha) * upper)

    expected = brentq(lambda x: above(x) - 0.1 * above(0.0), 0.5, 20.0, xtol=1e-10)
    result = infer(counting(n, b, 1.0), "bayes")
    agree(f"n = {n}, b = {b}", result.value, expected, 1e-6)
    assert result.accuracy < 1e-6


def test_quasi_random_nodes_are_those_of_quadrature(agree):
    """∫ of a skewed function in three dimensions, both sets, and in two, cut off and not."""
    from jaxnu.inference.settings import STATISTICS

    def integral(z, w):
        f = np.exp(-0.5 * np.sum(z**2, axis=1)) * (1.0 + 0.3 * z[:, 0] + 0.5 * z[:, 1] ** 2)
        return np.sum(np.exp(w) * f)

    def inside(low, second):
        t, w = nodes(2, STATISTICS, second)
        move = jax.vmap(lambda t: inside_bounds(t, jnp.eye(2), low, jnp.full(2, np.inf)))
        z, log_volume = move(jnp.asarray(t))
        return integral(np.asarray(z), w + np.asarray(log_volume))

    a, b = -1.0, -0.3
    moments = norm.sf(a) * norm.sf(b) + 0.3 * norm.pdf(a) * norm.sf(b)
    moments += 0.5 * norm.sf(a) * (norm.sf(b) + b * norm.pdf(b))
    for second in (False, True):
        agree("3 dimensions", integral(*nodes(3, STATISTICS, second)), 1.5 * (2 * np.pi) ** 1.5,
              0.01)  # fmt: skip
        agree("2 dimensions", inside(jnp.full(2, -np.inf), second), 1.5 * 2 * np.pi, 1e-12)
        agree("… cut off", inside(jnp.array([a, b]), second), 2.0 * np.pi * moments, 1e-12)


def test_nodes_of_correlated_nuisances_stay_inside(agree):
    """The area of a box, by a slanted Gaussian's nodes."""
    from jaxnu.inference.settings import STATISTICS

    root, low, high = jnp.array([[2.0, 0.0], [-1.5, 1.0]]), np.array([-0.7, -1.0]), np.ones(2)
    t, w = nodes(2, STATISTICS, False)
    delta, log_volume = jax.vmap(lambda t: inside_bounds(t, root, low, high))(jnp.asarray(t))
    assert np.all(delta >= low - 1e-12) and np.all(delta <= high + 1e-12)
    area = np.sum(np.exp(w + log_volume)) / 2.0  # det of the root
    agree("1.7 × 2", area, 3.4, 1e-12)


@pytest.mark.long
def test_bayes_of_three_nuisances_follows_the_profile(arrays, build):
    """No closed form: between the profile's one-sided and two-sided limits far from x = 0."""
    model = build(arrays(1, x=1.5))
    bayes = infer(model, "bayes")
    one, two = (float(limit_value(model, "profile", 0.9, c)) for c in ("one-sided", "two-sided"))
    print(f"one-sided {one:.4f}, Bayes {bayes.value:.4f}, two-sided {two:.4f}")
    assert one < bayes.value < two and bayes.accuracy < 0.01


# ---- Feldman–Cousins and refusals ----------------------------------------------------------------


@pytest.mark.slow
def test_feldman_cousins_of_a_count_by_toys_is_the_exact_one(agree):
    from jaxnu.inference.counting import counting_interval

    for n, b in ((3, 3.0), (8, 2.0)):
        result = infer(counting(n, b), "feldman-cousins")
        low, high = counting_interval(n, b, rule="plain")
        print(f"n = {n}, b = {b}: {result.interval} by toys, {(low, high)} exactly")
        agree("upper end", result.value, high, 0.02)
        agree("lower end", result.interval[0], low, 0.1, scale=1.0)


@pytest.mark.slow
def test_the_stated_accuracy_of_feldman_cousins_is_true():
    """The share is a staircase in x, and near CL = 99% it hardly rises: ends scatter by 10%."""
    from jaxnu.inference.counting import counting_interval

    for n, b, confidence in ((3, 3.0, 0.9), (3, 3.0, 0.99), (8, 2.0, 0.99)):
        _, high = counting_interval(n, b, confidence, rule="plain")
        for seed in range(4):
            result = infer(counting(n, b), "feldman-cousins", confidence, seed=seed)
            off = abs(result.value / high - 1.0)
            print(f"{n}, {b}, {confidence}: {result.value:.3f} ± {result.accuracy:.3f}, {high:.3f}")
            assert off < 1.5 * result.accuracy and result.accuracy < 0.15


def test_too_few_toys_for_a_confidence_are_refused():
    """Of 2000 toys two lie beyond 99.9%: their largest q is no quantile."""
    with pytest.raises(InputError, match=r"leaves 2 of them.*Statistics\(toys=20000\)"):
        infer(counting(3, 3.0), "feldman-cousins", 0.999)


@pytest.mark.slow
def test_counts_without_any_background(agree):
    """L(0) = 0: limits stand, a discovery is certain, background-only data are not to be had."""
    model = counting(5, 0.0)
    profile = infer(model)
    for x in profile.interval:
        agree(f"q({x:.3f})", 2.0 * (x - 5.0 + 5.0 * np.log(5.0 / x)), norm.isf(0.05) ** 2, 1e-8)
    assert np.isinf(profile.significance) and profile.p0 == 0.0 and profile.expected is None
    # CL_s is 1 − CL: q_A = 2x of an empty data set (eqs 65, 66)
    x = infer(model, "cls").value
    t, width = np.sqrt(2.0 * (x - 5.0 + 5.0 * np.log(5.0 / x))), np.sqrt(2.0 * x)
    agree("CL_s at the limit", norm.sf(t) / norm.cdf(width - t), 0.1, 1e-7)
    low, high = infer(model, "feldman-cousins").interval
    print(f"by toys [{low:.3f}, {high:.3f}], published [1.84, 9.99]")
    assert abs(low - 1.84) < 0.15 and abs(high - 9.99) < 0.3
    with pytest.raises(InputError, match="only signal"):
        expected_limits(model)


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 2, 20])
def test_both_ends_of_counts_without_any_background(n, agree):
    """q = 2 (x − n − n ln(x/n)) at both ends; at x = 0 it is infinite."""
    for confidence in (0.5, 0.9, 0.9999):
        for x in infer(counting(n, 0.0), confidence=confidence).interval:
            q = 2.0 * (x - n - n * np.log(x / n))
            agree(f"q({x:.4f})", q, norm.ppf(0.5 * (1.0 + confidence)) ** 2, 1e-8)


def test_refusals(arrays, build):
    model = build(arrays(1))
    for confidence in (0.0, 1.0, np.nan, "90%"):
        with pytest.raises(InputError, match="confidence"):
            infer(model, confidence=confidence)
    with pytest.raises(InputError, match="method"):
        infer(model, "frequentist")
    with pytest.raises(InputError, match="convention"):
        infer(model, "cls", convention="two-sided")
    with pytest.raises(InputError, match="limit_value"):
        jax.jit(lambda m: infer(m).value)(model)
    nan = model.with_data({"sr": {"counts": np.full(20, np.nan)}})
    with pytest.raises(InputError, match="not finite"):
        infer(nan)
    flat = build_model(
        binned("sr", [10.0, 20.0], [
            Sample("s", [1.0, 2.0], signal=True, norms={"n": 1.0}), Sample("b", [1.0, 2.0])
        ]),
        free=("n",),
    )  # fmt: skip
    with pytest.raises(FitError):
        infer(flat)
