"""jaxnu examine: does the atom enhance magnetic scattering? One atom, one neutrino energy."""

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxnu._version import __version__
from jaxnu.commands.common import Command, make_folder, number, step, table_progress
from jaxnu.errors import InputError

if TYPE_CHECKING:
    from jaxnu.responses import Response

REPORT, NUMBERS = "report.md", "report.json"


def add_commands(command: Command) -> None:
    """Declare jaxnu examine."""
    sub = command(
        "examine", _run, "one atom in magnetic scattering: L, T, equivalent photon, sum rules",
        "Examines one atom at one neutrino energy, from T = 10 eV to 50 keV: longitudinal and\n"
        "transverse terms beside free, stepping and equivalent-photon models, effective charges,\n"
        "the dispersion relation in Q², excitation beside ionisation, and coherent recoils beside\n"
        "ionisation with a reactor, the Sun and a tritium source. Writes report.md with pictures\n"
        "and report.json into a folder. --experiments adds the limits of every shipped\n"
        "experiment and of a detector of any threshold by model of the atom: some minutes more,\n"
        "most of them compilation.\n\n"
        "  jaxnu examine Ge --energy-keV 1000 --out germanium\n"
        "  jaxnu examine Xe --energy-keV 420 --out xenon\n"
        "  jaxnu examine Ge --experiments --out germanium",
    )  # fmt: skip
    sub.add_argument("target", metavar="ELEMENT", help="symbol, H to Cs")
    sub.add_argument("--energy-keV", type=number, default=1000.0, metavar="E",
                     help="neutrino energy (default 1000)")  # fmt: skip
    sub.add_argument("--mu", type=number, default=1e-11, help="mu_nu in mu_B (default 1e-11)")
    sub.add_argument("--thresholds", default="measured", help="measured (default) or model")
    sub.add_argument("--experiments", action="store_true",
                     help="limits by model of the atom too (minutes)")  # fmt: skip
    sub.add_argument("--out", type=Path, default=Path("."), metavar="DIR",
                     help="folder for the report (default: here)")  # fmt: skip


def _limits(atom: "Response", picture: Path) -> tuple[dict[str, Any], str]:
    """Numbers and section of the limits by model of the atom; draws their picture."""
    from jaxnu.atomic_limits import catalogue_limits, limits_over_threshold, limits_section
    from jaxnu.plot_outlook import draw_limits

    with step("limits of shipped experiments (programs are compiled)"):
        shipped = catalogue_limits()
    with step("limits over the threshold"):
        over = limits_over_threshold(atom.target, atom=atom)
    draw_limits(shipped, over, picture)
    numbers = {
        "experiments": [asdict(row) for row in shipped],
        "threshold": {
            "target": over.target,
            "words": over.words,
            "thresholds_keV": over.thresholds_keV.tolist(),
            "limits_mu_B": {model: y.tolist() for model, y in over.limits_mu_B.items()},
        },
    }
    return numbers, "\n".join(limits_section(shipped, over, f"![limits]({picture.name})"))


def _run(arguments: argparse.Namespace) -> None:
    from jaxnu import checks, enable_compilation_cache, response
    from jaxnu.atom.configuration import element_symbol
    from jaxnu.examination import examine
    from jaxnu.examination.atom import check_arguments
    from jaxnu.examination.report import report_markdown, summary_lines
    from jaxnu.files import check_writable, write_text
    from jaxnu.plot_examination import plot_examination
    from jaxnu.responses.table_splines import THRESHOLDS

    symbol = element_symbol(arguments.target)
    checks.one_of("thresholds", arguments.thresholds, THRESHOLDS)
    check_arguments(arguments.energy_keV, arguments.mu)
    if os.path.exists(arguments.out) and not arguments.out.is_dir():
        raise InputError(f"--out = {str(arguments.out)!r} is a file; give a folder")
    enable_compilation_cache()
    make_folder(arguments.out)
    for name in (REPORT, NUMBERS):  # before the work, not after it
        check_writable(arguments.out / name)
    with table_progress(f"table of {symbol}") as progress:
        atom = response(symbol, thresholds=arguments.thresholds, progress=progress)
    with step(f"examining {symbol} (programs are compiled on the first run)"):
        result = examine(symbol, arguments.energy_keV, arguments.mu, arguments.thresholds,
                         atom=atom)  # fmt: skip
    with step("drawing"):
        pictures = plot_examination(result, arguments.out)
    content = {**result.as_dict(), "version": __version__}
    section = ""
    if arguments.experiments:
        pictures["limits"] = arguments.out / f"{symbol}-limits.png"
        content["limits"], section = _limits(atom, pictures["limits"])
    names = {name: path.name for name, path in pictures.items()}
    content["pictures"] = names
    write_text(arguments.out / REPORT, report_markdown(result, names) + section)
    write_text(arguments.out / NUMBERS, json.dumps(content, indent=1, allow_nan=False) + "\n")
    print(f"{symbol}, E = {arguments.energy_keV:g} keV, mu_nu = {arguments.mu:.3g} mu_B")
    for line in summary_lines(result):
        print(f"  {line}")
    print(f"{arguments.out / REPORT}, {NUMBERS}, {len(names)} pictures")
