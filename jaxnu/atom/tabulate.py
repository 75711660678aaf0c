"""The compiled steps of a table: waves, S and R on (ε, κ), the ridge's own nodes, the impulse form.

Hartree atomic units, per electron. All shapes are fixed by AtomNumerics, so that every atom runs
the same programs.
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnu.atom.bound import BoundOrbitals
from jaxnu.atom.configuration import SLOTS
from jaxnu.atom.continuum import continuum_orbitals, scattering_mesh
from jaxnu.atom.matrix_elements import ElectronResponses, bound_factor
from jaxnu.atom.mesh import RadialMesh
from jaxnu.atom.momentum import kappa_mesh, to_kappa
from jaxnu.atom.potential import CentralPotential
from jaxnu.atom.settings import AtomNumerics, RatioClass
from jaxnu.constants import FINE_STRUCTURE
from jaxnu.numerics.spherical_bessel import spherical_bessel_j

LIGHT = 1.0 / FINE_STRUCTURE  # speed of light; p_z of a photon


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Units:
    """Padded pieces of work: an orbital each, with some energies. `count` of them are real.

    slot: where each energy belongs in the table of its orbital, `energy_slots` for padding.
    """

    orbital: Int[Array, "unit"]
    r_out: Float[Array, "unit"]
    energy: Float[Array, "unit energy"]
    slot: Int[Array, "unit energy"]
    count: Int[Array, ""]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Ridge:
    """Each orbital's own momentum axis: p_z = ½ width sinh u, u even, and its Compton profile.

    width: p0 = 1/(2J(0)). J, K: J(p_z) and ∫_{p_z}^∞ pJ dp at the nodes.
    """

    width: Float[Array, "orbital"]
    p_z: Float[Array, "orbital momentum"]
    J: Float[Array, "orbital momentum"]
    K: Float[Array, "orbital momentum"]


def with_class(knobs: AtomNumerics, part: RatioClass) -> AtomNumerics:
    """The knobs with the scattering mesh of a class."""
    from dataclasses import replace

    return replace(knobs, scatter_stretch=part.stretch)


@partial(jax.jit, static_argnames=("part", "knobs"))
def waves(
    potential: CentralPotential, units: Units, part: RatioClass, knobs: AtomNumerics
) -> Float[Array, "unit r l energy"]:
    """Continuum orbitals of every unit on its own mesh; zero for padding."""
    knobs = with_class(knobs, part)

    def one(u, P):
        mesh = scattering_mesh(units.r_out[u], knobs)
        orbitals = continuum_orbitals(potential, mesh, units.energy[u], part.l_max, knobs)
        return P.at[u].set(orbitals.P)

    r = scattering_mesh(1.0, knobs).inner.r.shape[0]
    shape = (part.units, r, part.l_max + 1, part.energies)
    return jax.lax.fori_loop(0, units.count, one, jnp.zeros(shape))


@partial(jax.jit, static_argnames=("part", "knobs"))
def factors(
    mesh: RadialMesh, bound: BoundOrbitals, units: Units, part: RatioClass, knobs: AtomNumerics
) -> tuple[Float[Array, "unit 3 r"], Float[Array, "Q r"]]:
    """What the bound orbitals bring to the radial integrals, and x = κρ of all units."""
    knobs = with_class(knobs, part)

    def one(orbital, r_out):
        inner = scattering_mesh(r_out, knobs).inner
        return bound_factor(bound.l[orbital], mesh, bound.P[orbital], inner)

    rho = scattering_mesh(1.0, knobs).inner.r
    return jax.vmap(one)(units.orbital, units.r_out), kappa_mesh(knobs).r[:, None] * rho


@partial(jax.jit, static_argnames="knobs")
def wave_norms(
    potential: CentralPotential, units: Units, P: Float[Array, "unit r l energy"],
    knobs: AtomNumerics,
) -> Float[Array, "l unit energy"]:
    """∫_0^r_out P_εl² dr of the lowest l."""
    part = knobs.ratio_classes[0]
    inner = scattering_mesh(units.r_out[0], with_class(knobs, part)).inner
    low = P[:, :, : knobs.resonance_l + 1]
    return jnp.einsum("urle,r->lue", low**2, inner.step * inner.jacobian)


@partial(jax.jit, static_argnames="knobs")
def ridges(
    mesh: RadialMesh, bound: BoundOrbitals, r_out: Float[Array, "orbital"], knobs: AtomNumerics
) -> Ridge:
    """Compton profiles J(p) = ½∫_p^∞ χ² p' dp' of all orbitals from their momentum orbitals
    χ(p) = sqrt(2/π) ∫ P j_l(pr) r dr, and the nodes in p_z that follow from their widths."""
    knobs_last = with_class(knobs, knobs.ratio_classes[-1])
    kappa = kappa_mesh(knobs)
    unit_mesh = scattering_mesh(1.0, knobs_last).inner
    j = spherical_bessel_j(kappa.r[:, None] * unit_mesh.r, 3)

    def one(l, P, r_out):
        inner = scattering_mesh(r_out, knobs_last).inner
        density = bound_factor(l, mesh, P, inner)[0] * inner.r
        chi2 = 2.0 / jnp.pi * (jnp.take(j, l, axis=-1) @ density) ** 2
        # in κ: p = κ/r_out
        J = 0.5 * _integral_above(kappa, chi2 * kappa.r) / r_out**2
        K = _integral_above(kappa, J * kappa.r) / r_out**2
        width = 0.5 / J[0]
        bottom = jnp.arcsinh(
            jnp.minimum(0.47 * knobs.kappa_max / r_out, knobs.momentum_reach) / (0.5 * width)
        )
        top = jnp.arcsinh(LIGHT / (0.5 * width))
        u = jnp.linspace(-bottom, top, knobs.momentum_nodes)
        p_z = 0.5 * width * jnp.sinh(u)
        scaled = jnp.abs(p_z) * r_out
        beyond = jnp.minimum(kappa.r[-1] / jnp.maximum(scaled, 1e-3), 1.0)
        return (
            width, p_z,
            to_kappa(kappa, J, scaled) * beyond ** (6.0 + 2.0 * l),
            to_kappa(kappa, K, scaled) * beyond ** (4.0 + 2.0 * l),
        )  # fmt: skip

    return Ridge(*jax.vmap(one)(bound.l, bound.P, r_out))


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


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Rows:
    """S and R of each orbital, per electron, at (ε, p_z); one slot more takes the padding."""

    S: Float[Array, "orbital slot momentum"]
    R: Float[Array, "orbital slot momentum"]


def empty_rows(knobs: AtomNumerics) -> Rows:
    """Rows to be filled by `onto_ridge` and `by_impulse`."""
    zero = jnp.zeros((SLOTS, knobs.energy_slots + 1, knobs.momentum_nodes))
    return Rows(zero, zero)


@partial(jax.jit, static_argnames="knobs")
def onto_ridge(
    rows: Rows, responses: ElectronResponses, units: Units, binding: Float[Array, "orbital"],
    ridge: Ridge, knobs: AtomNumerics,
) -> Rows:  # fmt: skip
    """Put the responses of some units, known on the κ mesh, onto their orbitals' p_z nodes."""
    kappa = kappa_mesh(knobs)

    def one(S, R, orbital, r_out, energy):
        T, width = energy + binding[orbital], ridge.width[orbital]
        at_node = _smooth(T, kappa.r / r_out, width)
        Q = ridge_momentum(ridge.p_z[orbital], T)
        # below the first κ the smooth factors carry S ~ Q² and R ~ const
        F, G = to_kappa(kappa, jnp.stack([S / at_node[0], R / at_node[1]]), Q * r_out)
        back = _smooth(T, Q, width)
        return F * back[0], G * back[1]

    over_energies = jax.vmap(one, (1, 1, None, None, 0))
    S, R = jax.vmap(over_energies)(
        responses.S, responses.R, units.orbital, units.r_out, units.energy
    )
    where = units.orbital[:, None], units.slot
    real = jnp.arange(units.orbital.shape[0]) < units.count
    slot = jnp.where(real[:, None], where[1], knobs.energy_slots)
    return Rows(rows.S.at[where[0], slot].set(S), rows.R.at[where[0], slot].set(R))


