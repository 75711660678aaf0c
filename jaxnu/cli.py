"""The command line: reads arguments, calls the library, prints and writes results."""

import argparse
import gc
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from jaxnu._version import __version__
from jaxnu.errors import FitError, InputError

if TYPE_CHECKING:
    from jaxnu.atom.table import AtomTable
    from jaxnu.experiments import Experiment
    from jaxnu.inference import LimitResult
    from jaxnu.responses import Response

EXIT_FAILED, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 1, 2, 130
BUILD = "atom build"


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line, and to which -1e-11 is a number."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._negative_number_matcher = re.compile(r"^-\.?\d")

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_BAD_INPUT, f"jaxnu: error: {message}; see '{self.prog} --help'\n")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number, such as 1e-11") from None


def _count(text: str) -> int:
    if not (text.isdecimal() and 2 <= int(text) <= 1_000_000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 2 to 1000000")
    return int(text)


def _compile_quickly(words: Sequence[str]) -> None:
    """Ask XLA for little optimisation, before jax is imported, unless the user chose a level.

    A command runs each program once: what level 1 saves in running, it loses in compiling. The
    build of a table is the exception: level 0 saves a fifth of its compile time and nearly doubles
    the rest; levels 1 to 3 are alike.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_backend_optimization_level" not in flags:
        level = 1 if list(words[:2]) == BUILD.split() else 0
        os.environ["XLA_FLAGS"] = f"{flags} --xla_backend_optimization_level={level}".strip()


@contextmanager
def _step(text: str) -> Iterator[None]:
    """Say on stderr what is being done and how long it took."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    start = time.perf_counter()
    with console.status(f"{text} …"):
        yield
    console.print(f"jaxnu: {text}: {time.perf_counter() - start:.1f} s", style="dim")


@contextmanager
def _table_progress(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """What a table build calls with (done, total, text): a bar on stderr from the first call on."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True, highlight=False)
    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(),
        TextColumn("{task.completed}/{task.total}"), TimeElapsedColumn(), TextColumn("left"),
        TimeRemainingColumn(),
    )  # fmt: skip
    # few and long steps: each one counts for the time that is left
    bar = Progress(*columns, console=console, transient=True, speed_estimate_period=3600.0)
    start: list[float] = []

    def progress(done: int, total: int, text: str) -> None:
        if not start:
            start.append(time.perf_counter())
            bar.add_task(what, total=total)
            bar.start()
        bar.update(bar.task_ids[0], completed=done, total=total, description=f"{what}: {text}")

    try:
        yield progress
    finally:
        if start:
            bar.stop()
    if start:
        seconds = time.perf_counter() - start[0]
        console.print(f"jaxnu: {what}: {seconds:.1f} s", style="dim")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="jaxnu",
        description="Neutrino magnetic-moment scattering on atoms: cross sections, rates, limits.",
        epilog="A first limit: jaxnu limit xenonnt-sr0. Errors exit with 2 (bad input) or 1 "
        "(a fit that failed).",
    )
    parser.add_argument("--version", action="version", version=f"jaxnu {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[..., None], summary: str, text: str) -> _Parser:
        sub = commands.add_parser(
            name, help=summary, description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        sub.set_defaults(run=run)
        return sub

    for name, run, what in (
        ("limit", _run_limit, "upper limit on mu_nu from measured counts"),
        ("forecast", _run_limit, "expected upper limit on mu_nu (Asimov data, no signal)"),
    ):
        sub = command(
            name, run, what,
            f"Prints the {what}, best fit, background and derivatives, and\n"
            f"writes {name}-EXPERIMENT.json and .png.\n\n"
            f"  jaxnu {name} {'xenonnt-sr0' if name == 'limit' else 'gemma'}\n"
            f"  jaxnu {name} my.toml --response free --convention one-sided --out results\n\n"
            "Conventions (90%): two-sided, q = 2.706; one-sided, q = 1.642; q is minus twice the\n"
            "logarithm of the profile likelihood ratio, mu_nu^2 >= 0. As an upper limit the\n"
            "two-sided form covers about 95%. Derivatives are\n"
            "d ln(limit)/d ln(parameter), exact, from the same fit.",
        )  # fmt: skip
        sub.add_argument("experiment", help="a shipped name (jaxnu experiments) or a TOML file")
        _response_argument(sub, several=False)
        sub.add_argument("--confidence-level", type=_number, default=0.90, metavar="CL",
                         help="between 0.5 and 1 (default 0.90)")  # fmt: skip
        sub.add_argument("--convention", default="two-sided", help="two-sided (default), one-sided")
        if name == "forecast":
            sub.add_argument("--threshold-keV", type=_number, metavar="T",
                             help="move the efficiency curve to this threshold")  # fmt: skip
        sub.add_argument("--out", type=Path, default=Path(), metavar="DIR",
                         help="folder for the files, made if need be (default: here)")  # fmt: skip
        sub.add_argument("--json", action="store_true", help="print the JSON alone on stdout")

    sub = command(
        "rate", _run_rate, "signal rate dR/dT of an experiment's source and target",
        "Prints dR/dT in 1/(kg keV d), before the detector.\n\n"
        "  jaxnu rate xenonnt-sr0 --response central-field --response free --plot rate.png",
    )  # fmt: skip
    sub.add_argument("experiment", help="a shipped name (jaxnu experiments) or a TOML file")
    _response_argument(sub, several=True)
    _grid_arguments(sub, 0.1, 30.0)

    sub = command(
        "cross-section", _run_cross_section, "dsigma/dT on one atom, per shell",
        "Prints dsigma/dT in cm^2/keV per atom; the CSV has a column for every shell.\n\n"
        "  jaxnu cross-section --target Ge --energy-keV 1000 --response central-field \\\n"
        "      --response stepping --plot out.png --csv out.csv",
    )  # fmt: skip
    sub.add_argument("--target", required=True, help="element symbol, such as Ge")
    sub.add_argument("--energy-keV", type=_number, required=True, help="neutrino energy")
    _response_argument(sub, several=True)
    _grid_arguments(sub, 0.01, None)
    sub.add_argument("--flavor", default="nu_e", help="nu_e, antinu_e, nu_mu, … (weak channel)")

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
    sub.add_argument("--power-GW", type=_number, help="reactor: thermal power (default 3)")
    sub.add_argument("--distance-m", type=_number,
                     help="default 13.9 (reactor), 1 (chromium-51, tritium)")  # fmt: skip
    sub.add_argument("--spectrum", metavar="MODEL",
                     help="reactor: huber-mueller (default), mueller, vogel-engel")  # fmt: skip
    sub.add_argument("--nu-per-fission", metavar="NORM",
                     help="reactor: tables (default), texono")  # fmt: skip
    sub.add_argument("--metallicity", help="solar: GS98 (default), AGSS09met")
    sub.add_argument("--activity-PBq", type=_number, help="chromium-51, tritium (default 100)")
    sub.add_argument("--plot", type=Path, metavar="PNG", help="write a picture")
    sub.add_argument("--json", action="store_true", help="print the JSON alone on stdout")

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
    _exchange_argument(sub)
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
    _exchange_argument(sub)

    sub = command(
        "experiments", _run_experiments, "list or show experiments, begin one of your own",
        "  jaxnu experiments                    list names, titles and sources\n"
        "  jaxnu experiments show xenonnt-sr0   everything about one\n"
        "  jaxnu experiments new my.toml        a file with every key, to be filled in",
    )  # fmt: skip
    sub.add_argument("action", nargs="?", choices=["list", "show", "new"], default="list")
    sub.add_argument("name", nargs="?", help="a shipped name or a TOML file")

    command("cite", _run_cite, "what to cite, as BibTeX", "Prints BibTeX of methods and data used.")
    return parser


def _exchange_argument(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--exchange", type=_number, metavar="X",
                     help="factor on the exchange potential, 0.5 to 1.5 (default 1)")  # fmt: skip


def _response_argument(sub: argparse.ArgumentParser, several: bool) -> None:
    text = (
        "atomic model: central-field (default, H to Cs), stepping, free, hydrogenic, "
        "equivalent-photon"
    )
    if several:
        sub.add_argument("--response", action="append", metavar="MODEL", help=f"{text}; repeatable")
    else:
        sub.add_argument("--response", default="central-field", metavar="MODEL", help=text)


def _grid_arguments(sub: argparse.ArgumentParser, low: float, high: float | None) -> None:
    upper = (
        "0.999 of the neutrino energy, or the end of the atom's tables"
        if high is None
        else f"{high:g}"
    )
    sub.add_argument("--mu", type=_number, default=1e-11, help="mu_nu in mu_B (default 1e-11)")
    sub.add_argument("--channel", default="magnetic", help="magnetic (default) or weak")
    sub.add_argument("--T-min-keV", type=_number, default=low, help=f"default {low:g}")
    sub.add_argument("--T-max-keV", type=_number, default=high, help=f"default {upper}")
    sub.add_argument("--points", type=_count, default=500, help="logarithmic grid (default 500)")
    sub.add_argument("--plot", type=Path, metavar="PNG", help="write a picture")
    sub.add_argument("--csv", type=Path, metavar="CSV", help="write the table")


def _run_limit(arguments: argparse.Namespace) -> None:
    from jaxnu.files import check_writable, write_text
    from jaxnu.inference import convergence, limit, sensitivity
    from jaxnu.inference.limits import refined_model, statistic_threshold
    from jaxnu.plot import plot_limit

    with _step(f"reading {arguments.experiment}"):
        experiment = _experiment(arguments)
    base = f"{arguments.command}-{experiment.name}"
    _make_folder(arguments.out)
    for ending in ("png", "json"):  # before the work, not after it
        check_writable(arguments.out / f"{base}.{ending}")
    atom = _response(experiment.target, arguments.response)
    options = {
        "confidence_level": arguments.confidence_level,
        "convention": arguments.convention,
    }
    statistic_threshold(**options)
    find, data = (limit, "observed") if arguments.command == "limit" else (sensitivity, "Asimov")
    # two programs of about the same size, compiled side by side
    with ThreadPoolExecutor(1) as beside:
        refined = beside.submit(refined_model, experiment, atom, data)
        with _step("signal, fit and derivatives (compiled on the first run)"):
            result = find(experiment, atom, **options)
        with _step("the same with doubled nodes in T, E and Q"):
            change = convergence(result, experiment, atom, refined.result())
    text = json.dumps(result.as_dict() | {"convergence": change}, indent=1, allow_nan=False)
    with _step(f"writing {arguments.out / base}.json and .png"):
        plot_limit(result, arguments.out / f"{base}.png")
        write_text(arguments.out / f"{base}.json", text + "\n")
    print(text if arguments.json else _limit_report(result, experiment, change))


def _response(target: str, model: str) -> "Response":
    """The response of an element, with a progress bar if its table must be computed."""
    from jaxnu.responses import response

    if model != "central-field":
        return response(target, model)
    with _table_progress(f"table of {target}") as progress:
        return response(target, model, progress=progress)


def _experiment(arguments: argparse.Namespace) -> "Experiment":
    from jaxnu import enable_compilation_cache, load_experiment

    enable_compilation_cache()
    experiment = load_experiment(arguments.experiment)
    threshold = getattr(arguments, "threshold_keV", None)
    return experiment if threshold is None else experiment.replace(threshold_keV=threshold)


def _limit_report(result: "LimitResult", experiment: "Experiment", change: float) -> str:
    import numpy as np

    p = experiment.parameters
    derivatives = result.derivatives or {}
    moving = (
        "counts, bins and background shape stay fixed"
        if result.data == "observed"
        else "the expected data move with the parameter"
    )
    best = result.best_fit_mu2
    events = float(np.sum(result.background))
    lines = [
        result.title,
        f"  limit          mu_nu < {result.limit_mu_B:.4g} mu_B at "
        f"{100 * result.confidence_level:g}% CL",
        f"  expected       mu_nu < {result.expected_mu_B:.4g} mu_B without a signal (Asimov data)",
        f"  convention     profile likelihood, {result.convention}, q = {result.delta:.3f}",
        f"  atomic model   {result.response} ({result.target})",
        f"  data           {result.data}, {float(np.sum(result.counts)):.6g} events"
        + (" ON − OFF" if experiment.data_kind == "difference" else ""),
        f"  best fit       mu_nu^2 = {best:.3g} mu_B^2" + (" (the boundary)" if best == 0 else ""),
        f"  background     {events:.6g} events{_norm(result, experiment)}",
        *(
            f"  {name:<14} {float(value):+.3f} sigma, {parameter}"
            for name, parameter in experiment.systematics
            for value in [result.nuisances[name]]
        ),
        f"  signal         {float(np.sum(result.signal)):.4g} events at the limit",
        f"  derivatives    d ln(limit)/d ln(parameter); {moving}",
        *(f"    {name:<14} {value:+.4f}" for name, value in derivatives.items()),
        *["                 (background: counts are fixed and its norm floats)"]
        * (experiment.background_floating and result.data == "observed"),
        f"                 threshold {float(p.threshold_keV):.4g} keV: half of the largest "
        "efficiency",
        f"  convergence    {change:.1e} relative change with doubled nodes in T, E and Q",
    ]
    reference = dict(experiment.reference)
    if "published_limit" in reference:
        lines.append(f"  published      {reference['published_limit']}")
    lines.append(f"  source         {reference['citation']}")
    return "\n".join(lines)


def _norm(result: "LimitResult", experiment: "Experiment") -> str:
    if "background" not in result.nuisances:
        return ", subtracted bin by bin"
    norm = "floating" if experiment.background_floating else "constrained"
    return f", {norm} norm fitted to {float(result.nuisances['background']):.4f}"


def _run_rate(arguments: argparse.Namespace) -> None:
    import numpy as np

    from jaxnu.rates import rate

    with _step(f"reading {arguments.experiment}"):
        experiment = _experiment(arguments)
    T = _grid(arguments, arguments.T_max_keV)
    _check_mu(arguments.mu)
    source, curves = experiment.parameters.source, {}
    for model in arguments.response or ["central-field"]:
        atom = _response(experiment.target, model)
        with _step(f"rate, {model}"):
            value = rate(T, source, atom, arguments.mu**2, arguments.channel)
        curves[model] = np.asarray(value)
    title = f"{source.name} on {experiment.target}, {_channel(arguments)}"
    _report(arguments, T, curves, curves, "dR/dT [1/(kg keV d)]", title)


def _run_cross_section(arguments: argparse.Namespace) -> None:
    import numpy as np

    from jaxnu import checks, enable_compilation_cache
    from jaxnu.cross_sections import cross_section

    enable_compilation_cache()
    E = arguments.energy_keV
    checks.number_range(
        "energy-keV", E, 0.0, 1e9, "keV", "give a neutrino energy above zero", open_low=True
    )
    atoms = {
        model: _response(arguments.target, model)
        for model in arguments.response or ["central-field"]
    }
    ends = [atom.T_max_keV for atom in atoms.values() if atom.T_max_keV is not None]
    highest = min(0.999 * E, *(0.999 * float(end) for end in ends), 1e9)
    T = _grid(arguments, highest if arguments.T_max_keV is None else arguments.T_max_keV)
    totals, columns = {}, {}
    for model, atom in atoms.items():
        with _step(f"cross section, {model}"):
            shells = np.asarray(
                cross_section(
                    T, E, atom, arguments.mu, arguments.channel, flavor=arguments.flavor,
                    by_shell=True,
                )
            )  # fmt: skip
        totals[model] = columns[model] = shells.sum(axis=-1)
        columns |= {f"{model}:{label}": shells[:, i] for i, label in enumerate(atom.labels)}
    title = f"{E:g} keV neutrino on {arguments.target}, {_channel(arguments)}"
    _report(arguments, T, totals, columns, "dsigma/dT [cm^2/keV per atom]", title)


def _grid(arguments: argparse.Namespace, high: float) -> Any:
    """The T grid, after a look at where the results are to go."""
    import numpy as np

    from jaxnu.files import check_writable

    for path in filter(None, (arguments.plot, arguments.csv)):
        check_writable(path)
    low = arguments.T_min_keV
    if not 0.0 < low < high < 1e9:
        raise InputError(
            f"T-min-keV = {low:g}, T-max-keV = {high:g} keV is not a range of energy transfers; "
            "give 0 < T-min-keV < T-max-keV, below the neutrino energy, in keV"
        )
    return np.geomspace(low, high, arguments.points)


def _check_mu(mu: float) -> None:
    from jaxnu import checks

    checks.magnetic_moment("mu", mu)


def _channel(arguments: argparse.Namespace) -> str:
    if arguments.channel == "magnetic":
        return f"mu_nu = {arguments.mu:g} mu_B"
    return arguments.channel


def _report(
    arguments: argparse.Namespace,
    T: Any,
    curves: dict[str, Any],
    columns: dict[str, Any],
    quantity: str,
    title: str,
) -> None:
    """Write the picture and the table that were asked for; print a table of at most 20 rows."""
    import numpy as np

    if arguments.plot:
        from jaxnu.plot import plot_curves

        plot_curves(T, curves, "energy transfer T [keV]", quantity, title, arguments.plot)
    if arguments.csv:
        from jaxnu.files import write_text

        table = np.column_stack([T, *columns.values()])
        rows = (",".join(f"{value:.9g}" for value in row) for row in table)
        header = f"# {title}; {quantity}; jaxnu {__version__}\nT_keV,{','.join(columns)}"
        write_text(arguments.csv, "\n".join([header, *rows]) + "\n")
    shown = np.unique(np.linspace(0, len(T) - 1, min(20, len(T))).round().astype(int))
    print(f"# {title}; {quantity}")
    print(f"{'T_keV':>12}" + "".join(f" {name:>18}" for name in curves))
    for i in shown:
        print(f"{T[i]:>12.5g}" + "".join(f" {y[i]:>18.6e}" for y in curves.values()))


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
    with _step(f"reading {arguments.source}"):
        source = named_source(arguments.source, **{n: getattr(arguments, n) for n in names})
        summary = summarize_flux(source)
    if arguments.plot:
        from jaxnu.plot import plot_flux

        with _step(f"writing {arguments.plot}"):
            title = f"{summary.name}: {summary.flux_per_cm2_s:.4g} /(cm² s)"
            plot_flux(source.spectrum, source.components, title, arguments.plot)
    if arguments.json:
        content = {**summary.as_dict(), "version": __version__}
        print(json.dumps(content, indent=1, allow_nan=False))
    else:
        print(format_flux(summary))


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
    with _step("sums, effective charges, photoabsorption (compiled on the first run)"):
        summary = summarize_atom(table, atom)
    if arguments.plot:
        with _step(f"writing {arguments.plot}"):
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
        with _step(f"reading {target}"):
            return read_table(target), target
    symbol = element_symbol(target)
    source, exchange = arguments.source or "table", arguments.exchange
    exchange = 1.0 if exchange is None else exchange
    built = []
    with _table_progress(f"table of {symbol}") as progress:

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
    from jaxnu.atom.table_files import SUFFIXES, write_table
    from jaxnu.files import check_writable

    enable_compilation_cache()
    symbol, path = element_symbol(arguments.element), arguments.out
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"--out = {str(path)!r} ends in {path.suffix!r}; give a name in {' or '.join(SUFFIXES)}"
        )
    check_writable(path)  # before the work, not after it
    exchange = 1.0 if arguments.exchange is None else arguments.exchange
    start = time.perf_counter()
    with _table_progress(f"table of {symbol}") as progress:
        table = build_table(symbol, exchange=exchange, progress=progress)
    seconds = time.perf_counter() - start
    write_table(table, path)
    energies = sum(shell.kinetic_keV.size for shell in table.shells)
    lines = sum(len(shell.lines.n) for shell in table.shells if shell.lines)
    print(
        f"{symbol}: {len(table.shells)} subshells, {energies} energies, {lines} lines, "
        f"{seconds:.1f} s\n{path}: {path.stat().st_size / 1e6:.2f} MB"
    )


def _run_experiments(arguments: argparse.Namespace) -> None:
    from jaxnu.experiments.reader import available, describe, headline

    if arguments.action == "show":
        if arguments.name is None:
            raise InputError(
                f"experiments show needs a name; allowed: {', '.join(available())} or a TOML file; "
                "for example 'jaxnu experiments show xenonnt-sr0'"
            )
        print(describe(arguments.name))
        return
    if arguments.action == "new":
        _new_experiment(arguments.name)
        return
    if arguments.name is not None:
        raise InputError(
            f"experiments list takes no name, but got {arguments.name!r}; allowed: 'jaxnu "
            "experiments', or 'jaxnu experiments show NAME'"
        )
    for name in available():
        element, kind, title, citation = headline(name)
        print(f"{name:<16} {element:<6} {kind:<15} {title}")
        print(f"{'':<39}{citation}")


def _new_experiment(name: str | None) -> None:
    """Write the template to a new file."""
    from importlib import resources

    from jaxnu.files import check_writable, write_text

    if name is None or not name.endswith(".toml"):
        raise InputError(
            f"experiments new = {name!r} is not the name of a TOML file; give one, such as "
            "'jaxnu experiments new my.toml'"
        )
    path = Path(name)
    if path.exists():
        raise InputError(f"experiments new = {name!r} exists already; give another name")
    check_writable(path)
    write_text(
        path, resources.files("jaxnu.experiments").joinpath("template.toml").read_text("utf-8")
    )
    print(f"{name}: fill it in, then 'jaxnu experiments show {name}'")


def _run_cite(arguments: argparse.Namespace) -> None:
    from importlib import resources

    print(resources.files("jaxnu.data").joinpath("citations.bib").read_text("utf-8"), end="")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--out = {str(folder)!r} cannot be used as a folder: {error.strerror}; give a folder "
            "that you may write to"
        ) from None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:2] == BUILD.split():  # one command of two words, with a help of its own
        words[:2] = [BUILD]
    arguments = _parser().parse_args(words)
    try:
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
        print("jaxnu: failed: out of memory; use a simpler --response", file=sys.stderr)
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
    return main()
