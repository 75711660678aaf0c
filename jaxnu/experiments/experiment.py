"""A measurement or a planned one: differentiable parameters, counts, and its fixed layout."""

import dataclasses
import math
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnu import checks, precision  # noqa: F401
from jaxnu.detector import Quenching, ResponseMatrix, mean_efficiency
from jaxnu.errors import InputError
from jaxnu.flux.spectrum import Spectrum
from jaxnu.numerics.interpolation import monotone_cubic
from jaxnu.settings import NUMERICS, Numerics

REACH = 8.0  # σ beyond which a Gaussian adds nothing: its tail holds 6e-16
PANEL_WIDTH = 2.0  # σ per panel: eight Gauss–Legendre nodes there see a smooth function
PANEL_RATIO = 2.0  # largest ratio of a panel's ends: dσ/dT falls like 1/T
LOWEST_T_keV = 1e-3  # 1 eV, below every ionisation energy
DATA_KINDS = ("counts", "on-off", "difference")
# what a systematic may move: its name in a file → the field of Parameters that is scaled
SYSTEMATICS = {
    "flux": "source",
    "exposure": "exposure_kg_day",
    "resolution": "resolution_keV",
    "threshold": "threshold_keV",
    "efficiency": "efficiency",
    "quenching": "quenching_factor",
}
SPECTRUM = "spectrum"  # a systematic that adds one of the source's variations to it
SURVIVAL = "survival"  # a systematic that scales P_ee(E)
MOVED = (*SYSTEMATICS, SPECTRUM, SURVIVAL)
RECOILS = ("electron", "nuclear", "both")
PANELS_MAX = 4000  # more than this means that the resolution is mistyped


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Parameters:
    """Everything about an experiment that may be varied or differentiated; all fields are arrays.

    source: neutrino flux at the detector.
    exposure_kg_day: mass × time, kg d.
    threshold_keV: energy at which the efficiency turns on through half of its maximum, keV.
    resolution_keV: (c0, c1, c2) of σ(T) = c0 + c1 √(T/keV) + c2 (T/keV), keV, or of their sum in
        quadrature.
    efficiency_offset_keV: energies of the efficiency's knots relative to the threshold, keV, so
        that a change of the threshold moves the whole curve.
    efficiency: efficiency at the knots, between 0 and 1; a monotone cubic between them, a function
        of reconstructed energy.
    bin_edges_keV: edges of the bins in reconstructed energy, keV.
    background: mean rate in each bin, 1/(kg keV d).
    background_uncertainty: relative 1σ of the constraint on the background's norm; without
        effect while the norm floats.
    off_exposure_kg_day: mass × time without the source, kg d; 0 where there is none.
    systematic_uncertainty: relative 1σ of each of the experiment's systematics; of one of the
        spectrum, in units of its variation.
    source_variations: δφ of each systematic of the spectrum, in their order, as one Spectrum whose
        density and line_flux have a first axis; None without any.
    off_fraction: flux of the OFF period over that of ON, 0 where the source is off.
    quenching: of each element whose recoils are seen; empty for electrons alone.
    quenching_factor: factor on all of them (Lindhard's k, or a table's values), 1.
    matrix: a tabulated response in place of resolution and efficiency, or None.
    """

    source: Spectrum
    exposure_kg_day: Float[Array, ""]
    threshold_keV: Float[Array, ""]
    resolution_keV: Float[Array, "3"]
    efficiency_offset_keV: Float[Array, "knots"]
    efficiency: Float[Array, "knots"]
    bin_edges_keV: Float[Array, "bins+1"]
    background: Float[Array, "bins"]
    background_uncertainty: Float[Array, ""]
    off_exposure_kg_day: Float[Array, ""] = field(default_factory=lambda: jnp.zeros(()))
    systematic_uncertainty: Float[Array, "systematics"] = field(
        default_factory=lambda: jnp.zeros(0)
    )
    source_variations: Spectrum | None = None
    off_fraction: Float[Array, ""] = field(default_factory=lambda: jnp.zeros(()))
    quenching: tuple[Quenching, ...] = ()
    quenching_factor: Float[Array, ""] = field(default_factory=lambda: jnp.ones(()))
    matrix: ResponseMatrix | None = None


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Experiment:
    """Parameters with counts (None for a forecast) and the static description of an experiment.

    parameters: what may be varied.
    counts: events per bin, or None; with the source on, where the data are on-off.
    acceptance: mean efficiency of each bin as loaded, a constant: it tells what background was
        behind the detected one, and stays when a parameter moves.
    name, title: short name and one line for people.
    target: element symbol, or formula of a compound.
    background_floating: the background's norm is free; otherwise it is constrained to 1 ± its
        uncertainty.
    background_has_efficiency: the background rate is one of detected events; otherwise the
        efficiency is still to be multiplied.
    transfer_edges_keV: panel edges of the integral over the energy transfer T, see transfer_edges.
    reference: pairs of key and text: citation, doi, published limit, where the numbers come from.
    off_counts: events per bin without the source, or None.
    difference: (values, errors) of an ON − OFF spectrum per bin, 1/(kg keV d), or None.
    data_kind: "counts" (Poisson), "on-off" (Poisson with and without the source at once) or
        "difference" (ON − OFF, Gaussian errors; those of the expected background in a forecast).
    systematics: pairs (name, parameter): what moves with each nuisance, see SYSTEMATICS.
    has_background: False for an entry that holds published parameters, perhaps counts, but no
        background model: its signal can be computed, a limit or a forecast cannot.
    recoil: "electron", "nuclear" (magnetic scattering on nuclei is the signal, CEvNS a fixed part
        of what is expected) or "both"; energies are electron-equivalent.
    background_has_cevns: CEvNS is in the background's rate, and not added.
    background_has_weak: weak scattering on electrons is in the background's rate, as far as known.
    efficiency_known: False where the file has none and 1 in all bins stands in its place.
    resolution_in_quadrature: how the coefficients of the resolution are added.
    recoil_edges_keV: panel edges of the integral over recoil energy, one tuple for each element of
        `quenching`.
    off_source: part of the source is on in the OFF period, see Parameters.off_fraction.
    source_description: one line for people.
    numerics: node counts.

    All fields from `name` on are static: a change of one compiles again.
    """

    parameters: Parameters
    counts: Float[Array, "bins"] | None
    acceptance: Float[Array, "bins"]
    name: str = field(metadata={"static": True})
    title: str = field(metadata={"static": True})
    target: str = field(metadata={"static": True})
    background_floating: bool = field(metadata={"static": True})
    background_has_efficiency: bool = field(metadata={"static": True})
    transfer_edges_keV: tuple[float, ...] = field(metadata={"static": True})
    reference: tuple[tuple[str, str], ...] = field(metadata={"static": True})
    off_counts: Float[Array, "bins"] | None = None
    difference: Float[Array, "2 bins"] | None = None
    data_kind: str = field(default="counts", metadata={"static": True})
    systematics: tuple[tuple[str, str], ...] = field(default=(), metadata={"static": True})
    has_background: bool = field(default=True, metadata={"static": True})
    recoil: str = field(default="electron", metadata={"static": True})
    background_has_cevns: bool = field(default=False, metadata={"static": True})
    background_has_weak: bool = field(default=True, metadata={"static": True})
    efficiency_known: bool = field(default=True, metadata={"static": True})
    resolution_in_quadrature: bool = field(default=False, metadata={"static": True})
    recoil_edges_keV: tuple[tuple[float, ...], ...] = field(default=(), metadata={"static": True})
    off_source: bool = field(default=False, metadata={"static": True})
    source_description: str = field(default="", metadata={"static": True})
    numerics: Numerics = field(default=NUMERICS, metadata={"static": True})

    @property
    def has_data(self) -> bool:
        """False for a forecast."""
        return self.counts is not None or self.difference is not None

    @property
    def adds_cevns(self) -> bool:
        """Whether CEvNS is expected beside signal and background."""
        return self.recoil != "electron" and not self.background_has_cevns

    @property
    def adds_weak(self) -> bool:
        """Whether weak scattering on electrons is expected beside signal and background."""
        return self.recoil != "nuclear" and not self.background_has_weak

    def refined(self, factor: int) -> "Experiment":
        """The same experiment with every quadrature `factor` times denser, to test convergence."""
        return dataclasses.replace(self, numerics=self.numerics.refined(factor))

    def replace(self, **changes: Any) -> "Experiment":
        """The same experiment with other values: fields of Experiment or of Parameters by name.

        Args:
            changes: new values, for example exposure_kg_day=2000.0 or counts=None. New bins or a
                new resolution change the range of the integral over T: give transfer_edges_keV
                (see transfer_edges) with them.

        Raises:
            InputError: for an unknown name, for bins that do not fit background and counts, and
                for bins or a resolution without transfer_edges_keV, for a new source without the
                variations that belong to it, and for a threshold beside a response matrix.
        """
        own = [f.name for f in dataclasses.fields(Experiment)]
        inner = [f.name for f in dataclasses.fields(Parameters)]
        for key in changes:
            checks.one_of("field", key, own + inner)
        for key in ("bin_edges_keV", "resolution_keV"):
            if key in changes and "transfer_edges_keV" not in changes:
                raise InputError(
                    f"{key} = {changes[key]} changes the range of the integral over T; pass "
                    "transfer_edges_keV=transfer_edges(...) with it"
                )
        if self.recoil != "electron" and {"bin_edges_keV", "resolution_keV"} & set(changes):
            _go_together("recoil_edges_keV", changes)
        if self.parameters.source_variations is not None and "source" in changes:
            _go_together("source_variations", changes)
        if self.parameters.matrix is not None and "threshold_keV" in changes:
            raise InputError(
                f"threshold_keV = {changes['threshold_keV']} cannot be moved: the response matrix "
                f"of {self.name} holds the efficiency; give another matrix"
            )
        moved = {
            key: value if key in _TREES else jnp.asarray(value, float)
            for key, value in changes.items()
            if key in inner
        }
        parameters = dataclasses.replace(changes.get("parameters", self.parameters), **moved)
        kept = {key: value for key, value in changes.items() if key in own}
        for key in ("counts", "off_counts", "difference"):
            if kept.get(key) is not None:
                kept[key] = jnp.asarray(kept[key], float)
        changed = dataclasses.replace(self, **{**kept, "parameters": parameters})
        if "bin_edges_keV" in changes:  # other bins: what passed in them has to be found anew
            changed = dataclasses.replace(changed, acceptance=acceptance(parameters, self.numerics))
        _check_layout(changed)
        return changed


