"""jaxnu flux: what a source of neutrinos sends."""

import argparse
import json
from pathlib import Path

from jaxnu._version import __version__
from jaxnu.commands.common import Command, number, step


def add_commands(command: Command) -> None:
    """Declare jaxnu flux."""
    sub = command(
        "flux", _run_flux, "what a source of neutrinos sends: flux, energies, components, lines",
        "Prints the flux, mean energy, components and lines of a source.\n\n"
        "  jaxnu flux solar --plot sun.png\n"
        "  jaxnu flux reactor --power-GW 3.6 --distance-m 20.7 --spectrum mueller\n"
        "  jaxnu flux chromium-51 --activity-PBq 126 --distance-m 1.5\n"
        "  jaxnu flux my-spectrum.csv --power-GW 3 --distance-m 13.9\n\n"
        "A CSV file has two columns with their units in its header (docs/sources.md).",
    )  # fmt: skip
    sub.add_argument("source", metavar="SOURCE",
                     help="solar, reactor, chromium-51, tritium, a shipped experiment or its TOML "
                     "file, or a CSV file")  # fmt: skip
    sub.add_argument("--power-GW", type=number, help="reactor: thermal power (default 3)")
    sub.add_argument("--distance-m", type=number,
                     help="default 13.9 (reactor), 1 (chromium-51, tritium)")  # fmt: skip
    sub.add_argument("--spectrum", metavar="MODEL",
                     help="reactor: huber-mueller (default), mueller, vogel-engel")  # fmt: skip
    sub.add_argument("--nu-per-fission", metavar="NORM",
                     help="reactor: tables (default), texono")  # fmt: skip
    sub.add_argument("--metallicity", help="solar: GS98 (default), AGSS09met")
    sub.add_argument("--activity-PBq", type=number, help="chromium-51, tritium (default 100)")
    sub.add_argument("--plot", type=Path, metavar="PNG", help="write a picture")
    sub.add_argument("--json", action="store_true", help="print the JSON alone on stdout")


def _run_flux(arguments: argparse.Namespace) -> None:
    from jaxnu import enable_compilation_cache
    from jaxnu.files import check_writable
    from jaxnu.flux_summary import format_flux, named_source, summarize_flux

    enable_compilation_cache()
    if arguments.plot:
        check_writable(arguments.plot)
    names = (
        "power_GW", "distance_m", "spectrum", "nu_per_fission", "metallicity", "activity_PBq"
    )  # fmt: skip
    with step(f"reading {arguments.source}"):
        source = named_source(arguments.source, **{n: getattr(arguments, n) for n in names})
        summary = summarize_flux(source)
    if arguments.plot:
        from jaxnu.plot import plot_flux

        with step(f"writing {arguments.plot}"):
            title = f"{summary.name}: {summary.flux_per_cm2_s:.4g} /(cm² s)"
            plot_flux(source.spectrum, source.components, title, arguments.plot)
    if arguments.json:
        content = {**summary.as_dict(), "version": __version__}
        print(json.dumps(content, indent=1, allow_nan=False))
    else:
        print(format_flux(summary))
