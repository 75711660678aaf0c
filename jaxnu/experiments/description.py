"""Experiments in words: `jaxnu experiments` and `jaxnu experiments show`."""

import os
from typing import Any

from jaxnu.detector import Quenching
from jaxnu.experiments.experiment import SPECTRUM, SURVIVAL, Experiment
from jaxnu.experiments.reader import load_experiment, open_file
from jaxnu.experiments.table import parse_toml


def describe(name: str | os.PathLike[str]) -> str:
    """A few lines about an experiment: what, how much, from whom.

    Args:
        name: as for load_experiment.
    """
    experiment = load_experiment(name)
    lines = facts(experiment)
    lines |= {key.replace("_", " "): text for key, text in experiment.reference}
    width = max(map(len, lines))
    return "\n".join(f"{key:<{width}}  {text}" for key, text in lines.items())


def facts(experiment: Experiment) -> dict[str, str]:
    """Source, target, detector and data in words, by what they are."""
    p = experiment.parameters
    kind = "antineutrinos" if p.source.antineutrino else "neutrinos"
    scale = "" if experiment.recoil == "electron" else " electron-equivalent"
    return {
        "experiment": f"{experiment.name}: {experiment.title}",
        "source": f"{p.source.name}, {float(p.source.total()):.4g} {kind}/(cm² s)",
        "source is": experiment.source_description,
        **_off(experiment),
        "target": f"{experiment.target}, {float(p.exposure_kg_day):g} kg d",
        **_recoils(experiment),
        "threshold": f"{float(p.threshold_keV):.3g} keV{scale} (half of the maximal efficiency)"
        if experiment.efficiency_known
        else "unknown; the signal is computed with efficiency 1 in all bins",
        "resolution": _resolution(experiment),
        "bins": f"{p.background.shape[0]}, {float(p.bin_edges_keV[0]):g} to "
        f"{float(p.bin_edges_keV[-1]):g} keV{scale}",
        "events": _events(experiment),
        "background": _background(experiment),
        "statistics": f"{experiment.data_kind}"
        + (f", {float(p.off_exposure_kg_day):g} kg d off" if p.off_exposure_kg_day > 0.0 else ""),
        **_nuisances(experiment),
    }


def _off(experiment: Experiment) -> dict[str, str]:
    if not experiment.off_source:
        return {}
    share = 100.0 * float(experiment.parameters.off_fraction)
    return {"source OFF": f"{share:.3g}% of the flux goes on"}


def _recoils(experiment: Experiment) -> dict[str, str]:
    if experiment.recoil == "electron":
        return {}
    added = "in the background" if experiment.background_has_cevns else "added, fixed"
    seen = {"electron": "electrons", "nuclear": "nuclei", "both": "electrons and nuclei"}
    quenching = "; ".join(_quenching(one) for one in experiment.parameters.quenching)
    return {
        "recoils": f"of {seen[experiment.recoil]}; CEvNS {added}",
        "quenching": quenching,
    }


def _quenching(one: Quenching) -> str:
    if one.model == "lindhard":
        return f"{one.target} Lindhard, k = {float(one.k):g}"
    if one.model == "table":
        return f"{one.target} table of {one.factor.shape[0]} points"
    return f"{one.target} none"


def _resolution(experiment: Experiment) -> str:
    p = experiment.parameters
    if p.matrix is not None:
        rows, bins = p.matrix.seen.shape
        return f"response matrix, {rows} energies × {bins} bins"
    c0, c1, c2 = (float(c) for c in p.resolution_keV)
    if experiment.resolution_in_quadrature:
        squares = (f"{c0:.4g}²" * (c0 > 0), f"{c1**2:.4g} T" * (c1 > 0), f"({c2:g} T)²" * (c2 > 0))
        return f"σ² = {' + '.join(term for term in squares if term)} keV², T in keV"
    terms = (f"{c0:g}" * (c0 > 0), f"{c1:g} √T" * (c1 > 0), f"{c2:g} T" * (c2 > 0))
    return f"σ = {' + '.join(term for term in terms if term)} keV, T in keV"


def _events(experiment: Experiment) -> str:
    counts = "none, a forecast" if experiment.has_background else "none, parameters only"
    if experiment.difference is not None:
        counts = "ON − OFF spectrum with errors"
    elif experiment.counts is not None:
        counts = f"{int(experiment.counts.sum())}"
    if experiment.off_counts is not None:
        counts += f" ON, {int(experiment.off_counts.sum())} OFF"
    return counts


def _background(experiment: Experiment) -> str:
    p = experiment.parameters
    if not experiment.has_background:
        return "unknown: no limit can be computed"
    norm = f"norm constrained to {100 * float(p.background_uncertainty):g}%"
    if experiment.background_floating:
        norm = "floating norm"
    if experiment.data_kind == "difference":
        norm = "in the errors alone"
    weak = "; weak scattering on electrons added, fixed" if experiment.adds_weak else ""
    low, high = float(p.background.min()), float(p.background.max())
    rate = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
    return f"{rate} /(kg keV d), {norm}{weak}"


def _nuisances(experiment: Experiment) -> dict[str, str]:
    sigmas = experiment.parameters.systematic_uncertainty
    within = "" if experiment.adds_weak else ", without weak scattering, which the background has"
    return {
        f"nuisance {name}": f"{parameter} ± {100.0 * float(sigma):g}%"
        + (" of its variation" if parameter == SPECTRUM else "")
        + (within if parameter == SURVIVAL else "")
        for (name, parameter), sigma in zip(experiment.systematics, sigmas, strict=True)
    }


def _what_data(content: dict[str, Any]) -> str:
    data = content["data"]
    if "background" not in content:
        return "counts only" if "counts" in data else "parameters only"
    return "counts" if "counts" in data or "values" in data else "forecast only"


def headline(name: str) -> tuple[str, str, str, str]:
    """(target, what data it has, title, citation) of a shipped experiment, read only."""
    content = parse_toml(f"{name}.toml", open_file(name).text)
    return (
        content["target"].get("element") or content["target"]["compound"],
        _what_data(content),
        content["title"],
        content["reference"]["citation"],
    )
