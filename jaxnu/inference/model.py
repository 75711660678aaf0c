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
from jaxnu.errors import InputError
from jaxnu.inference.settings import STATISTICS
from jaxnu.precision import require_x64

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


def _split(rates: Array, chosen: Sequence[bool]) -> tuple[Array, Array]:
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
    b, s = _split(rates, measurement.with_variance)
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
    b, s = _split(rates, m.with_variance)
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
        s, b = _split(rates, m.signal)
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
        background = np.asarray(_split(m.template, m.nominal)[0])
        seen = np.arange(background.size) < background.size - 1
        if m.kind != "unbinned":
            seen = np.asarray(m.data["counts"]) > 0.0
        if np.any(seen & ~(background > 0.0)):
            return True
    return False


# ---- making measurements -------------------------------------------------------------------------


def binned(name: str, counts: ArrayLike, samples: Sequence[Sample]) -> Measurement:
    """Counts n_b ~ Poisson(λ_b).

    With variances, λ_b = γ_b Σ (samples with a variance) + Σ (others), γ_b ~ N(1, ε_b) and ε_b =
    sqrt(Σ variance)/Σ template, one γ per bin (Barlow–Beeston–Conway, arXiv:1103.0354), profiled
    in closed form.

    Args:
        name: of the measurement.
        counts: (bins,) events.
        samples: each with a template of that length.

    Raises:
        InputError: for counts that are negative or not finite, and for bad samples, such as a
            variance above zero where the template is zero.
    """
    data = {"counts": _array(f"{name}: counts", counts, 0.0)}
    return _measurement(name, "binned", samples, data)


def difference(
    name: str,
    values: ArrayLike,
    samples: Sequence[Sample],
    sigma: ArrayLike | None = None,
    covariance: ArrayLike | None = None,
) -> Measurement:
    """Values with Gaussian errors, such as an ON − OFF spectrum: y ~ N(λ, C).

    Args:
        name: of the measurement.
        values: (bins,) observed.
        samples: expected, in the unit of the values.
        sigma: (bins,) 1σ per bin, or
        covariance: (bins, bins), positive definite.

    Raises:
        InputError: unless exactly one of sigma and covariance is given, and usable.
    """
    if (sigma is None) == (covariance is None):
        raise InputError(f"{name}: sigma and covariance: give exactly one of them")
    observed = _array(f"{name}: values", values, -1e300)
    if sigma is not None:
        checks.number_range(
            f"{name}: sigma", sigma, 0.0, 1e300, "", "1σ of each value", open_low=True
        )
        whitening = jnp.diag(1.0 / jnp.broadcast_to(jnp.asarray(sigma, float), observed.shape))
    else:
        matrix = _array(f"{name}: covariance", covariance, -1e300)
        if matrix.shape != (observed.size, observed.size):
            raise InputError(
                f"{name}: covariance has shape {matrix.shape} for {observed.size} values; give "
                "one row and one column for each"
            )
        whitening = jnp.linalg.inv(jnp.linalg.cholesky(matrix))
        if not checks.is_traced(whitening) and not np.isfinite(whitening).all():
            raise InputError(f"{name}: covariance is not positive definite; give variances > 0")
    data = {"values": observed, "whitening": whitening}
    return _measurement(name, "difference", samples, data)


def on_off(
    name: str,
    on: ArrayLike,
    off: ArrayLike,
    ratio: ArrayLike,
    samples: Sequence[Sample],
    background: str = "model",
) -> Measurement:
    """Simultaneous ON and OFF counts: n_on ~ Poisson(s + b), n_off ~ Poisson(τ b), per bin.

    Args:
        name: of the measurement.
        on, off: (bins,) events.
        ratio: τ, live time OFF over ON (a number or one per bin).
        samples: with background="model" the signals are s and the others b; with "free" b is an
            unknown of each bin, known from the OFF data alone and profiled in closed form, and
            every sample is in the ON data only.
        background: "model" or "free".

    Raises:
        InputError: for bad counts, ratio or samples.
    """
    checks.one_of("background", background, ("model", "free"))
    counts = _array(f"{name}: on", on, 0.0)
    checks.number_range(
        f"{name}: ratio", ratio, 0.0, 1e9, "", "live time OFF over ON", open_low=True
    )
    data = {
        "counts": counts,
        "off": _array(f"{name}: off", off, 0.0),
        "ratio": jnp.broadcast_to(jnp.asarray(ratio, float), counts.shape),
    }
    if data["off"].shape != counts.shape:
        raise InputError(
            f"{name}: off has {data['off'].size} bins and on {counts.size}; give the same bins"
        )
    return _measurement(name, "on_off", samples, data, background == "free")


