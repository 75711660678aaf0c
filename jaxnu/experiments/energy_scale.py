"""Electron- and nuclear-recoil equivalent energies in an experiment file."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxnu.errors import InputError

_LABEL = re.compile(r"\b(eV|keV|MeV)_(ee|nr)\b")


def split_label(value: Any) -> tuple[Any, str | None]:
    """A text with its energies' labels taken off, and the label: "3 keV_nr" is ("3 keV", "nr").

    Anything but a text is handed back as it is.
    """
    if not isinstance(value, str):
        return value, None
    found = _LABEL.search(value)
    return _LABEL.sub(r"\1", value), found[2] if found else None


@dataclass(frozen=True)
class EnergyScale:
    """How the energies of a detector are labelled, and what becomes of those of nuclear recoils.

    recoil: what the experiment sees, "electron", "nuclear" or "both".
    convert: nuclear-recoil energy in keV → electron-equivalent, or None where there is no single
        curve.
    one_scale: both are the same (a detector of heat), so that no label is needed.
    highest_keV: the curve ends at this recoil energy, keV.
    """

    recoil: str = "electron"
    convert: Callable[[np.ndarray], np.ndarray] | None = None
    one_scale: bool = False
    highest_keV: float = np.inf

    def point(self, where: str, values_keV: np.ndarray, label: str | None) -> np.ndarray:
        """Energies in keV, electron-equivalent.

        Raises:
            InputError: for a label that is missing or cannot be converted.
        """
        self._check(where, label)
        if label != "nr" or self.one_scale:
            return values_keV
        if self.convert is None:
            why = (
                "this experiment has no nuclear recoils"
                if self.recoil == "electron"
                else "each element of a compound has its own quenching"
            )
            raise InputError(
                f"{where} is given in keV_nr, and {why}; give electron-equivalent energies, keV_ee"
            )
        if values_keV.max() > self.highest_keV:
            raise InputError(
                f"{where} = {values_keV.max():g} keV_nr is above {self.highest_keV:g} keV_nr, the "
                "end of the quenching table; add knots to it"
            )
        seen = self.convert(values_keV)
        if (np.diff(seen) <= 0.0).any():
            at = int(np.argmax(np.diff(seen) <= 0.0))
            raise InputError(
                f"{where}: recoils of {values_keV[at]:g} and {values_keV[at + 1]:g} keV_nr are "
                f"seen as {seen[at]:g} and {seen[at + 1]:g} keV_ee; give energies above the "
                "quenching's cutoff"
            )
        return seen

    def width(self, where: str, values_keV: np.ndarray, label: str | None) -> np.ndarray:
        """Widths in keV: they are not converted.

        Raises:
            InputError: for a label that is missing or nuclear.
        """
        self._check(where, label)
        if label == "nr" and not self.one_scale:
            raise InputError(
                f"{where} is given in keV_nr, and widths are not converted; give it "
                "electron-equivalent, keV_ee"
            )
        return values_keV

    def _check(self, where: str, label: str | None) -> None:
        if label is None and self.recoil != "electron" and not self.one_scale:
            raise InputError(
                f"{where} is not labelled, and this experiment has nuclear recoils; write keV_ee "
                "(electron-equivalent) or keV_nr (recoil energy) in place of keV"
            )


@dataclass(frozen=True)
class RecoilScale(EnergyScale):
    """The energies of a quenching curve: those of recoils, as they are."""

    def point(self, where: str, values_keV: np.ndarray, label: str | None) -> np.ndarray:
        """Recoil energies in keV; InputError unless they are labelled so."""
        if label != "nr":
            raise InputError(
                f"{where} is {'not labelled' if label is None else 'given in keV_ee'}, and "
                "quenching is a function of the recoil energy; write keV_nr"
            )
        return values_keV


ELECTRON_SCALE = EnergyScale()
