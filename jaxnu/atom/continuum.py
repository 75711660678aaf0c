"""Continuum orbitals P_εl(r), normalised per unit energy, all l and energies in one radial scan.

Numerov's method outward; the amplitude far out from Coulomb functions where the potential is
−z/r, or from the conserved Numerov flux (WKB) where the wave is short. Hartree atomic units.
"""

import math
from dataclasses import dataclass
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxnu.atom.mesh import RadialMesh, solve_log_linear
from jaxnu.atom.potential import CentralPotential
from jaxnu.atom.settings import ATOM_NUMERICS, AtomNumerics
from jaxnu.numerics.coulomb import coulomb_functions

_DEAD = 1e-100  # a regular Coulomb function this small at the match: nothing reaches the shell
_SMOOTH = 0.3  # largest relative second-order WKB term; beyond it the turning point is too near


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ScatteringMesh:
    """Nodes for waves around a shell of radius r_out: an even inner mesh, then doubled steps.

    t = ln r + stretch·r throughout. `step` leads from node n − 1 to n, and `behind` is the node
    one such step before n − 1, so that Numerov's three nodes are behind, n − 1, n.
    `inner` are the first nodes, up to r_out, on which orbitals are kept.
    """

    inner: RadialMesh
    r: Float[Array, "node"]
    step: Float[Array, "node"]
    behind: Int[Array, "node"]

    @property
    def stretch(self) -> Float[Array, ""]:
        return self.inner.stretch

    @property
    def jacobian(self) -> Float[Array, "node"]:
        return self.r / (1.0 + self.stretch * self.r)

    @property
    def curvature(self) -> Float[Array, "node"]:
        ar = self.stretch * self.r
        return (0.25 + ar) / (1.0 + ar) ** 4


@cache
def unit_nodes(knobs: AtomNumerics) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """Number of inner nodes; radii, steps and `behind` of all nodes, for r_out = 1."""
    h, a = knobs.scatter_step, knobs.scatter_stretch
    inner = 1 + math.ceil((a - math.log(knobs.scatter_first) - a * knobs.scatter_first) / h)
    position = list(range(1 - inner, 1))
    behind = [0, 0, *range(inner - 2)]
    step = [1] * inner
    for block in range(1, knobs.outer_blocks + 1):
        for turn in range(knobs.outer_steps):
            behind.append(len(position) - (3 if turn == 0 else 2))
            position.append(position[-1] + 2**block)
            step.append(2**block)
    t = a + h * np.array(position)
    return inner, solve_log_linear(t, a), h * np.array(step), np.array(behind)


@partial(jax.jit, static_argnames="knobs")
def scattering_mesh(r_out: Float[Array, ""], knobs: AtomNumerics = ATOM_NUMERICS) -> ScatteringMesh:
    """The mesh for waves around a shell that ends at r_out [Bohr]; the same nodes in r/r_out."""
    inner, rho, step, behind = unit_nodes(knobs)
    r = r_out * rho
    stretch = knobs.scatter_stretch / r_out
    start = jnp.log(r[0]) + stretch * r[0]
    inner_mesh = RadialMesh(start, jnp.asarray(knobs.scatter_step), r[:inner], stretch)
    return ScatteringMesh(inner_mesh, r, jnp.asarray(step), jnp.asarray(behind))


def shell_edge(
    mesh: RadialMesh, P: Float[Array, "orbital r"], knobs: AtomNumerics = ATOM_NUMERICS
) -> Float[Array, ""]:
    """r_out: the last radius where an orbital exceeds `shell_edge` of its maximum [Bohr]."""
    large = jnp.abs(P) > knobs.shell_edge * jnp.max(jnp.abs(P), axis=1, keepdims=True)
    return mesh.r[mesh.r.shape[0] - 1 - jnp.argmax(large.any(axis=0)[::-1])]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ContinuumOrbitals:
    """Energy-normalised waves, ∫P_εl P_ε'l dr = δ(ε − ε'), on the inner nodes of a mesh.

    P → sqrt(2/πk) sin(kr + (z/k) ln 2kr − lπ/2 + σ_l + δ_l) far out.
    P: [Hartree^{-1/2} Bohr^{-1/2}]; zero where the wave does not reach the shell.
    phase_shift: δ_l modulo π against Coulomb functions; NaN where WKB matched the wave.
    """

    energy: Float[Array, "energy"]
    P: Float[Array, "r l energy"]
    phase_shift: Float[Array, "l energy"]


