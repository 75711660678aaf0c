"""Data terms against scipy's probabilities, brute-force profiling, and refusals."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import multivariate_normal, norm, poisson

from jaxnu import InputError
from jaxnu.inference.measurements import binned, build_model, difference, on_off, unbinned
from jaxnu.inference.model import Sample
from jaxnu.inference.pseudodata import asimov, simulate

SIGNAL = np.array([4.0, 2.0, 1.0, 0.5])
BACKGROUND = np.array([3.0, 3.5, 4.0, 4.5])
COUNTS = np.array([6.0, 0.0, 3.0, 7.0])
THETAS = np.array([[0.0, 0.0], [1.0, 0.3], [0.4, -1.2], [3.0, 2.0]])


def samples(**extra):
    return (
        Sample("signal", SIGNAL, signal=True, norms={"a": 0.1}),
        Sample("background", BACKGROUND, norms={"a": 0.2}, **extra),
    )


def rates(x, alpha):
    return x * (1.0 + 0.1 * alpha) * SIGNAL, (1.0 + 0.2 * alpha) * BACKGROUND


def differences(model, plain, label, agree, thetas=THETAS):
    ours = [float(model.minus_log_likelihood(jnp.asarray(t))) for t in thetas]
    expected = [plain(*t) for t in thetas]
    agree(label, np.diff(ours), np.diff(expected), 1e-9)


def test_binned_is_poisson_times_the_constraint(agree):
    def plain(x, alpha):
        return -np.sum(poisson.logpmf(COUNTS, sum(rates(x, alpha)))) - norm.logpdf(alpha)

    differences(build_model(binned("sr", COUNTS, samples())), plain, "binned", agree)


def test_a_free_nuisance_has_no_constraint(agree):
    def plain(x, alpha):
        return -np.sum(poisson.logpmf(COUNTS, sum(rates(x, alpha))))

    model = build_model(binned("sr", COUNTS, samples()), free=("a",))
    differences(model, plain, "binned, free", agree)


def test_shapes_add_to_the_template(agree):
    delta = np.array([0.5, -0.2, 0.1, 0.3])
    model = build_model(binned("sr", COUNTS, samples(shapes={"t": delta})))

    def plain(x, alpha, tilt):
        s, b = x * (1.0 + 0.1 * alpha) * SIGNAL, (1.0 + 0.2 * alpha) * (BACKGROUND + tilt * delta)
        return -np.sum(poisson.logpmf(COUNTS, s + b)) - norm.logpdf(alpha) - norm.logpdf(tilt)

    thetas = [(0.0, 0.0, 0.0), (1.0, 0.5, -1.0), (0.2, -1.0, 2.0)]
    differences(model, plain, "shape", agree, thetas)


def test_difference_is_gaussian_with_a_covariance(agree):
    root = np.random.default_rng(4).normal(size=(4, 4))
    matrix = root @ root.T + np.eye(4)
    values = np.array([2.0, -1.0, 0.5, 3.0])

    def plain(x, alpha):
        gauss = multivariate_normal.logpdf(values, sum(rates(x, alpha)), matrix)
        return -gauss - norm.logpdf(alpha)

    model = build_model(difference("sr", values, samples(), covariance=matrix))
    differences(model, plain, "difference, covariance", agree)
    sigma = np.array([1.0, 2.0, 3.0, 0.5])
    pair = [
        build_model(difference("sr", values, samples(), **how))
        for how in ({"sigma": sigma}, {"covariance": np.diag(sigma**2)})
    ]
    one, two = (float(m.minus_log_likelihood(jnp.array([0.7, 0.2]))) for m in pair)
    assert one == pytest.approx(two, rel=1e-12)


def test_on_off_shares_the_background(agree):
    off = np.array([5.0, 8.0, 0.0, 9.0])

    def plain(x, alpha):
        s, b = rates(x, alpha)
        total = np.sum(poisson.logpmf(COUNTS, s + b)) + np.sum(poisson.logpmf(off, 1.7 * b))
        return -total - norm.logpdf(alpha)

    model = build_model(on_off("sr", COUNTS, off, 1.7, samples()))
    differences(model, plain, "ON/OFF", agree)


def test_a_free_background_is_profiled_in_each_bin(agree):
    off = np.array([5.0, 8.0, 0.0, 9.0])
    signal = (Sample("signal", SIGNAL, signal=True),)
    model = build_model(on_off("sr", COUNTS, off, 1.7, signal, background="free"))

    def plain(x):
        total = 0.0
        for n, m, s in zip(COUNTS, off, x * SIGNAL, strict=True):

            def f(b, n=n, m=m, s=s):
                return -poisson.logpmf(n, s + b) - poisson.logpmf(m, 1.7 * b)

            inside = minimize_scalar(
                f, bounds=(1e-12, 50.0), method="bounded", options={"xatol": 1e-11}
            ).fun
            total += min(inside, f(1e-13))
        return total

    ours = [float(model.minus_log_likelihood(jnp.array([x]))) for x in (0.0, 0.3, 1.0, 4.0)]
    expected = [plain(x) for x in (0.0, 0.3, 1.0, 4.0)]
    agree("free background", np.diff(ours), np.diff(expected), 1e-8)


def test_monte_carlo_factors_are_profiled_in_each_bin(agree):
    variance = np.array([1.0, 0.5, 0.0, 2.0])
    model = build_model(binned("sr", COUNTS, samples(variance=variance)))
    error = np.sqrt(variance) / BACKGROUND

    def plain(x, alpha):
        total = -norm.logpdf(alpha)
        for n, s, b, e in zip(COUNTS, *rates(x, alpha), error, strict=True):

            def f(g, n=n, s=s, b=b, e=e):
                return -poisson.logpmf(n, g * b + s) + (0.5 * ((g - 1) / e) ** 2 if e else 0.0)

            options = {"xatol": 1e-12}
            low = minimize_scalar(f, bounds=(0.0, 5.0), method="bounded", options=options).fun
            total += f(1.0) if e == 0.0 else low
        return total

    differences(model, plain, "Barlow–Beeston", agree)


def test_unbinned_is_the_limit_of_narrow_bins(agree):
    events = np.array([0.31, 0.72, 1.4, 2.6, 2.9])
    edges = np.linspace(0.0, 3.0, 30001)
    middle = 0.5 * (edges[1:] + edges[:-1])

    def densities(E):
        return 5.0 * np.exp(-E), 2.0 + 0.5 * E

    def model(measure, values):
        s, b = values
        return build_model(
            measure([Sample("s", s, signal=True), Sample("b", b, norms={"n": 1.0})]), free=("n",)
        )

    totals = 5.0 * (1.0 - np.exp(-3.0)), 6.0 + 0.25 * 9.0
    dense = [np.append(d, t) for d, t in zip(densities(events), totals, strict=True)]
    exact = model(lambda s: unbinned("u", s), dense)
    counts = np.histogram(events, edges)[0].astype(float)
    narrow = model(
        lambda s: binned("b", counts, s), [d * np.diff(edges) for d in densities(middle)]
    )
    thetas = jnp.array([[0.0, 0.0], [1.0, 0.2], [2.0, -0.4]])
    one, two = ([float(m.minus_log_likelihood(t)) for t in thetas] for m in (exact, narrow))
    agree("unbinned against 30000 bins", np.diff(one), np.diff(two), 1e-4)


def test_measurements_share_x_and_named_nuisances(agree):
    first = binned("one", COUNTS, samples())
    second = binned("two", COUNTS[::-1].copy(), samples(shapes={"own": 0.1 * BACKGROUND}))
    both = build_model([first, second])
    assert both.names == ("x", "a", "own")
    theta = jnp.array([0.7, 0.4, -0.6])
    alone = [
        build_model(first).minus_log_likelihood(theta[:2]),
        build_model(second).minus_log_likelihood(theta),
    ]
    # the constraint of the shared nuisance counts once
    agree("sum", both.minus_log_likelihood(theta), sum(alone) - 0.5 * 0.4**2, 1e-13)


def test_asimov_data_give_the_parameters_back():
    variance = np.full(4, 0.3)
    off = np.array([5.0, 8.0, 2.0, 9.0])
    model = build_model(
        [
            binned("mc", COUNTS, samples(variance=variance)),
            on_off("on", COUNTS, off, 1.7, samples()),
            difference("gauss", COUNTS, samples(), sigma=np.ones(4)),
        ]
    )
    theta = jnp.array([0.6, -0.8])
    quiet = asimov(model, theta)
    value, slope = jax.value_and_grad(quiet.minus_log_likelihood)(theta)
    print("−ln L and gradient of Asimov data at the truth:", value, slope)
    assert abs(float(value)) < 1e-10 and np.max(np.abs(slope)) < 1e-8


def test_toys_have_the_mean_and_variance_of_the_model():
    off = np.array([5.0, 8.0, 2.0, 9.0])
    model = build_model(
        [
            on_off("on", COUNTS, off, 1.7, samples()),
            difference("gauss", COUNTS, samples(), sigma=np.array([1.0, 2.0, 0.5, 3.0])),
        ]
    )
    theta, number = jnp.array([0.6, -0.8]), 4000
    keys = jax.random.split(jax.random.key(3), number)
    toys = jax.jit(jax.vmap(lambda key: simulate(model, theta, key)))(keys)
    s, b = rates(0.6, -0.8)
    for label, drawn, mean, variance in (
        ("on", toys.measurements[0].data["counts"], s + b, s + b),
        ("off", toys.measurements[0].data["off"], 1.7 * b, 1.7 * b),
        ("values", toys.measurements[1].data["values"], s + b, np.array([1.0, 4.0, 0.25, 9.0])),
        ("auxiliary", toys.auxiliary, -0.8, 1.0),
    ):
        drawn = np.asarray(drawn)
        pull = np.max(np.abs((drawn.mean(axis=0) - mean) / np.sqrt(variance / number)))
        spread = np.max(np.abs(drawn.var(axis=0) / variance - 1.0))
        print(f"{label}: mean off by {pull:.2f} σ, variance by {spread:.3f}")
        assert pull < 4.0 and spread < 0.15


def test_a_model_is_a_pytree_that_can_be_mapped_over_data():
    model = build_model(binned("sr", COUNTS, samples()))
    many = np.stack([COUNTS, COUNTS + 1.0])
    values = jax.vmap(
        lambda n: model.with_data({"sr": {"counts": n}}).minus_log_likelihood(jnp.ones(2))
    )(many)
    assert float(values[0]) == pytest.approx(float(model.minus_log_likelihood(jnp.ones(2))))
    assert values[0] != values[1]


SIGNAL_ONLY = Sample("s", SIGNAL, signal=True)
BAD = {
    "NaN in a template": lambda: binned(
        "sr", COUNTS, [Sample("s", [np.nan, 1.0, 1.0, 1.0], signal=True)]
    ),
    "a negative template": lambda: binned("sr", COUNTS, [Sample("s", -SIGNAL, signal=True)]),
    "negative counts": lambda: binned("sr", -COUNTS, [SIGNAL_ONLY]),
    "no samples": lambda: binned("sr", COUNTS, []),
    "lengths": lambda: binned("sr", COUNTS[:2], [SIGNAL_ONLY]),
    "no bins": lambda: binned("sr", [], [Sample("s", [], signal=True)]),
    "the same name": lambda: binned("sr", COUNTS, [SIGNAL_ONLY, SIGNAL_ONLY]),
    "a zero signal": lambda: build_model(
        binned("sr", COUNTS, [Sample("s", 0.0 * SIGNAL, signal=True), Sample("b", BACKGROUND)])
    ),
    "no signal": lambda: build_model(binned("sr", COUNTS, [Sample("b", BACKGROUND)])),
    "counts where nothing is": lambda: build_model(
        binned("sr", COUNTS, [Sample("s", SIGNAL * (SIGNAL < 3.0), signal=True)])
    ),
    "OFF counts without background": lambda: build_model(
        on_off("sr", COUNTS, COUNTS, 1.0, [SIGNAL_ONLY])
    ),
    "an unknown free nuisance": lambda: build_model(
        binned("sr", COUNTS, samples()), free=("b",)
    ),
    "bounds": lambda: build_model(binned("sr", COUNTS, samples()), bounds={"a": (1.0, 0.0)}),
    "both errors": lambda: difference("d", COUNTS, [SIGNAL_ONLY]),
    "a covariance": lambda: difference(
        "d", COUNTS, [SIGNAL_ONLY], covariance=-np.eye(4)
    ),
    "a zero sigma": lambda: difference("d", COUNTS, [SIGNAL_ONLY], sigma=np.zeros(4)),
    "a ratio": lambda: on_off("o", COUNTS, COUNTS, 0.0, [SIGNAL_ONLY]),
    "two measurements of one name": lambda: build_model(
        [binned("sr", COUNTS, samples()), binned("sr", COUNTS, samples())]
    ),
    "a variance in the wrong place": lambda: difference(
        "d", COUNTS, [dataclasses.replace(SIGNAL_ONLY, variance=SIGNAL)], sigma=np.ones(4)
    ),
    "toys of an unbinned one": lambda: simulate(
        build_model(unbinned("u", [SIGNAL_ONLY])), jnp.zeros(1), jax.random.key(0)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_one_line(name):
    with pytest.raises(InputError) as refusal:
        BAD[name]()
    print(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1


def test_a_monte_carlo_error_where_its_template_is_zero_is_refused():
    """A factor of nothing is nothing; another sample with a variance carries it."""
    empty = Sample("mc", [0.0, 2.0], variance=[0.3, 0.3])
    signal = Sample("s", [1.0, 1.0], signal=True)
    with pytest.raises(InputError, match=r"sr: variance\[0\] = 0.3 where the templates"):
        binned("sr", [1.0, 2.0], [signal, empty])
    other = Sample("more", [1.0, 1.0], variance=[0.1, 0.0])
    error = binned("sr", [1.0, 2.0], [signal, empty, other]).mc_error
    np.testing.assert_allclose(error, [0.4**0.5, 0.3**0.5 / 3.0])
