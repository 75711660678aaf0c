"""Excitation beside ionisation: how much of the cross section bound–bound lines make."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from jaxnu.cross_sections import cross_section_lines
from jaxnu.examination.parts import continuum_parts
from jaxnu.numerics.quadrature import legendre_rule
from jaxnu.responses.base import Response

PANELS_PER_OCTAVE = 3
ORDER = 6
REACH = 1.1  # the window around an edge reaches this much further than its lowest line


@dataclass(frozen=True)
class EdgeShare:
    """Lines and continuum around one edge, cross sections in cm² per atom.

    window_keV: the half-width: 1.1 times the distance of the subshell's lowest line. own_lines: of
    this subshell; lines_below: of all subshells, from edge − window to the edge;
    ionisation_below, ionisation_above: of all subshells, in the window below and above the edge.
    """

    label: str
    edge_keV: float
    window_keV: float
    own_lines: float
    lines_below: float
    lines_above: float
    ionisation_below: float
    ionisation_above: float

    @property
    def share_below(self) -> float:
        """Part of the cross section below the edge that is excitation."""
        return self.lines_below / (self.lines_below + self.ionisation_below)

    @property
    def share_near(self) -> float:
        """Part of the cross section on both sides of the edge that is excitation."""
        lines = self.lines_below + self.lines_above
        return lines / (lines + self.ionisation_below + self.ionisation_above)


@dataclass(frozen=True)
class Excitation:
    """T_keV, sigma_cm2, shell: of every line. edges: one for each subshell with lines.

    ionisation_cm2, lines_cm2: over the whole range of T, range_keV.
    """

    T_keV: Float[np.ndarray, "lines"]
    sigma_cm2: Float[np.ndarray, "lines"]
    shell: list[str]
    edges: tuple[EdgeShare, ...]
    range_keV: tuple[float, float]
    ionisation_cm2: float
    lines_cm2: float

    @property
    def share(self) -> float:
        return self.lines_cm2 / (self.lines_cm2 + self.ionisation_cm2)


def excitation_shares(
    low: float, high: float, E_keV: float, atom: Response, mu: float
) -> Excitation:
    """Lines and continuum of an atom between T = low and high [keV], and around each edge."""
    T_lines, sigma = (np.asarray(a) for a in cross_section_lines(E_keV, atom, mu))
    shell = np.asarray(atom.lines().shell)
    thresholds = np.asarray(atom.thresholds_keV)
    windows: dict[int, tuple[float, float]] = {}
    for index, edge in enumerate(thresholds):
        mine = T_lines[shell == index]
        if mine.size and low < edge < high:
            width = REACH * (edge - np.min(mine))
            windows[index] = max(edge - width, low), min(edge + width, high)
    ends = [end for window in windows.values() for end in window]
    running, edges = _ionisation(np.unique([low, high, *ends, *thresholds]), E_keV, atom, low, high)
    running *= mu**2

    def continuum(first: float, last: float) -> float:
        return float(np.interp(last, edges, running) - np.interp(first, edges, running))

    def lines(first: float, last: float, which: np.ndarray | bool = True) -> float:
        return float(np.sum(sigma[(T_lines >= first) & (T_lines < last) & which]))

    shares = tuple(
        EdgeShare(
            label=atom.labels[index],
            edge_keV=float(thresholds[index]),
            window_keV=float(REACH * (thresholds[index] - np.min(T_lines[shell == index]))),
            own_lines=lines(0.0, np.inf, shell == index),
            lines_below=lines(first, thresholds[index]),
            lines_above=lines(thresholds[index], last),
            ionisation_below=continuum(first, thresholds[index]),
            ionisation_above=continuum(thresholds[index], last),
        )
        for index, (first, last) in windows.items()
    )
    return Excitation(
        T_lines, sigma, [atom.labels[i] for i in shell], shares, (low, high),
        continuum(low, high), lines(low, high),
    )  # fmt: skip


def _ionisation(
    breaks: np.ndarray, E_keV: float, atom: Response, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    """(∫dσ/dT dT from `low` per μ², at these T): panels between all breaks."""
    breaks = breaks[(breaks >= low) & (breaks <= high)]
    steps = [
        np.geomspace(a, b, 1 + int(np.ceil(PANELS_PER_OCTAVE * np.log2(b / a))))[:-1]
        for a, b in pairwise(breaks)
    ]
    edges = np.append(np.concatenate(steps), high)
    x, w = legendre_rule(ORDER)
    half = 0.5 * np.diff(edges)
    T = 0.5 * (edges[1:] + edges[:-1])[:, None] + half[:, None] * x
    value = continuum_parts(T.ravel(), E_keV, atom).sum((1, 2)).reshape(T.shape)
    return np.concatenate([[0.0], np.cumsum(half * (value @ w))]), edges
