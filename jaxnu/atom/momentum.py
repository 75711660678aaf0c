"""The scaled momentum κ = Q r_out: its mesh, and where in x = κρ the multipoles matter."""

import math
from functools import cache
from itertools import pairwise
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxnu.atom.matrix_elements import Range
from jaxnu.atom.mesh import RadialMesh, solve_log_linear
from jaxnu.atom.settings import ATOM_NUMERICS, AtomNumerics, RatioClass


@cache
def kappa_mesh(knobs: AtomNumerics = ATOM_NUMERICS) -> RadialMesh:
    """Nodes in κ, even in ln κ + κ/κ_bend: sums over them converge like those of a RadialMesh.

    Its numbers are NumPy's: constants of the compiled programs.
    """
    stretch = 1.0 / knobs.kappa_bend
    first, last = np.log([knobs.kappa_min, knobs.kappa_max]) + stretch * np.array(
        [knobs.kappa_min, knobs.kappa_max]
    )
    t, step = np.linspace(first, last, knobs.kappa_nodes, retstep=True)
    numbers: Any = first, step, np.asarray(stretch), solve_log_linear(t, stretch)
    return RadialMesh(*numbers)


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
def bessel_ranges(part: RatioClass, rho_nodes: tuple[float, ...], knobs: AtomNumerics):
    """The ranges of l′ of a class, with the first κ and ρ at which they matter: j_L(κρ), and a
    wave P_εl′ of the largest k r_out that the mesh carries, are e^−bessel_cut below.

    rho_nodes: where the integrals are taken, in units of r_out.
    """
    edges = (part.l_max + 1, *part.l_cuts, 0)
    kappa = kappa_mesh(knobs).r
    result = []
    for high, low in pairwise(edges):
        onset = bessel_onset(low - 3, knobs.bessel_cut) if low > 3 else 0.0
        first_Q = int(np.searchsorted(kappa, onset))
        first_r = int(np.searchsorted(rho_nodes, onset / part.phase(knobs.scatter_step)))
        result.append(Range(low, high - 1, first_Q, first_r))
    return tuple(result)


def to_kappa(mesh: RadialMesh, values, kappa):
    """values at the nodes of `mesh`, taken at κ by polynomials of degree 7; clamped at its ends."""
    return mesh.interpolate(values, jnp.clip(kappa, mesh.r[0], mesh.r[-1]))
