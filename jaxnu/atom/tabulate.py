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
from jaxnu.atom.momentum import MomentumMesh, bessel_ranges, kappa_mesh, to_kappa
from jaxnu.atom.potential import CentralPotential
from jaxnu.atom.settings import AtomNumerics, RatioClass
from jaxnu.constants import FINE_STRUCTURE

MOMENTA = (0, 1, 2)  # of the subshells of H to Cs
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


def wave_knobs(knobs: AtomNumerics) -> AtomNumerics:
    """The knobs with the scattering mesh of a table, which reaches far enough for WKB."""
    return replace(knobs, outer_blocks=knobs.table_blocks, coulomb_l=-1)


@dataclass(frozen=True)
class IntegralNodes:
    """Nodes of the inner scattering mesh that serve for integrals over ρ = r/r_out."""

    index: Int[np.ndarray, "r"]
    rho: Float[np.ndarray, "r"]
    weight: Float[np.ndarray, "r"]  # dρ


@cache
def integral_nodes(knobs: AtomNumerics) -> IntegralNodes:
    """The trapezoid rule in t = ln ρ + a ρ on every second node, and on every fourth up to
    ρ = thin_inner, where j_L(κρ) turns slowly: each has its share of a smooth partition of one."""
    count, rho, _, _ = unit_nodes(knobs)
    rho, from_end, a = rho[:count], np.arange(count)[::-1], knobs.scatter_stretch
    inside = np.log(knobs.thin_inner / rho) + a * (knobs.thin_inner - rho)
    fourth = 0.5 * erfc(-inside / knobs.thin_passage)
    share = 2.0 * (1.0 - fourth) * (from_end % 2 == 0) + 4.0 * fourth * (from_end % 4 == 0)
    share[-1] *= 0.5
    index = np.flatnonzero(share > 1e-15)
    weight = knobs.scatter_step * share * rho / (1.0 + a * rho)
    return IntegralNodes(index, rho[index], weight[index])


@partial(jax.jit, static_argnames=("part", "knobs"))
def waves(
    potential: CentralPotential, units: Units, part: RatioClass, knobs: AtomNumerics
) -> tuple[list[Float[Array, "unit r l energy"]], Float[Array, "l unit energy"]]:
    """Continuum orbitals of every unit on its own mesh, zero for padding, by groups of orders; and
    their norms ∫_0^r_out P_εl² dr for the lowest l."""
    nodes, low = integral_nodes(knobs), knobs.resonance_l + 1
    groups = knobs.orders[: part.groups]

    def at(r_out, energy):
        mesh = scattering_mesh(r_out, wave_knobs(knobs))
        l_max = groups[-1][-1] - 1
        all_of = continuum_orbitals(potential, mesh, energy[None], l_max, wave_knobs(knobs))
        return all_of.P[nodes.index, :, 0]

    def one(u, carry):
        P, norm = carry
        new = jax.vmap(at, out_axes=2)(units.r_out[u], units.energy[u])
        P = [old.at[u].set(new[:, o[0] : o[-1]]) for old, o in zip(P, groups, strict=True)]
        inside = units.r_out[u] * jnp.einsum("rle,r->le", new[:, :low] ** 2, nodes.weight)
        return P, norm.at[:, u].set(inside)

    unit, energy = units.energy.shape
    P = [jnp.zeros((unit, nodes.rho.size, o[-1] - o[0], energy)) for o in groups]
    return jax.lax.fori_loop(0, jnp.sum(units.top >= 0), one, (P, jnp.zeros((low, unit, energy))))


@partial(jax.jit, static_argnames="knobs")
def bound_waves(
    mesh: RadialMesh, bound: BoundOrbitals, units: Units, knobs: AtomNumerics
) -> Float[Array, "unit r l state"]:
    """Bound final orbitals laid out like the first group of waves: each a column, zero in every
    row but its own l."""
    row = bound.l[:, None] == jnp.arange(knobs.orders[0][-1])
    spare = knobs.unit_energies - bound.l.shape[0]

    def one(r_out):
        r = r_out * integral_nodes(knobs).rho
        here = jnp.einsum("sr,sl->rls", mesh.interpolate(bound.P, r), row.astype(float))
        return jnp.pad(here, ((0, 0), (0, 0), (0, spare)))

    return jax.vmap(one)(units.r_out[:, 0])


