"""jaxnu examine: does the atom enhance magnetic scattering? One atom, one neutrino energy."""

import argparse
import json
import os
from pathlib import Path

from jaxnu._version import __version__
from jaxnu.commands.common import Command, make_folder, number, step, table_progress
from jaxnu.errors import InputError

REPORT, NUMBERS = "report.md", "report.json"


def add_commands(command: Command) -> None:
    """Declare jaxnu examine."""
    sub = command(
        "examine", _run, "one atom in magnetic scattering: L, T, equivalent photon, sum rules",
        "Examines one atom at one neutrino energy, from T = 10 eV to 50 keV: longitudinal and\n"
        "transverse terms beside free, stepping and equivalent-photon models, effective charges,\n"
        "the dispersion relation in Q², excitation beside ionisation. Writes report.md with\n"
        "pictures and report.json into a folder.\n\n"
        "  jaxnu examine Ge --energy-keV 1000 --out germanium\n"
        "  jaxnu examine Xe --energy-keV 420 --out xenon",
    )  # fmt: skip
    sub.add_argument("target", metavar="ELEMENT", help="symbol, H to Cs")
    sub.add_argument("--energy-keV", type=number, default=1000.0, metavar="E",
                     help="neutrino energy (default 1000)")  # fmt: skip
    sub.add_argument("--mu", type=number, default=1e-11, help="mu_nu in mu_B (default 1e-11)")
    sub.add_argument("--thresholds", default="measured", help="measured (default) or model")
    sub.add_argument("--out", type=Path, default=Path("."), metavar="DIR",
                     help="folder for the report (default: here)")  # fmt: skip


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
    names = {name: path.name for name, path in pictures.items()}
    write_text(arguments.out / REPORT, report_markdown(result, names))
    content = {**result.as_dict(), "pictures": names, "version": __version__}
    write_text(arguments.out / NUMBERS, json.dumps(content, indent=1, allow_nan=False) + "\n")
    print(f"{symbol}, E = {arguments.energy_keV:g} keV, mu_nu = {arguments.mu:.3g} mu_B")
    for line in summary_lines(result):
        print(f"  {line}")
    print(f"{arguments.out / REPORT}, {NUMBERS}, {len(names)} pictures")
