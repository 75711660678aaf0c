"""B-splines are scipy's, on even and on any nodes; derivatives without transposed gathers."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import make_interp_spline

from jaxnu.numerics.splines import (
    SplineAxis,
    interpolation,
    is_even,
    spline_values,
    tensor_values,
)

EVEN_NODES = np.linspace(-3.0, 7.0, 41)
JITTER = np.random.default_rng(3).uniform(-0.08, 0.08, 41)
JITTER[[0, -1]] = 0.0
NODES = EVEN_NODES + JITTER  # steps from 0.1 to 0.4
CASES = [(degree, even) for degree in (3, 5) for even in (True, False)]
values = jax.jit(spline_values)


@partial(jax.jit, static_argnums=3)
def derivative(c, axis, x, order):
    first, basis = axis.basis(x, order)
    return sum(b * c[first + k] for k, b in enumerate(basis))


def spline(nodes, f, degree, even):
    knots, matrix = interpolation(nodes, degree, even)
    axis = SplineAxis(
        jnp.asarray(knots), jnp.asarray(nodes[0]), jnp.asarray(nodes[-1]), degree, even
    )
    return jnp.asarray(matrix @ f), axis


def both(degree, even, f):
    nodes = EVEN_NODES if even else NODES
    c, axis = spline(nodes, f(nodes), degree, even)
    x = np.linspace(nodes[0], nodes[-1], 1001)[1:-1]
    return c, axis, x, make_interp_spline(nodes, f(nodes), k=degree)


@pytest.mark.parametrize(("degree", "even"), CASES)
def test_equals_scipy(degree, even, agree):
    c, axis, x, theirs = both(degree, even, np.cos)
    agree(f"degree {degree}, even {even}", values(c, axis, x), theirs(x), 1e-13, scale=1.0)


@pytest.mark.parametrize(("degree", "even"), CASES)
def test_derivatives_of_the_basis_are_scipys(degree, even, agree):
    c, axis, x, theirs = both(degree, even, np.cos)
    for order in range(degree + 2):
        ours = derivative(c, axis, x, order)
        expected = theirs(x, nu=order)
        size = np.min(np.diff(NODES)) ** -order  # rounding of coefficients over powers of a step
        agree(f"degree {degree}, derivative {order}", ours, expected, 1e-13, scale=size)


@pytest.mark.parametrize(("degree", "even"), CASES)
def test_polynomials_of_the_degree_are_exact_beyond_the_nodes_too(degree, even, agree):
    def f(x):
        return ((x - 2.0) / 5.0) ** degree - 0.3 * x

    c, axis, _, _ = both(degree, even, f)
    x = np.linspace(-4.0, 8.0, 301)
    agree(f"x^{degree}", values(c, axis, x), f(x), 1e-10, scale=1.0)
    c, axis, x, _ = both(degree, even, lambda x: (x / 5.0) ** (degree + 1))
    assert np.max(np.abs(values(c, axis, x) - (x / 5.0) ** (degree + 1))) > 1e-7, "not a higher one"


@pytest.mark.parametrize("degree", [3, 5])
def test_error_falls_with_the_power_degree_plus_one(degree):
    x = np.linspace(0.0, 2.0, 777)
    errors = []
    for n in (21, 41, 81):
        c, axis = spline(np.linspace(0.0, 2.0, n), np.exp(np.linspace(0.0, 2.0, n)), degree, True)
        errors.append(np.max(np.abs(values(c, axis, x) - np.exp(x))))
    powers = np.log2(np.array(errors[:-1]) / errors[1:])
    print(f"degree {degree}: errors {errors}, powers {powers}")
    assert np.all(np.abs(powers - degree - 1) < 0.35)


@pytest.mark.parametrize(("degree", "even"), CASES)
def test_derivative_by_grad_under_jit_and_vmap(degree, even, agree):
    c, axis, x, theirs = both(degree, even, np.cos)
    slope = jax.jit(jax.vmap(jax.grad(lambda x: spline_values(c, axis, x[None])[0])))
    agree("grad", slope(jnp.asarray(x)), theirs(x, nu=1), 1e-12, scale=1.0)
    agree("vmap", jax.vmap(lambda x: values(c, axis, x[None])[0])(x), theirs(x), 1e-13, scale=1.0)


def test_even_nodes_are_told():
    assert is_even(EVEN_NODES) and not is_even(NODES)
    assert not is_even(np.append(EVEN_NODES, EVEN_NODES[-1] + 0.251))


@pytest.fixture(scope="module", params=[True, False], ids=["even", "uneven"])
def tensor(request):
    """Two functions of (x, y) on nodes of their own, fewer for the second, which is padded."""
    even = request.param
    functions = (lambda x, y: np.cos(x + 0.3 * y)), (lambda x, y: np.exp(-0.2 * x * y))
    xs = NODES, NODES[::2]
    ys = [
        np.linspace(-1.0, 1.0, n) if even else np.sin(np.linspace(-1.5, 1.5, n)) for n in (30, 20)
    ]
    tables, along = [], ([], [])
    for f, x, y in zip(functions, xs, ys, strict=True):
        in_x, in_y = interpolation(x, 3), interpolation(y, 5, even)
        c = in_x.matrix @ f(x[:, None], y) @ in_y.matrix.T
        tables.append(np.pad(c, [(0, 41 - c.shape[0]), (0, 34 - c.shape[1])]))
        for kept, spline, nodes in ((along[0], in_x, x), (along[1], in_y, y)):
            kept.append((spline.knots, nodes[0], nodes[-1]))
    axes = []
    for parts, degree, is_y in ((along[0], 3, False), (along[1], 5, True)):
        longest = max(len(k) for k, _, _ in parts)
        knots = [np.append(k, k[-1] + 1.0 + np.arange(longest - len(k))) for k, _, _ in parts]
        axes.append(
            SplineAxis(
                jnp.asarray(np.stack(knots)), *(jnp.array([p[i] for p in parts]) for i in (1, 2)),
                degree, even and is_y,
            )
        )  # fmt: skip
    return jnp.asarray(np.stack(tables)), tuple(axes), functions, xs, ys


ROWS = np.array([1, 0, 1])


def reference(tensor, x, y, nu=(0, 0)):
    """scipy, one spline after the other."""
    _, _, functions, xs, ys = tensor
    rows = []
    for i, (row_x, row_y) in zip(ROWS, zip(x, y, strict=True), strict=True):
        over_y = make_interp_spline(ys[i], functions[i](xs[i][:, None], ys[i]), k=5, axis=1)
        at_y = over_y(row_y, nu=nu[1])
        over_x = make_interp_spline(xs[i], at_y, k=3)
        rows.append([over_x(p, nu=nu[0])[k] for k, p in enumerate(row_x)])
    return np.array(rows)


def points(number):
    generator = np.random.default_rng(5)
    return generator.uniform(-2.9, 6.9, (3, number)), generator.uniform(-0.99, 0.99, (3, number))


def test_tensor_values_pairs_and_rows(tensor, agree):
    c, axes = tensor[:2]
    evaluate = jax.jit(lambda x, y: tensor_values((0, 0), c, ROWS, axes, x, y))
    x, y = points(40)
    agree("pairs", evaluate(x, y), reference(tensor, x, y), 1e-11, scale=1.0)
    expected = reference(tensor, np.repeat(x[:, :1], 40, 1), y)
    agree("one x for a row", evaluate(x[:, :1], y), expected, 1e-11, scale=1.0)
    agree("few points", evaluate(x[:, :1], y[:, :2]), expected[:, :2], 1e-11, scale=1.0)


@pytest.mark.slow
def test_tensor_derivatives_forward_and_reverse(tensor, agree):
    c, axes = tensor[:2]
    x, y = points(40)

    def total(c, x, y):
        return jnp.sum(tensor_values((0, 0), c, ROWS, axes, x, y) ** 2)

    value = reference(tensor, x, y)
    expected = [2.0 * value * reference(tensor, x, y, nu) for nu in ((1, 0), (0, 1))]
    got = jax.jit(jax.grad(total, (1, 2)))(c, x, y)
    for name, ours, theirs in zip("xy", got, expected, strict=True):
        agree(f"grad {name}", ours, theirs, 1e-10, scale=np.max(np.abs(theirs)))
    ones = jnp.ones_like(x)
    forward = jax.jit(lambda x: jax.jvp(lambda x: total(c, x, y), (x,), (ones,))[1])(x)
    agree("jvp x", forward, np.sum(expected[0]), 1e-10)
    # linear in the coefficients: 2 Σ v² is the derivative along c itself
    along = jax.jit(lambda c: jax.jvp(lambda c: total(c, x, y), (c,), (c,))[1])(c)
    agree("jvp coefficients", along, 2.0 * np.sum(value**2), 1e-12)
    back = jax.jit(jax.grad(total))(c, x, y)
    agree("grad coefficients", jnp.sum(back * c), 2.0 * np.sum(value**2), 1e-12)
    row_x = x[:, :1]
    value = reference(tensor, np.repeat(row_x, 40, 1), y)
    expected = np.sum(2.0 * value * reference(tensor, np.repeat(row_x, 40, 1), y, (1, 0)), 1)
    got = jax.jit(jax.grad(total, 1))(c, row_x, y)[:, 0]
    agree("grad of a shared x", got, expected, 1e-10, scale=np.max(np.abs(expected)))


def test_tensor_second_derivative(tensor, agree):
    c, axes = tensor[:2]
    x, y = points(3)

    def at(x, y):
        return jnp.sum(tensor_values((0, 0), c, ROWS, axes, x, y))

    mixed = jax.jit(jax.grad(lambda x: jnp.sum(jax.grad(at, 1)(x, y))))(x)
    expected = reference(tensor, x, y, (1, 1))
    agree("mixed", mixed, expected, 1e-9, scale=np.max(np.abs(expected)))
