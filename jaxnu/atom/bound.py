"""Bound orbitals of a central potential: Numerov's equations as a tridiagonal eigenproblem.

Counting negative pivots brackets each level; inverse iteration with Rayleigh quotients finishes
it. All orbitals are done at once; nothing depends on a good first guess. Hartree atomic units.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax.linalg import tridiagonal_solve
from jaxtyping import Array, Bool, Float, Int

from jaxnu.atom.configuration import SLOTS
from jaxnu.atom.mesh import RadialMesh, log_linear_mesh
from jaxnu.atom.potential import CentralPotential
from jaxnu.atom.settings import ATOM_NUMERICS, AtomNumerics

# h²g/12 is capped here: beyond 1 Numerov's factor changes sign. Deep orbitals reach it only where
# they have fallen below rounding.
_STEEPEST = 0.5
_VISIBLE = 1e-7  # of the largest |y|: smaller values do not count as nodes


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class BoundOrbitals:
    """Normalised radial orbitals P_nl(r), positive at the nucleus, and their energies [Hartree].

    found: the level exists below zero and the orbital has n − l − 1 nodes.
    """

    n: Int[Array, "orbital"]
    l: Int[Array, "orbital"]
    energy: Float[Array, "orbital"]
    P: Float[Array, "orbital r"]
    found: Bool[Array, "orbital"]


def _start_ratio(
    mesh: RadialMesh, V: Float[Array, "r"], l: Int[Array, "orbital"]
) -> Float[Array, "orbital"]:
    """y_0/y_1 from P = r^{l+1} (1 + r·(rV)(0)/(l+1)), good to r² at the first nodes."""
    r, w = mesh.r[:2], mesh.jacobian[:2]
    charge = -r[0] * V[0] / (l + 1.0)
    series = (1.0 - charge * r[0]) / (1.0 - charge * r[1])
    return (r[0] / r[1]) ** (l + 1.0) * series * jnp.sqrt(w[1] / w[0])


def _g0(
    mesh: RadialMesh, V: Float[Array, "r"], l: Int[Array, "orbital"]
) -> Float[Array, "r orbital"]:
    """The factor g of y'' = g y at zero energy."""
    w2 = mesh.jacobian**2
    centrifugal = w2 / mesh.r**2
    return (2.0 * w2 * V + mesh.curvature)[:, None] + centrifugal[:, None] * (l * (l + 1.0))


def levels_below(
    mesh: RadialMesh,
    V: Float[Array, "r"],
    l: Int[Array, "orbital"],
    energy: Float[Array, "trial orbital"],
) -> Int[Array, "trial orbital"]:
    """Number of bound levels of angular momentum l below each trial energy (a Sturm count).

    In Y = (1 − h²g/12) y Numerov's equations are Y_{n+1} − U_n Y_n + Y_{n−1} = 0; the outward
    solution changes sign once per level below the trial energy, so negative ratios are counted.
    """
    h2 = mesh.step**2 / 12.0
    w2 = mesh.jacobian**2
    g = _g0(mesh, V, l)

    def factor(g_row, w2_row):
        return 1.0 - jnp.minimum(h2 * (g_row - 2.0 * energy * w2_row), _STEEPEST)

    ratio = _start_ratio(mesh, V, l) * factor(g[0], w2[0]) / factor(g[1], w2[1])

    def step(carry, row):
        inverse_ratio, count = carry
        F = factor(*row)
        ratio = (12.0 - 10.0 * F) / F - inverse_ratio
        ratio = jnp.where(ratio == 0.0, 1e-300, ratio)
        return (1.0 / ratio, count + (ratio < 0.0)), None

    start = (jnp.broadcast_to(ratio, energy.shape), jnp.zeros(energy.shape, int))
    return jax.lax.scan(step, start, (g[1:], w2[1:]))[0][1]


def _bracketed(
    mesh: RadialMesh,
    V: Float[Array, "r"],
    n: Int[Array, "orbital"],
    l: Int[Array, "orbital"],
    knobs: AtomNumerics,
) -> tuple[Float[Array, "orbital"], Bool[Array, "orbital"]]:
    """Energies to about 2e-4 by repeated division of ln|E|, and whether the level exists."""
    coarse = mesh.thinned(knobs.coarse_factor)
    V = V[:: knobs.coarse_factor]
    charge = -V[0] * mesh.r[0]
    nodes = n - l - 1
    # no level lies below the hydrogenic one of the bare nucleus
    deep = jnp.log(0.6 * charge**2 / n**2)
    shallow = jnp.full_like(deep, jnp.log(1e-4))
    fraction = jnp.linspace(0.0, 1.0, knobs.bracket_energies + 1)[:, None]

    def divide(_: int, ends: tuple) -> tuple:
        deep, shallow = ends
        trial = deep + (shallow - deep) * fraction
        below = levels_below(coarse, V, l, -jnp.exp(trial)) > nodes  # the level is deeper
        first = jnp.argmax(below, axis=0)
        first = jnp.where(below.any(axis=0), first, knobs.bracket_energies)
        first = jnp.maximum(first, 1)
        pick = jnp.arange(n.shape[0])
        return trial[first - 1, pick], trial[first, pick]

    deep, found_at = jax.lax.fori_loop(0, knobs.bracket_passes, divide, (deep, shallow))
    energy = -jnp.exp(0.5 * (deep + found_at))
    return energy, energy < -1.05e-4


def _numerov_rows(mesh, g0, ratio, energy):
    """The tridiagonal matrix M(E) of Numerov's equations for the inner nodes."""
    g = mesh.step**2 / 12.0 * (g0 - 2.0 * energy * mesh.jacobian**2)
    g = jnp.minimum(g, _STEEPEST)
    diagonal = 2.0 + 10.0 * g[1:-1]
    diagonal = diagonal.at[0].add(ratio * (g[0] - 1.0))
    return (g[:-2] - 1.0).at[0].set(0.0), diagonal, (g[2:] - 1.0).at[-1].set(0.0)


