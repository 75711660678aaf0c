"""jaxnu limit, jaxnu forecast: upper limits on μ_ν."""

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from jaxnu.commands.common import (
    Command,
    confidence_argument,
    experiments_argument,
    named_experiment,
    named_responses,
    number,
    output_arguments,
    output_file,
    response_argument,
    step,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

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
            f"  jaxnu {name} my.toml --response free --convention one-sided --out results\n"
            f"  jaxnu {name} {'xenonnt-sr0' if name == 'limit' else 'gemma'} --method cls\n"
            f"  jaxnu {name} a.toml b.toml --shared flux     one mu_nu for both\n\n"
            "Conventions (90%): two-sided, q = 2.706; one-sided, q = 1.642; q is minus twice the\n"
            "logarithm of the profile likelihood ratio, mu_nu^2 >= 0. As an upper limit the\n"
            "two-sided form covers about 95%. Derivatives are\n"
            "d ln(limit)/d ln(parameter), exact, from the same fit.",
        )  # fmt: skip
        experiments_argument(sub, "mu_nu")
        response_argument(sub, several=False)
        confidence_argument(sub)
        sub.add_argument("--convention", help="two-sided, one-sided (default: the method's own; "
                         "two-sided of a profile)")  # fmt: skip
        sub.add_argument("--method", default="profile", metavar="NAME",
                         help="profile (default), cls, clsb, bayes, nuts, "
                         "feldman-cousins")  # fmt: skip
        sub.add_argument("--details", action="store_true",
                         help="with a profile too: significance, bands, impacts")  # fmt: skip
        sub.add_argument("--seed", type=whole, default=0, metavar="N",
                         help="of the toys of feldman-cousins and the chains of nuts "
                         "(default 0)")  # fmt: skip
        if name == "forecast":
            sub.add_argument("--threshold-keV", type=number, metavar="T",
                             help="move the efficiency curve to this threshold")  # fmt: skip
        sub.add_argument("--pyhf", type=Path, metavar="FILE",
                         help="write the likelihood as a pyhf workspace too")  # fmt: skip
        output_arguments(sub)


def _run_limit(arguments: argparse.Namespace) -> None:
    from jaxnu.files import check_writable, write_text
    from jaxnu.inference import convergence, experiment_workspace, limit, sensitivity
    from jaxnu.inference.limit_inputs import check_experiment, check_method
    from jaxnu.inference.limits import refined_model
    from jaxnu.plot import plot_limit

    with step(f"reading {' '.join(arguments.experiment)}"):
        experiments = [named_experiment(arguments, name) for name in arguments.experiment]
    options = {
        "confidence_level": arguments.confidence_level,
        "convention": arguments.convention,
        "method": arguments.method,
    }
    check_method(**options)
    find, data = (limit, "observed") if arguments.command == "limit" else (sensitivity, "Asimov")
    for each in experiments:  # before the atoms, which may take a minute
        check_experiment(each, data)
    if arguments.pyhf:
        check_writable(arguments.pyhf)
    names = [one.name for one in experiments]
    base = output_file(arguments, names, "png", "json", beside=arguments.pyhf)
    atoms = named_responses(experiments, arguments.response)
    options |= {"details": arguments.details, "seed": arguments.seed}
    if len(experiments) > 1 or arguments.shared:
        options |= {"shared": arguments.shared}
    # two programs of about the same size, compiled side by side
    beside = ThreadPoolExecutor(1)
    try:
        refined = [
            beside.submit(refined_model, *pair, data)
            for pair in zip(experiments, atoms, strict=True)
        ]
        with step("signal, fit and derivatives (compiled on the first run)"):
            one = len(experiments) == 1
            result = find(experiments[0] if one else experiments, atoms, **options)
        with step("the same with doubled nodes in T, E and Q"):
            change = convergence(result, experiments, atoms, [model.result() for model in refined])
    finally:  # an error or an interruption does not wait for it
        beside.shutdown(wait=False, cancel_futures=True)
    text = json.dumps(result.as_dict() | {"convergence": change}, indent=1, allow_nan=False)
    with step(f"writing {base}.json and .png"):
        plot_limit(result, Path(f"{base}.png"))
        write_text(Path(f"{base}.json"), text + "\n")
    if arguments.pyhf:
        with step(f"writing {arguments.pyhf}"):
            workspace = experiment_workspace(experiments, atoms, data, arguments.shared)
            write_text(arguments.pyhf, json.dumps(workspace, indent=1) + "\n")
    print(text if arguments.json else _limit_report(result, experiments, change))


