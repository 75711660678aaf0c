"""∫φ(E) E^-k dE above a running energy: all that a rate needs of a spectrum."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnu import precision  # noqa: F401
from jaxnu.flux.spectrum import Spectrum
from jaxnu.numerics.quadrature import legendre_coefficients, legendre_values, panel_nodes

POWERS = 3  # 1, 1/E, 1/E²: kernels are polynomials in 1/E of degree two


class Moments(NamedTuple):
    """Integrals above the upper end of each panel, and what the panel of E_min itself needs.

    Whole panels are summed once, so that a lower end costs one panel and not the spectrum.
    """

    spectrum: Spectrum
    series: Float[Array, "panels order"]  # Legendre coefficients of φ
    above_panel: Float[Array, "panels flavours powers"]

    @classmethod
    def of(cls, spectrum: Spectrum, order: int) -> "Moments":
        """With `order` Gauss–Legendre nodes in each panel, as `Spectrum.nodes_above` has them."""
        series = legendre_coefficients(spectrum.density)
        low, high = spectrum.edges_keV[:-1], spectrum.edges_keV[1:]
        whole = _panel_moments(spectrum, series, low, low, high, order)
        # the lowest panel is never whole, and 1/E² need not be integrable there
        later = jnp.cumsum(whole[:0:-1], axis=0)[::-1]
        return cls(spectrum, series, jnp.concatenate([later, jnp.zeros_like(whole[:1])]))

    def above(
        self, E_min_keV: Float[Array, "points"], order: int
    ) -> Float[Array, "points flavours powers"]:
        """∫_{E_min} φ E^-k dE, k = 0, 1, 2, of all flavours and of ν_e alone, without lines.

        E_min_keV > 0. Differentiable in E_min and in the spectrum.
        """
        edges = self.spectrum.edges_keV
        panel = jnp.sum(edges[1:-1] <= E_min_keV[:, None], axis=-1)
        low, high = edges[panel], edges[panel + 1]
        start = jnp.clip(E_min_keV, low, high)
        part = _panel_moments(self.spectrum, self.series[panel], low, start, high, order)
        return part + self.above_panel[panel]


def _panel_moments(
    spectrum: Spectrum, series: Array, low: Array, start: Array, high: Array, order: int
) -> Float[Array, "points flavours powers"]:
    """∫_start^high of one panel each, [low, high] the interval of its series."""
    nodes, weights = panel_nodes(jnp.array([0.0, 1.0]), order)
    E = start[:, None] + (high - start)[:, None] * nodes
    x = 2.0 * (E - low[:, None]) / (high - low)[:, None] - 1.0
    density = jnp.einsum("pkl,pl->pk", legendre_values(x, series.shape[-1]), series)
    flux = density * (high - start)[:, None] * weights
    flavours = jnp.stack([flux, flux * spectrum.electron_fraction(E)], axis=1)
    powers = E[..., None] ** -jnp.arange(POWERS)
    return jnp.einsum("pfk,pkn->pfn", flavours, powers)