def _inverse_step(mesh, g0, ratio, energy, x):
    """Solve M(E) z = (h²/6) B W x and return z with the Rayleigh estimate of the level."""
    h2 = mesh.step**2 / 12.0
    w2 = mesh.jacobian**2
    below, diagonal, above = _numerov_rows(mesh, g0, ratio, energy)
    wx = w2 * x
    rhs = 2.0 * h2 * (wx[:-2] + 10.0 * wx[1:-1] + wx[2:])
    z = tridiagonal_solve(below, diagonal, above, rhs[:, None])[:, 0]
    z = jnp.concatenate([ratio * z[:1], z, jnp.zeros(1)])
    shift = jnp.sum(z * wx) / jnp.sum(z * z * w2)
    # an exactly singular matrix (LAPACK then returns NaN) means that energy and x are already exact
    good = jnp.isfinite(shift)
    z = jnp.where(good, z, x)
    z = z / jnp.sqrt(mesh.step * jnp.sum(z * z * w2))
    return energy + jnp.where(good, shift, 0.0), z


def bound_orbitals(
    mesh: RadialMesh,
    V: Float[Array, "r"],
    n: Int[Any, "orbital"],
    l: Int[Any, "orbital"],
    knobs: AtomNumerics = ATOM_NUMERICS,
) -> BoundOrbitals:
    """Orbitals (n, l) of the potential V on the mesh: −P''/2 + [l(l+1)/2r² + V] P = E P.

    Args:
        mesh: radial mesh whose last node is far in the forbidden region (P = 0 there).
        V: potential at the nodes [Hartree], −Z/r at the nucleus.
        n, l: quantum numbers, l < n.

    Returns: energies [Hartree] and orbitals with ∫P² dr = 1; `found` is False, and the energy
        meaningless, where the level is not below −1e-4 Hartree or the nodes are wrong.

    Numerov's method: the error of a level is of order step⁴. Differentiable in V by first-order
    perturbation theory (not in the mesh).
    """
    return _compiled_orbitals(knobs, mesh, V, n, l)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _bound_orbitals(knobs, mesh, V, n, l):
    ratio = _start_ratio(mesh, V, l)
    energy, exists = _bracketed(mesh, V, n, l, knobs)
    g0 = _g0(mesh, V, l)

    def one(l, g0, ratio, energy):
        x = jnp.exp(-mesh.r)  # overlaps every orbital

        def turn(i, state):
            energy, x = state
            better, x = _inverse_step(mesh, g0, ratio, energy, x)
            return jnp.where(i < knobs.inverse_iterations, energy, better), x

        turns = knobs.inverse_iterations + knobs.rayleigh_iterations
        energy, x = jax.lax.fori_loop(0, turns, turn, (energy, x))
        return energy, x * jnp.sign(x[1])

    energy, y = _one_by_one(one, l, g0.T, ratio, energy)
    size = jnp.max(jnp.abs(y), axis=1, keepdims=True)
    visible = jnp.abs(y) > _VISIBLE * size
    # the sign of the last visible point before each point, so that noise is not a node
    index = jnp.where(visible, jnp.arange(y.shape[1]), 0)
    sign = jnp.take_along_axis(jnp.sign(y), jax.lax.cummax(index, axis=1), axis=1)
    nodes = jnp.sum(sign[:, 1:] * sign[:, :-1] < 0, axis=1)
    return BoundOrbitals(n, l, energy, y * jnp.sqrt(mesh.jacobian), exists & (nodes == n - l - 1))


