"""jaxnu fit: several properties of the neutrino from one spectrum."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from jaxnu.commands.common import (
    Command,
    confidence_argument,
    experiments_argument,
    named_experiment,
    named_responses,
    output_arguments,
    output_file,
    response_argument,
    step,
    words,
)

if TYPE_CHECKING:
    from jaxnu.inference import MomentLimits, ParameterFit


def add_commands(command: Command) -> None:
    """Declare jaxnu fit."""
    sub = command(
        "fit", _run_fit, "several parameters at once: moment, millicharge, charge radius, angle",
        "Prints best fit and two-sided profile interval of each parameter, the others fitted, and\n"
        "writes fit-EXPERIMENT.json.\n\n"
        "  jaxnu fit xenonnt-sr0 --parameters mu2,q_e\n"
        "  jaxnu fit conus-2022 --parameters mu2,sin2_theta_w --asimov\n"
        "  jaxnu fit a.toml b.toml --parameters mu2,r2_cm2 --shared flux\n"
        "  jaxnu fit xenonnt-sr0 --moments majorana\n\n"
        "Parameters: mu2 (mu_nu^2 in mu_B^2), sin2_theta_w, r2_cm2 (charge radius), q_e\n"
        "(millicharge); weak scattering and the interference with it are exact.\n"
        "With --moments, upper limits on the elements of the matrix of moments instead, one at a\n"
        "time.",
    )  # fmt: skip
    experiments_argument(sub, "the parameters")
    what = sub.add_mutually_exclusive_group()
    what.add_argument("--parameters", type=words, default=("mu2",), metavar="NAMES",
                      help="of mu2 (default), sin2_theta_w, r2_cm2, q_e (a,b)")  # fmt: skip
    what.add_argument("--moments", metavar="KIND",
                      help="dirac or majorana: limits on |mu_jk|")  # fmt: skip
    response_argument(sub, several=False)
    confidence_argument(sub)
    sub.add_argument("--asimov", action="store_true",
                     help="the expectation of the standard model as data")  # fmt: skip
    output_arguments(sub)


def _run_fit(arguments: argparse.Namespace) -> None:
    from jaxnu.files import write_text
    from jaxnu.inference import fit_parameters, moment_limits
    from jaxnu.inference.limit_inputs import check_experiment

    with step(f"reading {' '.join(arguments.experiment)}"):
        experiments = [named_experiment(arguments, name) for name in arguments.experiment]
    data = "Asimov" if arguments.asimov else "observed"
    for one in experiments:  # before the atoms, which may take a minute
        check_experiment(one, data)
    path = f"{output_file(arguments, [one.name for one in experiments], 'json')}.json"
    atoms = named_responses(experiments, arguments.response)
    options = {
        "confidence_level": arguments.confidence_level,
        "data": data,
        "shared": arguments.shared,
    }
    result: ParameterFit | MomentLimits
    with step("expected counts and fits (compiled on the first run)"):
        if arguments.moments is not None:
            result = moment_limits(experiments, atoms, arguments.moments, **options)
        else:
            result = fit_parameters(experiments, atoms, arguments.parameters, **options)
    text = json.dumps(result.as_dict(), indent=1, allow_nan=False)
    with step(f"writing {path}"):
        write_text(Path(path), text + "\n")
    if arguments.json:
        print(text)
    else:
        print(result.summary() if arguments.moments is not None else _report(result))


def _report(result: "ParameterFit") -> str:
    from jaxnu.inference.asymptotics import level_words

    level = level_words(result.confidence_level)
    others = ", the others fitted" * (len(result.parameters) > 1)
    lines = [
        result.title,
        f"  data           {result.data}",
        f"  convention     profile likelihood, two-sided q = {result.delta:.4g}, {level}{others}",
        f"  atomic model   {result.response} ({result.target})",
        *(f"  {name:<14} {result.sentence(name)}" for name in result.parameters),
    ]
    for k, name in enumerate(result.parameters[1:], start=1):
        lines += [
            f"  correlation    {other}, {name}: {result.correlation[k, j]:+.3f} at the best fit"
            for j, other in enumerate(result.parameters[:k])
        ]
    lines += [f"  {name:<14} {value:+.4f}" for name, value in result.nuisances.items()]
    for other in result.minima[1:]:
        place = ", ".join(f"{name} = {other[name]:.4g}" for name in result.parameters)
        lines.append(f"  minimum        another one at {place}, q = {other['q']:.3g}")
    return "\n".join(lines)
