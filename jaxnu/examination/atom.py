"""Everything that the examination of one atom at one neutrino energy computes."""

from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxnu import checks
from jaxnu.constants import ELECTRON_MASS_keV, SIGMA0_cm2
from jaxnu.cross_sections import electron_cloud
from jaxnu.errors import InputError
from jaxnu.examination.coulomb_green import hydrogen_density_function
from jaxnu.examination.currents import (
    CurrentRatio,
    Integrand,
    current_ratios,
    transverse_integrand,
)
from jaxnu.examination.curves import (
    Curves,
    charges,
    cross_section_curves,
    transfer_grid,
    transfer_range,
)
from jaxnu.examination.dispersion import (
    cloud_elastic,
    density_function,
    dispersion_integral,
    hydrogenic_elastic,
)
from jaxnu.examination.excess import Excess, largest_excess
from jaxnu.examination.excitation import Excitation, excitation_shares
from jaxnu.examination.orbitals import Orbitals, field_orbitals
from jaxnu.examination.outlook import Outlook, outlook
from jaxnu.examination.validity import Condition, validity
from jaxnu.precision import require_x64
from jaxnu.responses import CentralField, f_sum, response, static_sum

ENERGY_RANGE_keV = 5.0, 1e6
SHOWN_keV = (0.1, 1.0, 10.0)  # T of integrands and of F(E,Q), where they are in range
HYDROGEN_T = (1.06, 4.0)  # the same for hydrogen, in units of I
HYDROGEN_LINES = 400
Q_POINTS, RIDGE_Q_POINTS, HYDROGEN_Q_POINTS = 40, 16, 200
PEAK_POINTS = 9  # between the neighbours of a highest value
SUM_Q_keV = (1.0, 10.0, 100.0)
RECOVERED = 0.05  # a subshell this close to its electrons is back
AWAY = 1.05  # Z_eff is compared with stepping this far above every edge


@dataclass(frozen=True)
class Dispersion:
    """F(E,Q) and the dispersion integral of its imaginary part, rows over T, times T.

    real: T Re F. elastic: the part |<0|ρ|0>|² of it. imaginary: T Im F = πTS. integral: T times
    the integral of KS11 eq 13, real part. closed: T F in closed form, hydrogen only.
    F_zero, integral_zero: T Re F and the integral at Q = 0: Z² (KS11 eq 14) and Z_eff.
    """

    target: str
    T_keV: Float[np.ndarray, "T"]
    Q_keV: Float[np.ndarray, "Q"]
    real: Float[np.ndarray, "T Q"]
    elastic: Float[np.ndarray, "T Q"]
    imaginary: Float[np.ndarray, "T Q"]
    integral: Float[np.ndarray, "T Q"]
    closed_real: Float[np.ndarray, "T Q"] | None
    F_zero: float
    integral_zero: Float[np.ndarray, "T"]


@dataclass(frozen=True)
class Sums:
    """f-sum and static sum over the number of electrons at SUM_Q_keV: of every transition of
    independent particles, and of those that the atom makes."""

    Q_keV: tuple[float, ...]
    f_independent: list[float]
    f_physical: list[float]
    static_independent: list[float]
    static_physical: list[float]


@dataclass(frozen=True)
class Departure:
    """Largest and smallest T∫S dQ²/Q² per electron of a subshell above its edge, and where.

    edge_ratio: T/T_model at the edge, a factor in T∫S dQ²/Q² there: S is that of the model at fixed
    kinetic energy, whose ridge is at Q² = 2m T_model.
    """

    label: str
    edge_keV: float
    edge_ratio: float
    highest: float
    highest_T_keV: float
    lowest: float
    lowest_T_keV: float
    recovered_keV: float | None  # from here on within 5% of one