def unbinned(name: str, samples: Sequence[Sample]) -> Measurement:
    """Extended unbinned likelihood: −ln L = Σ_s N_s − Σ_events ln Σ_s ρ_s(E_event).

    Args:
        name: of the measurement.
        samples: templates of length events + 1: the density ρ_s(E) = dN_s/dE at the energy of
            each event, and last the total N_s, the integral of ρ_s.

    Raises:
        InputError: for bad samples.
    """
    return _measurement(name, "unbinned", samples, {})


def _array(name: str, value: Any, low: float) -> Array:
    checks.number_range(name, value, low, 1e300, "", "give finite numbers, one for each bin")
    array = jnp.atleast_1d(jnp.asarray(value, float))
    if array.size == 0:
        raise InputError(f"{name} = [] is empty; give one number for each bin")
    return array


def _measurement(
    name: str,
    kind: str,
    samples: Sequence[Sample],
    data: dict[str, Array],
    free_background: bool = False,
) -> Measurement:
    require_x64(kind)
    samples = tuple(samples)
    if not samples:
        raise InputError(f"{name}: samples = () is empty; give a signal and what lies under it")
    names = [s.name for s in samples]
    if len(set(names)) < len(names):
        raise InputError(f"{name}: samples = {names} repeat a name; name each one apart")
    observed = data.get("counts", data.get("values"))
    bins = len(samples[0].template) if observed is None else observed.shape[0]
    lowest = -1e300 if kind == "difference" else 0.0
    for s in samples:
        label = f"{name}: {s.name}"
        _sized(f"{label}: template", s.template, bins, -1e300 if s.powers else lowest)
        for key, power in s.powers:
            if not (isinstance(power, int) and power >= 1):
                raise InputError(
                    f"{label}: power of {key!r} = {power!r}; allowed: 1, 2, …; leave out a "
                    "parameter that the sample does not depend on"
                )
        for key, delta in s.shapes.items():
            _sized(f"{label}: shape {key!r}", delta, bins, -1e300)
        for key, sigma in s.norms.items():
            checks.number_range(
                f"{label}: norm {key!r}", sigma, -1e3, 1e3, "", "σ of 1 + σα; 5% is 0.05"
            )
        if s.variance is not None:
            _sized(f"{label}: variance", s.variance, bins, 0.0)
            if kind != "binned":
                raise InputError(
                    f"{label}: variance is given in a {kind} measurement; Monte Carlo errors are "
                    "for binned ones"
                )
    template = jnp.stack([jnp.asarray(s.template, float) for s in samples])
    norm_names = tuple(dict.fromkeys(k for s in samples for k in s.norms))
    shape_names = tuple(dict.fromkeys(k for s in samples for k in s.shapes))
    power_names = tuple(dict.fromkeys(k for s in samples for k, _ in s.powers))
    zero = jnp.zeros(bins)
    with_variance = tuple(s.variance is not None for s in samples)
    mc_error = None
    if any(with_variance):
        variance = sum(jnp.asarray(s.variance, float) for s in samples if s.variance is not None)
        total, _ = _split(template, with_variance)
        _check_variance(name, variance, total)
        mc_error = jnp.sqrt(jnp.asarray(variance)) / jnp.where(total > 0.0, total, jnp.inf)
        data = {**data, "mc_centre": jnp.ones(bins)}
    return Measurement(
        template=template,
        norm=jnp.array(
            [[jnp.asarray(s.norms.get(k, 0.0), float) for k in norm_names] for s in samples]
        ).reshape(len(samples), len(norm_names)),
        shift=jnp.array(
            [[jnp.asarray(s.shapes.get(k, zero), float) for k in shape_names] for s in samples]
        ).reshape(len(samples), len(shape_names), bins),
        mc_error=mc_error,
        data=data,
        name=name,
        kind=kind,
        samples=tuple(names),
        signal=tuple(s.signal for s in samples),
        with_variance=with_variance,
        norm_names=norm_names,
        shape_names=shape_names,
        free_background=free_background,
        power_names=power_names,
        powers=tuple(tuple(dict(s.powers).get(k, 0) for k in power_names) for s in samples),
    )


