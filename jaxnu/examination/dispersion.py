"""The density–density function F(E,Q) of an atom and its dispersion integral in Q² (KS11 11–14)."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxnu import checks
from jaxnu.constants import ELECTRON_MASS_keV
from jaxnu.cross_sections.differential import q_nodes
from jaxnu.cross_sections.form_factors import ElectronCloud
from jaxnu.numerics.principal_value import principal_value
from jaxnu.numerics.quadrature import panel_nodes
from jaxnu.precision import require_x64
from jaxnu.responses.base import Response
from jaxnu.settings import NUMERICS, Numerics

WIDE_PANELS = 96  # even in ln T' over the whole range
SHELL_PANELS = 24  # for each subshell, even in ln(1 + ε/1 eV), and again across its ridge
RIDGE_WIDTHS = 6.0  # the panels across a ridge reach that many widths
ORDER = 8
FAR = 1e5  # a response without an end is integrated to FAR (I + Q²/2m)
_M = ELECTRON_MASS_keV


class DensityFunction(NamedTuple):
    """F(E,Q) [1/keV], rows over T and columns over Q, by its parts; Im F = π S.

    elastic: |<0|ρ|0>|²/T. lines: Σ_n S_n/(T − T_n). continuum: P∫S dT'/(T − T').
    """

    elastic: Float[Array, "T Q"]
    lines: Float[Array, "T Q"]
    continuum: Float[Array, "T Q"]
    imaginary: Float[Array, "T Q"]

    @property
    def real(self) -> Float[Array, "T Q"]:
        return self.elastic + self.lines + self.continuum


def density_function(
    T_keV: ArrayLike, Q_keV: ArrayLike, response: Response, elastic: Float[Array, "Q"]
) -> DensityFunction:
    """F(E,Q) = <0|ρ(q) (T + E_0 − H − i0)^{-1} ρ(−q)|0> (KS11 eq 12) from its spectral sum.

    1/(x − i0) = P/x + iπδ(x), so that with all states n of the atom, bound and free,
        F = |<0|ρ|0>|²/T + Σ_n S_n(Q)/(T − T_n) + P∫S(T',Q) dT'/(T − T') + iπ S(T,Q)

    T_keV, Q_keV: one axis each, T away from thresholds and lines. response: with a continuum;
        transitions that the atom makes, its own thresholds.
    elastic: <0|ρ(Q)|0> at Q_keV: the form factor of all electrons (`cloud_elastic`), or that of 1s
        (`hydrogenic_elastic`).
    At Q = 0 only the elastic part is left, Z²/T (KS11 eq 14). Converged to 1e-5 of |F|.
    """
    require_x64("density_function")
    for name, value in (("T_keV", T_keV), ("Q_keV", Q_keV)):
        checks.number_range(name, value, 0.0, 1e6, "keV", f"give {name[0]} > 0", open_low=True)
    T, Q = (jnp.atleast_1d(jnp.asarray(a, dtype=float)) for a in (T_keV, Q_keV))
    lines, continuum, S = (a.T for a in _map_function(T, Q, response))
    still = jnp.asarray(elastic)[None, :] ** 2 / T[:, None]
    return DensityFunction(still, lines, continuum, jnp.pi * S)


@jax.jit
def _map_function(T: Array, Q: Array, response: Response) -> tuple[Array, Array, Array]:
    energies = response.lines().T_keV

    def one(q: Array) -> tuple[Array, Array, Array]:
        strength = jax.vmap(response.line_longitudinal, (0, None))(jnp.arange(energies.shape[0]), q)
        lines = jnp.sum(strength / (T[:, None] - energies), axis=-1)
        edges = _transfer_edges(response, q)
        x, weights = (a.ravel() for a in panel_nodes(edges, ORDER))
        S, at_T = response.longitudinal(x, q), response.longitudinal(T, q)
        continuum = -principal_value(x, weights, S, T, at_T, edges[0], edges[-1])
        return lines, continuum, at_T

    return jax.lax.map(one, Q)


def _transfer_edges(response: Response, Q: Array) -> Float[Array, "panels+1"]:
    """Edges in T' from the lowest threshold on: at every threshold, dense above each, and across
    the ridge of every subshell."""
    thresholds, widths = response.thresholds_keV, response.momentum_scales_keV
    first, end = jnp.min(thresholds), response.T_max_keV
    end = FAR * (jnp.max(thresholds) + Q**2 / (2.0 * _M)) if end is None else end
    wide = jnp.geomspace(first, end, WIDE_PANELS + 1)
    share = jnp.linspace(0.0, 1.0, SHELL_PANELS + 1)
    above = jnp.log1p(1e3 * jnp.maximum(end - thresholds, 0.0))[:, None] * share
    shells = thresholds[:, None] + jnp.expm1(above) / 1e3
    p = widths[:, None] * jnp.sinh(jnp.arcsinh(RIDGE_WIDTHS) * (2.0 * share - 1.0))
    ridges = Q * (p + 0.5 * Q) / _M
    inner = jnp.concatenate([shells.ravel(), ridges.ravel()])
    return jnp.sort(jnp.concatenate([wide, jnp.clip(inner, first, end)]))


def dispersion_integral(
    T_keV: ArrayLike, Q_keV: ArrayLike, response: Response, numerics: Numerics = NUMERICS
) -> Float[Array, "T Q"]:
    """Re of (1/π) ∫ Im F(E,Q') dQ'²/(Q'² − Q² − i0) (KS11 eq 13), with Im F = πS [1/keV].

    KS11 quote it as F(E,Q) itself. It has F's imaginary part by construction and not its real
    part: see docs/theory.md. At Q = 0 it is Z_eff/T, F(E,0) being Z²/T.

    T_keV, Q_keV: one axis each; Q = 0 is allowed. response: with a continuum.
    """
    require_x64("dispersion_integral")
    checks.number_range("T_keV", T_keV, 0.0, 1e6, "keV", "give T > 0", open_low=True)
    checks.number_range("Q_keV", Q_keV, 0.0, 1e6, "keV", "give Q ≥ 0")
    T, Q = (jnp.atleast_1d(jnp.asarray(a, dtype=float)) for a in (T_keV, Q_keV))
    return _map_integral(T, Q, response, numerics)


@partial(jax.jit, static_argnames="numerics")
def _map_integral(T: Array, Q: Array, response: Response, numerics: Numerics) -> Array:
    largest = jnp.sqrt(2.0 * _M * jnp.max(response.thresholds_keV))
    fine = numerics.refined(2)

    def one(t: Array) -> Array:
        ridge = jnp.sqrt(2.0 * _M * t)
        low, high = 1e-6 * ridge, 100.0 * (ridge + largest)  # as in `effective_charge`
        nodes, dQ2 = q_nodes(low, high, t, response.momentum_scale_keV, fine)
        S, at_Q = response.longitudinal(t, nodes), response.longitudinal(t, Q)
        return principal_value(nodes**2, dQ2, S, Q**2, at_Q, low**2, high**2)

    return jax.lax.map(one, T)


def cloud_elastic(Q_keV: ArrayLike, cloud: ElectronCloud) -> Float[Array, "Q"]:
    """<0|ρ|0> of a whole atom."""
    return jax.jit(ElectronCloud.form_factor)(cloud, jnp.atleast_1d(jnp.asarray(Q_keV, float)))


def hydrogenic_elastic(Q_keV: ArrayLike, response: Response) -> Float[Array, "Q"]:
    """<0|ρ|0> = 1/(1 + Q²/4p0²)² of a 1s electron, p0² = 2mI."""
    Q = jnp.atleast_1d(jnp.asarray(Q_keV, dtype=float))
    return (1.0 + Q**2 / (8.0 * _M * response.thresholds_keV[0])) ** -2
