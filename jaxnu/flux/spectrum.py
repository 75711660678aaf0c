"""A neutrino flux at the detector: a density on Gauss–Legendre nodes plus lines."""

from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxnu import checks, precision
from jaxnu.errors import InputError
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
    incoherent: mass states arrive without interference, as from the Sun, and not a flavour state;
        moments of single mass states ask for it.
    """

    edges_keV: Float[Array, "panels+1"]
    density: Float[Array, "panels order"]
    lines_keV: Float[Array, "lines"]
    line_flux: Float[Array, "lines"]
    survival_keV: Float[Array, "knots"]
    survival: Float[Array, "knots"]
    name: str = field(metadata={"static": True})
    antineutrino: bool = field(metadata={"static": True})
    incoherent: bool = field(default=False, metadata={"static": True})

    @property
    def nodes_keV(self) -> Float[Array, "panels order"]:
        """Energies at which `density` is given."""
        return panel_nodes(self.edges_keV, self.density.shape[-1])[0]

    def nodes_above(
        self, E_min_keV: Float[Array, ""], order: int, grading: int = 1
    ) -> tuple[Float[Array, "panels order"], Float[Array, "panels order"]]:
        """Energies and weights with ∫_{E_min} f φ dE ≈ Σ weight·f(E), exact in the end point.

        Panels wholly below E_min have zero weights; their nodes are moved above E_min, so that
        f is never asked for a value, or a derivative, where it is not defined. grading > 1 crowds
        the nodes at the lower ends, for an f that is singular at E_min.
        """
        low = jnp.clip(E_min_keV, self.edges_keV[:-1], self.edges_keV[1:])
        high = self.edges_keV[1:]
        s, unit_weights = panel_nodes(jnp.array([0.0, 1.0]), order)
        unit_nodes, unit_weights = s**grading, grading * s ** (grading - 1) * unit_weights
        E = low[:, None] + (high - low)[:, None] * unit_nodes
        x = (2.0 * E - (self.edges_keV[1:] + self.edges_keV[:-1])[:, None]) / (
            self.edges_keV[1:] - self.edges_keV[:-1]
        )[:, None]
        basis = legendre_values(x, self.density.shape[-1])
        density = jnp.einsum("pkl,pl->pk", basis, legendre_coefficients(self.density))
        width = (self.edges_keV[1:] - self.edges_keV[:-1])[:, None]
        outside = (high <= low)[:, None]
        E = jnp.where(outside, E_min_keV + width * unit_nodes, E)
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

    def weighted(self, constant: Float[Array, ""], survival: Float[Array, ""]) -> "Spectrum":
        """The same spectrum times constant + survival · P_ee(E); P_ee itself stays."""
        E, _ = panel_nodes(self.edges_keV, self.density.shape[-1])
        smooth = constant + survival * self.electron_fraction(E)
        lines = constant + survival * self.electron_fraction(self.lines_keV)
        return replace(self, density=smooth * self.density, line_flux=lines * self.line_flux)

    def plus(self, other: "Spectrum", factor: ArrayLike = 1.0) -> "Spectrum":
        """φ + factor · φ_other, for two spectra on the same panels and lines.

        With a variation of 1σ as `other` (`difference`, `reactor_model_spread`) the factor is the
        pull of a nuisance. Name and P_ee stay those of the first.
        """
        _check_same_panels(self, other)
        return replace(
            self,
            density=self.density + factor * other.density,
            line_flux=self.line_flux + factor * other.line_flux,
        )


def _check_same_panels(one: Spectrum, other: Spectrum) -> None:
    checks.instance("other", other, Spectrum, "give a spectrum, such as flux.solar()")
    for name in ("edges_keV", "density", "lines_keV"):
        a, b = getattr(one, name), getattr(other, name)
        same = a.shape == b.shape
        if same and name != "density" and not checks.is_traced(a, b):
            same = np.array_equal(np.asarray(a), np.asarray(b))
        if not same:
            raise InputError(
                f"{name} of {other.name!r}, shape {b.shape}, differs from that of {one.name!r}, "
                f"shape {a.shape}; give spectra on the same panels and lines, or use "
                "flux.difference(one, other), which puts other on the panels of one"
            )


def difference(nominal: Spectrum, other: Spectrum) -> Spectrum:
    """δφ = φ_other − φ_nominal on the nodes of `nominal`, as a variation of 1σ.

    nominal.plus(difference(nominal, other), pull) is the nominal spectrum at pull = 0 and the other
    at pull = 1, fully correlated over E.

    Args:
        nominal: the spectrum whose nodes are kept.
        other: any spectrum with the same lines; zero outside its own panels.

    Returns:
        Spectrum in 1/(cm² s keV) whose density and lines may be negative. Differentiable in both.

    Raises:
        InputError: for arguments that are no spectra, or different lines.

    `other` is read at the nodes of `nominal`: a kink or an end between them is smoothed by the
    polynomial of that panel.
    """
    precision.require_x64("difference")
    checks.instance("nominal", nominal, Spectrum, "give a spectrum, such as flux.solar()")
    checks.instance("other", other, Spectrum, "give a spectrum, such as flux.solar()")
    traced = checks.is_traced(nominal.lines_keV, other.lines_keV)
    if nominal.lines_keV.shape != other.lines_keV.shape or not (
        traced or np.array_equal(np.asarray(nominal.lines_keV), np.asarray(other.lines_keV))
    ):
        raise InputError(
            f"lines_keV of {other.name!r}, shape {other.lines_keV.shape}, differ from those of "
            f"{nominal.name!r}, shape {nominal.lines_keV.shape}; give spectra with the same lines"
        )
    return replace(
        nominal,
        density=values_at(other, nominal.nodes_keV) - nominal.density,
        line_flux=other.line_flux - nominal.line_flux,
        name=f"{other.name} − {nominal.name}",
    )


@jax.jit
def values_at(spectrum: Spectrum, E_keV: Float[Array, "..."]) -> Float[Array, "..."]:
    """`Spectrum.at`, compiled once for each shape: its loop is compiled at every call outside."""
    return spectrum.at(E_keV)


ENERGY_MAX_keV = 1e6  # 1 GeV: no source here goes beyond, and an energy in eV often does
FLUX_MAX = 1e30


def check_order(order: int) -> None:
    """Refuse a number of nodes per panel that is not a whole number from 2 to 64."""
    if isinstance(order, bool) or not isinstance(order, int | np.integer):
        raise InputError(f"order = {order!r} is not a whole number in [2, 64]; nodes per panel")
    checks.number_range("order", order, 2, 64, "", "nodes per panel")


def _shape(value: Any) -> tuple[int, ...]:
    """Shape of a number, list or array, traced or not."""
    return jnp.asarray(value, float).shape


def check_scalar(name: str, value: Any, low: float, high: float, unit: str, remedy: str) -> None:
    """`checks.number_range` for one number: an array would broadcast against the panels."""
    checks.number_range(name, value, low, high, unit, remedy)
    if _shape(value) != ():
        raise InputError(
            f"{name} has shape {_shape(value)}, not one number; use jax.vmap for several"
        )


def _check_lines(E_keV: Any, flux: Any, E_name: str, flux_name: str) -> None:
    checks.number_range(
        E_name, E_keV, 0.0, ENERGY_MAX_keV, "keV", "give neutrino energies in keV", open_low=True
    )
    checks.number_range(flux_name, flux, 0.0, FLUX_MAX, "1/(cm² s)", "a flux is not negative")
    if _shape(E_keV) != _shape(flux) or len(_shape(E_keV)) > 1:
        raise InputError(
            f"{flux_name} has shape {_shape(flux)} and {E_name} {_shape(E_keV)}; "
            "give one flux per line"
        )


def line(E_keV: Any, flux_per_cm2_s: Any, antineutrino: bool = False) -> Spectrum:
    """One or several monoenergetic lines, P_ee = 1.

    Args:
        E_keV: energy, scalar or shape (lines,), keV.
        flux_per_cm2_s: flux, same shape, 1/(cm² s).
        antineutrino: whether they are antineutrinos.

    Returns:
        Spectrum with lines only (one empty panel below the highest). Differentiable in both.

    Raises:
        InputError: for energies outside (0, 1 GeV], a negative flux or shapes that differ.
    """
    precision.require_x64("line")
    _check_lines(E_keV, flux_per_cm2_s, "E_keV", "flux_per_cm2_s")
    lines_keV = jnp.atleast_1d(jnp.asarray(E_keV, float))
    if lines_keV.size == 0:
        raise InputError("E_keV is empty; give at least one line")
    return Spectrum(
        edges_keV=jnp.stack([jnp.zeros(()), jnp.max(lines_keV)]),
        density=jnp.zeros((1, 2)),
        lines_keV=lines_keV,
        line_flux=jnp.atleast_1d(jnp.asarray(flux_per_cm2_s, float)),
        survival_keV=jnp.array([0.0, 1.0]),
        survival=jnp.ones(2),
        name="line",
        antineutrino=antineutrino,
    )


def tabulated(
    E_keV: Any,
    density: Any,
    *,
    lines_keV: Any = (),
    line_flux: Any = (),
    survival_keV: Any = (0.0, 1.0),
    survival: Any = (1.0, 1.0),
    name: str = "tabulated",
    antineutrino: bool = False,
) -> Spectrum:
    """A spectrum given as a table, linear in E between its points and zero outside.

    Args:
        E_keV: energies, shape (points,), increasing, keV; each is a panel edge.
        density: φ there, shape (points,), 1/(cm² s keV).
        lines_keV, line_flux: lines, shape (lines,), keV and 1/(cm² s).
        survival_keV, survival: P_ee at given energies, shape (knots,); default 1.
        name: label.
        antineutrino: whether they are antineutrinos.

    Returns:
        Spectrum with two nodes per panel, which hold a linear function exactly.
        Differentiable in density, line_flux and survival.

    Raises:
        InputError: for fewer than two points, shapes that differ, energies that do not
            increase, a negative density, or a P_ee outside [0, 1].
    """
    precision.require_x64("tabulated")
    checks.number_range("E_keV", E_keV, 0.0, ENERGY_MAX_keV, "keV", "give neutrino energies in keV")
    checks.number_range(
        "density", density, 0.0, FLUX_MAX, "1/(cm² s keV)", "a density is not negative"
    )
    checks.number_range(
        "survival_keV", survival_keV, 0.0, ENERGY_MAX_keV, "keV", "give neutrino energies in keV"
    )
    checks.number_range("survival", survival, 0.0, 1.0, "", "P_ee is a probability")
    for a, b, pair in (
        (E_keV, density, "E_keV and density"),
        (survival_keV, survival, "survival_keV and survival"),
    ):
        shape = _shape(a)
        if len(shape) != 1 or shape != _shape(b) or shape[0] < 2:
            raise InputError(
                f"{pair} have shapes {shape} and {_shape(b)}; "
                "give two lists of the same length, 2 or more"
            )
    checks.increasing("E_keV", E_keV, "keV")
    checks.increasing("survival_keV", survival_keV, "keV")
    _check_lines(lines_keV, line_flux, "lines_keV", "line_flux")
    edges = jnp.asarray(E_keV, float)
    return Spectrum(
        edges_keV=edges,
        density=jnp.interp(panel_nodes(edges, 2)[0], edges, jnp.asarray(density, float)),
        lines_keV=jnp.asarray(lines_keV, float),
        line_flux=jnp.asarray(line_flux, float),
        survival_keV=jnp.asarray(survival_keV, float),
        survival=jnp.asarray(survival, float),
        name=name,
        antineutrino=antineutrino,
    )
