"""Likelihood of a signal strength x ≥ 0 and nuisances α, from arrays: templates and data.

    λ_b(x, α) = Σ_s x^[s is signal] · Π_k α_k^p_sk (1 + σ_sk α_k) · (t_sb + Σ_k α_k δ_skb)

over the samples s of a measurement. Three things make a model: a `Sample` is a template with its
modifiers, a `Measurement` is samples with data (`binned`, `difference`, `on_off`, `unbinned`), a
`Model` (from `build_model`) is measurements that share x and the nuisances of the same name.
α = 0 is nominal; each α has the constraint (α − a)²/2, with a = 0 observed, unless it is free.
A free α with powers p is a parameter beside x: amplitudes that interfere are polynomials in it.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, ArrayLike, Float

from jaxnu import checks, precision  # noqa: F401
from jaxnu.inference.settings import STATISTICS

POI = "x"  # name of the parameter of interest
CLOSE = 0.05  # |λ/n − 1| below which −ln L is summed as a series: 0.05^13 = 1e-17
KINDS = ("binned", "difference", "on_off", "unbinned")


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Sample:
    """Expected counts of one process in one measurement, and what may change them.

    name: of the process (static).
    template: (bins,) nominal counts per bin; of a signal at x = 1.
    signal: multiplied by x (static).
    norms: nuisance → σ, a factor 1 + σα (for a free nuisance σ = 1, the factor is 1 + α ≥ 0).
    shapes: nuisance → (bins,) δ, added to the template as αδ.
    variance: (bins,) variance of the template from finite Monte Carlo, or None.
    powers: pairs (nuisance, power), a factor α^power ≥ 1; the nuisance is then a parameter, free
        and without a nominal share of what is expected (static).
    """

    name: str = field(metadata={"static": True})
    template: Any
    signal: bool = field(default=False, metadata={"static": True})
    norms: Mapping[str, Any] = field(default_factory=dict)
    shapes: Mapping[str, Any] = field(default_factory=dict)
    variance: Any = None
    powers: tuple[tuple[str, int], ...] = field(default=(), metadata={"static": True})


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Measurement:
    """Samples stacked into arrays, with data. Made by binned, difference, on_off, unbinned.

    template: t. norm: σ of the nuisances `norm_names`. shift: δ of the nuisances `shape_names`.
    powers: of the parameters `power_names`, for each sample.
    mc_error: relative error of the samples with a variance, per bin, or None.
    data: what was observed, by name, and known constants of it.
    """

    template: Float[Array, "samples bins"]
    norm: Float[Array, "samples norms"]
    shift: Float[Array, "samples shapes bins"]
    mc_error: Float[Array, "bins"] | None
    data: dict[str, Array]
    name: str = field(metadata={"static": True})
    kind: str = field(metadata={"static": True})
    samples: tuple[str, ...] = field(metadata={"static": True})
    signal: tuple[bool, ...] = field(metadata={"static": True})
    with_variance: tuple[bool, ...] = field(metadata={"static": True})
    norm_names: tuple[str, ...] = field(metadata={"static": True})
    shape_names: tuple[str, ...] = field(metadata={"static": True})
    free_background: bool = field(default=False, metadata={"static": True})
    power_names: tuple[str, ...] = field(default=(), metadata={"static": True})
    powers: tuple[tuple[int, ...], ...] = field(default=(), metadata={"static": True})

    @property
    def nominal(self) -> tuple[bool, ...]:
        """Which samples are expected where x and all parameters are zero."""
        powers = self.powers or ((),) * len(self.signal)
        return tuple(not (s or any(p)) for s, p in zip(self.signal, powers, strict=True))

    @property
    def reference(self) -> Float[Array, "bins"]:
        """Nominal background plus one signal event: a size of λ for floors and scales."""
        signal = jnp.asarray(self.signal)[:, None]
        total = jnp.sum(jnp.where(signal, self.template, 0.0))
        event = jnp.where(signal, self.template, 0.0) / jnp.where(total > 0.0, total, 1.0)
        nominal = jnp.asarray(self.nominal)[:, None]
        return lax.stop_gradient(
            jnp.sum(event + jnp.where(nominal, jnp.abs(self.template), 0.0), axis=0)
        )

    def rates(self, x: ArrayLike, alpha: Mapping[str, Array]) -> Float[Array, "samples bins"]:
        """Expected counts of each sample; alpha maps the names of nuisances to values."""
        factor = jnp.ones(len(self.samples))
        for column, name in enumerate(self.norm_names):
            factor = factor * (1.0 + self.norm[:, column] * alpha[name])
        if self.power_names:
            factor = factor * jnp.stack([self._product(row, alpha) for row in self.powers])
        factor = jnp.where(jnp.asarray(self.signal), x * factor, factor)
        shape = self.template
        if self.shape_names:
            pulls = jnp.stack([alpha[name] for name in self.shape_names])
            shape = shape + jnp.einsum("m,smb->sb", pulls, self.shift)
        return factor[:, None] * shape

    def _product(self, powers: tuple[int, ...], alpha: Mapping[str, Array]) -> Array:
        """Π α^power of one sample."""
        product = jnp.ones(())
        for name, power in zip(self.power_names, powers, strict=True):
            product = product * jnp.asarray(alpha[name]) ** power if power else product
        return product


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Model:
    """Measurements that share x and the nuisances of the same name.

    auxiliary: (K,) observed centres a of the constraints, 0 in real data.
    lower, upper: (K,) bounds of α; no factor 1 + σα is negative.
    nuisances, free: names; the free ones have no constraint.
    """

    measurements: tuple[Measurement, ...]
    auxiliary: Float[Array, "K"]
    lower: Float[Array, "K"]
    upper: Float[Array, "K"]
    nuisances: tuple[str, ...] = field(metadata={"static": True})
    free: tuple[str, ...] = field(metadata={"static": True})

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters θ = (x, α)."""
        return (POI, *self.nuisances)

    @property
    def constrained(self) -> np.ndarray:
        """(K,) 1 for a nuisance with a constraint, 0 for a free one."""
        return np.array([float(name not in self.free) for name in self.nuisances])

    def rates(self, theta: Float[Array, "K+1"]) -> tuple[Float[Array, "samples bins"], ...]:
        """Expected counts of each sample of each measurement."""
        alpha = dict(zip(self.nuisances, theta[1:], strict=True))
        return tuple(m.rates(theta[0], alpha) for m in self.measurements)

    def minus_log_likelihood(self, theta: Float[Array, "K+1"]) -> Float[Array, ""]:
        """−ln L(x, α) up to a constant of the data; zero where the model is the data."""
        pull = (theta[1:] - self.auxiliary) * self.constrained
        total = 0.5 * jnp.sum(pull**2)
        for measurement, rates in zip(self.measurements, self.rates(theta), strict=True):
            total = total + _TERMS[measurement.kind](measurement, rates)
        return total

    def with_data(self, data: Mapping[str, Mapping[str, Any]], auxiliary: Any = None) -> "Model":
        """The same model with other data: measurement → {"counts": …}; others stay."""
        for name in data:
            checks.one_of("measurement", name, [m.name for m in self.measurements])
        measurements = tuple(
            dataclasses.replace(
                m,
                data={**m.data, **{k: jnp.asarray(v) for k, v in data.get(m.name, {}).items()}},
            )
            for m in self.measurements
        )
        auxiliary = self.auxiliary if auxiliary is None else jnp.asarray(auxiliary)
        return dataclasses.replace(self, measurements=measurements, auxiliary=auxiliary)


