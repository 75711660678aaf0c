"""S and R of subshells from radial orbitals: one downward scan over l′ for all of them.

Hartree atomic units; per electron of a subshell, averaged over its magnetic number. Subshells
that are scaled to the same x = Qr share every j_L(x).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnu.atom.angular import current_factors, density_factors, gradient_parts
from jaxnu.atom.mesh import RadialMesh
from jaxnu.numerics.spherical_bessel import bessel_scan


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ElectronResponses:
    """S and R of one electron [Hartree⁻¹ for waves per unit energy, 1 for bound final states].

    Rows: momentum transfers; columns: final states. S is per T, R the transverse current in
    units of the Bohr velocity squared, so that R = T²·S/Q² as Q → 0.
    """

    S: Float[Array, "... Q final"]
    R: Float[Array, "... Q final"]


class Range(NamedTuple):
    """The part of the domain that matters for l_low ≤ l′ ≤ l_high: nodes from first_Q in Q and
    first_r in r on. Below, j_L(Qr) is too small for any L in reach."""

    l_low: int
    l_high: int
    first_Q: int = 0
    first_r: int = 0


def bound_factor(
    l: int | Int[Array, ""],
    field_mesh: RadialMesh,
    P: Float[Array, "field_r"],
    r: Float[Array, "r"],
    dr: Float[Array, "r"],
) -> Float[Array, "3 r"]:
    """What an initial orbital brings to the radial integrals: P, g_{l−1}, g_{l+1}, times dr.

    l: angular momentum. field_mesh, P: where the orbital is known. r, dr: nodes and weights of
    the integrals over r.
    """
    both = field_mesh.interpolate(jnp.stack([P, field_mesh.slope(P)]), r)
    return jnp.concatenate([both[:1], gradient_parts(l, r, both[0], both[1])]) * dr


def _of_one_order(l: int, l_max: int) -> Callable[..., tuple[Array, Array]]:
    """The share of one l′ in S and R of an electron of angular momentum l.

    Slot i of the density has L = l′ − l + 2i; of the current L = l′ − λ + 2i, λ = l ∓ 1.
    """
    density, current = density_factors(l, l_max), current_factors(l, l_max)
    momenta = [lam for lam in (l - 1, l + 1) if lam >= 0]
    shifts = [2 * i - lam for lam in momenta for i in range(lam + 1)]
    gradient = [1 + int(raised) for raised in current.raised]
    slots = range(len(shifts))
    weights, matrices = jnp.asarray(density.weight), jnp.asarray(current.matrix)

    def share(
        bessel: dict[int, Float[Array, "Q r"]],
        l_final: Int[Array, ""],
        rows: Float[Array, "r final"],
        factor: Float[Array, "3 r #final"],
    ) -> tuple[Float[Array, "Q final"], Float[Array, "Q final"]]:
        S = jnp.zeros((bessel[0].shape[0], rows.shape[1]))
        v: dict[int, Array] = {}
        for shift, j in bessel.items():
            for i in range(l + 1):
                if 2 * i - l == shift:
                    weighted = rows * factor[0]
                    # for L = 0 j_0 − 1: the overlap of two orbitals of one field is zero, and
                    # its numerical residue would swamp S at small Q
                    overlap = jnp.where(l_final + shift == 0, jnp.sum(weighted, axis=0), 0.0)
                    S = S + weights[l_final, i] * (j @ weighted - overlap) ** 2
            here = [a for a in slots if shifts[a] == shift]
            if here:
                columns = [rows * factor[gradient[a]] for a in here]
                products = jnp.split(j @ jnp.concatenate(columns, 1), len(here), 1)
                v |= dict(zip(here, products, strict=True))
        form = matrices[l_final]
        pairs = [(a, b) for a in slots for b in slots if a <= b]
        terms = (form[a, b] * v[a] * v[b] * (1.0 if a == b else 2.0) for a, b in pairs)
        return S, sum(terms, jnp.zeros_like(S))

    return share


@partial(jax.jit, static_argnames=("momenta", "ranges", "first_l"))
def electron_responses(
    momenta: tuple[int, ...],
    kind: Int[Array, "unit"],
    top: Int[Array, "unit"],
    factor: Float[Array, "unit 3 r #final"],
    final: Float[Array, "unit r l final"],
    x: Float[Array, "Q r"],
    ranges: tuple[Range, ...] = (),
    first_l: int = 0,
) -> ElectronResponses:
    """Longitudinal and transverse response of one electron of each subshell to final states.

        S = Σ_{l',L} (2l'+1)(2L+1) (l L l'; 0 0 0)² [∫ P_nl j_L(Qr) P_εl' dr]²
        R = Σ_{l'} Σ_{ab} v_a M_ab v_b,  v_a = ∫ P_εl' j_L(Qr) g_λ dr

    Args:
        momenta: the angular momenta that occur among the subshells (static).
        kind: of each unit (a subshell with its own final states), an index into momenta.
        top: the highest l' that is summed for each unit; −1 for padding, which costs nothing.
        factor: made by `bound_factor`, for each final state or one for all.
        final: final orbitals, rows l' = first_l … l'_max; waves per unit energy, or bound orbitals
            (zero in every row but their own).
        x: Q r, the same for all units (each final state may have its own r and Q): so fine that
            x turns by less than 2.7 per node, with the wave's own turn.
        ranges: parts of the domain to which each l' is confined (static); all of it by default.

    Returns: ElectronResponses, first axis the unit. The sum ends at l'_max: converged when the
        rows at its end do not matter, l'_max ≈ 17 sqrt(T/I) + 20.

    Source: expansion of e^{iq·r} in multipoles; angular factors in jaxnu.atom.angular.
    """
    units, l_max = final.shape[0], first_l + final.shape[2] - 1
    zero = jnp.zeros((units, x.shape[0], final.shape[3]))
    total = ElectronResponses(zero, zero)
    shares = [_of_one_order(l, l_max) for l in momenta]
    for part in ranges or (Range(first_l, l_max),):
        Q, r = slice(part.first_Q, None), slice(part.first_r, None)

        def added(total, part=part, Q=Q, r=r):
            S, R = _of_range(
                shares, max(momenta) + 1, kind, top, factor[:, :, r], final[:, r], x[Q, r], part,
                first_l,
            )  # fmt: skip
            return ElectronResponses(total.S.at[:, Q].add(S), total.R.at[:, Q].add(R))

        total = jax.lax.cond(jnp.any(top >= part.l_low), added, lambda total: total, total)
    return total


def _of_range(shares, reach, kind, top, factor, final, x, part, first_l):
    """The sum over the l′ of a range, downward, with a window of j_L for |L − l′| ≤ reach."""
    units, states = final.shape[0], final.shape[3]
    scan = bessel_scan(x, part.l_high + reach)

    def bessel(state, L):
        state, j = scan.step(state, jnp.maximum(L, 0))
        return state, jnp.where(L >= 0, j, 0.0)

    first = part.l_high + reach - jnp.arange(2 * reach)
    state, window = jax.lax.scan(bessel, scan.start, first)
    window = (jnp.zeros_like(x), *window)

    def order(carry, l_final):
        state, window, S, R = carry
        state, last = bessel(state, l_final - reach)
        window = (*window[1:], last)
        by_shift = {reach - i: j for i, j in enumerate(window)}

        def unit(u, sums):
            S, R = sums
            start = (u, 0, l_final - first_l, 0)
            rows = jax.lax.dynamic_slice(final, start, (1, x.shape[1], 1, states))[0, :, 0]
            branches = [partial(share, by_shift, l_final) for share in shares]
            s, r = jax.lax.switch(kind[u], branches, rows, factor[u])
            return S.at[u].add(s), R.at[u].add(r)

        def unit_if_needed(u, sums):
            return jax.lax.cond(l_final <= top[u], unit, lambda _, sums: sums, u, sums)

        S, R = jax.lax.fori_loop(0, units, unit_if_needed, (S, R))
        return (state, window, S, R), None

    zero = jnp.zeros((units, x.shape[0], states))
    carry = (state, window, zero, zero)
    orders = jnp.arange(part.l_high, part.l_low - 1, -1)
    (_, _, S, R), _ = jax.lax.scan(order, carry, orders)
    return S, R
