"""One atom in numbers and in words: what `jaxnu atom` prints."""

import importlib.util
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnu.atom.table import AtomTable
from jaxnu.constants import ELECTRON_MASS_keV
from jaxnu.cross_sections import effective_charge
from jaxnu.elements import subshells
from jaxnu.errors import InputError
from jaxnu.responses import CentralField, f_sum, response, static_sum

SUM_Q_keV = (1.0, 10.0, 100.0)
PHOTON_keV = (0.1, 0.2, 0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 10.0, 15.0, 20.0, 30.0)
CHARGE_keV = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 50.0)
RIDGE_SHARE = 0.2  # sums are given where the ridge Q²/2m is well inside the table
VALIDITY = (
    "One electron at a time, bound and ejected in one potential without a hole, nonrelativistic: "
    "per cents well above the thresholds, tens of per cent near those of d subshells."
)


@dataclass(frozen=True)
class SubshellSummary:
    """A subshell of the table: electrons, −E_nl of the model, measured thresholds of its X-ray
    subshells, width p0 of its Bethe ridge, and the last T of the multipole sum, beyond which the
    impulse form stands (None: the table does not say, or multipoles serve all of it)."""

    label: str
    electrons: float
    model_keV: float
    measured_keV: dict[str, float]
    width_keV: float
    multipoles_to_keV: float | None

    def distance(self, measured_keV: float) -> float:
        return abs(math.log(measured_keV / self.model_keV))

    @property
    def difference(self) -> float:
        """Largest |ln(measured/model)| of the thresholds."""
        return max(map(self.distance, self.measured_keV.values()), default=0.0)


@dataclass(frozen=True)
class AtomSummary:
    """The numbers of one atom.

    electrons: in the table. f_sum, static_sum: per electron at `sum_Q_keV`, by "independent" (every
    transition, thresholds of the model) and "physical". photoabsorption_cm2, elam_cm2: per atom at
    `photon_keV`; Elam's is None below its table, and altogether without xraydb. magnetic, weak:
    T∫S dQ²/Q² and ∫S dQ²/2m at `charge_keV`; stepping: None without binding energies.
    """

    element: str
    Z: int
    electrons: float
    configuration: str
    thresholds: str
    T_max_keV: float
    subshells: tuple[SubshellSummary, ...]
    last_ratio: float | None  # T/I up to which multipoles are summed, to l' = last_l
    last_l: int | None
    sum_Q_keV: tuple[float, ...]
    f_sum: dict[str, list[float]]
    static_sum: dict[str, list[float]]
    photon_keV: tuple[float, ...]
    photoabsorption_cm2: list[float]
    elam_cm2: list[float | None] | None
    charge_keV: tuple[float, ...]
    magnetic: list[float]
    weak: list[float]
    stepping: list[float] | None
    provenance: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and words, as JSON wants them."""
        return asdict(self)


def summarize_atom(table: AtomTable, atom: CentralField) -> AtomSummary:
    """Sums, photoabsorption and effective charges of an atom.

    table: of S and R. atom: the response made of it, whose thresholds, measured or of the model,
        serve for everything but the independent-particle sums, which are about the model.
    """
    same = np.array_equal(atom.thresholds_keV, atom.model_thresholds_keV)
    T_max, electrons = float(atom.T_max_keV), float(np.sum(atom.electrons))
    largest_Q = math.sqrt(2.0 * ELECTRON_MASS_keV * RIDGE_SHARE * T_max)
    sum_Q = tuple(Q for Q in SUM_Q_keV if largest_Q >= Q)
    photon, charge = (
        tuple(T for T in energies if T_max >= T) for energies in (PHOTON_keV, CHARGE_keV)
    )

    def sums(total: Callable[..., Any]) -> dict[str, list[float]]:
        found = {}
        for name, physical in (("independent", False), ("physical", True)):
            values = np.asarray(total(atom, np.array(sum_Q), physical))
            found[name] = (values.sum(axis=-1) / electrons).tolist()
        return found

    f, static = sums(f_sum), sums(static_sum)
    magnetic, weak = effective_charge(np.array(charge), atom)
    sigma = jax.jit(type(atom).photoabsorption_cm2)(atom, jnp.array(photon))
    ratio, last_l = _last_class(table)
    return AtomSummary(
        element=table.symbol,
        Z=table.Z,
        electrons=electrons,
        configuration=" ".join(f"{s.label}{s.electrons:g}" for s in table.shells),
        thresholds="model" if same else "measured",
        T_max_keV=T_max,
        subshells=_subshells(table, ratio, T_max),
        last_ratio=ratio,
        last_l=last_l,
        sum_Q_keV=sum_Q,
        f_sum=f,
        static_sum=static,
        photon_keV=photon,
        photoabsorption_cm2=np.asarray(sigma).tolist(),
        elam_cm2=_elam(table.symbol, photon),
        charge_keV=charge,
        magnetic=np.asarray(magnetic).tolist(),
        weak=np.asarray(weak).tolist(),
        stepping=_stepping(table.symbol, charge),
        provenance={k: v for k, v in table.provenance.items() if k != "numerics"},
    )


def _last_class(table: AtomTable) -> tuple[float | None, int | None]:
    """T/I and l' at which the multipole sums of a table end, if its provenance says so."""
    try:
        numerics = table.provenance["numerics"]
        last = numerics["ratio_classes"][-1]
        return float(last["ratio"]), int(numerics["orders"][last["groups"] - 1][-1]) - 1
    except (KeyError, IndexError, TypeError, ValueError):
        return None, None