def _check_variance(name: str, variance: Any, total: Any) -> None:
    """Refuse an error of zero expected counts, which a factor γ cannot carry."""
    if checks.is_traced(variance, total):
        return
    lost = (np.asarray(variance) > 0.0) & ~(np.asarray(total) > 0.0)
    if lost.any():
        at = int(np.argmax(lost))
        raise InputError(
            f"{name}: variance[{at}] = {float(variance[at]):g} where the templates with a variance "
            "are 0, which no factor of them can vary; allowed: 0 there; give a template above "
            "zero, or merge the bin with its neighbour"
        )


def _sized(name: str, value: Any, bins: int, low: float) -> None:
    checks.number_range(name, value, low, 1e300, "events", "give a finite number for each bin")
    if tuple(getattr(value, "shape", np.shape(value))) != (bins,):
        raise InputError(
            f"{name} has shape {np.shape(value)} for {bins} bins; give one number for each bin"
        )


def build_model(
    measurements: Measurement | Sequence[Measurement],
    free: Sequence[str] = (),
    bounds: Mapping[str, tuple[float, float]] | None = None,
) -> Model:
    """The likelihood of one or several measurements.

    Args:
        measurements: from binned, difference, on_off, unbinned. They share x, and nuisances of
            the same name; a nuisance named in one only is its own.
        free: names of the nuisances without a constraint; the others have (α − a)²/2, a = 0.
        bounds: nuisance → (lowest, highest) α; without, only factors 1 + σα ≥ 0 bound α.

    Returns:
        A Model: a pytree, differentiable in templates, modifiers and data.

    Raises:
        InputError: for measurements with the same name, an unknown nuisance, bounds that exclude
            each other, no signal anywhere, or counts where nothing is expected.
    """
    found = (measurements,) if isinstance(measurements, Measurement) else tuple(measurements)
    labels = [m.name for m in found]
    if not found or len(set(labels)) < len(labels):
        raise InputError(f"measurements = {labels}: give at least one, and name each one apart")
    named = (n for m in found for n in (*m.norm_names, *m.shape_names, *m.power_names))
    names = tuple(dict.fromkeys(named))
    if POI in names:
        raise InputError(f"nuisance {POI!r} has the name of the signal strength; rename it")
    bounds = dict(bounds or {})
    for name in (*free, *bounds):
        checks.one_of("nuisance", name, names)
    for name in (n for m in found for n in m.power_names):
        if name not in free:
            raise InputError(
                f"parameter {name!r} of the powers of a sample is not free; allowed: a free one, "
                f"which nothing constrains; give free=({name!r},)"
            )
    lower: dict[str, Any] = {n: -jnp.inf for n in names}
    upper: dict[str, Any] = {n: jnp.inf for n in names}
    for m in found:
        for column, name in enumerate(m.norm_names):
            sigma = m.norm[:, column]
            edge = -1.0 / jnp.where(sigma == 0.0, 1.0, sigma)
            lower[name] = jnp.maximum(lower[name], jnp.max(jnp.where(sigma > 0.0, edge, -jnp.inf)))
            upper[name] = jnp.minimum(upper[name], jnp.min(jnp.where(sigma < 0.0, edge, jnp.inf)))
    for name, (low, high) in bounds.items():
        if not low < high:
            raise InputError(
                f"bounds of {name!r} = ({low:g}, {high:g}) do not increase; give (lowest, highest)"
            )
        lower[name] = jnp.maximum(lower[name], low)
        upper[name] = jnp.minimum(upper[name], high)
    count = len(names)
    model = Model(
        measurements=found,
        auxiliary=jnp.zeros(count),
        lower=jnp.array([lower[n] for n in names], float).reshape(count),
        upper=jnp.array([upper[n] for n in names], float).reshape(count),
        nuisances=names,
        free=tuple(free),
    )
    if not checks.is_traced(model):
        _check_model(model)
    return model