@partial(jax.jit, static_argnames=("momenta", "orders", "knobs"))
def shell_responses(
    mesh: RadialMesh, bound: BoundOrbitals, final: Float[Array, "unit r l final"], units: Units,
    rows: Rows, x: Float[Array, "kappa r"], momenta: tuple[int, ...], orders: tuple[int, ...],
    knobs: AtomNumerics,
) -> tuple[ElectronResponses, Rows]:  # fmt: skip
    """S and R of every unit on the κ mesh, the part of a group of orders; and the rows, with these
    added in their slots. x: κρ, from `bessel_arguments`."""
    nodes = integral_nodes(knobs)

    def factor(orbital, r_out, window):
        r, dr = r_out * nodes.rho, r_out * nodes.weight
        whole = bound_factor(bound.l[orbital], mesh, bound.P[orbital], r, dr)
        return whole * jnp.exp(-window * nodes.rho**4)

    of_unit = jax.vmap(factor, (None, 0, None), 2)
    responses = electron_responses(
        momenta, bound.l[units.orbital], units.top,
        jax.vmap(of_unit)(units.orbital, units.r_out, units.window), final,
        x, bessel_ranges(orders, tuple(nodes.rho.tolist()), knobs), orders[0],
    )  # fmt: skip
    where = units.orbital[:, None], units.slot
    S, R = (jnp.swapaxes(f, 1, 2) for f in (responses.S, responses.R))
    return responses, Rows(rows.S.at[where].add(S), rows.R.at[where].add(R))


@cache
def bessel_arguments(knobs: AtomNumerics) -> Float[np.ndarray, "kappa r"]:
    """κρ: not made in the programs, whose compiler would work out all that follows from it."""
    return np.asarray(kappa_mesh(knobs).r)[:, None] * integral_nodes(knobs).rho


@cache
def profile_bessel(knobs: AtomNumerics) -> Float[np.ndarray, "l kappa r"]:
    """j_l(κρ) for l = 0, 1, 2: the same for every atom."""
    return np.stack([spherical_jn(l, bessel_arguments(knobs)) for l in range(3)])


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
    nodes = integral_nodes(knobs)
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


def _integral_above(mesh: MomentumMesh, f: Float[Array, "r"]) -> Float[Array, "r"]:
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
def rows_on_ridge(
    rows: Rows, r_out: Float[Array, "orbital slot"], far_from: Float[Array, "orbital slot"],
    energy: Float[Array, "slot"], before: Int[Array, "orbital"], last: Int[Array, "orbital"],
    bound: BoundOrbitals, ridge: Ridge, knobs: AtomNumerics,
) -> Rows:  # fmt: skip
    """Rows at (ε, κ) as the table has them: at (ε, p_z), by the impulse form above `last`."""
    rows = onto_ridge(rows, r_out, energy, bound, ridge, knobs)
    return by_impulse(rows, far_from, energy, before, last, bound, ridge)


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


def by_impulse(
    rows: Rows, far_from: Float[Array, "orbital slot"], energy: Float[Array, "slot"],
    before: Int[Array, "orbital"], last: Int[Array, "orbital"], bound: BoundOrbitals,
    ridge: Ridge,
) -> Rows:  # fmt: skip
    """Rows at (ε, p_z) above the slot `last`, where multipoles of the whole orbital end, by the
    impulse form and its first two corrections, at fixed p_z, from what was found at `before`
    (about half of the T of `last`) and `last`:

    S = J(p_z)/Q + A(p_z)/Q² + B(p_z)/Q³

    Towards the light cone J/Q and B are left out (`near`), A is carried on like Q^−a,
    a = 2 + 0.45 max(0, 1 − Q/sqrt(2T))², as S and R fall like T^−2.4 there. From p_z = far_from
    on, within a factor of two, this passes into what the rows hold above `last`: the multipoles
    of the inner part of the orbital. `with_integrals` then corrects both integrals of S. Against
    the closed form of 1s, attached at T/I = 100: 3.3e-5 of the ridge (the bare form: 1e-2),
    4.4e-7 in the integrals.
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
            of_form, of_odd = weight @ form, weight @ odd

            def determinant(u, v):
                return u[0] * v[1] - u[1] * v[0]

            a, b = determinant(missing, of_odd), determinant(of_form, missing)
            return jnp.maximum(row + (a * form + b * odd) / determinant(of_form, of_odd), 0.0)

        above = (jnp.arange(energy.shape[0]) > last)[:, None]
        return jnp.where(above, jax.vmap(corrected)(energy, row), row)

    return Rows(
        *jax.vmap(one)(
            rows.S, rows.R, far_from, before, last, -bound.energy, ridge.width, ridge.p_z, ridge.J,
            ridge.K,
        )
    )  # fmt: skip