def _subshells(table: AtomTable, ratio: float | None, T_max: float) -> tuple[SubshellSummary, ...]:
    try:
        xray = subshells(table.symbol)
    except InputError:  # no binding energies beyond Cs but W
        xray = ()
    return tuple(
        SubshellSummary(
            label=shell.label,
            electrons=float(shell.electrons),
            model_keV=float(shell.threshold_keV),
            measured_keV={s.label: s.binding_keV for s in xray if s.orbital == shell.label},
            width_keV=float(shell.width_keV),
            multipoles_to_keV=None
            if ratio is None or ratio * shell.threshold_keV >= T_max
            else float(ratio * shell.threshold_keV),
        )
        for shell in table.shells
    )


def has_elam() -> bool:
    """Whether Elam's photoabsorption tables are there: the package xraydb."""
    return importlib.util.find_spec("xraydb") is not None


def _elam(symbol: str, T_keV: tuple[float, ...]) -> list[float | None] | None:
    if not has_elam():
        return None
    photon = response(symbol, "equivalent-photon")
    values = np.asarray(photon.photoabsorption_cm2(jnp.array(T_keV))).tolist()
    return [value if value > 0.0 else None for value in values]


def _stepping(symbol: str, T_keV: tuple[float, ...]) -> list[float] | None:
    try:
        atom = response(symbol, "stepping")
    except InputError:
        return None
    return np.asarray(effective_charge(np.array(T_keV), atom)[0]).tolist()


# ---- in words ------------------------------------------------------------------------------------


def format_summary(summary: AtomSummary, source: str) -> str:
    """The report of `jaxnu atom`. source: where the table comes from, in words."""
    s = summary
    partial = "" if s.electrons == s.Z else f", {s.electrons:g} electrons in the table"
    number = "Z" if s.electrons == s.Z else f"{s.electrons:g}"
    by = "measured thresholds" if s.thresholds == "measured" else "thresholds of the model"
    lines = [
        f"{s.element}, Z = {s.Z}{partial}: {s.configuration}",
        *textwrap.wrap(VALIDITY, 96, initial_indent="  ", subsequent_indent="  "),
        "",
        *_shell_lines(s),
        "",
        f"Sums over {number}: f-sum [Σ T S + ∫T S dT] 2m/Q², static sum Σ S + ∫S dT",
        "  Q [keV]".ljust(34) + "".join(f"{Q:>10g}" for Q in s.sum_Q_keV),
    ]
    names = {"independent": "independent-particle", "physical": "physical"}
    for what, sums in (("f-sum", s.f_sum), ("static sum", s.static_sum)):
        for name, values in sums.items():
            row = f"  {what}, {names[name]}".ljust(34)
            lines.append(row + "".join(f"{value:>10.4f}" for value in values))
    lines += [
        "  (independent-particle: every transition, thresholds of the model; physical: those into",
        f"  empty states, {by})",
        "",
        f"Photoabsorption 4π²α R(T,T)/T [cm² per atom], {by}",
        *_photon_lines(s),
        "",
        f"Effective charges, {by}: electrons seen by the magnetic and the weak process",
        *_charge_lines(s),
        "",
        f"T up to {s.T_max_keV:.5g} keV. Table: {source}",
        *_provenance_lines(s.provenance),
    ]
    return "\n".join(lines)


