"""Read an experiment file (TOML): quantities with units in, an Experiment out.

The format is described in docs/experiment-file.md; each section has a module of its own.
"""

import dataclasses
import os
from importlib import resources
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnu import checks, precision  # noqa: F401
from jaxnu.cross_sections.kinematics import transfer_end
from jaxnu.cross_sections.nuclear import nuclei
from jaxnu.detector import Quenching, ResponseMatrix, electron_equivalent
from jaxnu.detector.quenching import recoil_energy
from jaxnu.errors import InputError
from jaxnu.experiments.data_section import DATA, Data, read_background, read_data
from jaxnu.experiments.detector_section import Detector, check_matrix_end, read_detector
from jaxnu.experiments.experiment import (
    Experiment,
    LOWEST_T_keV,
    Parameters,
    acceptance,
    matrix_edges,
    transfer_edges,
)
from jaxnu.experiments.source_section import SOURCE_KEYS, SourceInput, read_source, stack
from jaxnu.experiments.systematics_section import read_systematics
from jaxnu.experiments.table import Table, located, parse_toml
from jaxnu.experiments.target_section import Target, check_recoils, read_target
from jaxnu.flux.spectrum import Spectrum

SECTIONS = (
    "title",
    "source",
    "target",
    "detector",
    "data",
    "background",
    "systematics",
    "statistics",
    "reference",
)
REFERENCE = ("citation", "doi", "arxiv", "published_limit", "obtained", "notes")


def _read(name: str, file: str, text: str, folder: Path) -> Experiment:
    top = Table(file, "", parse_toml(file, text), SECTIONS, folder)
    title = top.text("title", "one line that names the experiment")
    source_table = top.table("source", SOURCE_KEYS)
    target_table = top.table("target", ("element", "compound", "exposure", "recoil"))
    detector_table = top.table("detector", ("resolution", "efficiency", "quenching"))
    data_table = top.table("data", DATA)
    texts = _reference(top)

    target = read_target(target_table, detector_table)
    bin_edges = data_table.energies("bin_edges", target.scale)
    bins = len(bin_edges) - 1
    data = read_data(data_table, bins)
    background = read_background(top, bins, target.scale, data.kind)
    detector = read_detector(detector_table, bin_edges, target.scale, background.known)
    if detector.matrix is not None and not background.has_efficiency:
        raise InputError(
            f"{top.where('background')}.includes_efficiency = False, and a response matrix does "
            "not say what the background's efficiency is; give a rate of detected events and true"
        )
    source = read_source(source_table)
    off_fraction = _off_fraction(source_table, source, data.kind)
    systematics = read_systematics(top, source, target.recoil, detector.matrix is not None)
    edges, recoil_edges = _edges(detector_table, detector, target, source.spectrum, bin_edges)
    parameters = Parameters(
        source=source.spectrum,
        exposure_kg_day=jnp.asarray(target.exposure_kg_day, float),
        threshold_keV=jnp.asarray(detector.threshold_keV, float),
        resolution_keV=jnp.asarray(detector.resolution_keV, float),
        efficiency_offset_keV=jnp.asarray(detector.knots_keV - detector.threshold_keV, float),
        efficiency=jnp.asarray(detector.efficiency, float),
        bin_edges_keV=jnp.asarray(bin_edges, float),
        background=jnp.asarray(background.rate, float),
        background_uncertainty=jnp.asarray(background.uncertainty, float),
        off_exposure_kg_day=jnp.asarray(data.off_exposure_kg_day, float),
        systematic_uncertainty=jnp.asarray(systematics.sigmas, float),
        source_variations=stack(systematics.variations),
        off_fraction=jnp.asarray(off_fraction, float),
        quenching=target.quenching,
        matrix=detector.matrix,
    )
    return Experiment(
        parameters=parameters,
        acceptance=acceptance(parameters),
        name=name,
        title=title,
        target=target.material,
        background_floating=background.floating,
        background_has_efficiency=background.has_efficiency,
        transfer_edges_keV=edges,
        reference=texts,
        systematics=systematics.pairs,
        has_background=background.known,
        recoil=target.recoil,
        background_has_cevns=background.has_cevns,
        background_has_weak=background.has_weak,
        efficiency_known=detector.efficiency_known,
        resolution_in_quadrature=detector.in_quadrature,
        recoil_edges_keV=recoil_edges,
        off_source=off_fraction > 0.0,
        source_description=source.description,
        **_observed(data),
    )


def _reference(top: Table) -> tuple[tuple[str, str], ...]:
    table = top.table("reference", REFERENCE)
    citation = table.text("citation", "whose numbers these are")
    texts = {key: table.text(key, "a text") for key in REFERENCE if key in table}
    return tuple({"citation": citation, **texts}.items())


def _observed(data: Data) -> dict[str, Any]:
    """The fields of Experiment that hold the data."""
    arrays = {"counts": data.counts, "off_counts": data.off_counts, "difference": data.difference}
    found = {k: None if v is None else jnp.asarray(v, float) for k, v in arrays.items()}
    return {"data_kind": data.kind, **found}


def _off_fraction(table: Table, source: SourceInput, data_kind: str) -> float:
    """Flux of the OFF period over that of ON; 0 where all of the source is off then."""
    if data_kind == "counts":
        if source.off_fraction is not None:
            raise InputError(
                f"{table.where('core')}: off_power belongs to [data] kind = 'on-off' or "
                "'difference', and this is 'counts'; leave it out"
            )
        return 0.0
    if source.off_fraction is None:
        if source.cores > 1:
            raise InputError(
                f"{table.where('core')}: off_power is missing for {source.cores} cores with "
                f"{data_kind} data; give the power of each in the OFF period, such as '0 GW'"
            )
        return 0.0
    return source.off_fraction


