"""Integrals over reconstructed energy, bin by bin."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnu.detector.curves import selection_efficiency
from jaxnu.numerics.quadrature import panel_nodes


class BinNodes(NamedTuple):
    """Nodes in all bins, weights × efficiency, and who owns each panel."""

    E_keV: Float[Array, "panels order"]
    kept: Float[Array, "panels order"]
    owner: Float[Array, "bins panels"]  # 1 for the bin that a panel lies in


def bin_nodes(
    bin_edges_keV: Float[Array, "bins+1"],
    threshold_keV: Float[Array, ""],
    offset_keV: Float[Array, "knots"],
    efficiency: Float[Array, "knots"],
    order: int,
    between_keV: Sequence[float] = (),
) -> BinNodes:
    """Gauss–Legendre panels between all bin edges and efficiency knots.

    between_keV: further panel edges, for a density that changes much within a bin.

    The integrand is smooth in each panel, and the panels move with the threshold and the edges, so
    that derivatives in these are as accurate as the integrals: with (bins,) values f of a density,
    ∫_bin ε f dE = owner @ sum(kept · f, axis=-1).
    """
    inner = jnp.concatenate([threshold_keV + offset_keV, jnp.asarray(between_keV, float)])
    knots = jnp.clip(inner, bin_edges_keV[0], bin_edges_keV[-1])
    order_of = jnp.argsort(jnp.concatenate([bin_edges_keV, knots]))
    edges = jnp.concatenate([bin_edges_keV, knots])[order_of]
    E, weight = panel_nodes(edges, order)
    kept = weight * selection_efficiency(E, threshold_keV, offset_keV, efficiency)
    # by order, not by position: a knot may lie a rounding error beside a bin edge
    bins = bin_edges_keV.shape[0] - 1
    bin_of_panel = jnp.cumsum(order_of <= bins)[:-1] - 1
    owner = bin_of_panel == jnp.arange(bins)[:, None]
    return BinNodes(E, kept, owner.astype(float))


def mean_efficiency(
    bin_edges_keV: Float[Array, "bins+1"],
    threshold_keV: Float[Array, ""],
    offset_keV: Float[Array, "knots"],
    efficiency: Float[Array, "knots"],
    order: int,
) -> Float[Array, "bins"]:
    """Mean of the efficiency over each bin, between 0 and 1."""
    nodes = bin_nodes(bin_edges_keV, threshold_keV, offset_keV, efficiency, order)
    return nodes.owner @ jnp.sum(nodes.kept, axis=-1) / jnp.diff(bin_edges_keV)