_TREES = ("source", "source_variations", "quenching", "matrix")  # fields that are no arrays


def _go_together(key: str, changes: dict[str, Any]) -> None:
    """Refuse a change that another one has to go with."""
    if key not in changes:
        raise InputError(
            f"{key} is missing: it belongs to {', '.join(changes)}; give the one that goes with it"
        )


@partial(jax.jit, static_argnames=("numerics",))
def acceptance(parameters: Parameters, numerics: Numerics = NUMERICS) -> Float[Array, "bins"]:
    """Mean efficiency of each bin, between 0 and 1, as a constant."""
    p = jax.lax.stop_gradient(parameters)
    curve = p.bin_edges_keV, p.threshold_keV, p.efficiency_offset_keV, p.efficiency
    return mean_efficiency(*curve, numerics.bin_order)


def _check_layout(experiment: Experiment) -> None:
    """Refuse arrays whose lengths do not belong together, and unknown words."""
    p = experiment.parameters
    checks.one_of("data_kind", experiment.data_kind, DATA_KINDS)
    for name, parameter in experiment.systematics:
        checks.one_of(f"systematics: parameter of {name!r}", parameter, MOVED)
    if p.systematic_uncertainty.shape != (len(experiment.systematics),):
        raise InputError(
            f"systematic_uncertainty has shape {p.systematic_uncertainty.shape} for "
            f"{len(experiment.systematics)} systematics; give one relative 1σ for each"
        )
    checks.one_of("recoil", experiment.recoil, RECOILS)
    wanted = sum(parameter == SPECTRUM for _, parameter in experiment.systematics)
    given = 0 if p.source_variations is None else p.source_variations.density.shape[0]
    if wanted != given:
        raise InputError(
            f"source_variations has {given} spectra for {wanted} systematics of the spectrum; give "
            "one for each"
        )
    bins = p.bin_edges_keV.shape[-1] - 1
    lengths = {"background": p.background.shape[-1], "acceptance": experiment.acceptance.shape[-1]}
    if p.matrix is not None:
        lengths["matrix"] = p.matrix.seen.shape[-1]
    for key in ("counts", "off_counts", "difference"):
        if (value := getattr(experiment, key)) is not None:
            lengths[key] = value.shape[-1]
    for key, length in lengths.items():
        if length != bins:
            raise InputError(
                f"{key} has {length} values for {bins} bins; give one for each bin "
                f"({bins + 1} edges)"
            )
    if p.efficiency.shape != p.efficiency_offset_keV.shape:
        raise InputError(
            f"efficiency has {p.efficiency.shape[-1]} values for "
            f"{p.efficiency_offset_keV.shape[-1]} knots; give one for each knot"
        )


