"""A channel as the kernels that fold the atom's S and R into dσ/dT."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jaxnu import checks
from jaxnu.constants import ELECTRON_MASS_keV
from jaxnu.cross_sections.charge import CHARGE_POWERS, NEUTRINO_MASS_eV
from jaxnu.cross_sections.magnetic import magnetic_kernels, magnetic_series
from jaxnu.cross_sections.weak import weak_free, weak_kernels, weak_series
from jaxnu.errors import InputError
from jaxnu.responses.base import Response

CHANNELS = ("magnetic", *CHARGE_POWERS)
PARTS = ("total", "longitudinal", "transverse")
FLAVOR_PARTS = ("all", "nu_e", "nu_x")
RADIUS_MAX_cm2, CHARGE_MAX_e = 1e-26, 1e-3  # limits are 1e-32 cm² and 1e-12 e


@dataclass(frozen=True)
class Channel:
    """Which process, which part of it, and whether the electron's spin current counts (static).

    name: "magnetic", per μ² [μ_B²], or a coefficient of the polynomial in the charge radius
        <r²> [cm²] and the millicharge q_ν [e] that begins with "weak": see `weak_with_charges`.
    flavors: whose cross section counts where a flux has several: "all", "nu_e" or "nu_x" (the
        rest); a flux has the share of each in it.
    m_nu_eV: the neutrino mass that ends the logarithm of "millicharge".
    """

    name: str = "magnetic"
    part: str = "total"
    spin_current: bool = True
    antineutrino: bool = False
    flavors: str = "all"
    m_nu_eV: float = NEUTRINO_MASS_eV

    def __post_init__(self) -> None:
        checks.one_of("channel", self.name, CHANNELS)
        checks.one_of("part", self.part, PARTS)
        checks.one_of("flavors", self.flavors, FLAVOR_PARTS)
        if checks.is_traced(self.m_nu_eV) or np.shape(self.m_nu_eV) != ():
            raise InputError(
                "m_nu_eV is traced or an array; allowed: one plain number in [1e-6, 10] eV; it is "
                "compiled in, so give a float"
            )
        checks.number_range("m_nu_eV", self.m_nu_eV, 1e-6, 10.0, "eV", "0.05 is a common choice")
        if self.name != "magnetic" and (self.part != "total" or not self.spin_current):
            raise InputError(
                f"part = {self.part!r}, spin_current = {self.spin_current} with channel "
                f"{self.name!r}: "
                "its axial and interference terms belong to neither part and need the spin; "
                "allowed: part='total', spin_current=True"
            )

    def check(self, response: Response) -> None:
        """Refuse a response that holds too little for this channel."""
        if self.name != "magnetic" and response.magnetic_only:
            raise InputError(
                f"channel = {self.name!r} with the response {response.model!r}, which leaves out S;"
                " allowed: channel='magnetic', or another model, such as 'stepping'"
            )

    @property
    def light_cone(self) -> bool:
        """Whether k_R has a pole at Q = T, the real photon, which the neutrino mass cuts off."""
        return self.name == "millicharge"

    def kernels(
        self,
        T: Float[Array, "..."],
        E: Float[Array, "..."],
        Q: Float[Array, "..."],
        electron_fraction: Float[Array, "..."],
        poles: int | None = None,
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """(k_S, k_R) [cm²/keV²]: dσ/dT = ∫[k_S S + k_R R] dQ², R the convection current alone.

        The spin current R_spin = (Q²/4m²) S is moved into k_S. poles: the power of 1/(Q²−T²), if
        not the channel's own.
        """
        if self.name == "magnetic":
            k_S, k_R = magnetic_kernels(T, E, Q)
        else:
            k_S, k_R = weak_kernels(
                T, E, Q, electron_fraction, self.antineutrino, self.name, self.flavors, poles
            )
        return self._parts(k_S, k_R, Q)

    def folded_kernels(
        self,
        T: Float[Array, ""],
        Q: Float[Array, "Q"],
        moments: Float[Array, "Q flavours powers"],
        poles: int | None = None,
    ) -> tuple[Float[Array, "Q"], Float[Array, "Q"]]:
        """∫φ(E) (k_S, k_R) dE from the moments ∫φ E^-k dE above (T+Q)/2, all flavours and ν_e."""
        if self.name == "magnetic":
            k_S, k_R = (jnp.sum(k * moments[:, 0], -1) for k in magnetic_series(T, Q))
        else:
            series = weak_series(T, Q, self.antineutrino, self.name, self.flavors, poles)
            k_S, k_R = (jnp.sum(k * moments, (-2, -1)) for k in series)
        return self._parts(k_S, k_R, Q)

    def _parts(
        self, k_S: Float[Array, "..."], k_R: Float[Array, "..."], Q: Float[Array, "..."]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        density = 0.0 if self.part == "transverse" else 1.0
        current = 0.0 if self.part == "longitudinal" else 1.0
        spin = current * (Q / (2.0 * ELECTRON_MASS_keV)) ** 2 if self.spin_current else 0.0
        return density * k_S + spin * k_R, current * k_R

    def on_shell(
        self,
        T: Float[Array, "..."],
        E: Float[Array, "..."],
        Q: Float[Array, "..."],
        electron_fraction: Float[Array, "..."],
    ) -> Float[Array, "..."]:
        """dσ/dT [cm²/keV] of S = δ(T − Q²/2m), up to T_max of the exact kinematics.

        Magnetic: ∫k_S S dQ² = 2m k_S, with spin σ_0 (1/T − 1/E) exactly. Others: the exact free
        form.
        """
        if self.name == "magnetic":
            return 2.0 * ELECTRON_MASS_keV * self.kernels(T, E, Q, electron_fraction)[0]
        free = weak_free(T, E, electron_fraction, self.antineutrino, self.name, self.flavors)
        return free * jnp.ones_like(Q)


def weak_with_charges(
    term: Callable[[str], Any], r2_cm2: ArrayLike = 0.0, q_e: ArrayLike = 0.0
) -> Any:
    """Weak scattering with a charge radius <r²> and a millicharge q_ν, from its coefficients.

    weak + <r²>·(charge-radius) + <r²>²·(charge-radius-squared) + q·(millicharge-weak)
    + q²·(millicharge) + <r²> q·(millicharge-charge-radius)

    term: a function of the channel's name, such as
        lambda channel: jaxnu.rate(T_keV, flux, response, channel=channel)
        or the same with cross_section, nuclear_cross_section or nuclear_rate.
    r2_cm2: <r²> [cm²] of F(q²) = q_ν + q²<r²>/6, a number; q_e: q_ν [e], a number.
    Returns what `term` returns, summed. Coefficients of a parameter that is a plain 0 are left out.
    The magnetic moment does not interfere: add it.
    Raises InputError for |<r²>| > 1e-26 cm², |q_ν| > 1e-3 e, NaN.
    The standard model's radii (−0.83, −0.48, −0.30 e-32 cm² for e, μ, τ; Cadeddu et al., PRD 98,
    113010) are not in the tree-level couplings of jaxnu, so <r²> is the whole radius.
    """
    checks.number_range(
        "r2_cm2", r2_cm2, -RADIUS_MAX_cm2, RADIUS_MAX_cm2, "cm²", "a radius squared in cm²"
    )
    checks.number_range("q_e", q_e, -CHARGE_MAX_e, CHARGE_MAX_e, "e", "a charge in units of e")
    total = term("weak")
    for name, (r, q) in CHARGE_POWERS.items():
        absent = (r and _is_zero(r2_cm2)) or (q and _is_zero(q_e))
        if name != "weak" and not absent:
            total = total + jnp.asarray(r2_cm2) ** r * jnp.asarray(q_e) ** q * term(name)
    return total


def _is_zero(value: ArrayLike) -> bool:
    return isinstance(value, int | float) and value == 0
