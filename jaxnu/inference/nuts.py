"""Posterior of x ≥ 0 and all nuisances by the No-U-Turn sampler of numpyro, flat prior in x."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnu import precision  # noqa: F401
from jaxnu.errors import FitError, InputError
from jaxnu.inference.bayes import check_proper
from jaxnu.inference.maximum_likelihood import Fit, bounds, information
from jaxnu.inference.model import Model
from jaxnu.inference.settings import STATISTICS, Statistics

R_HAT_MAX = 1.05  # above it the chains do not agree
ACCEPTED = 0.05  # relative Monte Carlo standard error of a limit, at most
ACCEPTANCE = 0.95  # of a step, aimed at: short steps, for the bend at a bound
SPREAD = 0.5  # of the chains' first points, in 1σ


@dataclass(frozen=True)
class Samples:
    """Draws from a posterior, and how far they can be trusted.

    theta: (chains, draws, P) in the order of names.
    r_hat: parameter → split R̂ of Gelman and Rubin, 1 where the chains agree.
    effective: parameter → effective number of independent draws.
    divergences: trajectories that left the posterior's surface.
    """

    theta: np.ndarray
    names: tuple[str, ...]
    r_hat: dict[str, float]
    effective: dict[str, float]
    divergences: int
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """The diagnostics, without the draws."""
        chains, draws, _ = self.theta.shape
        return {
            "chains": chains, "draws": draws, "seed": self.seed, "r_hat": self.r_hat,
            "effective": self.effective, "divergences": self.divergences,
        }  # fmt: skip

    def check(self) -> "Samples":
        """Itself, or FitError if chains disagree or trajectories diverge."""
        name, worst = max(self.r_hat.items(), key=lambda item: np.nan_to_num(item[1], nan=np.inf))
        if not worst <= R_HAT_MAX or self.divergences > 0:
            raise FitError(
                f"the chains cannot be trusted: R̂ of {name} = {worst:.3f} (allowed {R_HAT_MAX:g}), "
                f"{self.divergences} divergent trajectories (allowed 0); constrain or bound free "
                "nuisances, or raise Statistics.nuts_warmup and nuts_draws"
            )
        return self

    def quantile(self, probability: float) -> tuple[float, float]:
        """(x below which the probability lies, its Monte Carlo standard error).

        The error is half the distance of the quantiles at p ± √(p(1−p)/n), n the effective number
        of independent draws of the event x ≤ quantile.
        """
        from numpyro.diagnostics import effective_sample_size

        x = self.theta[:, :, 0]
        value = float(np.quantile(x, probability))
        count = float(effective_sample_size((x <= value).astype(float)))
        width = (probability * (1.0 - probability) / count) ** 0.5
        ends = np.clip([probability - width, probability + width], 0.0, 1.0)
        low, high = np.quantile(x, ends)
        return value, float(0.5 * (high - low))


def to_theta(
    z: Float[Array, "P"],
    low: Float[Array, "P"],
    high: Float[Array, "P"],
    centre: Float[Array, "P"],
    unit: Float[Array, "P"],
) -> tuple[Float[Array, "P"], Float[Array, ""]]:
    """θ of unbounded coordinates, and ln |∂θ/∂z|.

    low + u softplus(z) with one bound (mirrored for an upper one), low + (high − low) sigmoid(z)
    with two, centre + u z with none: near a bound exponential, far from it in units of u.
    """
    below, above = jnp.isfinite(low), jnp.isfinite(high)
    base, top = jnp.where(below, low, 0.0), jnp.where(above, high, 0.0)
    width = jnp.where(below & above, top - base, 1.0)
    choices = [below & above, below, above]
    theta = jnp.select(
        choices,
        [base + width * jax.nn.sigmoid(z), base + unit * jax.nn.softplus(z),
         top - unit * jax.nn.softplus(-z)],
        centre + unit * z,
    )  # fmt: skip
    rise = jnp.select(
        choices,
        [jnp.log(width) + jax.nn.log_sigmoid(z) + jax.nn.log_sigmoid(-z),
         jnp.log(unit) + jax.nn.log_sigmoid(z), jnp.log(unit) + jax.nn.log_sigmoid(-z)],
        jnp.log(unit),
    )  # fmt: skip
    return theta, jnp.sum(rise)


def from_theta(
    theta: np.ndarray, low: np.ndarray, high: np.ndarray, centre: np.ndarray, unit: np.ndarray
) -> np.ndarray:
    """The inverse of `to_theta`, for points inside the bounds."""
    z = (theta - centre) / unit
    for k in range(theta.size):
        if np.isfinite(low[k]) and np.isfinite(high[k]):
            share = (theta[k] - low[k]) / (high[k] - low[k])
            z[k] = np.log(share / (1.0 - share))
        elif np.isfinite(low[k]):
            z[k] = _inverse_softplus((theta[k] - low[k]) / unit[k])
        elif np.isfinite(high[k]):
            z[k] = -_inverse_softplus((high[k] - theta[k]) / unit[k])
    return z


def _inverse_softplus(y: float) -> float:
    return float(y + np.log(-np.expm1(-y)))


def sample_posterior(
    model: Model, found: Fit, settings: Statistics = STATISTICS, seed: int = 0
) -> Samples:
    """Draws of (x, α) from L(x, α) Π N(a; α, 1), flat in x ≥ 0 and in free nuisances.

    Args:
        model: from build_model.
        found: fit(model): where the chains start.
        settings: nuts_chains, nuts_warmup, nuts_draws.
        seed: of the draws.

    Returns:
        Samples, not checked: call `check`.

    Raises:
        InputError: without numpyro, or if a norm can take the signal to zero.

    Source: Hoffman and Gelman, J. Mach. Learn. Res. 15 (2014) 1593; R̂ and the effective number as
    in numpyro.diagnostics. Monte Carlo factors γ and free backgrounds of ON/OFF bins are profiled.
    """
    try:
        from numpyro.diagnostics import effective_sample_size, split_gelman_rubin
        from numpyro.infer import MCMC, NUTS
    except ImportError:
        raise InputError(
            "method = 'nuts' needs numpyro, which is not installed; allowed: any method without "
            "it; pip install '.[sample]'"
        ) from None
    check_proper(model)
    low, high = (np.asarray(end) for end in bounds(model))
    sigma = np.sqrt(np.diagonal(np.asarray(found.covariance)))
    # the Hessian at a bound may be that of a corner: the 1σ of nominal rates is the least
    unit = np.maximum(sigma, 1.0 / np.sqrt(np.asarray(information(model))))
    theta = np.asarray(found.theta)
    # first points off the bounds, on all sides of the best fit
    rng = np.random.default_rng(seed)
    starts = []
    for _ in range(settings.nuts_chains):
        near = theta + SPREAD * unit * rng.standard_normal(theta.size)
        inside = np.where(np.isfinite(high - low), 0.01 * (high - low), 0.1 * unit)
        near = np.clip(near, low + inside, high - inside)
        starts.append(from_theta(near, low, high, theta, unit))
    edges = tuple(jnp.asarray(value) for value in (low, high, theta, unit))

    def transform(z: Array) -> tuple[Array, Array]:
        return to_theta(z, *edges)

    def potential(z: Array) -> Array:
        point, log_volume = transform(z)
        return model.minus_log_likelihood(point) - log_volume

    kernel = NUTS(potential_fn=potential, dense_mass=True, target_accept_prob=ACCEPTANCE)
    mcmc = MCMC(
        kernel, num_warmup=settings.nuts_warmup, num_samples=settings.nuts_draws,
        num_chains=settings.nuts_chains, chain_method="vectorized", progress_bar=False,
    )  # fmt: skip
    mcmc.run(jax.random.key(seed), init_params=jnp.stack(starts), extra_fields=("diverging",))
    z = mcmc.get_samples(group_by_chain=True)
    draws = np.asarray(jax.jit(jax.vmap(jax.vmap(lambda z: transform(z)[0])))(z))
    columns = dict(zip(model.names, np.moveaxis(draws, 2, 0), strict=True))
    return Samples(
        theta=draws,
        names=model.names,
        r_hat={name: float(split_gelman_rubin(x)) for name, x in columns.items()},
        effective={name: float(effective_sample_size(x)) for name, x in columns.items()},
        divergences=int(np.sum(mcmc.get_extra_fields()["diverging"])),
        seed=seed,
    )


def nuts_interval(
    model: Model,
    found: Fit,
    confidence: float,
    two_sided: bool,
    settings: Statistics = STATISTICS,
    seed: int = 0,
) -> tuple[tuple[float, float], Samples, float]:
    """((low, high), samples, accuracy): (0, CL) quantiles of x, or the two equal tails.

    accuracy: relative Monte Carlo standard error of the upper end.

    Raises:
        InputError: without numpyro, or if the posterior has no end.
        FitError: if the chains disagree or diverge, or the accuracy is above 5%.
    """
    samples = sample_posterior(model, found, settings, seed).check()
    level = 0.5 * (1.0 + confidence) if two_sided else confidence
    high, error = samples.quantile(level)
    if not error <= ACCEPTED * high:
        raise FitError(
            f"the limit by chains is known to {100 * error / high:.2g}% (allowed "
            f"{100 * ACCEPTED:g}%); raise Statistics.nuts_draws, or take method 'profile'"
        )
    low = samples.quantile(1.0 - level)[0] if two_sided else 0.0
    return (low, high), samples, error / high
