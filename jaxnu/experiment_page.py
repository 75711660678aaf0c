"""One experiment on a page: what it is, its limits by model of the atom, the published one."""

import os
import re
from collections.abc import Callable

from jaxnu.examination.tables import markdown_table
from jaxnu.experiments import Experiment, load_experiment
from jaxnu.experiments.description import facts
from jaxnu.inference import LimitResult, limit, sensitivity
from jaxnu.responses import response

MODELS = ("central-field", "stepping", "free")
CONVENTIONS = ("two-sided", "one-sided")
TITLES = {"obtained": "numbers of the entry", "notes": "why ours may differ, and what to know"}
PUBLISHED = re.compile(r"μ(?:_eff)? < ([\d.]+e-\d+)")
NO_BACKGROUND = "No background model is at hand: the signal can be computed, a limit cannot."


def published_limit_mu_B(experiment: Experiment) -> float | None:
    """The published limit on μ_ν [μ_B]: the lowest of `published_limit` in [reference].

    None where that text begins with "none" (limits that follow it are of other data) or has no
    "μ < …e-… μ_B".
    """
    text = dict(experiment.reference).get("published_limit", "")
    if text.startswith("none"):
        return None
    return min((float(value) for value in PUBLISHED.findall(text)), default=None)


def experiment_page(
    name: str | os.PathLike[str], progress: Callable[[str], None] = lambda line: None
) -> str:
    """Markdown: setup, limits by atomic model and convention, our number beside the published one.

    Args:
        name: as for load_experiment.
        progress: called with a line before each fit.

    Returns:
        The text, ended by a newline. Limits are at 90% CL in 1e-11 μ_B; nothing is tuned.

    Raises:
        InputError, FitError: as load_experiment, limit and sensitivity.
    """
    experiment = load_experiment(name)
    about = dict(experiment.reference)
    parts = [f"# {experiment.name}", experiment.title + ".", _table(["", ""], _setup(experiment))]
    if experiment.has_background:
        parts += _limits(experiment, progress)
    else:
        parts.append(NO_BACKGROUND)
    told = {"published": about.get("published_limit", "nothing"), "source": about["citation"]}
    told |= {title: about[key] for key, title in TITLES.items() if key in about}
    parts.append("\n".join(f"* {title}: {text}" for title, text in told.items()))
    return "\n\n".join(parts) + "\n"


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(markdown_table(head, rows))


def _setup(experiment: Experiment) -> list[list[str]]:
    return [[key, text] for key, text in facts(experiment).items() if key != "experiment"]


def _limits(experiment: Experiment, progress: Callable[[str], None]) -> list[str]:
    kinds: dict[str, Callable[..., LimitResult]] = {"forecast": sensitivity}
    if experiment.has_data:
        kinds = {"observed": limit, **kinds}
    rows: list[list[str]] = []
    first: LimitResult | None = None
    for model in MODELS:
        atom = response(experiment.target, model)
        row = [model]
        for kind, fit in kinds.items():
            for convention in CONVENTIONS:
                progress(f"{experiment.name}: {kind}, {model}, {convention}")
                found = fit(experiment, atom, convention=convention)
                first = first or found
                row.append(f"{found.limit_mu_B / 1e-11:.4g}")
        rows.append(row)
    assert first is not None
    heads = [f"{kind}, {convention}" for kind in kinds for convention in CONVENTIONS]
    ours = f"Ours: {first.summary()}."
    published = published_limit_mu_B(experiment)
    if published is not None:
        ours += f" That is {first.limit_mu_B / published:.2f} of the published {published:.3g} μ_B."
    if published is not None and not experiment.has_data:
        ours += " Ours is a forecast; what is published was observed, and fluctuates about its own."
    moves = ", ".join(f"{key} {value:+.2f}" for key, value in (first.derivatives or {}).items())
    return [
        "Limits on μ_ν in 1e-11 μ_B at 90% CL:",
        _table(["atomic model", *heads], rows),
        ours,
        f"d ln(limit)/d ln(parameter): {moves}.",
    ]