def _shell_lines(s: AtomSummary) -> list[str]:
    end = (
        [f"  T/I ≤ {s.last_ratio:g}: all multipoles, l' ≤ {s.last_l}; beyond: the impulse form"]
        if s.last_ratio
        else []
    )
    measured = {
        shell.label: "  ".join(f"{x} {1e3 * E:.6g}" for x, E in shell.measured_keV.items())
        for shell in s.subshells
    }
    wide = max(16, *(len(text) for text in measured.values()))
    lines = [
        "Subshells: −E of the model, measured thresholds, width p0 of the Bethe ridge",
        *end,
        f"  {'nl':<3} {'electrons':>9} {'−E [eV]':>9}  {'measured [eV]':<{wide}} {'p0 [keV]':>9}"
        + f" {'multipoles to T [keV]':>22}" * bool(end),
    ]
    for shell in s.subshells:
        T = shell.multipoles_to_keV
        last = f" {'all' if T is None else f'{T:.3g}':>22}" * bool(end)
        lines.append(
            f"  {shell.label:<3} {shell.electrons:>9g} {_eV(shell.model_keV):>9}  "
            f"{measured[shell.label] or '–':<{wide}} {shell.width_keV:>9.3g}{last}"
        )
    worst = max(s.subshells, key=lambda shell: shell.difference)
    if worst.difference > 0.0:
        energies = list(worst.measured_keV.values())
        furthest = max(energies, key=worst.distance)
        at = " and ".join(_eV(E) for E in energies)
        names = " and ".join(worst.measured_keV)
        scale = (furthest / worst.model_keV) ** 2
        lines += textwrap.wrap(
            f"{worst.label} differs most: {_eV(worst.model_keV)} eV in the model, {at} eV "
            f"measured ({names}). With measured thresholds S keeps its values at the same kinetic "
            f"energy, and R is scaled by (T_measured/T_model)², {scale:.2f} at {_eV(furthest)} eV.",
            96, initial_indent="  ", subsequent_indent="  ",
        )  # fmt: skip
    return lines


def _eV(E_keV: float) -> str:
    return f"{1e3 * E_keV:.2f}" if E_keV < 0.1 else f"{1e3 * E_keV:.1f}"


def _photon_lines(s: AtomSummary) -> list[str]:
    if s.elam_cm2 is None:
        lines = ["  xraydb is not installed (pip install '.[data]'): no Elam table to compare with"]
        lines.append(f"  {'T [keV]':>8} {'ours':>11}")
        return lines + [
            f"  {T:>8g} {ours:>11.3e}"
            for T, ours in zip(s.photon_keV, s.photoabsorption_cm2, strict=True)
        ]
    lines = [f"  {'T [keV]':>8} {'ours':>11} {'Elam':>11} {'ours/Elam':>10}"]
    for T, ours, elam in zip(s.photon_keV, s.photoabsorption_cm2, s.elam_cm2, strict=True):
        there = f"{elam:>11.3e} {ours / elam:>10.3f}" if elam else f"{'–':>11} {'–':>10}"
        lines.append(f"  {T:>8g} {ours:>11.3e} {there}")
    return lines


def _charge_lines(s: AtomSummary) -> list[str]:
    lines = [f"  {'T [keV]':>8} {'T∫S dQ²/Q²':>11} {'∫S dQ²/2m':>11} {'stepping':>10}"]
    steps: Sequence[float | None] = s.stepping or [None] * len(s.charge_keV)
    for T, magnetic, weak, count in zip(s.charge_keV, s.magnetic, s.weak, steps, strict=True):
        seen = "–" if count is None else f"{count:g}"
        lines.append(f"  {T:>8g} {magnetic:>11.3f} {weak:>11.3f} {seen:>10}")
    return lines


def _provenance_lines(provenance: Mapping[str, Any]) -> list[str]:
    known = ((k, v) for k, v in provenance.items() if k not in ("configuration", "partial"))
    text = "; ".join(v if k in ("code", "model") else f"{k} {v}" for k, v in known)
    return textwrap.wrap(text, 96, initial_indent="  ", subsequent_indent="  ")