def half_efficiency_keV(energies_keV: np.ndarray, efficiency: np.ndarray) -> float:
    """Threshold of an efficiency curve: where it first rises through half of its maximum.

    The curve is the monotone cubic (Fritsch & Carlson, SIAM J. Numer. Anal. 17 (1980) 238, with
    the harmonic-mean slopes of Fritsch & Butland) through the knots, so its maximum is the largest
    knot.

    Args:
        energies_keV: (knots,) increasing energies, keV.
        efficiency: (knots,) values in [0, 1].

    Returns:
        The energy in keV.

    Raises:
        InputError: for a curve that starts at or above half of its maximum, or is zero.
    """
    half = 0.5 * float(np.max(efficiency))
    if not efficiency[0] < half:
        raise InputError(
            f"efficiency = {efficiency[0]:g} at the first knot, {energies_keV[0]:g} keV, is not "
            f"below half of its maximum, {half:g}, so the curve has no threshold; add knots at "
            "lower energy down to where it vanishes"
        )
    above = int(np.argmax(efficiency >= half))
    low, high = energies_keV[above - 1], energies_keV[above]
    curve = jax.jit(monotone_cubic)
    for _ in range(60):  # bisection, to the last digit
        middle = 0.5 * (low + high)
        rising = float(curve(middle, energies_keV, efficiency)) < half
        low, high = (middle, high) if rising else (low, middle)
    return 0.5 * float(low + high)