@_bound_orbitals.defjvp
def _bound_orbitals_jvp(knobs, primals, tangents):
    """δE = ∫P² δV dr and (H − E) δP = (δE − δV) P with ∫P δP dr = 0."""
    mesh, V, n, l = primals
    dV = tangents[1]
    bound = _bound_orbitals(knobs, mesh, V, n, l)
    w2 = mesh.jacobian**2
    y = bound.P / jnp.sqrt(mesh.jacobian)
    dE = mesh.step * (y**2 * w2) @ dV
    g0, ratio = _g0(mesh, V, l), _start_ratio(mesh, V, l)
    source = (dE[:, None] - dV) * w2 * y
    dy = _one_by_one(partial(_response, mesh), g0.T, ratio, bound.energy, y, source)
    dy = dy - y * (mesh.step * jnp.sum(w2 * y * dy, axis=1, keepdims=True))
    none: Any = np.zeros(n.shape, jax.dtypes.float0)  # the tangent of an integer
    return bound, BoundOrbitals(none, none, dE, dy * jnp.sqrt(mesh.jacobian), none)


def _one_by_one(f, *columns):
    """f for each orbital in turn. A batch of tridiagonal systems is shared among threads that wait
    for it, and in jaxlib 0.10 two batches that meet wait for each other for ever."""
    return jax.lax.map(lambda row: f(*row), columns)


def _response(mesh, g0, ratio, energy, y, source):
    """Solve Numerov's equations for a source orthogonal to y.

    They are singular; the equation at the largest |y|, implied by the others, is replaced by
    δy = 0 there, which leaves a multiple of y to be projected out.
    """
    below, diagonal, above = _numerov_rows(mesh, g0, ratio, energy)
    rhs = (mesh.step**2 / 6.0) * (source[:-2] + 10.0 * source[1:-1] + source[2:])
    pin = jnp.arange(rhs.shape[0]) == jnp.argmax(jnp.abs(y[1:-1]))
    z = tridiagonal_solve(
        jnp.where(pin, 0.0, below),
        jnp.where(pin, 1.0, diagonal),
        jnp.where(pin, 0.0, above),
        jnp.where(pin, 0.0, rhs)[:, None],
    )[:, 0]
    return jnp.concatenate([ratio * z[:1], z, jnp.zeros(1)])


_compiled_orbitals = jax.jit(_bound_orbitals, static_argnums=0)


def rydberg_orbitals(
    potential: CentralPotential, n_max: int, knobs: AtomNumerics = ATOM_NUMERICS
) -> tuple[RadialMesh, BoundOrbitals]:
    """All bound orbitals n ≤ n_max of a potential, on a mesh that holds them to n = 12.

    n_max: static. A field without −1/r tail has few: see `found`.
    """
    mesh, V = _rydberg_field(potential, knobs)
    n, l = np.array([(n, l) for n in range(1, n_max + 1) for l in range(n)]).T
    # in groups of the size of a configuration: the program of the field serves again
    spare = -n.size % SLOTS
    groups = [
        bound_orbitals(mesh, V, n, l, knobs)
        for n, l in zip(
            np.pad(n, (0, spare), mode="edge").reshape(-1, SLOTS),
            np.pad(l, (0, spare), mode="edge").reshape(-1, SLOTS),
            strict=True,
        )
    ]
    return mesh, jax.tree.map(lambda *parts: _joined(parts, n.size), *groups)


@partial(jax.jit, static_argnames="knobs")
def _rydberg_field(potential, knobs):
    """The mesh of `rydberg_orbitals` and V at its nodes."""
    mesh = log_linear_mesh(
        knobs.first_radius / potential.Z, knobs.rydberg_radius, knobs.mesh_stretch,
        knobs.mesh_points,
    )  # fmt: skip
    return mesh, potential.on_mesh(mesh)


@partial(jax.jit, static_argnums=1)
def _joined(parts, size):
    return jnp.concatenate(parts)[:size]
