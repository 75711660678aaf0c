"""Flux × cross section: dR/dT per kilogram and day."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxnu import checks
from jaxnu.constants import SECONDS_PER_DAY, AVOGADRO_per_mol, ELECTRON_MASS_keV
from jaxnu.cross_sections.channels import Channel
from jaxnu.cross_sections.charge import NEUTRINO_MASS_eV
from jaxnu.cross_sections.differential import (
    at_rest_cross_section,
    check_range,
    edge_nodes,
    q_edges,
)
from jaxnu.cross_sections.kinematics import lowest_neutrino_energy
from jaxnu.cross_sections.light_cone import cone_edges, cone_nodes, cone_start, mass_cut
from jaxnu.elements import molar_mass
from jaxnu.flux.moments import Moments, weighted_moments
from jaxnu.flux.spectrum import Spectrum
from jaxnu.numerics.quadrature import weights_below
from jaxnu.precision import require_x64
from jaxnu.responses.base import Response
from jaxnu.settings import NUMERICS, Numerics


def targets_per_kg_day(response: Response) -> float:
    """Atoms, or formula units, per kilogram times seconds per day: turns cm² × 1/(cm² s) into
    1/(kg d)."""
    return 1e3 * AVOGADRO_per_mol / molar_mass(response.target) * SECONDS_PER_DAY


def q_weights(
    T: Float[Array, ""],
    moments: Moments,
    width: Float[Array, ""],
    channel: Channel,
    numerics: Numerics,
) -> tuple[Float[Array, "Q"], Float[Array, "Q"], Float[Array, "Q"]]:
    """(Q, w_S, w_R) with ∫φ(E) dσ/dT dE = Σ w_S S(T,Q) + w_R R(T,Q), lines of the flux included.

    The integrals over E and Q are exchanged: ∫dE φ k(T,E,Q) from E = (T+Q)/2 on is in the
    weights. A line of the flux at E ends at Q = 2E − T, between nodes: `weights_below`.
    """
    flux = moments.spectrum
    energies = jnp.append(flux.lines_keV, flux.edges_keV[-1])
    if channel.light_cone:
        return _cone_weights(T, moments, width, channel, numerics, jnp.max(energies))
    end = jnp.maximum(2.0 * jnp.max(energies) - T, 1.001 * T)
    edges = q_edges(T, end, T, width, numerics)
    Q, dQ2 = edge_nodes(edges, numerics)
    K_S, K_R = channel.folded_kernels(T, Q, moments.above(0.5 * (T + Q)))

    def line(E: Array, strength: Array) -> tuple[Array, Array]:
        last = 2.0 * jnp.log(jnp.maximum(2.0 * E - T, T))
        part = strength * weights_below(edges, last, numerics.q_order).ravel() * Q**2
        k_S, k_R = channel.kernels(T, E, Q, _electron_fraction(flux, channel, E))
        return part * k_S, part * k_R

    l_S, l_R = jax.vmap(line)(flux.lines_keV, flux.line_flux)
    return Q, dQ2 * K_S + jnp.sum(l_S, 0), dQ2 * K_R + jnp.sum(l_R, 0)


def _cone_weights(
    T: Float[Array, ""],
    moments: Moments,
    width: Float[Array, ""],
    channel: Channel,
    numerics: Numerics,
    E_max: Float[Array, ""],
) -> tuple[Float[Array, "Q"], Float[Array, "Q"], Float[Array, "Q"]]:
    """`q_weights` for a kernel with a pole on the light cone: the last node is Q = T, and its
    weight has ∫φ(E) ln(low/cut(E)) dE, where cut(E) is the lower end of Q² − T²."""
    flux = moments.spectrum
    E_max = jnp.maximum(E_max, 1.001 * T)
    high = 4.0 * E_max * (E_max - T)
    low = cone_start(T, high, numerics)
    ridge = jnp.sqrt(2.0 * ELECTRON_MASS_keV * T)
    edges = cone_edges(low, high, T, ridge, width, numerics)
    Q, dQ2 = cone_nodes(edges, T, numerics)
    K_S, K_R = channel.folded_kernels(T, Q, moments.above(0.5 * (T + Q)))

    def log(E: Array) -> Array:
        inside = E > T
        E = jnp.where(inside, E, 2.0 * T)
        top = jnp.minimum(low, 4.0 * E * (E - T))
        return jnp.where(inside, jnp.log(top / mass_cut(T, E, channel.m_nu_eV)), 0.0)

    on_cone = weighted_moments(flux, T, log, numerics.energy_order)[None]
    C_S, C_R = channel.folded_kernels(T, T[None], on_cone, poles=1)

    def line(E: Array, strength: Array) -> tuple[Array, ...]:
        fraction = _electron_fraction(flux, channel, E)
        last = jnp.log(jnp.maximum(4.0 * E * (E - T), low))
        part = weights_below(edges, last, numerics.q_order).ravel() * dQ2_per_log
        part = jnp.where(E > T, strength * part, 0.0)
        k_S, k_R = channel.kernels(T, E, Q, fraction)
        c_S, c_R = channel.kernels(T, E, T, fraction, poles=1)
        return part * k_S, part * k_R, strength * log(E) * c_S, strength * log(E) * c_R

    dQ2_per_log = (Q - T) * (Q + T)
    l_S, l_R, c_S, c_R = (
        jnp.sum(term, 0) for term in jax.vmap(line)(flux.lines_keV, flux.line_flux)
    )
    return (
        jnp.append(Q, T),
        jnp.append(dQ2 * K_S + l_S, C_S[0] + c_S),
        jnp.append(dQ2 * K_R + l_R, C_R[0] + c_R),
    )


def on_shell_rate(
    T: Float[Array, ""], flux: Spectrum, response: Response, channel: Channel, numerics: Numerics
) -> Float[Array, ""]:
    """∫φ(E) dσ/dT dE of the terms on the Bethe ridge, in 1/(s keV) per atom."""
    E, weight = flux.nodes_above(lowest_neutrino_energy(T), numerics.energy_order)
    _, electrons = response.on_shell(T)
    at_rest = channel.on_shell(
        T, E, jnp.sqrt(2.0 * ELECTRON_MASS_keV * T), _electron_fraction(flux, channel, E)
    )

    def line(E: Array, strength: Array) -> Array:
        above = jnp.where(E > T, E, 2.0 * T)
        fraction = _electron_fraction(flux, channel, above)
        section = jnp.sum(at_rest_cross_section(T, above, fraction, response, channel))
        return jnp.where(E > T, strength * section, 0.0)

    lines = jnp.sum(jax.vmap(line)(flux.lines_keV, flux.line_flux))
    return jnp.sum(electrons) * jnp.sum(weight * at_rest) + lines


def _electron_fraction(
    flux: Spectrum, channel: Channel, E: Float[Array, "..."]
) -> Float[Array, "..."]:
    """The share of ν_e, for which only the magnetic channel does not ask."""
    return jnp.ones_like(E) if channel.name == "magnetic" else flux.electron_fraction(E)


def _in_batches(function: Callable[..., Any], arguments: tuple[Array, ...], size: int) -> Any:
    """`function` mapped over first axes, `size` at a time; a reverse pass evaluates it again.

    Padded to whole batches: a rest would be compiled a second time.
    """
    number = arguments[0].shape[0]
    size = max(1, min(size, number))
    padding = -number % size
    padded = [jnp.concatenate([a, jnp.repeat(a[-1:], padding, axis=0)]) for a in arguments]
    one = jax.checkpoint(lambda each: function(*each))
    values = jax.lax.map(one, tuple(padded), batch_size=size)
    return jax.tree.map(lambda value: value[:number], values)


@partial(jax.jit, static_argnames=("channel", "numerics"))
def map_rates(
    T: Float[Array, "T"], flux: Spectrum, response: Response, channel: Channel, numerics: Numerics
) -> tuple[Float[Array, "T"], Float[Array, "lines"]]:
    """(dR/dT at T in 1/(kg keV d), rates of the bound–bound lines in 1/(kg d)), per μ² for the
    magnetic channel."""
    unit = targets_per_kg_day(response)
    lines = response.lines().T_keV
    rates = jnp.zeros_like(T)
    if response.on_shell(T[0])[1].shape[-1]:
        rates = jax.vmap(lambda t: on_shell_rate(t, flux, response, channel, numerics))(T)
    if not response.has_continuum:  # then there are no lines either
        return unit * rates, jnp.zeros_like(lines)
    moments, width = Moments.of(flux, numerics.energy_order), response.momentum_scale_keV

    def weights(t: Array) -> tuple[Array, Array, Array]:
        return q_weights(t, moments, width, channel, numerics)

    def continuum(t: Array, Q: Array, w_S: Array, w_R: Array) -> Array:
        S, R = response.both(t, Q)
        return w_S @ S + w_R @ R

    def line(n: Array, Q: Array, w_S: Array, w_R: Array) -> Array:
        return w_S @ response.line_longitudinal(n, Q) + w_R @ response.line_transverse(n, Q)

    size, number = numerics.rate_batch, T.shape[0]
    folded = _in_batches(weights, (jnp.concatenate([T, lines]),), size)
    rates = rates + _in_batches(continuum, (T, *(w[:number] for w in folded)), size)
    if not lines.shape[0]:
        return unit * rates, lines
    index = jnp.arange(lines.shape[0])
    return unit * rates, unit * _in_batches(line, (index, *(w[number:] for w in folded)), size)


def rate(
    T_keV: ArrayLike,
    flux: Spectrum,
    response: Response,
    mu2: ArrayLike = 1e-22,
    channel: str = "magnetic",
    *,
    flavors: str = "all",
    m_nu_eV: float = NEUTRINO_MASS_eV,
    numerics: Numerics = NUMERICS,
) -> Float[Array, "..."]:
    """dR/dT = (N_A/A) ∫ φ(E) dσ/dT(T,E) dE, before the detector and without bound–bound lines.

    T_keV: true energy transfer [keV], any shape.
    flux: from jaxnu.flux; its flavour content enters every channel but the magnetic one.
    response: the atom, from jaxnu.response.
    mu2: μ_ν² [μ_B²], for the magnetic channel (an effective moment, one for all flavours).
    channel: as in `cross_section`; `weak_with_charges` adds up the coefficients in a charge radius
        and a millicharge.
    flavors: whose scattering counts: "all", or the share of ν_e ("nu_e") or of the others ("nu_x")
        in the flux, for a radius or charge of theirs alone. m_nu_eV: as in `cross_section`.
    Returns 1/(kg keV d), per unit of the parameter for a coefficient. Raises InputError for
        concrete T ≤ 0, above the highest energy of the flux or of the response's tables, or NaN,
        and for μ² outside [0, 1e-12].
    """
    require_x64("rate")
    checks.instance("flux", flux, Spectrum, "flux.solar() or flux.reactor(...) gives one")
    checks.instance("response", response, Response, "response('Xe') gives one")
    if not checks.is_traced(T_keV, flux):
        end = float(jnp.max(jnp.append(flux.lines_keV, flux.edges_keV[-1])))
        checks.number_range(
            "T_keV",
            T_keV,
            0.0,
            end,
            "keV",
            "give an energy transfer T > 0 in keV, below the energies of the flux",
            open_low=True,
        )
    check_range(T_keV, response)
    checks.magnetic_moment_squared("mu2", mu2)
    T = jnp.asarray(T_keV, dtype=float)
    which = Channel(channel, antineutrino=flux.antineutrino, flavors=flavors, m_nu_eV=m_nu_eV)
    which.check(response)
    value = map_rates(T.ravel(), flux, response, which, numerics)[0].reshape(T.shape)
    return value * jnp.asarray(mu2) if channel == "magnetic" else value
