"""dσ/dT of neutrino scattering on one atom, from its responses."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxnu import checks
from jaxnu.constants import ELECTRON_MASS_keV
from jaxnu.cross_sections.channels import Channel
from jaxnu.cross_sections.charge import NEUTRINO_MASS_eV
from jaxnu.cross_sections.kinematics import transfer_end
from jaxnu.cross_sections.light_cone import cone_edges, cone_nodes, cone_start, mass_cut
from jaxnu.errors import InputError
from jaxnu.numerics.quadrature import panel_nodes, ridge_panel_edges
from jaxnu.precision import require_x64
from jaxnu.responses.base import Response
from jaxnu.settings import NUMERICS, Numerics

# flavour → (share of ν_e, antineutrino)
FLAVORS = {
    "nu_e": (1.0, False),
    "nu_mu": (0.0, False),
    "nu_tau": (0.0, False),
    "antinu_e": (1.0, True),
    "antinu_mu": (0.0, True),
    "antinu_tau": (0.0, True),
}
# (T, E) pairs evaluated at once: bounds memory to shells, times Q nodes where there is a continuum
BATCH, CONTINUUM_BATCH = 8192, 64


def q_nodes(
    Q_low: Float[Array, ""],
    Q_high: Float[Array, ""],
    T: Float[Array, ""],
    width: Float[Array, ""],
    numerics: Numerics,
) -> tuple[Float[Array, "nodes"], Float[Array, "nodes"]]:
    """(Q, weight) with ∫ f dQ² ≈ Σ weight·f: composite Gauss–Legendre in ln Q²."""
    return edge_nodes(q_edges(Q_low, Q_high, T, width, numerics), numerics)


def q_edges(
    Q_low: Float[Array, ""],
    Q_high: Float[Array, ""],
    T: Float[Array, ""],
    width: Float[Array, ""],
    numerics: Numerics,
) -> Float[Array, "panels+1"]:
    """Edges in ln Q² of the panels of `q_nodes`."""
    ridge = jnp.sqrt(2.0 * ELECTRON_MASS_keV * T)
    return ridge_panel_edges(Q_low, Q_high, ridge, width, numerics.q_panels)


def edge_nodes(
    edges: Float[Array, "panels+1"], numerics: Numerics
) -> tuple[Float[Array, "nodes"], Float[Array, "nodes"]]:
    """(Q, weight) on panels in ln Q²."""
    log_Q2, weight = panel_nodes(edges, numerics.q_order)
    Q = jnp.exp(0.5 * log_Q2.ravel())
    return Q, weight.ravel() * Q**2


def response_weights(
    T: Float[Array, ""],
    E: Float[Array, ""],
    electron_fraction: Float[Array, ""],
    width: Float[Array, ""],
    channel: Channel,
    numerics: Numerics,
) -> tuple[Float[Array, "nodes"], Float[Array, "nodes"], Float[Array, "nodes"]]:
    """(Q, w_S, w_R) with dσ/dT = Σ w_S S(T,Q) + w_R R(T,Q) at one neutrino energy E > T."""
    if not channel.light_cone:
        Q, dQ2 = q_nodes(T, 2.0 * E - T, T, width, numerics)
        k_S, k_R = channel.kernels(T, E, Q, electron_fraction)
        return Q, dQ2 * k_S, dQ2 * k_R
    high = 4.0 * E * (E - T)  # P² − T²
    cut = mass_cut(T, E, channel.m_nu_eV)
    low = jnp.minimum(jnp.maximum(cut, cone_start(T, high, numerics)), high)
    ridge = jnp.sqrt(2.0 * ELECTRON_MASS_keV * T)
    Q, dQ2 = cone_nodes(cone_edges(low, high, T, ridge, width, numerics), T, numerics)
    k_S, k_R = channel.kernels(T, E, Q, electron_fraction)
    c_S, c_R = channel.kernels(T, E, T, electron_fraction, poles=1)
    log = jnp.maximum(jnp.log(low / cut), 0.0)
    return (
        jnp.append(Q, T), jnp.append(dQ2 * k_S, log * c_S), jnp.append(dQ2 * k_R, log * c_R)
    )  # fmt: skip


def scalar_cross_section(
    T: Float[Array, ""],
    E: Float[Array, ""],
    electron_fraction: Float[Array, ""],
    response: Response,
    channel: Channel,
    numerics: Numerics,
) -> Float[Array, "shells"]:
    """dσ/dT per shell [cm²/keV], per μ² for the magnetic channel: zero beyond the kinematic end,
    NaN for T ≤ 0. The kernel that everything else maps over T and E."""
    positive = T > 0.0
    T_in = jnp.where(positive, T, 1.0)
    inside = T_in < E
    E_in = jnp.where(inside, E, 2.0 * T_in)

    at_rest = at_rest_cross_section(T_in, E_in, electron_fraction, response, channel)
    value = jnp.where(inside, at_rest, 0.0)
    if response.has_continuum:
        Q, w_S, w_R = response_weights(
            T_in, E_in, electron_fraction, response.momentum_scale_keV, channel, numerics
        )
        S, R = response.both(T_in, Q, by_shell=True)
        smooth = jnp.where(inside, w_S @ S + w_R @ R, 0.0)
        value = smooth + value if value.shape[-1] else smooth
    return jnp.where(positive, value, jnp.nan)


def at_rest_cross_section(
    T: Float[Array, ""],
    E: Float[Array, ""],
    electron_fraction: Float[Array, ""],
    response: Response,
    channel: Channel,
) -> Float[Array, "terms"]:
    """The part of dσ/dT [cm²/keV] on the Bethe ridge, zero beyond T_max; needs 0 < T < E."""
    Q, weight = response.on_shell(T)
    section = weight * channel.on_shell(T, E, Q, electron_fraction)
    return jnp.where(transfer_end(E) >= T, section, 0.0)


def line_cross_sections(
    E: Float[Array, ""],
    electron_fraction: Float[Array, ""],
    response: Response,
    channel: Channel,
    numerics: Numerics,
) -> Float[Array, "lines"]:
    """Cross sections [cm²] of the bound–bound lines, per μ² for the magnetic channel."""
    energies = response.lines().T_keV
    if energies.shape[0] == 0:
        return jnp.zeros(0)

    def one(n: Array, T: Array) -> Array:
        inside = E > T
        E_in = jnp.where(inside, E, 2.0 * T)
        Q, w_S, w_R = response_weights(
            T, E_in, electron_fraction, response.momentum_scale_keV, channel, numerics
        )
        strength = w_S * response.line_longitudinal(n, Q) + w_R * response.line_transverse(n, Q)
        return jnp.where(inside, jnp.sum(strength), 0.0)

    return jax.vmap(one)(jnp.arange(energies.shape[0]), energies)


@partial(jax.jit, static_argnames=("channel", "by_shell", "numerics"))
def _map_cross_section(
    T: Array, E: Array, fraction: Array, response: Response, channel: Channel,
    by_shell: bool, numerics: Numerics,
) -> Array:  # fmt: skip
    def one(pair: tuple[Array, Array]) -> Array:
        shells = scalar_cross_section(*pair, fraction, response, channel, numerics)
        return shells if by_shell else jnp.sum(shells)

    # checkpoint: a reverse pass evaluates a batch again instead of keeping all residuals
    batch = min(CONTINUUM_BATCH if response.has_continuum else BATCH, T.shape[0])
    return jax.lax.map(jax.checkpoint(one), (T, E), batch_size=batch)


@partial(jax.jit, static_argnames=("channel", "numerics"))
def _map_lines(
    E: Array, fraction: Array, response: Response, channel: Channel, numerics: Numerics
) -> Array:
    return jax.vmap(lambda e: line_cross_sections(e, fraction, response, channel, numerics))(E)


def cross_section(
    T_keV: ArrayLike,
    E_keV: ArrayLike,
    response: Response,
    mu: ArrayLike = 1e-11,
    channel: str = "magnetic",
    part: str = "total",
    spin_current: bool = True,
    flavor: str = "nu_e",
    *,
    by_shell: bool = False,
    m_nu_eV: float = NEUTRINO_MASS_eV,
    numerics: Numerics = NUMERICS,
) -> Float[Array, "..."]:
    """dσ/dT of a neutrino on one atom (KS11 eqs 6–8), without bound–bound lines.

    magnetic: σ_0 μ² (P²/4E²) ∫_{T²}^{P²} [(1−T²/Q²) S + (1−Q²/P²) R] dQ²/Q²,  P = 2E − T
    weak, and the terms of a charge radius and a millicharge: see cross_sections.weak.

    T_keV, E_keV: energy transfer and neutrino energy [keV], any shapes that broadcast.
    response: the atom, from jaxnu.response.
    mu: magnetic moment [μ_B] (magnetic channel), a number.
    channel: "magnetic", "weak" or, per cm², cm⁴, e, e² and e cm², "charge-radius",
        "charge-radius-squared", "millicharge-weak", "millicharge", "millicharge-charge-radius":
        coefficients that `weak_with_charges` adds up.
    flavor: nu_e, nu_mu, nu_tau, antinu_e, … (all channels but the magnetic one).
    part: "total", "longitudinal" (S) or "transverse" (R) of the magnetic channel.
    spin_current: add R_spin = (Q²/4m²) S to the transverse term.
    by_shell: a last axis over response.shells instead of the sum.
    m_nu_eV: neutrino mass [eV] in the lower end of Q for the millicharge, a plain number.
    Returns cm²/keV per atom. Zero beyond the end of the kinematics (on-shell models 2E²/(m+2E),
        bound electrons T = E); inside traced code NaN for T ≤ 0.
    Raises InputError for concrete T ≤ 0, T ≥ E, NaN, T beyond the response's tables, or μ outside
        [0, 1e-6].
    Valid for T ≪ m and Zα ≪ 1 (the responses are nonrelativistic).
    """
    require_x64("cross_section")
    checks.instance("response", response, Response, "response('Xe') gives one")
    _check_energies(T_keV, E_keV)
    check_range(T_keV, response)
    checks.magnetic_moment("mu", mu)
    checks.one_of("flavor", flavor, FLAVORS)
    fraction, antineutrino = FLAVORS[flavor]
    which = Channel(channel, part, spin_current, antineutrino, m_nu_eV=m_nu_eV)
    which.check(response)
    T, E = jnp.broadcast_arrays(jnp.asarray(T_keV, dtype=float), jnp.asarray(E_keV, dtype=float))
    value = _map_cross_section(
        T.ravel(), E.ravel(), jnp.asarray(fraction), response, which, by_shell, numerics
    )
    value = value.reshape(T.shape + value.shape[1:])
    return value * jnp.asarray(mu) ** 2 if channel == "magnetic" else value


def cross_section_lines(
    E_keV: ArrayLike,
    response: Response,
    mu: ArrayLike = 1e-11,
    channel: str = "magnetic",
    part: str = "total",
    spin_current: bool = True,
    flavor: str = "nu_e",
    *,
    m_nu_eV: float = NEUTRINO_MASS_eV,
    numerics: Numerics = NUMERICS,
) -> tuple[Float[Array, "lines"], Float[Array, "... lines"]]:
    """(T_keV, sigma_cm2) of the bound–bound lines: dσ/dT = Σ_n sigma_n δ(T − T_n).

    Arguments as in `cross_section`; sigma_cm2 has the shape of E_keV and a last axis over lines.
    """
    require_x64("cross_section_lines")
    checks.instance("response", response, Response, "response('Xe') gives one")
    checks.number_range("E_keV", E_keV, 0.0, np.inf, "keV", "give E > 0", open_low=True)
    checks.magnetic_moment("mu", mu)
    checks.one_of("flavor", flavor, FLAVORS)
    fraction, antineutrino = FLAVORS[flavor]
    which = Channel(channel, part, spin_current, antineutrino, m_nu_eV=m_nu_eV)
    which.check(response)
    E = jnp.asarray(E_keV, dtype=float)
    value = _map_lines(E.ravel(), jnp.asarray(fraction), response, which, numerics)
    value = value.reshape(E.shape + value.shape[1:])
    if channel == "magnetic":
        value = value * jnp.asarray(mu) ** 2
    return response.lines().T_keV, value


def check_range(T_keV: Any, response: Response) -> None:
    """Refuse energy transfers beyond the tables of a response."""
    end = response.T_max_keV
    if end is not None and not checks.is_traced(end):
        checks.number_range(
            "T_keV", T_keV, 0.0, float(end), "keV",
            f"the tables of {response.target} end there, use model='stepping' above",
            open_low=True,
        )  # fmt: skip


def _check_energies(T_keV: Any, E_keV: Any) -> None:
    checks.number_range(
        "E_keV", E_keV, 0.0, 1e9, "keV", "give a neutrino energy E > 0 in keV", open_low=True
    )
    checks.number_range(
        "T_keV", T_keV, 0.0, 1e9, "keV", "give an energy transfer T > 0 in keV", open_low=True
    )
    if checks.is_traced(T_keV, E_keV):
        return
    try:
        T, E = np.broadcast_arrays(np.asarray(T_keV, float), np.asarray(E_keV, float))
    except ValueError:
        raise InputError(
            f"T_keV and E_keV have shapes {np.shape(T_keV)} and {np.shape(E_keV)}, which do not "
            "broadcast; give equal shapes, or T_keV[:, None] with E_keV[None, :]"
        ) from None
    if (T >= E).any():
        at = np.unravel_index(int(np.argmax(T >= E)), T.shape)
        raise InputError(
            f"T_keV = {T[at]:g} keV is not below E_keV = {E[at]:g} keV; a neutrino can transfer "
            "only 0 < T < E; both are in keV"
        )
