"""Quantities with units: values, equivalent spellings, refusals."""

import pytest

from jaxnu.errors import InputError
from jaxnu.units import DIMENSIONS, UNITS, quantity


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("12 keV", "energy", 12.0),
        ("180 eV", "energy", 0.18),
        ("1.2 MeV", "energy", 1200.0),
        ("1.5kg", "mass", 1.5),
        ("48 h", "time", 2.0),
        ("1 yr", "time", 365.25),
        ("86400 s", "time", 1.0),
        ("1.16 t yr", "exposure", 1.16 * 1000 * 365.25),
        ("1133 kg d", "exposure", 1133.0),
        ("13.9 m", "length", 13.9),
        ("1 km", "length", 1000.0),
        ("3 GW", "power", 3.0),
        ("2900 MW", "power", 2.9),
        ("2.5 / (keV kg d)", "rate", 2.5),
        ("10.5 / (t yr keV)", "rate", 10.5 / 365250.0),
        ("10.5 events/(t yr keV)", "rate", 10.5 / 365250.0),
        ("-1e-3 keV", "energy", -1e-3),
        (".5 keV", "energy", 0.5),
    ],
)
def test_value_in_base_units(text, dimension, value):
    assert quantity(text, dimension) == pytest.approx(value, rel=1e-15)


def test_spellings_of_one_rate_agree():
    spellings = [
        "7 / (t yr keV)",
        "7/(keV t yr)",
        "7 /keV/t/yr",
        "7 events / (t yr keV)",
        "7 / (t·yr·keV)",
        "7 / ( t * yr * keV )",
        "7e-3 /(kg yr keV)",
    ]
    values = [quantity(text, "rate") for text in spellings]
    worst = max(abs(v / values[0] - 1) for v in values)
    print(f"spellings of a rate: worst relative spread {worst:.1e}")
    assert worst < 1e-15


def test_every_unit_and_every_example_is_readable():
    for dimension, (powers, base, example) in DIMENSIONS.items():
        assert quantity(example, dimension) > 0
        one = base if base.startswith("1") else f"1 {base}"
        assert quantity(one, dimension) == 1.0, (dimension, powers)
    for symbol, (kind, size) in UNITS.items():
        if kind != "count":
            assert quantity(f"1 {symbol}", kind) == pytest.approx(size, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "dimension", "words"),
    [
        ("12", "energy", ["'12'", "an energy", "'12 keV'"]),
        ("12 kg", "energy", ["'12 kg'", "an energy", "'12 keV'"]),
        ("12 kev", "energy", ["'12 kev'", "did you mean 'keV'", "an energy"]),
        ("12 mW", "power", ["'12 mW'", "did you mean 'MW'"]),
        ("keV", "energy", ["'keV'", "an energy"]),
        ("nan keV", "energy", ["'nan keV'", "an energy"]),
        ("1 keV keV", "energy", ["'1 keV keV'", "an energy"]),
        ("1 keV/keV", "energy", ["'1 keV/keV'", "an energy"]),
        ("2.5 / keV kg d", "rate", ["'2.5 / keV kg d'", "a rate", "'2.5 / (keV kg d)'"]),
        ("2.5 keV kg d", "rate", ["'2.5 keV kg d'", "a rate"]),
        ("1 t", "exposure", ["'1 t'", "an exposure", "'1.16 t yr'"]),
        ("12 keV\n3 keV", "energy", ["12 keV", "an energy"]),
        ("", "length", ["''", "a length", "'13.9 m'"]),
        (12.0, "energy", ["12.0 has no unit", "an energy", "'12 keV'"]),
    ],
)
def test_refusal_names_value_dimension_and_example_in_one_line(text, dimension, words):
    with pytest.raises(InputError) as refusal:
        quantity(text, dimension)
    message = str(refusal.value)
    print(message)
    assert "\n" not in message
    for word in words:
        assert word in message
