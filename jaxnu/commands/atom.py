"""jaxnu atom, jaxnu atom build: what the model of an atom holds, and its table."""

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxnu._version import __version__
from jaxnu.commands.common import Command, exchange_argument, step, table_progress
from jaxnu.errors import InputError

if TYPE_CHECKING:
    from jaxnu.atom.table import AtomTable

BUILD = "atom build"


def add_commands(command: Command) -> None:
    """Declare jaxnu atom, jaxnu atom build."""
    sub = command(
        "atom", _run_atom, "what the atomic model of an element holds; 'atom build' makes a table",
        "Prints configuration, thresholds, sum rules, photoabsorption and effective charges of\n"
        "one atom in its central field.\n\n"
        "  jaxnu atom Ge\n"
        "  jaxnu atom Xe --plot xe.png\n"
        "  jaxnu atom my-table.npz --thresholds model\n"
        "  jaxnu atom build Xe --out xe.npz      make a table: jaxnu atom build --help\n\n"
        "The table of an element is the shipped one, or is computed once and kept.",
    )  # fmt: skip
    sub.add_argument("target", metavar="ELEMENT|TABLE",
                     help="element, H to Cs, or a table of S and R, .npz or .txt")  # fmt: skip
    sub.add_argument("--thresholds", default="measured", help="measured (default) or model")
    sub.add_argument("--source", help="table (default: shipped or kept) or compute")
    exchange_argument(sub)
    sub.add_argument("--json", action="store_true", help="print the JSON alone on stdout")
    sub.add_argument("--plot", type=Path, metavar="PNG",
                     help="write a picture of S(T,Q), charges, photoabsorption")  # fmt: skip

    sub = command(
        BUILD, _run_atom_build, "compute the table of S and R of an element",
        "Computes S(T,Q) and R(T,Q) of every subshell and writes them to a file, which\n"
        "'jaxnu atom FILE' and jaxnu.response(FILE) read. The shipped tables are made so.\n\n"
        "  jaxnu atom build Xe --out xe.npz\n"
        "  jaxnu atom build Kr --exchange 0.9 --out kr-0.9.txt",
    )  # fmt: skip
    sub.add_argument("element", metavar="ELEMENT", help="symbol, H to Cs")
    sub.add_argument("--out", type=Path, required=True, metavar="FILE",
                     help="name of the table, ending in .npz (small) or .txt")  # fmt: skip
    exchange_argument(sub)


def _run_atom(arguments: argparse.Namespace) -> None:
    from jaxnu import checks, enable_compilation_cache
    from jaxnu.atom_summary import format_summary, summarize_atom
    from jaxnu.files import check_writable
    from jaxnu.plot import plot_atom
    from jaxnu.responses import CentralField
    from jaxnu.responses.table_splines import THRESHOLDS

    enable_compilation_cache()
    checks.one_of("thresholds", arguments.thresholds, THRESHOLDS)
    if arguments.plot:
        check_writable(arguments.plot)
    table, source = _table(arguments)
    atom = CentralField.from_table(table, arguments.thresholds)
    with step("sums, effective charges, photoabsorption (compiled on the first run)"):
        summary = summarize_atom(table, atom)
    if arguments.plot:
        with step(f"writing {arguments.plot}"):
            plot_atom(atom, arguments.plot)
    if arguments.json:
        content = {**summary.as_dict(), "source": source, "version": __version__}
        print(json.dumps(content, indent=1, allow_nan=False))
    else:
        print(format_summary(summary, source))


def _table(arguments: argparse.Namespace) -> tuple["AtomTable", str]:
    """The table that `jaxnu atom` is about, and where it comes from."""
    from jaxnu.atom.configuration import element_symbol
    from jaxnu.atom.table_files import read_table
    from jaxnu.atom.table_store import SHIPPED, atom_table

    target = arguments.target
    if Path(target).suffix or Path(target).name != target:  # no element is written so
        for option in ("source", "exchange"):
            if getattr(arguments, option) is not None:
                raise InputError(
                    f"--{option} = {getattr(arguments, option)} belongs to an element, and "
                    f"{target!r} is a file; leave it out"
                )
        with step(f"reading {target}"):
            return read_table(target), target
    symbol = element_symbol(target)
    source, exchange = arguments.source or "table", arguments.exchange
    exchange = 1.0 if exchange is None else exchange
    built = []
    with table_progress(f"table of {symbol}") as progress:

        def noted(*step: Any) -> None:
            built.append(step)
            progress(*step)

        table = atom_table(symbol, source, exchange, noted)
    if source == "table" and exchange == 1.0 and symbol in SHIPPED:
        return table, "shipped with jaxnu"
    return table, "computed now" if built else "computed before, from the cache"


def _run_atom_build(arguments: argparse.Namespace) -> None:
    from jaxnu import enable_compilation_cache
    from jaxnu.atom.build import build_table
    from jaxnu.atom.configuration import element_symbol
    from jaxnu.atom.table import TABLE_FILES
    from jaxnu.atom.table_files import write_table
    from jaxnu.files import check_writable

    enable_compilation_cache()
    symbol, path = element_symbol(arguments.element), arguments.out
    if path.suffix not in TABLE_FILES:
        raise InputError(
            f"--out = {str(path)!r} ends in {path.suffix!r}; give a name in "
            f"{' or '.join(TABLE_FILES)}"
        )
    check_writable(path)  # before the work, not after it
    exchange = 1.0 if arguments.exchange is None else arguments.exchange
    start = time.perf_counter()
    with table_progress(f"table of {symbol}") as progress:
        table = build_table(symbol, exchange=exchange, progress=progress)
    seconds = time.perf_counter() - start
    write_table(table, path)
    energies = sum(shell.kinetic_keV.size for shell in table.shells)
    lines = sum(len(shell.lines.n) for shell in table.shells if shell.lines)
    print(
        f"{symbol}: {len(table.shells)} subshells, {energies} energies, {lines} lines, "
        f"{seconds:.1f} s\n{path}: {path.stat().st_size / 1e6:.2f} MB"
    )
