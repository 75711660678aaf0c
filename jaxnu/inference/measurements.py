"""Measurements from arrays, a model from measurements; refused where no limit follows."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from jaxnu import checks
from jaxnu.errors import InputError
from jaxnu.inference.model import POI, Measurement, Model, Sample, split_samples
from jaxnu.precision import require_x64


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
        total, _ = split_samples(template, with_variance)
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
            behind, _ = split_samples(m.template, [not s for s in m.signal])
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
