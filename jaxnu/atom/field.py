"""The self-consistent field of an atom: a compiled fixed-point iteration with Anderson mixing.

Hartree atomic units.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.sparse.linalg import gmres
from jaxtyping import Array, Float, Int

from jaxnu import checks
from jaxnu.atom.bound import BoundOrbitals, bound_orbitals
from jaxnu.atom.configuration import Configuration, ground_state
from jaxnu.atom.mesh import RadialMesh, log_linear_mesh
from jaxnu.atom.potential import (
    MODELS,
    CentralPotential,
    electron_density,
    exchange_correlation,
    hartree_potential,
    thomas_fermi,
)
from jaxnu.atom.settings import ATOM_NUMERICS, AtomNumerics
from jaxnu.errors import FitError


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Shells:
    """Padded subshells of one configuration; empty padding changes nothing."""

    Z: Float[Any, ""]
    n: Int[Any, "orbital"]
    l: Int[Any, "orbital"]
    occupation: Float[Any, "orbital"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Energies:
    """Parts of the total energy of an atom [Hartree]."""

    kinetic: Float[Array, ""]
    nuclear: Float[Array, ""]
    hartree: Float[Array, ""]
    exchange_correlation: Float[Array, ""]

    @property
    def total(self) -> Float[Array, ""]:
        return self.kinetic + self.nuclear + self.hartree + self.exchange_correlation


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class AtomicField:
    """A converged self-consistent field.

    potential: V(r), and bound: the padded orbitals in it; energies: parts of the total energy;
    residual: the last max |r ΔV| [Hartree·Bohr]; iterations: how many were needed.
    """

    potential: CentralPotential
    bound: BoundOrbitals
    occupation: Float[Array, "orbital"]
    energies: Energies
    residual: Float[Array, ""]
    iterations: Int[Array, ""]
    configuration: Configuration = field(metadata={"static": True})
    model: str = field(metadata={"static": True})

    @property
    def mesh(self) -> RadialMesh:
        return self.potential.mesh

    @property
    def level_energies(self) -> Float[Array, "subshell"]:
        """Eigenvalues of the subshells of `configuration`, in its order [Hartree]."""
        return self.bound.energy[: len(self.configuration.n)]


def atom_mesh(Z: Float[Array, ""], knobs: AtomNumerics = ATOM_NUMERICS) -> RadialMesh:
    """The mesh of the self-consistent field of a nuclear charge Z."""
    return log_linear_mesh(
        knobs.first_radius / Z, knobs.last_radius, knobs.mesh_stretch, knobs.mesh_points
    )


def radial_density(bound: BoundOrbitals, occupation: Float[Array, "orbital"]) -> Float[Array, "r"]:
    """σ(r) = 4πr²ρ = Σ occupation·P_nl² [electrons per Bohr]."""
    return occupation @ bound.P**2


def _potential(mesh, rV, Z, model):
    return CentralPotential(mesh, rV, Z, latter=model == "herman-skillman")


def _next_rV(mesh, rV, shells, exchange, model, knobs):
    """One turn: the r V_smooth that the orbitals in r V make."""
    V = _potential(mesh, rV, shells.Z, model).at_nodes()
    bound = bound_orbitals(mesh, V, shells.n, shells.l, knobs)
    sigma = radial_density(bound, shells.occupation)
    _, V_xc = exchange_correlation(electron_density(mesh, sigma), exchange, model)
    return -shells.Z + hartree_potential(mesh, sigma) + mesh.r * V_xc


def _anderson(inputs, residuals, mixing):
    """Next input: the affine combination of past ones with the least residual, then a step.

    D. G. Anderson, J. ACM 12, 547 (1965). Rows are the history, newest first; a row of zeros in
    `residuals` (not yet filled) gets no weight.
    """
    dF = residuals[0] - residuals[1:]
    dX = inputs[0] - inputs[1:]
    used = jnp.any(residuals[1:] != 0.0, axis=1)
    dF, dX = jnp.where(used[:, None], dF, 0.0), jnp.where(used[:, None], dX, 0.0)
    scale = jnp.where(used, jnp.sqrt(jnp.sum(dF * dF, axis=1)), 1.0)
    scale = jnp.where(scale > 0.0, scale, 1.0)
    dF, dX = dF / scale[:, None], dX / scale[:, None]
    gram = dF @ dF.T + jnp.diag(jnp.where(used, 1e-12, 1.0))
    weight = jnp.linalg.solve(gram, dF @ residuals[0])
    return inputs[0] - weight @ dX + mixing * (residuals[0] - weight @ dF)


def _iterate(difference, start, knobs):
    """Fixed point by Anderson mixing from `start`; difference(x) = F(x) − x. With the last
    |difference| and the number of turns."""

    def turn(state):
        inputs, residuals, _, count = state
        F = difference(inputs[0])
        residuals = residuals.at[0].set(F)
        new = _anderson(inputs, residuals, knobs.mixing)
        inputs = jnp.concatenate([new[None], inputs[:-1]])
        residuals = jnp.concatenate([jnp.zeros_like(F)[None], residuals[:-1]])
        return inputs, residuals, jnp.max(jnp.abs(F)), count + 1

    def unfinished(state):
        _, _, change, count = state
        return (change > knobs.field_tolerance) & (count < knobs.field_iterations)

    history = jnp.zeros((knobs.mixing_history, start.shape[0]))
    inputs, _, residual, count = jax.lax.while_loop(
        unfinished, turn, (history.at[0].set(start), history, jnp.inf, jnp.asarray(0))
    )
    return inputs[0], (residual, count.astype(float))  # floats: they may carry tangents


def _tangent(linear, right, knobs):
    """Solve the linearised field equations: the derivative of the fixed point."""
    return gmres(
        linear, right, tol=knobs.tangent_tolerance, atol=0.0, restart=knobs.tangent_vectors,
        maxiter=4, solve_method="incremental",
    )[0]  # fmt: skip


@partial(jax.jit, static_argnames=("model", "knobs"))
def _solve(shells, exchange, model, knobs):
    mesh = atom_mesh(shells.Z, knobs)

    def difference(rV):
        return _next_rV(mesh, rV, shells, exchange, model, knobs) - rV

    rV, (residual, count) = jax.lax.custom_root(
        difference,
        thomas_fermi(mesh, shells.Z),
        lambda f, start: _iterate(f, start, knobs),
        lambda linear, right: _tangent(linear, right, knobs),
        has_aux=True,
    )
    potential = _potential(mesh, rV, shells.Z, model).with_kink()
    return potential, potential.at_nodes(), residual, count.astype(int)


@partial(jax.jit, static_argnames=("model", "knobs"))
def _finished(mesh, rV, residual, shells, bound, exchange, model, knobs):
    """The orbitals with the energies; NaN where the host cannot look (under a transformation)
    and raise."""
    energies = _energies(mesh, rV, shells, bound, exchange, model)
    failed = (residual > knobs.field_tolerance) | jnp.any(~bound.found & (shells.occupation > 0))
    return jax.tree.map(
        lambda x: jnp.where(failed, jnp.nan, x) if jnp.issubdtype(x.dtype, jnp.floating) else x,
        (bound, energies),
    )


def _energies(mesh, rV, shells, bound, exchange, model):
    sigma = radial_density(bound, shells.occupation)
    epsilon_xc, _ = exchange_correlation(electron_density(mesh, sigma), exchange, model)
    V = (jnp.minimum(rV, -1.0) if model == "herman-skillman" else rV) / mesh.r
    return Energies(
        kinetic=jnp.sum(shells.occupation * bound.energy) - mesh.integral(sigma * V),
        nuclear=-shells.Z * mesh.integral(sigma / mesh.r),
        hartree=0.5 * mesh.integral(sigma * hartree_potential(mesh, sigma) / mesh.r),
        exchange_correlation=mesh.integral(sigma * epsilon_xc),
    )


def checked_configuration(element: str | int | Configuration, exchange: Any) -> Configuration:
    """The configuration of an element; InputError where it or the exchange is out of range."""
    checks.number_range(
        "exchange", exchange, 0.5, 1.5, "", "it multiplies the exchange potential; 1 is the model"
    )
    return element if isinstance(element, Configuration) else ground_state(element)


def self_consistent_field(
    element: str | int | Configuration,
    model: str = "herman-skillman",
    exchange: float | Float[Array, ""] = 1.0,
    knobs: AtomNumerics = ATOM_NUMERICS,
) -> AtomicField:
    """Self-consistent central field of a neutral atom, its orbitals and its total energy.

    V = −Z/r + V_H + V_xc, nonrelativistic, spherically averaged, not spin polarised.

    Args:
        element: symbol, nuclear charge or a Configuration (excited or fractional).
        model: "herman-skillman" (Slater exchange, Latter tail V ≤ −1/r; the field for
            scattering, since the continuum needs the tail) or "local-density" (Kohn–Sham, VWN).
        exchange: factor on the exchange potential; 1 is the model's own.

    Returns: AtomicField, energies in Hartree, lengths in Bohr.

    Raises:
        InputError: unknown element or model, Z > 55, exchange outside [0.5, 1.5].
        FitError: not converged, or an occupied level is not bound.

    Differentiable in `exchange` in forward mode (jax.jvp, jax.jacfwd), by implicit
    differentiation of the fixed point; reverse mode raises NotImplementedError.

    Range of validity: nonrelativistic, so eigenvalues lack terms of order (αZ)², 8% for Xe 1s.
    Source: F. Herman, S. Skillman, Atomic Structure Calculations (1963); W. Kohn, L. J. Sham,
    Phys. Rev. 140, A1133 (1965).
    """
    checks.one_of("model", model, MODELS)
    atom = checked_configuration(element, exchange)
    n, l, occupation = atom.padded()
    shells = Shells(np.asarray(float(atom.Z)), n, l, occupation)
    x: Any = exchange if checks.is_traced(exchange) else np.asarray(exchange, dtype=float)
    potential, V, residual, count = _solve(shells, x, model, knobs)
    mesh = potential.mesh
    bound = bound_orbitals(mesh, V, n, l, knobs)
    bound, energies = _finished(mesh, potential.rV, residual, shells, bound, x, model, knobs)
    if not checks.is_traced(residual):
        _refuse_unconverged(atom, bound, float(residual), int(count), knobs)
    return AtomicField(
        potential, bound, shells.occupation, energies, residual,
        count, atom, model,
    )  # fmt: skip


def _refuse_unconverged(atom, bound, residual, count, knobs):
    found = bound.found[: len(atom.n)]
    if not bool(found.all()):
        lost = [label for label, ok in zip(atom.labels, found, strict=True) if not ok]
        raise FitError(
            f"{atom.symbol} {atom}: {', '.join(lost)} not bound in the self-consistent field; "
            "choose a configuration whose occupied levels are bound"
        )
    if not residual <= knobs.field_tolerance:
        raise FitError(
            f"{atom.symbol} {atom}: self-consistent field not converged after {count} iterations "
            f"(|r ΔV| = {residual:.1e}, asked {knobs.field_tolerance:.1e} Hartree Bohr); "
            "try a smaller mixing"
        )


def frozen_field(
    potential: CentralPotential, atom: Configuration, knobs: AtomNumerics = ATOM_NUMERICS
) -> AtomicField:
    """Orbitals of a configuration in a given potential, not made self-consistent.

    For hydrogen in the bare field of its proton, and to study a changed potential. The energies
    hold the kinetic and nuclear parts alone.

    Raises FitError if an occupied level is not bound.
    """
    n, l, occupation = (jnp.asarray(column) for column in atom.padded())
    mesh = potential.mesh
    bound = bound_orbitals(mesh, potential.on_mesh(mesh), n, l, knobs)
    _refuse_unconverged(atom, bound, 0.0, 0, knobs)
    sigma = radial_density(bound, occupation)
    zero = jnp.zeros(())
    energies = Energies(
        kinetic=jnp.sum(occupation * bound.energy) - mesh.integral(sigma * potential(mesh.r)),
        nuclear=-potential.Z * mesh.integral(sigma / mesh.r),
        hartree=zero,
        exchange_correlation=zero,
    )
    return AtomicField(potential, bound, occupation, energies, zero, jnp.asarray(0), atom, "frozen")