# ---- what the data say ---------------------------------------------------------------------------


def _floored_log(rate: Array, floor: Array) -> Array:
    """ln λ, continued below the floor by its second-order expansion: concave and finite."""
    reached = floor > 0.0
    base = jnp.where(reached, jnp.maximum(rate, floor), 1.0)
    excess = jnp.where(reached, jnp.minimum(rate / base, 1.0) - 1.0, 0.0)
    return jnp.log(base) + excess - 0.5 * excess**2


def _poisson(counts: Array, rate: Array, floor: Array) -> Array:
    """λ − n + n ln(n/λ) per bin; λ < 0 is held off by a parabola where n = 0."""
    seen, reached = counts > 0.0, floor > 0.0
    own = jnp.where(seen, counts, 1.0)
    base = jnp.where(reached, jnp.maximum(rate, floor), 1.0)
    excess = jnp.where(reached, jnp.minimum(rate / base, 1.0) - 1.0, 0.0)
    log_ratio = jnp.log(base / own) + excess - 0.5 * excess**2
    # near λ = n the terms cancel, and many counts would leave little but rounding: by the series
    # of d − ln(1 + d), d = λ/n − 1
    d = (rate - own) / own
    close = seen & (jnp.abs(d) < CLOSE)
    small = jnp.where(close, d, 0.0)
    series = sum((-1.0) ** k / k * small ** (k - 2) for k in range(2, 15))
    term = jnp.where(close, own * small**2 * series, rate - counts - counts * log_ratio)
    safe = jnp.where(floor > 0.0, floor, 1.0)
    below = jnp.where(floor > 0.0, jnp.minimum(rate / safe - 1.0, 0.0), 0.0)
    return jnp.where(floor > 0.0, term + jnp.where(seen, 0.0, 0.5 * floor * below**2), 0.0)


def split_samples(rates: Array, chosen: Sequence[bool]) -> tuple[Array, Array]:
    """Sum of the chosen samples, sum of the others."""
    mask = jnp.asarray(chosen)[:, None]
    return (
        jnp.sum(jnp.where(mask, rates, 0.0), axis=0),
        jnp.sum(jnp.where(mask, 0.0, rates), axis=0),
    )


