"""Scattering on the nucleus, or on the atom as a whole: a recoil without excitation."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxnu import checks
from jaxnu.constants import (
    SIN2_WEINBERG,
    ATOMIC_MASS_keV,
    ELECTRON_MASS_keV,
    FERMI_per_keV2,
    HBARC2_keV2_cm2,
    SIGMA0_cm2,
)
from jaxnu.cross_sections.channels import CHANNELS
from jaxnu.cross_sections.charge import (
    CHARGE_SHIFT_keV2,
    RADIUS_SHIFT_per_cm2,
    product,
)
from jaxnu.cross_sections.differential import FLAVORS
from jaxnu.cross_sections.form_factors import ElectronCloud, helm
from jaxnu.cross_sections.kinematics import transfer_end
from jaxnu.cross_sections.weak import flavor_mean
from jaxnu.elements import element as lookup
from jaxnu.elements import isotopes
from jaxnu.errors import InputError
from jaxnu.precision import require_x64

FORM_FACTORS = ("helm", "none")


class Nuclei(NamedTuple):
    """The isotopes of an element: mass [keV] of what recoils, A, share, and Z."""

    mass_keV: Float[Any, "isotopes"]
    A: Float[Any, "isotopes"]
    share: Float[Any, "isotopes"]
    Z: Float[Any, ""]


class Amplitudes(NamedTuple):
    """What the charges of a nucleus and its electrons add up to at one momentum transfer.

    weak_e, weak_x: Q_w F_N − (±1 + 4s²) F_el for ν_e and for ν_μ, ν_τ; charge: Z F_N − F_el.
    """

    weak_e: Float[Array, "..."]
    weak_x: Float[Array, "..."]
    charge: Float[Array, "..."]


def nuclei(element: str, whole_atom: bool = False) -> Nuclei:
    """The isotopes of an element; nuclear masses are atomic ones less Z electrons."""
    rows, Z = isotopes(element), lookup(element).Z
    mass = np.array([row.mass_u for row in rows]) * ATOMIC_MASS_keV
    return Nuclei(
        mass if whole_atom else mass - Z * ELECTRON_MASS_keV,
        np.array([float(row.A) for row in rows]),
        np.array([row.abundance for row in rows]),
        np.asarray(float(Z)),
    )


def amplitudes(
    Q: Float[Array, "..."],
    Z: Float[Array, "..."],
    A: Float[Array, "..."],
    electrons: ElectronCloud | None,
    form_factor: str,
) -> Amplitudes:
    """Weak and electric charges at the momentum transfer Q [keV]."""
    F_N = helm(Q, A) if form_factor == "helm" else jnp.ones_like(Q)
    F_el = electrons.form_factor(Q) if electrons is not None else jnp.zeros_like(Q)
    weak = (A - Z - (1.0 - 4.0 * SIN2_WEINBERG) * Z) * F_N - 4.0 * SIN2_WEINBERG * F_el
    return Amplitudes(weak - F_el, weak + F_el, Z * F_N - F_el)


def recoil_cross_section(
    T: Float[Array, "..."],
    E: Float[Array, "..."],
    mass: Float[Array, "..."],
    charges: Amplitudes,
    channel: str,
    electron_fraction: Float[Array, "..."],
    flavors: str = "all",
) -> Float[Array, "..."]:
    """dσ/dT [cm²/keV] of one isotope; not cut at the end of the kinematics.

    magnetic: σ_0 μ² W² (1/T − 1/E) per μ², W = Z F_N − F_el
    others: (G² M/4π) (Q_w F_N − … + 2 W δg_V)² [1 − T/E − MT/2E²], the channel's term in it, with
    δg_V = C<r²> − D q_ν/2MT of `cross_sections.charge`.
    """
    if channel == "magnetic":
        return SIGMA0_cm2 * charges.charge**2 * (1.0 / T - 1.0 / E)
    radius = 2.0 * charges.charge * RADIUS_SHIFT_per_cm2
    charge = -charges.charge * CHARGE_SHIFT_keV2 / (mass * T)
    squared = flavor_mean(
        electron_fraction,
        product(channel, charges.weak_e, radius, charge),
        product(channel, charges.weak_x, radius, charge),
        flavors,
    )
    unit = FERMI_per_keV2**2 * HBARC2_keV2_cm2 / (4.0 * jnp.pi)
    return unit * mass * squared * (1.0 - T / E - 0.5 * mass * T / E**2)


@partial(jax.jit, static_argnames=("channel", "form_factor"))
def _map_cross_section(
    T: Array, E: Array, targets: Nuclei, electrons: ElectronCloud | None, fraction: Array,
    channel: str, form_factor: str,
) -> Array:  # fmt: skip
    T, E = T[..., None], E[..., None]
    positive = T > 0.0
    T_in = jnp.where(positive, T, 1.0)
    Q = jnp.sqrt(2.0 * targets.mass_keV * T_in)
    charges = amplitudes(Q, targets.Z, targets.A, electrons, form_factor)
    value = recoil_cross_section(T_in, E, targets.mass_keV, charges, channel, fraction)
    value = jnp.where(transfer_end(E, targets.mass_keV) >= T_in, value, 0.0)
    return jnp.where(positive[..., 0], jnp.sum(targets.share * value, axis=-1), jnp.nan)


def nuclear_cross_section(
    T_nr_keV: ArrayLike,
    E_keV: ArrayLike,
    element: str,
    mu: ArrayLike = 1e-11,
    channel: str = "weak",
    flavor: str = "nu_e",
    *,
    electrons: ElectronCloud | None = None,
    form_factor: str = "helm",
) -> Float[Array, "..."]:
    """dσ/dT of coherent scattering on the nucleus, per atom of the natural element.

    weak (CEvNS): (G² M/4π) Q_w² F² [1 − T/E − MT/2E²],  Q_w = N − (1 − 4s²) Z
    magnetic: σ_0 μ² Z² F² (1/T − 1/E),   0 < T ≤ 2E²/(M + 2E)
    charge radius and millicharge: Q_w → Q_w + 2Z (C<r²> − D q_ν/2MT), `weak_with_charges`.
    With electrons, the atom recoils as one: Q_w F → Q_w F − (±1 + 4s²) F_el (+ for ν_e),
    Z F → Z F − F_el.

    T_nr_keV, E_keV: recoil and neutrino energy [keV], shapes that broadcast.
    element: symbol of one of the elements in data/isotopes.csv.
    mu: magnetic moment [μ_B] (magnetic channel). channel, flavor: as in `cross_section`.
    electrons: None, or electron_cloud(element): matters for recoils of meV.
    form_factor: "helm" or "none" (F = 1).
    Returns cm²/keV per atom (per unit of the parameter for the terms of <r²> and q_ν); zero beyond
        the end of the kinematics; inside traced code NaN for T ≤ 0.
    Raises InputError for concrete T ≤ 0, E ≤ 0, NaN, shapes that do not broadcast, an element
        without isotopes here, or an unknown word.
    Valid for Q below the inverse nuclear radius times a few; spins of odd nuclei are left out, and
    with electrons those of open shells. A nucleus of spin 0 has T/4E² more in the magnetic bracket,
    at most (E/M)² of it: 2e-8 for Ge and 7e-6 for He at 10 MeV.
    Source: docs/physics.md; Freedman, PRD 9, 1389 (1974); VE89.
    """
    require_x64("nuclear_cross_section")
    checks.number_range(
        "T_nr_keV", T_nr_keV, 0.0, 1e6, "keV", "give a recoil energy T > 0 in keV", open_low=True
    )
    checks.number_range(
        "E_keV", E_keV, 0.0, 1e9, "keV", "give a neutrino energy E > 0 in keV", open_low=True
    )
    checks.broadcast("T_nr_keV", T_nr_keV, "E_keV", E_keV)
    checks.magnetic_moment("mu", mu)
    checks.one_of("flavor", flavor, FLAVORS)
    check_target(element, channel, electrons, form_factor)
    T, E = jnp.broadcast_arrays(jnp.asarray(T_nr_keV, dtype=float), jnp.asarray(E_keV, dtype=float))
    value = _map_cross_section(
        T, E, nuclei(element, electrons is not None), electrons, jnp.asarray(FLAVORS[flavor][0]),
        channel, form_factor,
    )  # fmt: skip
    return value * jnp.asarray(mu) ** 2 if channel == "magnetic" else value


def check_target(element: str, channel: str, electrons: Any, form_factor: str) -> None:
    """Refuse an element without isotopes, unknown words, and the electrons of another element."""
    isotopes(element)
    checks.one_of("channel", channel, CHANNELS)
    checks.one_of("form_factor", form_factor, FORM_FACTORS)
    if electrons is None:
        return
    checks.instance("electrons", electrons, ElectronCloud, f"electron_cloud({element!r}) gives one")
    if electrons.target != element:
        raise InputError(
            f"electrons are those of {electrons.target!r}, but element = {element!r}; give "
            f"electron_cloud({element!r})"
        )
