"""The [data], [background] and [statistics] of an experiment file."""

from dataclasses import dataclass

import numpy as np

from jaxnu import checks
from jaxnu.errors import InputError
from jaxnu.experiments.energy_scale import EnergyScale
from jaxnu.experiments.experiment import DATA_KINDS
from jaxnu.experiments.table import Table, one_each
from jaxnu.experiments.target_section import EXPOSURE_MAX

RATE_MAX = 1e12  # 1/(kg keV d), only to refuse infinity
DATA = (
    "kind", "bin_edges", "counts", "off_counts", "off_exposure", "values", "errors",
)  # fmt: skip
OWN = {
    "counts": ("counts",),
    "on-off": ("counts", "off_counts", "off_exposure"),
    "difference": ("values", "errors", "off_exposure"),
}


@dataclass(frozen=True)
class Data:
    """What was measured: fields of Experiment, and the exposure OFF [kg d]."""

    kind: str
    counts: np.ndarray | None = None
    off_counts: np.ndarray | None = None
    difference: np.ndarray | None = None
    off_exposure_kg_day: float = 0.0


@dataclass(frozen=True)
class Background:
    """Rate per bin [1/(kg keV d)] and what is known of it; known is False for none in the file."""

    rate: np.ndarray
    has_efficiency: bool = True
    has_cevns: bool = False
    has_weak: bool = True
    floating: bool = True
    uncertainty: float = 1.0
    known: bool = True


def read_data(table: Table, bins: int) -> Data:
    """Counts, ON and OFF counts, or a difference."""
    kind = table.word("kind", DATA_KINDS) if "kind" in table else "counts"
    table.allow(("kind", "bin_edges", *OWN[kind]))
    counts = _counts(table, "counts", bins) if kind != "difference" else None
    off_counts = _counts(table, "off_counts", bins) if kind == "on-off" else None
    if kind == "on-off" and (counts is None) != (off_counts is None):
        raise InputError(
            f"{table.file}: {table.path} has one of counts and off_counts; give both, or "
            "neither for a forecast"
        )
    difference = None
    if kind == "difference" and ("values" in table or "errors" in table):
        if "off_exposure" in table:
            raise table.refuse("off_exposure", "either values and errors, or off_exposure alone")
        difference = _difference(table, bins)
    exposure = 0.0
    if kind == "on-off" or (kind == "difference" and difference is None):
        expected = 'mass × time without the source, such as "280 kg d"'
        exposure = table.quantity("off_exposure", "exposure", expected)
        checks.number_range(
            table.where("off_exposure"), exposure, 0.0, EXPOSURE_MAX, "kg d", expected,
            open_low=True,
        )  # fmt: skip
    return Data(kind, counts, off_counts, difference, exposure)


def _counts(table: Table, key: str, bins: int) -> np.ndarray | None:
    if key not in table:
        return None
    expected = f"a whole number of events for each bin, or leave {key} out for a forecast"
    counts = table.numbers(key, expected)
    for i, value in enumerate(table.content[key]):
        if value < 0 or not isinstance(value, int):
            raise InputError(
                f"{table.where(key)}[{i}] = {value!r} is not a number of events; give {expected}"
            )
    one_each(table.where(key), counts, bins)
    return counts


def _difference(table: Table, bins: int) -> np.ndarray:
    pair = [table.quantities(key, "rate", "1/(kg keV d)") for key in ("values", "errors")]
    for key, each in zip(("values", "errors"), pair, strict=True):
        one_each(table.where(key), each, bins)
    checks.number_range(
        table.where("errors"), pair[1], 0.0, RATE_MAX, "1/(kg keV d)", "1σ of each value",
        open_low=True,
    )  # fmt: skip
    return np.stack(pair)


def read_background(top: Table, bins: int, scale: EnergyScale, data_kind: str) -> Background:
    """Rate and norm of the background; unknown where the file has neither section."""
    if "background" not in top:
        if "statistics" in top:
            raise InputError(
                f"{top.file}: statistics is there without background; give [background] with its "
                "rate, or leave both out"
            )
        return Background(np.zeros(bins), known=False)
    nuclear = scale.recoil != "electron"
    electrons = scale.recoil != "nuclear"
    keys = ["rate", "includes_efficiency", *["includes_cevns"] * nuclear,
            *["includes_weak"] * electrons]  # fmt: skip
    table = top.table("background", keys)
    rate = _rate(table, bins)
    has_efficiency = table.flag("includes_efficiency")
    has_cevns = table.flag("includes_cevns") if nuclear else False
    if has_cevns and data_kind != "counts":
        raise table.refuse(
            "includes_cevns", f"false: the background of {data_kind} data is there without source"
        )
    # a background without the source has none of its weak scattering
    has_weak = table.flag("includes_weak") if "includes_weak" in table else data_kind == "counts"
    statistics = top.table("statistics", ("background_norm", "background_uncertainty"))
    floating, uncertainty = _norm(statistics)
    return Background(rate, has_efficiency, has_cevns, has_weak, floating, uncertainty)


def _rate(table: Table, bins: int) -> np.ndarray:
    example = "1/(t yr keV)"
    expected = f'"2.5 / (keV kg d)", or {{ unit = "{example}", values = [...] }} by bin'
    rate = table.get("rate", expected)
    where = table.where("rate")
    if isinstance(rate, dict):
        values = table.quantities("rate", "rate", example)
        one_each(where, values, bins)
    elif isinstance(rate, str):
        values = np.full(bins, table.quantity("rate", "rate", expected))
    else:
        raise table.refuse("rate", expected)
    checks.number_range(where, values, 0.0, RATE_MAX, "1/(kg keV d)", "rates are not negative")
    if not values.any():
        raise InputError(f"{where} = 0 in all bins; its norm has no meaning: give a positive rate")
    return values


def _norm(table: Table) -> tuple[bool, float]:
    word = table.word("background_norm", ("floating", "constrained"))
    key = "background_uncertainty"
    if word == "floating":
        if key in table:
            raise table.refuse(key, 'background_norm = "constrained", or leave this key out')
        return True, 1.0
    return False, table.number(key, 0.0, 1.0, "5% is written 0.05")
