"""Experiment files: values and units arrive, and each mistake is refused in one line."""

import math
from pathlib import Path

import numpy as np
import pytest

from jaxnu.errors import InputError
from jaxnu.experiments import available, describe, load_experiment

PAGE = Path(__file__).parents[2] / "docs" / "experiment-file.md"
EXAMPLE = PAGE.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]


def load(folder, text):
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return load_experiment(path)


def test_the_example_of_the_page_loads_with_its_values_and_units(tmp_path):
    e = load(tmp_path, EXAMPLE)
    p = e.parameters
    assert (e.name, e.target, e.title) == ("mine", "Ge", "A germanium detector at a reactor")
    assert (e.background_floating, e.background_has_efficiency) == (False, False)
    assert float(p.exposure_kg_day) == 1.5 * 365.25
    np.testing.assert_allclose(p.resolution_keV, [0.05, 0.03, 0.0], rtol=1e-15)
    np.testing.assert_array_equal(p.bin_edges_keV, [0.3, 0.5, 1.0, 2.0, 4.0, 7.0, 10.0])
    np.testing.assert_array_equal(e.counts, [170, 1080, 2420, 4960, 7370, 7410])
    np.testing.assert_array_equal(p.background, np.full(6, 5.0))
    assert float(p.background_uncertainty) == 0.05
    knots = p.threshold_keV + p.efficiency_offset_keV
    np.testing.assert_allclose(knots, [0.1, 0.3, 0.4, 0.6, 10.0], rtol=1e-14)
    np.testing.assert_array_equal(p.efficiency, [0.0, 0.2, 0.6, 0.9, 0.9])
    assert 0.3 < float(p.threshold_keV) < 0.4  # 0.45 lies between these knots
    assert p.source.antineutrino
    assert dict(e.reference) == {"citation": "invented for this page"}


def test_other_units_give_the_same_experiment(tmp_path):
    base = load(tmp_path, EXAMPLE)
    changes = {
        '"3.6 GW"': '"3600 MW"',
        '"20 m"': '"0.02 km"',
        '"1.5 kg yr"': '"547.875e-3 t d"',
        '"50 eV"': '"0.05 keV"',
        '{ unit = "keV", values = [0.1, 0.3, 0.4, 0.6, 10.0] }': (
            '{ unit = "eV", values = [100, 300, 400, 600, 10000] }'
        ),
        'rate = "5 events / (keV kg d)"': (
            'rate = { unit = "1/(t yr keV)", values = [' + ", ".join(6 * ["1826250"]) + "] }"
        ),
    }
    text = EXAMPLE
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    other = load(tmp_path, text)
    for key in (
        "exposure_kg_day", "threshold_keV", "resolution_keV", "efficiency_offset_keV", "background"
    ):  # fmt: skip
        a, b = getattr(base.parameters, key), getattr(other.parameters, key)
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15, err_msg=key)
    fluxes = [float(e.parameters.source.total()) for e in (base, other)]
    assert fluxes[0] == pytest.approx(fluxes[1], rel=1e-14)


def test_flux_falls_with_the_square_of_the_distance(tmp_path):
    far = load(tmp_path, EXAMPLE.replace('"20 m"', '"40 m"')).parameters.source.total()
    near = load(tmp_path, EXAMPLE).parameters.source.total()
    assert float(near / far) == pytest.approx(4.0, rel=1e-13)


def test_a_forecast_has_no_counts_and_a_floating_norm_no_uncertainty(tmp_path):
    text = EXAMPLE.replace("counts = [", "# counts = [").replace('"constrained"', '"floating"')
    e = load(tmp_path, text.replace("background_uncertainty", "# background_uncertainty"))
    assert e.counts is None and e.background_floating
    assert math.isfinite(float(e.parameters.background_uncertainty))


