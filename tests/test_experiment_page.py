"""A page about an experiment: our limits beside the published one."""

from pathlib import Path

import pytest

from jaxnu import load_experiment, response, sensitivity
from jaxnu.cli import main
from jaxnu.experiment_page import experiment_page, published_limit_mu_B
from jaxnu.experiments import available

DOCS = Path(__file__).resolve().parent.parent / "docs"
PUBLISHED = {  # as the files quote them; borexino's and LZ's entries have no background model
    "borexino-2017": 2.8e-11,
    "conus-2022": 7.5e-11,
    "conus-plus-2025": None,  # the one quoted is of other data
    "gemma": 2.9e-11,
    "gemma-2010": 3.2e-11,
    "lz-ws2022": 1.36e-11,
    "texono-2007": 7.4e-11,
    "xenonnt-sr0": 6.4e-12,
}


def test_published_limits_are_read():
    assert {name: published_limit_mu_B(load_experiment(name)) for name in available()} == PUBLISHED


@pytest.mark.parametrize("name", available())
def test_every_shipped_experiment_has_its_page(name):
    page = (DOCS / "catalogue" / f"{name}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {name}\n")
    about = dict(load_experiment(name).reference)
    for key in ("citation", "published_limit", "obtained", "notes"):
        assert about[key] in page, f"{key}: print the catalogue again"
    assert f"[{name}](catalogue/{name}.md)" in (DOCS / "catalogue.md").read_text(encoding="utf-8")


def test_without_a_background_there_is_no_limit(capsys):
    assert main(["experiments", "page", "lz-ws2022"]) == 0
    text = capsys.readouterr().out
    assert "a limit cannot" in text and "μ < 1.36e-11" in text and "atomic model" not in text


@pytest.mark.slow
def test_the_page_has_our_limit_and_its_ratio():
    page = experiment_page("texono-2007")
    ours = sensitivity(load_experiment("texono-2007"), response("Ge")).limit_mu_B
    print(page)
    assert f"That is {ours / 7.4e-11:.2f} of the published 7.4e-11 μ_B" in page
    row = next(line for line in page.splitlines() if line.startswith("| central-field |"))
    assert f"{ours / 1e-11:.4g}" in row
    assert page == (DOCS / "catalogue" / "texono-2007.md").read_text(encoding="utf-8")


def test_a_page_needs_a_name(capsys):
    assert main(["experiments", "page"]) == 2
    line = capsys.readouterr().err.strip()
    print(line)
    assert "experiments page needs a name" in line and len(line.splitlines()) == 1
