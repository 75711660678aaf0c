"""Limits on μ_ν by every method, of one experiment or of several in one likelihood."""

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnu.errors import InputError
from jaxnu.inference import crossing
from jaxnu.inference.crossing import limit_value
from jaxnu.inference.experiment_model import BACKGROUND, MU2_UNIT, ExperimentModel
from jaxnu.inference.likelihood import BinnedModel
from jaxnu.inference.measurements import binned, build_model
from jaxnu.inference.methods import Inference, infer, limit_impacts
from jaxnu.inference.model import Measurement, Model, Sample
from jaxnu.inference.pseudodata import asimov

JOINT = ": "  # between the name of an experiment and that of its nuisance
SINGLE = "one"  # measurement of a likelihood that has no name of its own


def general(likelihood: BinnedModel | ExperimentModel) -> ExperimentModel:
    """A likelihood of one signal and one background norm in the form that every method takes."""
    if isinstance(likelihood, ExperimentModel):
        return likelihood
    floating = likelihood.background_floating
    width = jnp.ones(()) if floating else jnp.asarray(likelihood.background_uncertainty)
    parts = (
        Sample("signal", likelihood.signal, signal=True),
        Sample("background", likelihood.background, norms={BACKGROUND: width}),
    )
    model = build_model(
        binned(SINGLE, likelihood.counts, parts), free=(BACKGROUND,) if floating else ()
    )
    none = jnp.zeros_like(likelihood.background)  # its experiments have neither
    return ExperimentModel(
        model, jnp.asarray(likelihood.counts), likelihood.errors, likelihood.signal,
        likelihood.background, width, beside=none, source_variance=none,
    )  # fmt: skip


@jax.jit
def general_with_tangents(
    likelihood: BinnedModel | ExperimentModel, moved: BinnedModel | ExperimentModel
) -> tuple[ExperimentModel, ExperimentModel]:
    """`general` of a likelihood, and of its derivatives along directions on a first axis."""

    def along(tangent: Any) -> Any:
        return jax.jvp(general, (likelihood,), (tangent,))

    return jax.vmap(along, out_axes=(None, 0))(moved)


def joint_model(
    parts: Sequence[ExperimentModel], names: Sequence[str], shared: Sequence[str] = ()
) -> Model:
    """One likelihood of x = μ²/(1e-11 μ_B)² for all parts.

    Nuisances get the name of their experiment before their own, "gemma: background", but those in
    `shared`, which are one nuisance of all that have it. One part keeps its names.
    """
    if len(parts) == 1:
        return parts[0].model
    found: dict[str, list[Any]] = {}  # nuisance → [lower, upper, free]
    measurements: list[Measurement] = []
    for part, name in zip(parts, names, strict=True):
        model = part.model
        own = {n: n if n in shared else f"{name}{JOINT}{n}" for n in model.nuisances}
        for k, nuisance in enumerate(model.nuisances):
            low, high = model.lower[k], model.upper[k]
            before = found.setdefault(own[nuisance], [low, high, nuisance in model.free])
            before[0], before[1] = jnp.maximum(before[0], low), jnp.minimum(before[1], high)
            if before[2] != (nuisance in model.free):
                raise InputError(
                    f"shared nuisance {nuisance!r} is free in one experiment and constrained in "
                    "another; allowed: alike in all; leave it out of shared"
                )
        measurements += [
            dataclasses.replace(
                m,
                name=name if len(model.measurements) == 1 else f"{name}{JOINT}{m.name}",
                norm_names=tuple(own[n] for n in m.norm_names),
                shape_names=tuple(own[n] for n in m.shape_names),
                power_names=tuple(own[n] for n in m.power_names),
            )
            for m in model.measurements
        ]
    count = len(found)
    return Model(
        measurements=tuple(measurements),
        auxiliary=jnp.zeros(count),
        lower=jnp.array([low for low, _, _ in found.values()], float).reshape(count),
        upper=jnp.array([high for _, high, _ in found.values()], float).reshape(count),
        nuisances=tuple(found),
        free=tuple(name for name, (_, _, free) in found.items() if free),
    )


