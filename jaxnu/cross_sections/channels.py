"""A channel as the kernels that fold the atom's S and R into dσ/dT."""

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnu import checks
from jaxnu.constants import ELECTRON_MASS_keV
from jaxnu.cross_sections.magnetic import magnetic_kernels, magnetic_series
from jaxnu.cross_sections.weak import weak_free, weak_kernels, weak_series
from jaxnu.errors import InputError
from jaxnu.responses.base import Response

CHANNELS = ("magnetic", "weak")
PARTS = ("total", "longitudinal", "transverse")


@dataclass(frozen=True)
class Channel:
    """Which process, which part of it, and whether the electron's spin current counts (static)."""

    name: str = "magnetic"
    part: str = "total"
    spin_current: bool = True
    antineutrino: bool = False

    def __post_init__(self) -> None:
        checks.one_of("channel", self.name, CHANNELS)
        checks.one_of("part", self.part, PARTS)
        if self.name == "weak" and (self.part != "total" or not self.spin_current):
            raise InputError(
                f"part = {self.part!r}, spin_current = {self.spin_current} with channel 'weak': "
                "its axial and interference terms belong to neither part and need the spin; "
                "allowed: part='total', spin_current=True"
            )

    def check(self, response: Response) -> None:
        """Refuse a response that holds too little for this channel."""
        if self.name == "weak" and response.magnetic_only:
            raise InputError(
                f"channel = 'weak' with the response {response.model!r}, which leaves out S; "
                "allowed: channel='magnetic', or another model, such as 'stepping'"
            )

    def kernels(
        self,
        T: Float[Array, "..."],
        E: Float[Array, "..."],
        Q: Float[Array, "..."],
        electron_fraction: Float[Array, "..."],
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """(k_S, k_R) [cm²/keV²]: dσ/dT = ∫[k_S S + k_R R] dQ², R the convection current alone.

        The spin current R_spin = (Q²/4m²) S is moved into k_S.
        """
        if self.name == "magnetic":
            k_S, k_R = magnetic_kernels(T, E, Q)
        else:
            k_S, k_R = weak_kernels(T, E, Q, electron_fraction, self.antineutrino)
        return self._parts(k_S, k_R, Q)

    def folded_kernels(
        self,
        T: Float[Array, ""],
        Q: Float[Array, "Q"],
        moments: Float[Array, "Q flavours powers"],
    ) -> tuple[Float[Array, "Q"], Float[Array, "Q"]]:
        """∫φ(E) (k_S, k_R) dE from the moments ∫φ E^-k dE above (T+Q)/2, all flavours and ν_e."""
        if self.name == "magnetic":
            k_S, k_R = (jnp.sum(k * moments[:, 0], -1) for k in magnetic_series(T, Q))
        else:
            series = weak_series(T, Q, self.antineutrino)
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

        Magnetic: ∫k_S S dQ² = 2m k_S, with spin σ_0 (1/T − 1/E) exactly. Weak: the exact free form.
        """
        if self.name == "magnetic":
            return 2.0 * ELECTRON_MASS_keV * self.kernels(T, E, Q, electron_fraction)[0]
        return weak_free(T, E, electron_fraction, self.antineutrino) * jnp.ones_like(Q)