def _edges(
    table: Table, detector: Detector, target: Target, source: Spectrum, bin_edges: np.ndarray
) -> tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]:
    """Panel edges of the energy transfer to electrons, and of the recoils of each element."""
    E_max = float(np.max([source.edges_keV[-1], *np.asarray(source.lines_keV)]))
    with located(f"{table.where('resolution')}: "):
        edges = _deposit_edges(detector, bin_edges, E_max)
    if target.recoil != "nuclear" and detector.matrix is not None:
        check_matrix_end(table, detector.matrix, E_max)
    recoils = []
    for quenching in target.quenching:
        T_max = float(transfer_end(jnp.asarray(E_max), nuclei(quenching.target).mass_keV.min()))
        check_recoils(table, quenching, T_max)
        with located(f"{table.where('resolution')}.matrix: "):
            recoils.append(_recoil_edges(detector.matrix, quenching, np.array(edges), T_max))
    if target.quenching and not any(recoils):
        raise InputError(
            f"{table.file}: target.recoil = {target.recoil!r}: no recoil of this source is seen "
            "above 1 eV or reaches the bins; give recoil = 'electron', or lower bins"
        )
    return edges, tuple(recoils)


def _deposit_edges(
    detector: Detector, bin_edges: np.ndarray, T_max_keV: float
) -> tuple[float, ...]:
    if detector.matrix is not None:
        return matrix_edges(np.asarray(detector.matrix.T_keV), T_max_keV)
    return transfer_edges(
        detector.resolution_keV, bin_edges[0], bin_edges[-1], T_max_keV, detector.in_quadrature
    )


def _recoil_edges(
    matrix: ResponseMatrix | None, quenching: Quenching, edges_keV: np.ndarray, T_max_keV: float
) -> tuple[float, ...]:
    """Recoil energies that are seen as these energies, up to the largest; none if none is."""
    highest = float(electron_equivalent(jnp.asarray(T_max_keV), quenching))
    if matrix is not None and float(matrix.seen[-1].sum()) > 0.0 and highest > matrix.T_keV[-1]:
        raise InputError(
            f"the response matrix ends at {float(matrix.T_keV[-1]):g} keV and recoils are seen up "
            f"to {highest:.4g} keV; add rows up to one of zeros"
        )
    inside = edges_keV[edges_keV < highest]
    if highest <= max(LOWEST_T_keV, edges_keV[0]):
        return ()
    recoils = recoil_energy(inside, quenching, T_max_keV)
    knots = np.asarray(quenching.knots_keV)
    knots = knots[(knots > recoils[0]) & (knots < min(recoils[-1], T_max_keV))]
    return tuple(
        float(T) for T in np.unique([*recoils, *knots, *_end(edges_keV, highest, T_max_keV)])
    )


def _end(edges_keV: np.ndarray, highest: float, T_max_keV: float) -> tuple[float, ...]:
    """The largest recoil, where it is within the range of the bins."""
    return (T_max_keV,) if highest <= edges_keV[-1] else ()


def _catalogue() -> dict[str, Any]:
    folder = resources.files("jaxnu.experiments") / "catalogue"
    files = [file for file in folder.iterdir() if file.name.endswith(".toml")]
    return {file.name.removesuffix(".toml"): file for file in sorted(files, key=lambda f: f.name)}


def available() -> tuple[str, ...]:
    """Names of the experiments that come with jaxnu."""
    return tuple(_catalogue())


@dataclasses.dataclass(frozen=True)
class ExperimentFile:
    """A file's name for people, its name for messages, its text, and its folder."""

    name: str
    file: str
    text: str
    folder: Path


def open_file(name_or_path: str | os.PathLike[str]) -> ExperimentFile:
    """The text of a shipped experiment by name, or of any other by the path of its file."""
    shipped = _catalogue()
    key = os.fspath(name_or_path)
    if key in shipped:
        file = shipped[key]
        return ExperimentFile(key, f"{key}.toml", file.read_text("utf-8"), Path(str(file)).parent)
    path = Path(key)
    if not os.path.isfile(path):
        checks.one_of("experiment", key, [*shipped, "a TOML file that is there"])
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = " ".join(str(error).split())
        raise InputError(f"{key} cannot be read: {why}; give a TOML file in UTF-8") from None
    return ExperimentFile(path.name.removesuffix(".toml"), key, text, path.parent)


def load_experiment(name_or_path: str | os.PathLike[str]) -> Experiment:
    """Read an experiment: a shipped one by name, or any other by the path of its file.

    Args:
        name_or_path: a name from available(), or the path of a file (docs/experiment-file.md).

    Returns:
        The experiment; its name is the file's name without ".toml".

    Raises:
        InputError: one line with file, key, value and what is expected there.
    """
    found = open_file(name_or_path)
    with jax.ensure_compile_time_eval():  # constants, inside a jitted function too
        return _read(found.name, found.file, found.text, found.folder)


def load_source(name_or_path: str | os.PathLike[str]) -> SourceInput:
    """The source of an experiment's file with its parts; arguments and refusals as above."""
    found = open_file(name_or_path)
    content = parse_toml(found.file, found.text)
    with jax.ensure_compile_time_eval():
        top = Table(found.file, "", content, SECTIONS, found.folder)
        return read_source(top.table("source", SOURCE_KEYS))
