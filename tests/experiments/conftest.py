"""A complete experiment file to be changed, shared by the tests of the sections."""

import pytest

from jaxnu.experiments import load_experiment

BASE = """
title = "invented"
[source]
kind = "reactor"
power = "3 GW"
distance = "14 m"
[target]
element = "Ge"
exposure = "100 kg d"
[detector.resolution]
constant = "30 eV"
[detector.efficiency]
threshold = "0.21 keV"
width = "20 eV"
plateau = 0.9
[data]
kind = "counts"
bin_edges = { unit = "keV", values = [0.2, 0.3, 0.5, 1, 2, 4] }
[background]
rate = "10 / (keV kg d)"
includes_efficiency = false
[statistics]
background_norm = "floating"
[reference]
citation = "invented"
"""
LABELLED = (
    ('exposure = "100 kg d"', 'exposure = "100 kg d"\nrecoil = "both"'),
    ('"30 eV"', '"30 eV_ee"'), ('"0.21 keV"', '"0.21 keV_ee"'), ('"20 eV"', '"20 eV_ee"'),
    ('unit = "keV"', 'unit = "keV_ee"'),
    ("includes_efficiency = false", "includes_efficiency = false\nincludes_cevns = false"),
    ("[data]", '[detector.quenching]\nmodel = "lindhard"\nk = 0.162\n[data]'),
    ("[statistics]",
     '[systematics.k]\nparameter = "quenching"\nuncertainty = 0.05\n[statistics]'),
)  # fmt: skip


def changed(text, changes):
    for old, new in changes:
        assert old in text, f"{old!r} is not in the file"
        text = text.replace(old, new)
    return text


@pytest.fixture
def base(tmp_path):
    """load(*(old, new)): the experiment with some texts replaced; CSV files go to load.folder."""

    def load(*changes, text=BASE):
        path = tmp_path / "mine.toml"
        path.write_text(changed(text, changes), encoding="utf-8")
        return load_experiment(path)

    load.folder, load.path = tmp_path, tmp_path / "mine.toml"
    return load


@pytest.fixture
def nuclear(base):
    """The same with recoils of electrons and nuclei, its energies labelled."""
    text = changed(BASE, LABELLED)

    def load(*changes):
        return base(*changes, text=text)

    load.folder, load.path = base.folder, base.path
    return load
