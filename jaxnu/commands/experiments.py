"""jaxnu experiments: list, show, begin one."""

import argparse
import os
from pathlib import Path

from jaxnu.commands.common import Command
from jaxnu.errors import InputError


def add_commands(command: Command) -> None:
    """Declare jaxnu experiments."""
    sub = command(
        "experiments", _run_experiments, "list, show or begin experiments; a page about one",
        "  jaxnu experiments                    list names, titles and sources\n"
        "  jaxnu experiments show xenonnt-sr0   everything about one\n"
        "  jaxnu experiments page gemma         its limits beside the published one, in Markdown\n"
        "  jaxnu experiments new my.toml        a file with every key, to be filled in",
    )  # fmt: skip
    sub.add_argument("action", nargs="?", choices=["list", "show", "page", "new"], default="list")
    sub.add_argument("name", nargs="?", help="a shipped name or a TOML file")


def _run_experiments(arguments: argparse.Namespace) -> None:
    from jaxnu.experiments.description import describe, headline
    from jaxnu.experiments.reader import available

    if arguments.action in ("show", "page"):
        if arguments.name is None:
            raise InputError(
                f"experiments {arguments.action} needs a name; allowed: {', '.join(available())} "
                f"or a TOML file; for example 'jaxnu experiments {arguments.action} xenonnt-sr0'"
            )
        print(describe(arguments.name) if arguments.action == "show" else _page(arguments.name))
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


def _page(name: str) -> str:
    import sys

    from jaxnu.experiment_page import experiment_page

    return experiment_page(name, lambda line: print(line, file=sys.stderr)).rstrip("\n")


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
    if os.path.exists(path):
        raise InputError(f"experiments new = {name!r} exists already; give another name")
    check_writable(path)
    write_text(
        path, resources.files("jaxnu.experiments").joinpath("template.toml").read_text("utf-8")
    )
    print(f"{name}: fill it in, then 'jaxnu experiments show {name}'")
