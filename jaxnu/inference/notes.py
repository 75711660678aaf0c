"""What to know before quoting a limit: few counts, and what is profiled in a Bayesian one."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxnu.inference.model import Model

FEW = 10.0  # expected counts below which asymptotic formulas are off by several per cent
FEWEST = 3.0 * (1.0 - 1e-9)  # counts of background under the signal, for bands of it
REMEDY = "asymptotic formulas do not hold; use feldman-cousins or toys"


def counts_under(signal: Any, expected: Any) -> float:
    """(Σ s)²/Σ(s²/λ): λ of all bins where s is spread like λ, of its bins where s is narrow.

    Args:
        signal: (bins,) s, in any unit.
        expected: (bins,) λ.

    Returns:
        Expected counts; the same if bins of equal s/λ are split or merged.
    """
    s, rate = (np.asarray(a, float).ravel() for a in (signal, expected))
    seen = s > 0.0
    if not seen.any() or not (rate[seen] > 0.0).all():
        return 0.0
    return float(np.sum(s[seen]) ** 2 / np.sum(s[seen] ** 2 / rate[seen]))


def few_counts(signal: Any, expected: Any) -> tuple[str, ...]:
    """A note if fewer than 10 counts are expected where the signal lies."""
    number = counts_under(signal, expected)
    if number >= FEW:
        return ()
    return (f"few counts: {number:.2g} expected where the signal lies, so {REMEDY}",)


def _poisson_part(model: Model, theta: Any) -> tuple[Any, Any] | None:
    """(s, λ) of all bins with counts, unbinned measurements by their totals; None where Gaussian
    data decide."""
    signals, rates, gaussian = [], [], 0.0
    theta = jnp.asarray(theta, float)
    pairs = zip(model.rates(theta), model.rates(theta.at[0].set(1.0)), strict=True)
    for m, (at, unit) in zip(model.measurements, pairs, strict=True):
        s = np.sum(np.asarray(unit)[np.asarray(m.signal)], axis=0)
        if m.kind == "difference":
            gaussian += float(np.sum((np.asarray(m.data["whitening"]) @ s) ** 2))
            continue
        rate = np.sum(np.asarray(at), axis=0)
        if m.free_background:
            rate = rate + np.asarray(m.data["off"]) / np.asarray(m.data["ratio"])
        if m.kind == "unbinned":
            s, rate = s[-1:], rate[-1:]
        signals.append(s)
        rates.append(rate)
    if not signals:
        return None
    s, rate = np.concatenate(signals), np.concatenate(rates)
    seen = (s > 0.0) & (rate > 0.0)
    return None if gaussian > np.sum(s[seen] ** 2 / rate[seen]) else (s, rate)


def asymptotic_notes(model: Model, theta: Any) -> tuple[str, ...]:
    """`few_counts` of a model at θ = (limit, α̂); nothing where Gaussian data decide."""
    part = _poisson_part(model, theta)
    return () if part is None else few_counts(*part)


def background_fluctuates(model: Model, theta: Any) -> bool:
    """Whether 3 counts or more of background lie under the signal at θ = (expected limit, α̂̂(0)).

    With fewer there is nothing to fluctuate, and bands of it say nothing.
    """
    part = _poisson_part(model, theta)
    if part is None:
        return True
    background = counts_under(*part) - float(theta[0]) * float(np.sum(part[0]))
    return background >= FEWEST


def bayesian_notes(model: Model) -> tuple[str, ...]:
    """Which unknowns of each bin are profiled in a posterior, not integrated."""
    found = []
    if any(m.mc_error is not None for m in model.measurements):
        found.append("γ of Monte Carlo errors")
    if any(m.free_background for m in model.measurements):
        found.append("b of each ON/OFF bin")
    return (f"{' and '.join(found)} profiled, not integrated",) if found else ()


__all__ = [
    "asymptotic_notes",
    "background_fluctuates",
    "bayesian_notes",
    "counts_under",
    "few_counts",
]
