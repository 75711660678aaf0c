"""The [detector] of an experiment file: resolution and efficiency, or a response matrix."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from scipy.special import erf

from jaxnu import checks
from jaxnu.detector import ResponseMatrix
from jaxnu.errors import InputError
from jaxnu.experiments.csv_columns import read_columns
from jaxnu.experiments.energy_scale import EnergyScale
from jaxnu.experiments.experiment import LOWEST_T_keV, half_efficiency_keV
from jaxnu.experiments.table import ENERGY_MAX_keV, Table, located

GAUSSIAN = ("constant", "sqrt", "linear")
COUNTING = ("noise", "fano", "energy_per_quantum", "linear")
RESOLUTION = (*GAUSSIAN, *COUNTING[:3], "matrix")
EFFICIENCY = ("energies", "values", "file", "threshold", "width", "plateau")
ERF_KNOTS = 41  # over ±4 widths: the cubic through them differs from erf by 2e-5
FANO_MAX = 100.0  # below 1 in ionisation; light is noisier than counting
ROW_SLACK = 1e-6  # rounding of a table whose rows sum to 1


@dataclass(frozen=True)
class Detector:
    """Resolution and efficiency as fields of `Parameters`, and how σ is meant.

    resolution_keV: (c0, c1, c2). in_quadrature: they are added so. knots_keV, efficiency: the
    curve. threshold_keV: half of its maximum. matrix: in place of all of these, or None.
    efficiency_known: False where the file has none, and 1 in all bins stands in its place.
    """

    resolution_keV: np.ndarray
    in_quadrature: bool
    knots_keV: np.ndarray
    efficiency: np.ndarray
    threshold_keV: float
    matrix: ResponseMatrix | None = None
    efficiency_known: bool = True


def read_detector(
    detector: Table, bin_edges: np.ndarray, scale: EnergyScale, background_known: bool
) -> Detector:
    """Resolution and efficiency of the bins, electron-equivalent."""
    table = detector.table("resolution", RESOLUTION)
    if "matrix" in table:
        return _with_matrix(detector, table, bin_edges, scale)
    resolution, in_quadrature = _resolution(table, scale)
    # parameters only, no efficiency known: all events of the bins
    known = "efficiency" in detector or background_known
    if known:
        inner = detector.table("efficiency", EFFICIENCY)
        knots, values = _efficiency(inner, bin_edges[0], bin_edges[-1], scale)
        where = inner.where("file" if "file" in inner else "energies")
    else:
        where = detector.where("efficiency")
        knots, values = turn_on(bin_edges[0], bin_edges[0] * 1e-3, 1.0, *bin_edges[[0, -1]])
    if knots[0] > bin_edges[0] or knots[-1] < bin_edges[-1]:
        raise InputError(
            f"{where} = {knots[0]:g} … {knots[-1]:g} keV does not "
            f"cover the bins, {bin_edges[0]:g} … {bin_edges[-1]:g} keV; add knots at the ends"
        )
    with located(f"{detector.where('efficiency')}.values: "):
        threshold = half_efficiency_keV(knots, values)
    return Detector(resolution, in_quadrature, knots, values, threshold, efficiency_known=known)


def _resolution(table: Table, scale: EnergyScale) -> tuple[np.ndarray, bool]:
    """(c0, c1, c2) [keV], and whether σ is their sum in quadrature."""
    if not table.content:
        raise InputError(
            f"{table.file}: {table.path} is empty; give one or more of {', '.join(GAUSSIAN)}, "
            'such as sqrt = "0.31 keV"'
        )
    counting = any(key in table for key in COUNTING[:3])
    table.allow(COUNTING if counting else GAUSSIAN)
    expected = 'an energy such as "0.3 keV"'

    def energy(key: str, required: bool = False) -> float:
        if key not in table and not required:
            return 0.0
        value = table.energy(key, expected, scale, width=True)
        remedy = "coefficients are not negative"
        checks.number_range(table.where(key), value, 0.0, ENERGY_MAX_keV, "keV", remedy)
        return value

    if not counting:
        return np.array([energy(key) for key in GAUSSIAN]), False
    quantum = energy("energy_per_quantum", required=True)
    fano = table.number("fano", 0.0, FANO_MAX, "variance over mean of the number of quanta")
    # σ² = noise² + F w T: the coefficient of √T is √(F w)
    return np.array([energy("noise"), np.sqrt(fano * quantum), energy("linear")]), True


def turn_on(
    threshold: float, width: float, plateau: float, first: float, last: float
) -> tuple[np.ndarray, np.ndarray]:
    """Knots of plateau · ½ (1 + erf((E − threshold)/(√2 width))), from bin to bin."""
    z = np.linspace(-4.0, 4.0, ERF_KNOTS)
    energies, values = threshold + width * z, 0.5 * plateau * (1.0 + erf(z / np.sqrt(2.0)))
    values[0], values[-1] = 0.0, plateau
    below = [first] if first < energies[0] else []
    above = [last] if last > energies[-1] else []
    return (
        np.concatenate([below, energies, above]),
        np.concatenate([[0.0] * len(below), values, [plateau] * len(above)]),
    )


def _efficiency(
    table: Table, first: float, last: float, scale: EnergyScale
) -> tuple[np.ndarray, np.ndarray]:
    if "threshold" in table:
        table.allow(("threshold", "width", "plateau"))
        expected = 'the energy of half efficiency, such as "0.3 keV"'
        threshold = table.energy("threshold", expected, scale)
        expected = 'the 1σ width of the turn-on, such as "30 eV"'
        width = table.energy("width", expected, scale, width=True)
        plateau = table.number("plateau", 0.0, 1.0, "80% is written 0.8")
        remedy = "a turn-on has a threshold and a width above zero"
        for key, value in (("threshold", threshold), ("width", width)):
            checks.number_range(
                table.where(key), value, 0.0, ENERGY_MAX_keV, "keV", remedy, open_low=True
            )
        return turn_on(threshold, width, plateau, first, last)
    if "file" in table:
        table.allow(("file",))
        knots, columns = read_columns(table.where("file"), table.csv_file("file"), scale, 1, 1.0)
        return knots, columns[:, 0]
    table.allow(("energies", "values"))
    energies = table.energies("energies", scale)
    values = table.numbers("values", "an efficiency between 0 and 1 for each energy")
    if len(values) != len(energies):
        raise InputError(
            f"{table.where('values')} has {len(values)} values for {len(energies)} energies; "
            "give one for each"
        )
    remedy = "efficiencies are fractions, so 80% is written 0.8"
    checks.number_range(table.where("values"), values, 0.0, 1.0, "", remedy)
    return energies, values


def _with_matrix(
    detector: Table, table: Table, bin_edges: np.ndarray, scale: EnergyScale
) -> Detector:
    """The response from a CSV file: rows of true energy, one column for each bin."""
    table.allow(("matrix",))
    if "efficiency" in detector:
        raise InputError(
            f"{detector.where('efficiency')} is there beside a response matrix, which holds the "
            "efficiency; leave it out"
        )
    where, path = table.where("matrix"), table.csv_file("matrix")
    T, seen = read_columns(where, path, scale, len(bin_edges) - 1, 1.0)
    where = f"{where}: {path}"
    sums = seen.sum(axis=1)
    if (sums > 1.0 + ROW_SLACK).any():
        at = int(np.argmax(sums > 1.0 + ROW_SLACK))
        raise InputError(
            f"{where}: the row at {T[at]:g} keV sums to {sums[at]:.8g}, above 1; give the "
            "probabilities that an event of this energy falls into each bin"
        )
    if sums[0] > 0.0 and T[0] > LOWEST_T_keV:
        raise InputError(
            f"{where}: the first row, at {T[0]:g} keV, sums to {sums[0]:g} and does not say what "
            "smaller energies do; add rows down to one of zeros, or to 1 eV"
        )
    half = 0.5 * sums.max()
    if not half > 0.0:
        raise InputError(f"{where} is zero everywhere; give a detector that sees something")
    above = int(np.argmax(sums >= half))
    threshold = float(T[0])
    if above:
        share = (half - sums[above - 1]) / (sums[above] - sums[above - 1])
        threshold = float(T[above - 1] + share * (T[above] - T[above - 1]))
    knots, ones = bin_edges[[0, -1]], np.ones(2)
    matrix = ResponseMatrix(jnp.asarray(T), jnp.asarray(seen))
    return Detector(np.zeros(3), False, knots, ones, threshold, matrix)


def check_matrix_end(detector: Table, matrix: ResponseMatrix, highest_keV: float) -> None:
    """Refuse a matrix whose last row is not zero below the highest deposit of the source."""
    name = detector.content["resolution"]["matrix"]
    last, end = float(jnp.sum(matrix.seen[-1])), float(matrix.T_keV[-1])
    if last > 0.0 and end < highest_keV:
        raise InputError(
            f"{detector.where('resolution')}.matrix: {name}: the last row, at {end:g} keV, sums to "
            f"{last:g}, and energies go up to {highest_keV:.5g} keV; add rows up to one of zeros"
        )
