"""The number of electrons that a process sees, as integrals of S over all Q."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxnu import checks
from jaxnu.constants import ELECTRON_MASS_keV
from jaxnu.cross_sections.differential import q_nodes
from jaxnu.precision import require_x64
from jaxnu.responses.base import Response
from jaxnu.settings import NUMERICS, Numerics


def effective_charge(
    T_keV: ArrayLike,
    response: Response,
    *,
    by_shell: bool = False,
    numerics: Numerics = NUMERICS,
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """(T ∫S dQ²/Q², ∫S dQ²/2m) over all Q: electrons seen by the magnetic and the weak process.

    Continuum only, without lines and spin; the stepping count for on-shell models. Neither is an
    identity: KS11 eq 15 would give Z² and V10 gives Z; see docs/physics.md.

    T_keV: energy transfer [keV], any shape. by_shell: a last axis over response.shells.
    Returns two dimensionless arrays. Raises InputError for concrete T ≤ 0 or NaN.
    """
    require_x64("effective_charge")
    checks.instance("response", response, Response, "response('Xe') gives one")
    checks.number_range(
        "T_keV", T_keV, 0.0, 1e9, "keV", "give an energy transfer T > 0 in keV", open_low=True
    )
    T = jnp.asarray(T_keV, dtype=float)
    magnetic, weak = _map_effective_charge(T.ravel(), response, numerics)
    if not by_shell:
        magnetic, weak = jnp.sum(magnetic, -1), jnp.sum(weak, -1)
    return (
        magnetic.reshape(T.shape + magnetic.shape[1:]),
        weak.reshape(T.shape + weak.shape[1:]),
    )


@partial(jax.jit, static_argnames=("numerics",))
def _map_effective_charge(T: Array, response: Response, numerics: Numerics) -> tuple[Array, Array]:
    def one(T: Array) -> tuple[Array, Array]:
        _, weight = response.on_shell(T)
        if not response.has_continuum:
            return weight, weight
        m = ELECTRON_MASS_keV
        largest = jnp.sqrt(2.0 * m * jnp.max(response.thresholds_keV))
        ridge = jnp.sqrt(2.0 * m * T)
        # S ~ Q² below and at least Q^-8 above: the missing ends are 1e-12
        Q, dQ2 = q_nodes(
            1e-6 * ridge, 100.0 * (ridge + largest), T, response.momentum_scale_keV, numerics
        )
        S = response.longitudinal(T, Q, by_shell=True)
        at_rest = weight if weight.shape[-1] else 0.0
        return T * (dQ2 / Q**2) @ S + at_rest, dQ2 @ S / (2.0 * m) + at_rest

    return jax.vmap(one)(T)
