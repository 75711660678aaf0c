"""What the commands share: arguments, messages, tables of curves."""

import argparse
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from jaxnu._version import __version__
from jaxnu.errors import InputError

if TYPE_CHECKING:
    from jaxnu.experiments import Experiment
    from jaxnu.responses import Response

EXIT_BAD_INPUT = 2


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line, and to which -1e-11 is a number."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._negative_number_matcher = re.compile(r"^-\.?\d")

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_BAD_INPUT, f"jaxnu: error: {message}; see '{self.prog} --help'\n")


class Command(Protocol):
    """Declares a command: its name, what runs it, a summary and a longer text."""

    def __call__(
        self, name: str, run: Callable[[argparse.Namespace], None], summary: str, text: str
    ) -> Parser: ...


def number(text: str) -> float:
    """A number of the command line."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number, such as 1e-11") from None


def count(text: str) -> int:
    """A number of points."""
    if not (text.isdecimal() and 2 <= int(text) <= 1_000_000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 2 to 1000000")
    return int(text)


def whole(text: str) -> int:
    """A whole number, not negative."""
    if not (text.isdecimal() and int(text) <= 1_000_000_000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 1000000000")
    return int(text)


def words(text: str) -> tuple[str, ...]:
    """Names with commas between."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


@contextmanager
def step(text: str) -> Iterator[None]:
    """Say on stderr what is being done and how long it took."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    start = time.perf_counter()
    with console.status(f"{text} …"):
        yield
    console.print(f"jaxnu: {text}: {time.perf_counter() - start:.1f} s", style="dim")


@contextmanager
def table_progress(what: str) -> Iterator[Callable[[int, int, str], None]]:
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


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--out = {str(folder)!r} cannot be used as a folder: {error.strerror}; give a folder "
            "that you may write to"
        ) from None


def output_file(
    arguments: argparse.Namespace, names: Sequence[str], *endings: str, beside: Path | None = None
) -> Path:
    """COMMAND-NAMES in the folder of --out, without its ending, once each of the files is known
    to be writable and not the one `beside`: after the arguments, before the work."""
    from jaxnu.files import check_writable

    base = arguments.out / "-".join([arguments.command, *names])
    files = [base.with_name(f"{base.name}.{ending}") for ending in endings]
    for path in files:
        if beside is not None and beside.resolve() == path.resolve():
            raise InputError(
                f"{str(beside)!r} is the file of the result of this command; give another name"
            )
    make_folder(arguments.out)
    for path in files:
        check_writable(path)
    return base


def experiments_argument(sub: argparse.ArgumentParser, share: str) -> None:
    sub.add_argument("experiment", nargs="+",
                     help="a shipped name (jaxnu experiments) or a TOML file; several share "
                     f"{share} in one likelihood")  # fmt: skip
    sub.add_argument("--shared", type=words, default=(), metavar="NAMES",
                     help="systematics that are one in all experiments (a,b)")  # fmt: skip


def confidence_argument(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--confidence-level", type=number, default=0.90, metavar="CL",
                     help="from 0.001 to below 1 (default 0.90)")  # fmt: skip


def output_arguments(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--out", type=Path, default=Path(), metavar="DIR",
                     help="folder for the files, made if need be (default: here)")  # fmt: skip
    sub.add_argument("--json", action="store_true", help="print the JSON alone on stdout")


def exchange_argument(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--exchange", type=number, metavar="X",
                     help="factor on the exchange potential, 0.5 to 1.5 (default 1)")  # fmt: skip


def response_argument(sub: argparse.ArgumentParser, several: bool) -> None:
    text = (
        "atomic model: central-field (default, H to Cs), stepping, free, hydrogenic, "
        "equivalent-photon"
    )
    if several:
        sub.add_argument("--response", action="append", metavar="MODEL", help=f"{text}; repeatable")
    else:
        sub.add_argument("--response", default="central-field", metavar="MODEL", help=text)


def grid_arguments(sub: argparse.ArgumentParser, low: float, high: float | None) -> None:
    upper = (
        "0.999 of the neutrino energy, or the end of the atom's tables"
        if high is None
        else f"{high:g}"
    )
    sub.add_argument("--mu", type=number,
                     help="mu_nu in mu_B, magnetic channel (default 1e-11)")  # fmt: skip
    sub.add_argument("--channel", default="magnetic",
                     help="magnetic (default), weak, or a coefficient that adds to weak: "
                          "charge-radius, charge-radius-squared, millicharge-weak, millicharge, "
                          "millicharge-charge-radius")  # fmt: skip
    sub.add_argument("--T-min-keV", type=number, default=low, help=f"default {low:g}")
    sub.add_argument("--T-max-keV", type=number, default=high, help=f"default {upper}")
    sub.add_argument("--points", type=count, default=500, help="logarithmic grid (default 500)")
    sub.add_argument("--plot", type=Path, metavar="PNG", help="write a picture")
    sub.add_argument("--csv", type=Path, metavar="CSV", help="write the table")


def named_response(target: str, model: str) -> "Response":
    """The response of an element, with a progress bar if its table must be computed."""
    from jaxnu.responses import response

    if model != "central-field":
        return response(target, model)
    with table_progress(f"table of {target}") as progress:
        return response(target, model, progress=progress)


def named_responses(experiments: Sequence["Experiment"], model: str) -> list["Response"]:
    """The response of the target of each experiment, made once for each target."""
    targets = dict.fromkeys(one.target for one in experiments)
    made = {target: named_response(target, model) for target in targets}
    return [made[one.target] for one in experiments]


def named_experiment(arguments: argparse.Namespace, name: str | None = None) -> "Experiment":
    """The experiment of the command line, or the one of this name among several."""
    from jaxnu import enable_compilation_cache, load_experiment

    enable_compilation_cache()
    experiment = load_experiment(arguments.experiment if name is None else name)
    threshold = getattr(arguments, "threshold_keV", None)
    return experiment if threshold is None else experiment.replace(threshold_keV=threshold)


def grid(arguments: argparse.Namespace, high: float) -> Any:
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


def moment(arguments: argparse.Namespace) -> float:
    """μ_ν [μ_B] of the command line, once each option is known to belong to the channel."""
    from jaxnu import checks
    from jaxnu.cross_sections import CHANNELS

    checks.one_of("channel", arguments.channel, CHANNELS)
    magnetic = arguments.channel == "magnetic"
    foreign = "flavor" if magnetic else "mu"
    value = getattr(arguments, foreign, None)
    if value is not None:
        of = ", ".join(name for name in CHANNELS if (name == "magnetic") != magnetic)
        raise InputError(
            f"--{foreign} = {value} does not belong to --channel {arguments.channel}; it is an "
            f"option of: {of}; leave it out or change the channel"
        )
    mu = 1e-11 if arguments.mu is None else arguments.mu
    checks.magnetic_moment("mu", mu)
    return float(mu)


def channel_title(channel: str, mu: float) -> str:
    return f"mu_nu = {mu:g} mu_B" if channel == "magnetic" else channel


def channel_quantity(name: str, unit: str, channel: str) -> str:
    """What a curve is, with its unit: a coefficient is per unit of its parameter."""
    from jaxnu.cross_sections.charge import COEFFICIENT_UNITS

    per = f" {COEFFICIENT_UNITS[channel]}" if channel in COEFFICIENT_UNITS else ""
    return f"{name} [{unit}{per}]"


def report(
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
