"""Binned Poisson likelihood of a signal strength and a background norm."""

from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxnu import precision  # noqa: F401


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class BinnedModel:
    """Counts n_i ~ Poisson(x s_i + β b_i), with x ≥ 0 the parameter of interest.

    counts, signal, background: n, s, b per bin. x is μ² in the unit that `signal` is given for.
    background_uncertainty: 1σ of β around 1, used unless the norm floats (static).
    Expected counts are linear in θ = (x, β), so −ln L is convex and its derivatives are short.
    """

    counts: Float[Array, "bins"]
    signal: Float[Array, "bins"]
    background: Float[Array, "bins"]
    background_uncertainty: Float[Array, ""]
    background_floating: bool = field(metadata={"static": True})

    @property
    def reference(self) -> Float[Array, "bins"]:
        """Background plus one signal event: a size of λ for scales."""
        return self.background + self.signal / jnp.sum(self.signal)

    @property
    def scale(self) -> Float[Array, "2"]:
        """(σ_x, σ_β): uncertainties from the Fisher information at λ = reference."""
        safe = jnp.where(self.reference > 0.0, self.reference, 1.0)
        templates = jnp.stack([self.signal, self.background])
        return 1.0 / jnp.sqrt(jnp.sum(templates**2 / safe, axis=1) + self._constraint)

    def one_shape(self) -> bool:
        """Whether signal and background are one template, but for a factor and rounding."""
        signal, background = np.asarray(self.signal), np.asarray(self.background)
        apart = signal * background.sum() - background * signal.sum()
        return bool(np.abs(apart).max() < 1e-12 * signal.sum() * background.sum())

    @property
    def errors(self) -> Float[Array, "bins"]:
        """√n of each bin."""
        return jnp.sqrt(self.counts)

    def with_signal(self, factor: Float[Array, ""]) -> "BinnedModel":
        """The signal multiplied by a factor."""
        return replace(self, signal=factor * self.signal)

    def asimov(self) -> "BinnedModel":
        """The expected background as the data."""
        return replace(self, counts=self.background)

    def nuisances(self, theta: Float[Array, "2"]) -> dict[str, Array]:
        """{"background": β}."""
        return {"background": theta[1]}

    def expected_background(self, theta: Float[Array, "2"]) -> Float[Array, "bins"]:
        """Background per bin at a point θ of the fit."""
        return theta[1] * self.background

    @property
    def _constraint(self) -> Float[Array, "2"]:
        """1/σ² of the constraint terms on (x, β)."""
        beta = 0.0 if self.background_floating else 1.0 / self.background_uncertainty**2
        return jnp.stack([jnp.zeros(()), jnp.asarray(beta)])

    @property
    def _floor(self) -> Float[Array, "bins"]:
        return 1e-3 * self.reference

    def inside(self, theta: Float[Array, "2"]) -> Bool[Array, "bins"]:
        """Where λ at θ is large enough for ln λ to be itself."""
        return theta @ jnp.stack([self.signal, self.background]) >= self._floor

    def deviance_half(self, theta: Float[Array, "2"]) -> Float[Array, ""]:
        """−ln L(x, β) up to a constant: Σ λ − n + n ln(n/λ), plus (β−1)²/2σ² if constrained."""
        return self.expand(theta)[0]

    def expand(
        self, theta: Float[Array, "2"]
    ) -> tuple[Float[Array, ""], Float[Array, "2"], Float[Array, "2 2"]]:
        """deviance_half with its gradient and Hessian in (x, β).

        λ may pass zero on the way of a fit: below 1e-3 of `reference`, ln λ is continued by its
        second-order expansion, which keeps the function convex and finite. See `inside`.
        """
        templates = jnp.stack([self.signal, self.background])
        n, rate, floor = self.counts, theta @ templates, self._floor
        reached = floor > 0.0  # a bin without signal and background adds nothing
        base = jnp.where(reached, jnp.maximum(rate, floor), 1.0)
        excess = jnp.where(reached, jnp.minimum(rate / base, 1.0) - 1.0, 0.0)
        log_ratio = jnp.log(base / jnp.where(n > 0.0, n, 1.0)) + excess - 0.5 * excess**2
        term = jnp.where(reached, rate - n - n * log_ratio, 0.0)
        slope = jnp.where(reached, 1.0 - n / base * (1.0 - excess), 0.0)
        curvature = jnp.where(reached, n / base**2, 0.0)
        pull = self._constraint * (theta - 1.0)
        return (
            jnp.sum(term) + 0.5 * pull @ (theta - 1.0),
            templates @ slope + pull,
            (templates * curvature) @ templates.T + jnp.diag(self._constraint),
        )