@dataclass(frozen=True)
class Examination:
    """The numbers behind `jaxnu examine`: see the classes of each part."""

    target: str
    Z: int
    E_keV: float
    mu: float
    thresholds: str
    labels: tuple[str, ...]
    thresholds_keV: list[float]
    electrons: list[float]
    range_keV: tuple[float, float]
    conditions: tuple[Condition, ...]
    orbitals: Orbitals
    curves: Curves
    excess: Excess
    integrands: tuple[Integrand, ...]
    current_ratios: list[CurrentRatio]
    departures: list[Departure]
    excitation: Excitation
    sums: Sums
    dispersion: Dispersion
    hydrogen: Dispersion
    outlook: Outlook

    @property
    def transverse_share(self) -> tuple[float, float]:
        """(largest convection/longitudinal, T where it is)."""
        c = self.curves
        there = c.longitudinal > 0.0
        share = c.convection[there] / c.longitudinal[there]
        at = int(np.argmax(share))
        return float(share[at]), float(c.T_keV[there][at])

    def departure_above(self, T_keV: float) -> tuple[float, float]:
        """(largest |Z_eff/stepping − 1| above T, 5% and more above edges; T where it is)."""
        c = self.curves
        edges = np.asarray(self.thresholds_keV)
        clear = [not np.any((edges <= T) & (edges * AWAY > T)) for T in c.T_keV]
        there = np.flatnonzero(np.asarray(clear) & (c.T_keV >= T_keV) & (c.stepping_count > 0.0))
        if not there.size:
            return 0.0, T_keV
        ratio = np.abs(c.magnetic[there] / c.stepping_count[there] - 1.0)
        at = int(np.argmax(ratio))
        return float(ratio[at]), float(c.T_keV[there][at])

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and words, as JSON wants them."""
        return _plain(self)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def check_arguments(E_keV: float, mu: float) -> None:
    """Refuse a neutrino energy or a magnetic moment that cannot be examined."""
    low, high = ENERGY_RANGE_keV
    checks.number_range("E_keV", E_keV, low, high, "keV", "a neutrino energy, such as 1000")
    checks.magnetic_moment("mu", mu)
    if mu == 0.0:
        raise InputError("mu = 0 μ_B leaves nothing to examine; give mu > 0, such as 1e-11")


def examine(
    target: str,
    E_keV: float = 1000.0,
    mu: float = 1e-11,
    thresholds: str = "measured",
    *,
    atom: CentralField | None = None,
) -> Examination:
    """Examine one atom at one neutrino energy, from T = 10 eV to 50 keV.

    target: element, H to Cs. E_keV: in [5 keV, 1 GeV]; T ends below the free kinematic end.
    mu: magnetic moment [μ_B]. thresholds: "measured" or "model", see CentralField.
    atom: the response, if it is already there.
    Raises InputError for anything else.
    """
    require_x64("examine")
    check_arguments(E_keV, mu)
    made = response(target, thresholds=thresholds) if atom is None else atom
    if not isinstance(made, CentralField):
        raise InputError(
            f"target = {target!r} is no single atom of the central field; give an element, H to Cs"
        )
    return _examine(made, float(E_keV), float(mu), thresholds)


def _examine(atom: CentralField, E_keV: float, mu: float, thresholds: str) -> Examination:
    target = atom.target
    low, high = transfer_range(E_keV, atom)
    steps = response(target, "stepping")
    curves = cross_section_curves(transfer_grid(low, high, atom, steps), E_keV, atom, mu)
    orbitals = field_orbitals(target)
    first = float(np.min(np.asarray(atom.thresholds_keV)))
    shown = tuple(T for T in SHOWN_keV if first < T < high) or (0.5 * (first + high),)
    edges, electrons = np.asarray(atom.thresholds_keV), np.asarray(atom.electrons)
    return Examination(
        target=target,
        Z=atom.Z,
        E_keV=E_keV,
        mu=mu,
        thresholds=thresholds,
        labels=atom.labels,
        thresholds_keV=edges.tolist(),
        electrons=electrons.tolist(),
        range_keV=(low, high),
        conditions=validity(target, E_keV, (low, high), orbitals.speed_squared[0]),
        orbitals=orbitals,
        curves=curves,
        excess=largest_excess(curves, E_keV, atom),
        integrands=tuple(
            transverse_integrand(
                T, E_keV, atom, atom.Z * SIGMA0_cm2 * (1.0 / T - 1.0 / E_keV),
                orbitals.thomas_fermi_keV,
            )
            for T in shown
        ),
        current_ratios=current_ratios(atom, orbitals),
        departures=_departures(atom, curves),
        excitation=excitation_shares(low, high, E_keV, atom, mu),
        sums=_sums(atom),
        dispersion=_dispersion(atom, np.array(shown)),
        hydrogen=_hydrogen(),
        outlook=outlook(atom, mu),
    )  # fmt: skip


def _departures(atom: CentralField, curves: Curves) -> list[Departure]:
    """Extremes over the grid, the highest one searched once more between its neighbours."""
    electrons, edges = np.asarray(atom.electrons), np.asarray(atom.thresholds_keV)
    of_model = np.asarray(atom.model_thresholds_keV)
    there = [i for i in range(len(edges)) if np.sum(curves.T_keV >= edges[i]) > 2]
    above = [curves.T_keV >= edges[i] for i in there]
    T_of = [curves.T_keV[mask] for mask in above]
    rows = [
        curves.by_shell_magnetic[mask, i] / electrons[i]
        for i, mask in zip(there, above, strict=True)
    ]
    near = [
        np.linspace(T[max(k - 1, 0)], T[min(k + 1, T.size - 1)], PEAK_POINTS)
        for T, k in zip(T_of, (int(np.argmax(row)) for row in rows), strict=True)
    ]
    finer = charges(np.concatenate(near), atom)[0].reshape(len(there), PEAK_POINTS, -1)
    found = []
    for k, (i, T, row) in enumerate(zip(there, T_of, rows, strict=True)):
        peak, low = finer[k, :, i] / electrons[i], int(np.argmin(row))
        off = np.flatnonzero(np.abs(row - 1.0) > RECOVERED)
        last = -1 if not off.size else int(off[-1])
        found.append(
            Departure(
                atom.labels[i], float(edges[i]), float(edges[i] / of_model[i]),
                float(np.max(peak)), float(near[k][np.argmax(peak)]),
                float(row[low]), float(T[low]),
                float(T[last + 1]) if last + 1 < T.size else None,
            )
        )  # fmt: skip
    return found


def _sums(atom: CentralField) -> Sums:
    end = np.inf if atom.T_max_keV is None else float(atom.T_max_keV)
    Q = tuple(Q for Q in SUM_Q_keV if 0.4 * ELECTRON_MASS_keV * end > Q**2)
    electrons = float(np.sum(np.asarray(atom.electrons)))

    def over(total: Any, physical: bool) -> list[float]:
        return (np.asarray(total(atom, np.array(Q), physical)).sum(-1) / electrons).tolist()

    return Sums(
        Q, over(f_sum, False), over(f_sum, True), over(static_sum, False), over(static_sum, True)
    )


def _dispersion(atom: CentralField, T: np.ndarray) -> Dispersion:
    ridges = np.sqrt(2.0 * ELECTRON_MASS_keV * T)[:, None]
    dense = ridges * np.geomspace(0.6, 1.7, RIDGE_Q_POINTS)
    Q = np.unique(np.append(np.geomspace(0.1, 300.0, Q_POINTS), dense))
    elastic = cloud_elastic(Q, electron_cloud(atom.target))
    return _assembled(atom, T, Q, elastic, None, float(atom.Z**2))


def _hydrogen() -> Dispersion:
    ion = response("H", "hydrogenic", last_n=HYDROGEN_LINES)
    T = np.array(HYDROGEN_T) * float(ion.thresholds_keV[0])
    Q = np.geomspace(0.1, 60.0, HYDROGEN_Q_POINTS)
    closed = np.asarray(hydrogen_density_function("H", T[:, None], Q[None, :] ** 2))
    return _assembled(ion, T, Q, hydrogenic_elastic(Q, ion), closed, 1.0)


def _assembled(
    atom: Any, T: np.ndarray, Q: np.ndarray, elastic: Any, closed: np.ndarray | None, F_zero: float
) -> Dispersion:
    F = density_function(T, Q, atom, elastic)
    integral = np.asarray(dispersion_integral(T, np.append(0.0, Q), atom))
    times = T[:, None]
    return Dispersion(
        atom.target, T, Q,
        real=times * np.asarray(F.real),
        elastic=times * np.asarray(F.elastic),
        imaginary=times * np.asarray(F.imaginary),
        integral=times * integral[:, 1:],
        closed_real=None if closed is None else times * closed.real,
        F_zero=F_zero,
        integral_zero=T * integral[:, 0],
    )  # fmt: skip