@dataclass(frozen=True)
class _Waves:
    """Numerov's g at any node for all (l, energy): y'' = g y."""

    centrifugal: Float[Array, "node"]
    static: Float[Array, "node"]
    kinetic: Float[Array, "node"]
    ll: Float[Array, "l 1"]
    energy: Float[Array, "energy"]

    def g(self, node: Int[Array, "..."]) -> Float[Array, "... l energy"]:
        node = jnp.asarray(node)[..., None, None]
        return (
            self.centrifugal[node] * self.ll + self.static[node] - self.kinetic[node] * self.energy
        )


def _start_nodes(mesh, l, energy, knobs):
    """First node of each wave: 0 for small l, else e^-60 before the centrifugal turning point."""
    k = jnp.sqrt(2.0 * energy)
    turning = jnp.minimum((l + 0.5)[:, None] / k, mesh.inner.r[-1])
    radius = turning * jnp.exp(-knobs.tunnel_exponent / (l + 0.5))[:, None]
    node = jnp.searchsorted(mesh.inner.r, radius)
    return jnp.where((l < knobs.series_l)[:, None] | (node < 2), 0, node)


def _series(potential, r, l, energy):
    """P/r^{l+1} = Σ c_k r^k near the nucleus, V = −Z/r + V_0: k(2l+1+k) c_k =
    −2Z c_{k−1} + 2(V_0 − ε) c_{k−2}."""
    first = potential.mesh.r[0]
    V0 = (potential.rV[0] + potential.Z) / first
    l = l[:, None]
    c_last, c = jnp.zeros_like(l * energy), jnp.ones_like(l * energy)
    total, power = c, 1.0
    for k in range(1, 7):
        c_last, c = (
            c,
            (-2.0 * potential.Z * c + 2.0 * (V0 - energy) * c_last) / (k * (2.0 * l + 1.0 + k)),
        )
        power = power * r
        total = total + c * power
    return total


@partial(jax.jit, static_argnames=("l_max", "knobs"))
def continuum_orbitals(
    potential: CentralPotential,
    mesh: ScatteringMesh,
    energy: Float[Array, "energy"],
    l_max: int,
    knobs: AtomNumerics = ATOM_NUMERICS,
) -> ContinuumOrbitals:
    """Continuum orbitals of a central potential for l = 0 … l_max and all energies at once.

    −P''/2 + [l(l+1)/2r² + V] P = ε P, regular at the nucleus, normalised per unit energy.

    Args:
        potential: with V = −z/r beyond some radius (Latter tail), or falling off fast (z = 0).
        mesh: made by `scattering_mesh` for the shell in which the waves are wanted.
        energy: ε > 0 [Hartree], up to about (231/r_out)²/2: k dr ≤ 0.22 on the inner mesh.
        l_max: highest angular momentum (static).

    Returns: ContinuumOrbitals. NaN where a Coulomb function was asked outside its range.

    Method: Numerov; amplitude by matching two neighbouring nodes to Coulomb functions beyond the
    tail radius where k dr ≤ 0.15 there, else by the Numerov flux with second-order WKB: with
    Y = (1 − h²g/12) y, cos D = (1 − 5h²W²/12)/(1 + h²W²/12) and s = sin D the combination
    (Y_a² s_a + Y_b² s_b − 2 Y_a Y_b sqrt(s_a s_b) cos D)/sin²D keeps the value 2h/π.
    """
    l = jnp.arange(l_max + 1)
    w2 = mesh.jacobian**2
    V = potential.on_mesh(mesh)
    waves = _Waves(
        w2 / mesh.r**2, 2.0 * w2 * V + mesh.curvature, 2.0 * w2, (l * (l + 1.0))[:, None], energy
    )
    match = _match_nodes(potential, mesh, V, energy, knobs)
    y, near, far = _outward(potential, mesh, waves, l, match.node, knobs)

    by_flux = _flux_factor(mesh, waves, match.node, near, far, knobs)
    inner = mesh.inner.r.shape[0]
    y = y * jnp.sqrt(mesh.jacobian[:inner])[:, None, None]
    if knobs.coulomb_l < 0:
        return ContinuumOrbitals(energy, y * by_flux, jnp.full_like(by_flux, jnp.nan))
    l_coulomb = min(l_max, knobs.coulomb_l)
    by_coulomb, shift = _coulomb_factor(
        mesh, match, near[: l_coulomb + 1], far[: l_coulomb + 1], energy, l_coulomb
    )
    missing = l_max - l_coulomb  # waves of higher l do not reach the shell at these energies
    by_coulomb = jnp.pad(by_coulomb, ((0, missing), (0, 0)))
    shift = jnp.pad(shift, ((0, missing), (0, 0)))
    factor = jnp.where(match.coulomb, by_coulomb, by_flux)
    return ContinuumOrbitals(energy, y * factor, jnp.where(match.coulomb, shift, jnp.nan))