@partial(jax.jit, static_argnames="knobs")
def by_impulse(
    rows: Rows, energy: Float[Array, "slot"], last: Int[Array, "orbital"],
    binding: Float[Array, "orbital"], ridge: Ridge, knobs: AtomNumerics,
) -> Rows:  # fmt: skip
    """Fill the slots above `last`, the last one that multipoles filled, by the impulse form plus
    the residual found there, carried on at fixed p_z:

    S = J(p_z)/Q + [S_s − J(p_z)/Q_s] (Q_s/Q)^a,   a = 2 + ½ max(0, 1 − Q/sqrt(2T))²

    The first correction to the impulse form is odd in p_z and falls like 1/Q² beside J; on the
    light cone, where S and R ~ T^(−5/2), a tends to 5/2. Against the closed form of 1s, attached
    at T/I = 100: 4e-4 of the ridge (the bare form: 1e-2), 8e-6 in the integrals.
    """

    def one(S, R, last, binding, p_z, J, K):
        T_s = energy[last] + binding
        Q_s = ridge_momentum(p_z, T_s)

        def at(energy):
            T = energy + binding
            Q = ridge_momentum(p_z, T)
            far = jnp.maximum(0.0, 1.0 - Q / jnp.sqrt(2.0 * T))
            carried = (Q_s / Q) ** (2.0 + 0.5 * far**2)
            return J / Q + (S[last] - J / Q_s) * carried, K / Q + (R[last] - K / Q_s) * carried

        new = jax.vmap(at)(energy)
        above = (jnp.arange(energy.shape[0]) > last)[:, None]
        return (
            S.at[: energy.shape[0]].set(jnp.where(above, new[0], S[:-1])),
            R.at[: energy.shape[0]].set(jnp.where(above, new[1], R[:-1])),
        )

    return Rows(
        *jax.vmap(one)(rows.S, rows.R, last, binding, ridge.p_z, ridge.J, ridge.K)
    )


@partial(jax.jit, static_argnames=("part", "knobs"))
def final_states(
    mesh: RadialMesh, bound: BoundOrbitals, units: Units, part: RatioClass, knobs: AtomNumerics
) -> Float[Array, "unit r l state"]:
    """Bound final orbitals laid out like waves: each a column, zero in every row but its own l."""
    row = bound.l[:, None] == jnp.arange(part.l_max + 1)
    spare = part.energies - bound.l.shape[0]

    def one(u, P):
        inner = scattering_mesh(units.r_out[u], with_class(knobs, part)).inner
        here = jnp.einsum("sr,sl->rls", mesh.interpolate(bound.P, inner.r), row.astype(float))
        return P.at[u].set(jnp.pad(here, ((0, 0), (0, 0), (0, spare))))

    r = scattering_mesh(1.0, with_class(knobs, part)).inner.r.shape[0]
    shape = (part.units, r, part.l_max + 1, part.energies)
    return jax.lax.fori_loop(0, units.count, one, jnp.zeros(shape))
