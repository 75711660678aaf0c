"""jaxnu rate, jaxnu cross-section: curves in T."""

import argparse

from jaxnu.commands.common import (
    Command,
    channel_quantity,
    channel_title,
    grid,
    grid_arguments,
    moment,
    named_experiment,
    named_response,
    number,
    report,
    response_argument,
    step,
)


def add_commands(command: Command) -> None:
    """Declare jaxnu rate, jaxnu cross-section."""
    sub = command(
        "rate", _run_rate, "signal rate dR/dT of an experiment's source and target",
        "Prints dR/dT in 1/(kg keV d), before the detector; a coefficient per its parameter.\n\n"
        "  jaxnu rate xenonnt-sr0 --response central-field --response free --plot rate.png",
    )  # fmt: skip
    sub.add_argument("experiment", help="a shipped name (jaxnu experiments) or a TOML file")
    response_argument(sub, several=True)
    grid_arguments(sub, 0.1, 30.0)

    sub = command(
        "cross-section", _run_cross_section, "dsigma/dT on one atom, per shell",
        "Prints dsigma/dT in cm^2/keV per atom; the CSV has a column for every shell.\n\n"
        "  jaxnu cross-section --target Ge --energy-keV 1000 --response central-field \\\n"
        "      --response stepping --plot out.png --csv out.csv",
    )  # fmt: skip
    sub.add_argument("--target", required=True, help="element symbol, such as Ge")
    sub.add_argument("--energy-keV", type=number, required=True, help="neutrino energy")
    response_argument(sub, several=True)
    grid_arguments(sub, 0.01, None)
    sub.add_argument("--flavor",
                     help="nu_e (default), antinu_e, …; all channels but magnetic")  # fmt: skip


def _run_rate(arguments: argparse.Namespace) -> None:
    import numpy as np

    from jaxnu.rates import rate

    mu, channel = moment(arguments), arguments.channel
    with step(f"reading {arguments.experiment}"):
        experiment = named_experiment(arguments)
    T = grid(arguments, arguments.T_max_keV)
    source, curves = experiment.parameters.source, {}
    for model in arguments.response or ["central-field"]:
        atom = named_response(experiment.target, model)
        with step(f"rate, {model}"):
            value = rate(T, source, atom, mu**2, channel)
        curves[model] = np.asarray(value)
    title = f"{source.name} on {experiment.target}, {channel_title(channel, mu)}"
    quantity = channel_quantity("dR/dT", "1/(kg keV d)", channel)
    report(arguments, T, curves, curves, quantity, title)


def _run_cross_section(arguments: argparse.Namespace) -> None:
    import numpy as np

    from jaxnu import checks, enable_compilation_cache
    from jaxnu.cross_sections import cross_section

    enable_compilation_cache()
    mu, channel, flavor = moment(arguments), arguments.channel, arguments.flavor or "nu_e"
    E = arguments.energy_keV
    checks.number_range(
        "energy-keV", E, 0.0, 1e9, "keV", "give a neutrino energy above zero", open_low=True
    )
    atoms = {
        model: named_response(arguments.target, model)
        for model in arguments.response or ["central-field"]
    }
    ends = [atom.T_max_keV for atom in atoms.values() if atom.T_max_keV is not None]
    highest = min(0.999 * E, *(0.999 * float(end) for end in ends), 1e9)
    T = grid(arguments, highest if arguments.T_max_keV is None else arguments.T_max_keV)
    totals, columns = {}, {}
    for model, atom in atoms.items():
        with step(f"cross section, {model}"):
            shells = np.asarray(
                cross_section(T, E, atom, mu, channel, flavor=flavor, by_shell=True)
            )
        totals[model] = columns[model] = shells.sum(axis=-1)
        columns |= {f"{model}:{label}": shells[:, i] for i, label in enumerate(atom.labels)}
    title = f"{E:g} keV neutrino on {arguments.target}, {channel_title(channel, mu)}"
    quantity = channel_quantity("dsigma/dT", "cm^2/keV per atom", channel)
    report(arguments, T, totals, columns, quantity, title)
