"""The command line: reads arguments, runs a command, turns errors into one line."""

import argparse
import gc
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from jaxnu._version import __version__
from jaxnu.commands import atom, curves, design, examine, experiments, fit, flux, limit, toys
from jaxnu.commands.atom import BUILD
from jaxnu.commands.common import EXIT_BAD_INPUT, Parser
from jaxnu.errors import CacheWarning, FitError, InputError

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130


def _compile_quickly(words: Sequence[str]) -> None:
    """Ask XLA for little optimisation, before jax is imported, unless the user chose a level.

    A command runs each program once: what level 1 saves in running, it loses in compiling. The
    build of a table is the exception: level 0 saves a fifth of its compile time and nearly doubles
    the rest; levels 1 to 3 are alike. Toys are another, and they have a device for each core.
    """
    # the compilation cache says of every program that the machine may not run it, wrongly; lines
    # that say "error" would bury the one that is
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    flags = os.environ.get("XLA_FLAGS", "")
    toys = list(words[:1]) == ["toys"]
    if "xla_backend_optimization_level" not in flags:
        level = 1 if toys or list(words[:2]) == BUILD.split() else 0
        flags = f"{flags} --xla_backend_optimization_level={level}".strip()
    if toys and "xla_force_host_platform_device_count" not in flags:
        flags += f" --xla_force_host_platform_device_count={os.cpu_count() or 1}"
    os.environ["XLA_FLAGS"] = flags


def _parser() -> Parser:
    parser = Parser(
        prog="jaxnu",
        description="Neutrino magnetic-moment scattering on atoms: cross sections, rates, limits.",
        epilog="A first limit: jaxnu limit xenonnt-sr0. Errors exit with 2 (bad input) or 1 "
        "(a fit that failed).",
    )
    parser.add_argument("--version", action="version", version=f"jaxnu {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[argparse.Namespace], None], summary: str, text: str
    ) -> Parser:
        sub = commands.add_parser(
            name, help=summary, description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        sub.set_defaults(run=run)
        return sub

    for module in (limit, fit, toys, design, curves, flux, atom, examine, experiments):
        module.add_commands(command)
    command("cite", _run_cite, "what to cite, as BibTeX", "Prints BibTeX of methods and data used.")
    return parser


def _run_cite(arguments: argparse.Namespace) -> None:
    from importlib import resources

    print(resources.files("jaxnu.data").joinpath("citations.bib").read_text("utf-8"), end="")


def _one_line(show: Callable[..., None]) -> Callable[..., None]:
    """Warnings of jaxnu as a line like its errors, with no place in the code; others as before."""

    def shown(message: Warning, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, CacheWarning):
            print(f"jaxnu: warning: {message}", file=sys.stderr)
        else:
            show(message, category, *place, **more)

    return shown


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:2] == BUILD.split():  # one command of two words, with a help of its own
        words[:2] = [BUILD]
    arguments = _parser().parse_args(words)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", CacheWarning)
            warnings.showwarning = _one_line(warnings.showwarning)
            arguments.run(arguments)
        sys.stdout.flush()
    except InputError as error:
        print(f"jaxnu: error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except FitError as error:
        print(f"jaxnu: failed: {error}", file=sys.stderr)
        return EXIT_FAILED
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "out of memory" not in str(error).lower():
            raise
        print(
            "jaxnu: failed: out of memory; a simpler model of the atom needs less",
            file=sys.stderr,
        )
        return EXIT_FAILED
    except BrokenPipeError:  # the reader of stdout has had enough, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except KeyboardInterrupt:
        print("jaxnu: interrupted; no file was left half written", file=sys.stderr)
        return EXIT_INTERRUPTED
    return 0


def console() -> int:
    """The installed command: `main` in a process of its own."""
    gc.disable()  # tracing makes millions of objects, and most live to the end
    _compile_quickly(sys.argv[1:])
    code = main()
    if code == EXIT_INTERRUPTED:  # a thread may be compiling still, which no exit but this survives
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code
