"""jaxnu toys: coverage, spread of limits and a p-value from toys of an experiment."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from jaxnu.commands.common import (
    Command,
    confidence_argument,
    named_experiment,
    named_response,
    number,
    output_arguments,
    output_file,
    response_argument,
    step,
    whole,
)
from jaxnu.errors import InputError

if TYPE_CHECKING:
    from jaxnu.inference.toy_limits import ExperimentToys


def add_commands(command: Command) -> None:
    """Declare jaxnu toys."""
    sub = command(
        "toys", _run, "coverage, spread of limits and p-value of the data from toys",
        "Draws toys of an experiment at a given mu_nu, auxiliary measurements included, fits each\n"
        "and gives it its limit. Prints how often the interval and the upper limit hold the\n"
        "truth, the median and the 1 and 2 sigma bands of the limits, and how often toys lie as\n"
        "far off as the counts. All cores share the work. Writes toys-EXPERIMENT.json.\n\n"
        "  jaxnu toys xenonnt-sr0 --toys 10000 --seed 1\n"
        "  jaxnu toys my.toml --mu 2e-11 --toys 3000 --out results\n"
        "  jaxnu toys my.toml --toys 100000 --checkpoint part.npz   (again after a kill: goes on)\n"
        "  srun jaxnu toys my.toml --toys 1000000 --distributed     (processes of a cluster)\n\n"
        "With --distributed every process runs the same command; Slurm, Open MPI, mpi4py and\n"
        "Kubernetes tell where the others are, else --coordinator, --processes and --process do.",
    )  # fmt: skip
    sub.add_argument("experiment", help="a shipped name (jaxnu experiments) or a TOML file")
    response_argument(sub, several=False)
    sub.add_argument("--toys", type=whole, default=1000, metavar="N",
                     help="number of toys (default 1000)")  # fmt: skip
    sub.add_argument("--seed", type=whole, default=0, metavar="S", help="default 0")
    sub.add_argument("--mu", type=number, default=0.0, metavar="MU",
                     help="true mu_nu in mu_B (default 0)")  # fmt: skip
    confidence_argument(sub)
    sub.add_argument("--convention", default="two-sided",
                     help="two-sided (default) or one-sided")  # fmt: skip
    sub.add_argument("--checkpoint", type=Path, metavar="NPZ",
                     help="keep finished toys here; the same command goes on from it")  # fmt: skip
    sub.add_argument("--distributed", action="store_true", help="share the toys among processes")
    sub.add_argument("--coordinator", metavar="HOST:PORT", help="address of the first process")
    sub.add_argument("--processes", type=whole, metavar="N", help="how many there are")
    sub.add_argument("--process", type=whole, metavar="I", help="which one this is, from 0")
    output_arguments(sub)


def _run(arguments: argparse.Namespace) -> None:
    from jaxnu import checks
    from jaxnu.files import check_writable, write_text
    from jaxnu.inference.limit_inputs import check_experiment, check_method
    from jaxnu.inference.toy_limits import experiment_toys
    from jaxnu.inference.toys import start_processes

    check_method(arguments.confidence_level, arguments.convention, "profile")
    checks.magnetic_moment("--mu", arguments.mu)
    checks.number_range("--toys", arguments.toys, 1, 1e9, "", "give the number of toys")
    for name in ("coordinator", "processes", "process"):
        if getattr(arguments, name) is not None and not arguments.distributed:
            raise InputError(
                f"--{name} = {getattr(arguments, name)} without --distributed; give --distributed "
                "too, or leave it out: this process would do all the toys"
            )
    if arguments.checkpoint:
        check_writable(arguments.checkpoint)
    first = True
    if arguments.distributed:
        import jax

        start_processes(arguments.coordinator, arguments.processes, arguments.process)
        first = jax.process_index() == 0
    with step(f"reading {arguments.experiment}"):
        experiment = named_experiment(arguments)
    check_experiment(experiment, "Asimov")  # before the atom, which may take a minute
    base = output_file(arguments, [experiment.name], "json", beside=arguments.checkpoint)
    atom = named_response(experiment.target, arguments.response)
    found = experiment_toys(
        experiment, atom, arguments.toys, arguments.mu, arguments.confidence_level,
        arguments.convention, arguments.seed, arguments.checkpoint, progress=first,
        distributed=arguments.distributed,
    )  # fmt: skip
    if not first:
        return
    text = json.dumps(found.as_dict(), indent=1, allow_nan=False)
    with step(f"writing {base}.json"):
        write_text(Path(f"{base}.json"), text + "\n")
    print(text if arguments.json else _report(found, experiment.title))


def _report(found: "ExperimentToys", title: str) -> str:
    from jaxnu.inference.asymptotics import level_words

    level = f"{level_words(found.confidence_level)}, {found.convention}"
    names = ("-2 sigma", "-1 sigma", "median", "+1 sigma", "+2 sigma")
    nuisances = ", ".join(f"{name} {value:+.3f}" for name, value in found.truth.items())
    lines = [
        title,
        f"  toys           {found.count} at mu_nu = {found.mu_B:.4g} mu_B, seed {found.seed}, "
        f"{100 * found.converged:.4g}% fitted",
        f"  nuisances      {nuisances or 'none, or nominal'}",
        f"  atomic model   {found.response}",
        f"  interval       holds the truth in {_percent(found.interval_coverage)} ({level})",
        f"  upper limit    at or above the truth in {_percent(found.limit_coverage)}",
        "  limits         "
        + ", ".join(f"{n} {v:.4g}" for n, v in zip(names, found.bands_mu_B, strict=True))
        + " mu_B",
    ]
    if found.p_value is None:
        lines.append("  p-value        none: the experiment has no counts")
    else:
        lines.append(
            f"  p-value        {found.p_value[0]:.4g} ± {found.p_value[1]:.2g} of the counts "
            f"(q = {found.q_observed:.4g})"
        )
    return "\n".join(lines)


def _percent(share: tuple[float, float]) -> str:
    return f"{100 * share[0]:.2f} ± {100 * share[1]:.2f}%"