def transfer_edges(
    resolution_keV: np.ndarray,
    lowest_bin_keV: float,
    highest_bin_keV: float,
    T_max_keV: float = np.inf,
    in_quadrature: bool = False,
) -> tuple[float, ...]:
    """Panel edges for the integral over T of the signal smeared with σ(T).

    From the T with T + 8σ(T) = the lowest bin edge, or 1 eV if that is higher, to the T with
    T − 8σ(T) = the highest bin edge, or T_max. A panel is 2σ wide, but its ends differ by a factor
    2 at most; the last one is cut at the end.

    Args:
        resolution_keV: (c0, c1, c2) of σ(T) = c0 + c1 √(T/keV) + c2 (T/keV), keV.
        lowest_bin_keV, highest_bin_keV: the range of reconstructed energy, keV.
        T_max_keV: no transfer above this, the highest neutrino energy, keV.
        in_quadrature: σ² = c0² + c1² T/keV + (c2 T/keV)² instead.

    Returns:
        Increasing edges, keV.

    Raises:
        InputError: if σ(T) is not positive in this range or so small that the panels are too many.
    """
    c0, c1, c2 = (float(c) for c in resolution_keV)

    def sigma(T: float) -> float:
        parts = (c0, c1 * T**0.5, c2 * T)
        value = math.hypot(*parts) if in_quadrature else sum(parts)
        if not value > 0.0:
            raise InputError(
                f"resolution = {value:g} keV at {T:g} keV is not positive; give coefficients whose "
                "sum σ(T) is positive in all bins"
            )
        return value

    low = LOWEST_T_keV
    while (T := low * 1.02) + REACH * sigma(T) < lowest_bin_keV:
        low = T
    if not low < T_max_keV:
        raise InputError(
            f"T_max_keV = {T_max_keV:g} keV is below {low:g} keV, the lowest transfer "
            "that reaches the bins; give lower bins or a source of higher energy"
        )
    edges = [low]
    while edges[-1] - REACH * sigma(edges[-1]) < highest_bin_keV and edges[-1] < T_max_keV:
        T = edges[-1]
        edges.append(min(T + PANEL_WIDTH * sigma(T), PANEL_RATIO * T, T_max_keV))
        if len(edges) > PANELS_MAX:
            raise InputError(
                f"resolution = {sigma(T):g} keV at {T:g} keV would need over {PANELS_MAX} panels "
                f"up to {highest_bin_keV:g} keV; resolutions are widths σ in keV, so check the unit"
            )
    return tuple(edges)


def matrix_edges(T_keV: np.ndarray, T_max_keV: float) -> tuple[float, ...]:
    """Panel edges for the integral over T of a response matrix: its rows, cut to factors of 2.

    Args:
        T_keV: (rows,) energies of the rows, keV.
        T_max_keV: no transfer above this, keV.

    Returns:
        Increasing edges from 1 eV, or the first row if that is higher, keV.

    Raises:
        InputError: if the rows lie above T_max, or are too many.
    """
    low, high = max(float(T_keV[0]), LOWEST_T_keV), min(float(T_keV[-1]), T_max_keV)
    if not low < high:
        raise InputError(
            f"rows = {T_keV[0]:g} … {T_keV[-1]:g} keV hold no energy transfer up to "
            f"{T_max_keV:g} keV; give rows at lower energies or a source of higher energy"
        )
    rows = [low, *(float(T) for T in T_keV if low < T < high), high]
    edges = [low]
    for row in rows[1:]:
        while row > PANEL_RATIO * edges[-1]:
            edges.append(PANEL_RATIO * edges[-1])
        edges.append(row)
    if len(edges) > PANELS_MAX:
        raise InputError(f"rows: {len(edges)} panels; give {PANELS_MAX} rows or fewer")
    return tuple(edges)