@dataclass(frozen=True)
class _Match:
    """Where each energy is matched (this node and the one before) and how."""

    node: Int[Array, "energy"]
    coulomb: Bool[Array, "energy"]
    coulomb_node: Int[Array, ""]
    charge: Float[Array, ""]


def _match_nodes(potential, mesh, V, energy, knobs):
    inner = mesh.inner.r.shape[0]
    index = jnp.arange(mesh.r.shape[0])
    R, charge = potential.tail()
    # Numerov's three nodes, and the WKB stencil, must be evenly spaced and clear of the kink
    even = (mesh.step == jnp.roll(mesh.step, 1)) & (mesh.step == jnp.roll(mesh.step, -1))
    even = even & (index >= inner - 3) & (index < index[-1])
    beyond = jnp.searchsorted(mesh.r, R)
    clear = jnp.abs(index - beyond) > 3
    coulomb_node = jnp.argmax(even & (index > beyond + 2))
    k_dr = jnp.sqrt(jnp.maximum(2.0 * (energy[:, None] - V), 0.0)) * mesh.jacobian * mesh.step
    short = even & clear & (k_dr <= knobs.phase_step)
    last = index[-1] - jnp.argmax(short[:, ::-1], axis=1)
    flux_node = jnp.where(short.any(axis=1), last, inner - 3)
    smooth = jnp.sqrt(2.0 * energy) * mesh.inner.r[-1] > knobs.wkb_phase
    coulomb = (k_dr[:, coulomb_node] <= knobs.phase_step) & ~smooth
    coulomb = coulomb & even[coulomb_node] & (mesh.r[coulomb_node] > R) & (knobs.coulomb_l >= 0)
    return _Match(jnp.where(coulomb, coulomb_node, flux_node), coulomb, coulomb_node, charge)


def _outward(potential, mesh, waves, l, match_node, knobs):
    """y at the inner nodes, and y at the node before the match and at the match."""
    inner = mesh.inner.r.shape[0]
    start = _start_nodes(mesh, l, waves.energy, knobs)
    seed = knobs.start_scale
    power = (mesh.r[0] / mesh.r[1]) ** (l + 1.0) * jnp.sqrt(mesh.jacobian[1] / mesh.jacobian[0])
    ratio = power[:, None] * (
        _series(potential, mesh.r[0], l, waves.energy)
        / _series(potential, mesh.r[1], l, waves.energy)
    )
    first = start == 0
    y0 = jnp.where(first, seed * ratio, 0.0)
    y1 = jnp.where(first, seed, 0.0)

    def advance(y_behind, y_last, node):
        c = mesh.step[node] ** 2 / 12.0
        F = 1.0 - c * waves.g(node)
        F_last = 1.0 - c * waves.g(node - 1)
        F_behind = 1.0 - c * waves.g(mesh.behind[node])
        y = ((12.0 - 10.0 * F_last) * y_last - F_behind * y_behind) / F
        return jnp.where(start == node, seed, y)

    def inner_step(carry, node):
        y_behind, y_last = carry
        y = advance(y_behind, y_last, node)
        return (y_last, y), y

    _, y = jax.lax.scan(inner_step, (y0, y1), jnp.arange(2, inner))
    y = jnp.concatenate([y0[None], y1[None], y])

    def outer_step(carry, node):
        older, old, last, near, far = carry
        doubled = mesh.behind[node] == node - 3
        new = advance(jnp.where(doubled, older, old), last, node)
        here = match_node == node
        return (old, last, new, jnp.where(here, last, near), jnp.where(here, new, far)), None

    at = jnp.minimum(match_node, inner - 1)
    pick = jnp.arange(match_node.shape[0])
    near, far = y[at - 1, :, pick].T, y[at, :, pick].T
    carry = (y[-3], y[-2], y[-1], near, far)
    carry, _ = jax.lax.scan(outer_step, carry, jnp.arange(inner, mesh.r.shape[0]))
    return y, carry[3], carry[4]


