"""Ionisation and excitation of one subshell of an atom: final orbitals, then S and R.

Hartree atomic units; per electron of the subshell.
"""

import math
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnu import checks
from jaxnu.atom.bound import rydberg_orbitals
from jaxnu.atom.continuum import continuum_orbitals, scattering_mesh, shell_edge
from jaxnu.atom.field import AtomicField
from jaxnu.atom.matrix_elements import ElectronResponses, bound_factor, electron_responses
from jaxnu.atom.mesh import RadialMesh
from jaxnu.atom.settings import ATOM_NUMERICS, AtomNumerics
from jaxnu.constants import FINE_STRUCTURE
from jaxnu.errors import FitError, InputError

ALIAS_PHASE = 2.2  # (Q + k) dr per mesh step: beyond π the trapezoid rule folds waves back


def subshell_index(atom: AtomicField, subshell: str) -> int:
    """Position of a subshell, given as "3d", in the atom's configuration.

    Raises InputError if the atom has no such subshell.
    """
    checks.one_of("subshell", subshell, atom.configuration.labels)
    return atom.configuration.labels.index(subshell)


def refined_for(
    atom: AtomicField,
    subshell: str,
    energy_max: float,
    Q_max: float,
    knobs: AtomNumerics = ATOM_NUMERICS,
) -> AtomNumerics:
    """The same knobs with the outer mesh dense enough for waves of energy_max [Hartree] and
    momentum transfers Q_max [a.u.]: k dr ≤ 0.22 and (Q + k) dr ≤ 2.2 at the shell's edge.

    The density grows by powers of two, so that different shells share compiled programs.
    """
    index = subshell_index(atom, subshell)
    r_out = float(shell_edge(atom.mesh, atom.bound.P[index][None], knobs))
    k = np.sqrt(2.0 * energy_max)
    steps = r_out * max(k / knobs.wave_phase, (k + Q_max) / ALIAS_PHASE)
    here = (1.0 + knobs.scatter_stretch) / knobs.scatter_step
    doublings = max(0, math.ceil(math.log2(steps / here)))
    return replace(knobs, scatter_stretch=(1.0 + knobs.scatter_stretch) * 2**doublings - 1.0)


def ionisation_responses(
    atom: AtomicField,
    subshell: str,
    energy: Float[Array, "energy"],
    Q: Float[Array, "Q"],
    l_max: int,
    knobs: AtomNumerics = ATOM_NUMERICS,
) -> ElectronResponses:
    """S and R of one electron of a subshell for ejection with kinetic energy ε.

    Args:
        atom: a self-consistent field.
        subshell: "3d".
        energy: ε = T − |E_nl| > 0 [Hartree].
        Q: momentum transfers [a.u.].
        l_max: highest l' of the ejected electron, ≈ 17 sqrt(T/|E|) + 20 for the whole ridge.

    Returns: ElectronResponses per Hartree.

    Raises:
        InputError: no such subshell, ε ≤ 0, or waves too short for the mesh (`refined_for`).
    """
    index = subshell_index(atom, subshell)
    l = atom.configuration.l[index]
    checks.number_range("energy", energy, 1e-5, 1e6, "Hartree", "give energies above the threshold")
    checks.number_range("Q", Q, 1e-12, 1e6, "a.u.", "give positive momentum transfers")
    r_out = shell_edge(atom.mesh, atom.bound.P[index][None], knobs)
    mesh = scattering_mesh(r_out, knobs)
    _refuse_aliasing(mesh.inner, energy, Q)
    waves = continuum_orbitals(atom.potential, mesh, jnp.asarray(energy), l_max, knobs)
    factor = bound_factor(l, atom.mesh, atom.bound.P[index], mesh.inner.r, mesh.inner.weights)
    return _of_one(l, factor, waves.P, jnp.asarray(Q)[:, None] * mesh.inner.r)


def _of_one(l, factor, final, x):
    """Responses of a single subshell."""
    top = np.array([final.shape[1] - 1])
    one = electron_responses((l,), np.zeros(1, int), top, factor[None, ..., None], final[None], x)
    return ElectronResponses(one.S[0], one.R[0])


def _refuse_aliasing(mesh: RadialMesh, energy, Q) -> None:
    if checks.is_traced(mesh, energy, Q):
        return
    dr = float(mesh.step * mesh.jacobian[-1])
    k = float(jnp.sqrt(2.0 * jnp.max(jnp.asarray(energy))))
    phase, wave = (k + float(jnp.max(jnp.asarray(Q)))) * dr, k * dr
    if phase > ALIAS_PHASE or wave > 0.25:
        raise InputError(
            f"energy up to {float(jnp.max(jnp.asarray(energy))):g} Hartree and Q up to "
            f"{float(jnp.max(jnp.asarray(Q))):g} a.u. turn by (Q + k) dr = {phase:.2g}, k dr = "
            f"{wave:.2g} per mesh step, outside [0, {ALIAS_PHASE}] and [0, 0.25]; "
            "use knobs=refined_for(...)"
        )


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Lines:
    """Bound–bound transitions of one electron of a subshell.

    n, l: quantum numbers of the final subshell. T: E_n'l' − E_nl [Hartree], negative downward.
    vacancy: empty part of the final subshell, 1 − occupation/(2(2l'+1)); the physical response
    has this weight, the independent-particle sums weight one.
    responses: |matrix element|² summed over final and averaged over initial magnetic numbers.
    """

    n: Float[Array, "line"]
    l: Float[Array, "line"]
    T: Float[Array, "line"]
    vacancy: Float[Array, "line"]
    responses: ElectronResponses