# what is written instead of what, and the words that the refusal must have
EDGES = "[0.3, 0.5, 1.0, 2.0, 4.0, 7.0, 10.0]"
REACTOR = 'kind = "reactor"\npower = "3.6 GW"\ndistance = "20 m"'
SUN = 'kind = "solar"\nmetallicity = "GS98"'
MISTAKES = {
    "unknown key": (
        "distance =",
        "distanse =",
        ["source.distanse = '20 m'", "did you mean 'distance'"],
    ),
    "unknown section": ("[statistics]", "[statistic]", ["statistic", "did you mean 'statistics'"]),
    "key of another kind": (
        "distance =",
        'metallicity = "GS98"\ndistance =',
        ["source.metallicity"],
    ),
    "unknown kind": ('"reactor"', '"reacter"', ["source.kind", "'reacter'", "'reactor'"]),
    "section given twice": ("[target]", "[data]", ["TOML", "'data'", "line 20"]),
    "missing key": ('element = "Ge"\n', "", ["target.element", "missing", '"Xe"']),
    "missing quantity": ('power = "3.6 GW"\n', "", ["source.power", "missing", "3 GW"]),
    "missing flag": (
        "includes_efficiency = false\n",
        "",
        ["background.includes_efficiency", "true"],
    ),
    "missing citation": ('citation = "invented for this page"', "", ["reference.citation"]),
    "missing uncertainty": ("background_uncertainty = 0.05", "", ["background_uncertainty"]),
    "wrong dimension": ('"1.5 kg yr"', '"1.5 kg"', ["target.exposure", "'1.5 kg'", "exposure"]),
    "no unit": ('"20 m"', "20", ["source.distance", "20", "length"]),
    "unknown unit": ('"3.6 GW"', '"3.6 Gw"', ["source.power", "'3.6 Gw'", "did you mean 'GW'"]),
    "unit of a list": (
        '{ unit = "keV", values = [0.3',
        '{ unit = "kg", values = [0.3',
        ["data.bin_edges.unit", "'kg'", "energy"],
    ),
    "list without unit": (
        '{ unit = "keV", values = [0.3, 0.5, 1.0, 2.0, 4.0, 7.0, 10.0] }',
        "[0.3, 10.0]",
        ["data.bin_edges", "[0.3, 10.0]", "unit"],
    ),
    "empty list": (
        "values = [0.3, 0.5, 1.0, 2.0, 4.0, 7.0, 10.0]",
        "values = []",
        ["data.bin_edges.values", "[]"],
    ),
    "bins not increasing": (
        "[0.3, 0.5, 1.0,",
        "[0.3, 1.0, 0.5,",
        ["data.bin_edges", "1, 0.5 keV", "increas"],
    ),
    "bins in eV": (
        EDGES,
        "[300, 500, 1000, 2000, 4000, 7000, 10000]",
        ["data.bin_edges", "10000 keV", 'energies here are in keV; write "1.5 keV" or "1500 eV"'],
    ),
    "knots in eV": (
        "[0.1, 0.3, 0.4, 0.6, 10.0]",
        "[100, 300, 400, 600, 10000]",
        ["detector.efficiency.energies", "10000 keV", "energies here are in keV"],
    ),
    "resolution in eV": (
        '"50 eV"',
        '"5000 keV"',
        ["detector.resolution.constant", "5000 keV", "in keV"],
    ),
    "negative bin edge": ("[0.3, 0.5,", "[-0.3, 0.5,", ["data.bin_edges", "-0.3 keV"]),
    "NaN in a list": ("[0.3, 0.5,", "[nan, 0.5,", ["data.bin_edges.values[0]", "nan"]),
    "infinite edge": (
        "7.0, 10.0] }\ncounts",
        "7.0, inf] }\ncounts",
        ["data.bin_edges.values[6]", "inf"],
    ),
    "text in a list": ("[0.3, 0.5,", '[0.3, "0.5",', ["data.bin_edges.values[1]", "'0.5'"]),
    "negative count": ("[170, 1080", "[170, -1080", ["data.counts[1]", "-1080"]),
    "count not whole": ("[170, 1080", "[170, 1080.5", ["data.counts[1]", "1080.5"]),
    "count NaN": ("[170, 1080", "[nan, 1080", ["data.counts[0]", "nan"]),
    "count true": ("[170, 1080", "[true, 1080", ["data.counts[0]", "True"]),
    "too few counts": ("[170, 1080,", "[1080,", ["data.counts", "5 values", "6 bins"]),
    "efficiency above 1": (
        "[0.0, 0.2, 0.6, 0.9, 0.9]",
        "[0.0, 0.2, 60.0, 0.9, 0.9]",
        ["detector.efficiency.values", "60", "0.8"],
    ),
    "efficiency below 0": ("[0.0, 0.2,", "[-0.1, 0.2,", ["detector.efficiency.values", "-0.1"]),
    "efficiency NaN": ("[0.0, 0.2,", "[0.0, nan,", ["detector.efficiency.values[1]", "nan"]),
    "efficiency length": (
        "[0.0, 0.2, 0.6,",
        "[0.0, 0.2,",
        ["detector.efficiency.values", "4 values"],
    ),
    "knots not increasing": (
        "[0.1, 0.3, 0.4,",
        "[0.1, 0.4, 0.4,",
        ["detector.efficiency.energies", "0.4, 0.4"],
    ),
    "knots short of bins": (
        "0.6, 10.0]",
        "0.6, 9.0]",
        ["detector.efficiency.energies", "9 keV", "10 keV"],
    ),
    "no threshold": (
        "[0.0, 0.2,",
        "[0.5, 0.6,",
        ["detector.efficiency.values", "0.5", "no threshold"],
    ),
    "zero exposure": ('"1.5 kg yr"', '"0 kg yr"', ["target.exposure", "0 kg d"]),
    "negative exposure": ('"1.5 kg yr"', '"-1.5 kg yr"', ["target.exposure", "-547.875 kg d"]),
    "infinite exposure": ('"1.5 kg yr"', '"1e999 kg yr"', ["target.exposure", "inf"]),
    "unknown element": ('"Ge"', '"ge"', ["target.element", "'ge'", "'Ge'"]),
    "too heavy": ('"Ge"', '"Pu"', ["target.element", "'Pu'", "H to U"]),
    "negative resolution": ('"50 eV"', '"-50 eV"', ["detector.resolution.constant", "-0.05 keV"]),
    "no resolution": (
        'constant = "50 eV"\nsqrt = "0.03 keV"\n',
        "",
        ["detector.resolution", "sqrt"],
    ),
    "zero resolution": (
        'constant = "50 eV"\nsqrt = "0.03 keV"',
        'sqrt = "0 eV"',
        ["detector.resolution", "0 keV", "positive"],
    ),
    "tiny resolution": (
        'constant = "50 eV"\nsqrt = "0.03 keV"',
        'sqrt = "0.001 eV"',
        ["detector.resolution", "unit"],
    ),
    "negative background": ('"5 events', '"-5 events', ["background.rate", "-5 1/(kg keV d)"]),
    "no background": ('"5 events', '"0 events', ["background.rate", "0", "positive"]),
    "background by bin": (
        '"5 events / (keV kg d)"',
        '{ unit = "1/(kg keV d)", values = [1.0, 2.0] }',
        ["background.rate", "2 values", "6 bins"],
    ),
    "bare background": ('"5 events / (keV kg d)"', "5.0", ["background.rate", "5.0"]),
    "efficiency flag": (
        "= false",
        '= "no"',
        ["background.includes_efficiency", "'no'", "true or false"],
    ),
    "unknown norm": (
        '"constrained"',
        '"float"',
        ["statistics.background_norm", "'float'", "floating"],
    ),
    "useless uncertainty": ('"constrained"', '"floating"', ["background_uncertainty", "0.05"]),
    "uncertainty in %": ("= 0.05", "= 50", ["statistics.background_uncertainty", "50", "0.05"]),
    "uncertainty a text": ("= 0.05", '= "5%"', ["statistics.background_uncertainty", "'5%'"]),
    "uncertainty NaN": ("= 0.05", "= nan", ["statistics.background_uncertainty", "nan"]),
    "uncertainty 5": ("= 0.05", "= 5", ["statistics.background_uncertainty = 5", "0.05"]),
    "uncertainty zero": ("= 0.05", "= 0", ["statistics.background_uncertainty", "0"]),
    "negative power": ('"3.6 GW"', '"-3.6 GW"', ["source.power", "-3.6 GW"]),
    "zero distance": ('"20 m"', '"0 m"', ["source.distance", "0 m"]),
    "bad fractions": ('"20 m"', '"20 m"\nfractions = { 235U = 0.2 }', ["source.fractions", "0.2"]),
    "bad isotope": ('"20 m"', '"20 m"\nfractions = { 233U = 1.0 }', ["fractions", "'233U'"]),
    "bad normalisation": (
        '"20 m"',
        '"20 m"\nnu_per_fission = "table"',
        ["source.nu_per_fission", "'table'"],
    ),
    "bad component": (
        REACTOR,
        SUN + '\ncomponents = ["pp", "Be7"]',
        ["source.components[1] = 'Be7'", "'7Be'"],
    ),
    "component a number": (REACTOR, SUN + "\ncomponents = [7]", ["source.components", "[7]"]),
    "bad metallicity": (REACTOR, SUN.replace("GS", "gs"), ["source.metallicity", "'gs98'"]),
    "malformed": ('element = "Ge"', 'element = "Ge', ["mine.toml", "TOML", "line 9"]),
    "unfinished": (
        'citation = "invented for this page"\n',
        "citation = ",
        ["mine.toml", "TOML", "line"],
    ),
    "two lines in a value": ('"20 m"', '"""20\nm"""', ["source.distance", "'20\\nm'"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_in_one_line_with_key_and_value(tmp_path, mistake):
    old, new, words = MISTAKES[mistake]
    assert EXAMPLE.count(old) == 1, "the replaced text is there once"
    with pytest.raises(InputError) as refusal:
        load(tmp_path, EXAMPLE.replace(old, new))
    message = str(refusal.value)
    print(f"{mistake}: {message}".replace(str(tmp_path), ""))
    assert "mine.toml" in message and "\n" not in message
    for word in words:
        assert word in message


def test_a_section_that_is_not_a_table(tmp_path):
    text = "statistics = 3\n" + EXAMPLE.split("[statistics]")[0] + "[reference]\ncitation = 'x'"
    with pytest.raises(InputError, match="statistics = 3 is not a table"):
        load(tmp_path, text)


def test_a_missing_section_is_named(tmp_path):
    with pytest.raises(InputError, match=r"reference is missing; give a table \[reference"):
        load(tmp_path, EXAMPLE.split("[reference]")[0])


def test_an_unknown_name_lists_the_shipped_ones():
    with pytest.raises(InputError) as refusal:
        load_experiment("xenonnt")
    message = str(refusal.value)
    assert "'xenonnt'" in message and "did you mean 'xenonnt-sr0'" in message
    assert "\n" not in message


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "picture.toml"
    path.write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(InputError, match=r"picture.toml cannot be read.*UTF-8") as refusal:
        load_experiment(path)
    assert "\n" not in str(refusal.value)


def test_the_shipped_experiments_load_and_describe_themselves():
    assert {"xenonnt-sr0", "gemma"} <= set(available())
    for name in available():
        text = describe(name)
        print(text)
        experiment = load_experiment(name)
        assert experiment.name == name
        for word in (experiment.title, experiment.target, dict(experiment.reference)["citation"]):
            assert word in text
