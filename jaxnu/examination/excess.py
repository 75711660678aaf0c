"""Whether the atom's cross section is anywhere above that of its free electrons, and how widely."""

from dataclasses import dataclass

import numpy as np

from jaxnu.constants import SIGMA0_cm2
from jaxnu.examination.curves import Curves
from jaxnu.examination.parts import continuum_parts
from jaxnu.responses.base import Response

NEAR = 0.5  # both sides of every peak above this ratio are searched once more
LEVEL = 1.01  # less is within what tables hold, or the spread of model and measured edges
POINTS = 32  # in each interval searched: steps of 50 meV at 10 eV above an edge


@dataclass(frozen=True)
class Excess:
    """The highest dσ/dT over that of Z free electrons.

    highest: the ratio, all parts. T_keV: where. width_keV: the length in T of all that is above
    1.01. charge: the highest Z_eff = T∫S dQ²/Q² of the grid.
    """

    highest: float
    T_keV: float
    width_keV: float
    charge: float


def largest_excess(curves: Curves, E_keV: float, atom: Response) -> Excess:
    """The highest ratio over the grid; both sides of its peaks, and all above 1.01, once more.

    curves: of the atom, on a grid that has both sides of every edge. E_keV: neutrino energy.
    """
    T, ratio = curves.T_keV, curves.total / curves.free
    padded = np.concatenate([[0.0], ratio, [0.0]])
    peak = (ratio > NEAR) & (ratio >= padded[:-2]) & (ratio >= padded[2:])
    some = peak | (ratio > LEVEL)
    left = np.flatnonzero(some[:-1] | some[1:])
    inside = np.linspace(0.0, 1.0, POINTS + 1)[1:-1]
    more = np.setdiff1d(T[left, None] + np.diff(T)[left, None] * inside, T)
    if more.size:
        parts = continuum_parts(more, E_keV, atom).sum((1, 2))
        order = np.argsort(np.concatenate([T, more]))
        more_ratio = parts / (atom.Z * SIGMA0_cm2 * (1.0 / more - 1.0 / E_keV))
        T, ratio = (np.concatenate(pair)[order] for pair in ((T, more), (ratio, more_ratio)))
    at = int(np.argmax(ratio))
    return Excess(
        float(ratio[at]),
        float(T[at]),
        length_above(T, ratio, LEVEL),
        float(np.max(curves.magnetic)),
    )


def length_above(x: np.ndarray, y: np.ndarray, level: float) -> float:
    """The length in x of all that is above the level, by straight lines between points."""
    left, right = y[:-1] - level, y[1:] - level
    size = np.abs(left) + np.abs(right)
    up = np.maximum(left, 0.0) + np.maximum(right, 0.0)
    return float(np.sum(np.diff(x) * up / np.where(size > 0.0, size, 1.0)))