def _rydberg_orbitals(atom, n_max, knobs):
    """The bound orbitals of the atom's field; FitError if one is missing."""
    checks.number_range("n_max", n_max, 1, 12, "", "the mesh holds orbitals up to n = 12")
    mesh, bound = rydberg_orbitals(atom.potential, n_max, knobs)
    if not bool(bound.found.all()):
        first = int(np.argmin(np.asarray(bound.found)))
        raise FitError(
            f"{atom.configuration.symbol}: level n = {bound.n[first]}, l = {bound.l[first]} is not "
            f"bound in this field; use model='herman-skillman', whose tail is −1/r, or a smaller "
            "n_max"
        )
    return mesh, bound


def excitation_responses(
    atom: AtomicField,
    subshell: str,
    Q: Float[Array, "Q"],
    n_max: int = 12,
    knobs: AtomNumerics = ATOM_NUMERICS,
) -> Lines:
    """S and R of one electron of a subshell for every bound final state n' ≤ n_max.

    Args:
        atom: a self-consistent field with Latter tail.
        subshell: "3d".
        Q: momentum transfers [a.u.].
        n_max: 1 to 12. The rest of each Rydberg series is the continuum's density at threshold
            times 1/[2 (n_max + 1/2 − δ)²].
    """
    index = subshell_index(atom, subshell)
    l = atom.configuration.l[index]
    field_mesh, bound = _rydberg_orbitals(atom, n_max, knobs)
    mesh = scattering_mesh(shell_edge(atom.mesh, atom.bound.P[index][None], knobs), knobs).inner
    P = field_mesh.interpolate(bound.P, mesh.r)
    row = bound.l[:, None] == jnp.arange(n_max)
    final = jnp.einsum("sr,sl->rls", P, row.astype(float))
    factor = bound_factor(l, atom.mesh, atom.bound.P[index], mesh.r, mesh.weights)
    responses = _of_one(l, factor, final, jnp.asarray(Q)[:, None] * mesh.r)
    occupied = dict(
        zip(
            zip(atom.configuration.n, atom.configuration.l, strict=True),
            atom.configuration.occupation,
            strict=True,
        )
    )
    vacancy = [
        1.0 - occupied.get((int(n), int(l)), 0.0) / (4 * int(l) + 2)
        for n, l in zip(bound.n, bound.l, strict=True)
    ]
    T = bound.energy - atom.bound.energy[index]
    return Lines(bound.n, bound.l, T, jnp.asarray(vacancy), responses)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class EffectiveElectrons:
    """How many free electrons one bound electron counts as, at each T.

    inverse: T ∫S dQ²/Q² (magnetic scattering at high E), flat: ∫S dQ²/2m (weak scattering),
    current: T ∫R dQ²/Q² from Q = T/c, in units of the Bohr velocity squared: with α² it is the
    transverse share of `inverse` [multiply by Hartree]. The first two tend to 1 for T ≫ |E_nl|.
    """

    inverse: Float[Array, "energy"]
    flat: Float[Array, "energy"]
    current: Float[Array, "energy"]


def effective_electrons(
    atom: AtomicField,
    subshell: str,
    energy: Float[Array, "energy"],
    l_max: int,
    knobs: AtomNumerics = ATOM_NUMERICS,
) -> EffectiveElectrons:
    """Integrals of S and R over all momentum transfers, per electron, by the trapezoid rule in
    ln Q, which converges faster than any power of the step for smooth S.

    energy: ε [Hartree]; l_max: as in `ionisation_responses`. Q from κ_min/r_out to κ_max/r_out.
    """
    index = subshell_index(atom, subshell)
    r_out = shell_edge(atom.mesh, atom.bound.P[index][None], knobs)
    log_kappa = jnp.linspace(np.log(knobs.kappa_min), np.log(knobs.kappa_max), knobs.kappa_nodes)
    Q = jnp.exp(log_kappa) / r_out
    responses = ionisation_responses(atom, subshell, energy, Q, l_max, knobs)
    step = log_kappa[1] - log_kappa[0]

    def weights_from(
        first: Float[Array, ""], T_r: Float[Array, "energy"]
    ) -> Float[Array, "Q energy"]:
        """Trapezoid weights for a lower limit Q = T/c between two nodes; below the first node,
        where R is constant, the first one takes the rest."""
        below = (jnp.log(FINE_STRUCTURE * T_r) - first) / step
        index = jnp.arange(log_kappa.shape[0])[:, None] - below  # nodes above the limit
        inside = jnp.where(
            index >= 1.0, 1.0,
            jnp.where(index >= 0.0, 1.0 - 0.5 * (1.0 - index) ** 2, 0.0)
            + jnp.where((index > -1.0) & (index < 0.0), 0.5 * (1.0 + index) ** 2, 0.0),
        )  # fmt: skip
        rest = jnp.where(below < 0.0, -below - 0.5, 0.0)
        return inside.at[0].set(jnp.where(below < 0.0, 1.0 + rest, inside[0]))

    T = jnp.asarray(energy) - atom.bound.energy[index]
    weight = weights_from(log_kappa[0], T * r_out)
    return EffectiveElectrons(
        inverse=2.0 * T * step * jnp.sum(responses.S, axis=0),
        flat=step * jnp.sum(responses.S * Q[:, None] ** 2, axis=0),
        current=2.0 * T * step * jnp.sum(responses.R * weight, axis=0),
    )
