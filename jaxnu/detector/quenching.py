"""Quenching: how much of a nuclear recoil's energy a detector sees, on the scale of electrons."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxnu import precision  # noqa: F401
from jaxnu.elements import element
from jaxnu.errors import InputError
from jaxnu.numerics.interpolation import monotone_cubic

QUENCHING_MODELS = ("lindhard", "table", "none")
BISECTIONS = 80  # halves of the logarithm of the recoil energy, to the last digit


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Quenching:
    """Q(T) of the recoils of one element: electron-equivalent energy over recoil energy.

    target: element symbol (static). model: "lindhard", "table" or "none" (static).
    k: of Lindhard's formula. knots_keV, factor: recoil energies [keV] and Q there, of a table.
    """

    target: str = field(metadata={"static": True})
    model: str = field(metadata={"static": True})
    k: Float[Array, ""] = field(default_factory=lambda: jnp.ones(()))
    knots_keV: Float[Array, "knots"] = field(default_factory=lambda: jnp.zeros(0))
    factor: Float[Array, "knots"] = field(default_factory=lambda: jnp.zeros(0))


def quenching_factor(
    T_nr_keV: Float[Array, "..."], quenching: Quenching, scale: ArrayLike = 1.0
) -> Float[Array, "..."]:
    """Q(T), dimensionless.

    lindhard: Q = k g/(1 + k g), g = 3 ε^0.15 + 0.7 ε^0.6 + ε, ε = 11.5 Z^(−7/3) T/keV;
    table: monotone cubic through its knots, constant outside; none: 1.

    T_nr_keV: recoil energy > 0, keV. scale: factor on k, on the table's values or on 1, for a
        nuisance.
    Range of validity: Lindhard's electronic stopping is proportional to velocity, without binding
        of the electrons; measurements leave it below some keV.
    Source: J. Lindhard et al., Mat. Fys. Medd. Dan. Vid. Selsk. 33, no. 10 (1963), in the form of
        J. D. Lewin and P. F. Smith, Astropart. Phys. 6, 87 (1996), with their k = 0.133 Z^(2/3)
        A^(−1/2) as an input.
    """
    if quenching.model == "lindhard":
        epsilon = 11.5 * element(quenching.target).Z ** (-7.0 / 3.0) * T_nr_keV
        kg = scale * quenching.k * (3.0 * epsilon**0.15 + 0.7 * epsilon**0.6 + epsilon)
        return kg / (1.0 + kg)
    scale = jnp.asarray(scale)
    if quenching.model == "table":
        return scale * monotone_cubic(T_nr_keV, quenching.knots_keV, quenching.factor)
    return scale * jnp.ones_like(T_nr_keV)


def electron_equivalent(
    T_nr_keV: Float[Array, "..."], quenching: Quenching, scale: ArrayLike = 1.0
) -> Float[Array, "..."]:
    """T_ee = Q(T) T in keV: what a recoil of energy T looks like among electrons."""
    return quenching_factor(T_nr_keV, quenching, scale) * T_nr_keV


_on_host = jax.jit(electron_equivalent)


def recoil_energy(T_ee_keV: np.ndarray, quenching: Quenching, highest_keV: float) -> np.ndarray:
    """The inverse of `electron_equivalent`, on the host, by bisection.

    Args:
        T_ee_keV: (n,) electron-equivalent energies > 0, keV.
        quenching: whose Q(T) T increases wherever it is not zero, see `check_quenching`.
        highest_keV: no recoil is above this, keV.

    Returns:
        (n,) recoil energies, keV; highest_keV for what only higher ones would reach.
    """
    wanted = np.asarray(T_ee_keV, float)
    low, high = np.full(wanted.shape, np.log(1e-9)), np.full(wanted.shape, np.log(highest_keV))
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        below = np.asarray(_on_host(np.exp(middle), quenching)) < wanted
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.exp(high)


def check_quenching(where: str, quenching: Quenching, highest_keV: float) -> None:
    """Refuse a Q(T) with Q T falling: two recoils would look alike."""
    T = np.geomspace(1e-4, highest_keV, 4000)
    seen = np.asarray(_on_host(T, quenching))
    falling = (np.diff(seen) <= 0.0) & (seen[1:] > 0.0)
    if falling.any():
        at = int(np.argmax(falling))
        raise InputError(
            f"{where}: Q(T) T falls from {seen[at]:g} to {seen[at + 1]:g} keV at T = {T[at]:.4g} "
            "keV; give a quenching with which a larger recoil is seen as a larger energy"
        )
