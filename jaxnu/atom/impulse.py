"""Compton profiles of orbitals and the impulse form of the responses S and R, atomic units.

An electron of momentum p takes up T and Q where T = Q²/2 + p·Q; its binding enters as the
threshold only. With J the profile, p_z = |T/Q − Q/2|:
    S_nl = θ(T − I) n_e J(p_z)/Q,   R_nl = θ(T − I) n_e K(p_z)/Q,   K(p) = ∫_p^∞ p' J(p') dp'
Good where T ≫ I and near the ridge Q² = 2T; R misses the photoabsorption region at small Q.
"""

import math
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnu import checks, precision
from jaxnu.errors import InputError
from jaxnu.numerics.quadrature import legendre_coefficients, legendre_values, panel_nodes
from jaxnu.numerics.spherical_bessel import spherical_bessel_j

PANELS, ORDER = 32, 16  # panels in asinh(p/scale), nodes each: J of hydrogen 3d to 1e-11
ALIASING = 2.2  # largest p·dr; at π the mesh no longer sees the oscillation of j_l(pr)
INSIDE = 1e-5  # the orbital ends where |P| falls below this share of its maximum
NORM_TOLERANCE = 1e-3  # a larger defect of ∫P² dr is a wrong weight or an unnormalised orbital


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ComptonProfile:
    """J(p_z) of one electron as piecewise polynomials in u = asinh(p/scale), a.u.

    scale: 1/<r>, a.u. edges: panel edges in u, from 0 to the one at p_max.
    slope, tail: Legendre coefficients of −dJ/du in each panel, J at the panel's upper edge.
    momentum_slope, momentum_tail: the same for K(p) = ∫_p^∞ p'J dp'.
    power: 6 + 2l; beyond p_max J falls like p^−power, as the cusp at the nucleus demands.
    norm: ∫J dp over −∞ … ∞; 1 − norm tells whether mesh and p_max suffice.
    """

    scale: Float[Array, ""]
    edges: Float[Array, "panels+1"]
    slope: Float[Array, "panels order"]
    tail: Float[Array, "panels"]
    momentum_slope: Float[Array, "panels order"]
    momentum_tail: Float[Array, "panels"]
    power: Float[Array, ""]
    norm: Float[Array, ""]

    def J(self, p_z: Float[Array, "..."]) -> Float[Array, "..."]:
        """J(p_z), 1/a.u., even in p_z."""
        return _above(self.scale, self.edges, self.slope, self.tail, self.power, p_z)

    def K(self, p_z: Float[Array, "..."]) -> Float[Array, "..."]:
        """∫_{|p_z|}^∞ p J(p) dp, a.u.: half the transverse <p_⊥²> at given p_z, times J."""
        slope, tail = self.momentum_slope, self.momentum_tail
        return _above(self.scale, self.edges, slope, tail, self.power - 2.0, p_z)


@jax.jit
def _above(
    scale: Float[Array, ""],
    edges: Float[Array, "panels+1"],
    coefficients: Float[Array, "panels order"],
    tail: Float[Array, "panels"],
    power: Float[Array, ""],
    p: Float[Array, "..."],
) -> Float[Array, "..."]:
    """∫_{|p|}^∞ of a density in u given by Legendre coefficients; p^−power beyond the last edge.

    ∫_x^1 P_n = (P_{n−1} − P_{n+1})/(2n+1), with P_{−1} = 1.
    """
    order = coefficients.shape[-1]
    p = jnp.abs(p)
    p_max = scale * jnp.sinh(edges[-1])
    u = jnp.minimum(jnp.arcsinh(p / scale), edges[-1])
    panel = jnp.clip(jnp.searchsorted(edges, u, side="right") - 1, 0, tail.shape[0] - 1)
    low, high = edges[panel], edges[panel + 1]
    P = legendre_values((2.0 * u - low - high) / (high - low), order + 1)
    below = jnp.concatenate([jnp.ones_like(P[..., :1]), P[..., : order - 1]], axis=-1)
    weights = (below - P[..., 1:]) / (2 * jnp.arange(order) + 1)
    inside = 0.5 * (high - low) * jnp.sum(weights * coefficients[panel], axis=-1)
    beyond = tail[-1] * (p_max / jnp.maximum(p, p_max)) ** power
    return jnp.where(p < p_max, tail[panel] + inside, beyond)


def _tail(
    density: Float[Array, "panels order"],
    weights: Float[Array, "panels order"],
    beyond: Float[Array, ""],
) -> Float[Array, "panels"]:
    """Integral above the upper edge of each panel; `beyond` is the one above the last."""
    panel = jnp.sum(weights * density, axis=-1)
    return jnp.cumsum(jnp.append(panel[1:], beyond)[::-1])[::-1]


def momentum_orbital(
    r: Float[Array, "r"],
    weights: Float[Array, "r"],
    P: Float[Array, "r"],
    l: int,
    p: Float[Array, "..."],
) -> Float[Array, "..."]:
    """Radial momentum wave function χ(p) = sqrt(2/π) ∫ P(r) j_l(pr) r dr, ∫χ² p² dp = 1.

    r, weights: mesh and quadrature weights (∫f dr ≈ Σ weights·f), a.u. P: P_nl(r) with
    ∫P² dr = 1. l: orbital momentum (static). p: momenta, a.u. Returns χ like p, a.u.
    Source: Bransden & Joachain, Physics of Atoms and Molecules, app. 5.
    """
    j = spherical_bessel_j(p[..., None] * r, l)[..., l]
    return math.sqrt(2.0 / math.pi) * (j @ (weights * r * P))