def own_theta(
    theta: Float[Array, "P"], joint: Model, part: ExperimentModel, name: str
) -> Float[Array, "Q"]:
    """(x, α) of one part, out of that of all."""
    names = joint.names
    at = [names.index(n) if n in names else names.index(f"{name}{JOINT}{n}")
          for n in part.model.names]  # fmt: skip
    return jnp.asarray(theta)[np.array(at)]


@partial(jax.jit, static_argnames=("names", "shared", "method", "confidence", "convention"))
def _slopes(
    parts: tuple[ExperimentModel, ...],
    names: tuple[str, ...],
    shared: tuple[str, ...],
    method: str,
    confidence: float,
    convention: str,
) -> tuple[Array, tuple[ExperimentModel, ...]]:
    """x at the limit and its derivative in every number of every part, in reverse mode."""

    def value(parts: tuple[ExperimentModel, ...]) -> Array:
        return limit_value(joint_model(parts, names, shared), method, confidence, convention)

    return jax.value_and_grad(value)(parts)


def _along(slope: Any, moved: Any) -> np.ndarray:
    """Sum over all numbers of slope × what moves them, for each direction on the first axis."""
    total = 0.0
    for left, right in zip(jax.tree.leaves(slope), jax.tree.leaves(moved), strict=True):
        left, right = np.asarray(left), np.asarray(right)
        products = np.where(right != 0.0, left * right, 0.0)
        total = total + np.sum(products, axis=tuple(range(1, right.ndim)))
    return np.asarray(total)


def log_slopes(
    parts: tuple[ExperimentModel, ...],
    moved: Sequence[ExperimentModel],
    names: tuple[str, ...],
    shared: tuple[str, ...],
    method: str,
    confidence: float,
    convention: str,
    words: Sequence[str],
) -> dict[str, float] | None:
    """d ln(limit)/d ln(parameter) along the `moved` directions of each part; None without them
    (Bayes, NUTS, Feldman–Cousins) and for a limit of zero (CL_s+b), which has no logarithm."""
    if method not in crossing.METHODS:
        return None
    x, slopes = _slopes(parts, names, shared, method, confidence, convention)
    if float(x) == 0.0:
        return None
    found: dict[str, float] = {}
    for name, slope, directions in zip(names, slopes, moved, strict=True):
        # of the likelihood alone: √n that goes with it has no slope at n = 0
        values = 0.5 * _along(slope.model, directions.model) / float(x)
        prefix = f"{name}{JOINT}" if len(names) > 1 else ""
        found |= {f"{prefix}{w}": float(v) for w, v in zip(words, values, strict=True)}
    return found


def quiet_limit(joint: Model, method: str, confidence: float, convention: str) -> float | None:
    """Limit on μ_ν [μ_B] that the nominal background alone would give."""
    if method not in crossing.METHODS or any(m.kind == "unbinned" for m in joint.measurements):
        return None
    quiet = asimov(joint, jnp.zeros(len(joint.names)))
    return float((limit_value(quiet, method, confidence, convention) * MU2_UNIT) ** 0.5)


def everything(
    joint: Model, method: str, confidence: float, convention: str, seed: int = 0
) -> tuple[Inference, dict[str, Any]]:
    """The inference, and the fields of a LimitResult that follow from it, in μ_B."""
    found = infer(joint, method, confidence, convention, seed=seed)
    impacts = None
    if method in crossing.METHODS:
        shifted = limit_impacts(joint, found.fit, method, confidence, convention)
        impacts = {n: tuple(_moment(x) for x in pair) for n, pair in shifted.items()}
    bands = None if found.expected is None else tuple(_moment(x) for x in found.expected)
    finite = bool(np.isfinite(found.significance))
    return found, {
        "interval_mu2": tuple(x * MU2_UNIT for x in found.interval),
        "significance": found.significance if finite else None,
        "p0": found.p0,
        "pulls": found.pulls,
        "impacts_mu_B": impacts,
        "bands_mu_B": bands,
        "accuracy": 0.5 * found.accuracy,  # of μ, not μ²
        "sampling": found.sampling,
        "notes": found.notes,
        "seed": seed if method in ("nuts", "feldman-cousins") else None,
    }


def _moment(x: float) -> float:
    return float((x * MU2_UNIT) ** 0.5)
