"""Flux × cross section: dR/dT per kilogram and day."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxnu import checks
from jaxnu.constants import SECONDS_PER_DAY, AVOGADRO_per_mol, ELECTRON_MASS_keV
from jaxnu.cross_sections.channels import Channel
from jaxnu.cross_sections.differential import (
    check_range,
    edge_nodes,
    q_edges,
    scalar_cross_section,
)
from jaxnu.cross_sections.kinematics import lowest_neutrino_energy
from jaxnu.elements import element
from jaxnu.flux.moments import Moments
from jaxnu.flux.spectrum import Spectrum
from jaxnu.numerics.quadrature import weights_below
from jaxnu.precision import require_x64
from jaxnu.responses.base import Response
from jaxnu.settings import NUMERICS, Numerics


def targets_per_kg_day(response: Response) -> float:
    """Atoms per kilogram times seconds per day: turns cm² × 1/(cm² s) into 1/(kg d)."""
    return 1e3 * AVOGADRO_per_mol / element(response.target).weight * SECONDS_PER_DAY


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
    end = jnp.maximum(2.0 * jnp.max(energies) - T, 1.001 * T)
    edges = q_edges(T, end, T, width, numerics)
    Q, dQ2 = edge_nodes(edges, numerics)
    K_S, K_R = channel.folded_kernels(T, Q, moments.above(0.5 * (T + Q), numerics.energy_order))

    def line(E: Array, strength: Array) -> tuple[Array, Array]:
        last = 2.0 * jnp.log(jnp.maximum(2.0 * E - T, T))
        part = strength * weights_below(edges, last, numerics.q_order).ravel() * Q**2
        k_S, k_R = channel.kernels(T, E, Q, _electron_fraction(flux, channel, E))
        return part * k_S, part * k_R

    l_S, l_R = jax.vmap(line)(flux.lines_keV, flux.line_flux)
    return Q, dQ2 * K_S + jnp.sum(l_S, 0), dQ2 * K_R + jnp.sum(l_R, 0)


def scalar_rate(
    T: Float[Array, ""],
    moments: Moments,
    response: Response,
    channel: Channel,
    numerics: Numerics,
) -> Float[Array, ""]:
    """∫φ(E) dσ/dT dE in 1/(s keV) per atom, per μ² for the magnetic channel."""
    if response.has_continuum:  # then nothing is on shell
        Q, w_S, w_R = q_weights(T, moments, response.momentum_scale_keV, channel, numerics)
        S, R = response.both(T, Q)
        return w_S @ S + w_R @ R
    flux = moments.spectrum
    E, weight = flux.nodes_above(lowest_neutrino_energy(T), numerics.energy_order)
    _, electrons = response.on_shell(T)
    at_rest = channel.on_shell(
        T, E, jnp.sqrt(2.0 * ELECTRON_MASS_keV * T), _electron_fraction(flux, channel, E)
    )

    def line(E: Array, strength: Array) -> Array:
        fraction = _electron_fraction(flux, channel, E)
        return strength * jnp.sum(scalar_cross_section(T, E, fraction, response, channel, numerics))

    lines = jnp.sum(jax.vmap(line)(flux.lines_keV, flux.line_flux))
    return jnp.sum(electrons) * jnp.sum(weight * at_rest) + lines


def _electron_fraction(
    flux: Spectrum, channel: Channel, E: Float[Array, "..."]
) -> Float[Array, "..."]:
    """The share of ν_e, which only the weak channel asks for."""
    return flux.electron_fraction(E) if channel.name == "weak" else jnp.ones_like(E)


@partial(jax.jit, static_argnames=("channel", "numerics"))
def map_rate(
    T: Float[Array, "T"], flux: Spectrum, response: Response, channel: Channel, numerics: Numerics
) -> Float[Array, "T"]:
    """scalar_rate over an array of T, in 1/(kg keV d), per μ² for the magnetic channel."""
    moments = Moments.of(flux, numerics.energy_order)

    def one(t: Array) -> Array:
        return scalar_rate(t, moments, response, channel, numerics)

    # a continuum has Q nodes for every T: a few T at a time bound the memory
    if response.has_continuum:
        batch = min(numerics.rate_batch, T.shape[0])
        per_atom = jax.lax.map(jax.checkpoint(one), T, batch_size=batch)
    else:
        per_atom = jax.vmap(one)(T)
    return per_atom * targets_per_kg_day(response)


@partial(jax.jit, static_argnames=("channel", "numerics"))
def map_line_rates(
    flux: Spectrum, response: Response, channel: Channel, numerics: Numerics
) -> Float[Array, "lines"]:
    """Rates of the bound–bound lines in 1/(kg d), per μ² for the magnetic channel."""
    moments = Moments.of(flux, numerics.energy_order)
    energies = response.lines().T_keV

    def one(line: tuple[Array, Array]) -> Array:
        n, T = line
        Q, w_S, w_R = q_weights(T, moments, response.momentum_scale_keV, channel, numerics)
        return w_S @ response.line_longitudinal(n, Q) + w_R @ response.line_transverse(n, Q)

    numbered = (jnp.arange(energies.shape[0]), energies)
    batch = min(numerics.rate_batch, energies.shape[0])
    per_atom = jax.lax.map(jax.checkpoint(one), numbered, batch_size=batch)
    return per_atom * targets_per_kg_day(response)


def rate(
    T_keV: ArrayLike,
    flux: Spectrum,
    response: Response,
    mu2: ArrayLike = 1e-22,
    channel: str = "magnetic",
    *,
    numerics: Numerics = NUMERICS,
) -> Float[Array, "..."]:
    """dR/dT = (N_A/A) ∫ φ(E) dσ/dT(T,E) dE, before the detector and without bound–bound lines.

    T_keV: true energy transfer [keV], any shape.
    flux: from jaxnu.flux; its flavour content enters the weak channel only.
    response: the atom, from jaxnu.response.
    mu2: μ_ν² [μ_B²], for the magnetic channel (an effective moment, one for all flavours).
    channel: "magnetic" or "weak".
    Returns 1/(kg keV d). Raises InputError for concrete T ≤ 0, above the highest energy of the
        flux or of the response's tables, or NaN, and for μ² outside [0, 1e-12].
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
    which = Channel(channel, antineutrino=flux.antineutrino)
    which.check(response)
    value = map_rate(T.ravel(), flux, response, which, numerics).reshape(T.shape)
    return value * jnp.asarray(mu2) if channel == "magnetic" else value