def _check_model(model: Model) -> None:
    """Refuse a model from which no limit follows."""
    total = 0.0
    for name, low, high in zip(model.nuisances, model.lower, model.upper, strict=True):
        if not low < high:
            raise InputError(
                f"bounds of {name!r} leave ({float(low):g}, {float(high):g}): no value keeps "
                "1 + σα ≥ 0; widen the bounds"
            )
    for m in model.measurements:
        template = np.asarray(m.template)
        total += float(np.sum(np.abs(template[np.asarray(m.signal)])))
        if m.kind == "difference" or m.free_background:
            continue
        lasting = [s or n for s, n in zip(m.signal, m.nominal, strict=True)]
        reached = template[np.asarray(lasting)].sum(axis=0) > 0.0
        seen = np.ones(reached.size, bool) if m.kind == "unbinned" else m.data["counts"] > 0
        if m.kind == "on_off":
            behind, _ = _split(m.template, [not s for s in m.signal])
            seen, reached = seen | (m.data["off"] > 0), np.where(m.data["off"] > 0, behind, reached)
        empty = np.asarray(seen) & ~(np.asarray(reached) > 0.0)
        if empty.any():
            at = int(np.argmax(empty))
            raise InputError(
                f"{m.name}: counts[{at}] are above zero where neither signal nor background is "
                "expected; give a background above zero there or drop the bin"
            )
    if not total > 0.0:
        raise InputError(
            "the signal template is 0 events in all bins, so no limit follows; give one sample "
            "with signal=True and counts above zero"
        )


# ---- data from the model -------------------------------------------------------------------------


def asimov(model: Model, theta: Float[Array, "K+1"]) -> Model:
    """The model with its own expectation at θ as data (arXiv:1007.1727, section 3.2).

    Counts are λ(θ), the auxiliary centres α. A fit of it gives θ back.
    """
    _refuse_unbinned(model, "Asimov data")
    data: dict[str, dict[str, Array]] = {}
    for m, rates in zip(model.measurements, model.rates(theta), strict=True):
        data[m.name] = {**_expectation(m, rates)}
        if m.mc_error is not None:
            data[m.name]["mc_centre"] = mc_factor(m, rates)
    auxiliary = jnp.where(model.constrained > 0.0, theta[1:], 0.0)
    return model.with_data(data, auxiliary)


def _expectation(m: Measurement, rates: Array) -> dict[str, Array]:
    """Expected data of a measurement; γ and free backgrounds as fitted to the data it holds."""
    total = jnp.sum(rates, axis=0)
    if m.kind == "difference":
        return {"values": total}
    if m.kind == "on_off":
        b = free_background(m, rates) if m.free_background else _split(rates, m.signal)[1]
        on = total + b if m.free_background else total
        return {"counts": on, "off": m.data["ratio"] * b}
    if m.mc_error is not None:
        b, s = _split(rates, m.with_variance)
        total = mc_factor(m, rates) * b + s
    return {"counts": jnp.maximum(total, 0.0)}


def simulate(model: Model, theta: Float[Array, "K+1"], key: Array) -> Model:
    """The model with random data drawn at θ, auxiliary measurements included.

    Counts from Poisson, values from their covariance, constraint centres from N(α, 1), the
    centres of Monte Carlo factors from N(γ, ε); γ and free backgrounds of each bin are those that
    the model's own data give at θ. Not for unbinned measurements.
    """
    _refuse_unbinned(model, "toys")
    data: dict[str, dict[str, Array]] = {}
    for i, (m, rates) in enumerate(zip(model.measurements, model.rates(theta), strict=True)):
        first, second = jax.random.split(jax.random.fold_in(key, i))
        expected = _expectation(m, rates)
        if m.kind == "difference":
            noise = jax.random.normal(first, expected["values"].shape)
            drawn = expected["values"] + jnp.linalg.solve(m.data["whitening"], noise)
            data[m.name] = {"values": drawn}
            continue
        data[m.name] = {"counts": _draw(first, expected["counts"])}
        if m.kind == "on_off":
            data[m.name]["off"] = _draw(second, expected["off"])
        if m.mc_error is not None:
            shift = m.mc_error * jax.random.normal(second, m.mc_error.shape)
            data[m.name]["mc_centre"] = mc_factor(m, rates) + shift
    noise = jax.random.normal(jax.random.fold_in(key, len(data)), model.auxiliary.shape)
    return model.with_data(data, jnp.where(model.constrained > 0.0, theta[1:] + noise, 0.0))


def _draw(key: Array, rate: Array) -> Array:
    return jax.random.poisson(key, rate).astype(float)


def _refuse_unbinned(model: Model, what: str) -> None:
    for m in model.measurements:
        if m.kind == "unbinned":
            raise InputError(
                f"{m.name}: {what} need densities between the observed events, which an unbinned "
                "measurement does not hold; remedy: use binned() with narrow bins"
            )
