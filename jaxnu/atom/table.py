"""The responses S(T,Q) and R(T,Q) of one atom in tables, a grid for each subshell.

The energy axis is the kinetic energy ε = T − threshold of the ejected electron, so that no
interpolation crosses an edge. Units: keV, 1/keV per atom.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int

AXES = ("p_z", "Q")
TABLE_FILES = (".npz", ".txt")  # how the name of a table ends


@dataclass(frozen=True)
class LineTable:
    """Bound–bound transitions from one subshell, of all its electrons, to every final subshell.

    n, l: the final subshell. T_keV: E_n'l' − E_nl, negative downward. vacancy: the empty part of
    the final subshell; the physical strength has this weight, independent-particle sums one.
    closure: factor by which the last n' of a series stands for itself and all higher ones.
    S, R: Σ|<n'|Σe^{iq·r}|n>|² and the same of the transverse current, at the momenta Q_keV,
    without vacancy and closure.
    """

    n: Int[np.ndarray, "lines"]
    l: Int[np.ndarray, "lines"]
    T_keV: Float[np.ndarray, "lines"]
    vacancy: Float[np.ndarray, "lines"]
    closure: Float[np.ndarray, "lines"]
    Q_keV: Float[np.ndarray, "Q"]
    S: Float[np.ndarray, "lines Q"]
    R: Float[np.ndarray, "lines Q"]


@dataclass(frozen=True)
class ShellTable:
    """The ionisation of one subshell, of all its electrons.

    label: "3d". electrons: occupation. threshold_keV: of the model, −E_nl.
    width_keV: p0, the width of the Bethe ridge in p_z = mT/Q − Q/2; p0 = 1/(2 J(0)) of the
        Compton profile. It only scales the interpolated function.
    kinetic_keV: ε ≥ 0, increasing.
    axis, momentum_keV: the second axis, increasing. "p_z": nodes in p_z at
        T = ε + threshold_keV, which follow the ridge; "Q": nodes in Q.
    S, R: [1/keV].
    lines: bound–bound transitions, or None.
    """

    label: str
    electrons: float
    threshold_keV: float
    width_keV: float
    kinetic_keV: Float[np.ndarray, "kinetic"]
    axis: str
    momentum_keV: Float[np.ndarray, "momentum"]
    S: Float[np.ndarray, "kinetic momentum"]
    R: Float[np.ndarray, "kinetic momentum"]
    lines: LineTable | None = None


@dataclass(frozen=True)
class AtomTable:
    """Every subshell of an atom, innermost first, and where the numbers come from.

    provenance: words and numbers: the code and its version, the model of the field, its exchange
    factor, numerical settings.
    """

    symbol: str
    Z: int
    shells: tuple[ShellTable, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)
