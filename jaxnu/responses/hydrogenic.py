"""The 1s electron of a hydrogen-like ion, in closed form."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxnu import checks
from jaxnu.constants import ATOMIC_MOMENTUM_keV, ELECTRON_MASS_keV
from jaxnu.elements import element
from jaxnu.responses.base import Lines, Response
from jaxnu.settings import NUMERICS

_M = ELECTRON_MASS_keV


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Hydrogenic(Response):
    """1s electrons bound by a point charge Z, with p0 = Zαm, I = p0²/2m, pe² = 2mT − p0².

    S = 2⁸ m p0⁶ Q² (3Q² + p0² + pe²) / [3 D³ (1 − e^{−2πη})]
        · exp{−2η atan2(2 p0 pe, Q² − pe² + p0²)}
    R = S (T/2m) D / [Q² (3Q² + p0² + pe²)],   η = p0/pe,   D = (Q² + p0² + pe²)² − 4Q²pe²
    per electron (S: Kouzakov, Studenikin, Voloshin, PRD 83, 113001; R: docs/physics.md).
    Nonrelativistic: Zα ≪ 1 and T ≪ m.
    """

    last_n: int = field(metadata={"static": True})

    @property
    def _p0(self) -> Float[Array, ""]:
        # from the threshold, so that everything is differentiable in it
        return jnp.sqrt(2.0 * _M * self.thresholds_keV[0])

    def longitudinal(
        self, T_keV: Float[Array, "..."], Q_keV: Float[Array, "..."], by_shell: bool = False
    ) -> Float[Array, "..."]:
        S, _ = self._continuum(T_keV, Q_keV)
        return self._sum(S[..., None], by_shell)

    def transverse(
        self, T_keV: Float[Array, "..."], Q_keV: Float[Array, "..."], by_shell: bool = False
    ) -> Float[Array, "..."]:
        S, ratio = self._continuum(T_keV, Q_keV)
        return self._sum((S * ratio)[..., None], by_shell)

    def _continuum(
        self, T_keV: Float[Array, "..."], Q_keV: Float[Array, "..."]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """(S, R/S); both finite, with finite gradients, at and below threshold."""
        T, Q = jnp.asarray(T_keV), jnp.asarray(Q_keV)
        p0 = self._p0
        above = self.thresholds_keV[0] <= T
        pe2 = jnp.where(above, 2.0 * _M * T - p0**2, p0**2)
        D = (Q**2 + p0**2 + pe2) ** 2 - 4.0 * Q**2 * pe2
        bracket = 3.0 * Q**2 + p0**2 + pe2
        S = (2.0**8 / 3.0) * _M * p0**6 * Q**2 * bracket / D**3 * _coulomb_factor(Q, p0, pe2)
        S = jnp.where(above, self.electrons[0] * S, 0.0)
        return S, T / (2.0 * _M) * D / (Q**2 * bracket)

    def lines(self) -> Lines:
        n = jnp.arange(2, self.last_n + 1)
        return Lines(self.thresholds_keV[0] * (1.0 - 1.0 / n**2), jnp.zeros_like(n))

    def line_longitudinal(
        self, n: Int[Array, ""], Q_keV: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        """Electrons times |F_{1s→n}(Q)|² (index n means the principal quantum number n + 2).

        |F_n|² = 2⁸ n⁷ K² [(n²−1)/3 + n²K²] [(n−1)²+n²K²]^{n−3} / [(n+1)²+n²K²]^{n+3}, K = Q/p0.
        """
        return self._line(n, Q_keV)[0]

    def line_transverse(self, n: Int[Array, ""], Q_keV: Float[Array, "..."]) -> Float[Array, "..."]:
        """As line_longitudinal times the continuum's R/S at pe² = −p0²/n²."""
        F2, ratio = self._line(n, Q_keV)
        return F2 * ratio

    def _line(
        self, n: Int[Array, ""], Q_keV: Float[Array, "..."]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        level = jnp.asarray(n) + 2.0
        p0, Q = self._p0, jnp.asarray(Q_keV)
        x = (level * Q / p0) ** 2  # n²K²
        lower, upper = (level - 1.0) ** 2 + x, (level + 1.0) ** 2 + x
        F2 = 2.0**8 * level**5 * x * ((level**2 - 1.0) / 3.0 + x) / upper**6
        F2 = self.electrons[0] * F2 * (lower / upper) ** (level - 3.0)
        pe2 = -((p0 / level) ** 2)
        T = self.thresholds_keV[0] * (1.0 - 1.0 / level**2)
        D = (Q**2 + p0**2 + pe2) ** 2 - 4.0 * Q**2 * pe2
        return F2, T / (2.0 * _M) * D / (Q**2 * (3.0 * Q**2 + p0**2 + pe2))


def _coulomb_factor(
    Q: Float[Array, "..."], p0: Float[Array, ""], pe2: Float[Array, "..."]
) -> Float[Array, "..."]:
    """exp{−2η atan2(2 p0 pe, B)}/(1 − e^{−2πη}), B = Q² + p0² − pe²: analytic in pe² at pe = 0."""
    B = Q**2 + p0**2 - pe2
    z = (2.0 * p0 / B) ** 2 * pe2
    small = (z < 0.01) & (B > 0.0)
    pe = jnp.sqrt(jnp.maximum(pe2, 1e-6 * p0**2))  # smaller pe only where `small`
    eta = p0 / pe
    # atan(√z)/√z = Σ (−z)^k/(2k+1): ten terms give 1e-21 for z < 0.01
    series = jnp.polyval(jnp.array([(-1.0) ** k / (2 * k + 1) for k in range(9, -1, -1)]), z)
    phase = jnp.where(
        small,
        2.0 * p0**2 / jnp.where(small, B, 1.0) * series,
        eta * jnp.arctan2(2.0 * p0 * pe, B),
    )
    return jnp.exp(-2.0 * phase) / -jnp.expm1(-2.0 * jnp.pi * eta)


def hydrogenic_ion(
    target: str, electrons: float = 1.0, last_n: int = NUMERICS.line_states
) -> Hydrogenic:
    """`electrons` 1s electrons, each in the field of the bare nucleus of `target`.

    last_n: the highest principal quantum number kept among the lines.
    """
    Z = element(target).Z
    checks.number_range(
        "electrons", electrons, 0.0, 2.0, "", "the 1s shell holds one or two", open_low=True
    )
    checks.instance("last_n", last_n, int, "keep the lines 1s→2 to 1s→last_n")
    checks.number_range("last_n", last_n, 2, 1000, "", "keep the lines 1s→2 to 1s→last_n")
    threshold = (Z * ATOMIC_MOMENTUM_keV) ** 2 / (2.0 * _M)
    return Hydrogenic(
        target,
        "hydrogenic",
        Z,
        ("1s",),
        jnp.atleast_1d(jnp.asarray(electrons, dtype=float)),
        jnp.array([threshold]),
        int(last_n),
    )