def _limit_report(result: "LimitResult", experiments: "Sequence[Experiment]", change: float) -> str:
    import numpy as np

    from jaxnu.inference.asymptotics import level_words

    derivatives = result.derivatives or {}
    moving = (
        "counts, bins and background shape stay fixed"
        if result.data == "observed"
        else "the expected data move with the parameter"
    )
    best = result.best_fit_mu2
    level = level_words(result.confidence_level)
    floating = all(one.background_floating for one in experiments) and result.data == "observed"
    lines = [result.title, f"  limit          mu_nu < {result.limit_mu_B:.4g} mu_B at {level}"]
    if result.expected_mu_B is not None:
        lines.append(
            f"  expected       mu_nu < {result.expected_mu_B:.4g} mu_B without a signal "
            "(Asimov data, nuisances nominal)"
        )
    lines += [
        f"  convention     {result.method_words}",
        f"  atomic model   {result.response} ({result.target})",
        f"  best fit       mu_nu^2 = {best:.3g} mu_B^2" + (" (the boundary)" if best == 0 else ""),
        *_details(result),
    ]
    lines += [f"  note           {note}" for note in result.notes]
    for k, one in enumerate(experiments):
        counts, background, signal = (
            float(np.sum(each[k] if len(experiments) > 1 else each))
            for each in (result.counts, result.background, result.signal)
        )
        prefix = f"{one.name}: " if len(experiments) > 1 else ""
        lines += [
            *([f"  {one.name}"] if prefix else []),
            f"  data           {result.data}, {counts:.6g} events"
            + (" ON − OFF" if one.data_kind == "difference" else ""),
            f"  background     {background:.6g} events{_norm(result, one, prefix)}",
            *(
                f"  {name:<14} {float(value):+.3f} sigma, {parameter}"
                for name, parameter in one.systematics
                for value in [result.nuisances[name if name in result.shared else prefix + name]]
            ),
            f"  signal         {signal:.4g} events at the limit",
            f"                 threshold {float(one.parameters.threshold_keV):.4g} keV: half of "
            "the largest efficiency",
        ]
    if derivatives:
        lines += [
            f"  derivatives    d ln(limit)/d ln(parameter); {moving}",
            *(f"    {name:<14} {value:+.4f}" for name, value in derivatives.items()),
            *["                 (background: counts are fixed and its norm floats)"] * floating,
        ]
    lines.append(f"  convergence    {change:.1e} relative change with doubled nodes in T, E and Q")
    for one in experiments:
        reference = dict(one.reference)
        if "published_limit" in reference:
            lines.append(f"  published      {reference['published_limit']}")
        lines.append(f"  source         {reference['citation']}")
    return "\n".join(lines)


def _details(result: "LimitResult") -> list[str]:
    """Interval, discovery, bands and impacts, where the result has them."""
    if result.interval_mu2 is None:
        return []
    low, high = result.interval_mu2
    lines = [f"  interval       {low:.4g} < mu_nu^2 < {high:.4g} mu_B^2"]
    if result.significance is not None:
        lines.append(f"  discovery      {result.significance:.3g} sigma, p0 = {result.p0:.3g}")
    if result.bands_mu_B is not None:
        bands = " ".join(f"{value:.4g}" for value in result.bands_mu_B)
        lines.append(
            f"  bands          {bands} mu_B at -2 … +2 sigma of the background, "
            "nuisances fitted at mu = 0"
        )
    if result.impacts_mu_B:
        lines.append("  impacts        limit with a nuisance 1 sigma below, above its best fit")
        lines += [
            f"    {name:<14} {below:.5g} {above:.5g} mu_B"
            if below == below
            else f"    {name:<14} at its bound"
            for name, (below, above) in result.impacts_mu_B.items()
        ]
    if result.accuracy:
        lines.append(f"  accuracy       {result.accuracy:.1e} relative, of nodes, chains or toys")
    if result.sampling:
        found = result.sampling
        lines.append(
            f"  chains         {found['chains']} of {found['draws']} draws, seed {found['seed']}: "
            f"R-hat at most {max(found['r_hat'].values()):.3f}, at least "
            f"{min(found['effective'].values()):.0f} independent, "
            f"{found['divergences']} divergences"
        )
    return lines


def _norm(result: "LimitResult", experiment: "Experiment", prefix: str) -> str:
    if f"{prefix}background" not in result.nuisances:
        return ", subtracted bin by bin"
    norm = "floating" if experiment.background_floating else "constrained"
    return f", {norm} norm fitted to {float(result.nuisances[f'{prefix}background']):.4f}"
