"""The parts of dσ/dT of every subshell in one pass over Q."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxnu.constants import ELECTRON_MASS_keV
from jaxnu.cross_sections.differential import q_nodes
from jaxnu.cross_sections.magnetic import magnetic_kernels
from jaxnu.responses.base import Response
from jaxnu.settings import NUMERICS, Numerics

BATCH = 64  # energies whose Q nodes are in memory at once
PARTS = ("longitudinal", "convection", "spin")


@partial(jax.jit, static_argnames="numerics")
def _map_parts(T: Array, E: Array, response: Response, numerics: Numerics) -> Array:
    def one(t: Array) -> Array:
        Q, dQ2 = q_nodes(t, 2.0 * E - t, t, response.momentum_scale_keV, numerics)
        k_S, k_R = magnetic_kernels(t, E, Q)
        S, R = response.both(t, Q, by_shell=True)
        spin = (Q / (2.0 * ELECTRON_MASS_keV)) ** 2
        return jnp.stack([(dQ2 * k_S) @ S, (dQ2 * k_R) @ R, (dQ2 * k_R * spin) @ S])

    return jax.lax.map(one, T, batch_size=min(BATCH, T.shape[0]))


def continuum_parts(
    T_keV: ArrayLike, E_keV: float, response: Response, numerics: Numerics = NUMERICS
) -> Float[np.ndarray, "T parts shells"]:
    """dσ/dT per μ² [cm²/keV] of the smooth continuum, by PARTS and subshell.

    longitudinal: KS11 eq 7. convection: eq 8. spin: eq 8 with R_spin = (Q²/4m²) S, not in KS11.
    T_keV: one axis, 0 < T < E. Their sum over parts and shells is `cross_section`.
    """
    T = jnp.asarray(T_keV, dtype=float)
    return np.asarray(_map_parts(T, jnp.asarray(float(E_keV)), response, numerics))
