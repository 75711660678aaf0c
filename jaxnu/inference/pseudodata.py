"""Data that a model makes: its own expectation (Asimov data), or random draws (toys)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnu.errors import InputError
from jaxnu.inference.model import Measurement, Model, free_background, mc_factor, split_samples


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
        b = free_background(m, rates) if m.free_background else split_samples(rates, m.signal)[1]
        on = total + b if m.free_background else total
        return {"counts": on, "off": m.data["ratio"] * b}
    if m.mc_error is not None:
        b, s = split_samples(rates, m.with_variance)
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
