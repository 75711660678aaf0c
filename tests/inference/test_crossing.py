"""Fits and limits against iminuit, derivatives against finite differences, hard cases."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import xlogy
from scipy.stats import norm

from jaxnu import FitError, InputError
from jaxnu.inference import infer
from jaxnu.inference.crossing import limit_value
from jaxnu.inference.maximum_likelihood import descend, fit, start_point
from jaxnu.inference.measurements import binned, build_model
from jaxnu.inference.model import Sample
from jaxnu.inference.settings import STATISTICS

SEEDS = (1, 2, 3, 4)


class Plain:
    """−2 ln L of `three_nuisances` written out in numpy, for iminuit."""

    def __init__(self, a):
        self.a = a

    def __call__(self, x, efficiency, first, tilt):
        a = self.a
        factor = 1.0 + 0.05 * efficiency
        rate = x * factor * a["signal"] + factor * a["second"]
        rate = np.maximum(rate + (1.0 + first) * (a["first"] + tilt * a["tilt"]), 1e-9)
        return 2.0 * np.sum(rate - a["counts"] * np.log(rate)) + efficiency**2 + tilt**2

    def migrad(self, delta=1.0):
        minuit = pytest.importorskip("iminuit", reason="iminuit is not installed").Minuit
        found = minuit(self, x=0.5, efficiency=0.0, first=0.0, tilt=0.0)
        found.errordef = delta
        found.tol, found.strategy = 1e-6, 2
        found.limits["x"], found.limits["first"] = (0.0, None), (-1.0, None)
        return found.migrad()


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_fit_and_minos_limit_are_iminuits(seed, arrays, build, agree):
    a = arrays(seed, x=1.5)
    found = fit(build(a))
    plain = Plain(a).migrad(2.705543)
    assert plain.valid and plain.values["x"] > 0.05
    for name in plain.parameters:
        got, error = float(found.values[name]), plain.errors[name] / 2.705543**0.5
        agree(f"{name} of seed {seed}", got, plain.values[name], 1e-3, scale=error)
    plain.minos("x")
    upper = plain.values["x"] + plain.merrors["x"].upper
    agree(f"MINOS limit of seed {seed}", limit_value(build(a)), upper, 1e-3)


@pytest.mark.parametrize("seed", SEEDS[:2])
def test_limit_with_the_best_fit_on_the_boundary(seed, arrays, build, agree):
    """MINOS cannot start there: bracket −2 ln L of MIGRAD at fixed x."""
    from scipy.optimize import brentq

    a = arrays(seed, x=0.0)
    a["counts"] = np.floor(a["counts"] * np.linspace(0.4, 1.0, a["counts"].size))
    found = fit(build(a))
    assert float(found.theta[0]) == 0.0 and int(found.active[0]) == -1

    def at(x):
        plain = Plain(a).migrad()
        plain.values["x"], plain.fixed["x"] = x, True
        return plain.migrad().fval

    upper = brentq(lambda x: at(x) - at(0.0) - 2.705543, 1e-3, 5.0, xtol=1e-6)
    agree(f"limit of seed {seed}", limit_value(build(a)), upper, 1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["profile", "cls", pytest.param("clsb", marks=pytest.mark.long)])
def test_derivative_of_a_limit_in_every_array(method, arrays, build, slope, agree):
    """Templates, modifiers, data and constraint centres."""
    model = build(arrays(1))
    value = jax.jit(lambda m: limit_value(m, method))
    gradient = jax.jit(jax.grad(lambda m: limit_value(m, method)))(model)

    def moved(m, field, h):
        measurement = m.measurements[0]
        if field == "auxiliary":
            return dataclasses.replace(m, auxiliary=m.auxiliary + h * np.array([0.3, 0.0, 1.0]))
        if field == "counts":
            return m.with_data({"sr": {"counts": measurement.data["counts"] * (1.0 + h)}})
        old = getattr(measurement, field)
        new = old * (1.0 + h * jnp.cos(jnp.arange(old.size, dtype=float)).reshape(old.shape))
        return dataclasses.replace(
            m, measurements=(dataclasses.replace(measurement, **{field: new}),)
        )

    for field in ("template", "norm", "shift", "counts", "auxiliary"):
        numeric = slope(lambda h, f=field: value(moved(model, f, h)), 0.0, 1e-3)
        _, direction = jax.jvp(lambda h, f=field: moved(model, f, h), (0.0,), (1.0,))
        got = sum(
            float(jnp.sum(g * d))
            for g, d in zip(jax.tree.leaves(gradient), jax.tree.leaves(direction), strict=True)
        )
        agree(f"{method}: d(limit)/d({field})", got, numeric, 1e-5, scale=max(abs(numeric), 1e-2))


@pytest.mark.slow
@pytest.mark.parametrize(
    "method", ["profile", *(pytest.param(m, marks=pytest.mark.long) for m in ("cls", "clsb"))]
)
def test_second_derivatives_of_a_limit_are_slopes_of_the_first(method, arrays, build, slope, agree):
    """Data, templates and modifiers moved at once, with x̂ inside and on the boundary."""

    def along(shift, model):
        m = model.measurements[0]
        wave = jnp.cos(jnp.arange(20.0))
        changed = dataclasses.replace(
            m,
            data={"counts": m.data["counts"] * (1.0 + 0.3 * shift[0])},
            template=m.template * (1.0 + shift[1] * wave),
            norm=m.norm * (1.0 + shift[2]),
            shift=m.shift * (1.0 + shift[3] * wave[::-1]),
        )
        return limit_value(dataclasses.replace(model, measurements=(changed,)), method)

    inside, low = arrays(1, x=1.5), arrays(1, x=0.0)
    low["counts"] = np.floor(low["counts"] * np.linspace(0.4, 1.0, low["counts"].size))
    zero, direction = jnp.zeros(4), jnp.array([1.0, 0.5, 1.0, -1.0])
    gradient = jax.grad(along)

    @jax.jit
    def both(h, model):
        return jax.jvp(lambda z: gradient(z, model), (zero + h * direction,), (direction,))

    for model, positive in ((build(inside), True), (build(low), False)):
        assert (float(fit(model).theta[0]) > 0.0) == positive
        numeric = slope(lambda h, m=model: both(h, m)[0], 0.0, 2e-3)
        got = both(0.0, model)[1]
        agree(f"{method}, x̂ > 0: {positive}", got, numeric, 1e-6, scale=np.max(np.abs(numeric)))


def test_derivative_of_a_fit(arrays, build, slope, agree):
    model = build(arrays(2, x=1.5))

    def theta(h):
        counts = model.measurements[0].data["counts"]
        return fit(model.with_data({"sr": {"counts": counts + h * jnp.arange(20.0)}})).theta

    tangent = jax.jvp(theta, (0.0,), (1.0,))[1]
    agree("dθ̂/dn", tangent, slope(theta, 0.0, 1e-2), 1e-6, scale=np.max(np.abs(tangent)))


@pytest.mark.slow
def test_mapped_over_data_as_one_by_one(arrays, build, agree):
    model = build(arrays(1))
    counts = np.stack([arrays(seed)["counts"] for seed in (1, 2, 3)])

    def one(n):
        return limit_value(model.with_data({"sr": {"counts": n}}))

    each = [float(one(n)) for n in counts]
    agree("vmap against a loop", jax.jit(jax.vmap(one))(counts), each, 1e-9)


@pytest.mark.long
def test_the_confidence_orders_the_limits(arrays, build, agree):
    """Any CL in (0, 1); one-sided at CL is two-sided at 2 CL − 1; below 1/2 it is below x̂."""
    model = build(arrays(1, x=1.5))
    hat = float(fit(model).theta[0])
    values = [float(limit_value(model, "profile", c, "one-sided")) for c in (0.1, 0.4, 0.6, 0.95)]
    print("x̂", hat, "one-sided limits", values)
    assert np.all(np.diff(values) > 0.0) and values[1] < hat < values[2]
    agree("95% one-sided", values[3], limit_value(model, "profile", 0.9), 1e-10)
    for method in ("cls", "clsb"):
        values = [float(limit_value(model, method, c)) for c in (0.1, 0.5, 0.9, 0.999)]
        print(method, values)
        assert np.all(np.diff(values) > 0.0)


def counting(n, b, s=1.0):
    return build_model(
        binned("c", [float(n)], [Sample("s", [s], signal=True), Sample("b", [float(b)])])
    )


def test_one_bin_in_closed_form(agree):
    """q(x) = 2 (s + b − n + n ln n/(s + b)) for n > b, and for n ≤ b with x̂ = 0."""
    for n, b in ((7, 2.0), (1, 3.0), (0, 3.0), (0, 0.0), (4, 0.0), (1e6, 100.0)):
        x = float(limit_value(counting(n, b)))

        def deviance(mean, n=n):
            return 2.0 * (mean - n + (n * np.log(n / mean) if n else 0.0))

        lowest = deviance(max(n, b)) if max(n, b) > 0 else 0.0
        agree(f"q at the limit, n = {n}, b = {b}", deviance(x + b) - lowest, 2.705543, 1e-6)


@pytest.mark.slow
def test_clsb_may_exclude_everything_and_cls_does_not(agree):
    low = counting(0, 9.0)
    assert float(limit_value(low, "clsb")) == 0.0
    x = float(limit_value(low, "cls"))
    assert 1.0 < x < 4.0


@pytest.mark.slow
def test_cls_of_a_gaussian_in_closed_form(agree):
    """x̂ ~ N(x, σ): CL_s = [1 − Φ((x − x̂)/σ)] / Φ(x̂/σ) for x̂ ≥ 0 (arXiv:1007.1727, 3.7)."""
    from jaxnu.inference.measurements import difference

    for y in (0.0, 0.7, 2.0):
        model = build_model(difference("d", [y], [Sample("s", [1.0], signal=True)], sigma=[0.5]))
        expected = y + 0.5 * norm.isf(0.1 * norm.cdf(y / 0.5))
        agree(f"CL_s limit, x̂ = {y}", limit_value(model, "cls"), expected, 1e-9)
        agree(f"CL_s+b, x̂ = {y}", limit_value(model, "clsb"), y + 0.5 * norm.isf(0.1), 1e-9)
        agree(f"two-sided, x̂ = {y}", limit_value(model), y + 0.5 * norm.isf(0.05), 1e-9)
        low = limit_value(model, "cls", confidence=0.3), limit_value(model, confidence=0.3)
        expected = y + 0.5 * norm.isf(0.7 * norm.cdf(y / 0.5))
        if expected < y:  # there q̃ is 0, and CL_s = ½/Φ(x/σ)
            expected = 0.5 * norm.ppf(0.5 / 0.7)
        agree(f"CL_s at 30%, x̂ = {y}", low[0], expected, 1e-9)
        agree(f"two-sided at 30%, x̂ = {y}", low[1], y + 0.5 * norm.isf(0.35), 1e-9)


# ---- hard cases ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("tilt", [1e-2, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8])
def test_a_signal_almost_like_a_free_background(tilt):
    """The right limit, or none: with norm ≥ 0 there is one at any tilt, far along a valley."""
    energy = np.linspace(1.0, 20.0, 12)
    s = np.exp(-0.25 * energy) / np.exp(-0.25 * energy).sum()
    b = 100.0 * s * (1.0 + tilt * (energy - 10.0) / 10.0)
    for seed in (11, 12, 13):
        n = np.random.default_rng(seed).poisson(b).astype(float)
        samples = [Sample("s", s, signal=True), Sample("b", b, norms={"b": 1.0})]
        model = build_model(binned("sr", n, samples), free=("b",))
        try:
            result = infer(model)
        except FitError as error:
            print(f"tilt {tilt}: {error}")
            assert tilt <= 1e-5
            continue

        def lowest(x, n=n):
            def value(norm):
                rate = x * s + norm * b
                return np.sum(2.0 * (rate - n + xlogy(n, np.where(n > 0.0, n, 1.0) / rate)))

            ends = value(1e-300), minimize_scalar(
                value, bounds=(0.0, 3.0), method="bounded", options={"xatol": 1e-12}
            ).fun  # fmt: skip
            return min(ends)

        x = np.linspace(0.0, 200.0, 2001)
        best = min(lowest(at) for at in np.append(x[1:], 1e-9))
        q = lowest(result.value) - best
        print(f"tilt {tilt}, seed {seed}: limit {result.value:.4f}, q there {q:.5f}")
        assert abs(q - 2.7055) < 3e-3


def test_zero_counts_everywhere(arrays, build, agree):
    """Free and constrained norms go down as far as they can; the limit is Δ/2 signal events."""
    a = arrays(1)
    model = build(a, np.zeros(20))
    found = fit(model)
    assert float(found.theta[0]) == 0.0 and float(found.values["first"]) == -1.0
    assert list(np.asarray(found.active))[:1] == [-1]

    def lowest(x):  # −ln L in the efficiency alone, a parabola in closed form
        slope = 0.05 * (x * a["signal"].sum() + a["second"].sum())
        return x * a["signal"].sum() + a["second"].sum() - 0.5 * slope**2

    x = float(limit_value(model))
    agree("q at the limit", 2.0 * (lowest(x) - lowest(0.0)), 2.705543, 1e-6)


def test_data_far_above_the_model(arrays, build, agree):
    a = arrays(1)
    model = build(a, 1e6 * a["signal"] + a["first"])
    found = fit(model)
    agree("x̂", found.values["x"] * (1.0 + 0.05 * found.values["efficiency"]), 1e6, 1e-3)
    assert np.isfinite(float(limit_value(model)))


def test_a_background_far_below_the_data(arrays, build, agree):
    """A free norm that is off by 1e5 is found."""
    a = arrays(3)
    scaled = dict(a, first=1e-5 * a["first"], tilt=1e-5 * a["tilt"])
    agree("limit", limit_value(build(scaled)), limit_value(build(a)), 1e-7)


def test_no_background_in_some_bins(arrays, agree):
    """Bins that only signal reaches: λ = 0 at x = 0 must not be cut off."""
    signal = np.array([2.0, 1.0, 0.5])
    model = build_model(
        binned("sr", [3.0, 0.0, 2.0], [
            Sample("s", signal, signal=True), Sample("b", [0.0, 0.0, 1.5])
        ])
    )  # fmt: skip
    x = float(fit(model).theta[0])
    agree("score at x̂", 3.5, 3.0 / x + 2.0 * 0.5 / (0.5 * x + 1.5), 1e-9)


def test_a_nuisance_at_its_bound(arrays, build, agree):
    """Held there, the fit is the same; the bound is reported."""
    model = build(arrays(1))
    free = fit(model)
    edge = float(free.values["tilt"]) + 0.1
    tight = dataclasses.replace(model, lower=model.lower.at[2].set(edge))
    found = fit(tight)
    assert float(found.values["tilt"]) == edge and int(found.active[3]) == -1
    agree("the others", found.theta[:3], fit(model, held={"tilt": edge}).theta[:3], 1e-6)
    assert float(limit_value(tight)) > float(found.theta[0])


@pytest.mark.slow
def test_a_fixed_point_of_many_nuisances_by_lbfgs(agree):
    """80 nuisances: L-BFGS goes first; the answer is that of Newton alone."""
    rng = np.random.default_rng(5)
    bins = 30
    background = rng.uniform(5.0, 20.0, bins)
    shapes = {f"n{k}": 0.05 * background * rng.normal(size=bins) for k in range(80)}
    model = build_model(
        binned("sr", rng.poisson(background).astype(float), [
            Sample("s", np.exp(-np.arange(bins) / 5.0) * 10.0, signal=True),
            Sample("b", background, shapes=shapes),
        ])
    )  # fmt: skip
    near, _ = jax.jit(lambda m: descend(m, start_point(m), jnp.zeros(81, bool)))(model)
    alone = fit(model, settings=dataclasses.replace(STATISTICS, large=1000))
    rise = float(model.minus_log_likelihood(near) - alone.minus_log_likelihood)
    print(f"L-BFGS ends {rise:.1e} above the minimum")
    assert 0.0 <= rise < 1e-4
    both = fit(model)
    agree("θ", both.theta, alone.theta, 1e-5, scale=1.0)
    assert int(both.iterations) < int(alone.iterations)


def test_a_signal_that_a_free_background_can_imitate_has_no_limit():
    s = np.array([1.0, 2.0, 3.0])
    model = build_model(
        binned("sr", [10.0, 20.0, 30.0], [
            Sample("s", s, signal=True, norms={"n": 1.0}), Sample("b", s)
        ]),
        free=("n",),
    )  # fmt: skip
    assert np.isnan(float(limit_value(model)))


@pytest.mark.slow
def test_fits_that_fail_say_so(arrays, build):
    short = dataclasses.replace(STATISTICS, fit_iterations=1)
    with pytest.raises(FitError, match="did not converge"):
        fit(build(arrays(1)), settings=short)
    assert np.isnan(float(limit_value(build(arrays(1)), settings=short)))


def test_nan_that_came_in_later_is_refused(arrays, build):
    model = build(arrays(1))
    broken = model.with_data({"sr": {"counts": np.full(20, np.nan)}})
    with pytest.raises(InputError, match="not finite"):
        fit(broken)
    assert np.isnan(float(limit_value(broken)))


@pytest.mark.parametrize("confidence", [0.0, 1.0, -0.1, 90, "high", np.nan, True])
def test_a_confidence_outside_zero_and_one(confidence, arrays, build):
    with pytest.raises(InputError, match="confidence"):
        limit_value(build(arrays(1)), confidence=confidence)


def test_other_bad_arguments(arrays, build):
    model = build(arrays(1))
    with pytest.raises(InputError, match="did you mean 'cls'"):
        limit_value(model, "cl")
    with pytest.raises(InputError, match="convention"):
        limit_value(model, convention="both")
    with pytest.raises(InputError, match="outside"):
        fit(model, held={"x": -1.0})
    with pytest.raises(InputError, match="unknown"):
        fit(model, held={"y": 1.0})
    with pytest.raises(InputError, match="model"):
        fit(3.0)
