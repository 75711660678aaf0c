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
    line_cross_sections,
    q_nodes,
    scalar_cross_section,
)
from jaxnu.cross_sections.kinematics import lowest_neutrino_energy
from jaxnu.elements import element
from jaxnu.flux.spectrum import Spectrum
from jaxnu.precision import require_x64
from jaxnu.responses.base import Response
from jaxnu.settings import NUMERICS, Numerics


def targets_per_kg_day(response: Response) -> float:
    """Atoms per kilogram times seconds per day: turns cm² × 1/(cm² s) into 1/(kg d)."""
    return 1e3 * AVOGADRO_per_mol / element(response.target).weight * SECONDS_PER_DAY


def scalar_rate(
    T: Float[Array, ""],
    flux: Spectrum,
    response: Response,
    channel: Channel,
    numerics: Numerics,
) -> Float[Array, ""]:
    """∫φ(E) dσ/dT dE in 1/(s keV) per atom, per μ² for the magnetic channel.

    The integrals over E and Q are exchanged: the atom is evaluated once on the Q nodes of a T,
    ∫dE φ k(T,E,Q) from E = (T+Q)/2 on is done inside. Lines of the flux are added one by one.
    """

    def fold(E_min: Array, Q: Array) -> tuple[Array, Array]:
        E, weight = flux.nodes_above(E_min, numerics.energy_order)
        k_S, k_R = channel.kernels(T, E, Q, _electron_fraction(flux, channel, E))
        return jnp.sum(weight * k_S), jnp.sum(weight * k_R)

    E, weight = flux.nodes_above(lowest_neutrino_energy(T), numerics.energy_order)
    Q, electrons = response.on_shell(T)
    at_rest = channel.on_shell(
        T, E, jnp.sqrt(2.0 * ELECTRON_MASS_keV * T), _electron_fraction(flux, channel, E)
    )
    total = jnp.sum(electrons) * jnp.sum(weight * at_rest)
    if response.has_continuum:
        end = jnp.maximum(2.0 * flux.edges_keV[-1] - T, 1.001 * T)
        Q, dQ2 = q_nodes(T, end, T, response.momentum_scale_keV, numerics)
        K_S, K_R = jax.vmap(lambda q: fold(0.5 * (T + q), q))(Q)
        total += dQ2 @ (K_S * response.longitudinal(T, Q) + K_R * response.transverse(T, Q))

    def line(E: Array, strength: Array) -> Array:
        fraction = _electron_fraction(flux, channel, E)
        return strength * jnp.sum(scalar_cross_section(T, E, fraction, response, channel, numerics))

    return total + jnp.sum(jax.vmap(line)(flux.lines_keV, flux.line_flux))


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

    def one(t: Array) -> Array:
        return scalar_rate(t, flux, response, channel, numerics)

    # a continuum has E nodes for every Q node of every T: a few T at a time bound the memory
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
    E, weight = flux.nodes_above(flux.edges_keV[0], numerics.energy_order)
    E = jnp.concatenate([E.ravel(), flux.lines_keV])
    weight = jnp.concatenate([weight.ravel(), flux.line_flux])
    sigma = jax.vmap(
        lambda e: line_cross_sections(
            e, _electron_fraction(flux, channel, e), response, channel, numerics
        )
    )(E)
    return weight @ sigma * targets_per_kg_day(response)


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
