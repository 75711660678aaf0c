"""Binned Poisson likelihood of a signal strength and a background norm."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnu import precision  # noqa: F401


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class BinnedModel:
    """Counts n_i ~ Poisson(x s_i + β b_i), with x ≥ 0 the parameter of interest.

    counts, signal, background: n, s, b per bin. x is μ² in the unit that `signal` is given for.
    background_uncertainty: 1σ of β around 1, used unless the norm floats (static).
    """

    counts: Float[Array, "bins"]
    signal: Float[Array, "bins"]
    background: Float[Array, "bins"]
    background_uncertainty: Float[Array, ""]
    background_floating: bool = field(metadata={"static": True})

    @property
    def scale(self) -> Float[Array, "2"]:
        """(σ_x, σ_β): expected uncertainties, the natural units of a fit.

        From the Fisher information at the background plus one signal event.
        """
        expected = self.background + self.signal / jnp.sum(self.signal)
        safe = jnp.where(expected > 0.0, expected, 1.0)
        x = jnp.sum(self.signal**2 / safe)
        beta = jnp.sum(self.background**2 / safe)
        if not self.background_floating:
            beta = beta + 1.0 / self.background_uncertainty**2
        return jnp.sqrt(1.0 / jnp.stack([x, beta]))

    def deviance_half(self, theta: Float[Array, "2"]) -> Float[Array, ""]:
        """−ln L(x, β) up to a constant: Σ λ − n + n ln(n/λ), plus (β−1)²/2σ² if constrained.

        λ may pass zero on the way of a fit: below 1e-3 of its size at the start, ln λ is continued
        by its second-order expansion, which keeps the function convex and finite.
        """
        x, beta = theta
        rate = x * self.signal + beta * self.background
        floor = 1e-3 * (self.background + self.scale[0] * self.signal)
        empty = floor <= 0.0  # a bin that neither signal nor background can reach
        floor = jnp.where(empty, 1.0, floor)
        above = jnp.where((rate > floor) & ~empty, rate, floor)
        excess = jnp.where(rate > floor, 0.0, rate / floor - 1.0)
        log_rate = jnp.log(above) + excess - 0.5 * excess**2
        n = self.counts
        n_log_n = jnp.where(n > 0.0, n * jnp.log(jnp.where(n > 0.0, n, 1.0)), 0.0)
        total = jnp.sum(jnp.where(empty, rate, rate - n + n_log_n - n * log_rate))
        if not self.background_floating:
            total = total + 0.5 * ((beta - 1.0) / self.background_uncertainty) ** 2
        return total
