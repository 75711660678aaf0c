"""A neutrino flux at the detector: a density on Gauss–Legendre nodes plus lines."""

from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnu.numerics.quadrature import (
    legendre_coefficients,
    legendre_values,
    panel_nodes,
)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Spectrum:
    """Flux φ(E) in 1/(cm² s keV), smooth inside each panel, plus monoenergetic lines in 1/(cm² s).

    edges_keV: panel edges, strictly increasing; every kink or end point of φ is an edge.
    density: φ at the Gauss–Legendre nodes of each panel, 1/(cm² s keV).
    lines_keV, line_flux: energies and fluxes [1/(cm² s)] of the lines.
    survival_keV, survival: P_ee at given energies, linear between and constant outside; the
        weak channel uses it, the magnetic channel does not (one μ_ν for all flavours).
    """

    edges_keV: Float[Array, "panels+1"]
    density: Float[Array, "panels order"]
    lines_keV: Float[Array, "lines"]
    line_flux: Float[Array, "lines"]
    survival_keV: Float[Array, "knots"]
    survival: Float[Array, "knots"]
    name: str = field(metadata={"static": True})
    antineutrino: bool = field(metadata={"static": True})

    @property
    def nodes_keV(self) -> Float[Array, "panels order"]:
        """Energies at which `density` is given."""
        return panel_nodes(self.edges_keV, self.density.shape[-1])[0]

    def nodes_above(
        self, E_min_keV: Float[Array, ""], order: int
    ) -> tuple[Float[Array, "panels order"], Float[Array, "panels order"]]:
        """Energies and weights with ∫_{E_min} f φ dE ≈ Σ weight·f(E), exact in the end point."""
        low = jnp.clip(E_min_keV, self.edges_keV[:-1], self.edges_keV[1:])
        high = self.edges_keV[1:]
        unit_nodes, unit_weights = panel_nodes(jnp.array([0.0, 1.0]), order)
        E = low[:, None] + (high - low)[:, None] * unit_nodes
        x = (2.0 * E - (self.edges_keV[1:] + self.edges_keV[:-1])[:, None]) / (
            self.edges_keV[1:] - self.edges_keV[:-1]
        )[:, None]
        basis = legendre_values(x, self.density.shape[-1])
        density = jnp.einsum("pkl,pl->pk", basis, legendre_coefficients(self.density))
        return E, density * (high - low)[:, None] * unit_weights

    def at(self, E_keV: Float[Array, "..."]) -> Float[Array, "..."]:
        """φ(E) in 1/(cm² s keV), without the lines; zero outside the panels."""
        E_keV = jnp.asarray(E_keV)
        panel = jnp.searchsorted(self.edges_keV, E_keV, side="right") - 1
        inside = (E_keV >= self.edges_keV[0]) & (E_keV <= self.edges_keV[-1])
        panel = jnp.clip(panel, 0, self.density.shape[0] - 1)
        low, high = self.edges_keV[panel], self.edges_keV[panel + 1]
        x = jnp.where(inside, (2.0 * E_keV - low - high) / (high - low), 0.0)
        basis = legendre_values(x, self.density.shape[-1])
        value = jnp.sum(basis * legendre_coefficients(self.density)[panel], axis=-1)
        return jnp.where(inside, value, 0.0)

    def total(self) -> Float[Array, ""]:
        """∫φ dE with the lines, 1/(cm² s)."""
        _, w = panel_nodes(self.edges_keV, self.density.shape[-1])
        return jnp.sum(w * self.density) + jnp.sum(self.line_flux)

    def mean_energy_keV(self) -> Float[Array, ""]:
        """Flux-weighted mean energy with the lines, keV."""
        E, w = panel_nodes(self.edges_keV, self.density.shape[-1])
        moment = jnp.sum(w * E * self.density) + jnp.sum(self.lines_keV * self.line_flux)
        return moment / self.total()

    def electron_fraction(self, E_keV: Float[Array, "..."]) -> Float[Array, "..."]:
        """P_ee(E), the share of electron flavour at the detector."""
        return jnp.interp(E_keV, self.survival_keV, self.survival)

    def scaled(self, factor: Float[Array, ""]) -> "Spectrum":
        """The same spectrum with every flux multiplied by `factor`."""
        return replace(self, density=factor * self.density, line_flux=factor * self.line_flux)
