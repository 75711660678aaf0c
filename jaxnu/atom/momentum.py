"""The scaled momentum κ = Q r_out: its mesh, and where in x = κρ the multipoles matter."""

import math
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnu.atom.matrix_elements import Range
from jaxnu.atom.mesh import EvenMesh
from jaxnu.atom.settings import ATOM_NUMERICS, AtomNumerics


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class MomentumMesh(EvenMesh):
    """Nodes even in t, dt/dκ = 1/κ + (1/b)/(1 + (κ/c)²)²: steps proportional to κ at both ends,
    and to b between, where fast waves have their Bethe ridge."""

    bend: Float[Array, ""]
    turn: Float[Array, ""]

    @property
    def jacobian(self) -> Float[Array, "r"]:
        """dκ/dt."""
        return 1.0 / (1.0 / self.r + (1.0 + (self.r / self.turn) ** 2) ** -2 / self.bend)

    def coordinate(self, r: Float[Array, "..."]) -> Float[Array, "..."]:
        """t(κ)."""
        x = r / self.turn
        return jnp.log(r) + 0.5 * self.turn / self.bend * (jnp.arctan(x) + x / (1.0 + x**2))


@cache
def kappa_mesh(knobs: AtomNumerics = ATOM_NUMERICS) -> MomentumMesh:
    """The nodes in κ. Its numbers are NumPy's: constants of the compiled programs."""
    bend, turn = knobs.kappa_bend, knobs.kappa_turn

    def coordinate(log):
        x = np.exp(log) / turn
        return log + 0.5 * turn / bend * (np.arctan(x) + x / (1.0 + x**2))

    low, high = np.log(knobs.kappa_min), np.log(knobs.kappa_max)
    t, step = np.linspace(coordinate(low), coordinate(high), knobs.kappa_nodes, retstep=True)
    below, above = np.full(t.size, low), np.full(t.size, high)
    for _ in range(60):  # bisection in ln κ: t grows with it
        middle = 0.5 * (below + above)
        over = coordinate(middle) > t
        below, above = np.where(over, below, middle), np.where(over, middle, above)
    numbers: Any = t[0], step, np.exp(middle), np.asarray(bend), np.asarray(turn)
    return MomentumMesh(*numbers)


def bessel_onset(L: int, exponent: float) -> float:
    """The x below which j_L(x) < e^−exponent of its size at the turning point L + 1/2.

    j_L(sν) ~ exp{−ν [arccosh(1/s) − sqrt(1 − s²)]}, ν = L + 1/2 (DLMF 10.19.3).
    """
    nu, low, high = L + 0.5, 1e-12, 1.0 - 1e-12
    for _ in range(60):
        s = 0.5 * (low + high)
        if nu * (math.acosh(1.0 / s) - math.sqrt(1.0 - s * s)) > exponent:
            low = s
        else:
            high = s
    return low * nu


@cache
def bessel_ranges(
    orders: tuple[int, ...], rho_nodes: tuple[float, ...], knobs: AtomNumerics = ATOM_NUMERICS
) -> tuple[Range, ...]:
    """The ranges of l′ of a group of orders, with the first κ and ρ at which they matter: below,
    j_L(κρ), or a wave P_εl′ of the largest k r_out that a mesh carries, is under e^−bessel_cut.

    orders: where the ranges begin, and one above the last. rho_nodes: of the integrals.
    """
    kappa = kappa_mesh(knobs).r
    phase = knobs.wave_phase * (1.0 + knobs.scatter_stretch) / knobs.scatter_step
    result = []
    for low, high in reversed(list(pairwise(orders))):
        onset = bessel_onset(low - 3, knobs.bessel_cut) if low > 3 else 0.0
        first_Q = int(np.searchsorted(kappa, onset))
        first_r = int(np.searchsorted(rho_nodes, onset / phase))
        result.append(Range(low, high - 1, first_Q, first_r))
    return tuple(result)


def to_kappa(mesh: MomentumMesh, values, kappa):
    """values at the nodes of `mesh`, taken at κ by polynomials of degree 7; clamped at its ends."""
    return mesh.interpolate(values, jnp.clip(kappa, mesh.r[0], mesh.r[-1]))
