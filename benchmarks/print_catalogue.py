"""Prints docs/catalogue.md: our number beside the published one for every shipped experiment.

    python benchmarks/print_catalogue.py > docs/catalogue.md

Nothing is tuned. A forecast is compared with a published observed limit, which fluctuates about it.
"""

import re

import jaxnu
from jaxnu.experiments import available

MODELS = ("central-field", "stepping", "free")
CONVENTIONS = ("two-sided", "one-sided")
HEAD = """# The catalogue

Printed by `python benchmarks/print_catalogue.py`. Limits on μ_ν in 1e-11 μ_B at 90% CL; q = 2.706
(two-sided) or 1.642 (one-sided), see [physics.md](physics.md). "Ours over published" is for
central-field, two-sided; the convention and the atomic model of most published limits are not known
to us. Entries are files in `jaxnu/experiments/catalogue`, shown by `jaxnu experiments show NAME`,
and say which of their numbers were recalled (m) or assumed.
"""


def published(text: str) -> float | None:
    """The first "μ < …e-… μ_B" of a text, or None."""
    found = re.search(r"μ(?:_eff)? < ([\d.]+e-\d+)", text)
    return float(found[1]) if found else None


def page(name: str) -> str:
    """One entry: a table of limits, the published one, the ratio and what is known about it."""
    experiment = jaxnu.load_experiment(name)
    about = dict(experiment.reference)
    lines = [f"## {name}", "", experiment.title + ".", ""]
    if not experiment.has_background:
        lines += ["No background model is at hand: the signal can be computed, a limit cannot.", ""]
    else:
        kinds = {"observed": jaxnu.limit, "forecast": jaxnu.sensitivity}
        if not experiment.has_data:
            del kinds["observed"]
        lines += ["| atomic model | " + " | ".join(f"{k}, {c}" for k in kinds for c in CONVENTIONS)
                  + " |", "|---" * (1 + 2 * len(kinds)) + "|"]  # fmt: skip
        first = None
        for model in MODELS:
            atom = jaxnu.response(experiment.target, model)
            found = [
                f(experiment, atom, convention=c).limit_mu_B
                for f in kinds.values()
                for c in CONVENTIONS
            ]
            first = found[0] if first is None else first
            lines.append(f"| {model} | " + " | ".join(f"{v / 1e-11:.4g}" for v in found) + " |")
        value = published(about["published_limit"])
        if value:
            lines += ["", f"Ours over published: {first / value:.2f}."]
        lines.append("")
    lines += [f"* published: {about['published_limit']}", f"* source: {about['citation']}"]
    lines += [f"* {key}: {about[key]}" for key in ("obtained", "notes") if key in about]
    return "\n".join(lines) + "\n"


def main() -> None:
    jaxnu.enable_compilation_cache()
    print(HEAD)
    print("\n".join(page(name) for name in available()), end="")


if __name__ == "__main__":
    main()