def _coulomb_factor(mesh, match, near, far, energy, l_max):
    """Factor that brings y to the energy-normalised wave, and the phase shift."""
    nodes = jnp.stack([match.coulomb_node - 1, match.coulomb_node])
    r, w = mesh.r[nodes], mesh.jacobian[nodes]
    k = jnp.sqrt(2.0 * energy)
    functions = coulomb_functions(-match.charge / k, r[:, None] * k, l_max)
    F, G = jnp.swapaxes(functions.F, 1, 2), jnp.swapaxes(functions.G, 1, 2)
    a, b = near * jnp.sqrt(w[0]), far * jnp.sqrt(w[1])
    determinant = F[0] * G[1] - F[1] * G[0]
    regular = (a * G[1] - b * G[0]) / determinant
    irregular = (F[0] * b - F[1] * a) / determinant
    factor = jnp.sqrt(2.0 / (jnp.pi * k)) / jnp.hypot(regular, irregular)
    dead = jnp.abs(F[1]) < _DEAD
    return jnp.where(dead, 0.0, factor), jnp.where(dead, 0.0, jnp.arctan(irregular / regular))


def _flux_factor(mesh, waves, node, near, far, knobs):
    """Factor to energy normalisation from the conserved flux at nodes node − 1 and node."""
    h = mesh.step[node]
    c = h**2 / 12.0

    def g_at(offset):
        """g of each energy at its own match node + offset, [l, energy]."""
        at = node + offset
        return (
            waves.centrifugal[at] * waves.ll + waves.static[at] - waves.kinetic[at] * waves.energy
        )

    g = [g_at(offset) for offset in (-2, -1, 0, 1)]
    log_q = [0.5 * jnp.log(jnp.maximum(-row, 1e-300)) for row in g]

    def short_wave(i):
        """Second-order wave number W² = q² + u'²/4 − u''/2 with u = ln q."""
        slope = (log_q[i + 1] - log_q[i - 1]) / (2.0 * h)
        bend = (log_q[i + 1] - 2.0 * log_q[i] + log_q[i - 1]) / h**2
        correction = 0.25 * slope**2 - 0.5 * bend
        q2 = -g[i]
        smooth = (q2 > 0.0) & (jnp.abs(correction) < _SMOOTH * q2)
        return jnp.where(smooth, q2 + correction, 1.0), smooth

    W2_a, smooth_a = short_wave(1)
    W2_b, smooth_b = short_wave(2)
    x_a, x_b = c * W2_a, c * W2_b
    x = 0.5 * (x_a + x_b)
    u_a = near * (1.0 - c * g[1]) * jnp.sqrt(_sine(x_a))
    u_b = far * (1.0 - c * g[2]) * jnp.sqrt(_sine(x_b))
    cosine = (1.0 - 5.0 * x) / (1.0 + x)
    flux = (u_a**2 + u_b**2 - 2.0 * u_a * u_b * cosine) / _sine(x) ** 2
    target = 2.0 * h / jnp.pi * _doublings(mesh, waves, node, knobs)
    good = smooth_a & smooth_b & jnp.isfinite(flux)
    return jnp.where(good, jnp.sqrt(target / jnp.where(good, flux, 1.0)), 0.0)


def _sine(x):
    """sin D for cos D = (1 − 5x)/(1 + x), x = h²W²/12."""
    return jnp.sqrt(jnp.maximum(12.0 * x * (1.0 - 2.0 * x), 1e-300)) / (1.0 + x)


def _doublings(mesh, waves, node, knobs):
    """Change of flux/h at the doublings of h before each match node.

    The amplitude of y passes a doubling unchanged; the flux per h of a wave of amplitude one is
    q (1 + x) sqrt(1 − 2x) with x = h²q²/12, which quadruples.
    """
    nodes = jnp.arange(mesh.r.shape[0])
    last = jnp.flatnonzero(mesh.behind == nodes - 3, size=knobs.outer_blocks) - 1
    x = -(mesh.step[last] ** 2 / 12.0)[:, None, None] * waves.g(last)
    x = jnp.clip(x, 0.0, 0.05)  # 1 for waves that have not passed their turning point
    change = (1.0 + 4.0 * x) * jnp.sqrt(1.0 - 8.0 * x) / ((1.0 + x) * jnp.sqrt(1.0 - 2.0 * x))
    return jnp.prod(jnp.where(last[:, None, None] < node, change, 1.0), axis=0)
