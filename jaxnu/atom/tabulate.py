"""The compiled steps of a table: waves, S and R on (ε, κ), the ridge's own nodes, the impulse form.

Hartree atomic units, per electron. All shapes are fixed by AtomNumerics, so that every atom runs
the same programs.
"""

from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.special import erfc, spherical_jn

from jaxnu.atom.bound import BoundOrbitals
from jaxnu.atom.configuration import SLOTS
from jaxnu.atom.continuum import continuum_orbitals, scattering_mesh, unit_nodes
from jaxnu.atom.matrix_elements import ElectronResponses, bound_factor, electron_responses
from jaxnu.atom.mesh import RadialMesh
from jaxnu.atom.momentum import bessel_ranges, kappa_mesh, to_kappa
from jaxnu.atom.potential import CentralPotential
from jaxnu.atom.settings import AtomNumerics, RatioClass
from jaxnu.constants import FINE_STRUCTURE

LIGHT = 1.0 / FINE_STRUCTURE  # speed of light; p_z of a photon


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Units:
    """Padded pieces of work: an orbital each, with some energies.

    top: highest l' that matters, −1 for padding. slot: where each energy belongs in the table of
    its orbital, `energy_slots` for padding. r_out: where the integrals of each energy end.
    window: orbitals are multiplied by exp(−window (r/r_out)⁴).
    """

    orbital: Int[Any, "unit"]
    top: Int[Any, "unit"]
    energy: Float[Any, "unit energy"]
    r_out: Float[Any, "unit energy"]
    slot: Int[Any, "unit energy"]
    window: Float[Any, "unit"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Ridge:
    """Each orbital's own momentum axis: p_z = ½ width sinh u, u even, and its Compton profile.

    width: p0 = 1/(2J(0)). J, K: J(p_z) and ∫_{p_z}^∞ pJ dp at the nodes.
    """

    width: Float[Any, "orbital"]
    p_z: Float[Any, "orbital momentum"]
    J: Float[Any, "orbital momentum"]
    K: Float[Any, "orbital momentum"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Rows:
    """S and R of each orbital, per electron, at (ε, κ) or (ε, p_z)."""

    S: Float[Any, "orbital slot momentum"]
    R: Float[Any, "orbital slot momentum"]


def empty_rows(knobs: AtomNumerics) -> Rows:
    """Rows at (ε, κ), to be filled by `shell_responses`; one slot more takes the padding."""
    zero = np.zeros((SLOTS, knobs.energy_slots + 1, knobs.kappa_nodes))
    return Rows(zero, zero)


def with_class(knobs: AtomNumerics, part: RatioClass) -> AtomNumerics:
    """The knobs with the scattering mesh of a class."""
    return replace(
        knobs, scatter_stretch=part.stretch, outer_blocks=knobs.table_blocks, coulomb_l=-1
    )


@dataclass(frozen=True)
class IntegralNodes:
    """Nodes of the inner scattering mesh that serve for integrals over ρ = r/r_out."""

    index: Int[np.ndarray, "r"]
    rho: Float[np.ndarray, "r"]
    weight: Float[np.ndarray, "r"]  # dρ


@cache
def integral_nodes(part: RatioClass, knobs: AtomNumerics) -> IntegralNodes:
    """The trapezoid rule in t = ln ρ + a ρ with fewer nodes where j_L(κρ) turns slowly: each
    density of nodes takes its share of a smooth partition of one."""
    count, rho, _, _ = unit_nodes(with_class(knobs, part))
    rho, i, a = rho[:count], np.arange(count), part.stretch
    t = np.log(rho) + a * rho

    def beyond(edge: float) -> Float[np.ndarray, "node"]:
        return 0.5 * erfc((np.log(edge) + a * edge - t) / knobs.thin_passage)

    outside, far = beyond(knobs.thin_inner), beyond(knobs.thin_outer)
    n, m = knobs.inner_thinning, part.outer_thinning
    share = (
        outside - far + n * (1.0 - outside) * (i % n == 0) + m * far * ((count - 1 - i) % m == 0)
    )
    share[-1] *= 0.5
    index = np.flatnonzero(np.abs(share) > 1e-15)
    dt = knobs.scatter_step * share[index]
    return IntegralNodes(index, rho[index], dt * rho[index] / (1.0 + a * rho[index]))


@partial(jax.jit, static_argnames=("part", "knobs"))
def waves(
    potential: CentralPotential, units: Units, part: RatioClass, knobs: AtomNumerics
) -> tuple[Float[Array, "unit r l energy"], Float[Array, "l unit energy"]]:
    """Continuum orbitals of every unit on its own mesh, zero for padding; and their norms
    ∫_0^r_out P_εl² dr for the lowest l."""
    class_knobs, nodes = with_class(knobs, part), integral_nodes(part, knobs)
    low = knobs.resonance_l + 1

    def at(r_out, energy):
        mesh = scattering_mesh(r_out, class_knobs)
        P = continuum_orbitals(potential, mesh, energy[None], part.l_max, class_knobs).P
        return P[nodes.index, :, 0]

    def one(u, carry):
        P, norm = carry
        new = jax.vmap(at, out_axes=2)(units.r_out[u], units.energy[u])
        inside = units.r_out[u] * jnp.einsum("rle,r->le", new[:, :low] ** 2, nodes.weight)
        return P.at[u].set(new), norm.at[:, u].set(inside)

    shape = (nodes.rho.size, part.l_max + 1, part.energies)
    start = jnp.zeros((part.units, *shape)), jnp.zeros((low, part.units, part.energies))
    return jax.lax.fori_loop(0, jnp.sum(units.top >= 0), one, start)


@partial(jax.jit, static_argnames=("part", "knobs"))
def bound_waves(
    mesh: RadialMesh, bound: BoundOrbitals, units: Units, part: RatioClass, knobs: AtomNumerics
) -> Float[Array, "unit r l state"]:
    """Bound final orbitals laid out like waves: each a column, zero in every row but its own l."""
    row = bound.l[:, None] == jnp.arange(part.l_max + 1)
    spare = part.energies - bound.l.shape[0]

    def one(r_out):
        r = r_out * integral_nodes(part, knobs).rho
        here = jnp.einsum("sr,sl->rls", mesh.interpolate(bound.P, r), row.astype(float))
        return jnp.pad(here, ((0, 0), (0, 0), (0, spare)))

    return jax.vmap(one)(units.r_out[:, 0])


@partial(jax.jit, static_argnames=("momenta", "part", "knobs"))
def shell_responses(
    mesh: RadialMesh, bound: BoundOrbitals, final: Float[Array, "unit r l final"], units: Units,
    rows: Rows, momenta: tuple[int, ...], part: RatioClass, knobs: AtomNumerics,
) -> tuple[ElectronResponses, Rows]:  # fmt: skip
    """S and R of every unit on the κ mesh; and the rows, with these in their slots."""
    nodes = integral_nodes(part, knobs)

    def factor(orbital, r_out, window):
        r, dr = r_out * nodes.rho, r_out * nodes.weight
        whole = bound_factor(bound.l[orbital], mesh, bound.P[orbital], r, dr)
        return whole * jnp.exp(-window * nodes.rho**4)

    of_unit = jax.vmap(factor, (None, 0, None), 2)
    responses = electron_responses(
        momenta, bound.l[units.orbital], units.top,
        jax.vmap(of_unit)(units.orbital, units.r_out, units.window), final,
        kappa_mesh(knobs).r[:, None] * nodes.rho,
        bessel_ranges(part, tuple(nodes.rho.tolist()), knobs),
    )  # fmt: skip
    where = units.orbital[:, None], units.slot
    S, R = (jnp.swapaxes(f, 1, 2) for f in (responses.S, responses.R))
    return responses, Rows(rows.S.at[where].set(S), rows.R.at[where].set(R))


@cache
def profile_bessel(knobs: AtomNumerics) -> Float[np.ndarray, "l kappa r"]:
    """j_l(κρ) for l = 0, 1, 2: the same for every atom."""
    x = kappa_mesh(knobs).r[:, None] * integral_nodes(knobs.ratio_classes[-1], knobs).rho
    return np.stack([spherical_jn(l, x) for l in range(3)])


@partial(jax.jit, static_argnames="knobs")
def profiles(
    mesh: RadialMesh, bound: BoundOrbitals, r_out: Float[Array, "orbital"],
    p_z: Float[Array, "orbital momentum"], bessel: Float[Array, "l kappa r"], knobs: AtomNumerics,
) -> tuple[Float[Array, "orbital"], Float[Array, "orbital momentum"],
           Float[Array, "orbital momentum"]]:  # fmt: skip
    """Compton profiles of all orbitals, J(p) = ½∫_p^∞ χ² p' dp' and K = ∫_p^∞ p'J dp', from their
    momentum orbitals χ(p) = sqrt(2/π) ∫ P j_l(pr) r dr: J(0), J(p_z), K(p_z).

    bessel: j_l(κρ) of the lowest l, from `profile_bessel`.
    """
    nodes = integral_nodes(knobs.ratio_classes[-1], knobs)
    kappa = kappa_mesh(knobs)

    def one(l, P, r_out, p_z):
        r = r_out * nodes.rho
        density = bound_factor(l, mesh, P, r, r_out * nodes.weight)[0] * r
        chi2 = 2.0 / jnp.pi * (jnp.take(bessel, l, axis=0) @ density) ** 2
        # in κ: p = κ/r_out
        J = 0.5 * _integral_above(kappa, chi2 * kappa.r) / r_out**2
        K = _integral_above(kappa, J * kappa.r) / r_out**2
        scaled = jnp.abs(p_z) * r_out
        beyond = jnp.minimum(kappa.r[-1] / jnp.maximum(scaled, 1e-3), 1.0)
        return (
            J[0],
            to_kappa(kappa, J, scaled) * beyond ** (6.0 + 2.0 * l),
            to_kappa(kappa, K, scaled) * beyond ** (4.0 + 2.0 * l),
        )

    return jax.vmap(one)(bound.l, bound.P, r_out, p_z)


def ridge_nodes(
    width: Float[np.ndarray, "orbital"], r_out: Float[np.ndarray, "orbital"], knobs: AtomNumerics
) -> Float[np.ndarray, "orbital momentum"]:
    """p_z = ½ width sinh u, u even, from the last momentum that the κ mesh holds at T/I = 100."""
    bottom = np.minimum(0.47 * knobs.kappa_max / r_out, knobs.momentum_reach)
    # Q ≥ T on every physical path; sum rules at fixed Q reach further for the inner shells
    top = np.maximum(LIGHT, knobs.momentum_top * width)
    low, high = np.arcsinh(-2.0 * bottom / width), np.arcsinh(2.0 * top / width)
    u = np.linspace(low, high, knobs.momentum_nodes, axis=1)
    return 0.5 * width[:, None] * np.sinh(u)


def _integral_above(mesh: RadialMesh, f: Float[Array, "r"]) -> Float[Array, "r"]:
    running = mesh.running_integral(f)
    return running[-1] - running


def ridge_momentum(p_z, T):
    """Q with T/Q − Q/2 = p_z, without cancellation."""
    root = jnp.sqrt(p_z**2 + 2.0 * T)
    return jnp.where(p_z > 0.0, 2.0 * T / (p_z + root), root - p_z)


def _smooth(T, Q, width):
    """S = F·this and R = G·that: what is taken out before an interpolation."""
    p2 = (T / Q - 0.5 * Q) ** 2 + width**2
    return (3.0 * Q**2 + 2.0 * T) / (Q**4 * p2**3), 2.0 * T / (Q**4 * p2**2)


def _below_ridge(Q, T):
    """0 on the Bethe ridge and above, towards 1 for Q → 0."""
    return jnp.maximum(0.0, 1.0 - Q / jnp.sqrt(2.0 * T))


@partial(jax.jit, static_argnames="knobs")
def onto_ridge(
    rows: Rows, r_out: Float[Array, "orbital slot"], energy: Float[Array, "slot"],
    bound: BoundOrbitals, ridge: Ridge, knobs: AtomNumerics,
) -> Rows:  # fmt: skip
    """Rows at (ε, κ = Q r_out) put onto the p_z nodes."""
    kappa = kappa_mesh(knobs)

    def one(S, R, r_out, energy, binding, width, p_z):
        T = energy + binding
        at_node = _smooth(T, kappa.r / r_out, width)
        Q = ridge_momentum(p_z, T)
        # below the first κ the smooth factors carry S ~ Q² and R ~ const
        F, G = to_kappa(kappa, jnp.stack([S / at_node[0], R / at_node[1]]), Q * r_out)
        back = _smooth(T, Q, width)
        return F * back[0], G * back[1]

    over_energies = jax.vmap(one, (0, 0, 0, 0, None, None, None))
    over_orbitals = jax.vmap(over_energies, (0, 0, 0, None, 0, 0, 0))
    S, R = rows.S[:, :-1], rows.R[:, :-1]
    return Rows(*over_orbitals(S, R, r_out, energy, -bound.energy, ridge.width, ridge.p_z))


@partial(jax.jit, static_argnames="knobs")
def by_impulse(
    rows: Rows, far_from: Float[Array, "orbital slot"], energy: Float[Array, "slot"],
    before: Int[Array, "orbital"], last: Int[Array, "orbital"], bound: BoundOrbitals,
    ridge: Ridge, knobs: AtomNumerics,
) -> Rows:  # fmt: skip
    """Rows at (ε, p_z) above the slot `last`, where multipoles of the whole orbital end, by the
    impulse form and its first two corrections, at fixed p_z, from what was found at `before`
    (about half of the T of `last`) and `last`:

    S = J(p_z)/Q + A(p_z)/Q² + B(p_z)/Q³

    Towards the light cone J/Q and B are left out (`near`), A is carried on like Q^−a,
    a = 2 + 0.45 max(0, 1 − Q/sqrt(2T))², as S and R fall like T^−2.4 there. From p_z = far_from
    on, within a factor of two, this passes into what the rows hold above `last`: the multipoles
    of the inner part of the orbital. `with_integrals` then corrects both integrals of S. Against the closed form of 1s,
    attached at T/I = 100: 3.3e-5 of the ridge (the bare form: 1e-2), 4.4e-7 in the integrals.
    """

    def near(distance):
        return jnp.exp(-((2.0 * distance) ** 8))

    def one(S, R, far_from, before, last, binding, width, p_z, J, K):
        def found(slot):
            T = energy[slot] + binding
            Q = ridge_momentum(p_z, T)
            return Q, near(_below_ridge(Q, T)), near(Q / jnp.sqrt(2.0 * T) - 1.0)

        (Q_b, w_b, near_b), (Q_s, w_s, _) = found(before), found(last)

        def corrections(row, J):
            """A/Q_s² and B/Q_s³."""
            first, second = row[before] - w_b * J / Q_b, row[last] - w_s * J / Q_s
            B = (first * (Q_b / Q_s) ** 2 - second) / jnp.maximum(Q_s / Q_b - 1.0, 1e-2)
            return second - near_b * B, near_b * B

        (A_S, B_S), (A_R, B_R) = corrections(S, J), corrections(R, K)

        def at(energy):
            T = energy + binding
            Q = ridge_momentum(p_z, T)
            far = _below_ridge(Q, T)
            w = near(far)
            first, second = (Q_s / Q) ** (2.0 + 0.45 * far**2), (Q_s / Q) ** 3
            return (
                w * J / Q + A_S * first + B_S * second,
                w * K / Q + A_R * first + B_R * second,
            )

        octave = jnp.clip(jnp.log2(jnp.maximum(p_z, 1e-12) / far_from[:, None]), 0.0, 1.0)
        share = octave**2 * (3.0 - 2.0 * octave)
        above = (jnp.arange(energy.shape[0]) > last)[:, None]

        def fill(row, carried):
            new = carried + share * (row - carried)
            return jnp.maximum(jnp.where(above, new, row), 0.0)

        S, R = map(fill, (S, R), jax.vmap(at)(energy))
        return with_integrals(S, J, last, binding, p_z, width), R

    def with_integrals(row, J, last, binding, p_z, width):
        """Above `last`, (a + b p_z/√(p_z² + 2T)) J/Q added to S, so that T∫S dQ²/Q² and ∫S dQ²/2
        tend to 1, those of J/Q, like T^−3/2, as those of sums over waves do. A and B from two
        energies alone leave 1e-3 T^−1/2."""
        u = jnp.arcsinh(2.0 * p_z / width)
        dp = 0.5 * width * jnp.cosh(u) * (u[1] - u[0])

        def parts(energy):
            T = energy + binding
            Q, root = ridge_momentum(p_z, T), jnp.sqrt(p_z**2 + 2.0 * T)
            return T, J / Q, p_z / root * J / Q, dp / root * jnp.stack([2.0 * T + 0.0 * Q, Q**2])

        T_s, form_s, _, weight_s = parts(energy[last])
        off = weight_s @ (row[last] - form_s)

        def corrected(energy, row):
            T, form, odd, weight = parts(energy)
            missing = (T_s / T) ** 1.5 * off - weight @ (row - form)
            a, b = jnp.linalg.solve(weight @ jnp.stack([form, odd], axis=1), missing)
            return jnp.maximum(row + a * form + b * odd, 0.0)

        above = (jnp.arange(energy.shape[0]) > last)[:, None]
        return jnp.where(above, jax.vmap(corrected)(energy, row), row)

    return Rows(
        *jax.vmap(one)(
            rows.S, rows.R, far_from, before, last, -bound.energy, ridge.width, ridge.p_z, ridge.J,
            ridge.K,
        )
    )  # fmt: skip
