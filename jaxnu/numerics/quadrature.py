"""Composite Gauss–Legendre quadrature and Legendre interpolation on panels."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnu import precision  # noqa: F401


@cache
def legendre_rule(order: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Legendre nodes and weights on [-1, 1]; exact for polynomials of degree 2·order − 1."""
    return np.polynomial.legendre.leggauss(order)


def panel_nodes(
    edges: Float[Array, "panels+1"], order: int
) -> tuple[Float[Array, "panels order"], Float[Array, "panels order"]]:
    """Nodes and weights of the composite rule: ∫ f dx ≈ Σ w f(x), one row per panel.

    Nodes move with the edges, so an integral is differentiable in its end points and in any
    break point inside. A panel of zero width has zero weight.
    """
    x, w = legendre_rule(order)
    half = 0.5 * (edges[1:] - edges[:-1])
    middle = 0.5 * (edges[1:] + edges[:-1])
    return middle[:, None] + half[:, None] * x, half[:, None] * w


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def legendre_values(x: Float[Array, "..."], order: int) -> Float[Array, "... order"]:
    """P_0(x) … P_{order−1}(x), by (l+1) P_{l+1} = (2l+1) x P_l − l P_{l−1}."""
    l = np.arange(1, order - 1)
    # a loop: unrolled, it takes longer to compile than all that it is used for

    def step(pair: tuple[Array, Array], factors: tuple) -> tuple[tuple[Array, Array], Array]:
        before, last = pair
        value = factors[0] * x * last - factors[1] * before
        return (last, value), value

    factors = (jnp.asarray((2 * l + 1) / (l + 1)), jnp.asarray(l / (l + 1)))
    _, later = jax.lax.scan(step, (jnp.ones_like(x), x), factors)
    values = jnp.concatenate([jnp.stack([jnp.ones_like(x), x]), later])
    return jnp.moveaxis(values[:order], 0, -1)


@legendre_values.defjvp
def _legendre_values_jvp(order: int, primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    # P_l' = Σ D_lk P_k: the recurrence itself is never differentiated
    values = legendre_values(primals[0], order)
    return values, values @ _legendre_derivative(order).T * tangents[0][..., None]


@cache
def _legendre_derivative(order: int) -> np.ndarray:
    """D with P_l' = Σ_k D_lk P_k."""
    l, k = np.ogrid[:order, :order]
    return np.where((k < l) & ((l - k) % 2 == 1), 2.0 * k + 1.0, 0.0)


@cache
def _legendre_transform(order: int) -> np.ndarray:
    x, w = legendre_rule(order)
    l = np.arange(order)
    return np.polynomial.legendre.legvander(x, order - 1).T * w * (l[:, None] + 0.5)


def legendre_coefficients(values: Float[Array, "panels order"]) -> Float[Array, "panels order"]:
    """Coefficients c_l of Σ c_l P_l through values at the Gauss–Legendre nodes of each panel."""
    return values @ _legendre_transform(values.shape[-1]).T


def weights_below(
    edges: Float[Array, "panels+1"], end: Float[Array, ""], order: int
) -> Float[Array, "panels order"]:
    """Weights with ∫_{edges[0]}^{end} f dx ≈ Σ w f(x) at the nodes of `panel_nodes`.

    Panels below `end` have their own weights, panels above have none, and in the panel of `end`
    the polynomial through the nodes is integrated up to it. f must be smooth beyond `end`.
    Differentiable in `end`.
    """
    half = 0.5 * (edges[1:] - edges[:-1])
    x = jnp.clip((end - 0.5 * (edges[1:] + edges[:-1])) / half, -1.0, 1.0)
    values = legendre_values(x, order + 1)
    l = np.arange(1, order)
    # ∫_{-1}^x P_l = (P_{l+1} − P_{l−1})/(2l+1)
    integrals = (values[:, 2:] - values[:, :-2]) / (2 * l + 1)
    integrals = jnp.concatenate([(1.0 + x)[:, None], integrals], axis=-1)
    return half[:, None] * (integrals @ _legendre_transform(order))


def ridge_panel_edges(
    Q_low: Float[Array, ""],
    Q_high: Float[Array, ""],
    ridge: Float[Array, ""],
    width: Float[Array, ""],
    panels: int,
) -> Float[Array, "panels+1"]:
    """Panel edges in ln Q² from Q_low to Q_high, dense on the ridge and even in ln Q away from it.

    The edges are even in asinh(p/width) with p = (ridge²/Q − Q)/2: on the Bethe ridge,
    Q = ridge, p is the momentum of the struck electron along q and `width` the smallest momentum
    scale among the shells; far from it p grows like ridge²/Q or Q, so that steps are even in ln Q.
    """

    def stretch(Q: Float[Array, ""]) -> Float[Array, ""]:
        return -jnp.arcsinh(0.5 * (ridge**2 / Q - Q) / width)

    p = width * jnp.sinh(-jnp.linspace(stretch(Q_low), stretch(Q_high), panels + 1))
    # Q = sqrt(p² + ridge²) − p, written without cancellation for p > 0
    root = jnp.sqrt(p**2 + ridge**2)
    Q = jnp.where(p > 0, ridge**2 / (root + jnp.abs(p)), root + jnp.abs(p))
    return 2.0 * jnp.log(Q)
