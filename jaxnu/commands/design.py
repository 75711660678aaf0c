"""jaxnu design: what a forecast depends on, and the cheapest detector for a target limit."""

import argparse
import json
import os
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
    words,
)
from jaxnu.errors import InputError

if TYPE_CHECKING:
    from jaxnu.design import Design
    from jaxnu.inference import LimitResult


def add_commands(command: Command) -> None:
    """Declare jaxnu design."""
    sub = command(
        "design", _run_design, "what a limit depends on; the cheapest detector that reaches one",
        "Prints and draws d ln(limit)/d ln(parameter) of the expected limit, all exact. With\n"
        "--free and --cost it finds the cheapest detector whose expected limit is at most the\n"
        "target, too. "
        "Writes design-EXPERIMENT.json and .png.\n\n"
        "  jaxnu design gemma                    the derivatives alone\n"
        "  jaxnu design --new cost.toml          a cost file to be filled in\n"
        "  jaxnu design gemma --free threshold,exposure --cost cost.toml --target-limit 3e-11",
    )  # fmt: skip
    sub.add_argument("experiment", nargs="?", help="a shipped name or a TOML file")
    sub.add_argument("--new", type=Path, metavar="TOML", help="write a cost file to start from")
    sub.add_argument("--free", type=words, metavar="NAMES",
                     help="parameters to be chosen, with commas between")  # fmt: skip
    sub.add_argument("--cost", type=Path, metavar="TOML", help="what they cost, and their bounds")
    sub.add_argument("--target-limit", type=number, metavar="MU",
                     help="in mu_B (default: the limit of the experiment as it is)")  # fmt: skip
    response_argument(sub, several=False)
    confidence_argument(sub)
    sub.add_argument("--convention", default="two-sided", help="two-sided (default), one-sided")
    output_arguments(sub)


def _run_design(arguments: argparse.Namespace) -> None:
    if arguments.new is not None:
        _new_costs(arguments.new)
        return
    if arguments.experiment is None:
        raise InputError(
            "design needs an experiment; allowed: a shipped name (jaxnu experiments) or a TOML "
            "file; for example 'jaxnu design gemma'"
        )
    if (arguments.free is None) != (arguments.cost is None):
        given, other = ("--free", "--cost") if arguments.cost is None else ("--cost", "--free")
        value = str(arguments.cost) if arguments.free is None else ",".join(arguments.free)
        raise InputError(
            f"{given} = {value!r} is given without {other}; give "
            "both, or neither for the derivatives alone"
        )
    if arguments.target_limit is not None and arguments.cost is None:
        raise InputError(
            f"--target-limit = {arguments.target_limit:g} is given without --free and --cost; give "
            "all three"
        )
    from jaxnu import checks, sensitivity
    from jaxnu.costs import read_costs
    from jaxnu.design import cheapest_detector, check_free, log_derivatives, parameters_of
    from jaxnu.files import write_text
    from jaxnu.inference.limit_inputs import check_experiment, statistic_threshold
    from jaxnu.plot import plot_tornado

    with step(f"reading {arguments.experiment}"):
        experiment = named_experiment(arguments)
    options = arguments.confidence_level, arguments.convention
    statistic_threshold(*options)
    check_experiment(experiment, "Asimov")
    costs = free = None
    if arguments.cost:  # before the first program is compiled
        costs = read_costs(arguments.cost, parameters_of(experiment))
        free = check_free(experiment, costs, arguments.free)
        if arguments.target_limit is not None:
            checks.magnetic_moment("--target-limit", arguments.target_limit, open_low=True)
    base = output_file(arguments, [experiment.name], "png", "json")
    atom = named_response(experiment.target, arguments.response)
    with step("expected limit (compiled on the first run)"):
        forecast = sensitivity(experiment, atom, *options)
    with step("its derivatives"):
        slopes = {"as it is": log_derivatives(experiment, atom, *options)}
    design = None
    if costs is not None and free is not None:
        with step("cheapest detector"):
            design = cheapest_detector(
                experiment, costs, free, arguments.target_limit, atom, *options
            )
        slopes["cheapest detector"] = design.derivatives
    content = {
        "forecast": forecast.as_dict(),
        "derivatives": slopes["as it is"],
        "design": None if design is None else design.as_dict(),
    }
    text = json.dumps(content, indent=1, allow_nan=False)
    with step(f"writing {base}.json and .png"):
        title = f"{experiment.title}\natomic model: {atom.model}"
        plot_tornado(slopes, title, Path(f"{base}.png"))
        write_text(Path(f"{base}.json"), text + "\n")
    print(text if arguments.json else _report(forecast, slopes["as it is"], design))


def _new_costs(path: Path) -> None:
    """Write the template to a new file."""
    from importlib import resources

    from jaxnu.files import check_writable, write_text

    if path.suffix != ".toml":
        raise InputError(
            f"--new = {str(path)!r} is not the name of a TOML file; give one, such as cost.toml"
        )
    if os.path.exists(path):
        raise InputError(f"--new = {str(path)!r} exists already; give another name")
    check_writable(path)
    write_text(path, resources.files("jaxnu").joinpath("cost-template.toml").read_text("utf-8"))
    print(f"{path}: fill it in, then 'jaxnu design EXPERIMENT --free NAMES --cost {path}'")


def _report(forecast: "LimitResult", derivatives: dict[str, float], design: "Design | None") -> str:
    lines = [
        forecast.title,
        f"  {forecast.summary()}",
        "  derivatives    d ln(expected limit)/d ln(parameter)",
        *(
            f"    {name:<24} {value:+.4f}"
            for name, value in sorted(derivatives.items(), key=lambda item: -abs(item[1]))
        ),
    ]
    if design is None:
        return "\n".join(lines)
    lines += [
        f"  cheapest       {design.cost:.6g} {design.currency} for mu_nu < "
        f"{design.limit_mu_B:.4g} mu_B (target {design.target_mu_B:.4g})",
        *(
            f"    {name:<24} {value:.5g} {design.units[name]:<5} costs {design.costs[name]:.5g}"
            + (f", at its {design.at_bound[name]} value" if name in design.at_bound else "")
            for name, value in design.values.items()
        ),
        f"    {'fixed':<24} costs {design.costs['fixed']:.5g}",
        f"  a target 1% lower costs {design.multiplier:.3g}% more",
        f"  converged      {design.stationarity:.1e} left of the gradient, "
        f"{design.evaluations} evaluations",
    ]
    return "\n".join(lines)
