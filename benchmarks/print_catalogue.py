"""Writes docs/catalogue/NAME.md of every shipped experiment, and prints docs/catalogue.md.

    python benchmarks/print_catalogue.py > docs/catalogue.md

Each page is what `jaxnu experiments page NAME` prints. Nothing is tuned.
"""

import re
import sys
from pathlib import Path

import jaxnu
from jaxnu.experiment_page import NO_BACKGROUND, experiment_page
from jaxnu.experiments import available

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "catalogue"
HEAD = """# The catalogue

Printed by `python benchmarks/print_catalogue.py`; each page by `jaxnu experiments page NAME`.
Limits on μ_ν in μ_B at 90% CL; ours with the central-field atom, two-sided (q = 2.706, see
[physics.md](physics.md)), the other atoms and conventions on the page. The convention and the
atomic model of most published limits are not known to us. Entries are files in
`jaxnu/experiments/catalogue`, shown by `jaxnu experiments show NAME`, and say which of their
numbers were recalled (m) or assumed.

| experiment | ours | ours over published | published |
|---|---|---|---|"""


def main() -> None:
    jaxnu.enable_compilation_cache()
    FOLDER.mkdir(exist_ok=True)
    print(HEAD)
    for name in available():
        page = experiment_page(name, lambda line: print(line, file=sys.stderr))
        (FOLDER / f"{name}.md").write_text(page, encoding="utf-8")
        ours = _found(r"Ours: mu_nu < (\S+) mu_B", page)
        kind = " (forecast)" if "expected upper limit" in page else ""
        row = [
            f"[{name}](catalogue/{name}.md)",
            "no background model" if NO_BACKGROUND in page else f"{ours}{kind}",
            _found(r"That is (\S+) of the published", page),
            _found(r"\* published: (.*)", page),
        ]
        print(f"| {' | '.join(row)} |")


def _found(pattern: str, page: str) -> str:
    found = re.search(pattern, page)
    return found[1] if found else "–"


if __name__ == "__main__":
    main()
