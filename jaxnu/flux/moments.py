"""∫φ(E) E^-k dE above a running energy: all that a rate needs of a spectrum."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnu import precision  # noqa: F401
from jaxnu.flux.spectrum import Spectrum
from jaxnu.numerics.quadrature import legendre_coefficients, legendre_values, panel_nodes


class Moments(NamedTuple):
    """∫_E^∞ φ E'^-k dE' for k = 0, 1, 2, of all flavours and of ν_e alone, without lines.

    A Legendre series in E for every panel of the spectrum, made once for all lower ends.
    """

    spectrum: Spectrum
    series: Float[Array, "panels degrees flavours powers"]

    @classmethod
    def of(cls, spectrum: Spectrum, order: int) -> "Moments":
        """With `order` Gauss–Legendre nodes from each end point, as in `Spectrum.nodes_above`."""
        low, high = spectrum.edges_keV[:-1], spectrum.edges_keV[1:]
        # what the quadrature holds, and the integral of φ itself exactly
        degrees = max(2 * order, spectrum.density.shape[-1] + 1)
        start, _ = panel_nodes(spectrum.edges_keV, degrees)
        unit_nodes, unit_weights = panel_nodes(jnp.array([0.0, 1.0]), order)
        # from the nodes of the series, and on the last row from the lower edge, to the upper edge
        start = jnp.concatenate([start, low[:, None]], axis=1)
        width = high[:, None] - start
        E = start[..., None] + width[..., None] * unit_nodes
        x = (2.0 * E - (high + low)[:, None, None]) / (high - low)[:, None, None]
        basis = legendre_values(x, spectrum.density.shape[-1])
        density = jnp.einsum("pskl,pl->psk", basis, legendre_coefficients(spectrum.density))
        flux = density * width[..., None] * unit_weights
        flavours = jnp.stack([flux, flux * spectrum.electron_fraction(E)], axis=2)
        parts = jnp.einsum("psfk,pskn->psfn", flavours, _powers(E))
        # a sum over the panels above; 1/E² need not be integrable in the whole of the lowest one
        above = jnp.cumsum(parts[:0:-1, -1], axis=0)[::-1]
        above = jnp.concatenate([above, jnp.zeros_like(parts[:1, -1])])
        values = jnp.moveaxis(parts[:, :-1] + above[:, None], 1, -1)
        return cls(spectrum, jnp.moveaxis(legendre_coefficients(values), -1, 1))

    def above(self, E_min_keV: Float[Array, "points"]) -> Float[Array, "points flavours powers"]:
        """The integrals from E_min > 0 on. Differentiable in E_min and in the spectrum."""
        edges = self.spectrum.edges_keV
        panel = jnp.sum(edges[1:-1] <= E_min_keV[:, None], axis=-1)
        low, high = edges[panel], edges[panel + 1]
        x = jnp.clip((2.0 * E_min_keV - low - high) / (high - low), -1.0, 1.0)
        basis = legendre_values(x, self.series.shape[1])
        values = jnp.einsum("pl,plfn->pfn", basis, self.series[panel])
        return jnp.where((E_min_keV < edges[-1])[:, None, None], values, 0.0)


def weighted_moments(
    spectrum: Spectrum,
    E_min_keV: Float[Array, ""],
    weight: Callable[[Float[Array, "..."]], Float[Array, "..."]],
    order: int,
) -> Float[Array, "flavours powers"]:
    """∫_{E_min}^∞ φ E^-k weight(E) dE as in `Moments`, for a weight with ln(E − E_min) in it.

    With E − E_min ∝ s⁴ in each panel and twice `order` nodes in s.
    """
    E, flux = spectrum.nodes_above(E_min_keV, 2 * order, grading=4)
    flux = flux * weight(E)
    flavours = jnp.stack([flux, flux * spectrum.electron_fraction(E)])
    return jnp.einsum("fpk,pkn->fn", flavours, _powers(E))


def _powers(E: Float[Array, "..."]) -> Float[Array, "... powers"]:
    inverse = 1.0 / jnp.where(E > 0.0, E, 1.0)
    return jnp.stack([jnp.ones_like(E), inverse, inverse**2], axis=-1)