def mc_factor(measurement: Measurement, rates: Float[Array, "samples bins"]) -> Array:
    """γ per bin that minimises −ln Poisson(n; γb + s) + (γ − c)²/2ε² for γ ≥ 0.

    The root of bγ² + (b²ε² + s − cb)γ − (nb − bs)ε² − cs = 0; b are the samples with a variance.
    """
    b, s = split_samples(rates, measurement.with_variance)
    n, c = measurement.data["counts"], measurement.data["mc_centre"]
    error = jnp.asarray(measurement.mc_error)
    b = jnp.where(b > 0.0, b, 1e-300)
    middle = b**2 * error**2 + s - c * b
    last = (n * b - b * s) * error**2 + c * s
    seen = n > 0.0
    root = jnp.sqrt(jnp.where(seen, jnp.maximum(middle**2 + 4.0 * b * last, 1e-300), 1.0))
    positive = middle > 0.0
    gamma = jnp.where(
        positive,
        2.0 * last / jnp.where(positive, middle + root, 1.0),
        (root - middle) / (2.0 * b),
    )
    return jnp.maximum(jnp.where(seen, gamma, c - b * error**2), 0.0)


def _binned_term(m: Measurement, rates: Array) -> Array:
    floor = STATISTICS.floor * m.reference
    if m.mc_error is None:
        return jnp.sum(_poisson(m.data["counts"], jnp.sum(rates, axis=0), floor))
    b, s = split_samples(rates, m.with_variance)
    gamma = mc_factor(m, rates)
    known = m.mc_error > 0.0
    pull = (gamma - m.data["mc_centre"]) / jnp.where(known, m.mc_error, 1.0)
    penalty = 0.5 * jnp.sum(jnp.where(known, pull**2, 0.0))
    return penalty + jnp.sum(_poisson(m.data["counts"], gamma * b + s, floor))


def _difference_term(m: Measurement, rates: Array) -> Array:
    residual = jnp.sum(rates, axis=0) - m.data["values"]
    return 0.5 * jnp.sum((m.data["whitening"] @ residual) ** 2)


def free_background(measurement: Measurement, rates: Float[Array, "samples bins"]) -> Array:
    """b per bin that maximises Poisson(n_on; s + b) Poisson(n_off; τb), for b ≥ 0.

    The root of (1+τ)b² + [(1+τ)s − n_on − n_off]b − n_off s = 0.
    """
    data, s = measurement.data, jnp.sum(rates, axis=0)
    on, off, width = data["counts"], data["off"], 1.0 + data["ratio"]
    middle, last = width * s - on - off, width * off * s
    curved = (off > 0.0) & (s > 0.0)
    root = jnp.sqrt(jnp.where(curved, middle**2 + 4.0 * last, 1.0))
    straight = jnp.maximum(-middle, 0.0) / width
    positive = curved & (middle > 0.0)
    stable = 2.0 * last / (width * jnp.where(positive, middle + root, 1.0))
    return jnp.where(positive, stable, jnp.where(curved, (root - middle) / (2.0 * width), straight))


def _on_off_term(m: Measurement, rates: Array) -> Array:
    data = m.data
    if m.free_background:
        b, s = free_background(m, rates), jnp.sum(rates, axis=0)
        reference = m.reference + (data["counts"] + data["off"]) / (1.0 + data["ratio"])
    else:
        s, b = split_samples(rates, m.signal)
        reference = m.reference
    floor = STATISTICS.floor * lax.stop_gradient(reference)
    on = _poisson(data["counts"], s + b, floor)
    off = _poisson(data["off"], data["ratio"] * b, data["ratio"] * floor)
    return jnp.sum(on + off)


def _unbinned_term(m: Measurement, rates: Array) -> Array:
    density, total = jnp.sum(rates, axis=0)[:-1], jnp.sum(rates[:, -1])
    reference = m.reference[:-1]
    logs = _floored_log(density, STATISTICS.floor * reference) - jnp.log(
        jnp.where(reference > 0.0, reference, 1.0)
    )
    return total - jnp.sum(logs)


_TERMS = dict(
    zip(KINDS, (_binned_term, _difference_term, _on_off_term, _unbinned_term), strict=True)
)


def unreached(model: Model, theta: Float[Array, "K+1"]) -> Array:
    """Whether an observed count (or event) lies where λ is at or below its floor, any bin."""
    found = jnp.array(False)
    for m, rates in zip(model.measurements, model.rates(theta), strict=True):
        if m.kind == "difference" or m.free_background:
            continue
        floor, total = STATISTICS.floor * m.reference, jnp.sum(rates, axis=0)
        seen = jnp.arange(total.size) < total.size - 1
        if m.kind != "unbinned":
            seen = m.data["counts"] > 0.0
        found |= jnp.any(seen & ~(total > floor))
    return found


def needs_signal(model: Model) -> bool:
    """Whether data lie where only signal is expected: L(x = 0) = 0. On the host."""
    for m in model.measurements:
        if m.kind == "difference" or m.free_background:
            continue
        background = np.asarray(split_samples(m.template, m.nominal)[0])
        seen = np.arange(background.size) < background.size - 1
        if m.kind != "unbinned":
            seen = np.asarray(m.data["counts"]) > 0.0
        if np.any(seen & ~(background > 0.0)):
            return True
    return False
