"""Feldman–Cousins intervals of a counting experiment with a known background, exactly.

G. J. Feldman & R. D. Cousins, Phys. Rev. D 57 (1998) 3873, section IV.
"""

import math

import numpy as np
from scipy.special import gammaln, xlogy

from jaxnu import checks
from jaxnu.errors import InputError
from jaxnu.inference.crossing import check_choice

RULES = ("plain", "published")
STEP = 0.005  # of μ, as in the paper; each end is then found by bisection to the last digit
STEP_B = 0.02  # of the background, where the published rule looks for larger limits


def counting_interval(
    n: int, b: float, confidence: float = 0.90, rule: str = "published"
) -> tuple[float, float]:
    """Interval [low, high] of the signal mean μ ≥ 0 for n events over a known mean background b.

    n is accepted at μ if the probability of all n' with R(n') > R(n), R = P(n|μ+b)/P(n|μ̂+b),
    μ̂ = max(0, n − b), is below the confidence; the interval runs from the lowest to the highest
    such μ.

    Args:
        n: observed events.
        b: expected background events.
        confidence: in (0, 1).
        rule: "plain", the construction as it stands, whose upper limit rises here and there with b
            because n is a whole number; or "published", the rule of the paper's tables that it
            must not: high(n, b) = max over b' ≥ b of the plain one (n = 0, b = 3 at 90%: 0.95
            plain, 1.08 published).

    Returns:
        (low, high).

    Raises:
        InputError: for a bad argument.
    """
    checks.one_of("rule", rule, RULES)
    check_choice("feldman-cousins", ("feldman-cousins",), "two-sided", confidence)
    checks.number_range("n", n, 0, 1e5, "events", "larger counts are Gaussian")
    checks.number_range("b", b, 0.0, 1e5, "events", "larger backgrounds are Gaussian")
    if n != int(n):
        raise InputError(f"n = {n!r} is not a whole number; give the observed events")
    n, b = int(n), float(b)
    low, high = _plain(n, b, confidence)
    if rule == "plain":
        return low, high
    # the limit falls with b on the average, by about one for each unit while b < n, and its
    # steps are those of whole numbers: what is higher lies within a few units of b
    reach = 4.0 + 0.5 * math.sqrt(n + 1.0)
    grid = np.arange(b, b + reach, STEP_B)[1:]
    uppers = np.array([_upper(n, other, confidence, high) for other in grid])
    at = int(np.argmax(uppers)) if uppers.size else 0
    if uppers.size and uppers[at] > high:
        # a step down of the plain limit as b grows: it rises up to there, so bisect in b
        inner, outer = grid[at], grid[at] + STEP_B
        best = uppers[at]
        for _ in range(30):
            middle = 0.5 * (inner + outer)
            value = _upper(n, middle, confidence, best)
            inner, outer = (middle, outer) if value >= best else (inner, middle)
            best = max(best, value)
        high = float(best)
    return low, high


def _rejected(mu: np.ndarray, n: int, b: float) -> np.ndarray:
    """Probability of the counts that are ordered before n, at each μ."""
    rate = mu[:, None] + b
    top = int(max(rate.max(), n) + 10.0 * math.sqrt(max(rate.max(), n) + 1.0) + 20.0)
    counts = np.arange(top)
    best = np.maximum(counts - b, 0.0) + b

    def log_p(rate: np.ndarray, counts: np.ndarray) -> np.ndarray:
        return xlogy(counts, rate) - rate - gammaln(counts + 1.0)

    log_here = log_p(rate, counts)
    log_ratio = log_here - log_p(best, counts)
    before = log_ratio > log_ratio[:, n : n + 1] + 1e-12
    return np.sum(np.where(before, np.exp(log_here), 0.0), axis=1)


def _edge(inside: float, outside: float, n: int, b: float, confidence: float) -> float:
    """Where acceptance ends between two values of μ."""
    for _ in range(50):
        middle = 0.5 * (inside + outside)
        accepted = _rejected(np.array([middle]), n, b)[0] < confidence
        inside, outside = (middle, outside) if accepted else (inside, middle)
    return float(0.5 * (inside + outside))


def _range_end(n: int, b: float, confidence: float) -> float:
    """A μ beyond every interval: z standard deviations above n − b, and some."""
    z = math.sqrt(-2.0 * math.log1p(-confidence)) + 3.0
    return max(n - b, 0.0) + z * math.sqrt(n + 1.0) + z * z + 3.0


def _plain(n: int, b: float, confidence: float) -> tuple[float, float]:
    step = min(STEP * max(1.0, math.sqrt(n)), 0.1)
    mu = np.arange(0.0, _range_end(n, b, confidence), step)
    mu = np.union1d(mu, [max(n - b, 0.0)])  # where n comes first: never rejected
    accepted = np.concatenate(
        [_rejected(part, n, b) < confidence for part in np.array_split(mu, 1 + mu.size // 500)]
    )
    at = np.flatnonzero(accepted)
    low = 0.0 if at[0] == 0 else _edge(mu[at[0]], mu[at[0] - 1], n, b, confidence)
    return low, _edge(mu[at[-1]], mu[at[-1] + 1], n, b, confidence)


def _upper(n: int, b: float, confidence: float, floor: float) -> float:
    """Plain upper end if it is above `floor`, else `floor`."""
    mu = np.arange(floor + 1e-9, floor + 3.0, STEP)
    at = np.flatnonzero(_rejected(mu, n, b) < confidence)
    if not at.size:
        return floor
    return _edge(mu[at[-1]], mu[at[-1]] + STEP, n, b, confidence)
