"""What the model of the atom does to limits: in shipped experiments, and over the threshold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from jaxnu import checks
from jaxnu.examination.tables import markdown_table
from jaxnu.experiments import Experiment, available, load_experiment
from jaxnu.experiments.experiment import transfer_edges
from jaxnu.inference import limit, sensitivity
from jaxnu.precision import require_x64
from jaxnu.responses import Response, response

MODELS = ("free", "stepping", "central-field")
THRESHOLDS_keV = (0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
RANGE_keV = 0.01, 10.0
BASE = "gemma"  # whose source, exposure, flat background and floating norm the detector has
TOP_keV, T_END_keV = 50.0, 100.0  # of the bins, and 5σ above them
BINS = 40  # even in ln T: fewer than 6 per resolution at a threshold of 10 keV
RESOLUTION = 0.1  # σ/T, at any T: the signal is smooth on this scale
TURN_ON = (-0.1, -0.05, 0.0, 0.05, 0.1)  # of the efficiency about the threshold, in its units
EFFICIENCY = (0.0, 0.15, 0.5, 0.85, 1.0)
SAME = 2e-3  # limits closer than this are the same


@dataclass(frozen=True)
class ExperimentLimits:
    """Limits on μ_ν [μ_B] at 90% CL of one experiment by model of the atom.

    kind: "observed" or "forecast". limits_mu_B: by model, in the order of MODELS; empty where no
    background model is at hand.
    """

    name: str
    title: str
    target: str
    kind: str
    limits_mu_B: dict[str, float]

    def change(self, model: str, reference: str = "stepping") -> float:
        """Relative change of the limit, model over reference, less one."""
        return self.limits_mu_B[model] / self.limits_mu_B[reference] - 1.0


@dataclass(frozen=True)
class ThresholdLimits:
    """Expected limits on μ_ν [μ_B] at 90% CL of `threshold_detector`, by model of the atom."""

    target: str
    words: str
    thresholds_keV: Float[np.ndarray, "thresholds"]
    limits_mu_B: dict[str, Float[np.ndarray, "thresholds"]]

    def ratio(self, model: str, reference: str = "stepping") -> Float[np.ndarray, "thresholds"]:
        """Limit of one model over that of another."""
        return self.limits_mu_B[model] / self.limits_mu_B[reference]


def catalogue_limits(
    names: Sequence[str] | None = None,
    models: Sequence[str] = MODELS,
    progress: Callable[[str], None] | None = None,
) -> list[ExperimentLimits]:
    """The limit of every shipped experiment with each model of the atom, two-sided, 90% CL.

    names: of the catalogue, or paths; None for all shipped ones. models: as in `response`.
    progress: called with the name of each experiment before its turn.
    Returns one ExperimentLimits for each: of the data where there are any, else of the forecast.
    Raises InputError for an unknown name or model.
    """
    require_x64("catalogue_limits")
    found = []
    for name in available() if names is None else names:
        if progress is not None:
            progress(name)
        experiment = load_experiment(name)
        kind = "observed" if experiment.has_data else "forecast"
        limits = {}
        if experiment.has_background:
            of = limit if experiment.has_data else sensitivity
            limits = {
                model: float(of(experiment, response(experiment.target, model)).limit_mu_B)
                for model in models
            }
        found.append(
            ExperimentLimits(experiment.name, experiment.title, experiment.target, kind, limits)
        )
    return found


def threshold_detector(target: str, threshold_keV: float) -> Experiment:
    """A detector like GEMMA's of any element and threshold: hypothetical, to compare atoms.

    The reactor (3 GW at 13.9 m), exposure (1133 kg d), flat background (2.5 events per kg, keV and
    day) and floating norm of the shipped `gemma`; 40 bins even in ln T from the threshold to
    50 keV; σ = 0.1 T; the efficiency rises from 0 to 1 within 10% about the threshold.

    target: element. threshold_keV: in [0.01, 10] keV.
    Returns an Experiment. Detectors of different thresholds have one layout: a limit compiles once.
    Raises InputError for a threshold out of range or an unknown element.
    A background that stays flat below 1 keV, and a crystal that answers to 10 eV like free atoms,
    are optimistic: the numbers compare models, they predict no experiment.
    """
    low, high = RANGE_keV
    checks.number_range("threshold_keV", threshold_keV, low, high, "keV", "0.3 is 300 eV")
    base = load_experiment(BASE)
    rate = float(base.parameters.background[0])
    resolution = np.array([0.0, 0.0, RESOLUTION])
    return base.replace(
        name="threshold-detector",
        title="hypothetical detector beside a reactor",
        reference=(),
        target=target,
        threshold_keV=threshold_keV,
        efficiency_offset_keV=threshold_keV * np.array(TURN_ON),
        efficiency=np.array(EFFICIENCY),
        resolution_keV=resolution,
        bin_edges_keV=np.geomspace(threshold_keV, TOP_keV, BINS + 1),
        background=np.full(BINS, rate),
        transfer_edges_keV=transfer_edges(resolution, low, TOP_keV, T_END_keV),
    )


def limits_over_threshold(
    target: str,
    thresholds_keV: Sequence[float] = THRESHOLDS_keV,
    models: Sequence[str] = MODELS,
    *,
    atom: Response | None = None,
) -> ThresholdLimits:
    """Expected limit of `threshold_detector` at each threshold, with each model of the atom.

    target: element. thresholds_keV: in [0.01, 10] keV. models: as in `response`.
    atom: the central-field response, if it is already there.
    Returns a ThresholdLimits. Raises InputError as `threshold_detector` and `response`.
    """
    require_x64("limits_over_threshold")
    detectors = [threshold_detector(target, float(T)) for T in thresholds_keV]
    found = {}
    for model in models:
        made = atom if model == "central-field" and atom is not None else response(target, model)
        found[model] = np.array([float(sensitivity(one, made).limit_mu_B) for one in detectors])
    p = load_experiment(BASE).parameters
    words = (
        f"{target}, 3 GW at 13.9 m, {float(p.exposure_kg_day):g} kg d, "
        f"{float(p.background[0]):g} background events per kg, keV and day with a floating norm, "
        f"{BINS} bins from the threshold to {TOP_keV:g} keV, σ = {RESOLUTION:g} T"
    )
    return ThresholdLimits(target, words, np.asarray(thresholds_keV, float), found)


def limits_section(
    experiments: Sequence[ExperimentLimits], over: ThresholdLimits, picture: str
) -> list[str]:
    """Both as lines of Markdown. picture: the link to it."""
    unit = 1e-11
    shipped = [
        (row.name, row.target, row.kind,
         *(f"{row.limits_mu_B[m] / unit:.4g}" for m in MODELS),
         f"{row.change('free'):+.1%}", f"{row.change('central-field'):+.1%}")
        if row.limits_mu_B
        else (row.name, row.target, "no background model", *["–"] * 5)
        for row in experiments
    ]  # fmt: skip
    scan = [
        (f"{1e3 * T:g}", *(f"{over.limits_mu_B[m][i] / unit:.4g}" for m in MODELS),
         f"{over.ratio('central-field')[i]:.3f}", f"{over.ratio('central-field', 'free')[i]:.3f}")
        for i, T in enumerate(over.thresholds_keV)
    ]  # fmt: skip
    return [
        "## What it means for experiments",
        "",
        picture,
        "",
        "Limits on μ_ν in 1e-11 μ_B, 90% CL, two-sided, of the shipped experiments with each model "
        "of the atom, and their change from stepping. A limit on μ_ν changes by half as much as "
        "the signal, and the other way.",
        "",
        *markdown_table(
            ("experiment", "target", "data", *MODELS, "free/stepping − 1",
             "central-field/stepping − 1"), shipped),
        "",
        f"Expected limits over the threshold, 1e-11 μ_B: {over.words}. The detector is "
        "hypothetical and compares models: a background that stays flat below 1 keV is optimistic.",
        "",
        *markdown_table(
            ("threshold [eV]", *MODELS, "central-field/stepping", "central-field/free"), scan),
        "",
        verdict(over),
        "",
    ]  # fmt: skip


def verdict(over: ThresholdLimits) -> str:
    """What the atom does to limits over the threshold, beside free electrons and stepping."""
    free, steps = over.ratio("central-field", "free"), over.ratio("central-field")
    at = int(np.argmin(steps))
    threshold = 1e3 * over.thresholds_keV[at]
    words = (
        f"The smallest central-field limit over that of free electrons is {np.min(free):.3f}, over "
        f"that of stepping {steps[at]:.3f}, at a threshold of {threshold:g} eV: "
    )
    if np.min(free) >= 1.0:
        words += (
            "the limit is at no threshold better than with free electrons, as KS11 conclude; "
            "subshells below their edges cost sensitivity at low ones."
        )
    else:
        words += "at some threshold the limit is better than with free electrons."
    if steps[at] < 1.0 - SAME:
        words += (
            " Over stepping the atom gains at some thresholds: d electrons answer with f-wave "
            "shape resonances above their edges, which independent particles exaggerate."
        )
    else:
        words += " Over stepping the atom gains at none."
    return words
