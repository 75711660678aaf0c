"""S and R of one subshell from radial orbitals: one downward scan over the multipole order L.

Hartree atomic units; per electron of the subshell, averaged over its magnetic number.
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnu.atom.angular import current_factors, density_factors, gradient_parts
from jaxnu.atom.mesh import RadialMesh
from jaxnu.numerics.spherical_bessel import bessel_scan, spherical_bessel_j0_minus_one


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ElectronResponses:
    """S and R of one electron [Hartree⁻¹ for waves per unit energy, 1 for bound final states].

    Rows: momentum transfers; columns: final states. S is per T, R the transverse current in
    units of the Bohr velocity squared, so that R = T²·S/Q² as Q → 0.
    """

    S: Float[Array, "Q final"]
    R: Float[Array, "Q final"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class BoundFactor:
    """What the initial orbital brings to the radial integrals: P, g_{l−1}, g_{l+1}, times dr."""

    density: Float[Array, "r"]
    gradients: Float[Array, "2 r"]


def bound_factor(
    l: int, field_mesh: RadialMesh, P: Float[Array, "field_r"], mesh: RadialMesh
) -> BoundFactor:
    """An orbital and its gradient parts on the nodes of `mesh`, with the trapezoid weights.

    l: angular momentum (static). field_mesh, P: where the orbital is known. mesh: the inner part
    of a scattering mesh; its last node carries half a weight.
    """
    both = field_mesh.interpolate(jnp.stack([P, field_mesh.slope(P)]), mesh.r)
    weight = mesh.step * mesh.jacobian
    weight = weight.at[-1].multiply(0.5)
    return BoundFactor(both[0] * weight, gradient_parts(l, mesh.r, both[0], both[1]) * weight)


@partial(jax.jit, static_argnames="l")
def electron_responses(
    l: int,
    bound: BoundFactor,
    r: Float[Array, "r"],
    final: Float[Array, "r l final"],
    Q: Float[Array, "Q"],
) -> ElectronResponses:
    """Longitudinal and transverse response of one electron of a subshell to given final states.

        S = Σ_{l',L} (2l'+1)(2L+1) (l L l'; 0 0 0)² [∫ P_nl j_L(Qr) P_εl' dr]²
        R = Σ_{l'} Σ_{ab} v_a M_ab v_b,  v_a = ∫ P_εl' j_L(Qr) g_λ dr

    For L = 0 the density uses j_0 − 1: the overlap of two orbitals of one field is zero, and
    its numerical residue would swamp S at small Q.

    Args:
        l: angular momentum of the subshell (static).
        bound: made by `bound_factor` on the nodes r.
        r: radii [Bohr].
        final: final orbitals, rows l' = 0 … l'_max; waves per unit energy, or bound orbitals
            (zero in every row but their own).
        Q: momentum transfers [a.u.], so large and small as the mesh resolves: (Q + k) dr < 2.2.

    Returns: ElectronResponses. The sum ends at l'_max: converged when the rows at its end do
        not matter, l'_max ≈ 17 sqrt(T/I) + 20.

    Source: expansion of e^{iq·r} in multipoles; angular factors in jaxnu.atom.angular.
    """
    l_max, states = final.shape[1] - 1, final.shape[2]
    density, current = density_factors(l, l_max), current_factors(l, l_max)
    x = Q[:, None] * r
    bessel = bessel_scan(x, l_max + l + 1)
    without_overlap = spherical_bessel_j0_minus_one(x)

    # the slot (λ, i) of order L belongs to l' = L + λ − 2i
    density_offset = l - 2 * np.arange(l + 1)
    current_offset = np.concatenate(
        [lam - 2 * np.arange(lam + 1) for lam in (l - 1, l + 1) if lam >= 0]
    )
    gradient = bound.gradients[np.asarray(current.raised).astype(int)]
    slots, window = current_offset.size, 2 * l + 3

    def integrals(j, factor, offset, L):
        """∫ factor j_L P_εl' dr for l' = L + offset, [slot, Q, final]; 0 outside 0 … l'_max."""
        l_final = L + offset
        valid = (l_final >= 0) & (l_final <= l_max)
        rows = jnp.take(final, jnp.clip(l_final, 0, l_max), axis=1)
        rows = rows * (factor.T * valid)[:, :, None]
        product = j @ rows.reshape(r.shape[0], -1)
        return jnp.moveaxis(product.reshape(Q.shape[0], offset.size, states), 1, 0)

    def finished(v, l_final):
        """Quadratic form of all slots of one l'."""
        valid = (l_final >= 0) & (l_final <= l_max)
        matrix = jnp.where(valid, current.matrix[jnp.clip(l_final, 0, l_max)], 0.0)
        return jnp.einsum("aqe,ab,bqe->qe", v, matrix, v)

    def order(carry, L):
        state, S, R, waiting = carry
        state, j = bessel.step(state, L)
        I = integrals(
            jnp.where(L == 0, without_overlap, j),
            jnp.broadcast_to(bound.density, (l + 1, r.shape[0])), density_offset, L,
        )  # fmt: skip
        l_final = L + density_offset
        valid = (l_final >= 0) & (l_final <= l_max)
        weight = density.weight[jnp.clip(l_final, 0, l_max), np.arange(l + 1)] * valid
        S = S + jnp.einsum("a,aqe->qe", weight, I * I)

        v = integrals(j, gradient, current_offset, L)
        # row w of `waiting` holds l' = L − (l+1) + w; the last one is complete now
        waiting = waiting.at[current_offset + l + 1, np.arange(slots)].set(v)
        R = R + finished(waiting[-1], L + l + 1)
        return (state, S, R, jnp.roll(waiting, 1, axis=0).at[0].set(0.0)), None

    zero = jnp.zeros((Q.shape[0], states))
    waiting = jnp.zeros((window, slots, *zero.shape))
    (_, S, R, waiting), _ = jax.lax.scan(order, (bessel.start, zero, zero, waiting), bessel.orders)
    for l_final in range(l + 1):  # those that wait for L < 0, which does not exist
        R = R + finished(waiting[l_final + l + 2], jnp.asarray(l_final))
    return ElectronResponses(S, R)