def compton_profile(
    r: Float[Array, "r"],
    weights: Float[Array, "r"],
    P: Float[Array, "r"],
    l: int,
    p_max: float,
    panels: int = PANELS,
    order: int = ORDER,
) -> ComptonProfile:
    """Compton profile J(p_z) = ½ ∫_{|p_z|}^∞ χ(p)² p dp of one electron in an orbital.

    r, weights: radial mesh and weights, a.u. P: P_nl(r), ∫P² dr = 1. l: orbital momentum
    (static). p_max: momentum beyond which J follows its power law, a.u.; 50 Z/n gives 1e-9.
    Returns a ComptonProfile (atomic units), spherical average over the magnetic number.
    Raises InputError if P is not normalised on the mesh, or if the mesh is too coarse for p_max
    (p_max·dr > 2.2 inside the orbital: aliasing would give a false flat tail).
    Source: Cooper, Rep. Prog. Phys. 48 (1985) 415, eq. 2.10.
    """
    precision.require_x64("compton_profile")
    checks.number_range("l", l, 0, 20, "", "give the orbital momentum of the subshell")
    checks.number_range("p_max", p_max, 0.0, 1e5, "a.u.", "try 50 Z/n", open_low=True)
    if not checks.is_traced(r, weights, P, p_max):
        _check_mesh(np.asarray(r), np.asarray(weights), np.asarray(P), float(p_max))
    return _profile(r, weights, P, l, p_max, panels, order)


def _check_mesh(r: np.ndarray, weights: np.ndarray, P: np.ndarray, p_max: float) -> None:
    norm = float(np.sum(weights * P**2))
    if not abs(norm - 1.0) < NORM_TOLERANCE:
        raise InputError(
            f"P: ∫P² dr = {norm:g} with these weights is outside [{1 - NORM_TOLERANCE:g}, "
            f"{1 + NORM_TOLERANCE:g}]; give P(r) = r R(r), normalised, and weights with dr/dt in"
        )
    inside = np.abs(P) > INSIDE * np.max(np.abs(P))
    dr = float(np.max(np.diff(r)[inside[:-1] & inside[1:]], initial=0.0))
    if p_max * dr > ALIASING:
        raise InputError(
            f"p_max = {p_max:g} a.u. is outside (0, {ALIASING / dr:.4g}] a.u., where the mesh "
            f"(dr ≤ {dr:.2g} inside the orbital) resolves j_l(pr); lower p_max or refine the mesh"
        )


@partial(jax.jit, static_argnums=(3, 5, 6))
def _profile(r, weights, P, l, p_max, panels, order):
    scale = 1.0 / jnp.sum(weights * P**2 * r)
    edges = jnp.linspace(0.0, jnp.arcsinh(p_max / scale), panels + 1)
    u, du = panel_nodes(edges, order)
    p, dp_du = scale * jnp.sinh(u), scale * jnp.cosh(u)
    half_chi2 = 0.5 * momentum_orbital(r, weights, P, l, jnp.append(p.ravel(), p_max)) ** 2
    # χ² p ~ p^{−7−2l} beyond p_max
    power = 6.0 + 2.0 * l
    J_end = half_chi2[-1] * p_max**2 / power
    density = half_chi2[:-1].reshape(p.shape) * p * dp_du
    slope, tail = legendre_coefficients(density), _tail(density, du, J_end)
    momentum = p * _above(scale, edges, slope, tail, power, p) * dp_du
    return ComptonProfile(
        scale=scale,
        edges=edges,
        slope=slope,
        tail=tail,
        momentum_slope=legendre_coefficients(momentum),
        momentum_tail=_tail(momentum, du, J_end * p_max**2 / (power - 2.0)),
        power=jnp.asarray(power),
        # ∫J dp by parts
        norm=2.0 * (jnp.sum(du * density * p) + J_end * p_max * power / (power - 1.0)),
    )


def impulse_density(
    T_au: Float[Array, "..."],
    Q_au: Float[Array, "..."],
    profile: ComptonProfile,
    binding_au: Float[Array, ""],
    electrons: Float[Array, ""],
) -> Float[Array, "..."]:
    """Impulse form of S_nl = θ(T − I) n_e J(|T/Q − Q/2|)/Q.

    T_au: energy transfer, Hartree. Q_au: momentum transfer > 0, a.u.; they broadcast.
    profile: of one electron. binding_au: I, Hartree. electrons: n_e.
    Returns S in 1/Hartree. Whole integrals T∫S dQ²/Q² and ∫S dQ²/2 are n_e exactly for T > I.
    Range: T ≫ I; at T = 100 I still 5 to 10% of the ridge height wrong pointwise.
    """
    p_z = T_au / Q_au - 0.5 * Q_au
    return jnp.where(T_au > binding_au, electrons * profile.J(p_z) / Q_au, 0.0)


def impulse_current(
    T_au: Float[Array, "..."],
    Q_au: Float[Array, "..."],
    profile: ComptonProfile,
    binding_au: Float[Array, ""],
    electrons: Float[Array, ""],
) -> Float[Array, "..."]:
    """Impulse form of R_nl = θ(T − I) (n_e/Q) ∫_{|p_z|}^∞ p J dp, per polarisation.

    Arguments as in `impulse_density`. Returns R in atomic units (currents in p/m; multiply by
    α²/E_h for 1/keV). Range: near the ridge only, see the module.
    """
    p_z = T_au / Q_au - 0.5 * Q_au
    return jnp.where(T_au > binding_au, electrons * profile.K(p_z) / Q_au, 0.0)
