"""jaxnu limit, jaxnu forecast: upper limits on μ_ν."""

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from jaxnu.commands.common import (
    Command,
    make_folder,
    named_experiment,
    named_response,
    number,
    response_argument,
    step,
)

if TYPE_CHECKING:
    from jaxnu.experiments import Experiment
    from jaxnu.inference import LimitResult


def add_commands(command: Command) -> None:
    """Declare jaxnu limit, jaxnu forecast."""
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
        response_argument(sub, several=False)
        sub.add_argument("--confidence-level", type=number, default=0.90, metavar="CL",
                         help="between 0.5 and 1 (default 0.90)")  # fmt: skip
        sub.add_argument("--convention", default="two-sided", help="two-sided (default), one-sided")
        if name == "forecast":
            sub.add_argument("--threshold-keV", type=number, metavar="T",
                             help="move the efficiency curve to this threshold")  # fmt: skip
        sub.add_argument("--out", type=Path, default=Path(), metavar="DIR",
                         help="folder for the files, made if need be (default: here)")  # fmt: skip
        sub.add_argument("--json", action="store_true", help="print the JSON alone on stdout")


def _run_limit(arguments: argparse.Namespace) -> None:
    from jaxnu.files import check_writable, write_text
    from jaxnu.inference import convergence, limit, sensitivity
    from jaxnu.inference.limits import refined_model, statistic_threshold
    from jaxnu.plot import plot_limit

    with step(f"reading {arguments.experiment}"):
        experiment = named_experiment(arguments)
    base = f"{arguments.command}-{experiment.name}"
    make_folder(arguments.out)
    for ending in ("png", "json"):  # before the work, not after it
        check_writable(arguments.out / f"{base}.{ending}")
    atom = named_response(experiment.target, arguments.response)
    options = {
        "confidence_level": arguments.confidence_level,
        "convention": arguments.convention,
    }
    statistic_threshold(**options)
    find, data = (limit, "observed") if arguments.command == "limit" else (sensitivity, "Asimov")
    # two programs of about the same size, compiled side by side
    with ThreadPoolExecutor(1) as beside:
        refined = beside.submit(refined_model, experiment, atom, data)
        with step("signal, fit and derivatives (compiled on the first run)"):
            result = find(experiment, atom, **options)
        with step("the same with doubled nodes in T, E and Q"):
            change = convergence(result, experiment, atom, refined.result())
    text = json.dumps(result.as_dict() | {"convergence": change}, indent=1, allow_nan=False)
    with step(f"writing {arguments.out / base}.json and .png"):
        plot_limit(result, arguments.out / f"{base}.png")
        write_text(arguments.out / f"{base}.json", text + "\n")
    print(text if arguments.json else _limit_report(result, experiment, change))


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
