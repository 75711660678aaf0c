"""Spectra from CSV files: units, both kinds, and refusals with file and line."""

import math

import jax
import numpy as np
import pytest

from jaxnu.errors import InputError
from jaxnu.flux import difference, reactor, read_csv
from jaxnu.flux.fission import fission_tables

ISOTOPES = ("235U", "238U", "239Pu", "241Pu")


@pytest.fixture
def write(tmp_path):
    def write(text, name="mine.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("E [keV], flux [1/(cm2 s keV)]", [(100, 2.0), (300, 6.0), (700, 0.0)]),
        ("E [MeV], flux [1/(cm² s MeV)]", [(0.1, 2e3), (0.3, 6e3), (0.7, 0.0)]),
        ("energy [eV],phi[ν/(s cm^2 eV)]", [(1e5, 2e-3), (3e5, 6e-3), (7e5, 0.0)]),
        ("E [MeV], flux [1 / (keV*cm2*s)]", [(0.1, 2.0), (0.3, 6.0), (0.7, 0.0)]),
    ],
)
def test_units_of_a_flux(write, header, rows):
    text = "# a comment\n\n" + header + "\n" + "".join(f"{E}, {y}\n" for E, y in rows)
    spectrum = read_csv(write(text))
    assert float(spectrum.total()) == pytest.approx(4.0 * 200 + 3.0 * 400, rel=1e-13)
    np.testing.assert_allclose(spectrum.at(np.array([200.0, 500.0, 800.0])), [4.0, 3.0, 0.0])
    assert not spectrum.antineutrino and spectrum.name == "mine.csv"
    assert read_csv(write(text), antineutrino=True, name="x").antineutrino


def test_a_table_per_fission_is_a_reactor(write):
    """The 1989 table of 235U from a file, below 2 MeV, beside the shipped one."""
    low = fission_tables()["below_2_MeV"]
    rows = [(0.0, 0.0), *zip(low["E_MeV"], low["235U"], strict=True)]
    text = "E [MeV], nu [1/(MeV fission)]\n" + "\n".join(f"{E},{y}" for E, y in rows)
    mine = read_csv(write(text), power_GW=3.0, distance_m=13.9, energy_per_fission_MeV=202.36)
    theirs = reactor(3.0, 13.9, fractions={"235U": 1.0}, capture=False)
    E = np.array([3.0, 50.0, 700.0, 1900.0])
    np.testing.assert_allclose(mine.at(E), theirs.at(E), rtol=1e-12)
    assert mine.antineutrino
    # as the nominal of a variation, above 2 MeV it is the whole spectrum that is lacking
    lacking = difference(theirs, mine)
    np.testing.assert_allclose(theirs.plus(lacking).at(E), mine.at(E), rtol=1e-12)
    np.testing.assert_allclose(lacking.at(3000.0), -theirs.at(3000.0), rtol=1e-12)


def test_several_cores_and_gradients(write):
    path = write("E [keV], nu [1/(keV fission)]\n0,0\n1000,0.006\n2000,0\n")

    def total(power):
        return read_csv(path, power_GW=[power, 2.0], distance_m=[10.0, 20.0]).total()

    per_GW = 1e9 / (205.0 * 1.602176634e-13) * 6.0 / (4 * math.pi)
    np.testing.assert_allclose(total(3.0), per_GW * (3.0 / 1e6 + 2.0 / 4e6), rtol=1e-13)
    np.testing.assert_allclose(jax.grad(total)(3.0), per_GW / 1e6, rtol=1e-13)


FLUX, FISSION = "E [keV], flux [1/(cm2 s keV)]\n", "E [MeV], nu [1/(MeV fission)]\n"
REACTOR = {"power_GW": 3.0, "distance_m": 13.9}


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("", {}, ["mine.csv is empty", "E [MeV], nu [1/(MeV fission)]"]),
        ("# nothing\n", {}, ["is empty"]),
        ("1.0, 2.0\n2.0, 3.0\n", {}, ["line 1", "'1.0, 2.0'", "no header with units"]),
        ("E, flux\n1,2\n", {}, ["line 1", "'E, flux'", "no header with units"]),
        ("E [keV]\n1\n", {}, ["line 1", "no header with units"]),
        ("E [GeV], flux [1/(cm2 s keV)]\n1,2\n2,3\n", {}, ["line 1", "'GeV'", "eV, keV, MeV"]),
        ("E [keV], flux [1/(m2 s keV)]\n1,2\n2,3\n", {}, ["line 1", "'1/(m2 s keV)'"]),
        ("E [keV], flux [1/(cm2 s)]\n1,2\n2,3\n", {}, ["line 1", "'1/(cm2 s)'"]),
        ("E [keV], flux [keV]\n1,2\n2,3\n", {}, ["line 1", "'keV'"]),
        (FLUX + "1,2\n", {}, ["1 points", "2 or more"]),
        (FLUX + "1,2\n2\n", {}, ["line 3", "'2'", "two numbers"]),
        (FLUX + "1,2\n2;3\n", {}, ["line 3", "'2;3'", "two numbers"]),
        (FLUX + "1,2\n2,three\n", {}, ["line 3", "three"]),
        (FLUX + "# x\n1,2\n\n2,nan\n", {}, ["line 5", "value nan", "finite"]),
        (FLUX + "nan,2\n2,3\n", {}, ["line 2", "energy nan"]),
        (FLUX + "1,2\n2,-3\n", {}, ["line 3", "value -3", "not negative"]),
        (FLUX + "1,2\n2,inf\n", {}, ["line 3", "value inf"]),
        (FLUX + "-1,2\n2,3\n", {}, ["line 2", "energy -1"]),
        (FLUX + "2,2\n1,3\n", {}, ["line 3", "energy 1 does not increase, after 2"]),
        (FLUX + "2,2\n2,3\n", {}, ["line 3", "does not increase"]),
        (FLUX + "1,2\n2e9,3\n", {}, ["line 3", "energy 2e9", "[0, 1e+06]"]),
        (FLUX + "1,2\n2,3\n", {"power_GW": 3.0}, ["power_GW = 3.0", "holds a flux"]),
        (FISSION + "1,2\n2,3\n", {}, ["power_GW is missing", "per fission"]),
        (FISSION + "1,2\n2,3\n", {"power_GW": 3.0}, ["distance_m is missing"]),
        (FISSION + "1,2\n2,3\n", REACTOR | {"power_GW": 3e3}, ["power_GW = 3000"]),
        (FISSION + "1,2\n2,3\n", REACTOR | {"energy_per_fission_MeV": 2.0}, ["205 MeV"]),
    ],
)  # fmt: skip
def test_bad_files_are_refused_in_one_line(write, text, options, words):
    path = write(text)
    with pytest.raises(InputError) as raised:
        read_csv(path, **options)
    message = str(raised.value)
    print(message)
    assert "\n" not in message and all(word in message for word in words)


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00E")
    for name in ("none.csv", "", "bytes.csv"):
        with pytest.raises(InputError, match="cannot be read") as raised:
            read_csv(tmp_path / name)
        assert "\n" not in str(raised.value)
