"""Sources in a file: cores, models, CSV files, radioactive sources, lines; and what is refused."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnu import counts, flux, response
from jaxnu.errors import InputError
from jaxnu.experiments import describe
from jaxnu.flux_summary import format_flux, named_source, summarize_flux

ONE = 'power = "3 GW"\ndistance = "14 m"'
REACTOR = 'kind = "reactor"\n' + ONE
CORES = """
[[source.core]]
power = "3 GW"
distance = "14 m"
[[source.core]]
power = "2 GW"
distance = "50 m"
"""
FISSION = "E [MeV], nu [1/(MeV fission)]\n0.0, 0.0\n1.0, 2.4\n2.0, 1.3\n"
FLUX = "E [keV], flux [1/(cm2 s keV)]\n0.0, 0.0\n500, 1e8\n1000, 0\n"


def total(experiment):
    return float(experiment.parameters.source.total())


def test_cores_add_up(base):
    one, both = base(), base((ONE, CORES))
    expected = total(one) * (1.0 + 2.0 / 3.0 * (14.0 / 50.0) ** 2)
    assert total(both) == pytest.approx(expected, rel=1e-13)
    text = describe(base.path)
    print(text)
    assert "3 GW at 14 m, 2 GW at 50 m; huber-mueller" in text


@pytest.mark.parametrize("model", ["mueller", "vogel-engel"])
def test_models_by_name(base, model):
    found = base((ONE, f'{ONE}\nspectrum = "{model}"')).parameters.source
    expected = flux.reactor(3.0, 14.0, spectrum=model)
    np.testing.assert_array_equal(found.density, expected.density)


def test_spectrum_per_fission_from_csv(base):
    (base.folder / "mine.csv").write_text(FISSION)
    e = base((ONE, f'{ONE}\nspectrum = "mine.csv"\nenergy_per_fission = "200 MeV"'))
    # by hand: P/(4πL² e) × ∫dN/dE dE = (1.2 + 1.85) per fission
    per_s = 3e9 / (200.0 * 1.602176634e-13)
    assert total(e) == pytest.approx(per_s * 3.05 / (4.0 * np.pi * 1400.0**2), rel=1e-9)
    assert "mine.csv" in describe(base.path)


def test_flux_from_csv(base):
    (base.folder / "flux.csv").write_text(FLUX)
    e = base((REACTOR, 'kind = "csv"\nfile = "flux.csv"\nantineutrino = true'))
    assert total(e) == pytest.approx(5e10, rel=1e-12)
    assert e.parameters.source.antineutrino


def test_a_line(base):
    text = 'kind = "line"\nenergy = "862 keV"\nflux = "4.9e9 / (cm2 s)"\nantineutrino = false'
    source = base((REACTOR, text)).parameters.source
    np.testing.assert_allclose(source.lines_keV, [862.0])
    np.testing.assert_allclose(source.line_flux, [4.9e9], rtol=1e-14)
    assert not source.antineutrino


LINE_7BE = 'kind = "line"\nenergy = "861.8 keV"\nflux = "4.42e9 / (cm2 s)"\nantineutrino = false'


def weak_counts(e):
    e = dataclasses.replace(e, background_has_weak=False)
    return np.asarray(counts.weak_counts(e, response("Ge", "free")))


def test_a_solar_line_is_that_of_the_sun(base):
    """The 7Be line of a file against the Sun's own lines, and against P_ee by hand."""
    sun = base((REACTOR, 'kind = "solar"\nmetallicity = "GS98"\ncomponents = ["7Be"]'))
    lines = sun.parameters.source
    alone = dataclasses.replace(lines, line_flux=lines.line_flux * jnp.array([1.0, 0.0]))
    line = base((REACTOR, LINE_7BE + '\nsurvival = "solar"'))
    assert line.parameters.source.incoherent and sun.parameters.source.incoherent
    assert "P_ee of the Sun" in describe(base.path)
    ratio = weak_counts(line) / weak_counts(sun.replace(source=alone))
    np.testing.assert_allclose(ratio, 4.42e9 / (0.897 * 4.93e9), rtol=1e-9)
    P = np.interp(861.8, [857.0, 1468.0], [0.525, 0.504])
    by_hand = base((REACTOR, LINE_7BE + f"\nsurvival = {P}"))
    np.testing.assert_allclose(weak_counts(by_hand), weak_counts(line), rtol=1e-12)
    assert not by_hand.parameters.source.incoherent


def test_survival_mixes_flavours_linearly(base):
    """Counts at P_ee are between those of ν_e and of ν_μ; left out, P_ee is 1."""
    at = {P: weak_counts(base((REACTOR, f"{LINE_7BE}\nsurvival = {P}"))) for P in (0, 0.3, 1)}
    np.testing.assert_allclose(at[0.3], 0.3 * at[1] + 0.7 * at[0], rtol=1e-12)
    np.testing.assert_array_equal(at[1], weak_counts(base((REACTOR, LINE_7BE))))
    half = weak_counts(base((REACTOR, f'{LINE_7BE}\nsurvival = "solar"')))
    print(f"P_ee = 1 over the Sun's: {at[1] / half}")
    assert np.all(at[1] / half > 1.5)


def test_a_table_with_the_suns_survival(base):
    """The density stays, the knots of P_ee become edges."""
    (base.folder / "flux.csv").write_text(FLUX)
    text = 'kind = "csv"\nfile = "flux.csv"\nantineutrino = false'
    plain = base((REACTOR, text)).parameters.source
    assert not plain.incoherent and np.all(np.asarray(plain.survival) == 1.0)
    source = base((REACTOR, text + '\nsurvival = "solar"')).parameters.source
    assert source.incoherent
    E = np.linspace(1.0, 999.0, 200)
    np.testing.assert_allclose(source.at(E), plain.at(E), rtol=1e-12)
    np.testing.assert_array_equal(
        source.edges_keV, [0.0, 155.0, 303.0, 431.0, 500.0, 857.0, 1000.0]
    )
    np.testing.assert_array_equal(source.electron_fraction(E), flux.solar().electron_fraction(E))


def test_chromium_at_a_distance_and_beside_a_shell(base):
    text = 'kind = "chromium-51"\nactivity = "3 MCi"\ndelay = "27.70 d"\n'
    far = base((REACTOR, text + 'distance = "2 m"'))
    # 3 MCi = 111 PBq, half of it after one half-life, over 4π (200 cm)²
    assert total(far) == pytest.approx(111e15 / 2.0 / (4.0 * np.pi * 200.0**2), rel=1e-12)
    shell = '[source.geometry]\nshape = "sphere"\nradius = "1 m"\ninner_radius = "20 cm"'
    around = base((REACTOR, text + shell))
    mean = 3.0 / (4.0 * np.pi * (100.0**2 + 100.0 * 20.0 + 20.0**2))
    assert total(around) == pytest.approx(111e15 / 2.0 * mean, rel=1e-12)
    beside = 'shape = "cylinder"\nradius = "0.5 m"\nheight = "1 m"\ndistance = "0.8 m"'
    e = base((REACTOR, text + "[source.geometry]\n" + beside))
    body = flux.Cylinder(0.5, 1.0, 0.8)
    expected = flux.chromium51(111.0, body, delay_d=27.70).total()
    assert total(e) == pytest.approx(float(expected), rel=1e-12)
    assert "cylinder: radius 0.5 m, height 1 m, distance 0.8 m, delay 27.7 d" in describe(base.path)


def test_tritium_by_mass(base):
    e = base(
        (REACTOR, 'kind = "tritium"\nmass = "10 kg"\ndistance = "1 m"\nrun = "365.25 d"'),
        ("values = [0.2, 0.3, 0.5, 1, 2, 4]", "values = [0.2, 0.3, 0.5, 1, 2, 3]"),
    )
    activity = float(flux.tritium_activity_PBq(1e4))
    expected = flux.tritium(activity, flux.Point(1.0), run_d=365.25).total()
    assert total(e) == pytest.approx(float(expected), rel=1e-12)


def test_the_command_shows_the_parts(base):
    base((ONE, CORES))
    source = named_source(str(base.path))
    text = format_flux(summarize_flux(source))
    print(text)
    assert {"235U", "239Np"} <= set(source.components) and "2 GW at 50 m" in text
    sun = named_source("xenonnt-sr0")
    assert sun.relative_errors["7Be"] == 0.06
    parts = sum(float(part.total()) for part in sun.components.values())
    assert parts == pytest.approx(float(sun.spectrum.total()), rel=1e-12)


def test_flux_of_the_off_period(base):
    off = CORES.replace('"14 m"', '"14 m"\noff_power = "0 GW"').replace(
        '"50 m"', '"50 m"\noff_power = "2 GW"'
    )
    e = base((ONE, off), ('kind = "counts"', 'kind = "difference"\noff_exposure = "50 kg d"'))
    share = 2.0 / 50.0**2 / (3.0 / 14.0**2 + 2.0 / 50.0**2)
    assert float(e.parameters.off_fraction) == pytest.approx(share, rel=1e-13) and e.off_source
    assert "source OFF" in describe(base.path)


CR = 'kind = "chromium-51"\nactivity = "3 PBq"\n'
LINE = 'kind = "line"\nenergy = "862 keV"\nflux = "4.9e9 / (cm2 s)"\nantineutrino = false'
OFF = 'kind = "difference"\noff_exposure = "50 kg d"'
MISTAKES = {
    "power beside cores": ([(ONE, 'power = "3 GW"' + CORES)], "source.power"),
    "distance beside cores": ([(ONE, 'distance = "3 m"' + CORES)], "source.distance"),
    "no cores": ([(ONE, "core = []")], "source.core"),
    "core without distance": (
        [(ONE, '[[source.core]]\npower = "3 GW"')], "source.core[0].distance is missing",
    ),
    "core with a wrong dimension": (
        [(ONE, CORES.replace('"50 m"', '"50 kg"'))], "source.core[1].distance = '50 kg'",
    ),
    "core with an unknown key": (
        [(ONE, CORES.replace("power", "Power"))], "source.core[0].Power",
    ),
    "all cores off": (
        [(ONE, CORES.replace('"3 GW"', '"0 GW"').replace('"2 GW"', '"0 GW"'))], "source.core",
    ),
    "off_power with counts": (
        [(ONE, CORES.replace(' GW"\n', ' GW"\noff_power = "0 GW"\n'))], "off_power belongs to",
    ),
    "off_power missing": ([(ONE, CORES), ('kind = "counts"', OFF)], "off_power is missing"),
    "off_power of one": (
        [(ONE, CORES.replace('"3 GW"\n', '"3 GW"\noff_power = "0 GW"\n')),
         ('kind = "counts"', OFF)], "source.core[1].off_power is missing",
    ),
    "nothing switched off": (
        [(ONE, CORES.replace(' GW"\n', ' GW"\noff_power = "3 GW"\n')),
         ('kind = "counts"', OFF)], "off_power",
    ),
    "unknown model": ([(ONE, ONE + '\nspectrum = "huber"')], "source.spectrum = 'huber'"),
    "no such file": ([(ONE, ONE + '\nspectrum = "none.csv"')], "none.csv"),
    "fuel beside a file": (
        [(ONE, ONE + '\nspectrum = "mine.csv"\ncapture = true')], "source.capture",
    ),
    "energy per fission alone": (
        [(ONE, ONE + '\nenergy_per_fission = "205 MeV"')], "energy_per_fission",
    ),
    "energy per fission in keV": (
        [(ONE, ONE + '\nspectrum = "mine.csv"\nenergy_per_fission = "205 keV"')],
        "source.energy_per_fission",
    ),
    "a flux per fission": (
        [(REACTOR, 'kind = "csv"\nfile = "mine.csv"\nantineutrino = true')], "source.file",
    ),
    "a flux as a model": ([(ONE, ONE + '\nspectrum = "flux.csv"')], "source.spectrum"),
    "csv without kind of neutrino": (
        [(REACTOR, 'kind = "csv"\nfile = "flux.csv"')], "source.antineutrino is missing",
    ),
    "csv of another name": (
        [(REACTOR, 'kind = "csv"\nfile = "flux.txt"\nantineutrino = true')], "source.file",
    ),
    "NaN in the csv": (
        [(REACTOR, 'kind = "csv"\nfile = "nan.csv"\nantineutrino = true')], "nan.csv: line 3",
    ),
    "csv that decreases": (
        [(REACTOR, 'kind = "csv"\nfile = "down.csv"\nantineutrino = true')], "does not increase",
    ),
    "unknown isotope": (
        [(ONE, ONE + "\nfractions = { 235U = 0.5, 240Pu = 0.5 }")], "'240Pu'",
    ),
    "fractions": ([(ONE, ONE + "\nfractions = { 235U = 0.5, 239Pu = 0.4 }")], "sum to 0.9"),
    "activity missing": (
        [(REACTOR, 'kind = "chromium-51"\ndistance = "1 m"')], "source.activity is missing",
    ),
    "activity of another dimension": (
        [(REACTOR, 'kind = "chromium-51"\nactivity = "3 kg"\ndistance = "1 m"')],
        "source.activity = '3 kg'",
    ),
    "distance missing": ([(REACTOR, CR)], "source.distance is missing"),
    "distance twice": (
        [(REACTOR, CR + 'distance = "1 m"\n[source.geometry]\nshape = "sphere"\nradius = "1 m"')],
        "source.distance",
    ),
    "shape": ([(REACTOR, CR + '[source.geometry]\nshape = "cube"')], "source.geometry.shape"),
    "radius missing": (
        [(REACTOR, CR + '[source.geometry]\nshape = "sphere"')], "geometry.radius is missing",
    ),
    "key of another shape": (
        [(REACTOR, CR + '[source.geometry]\nshape = "sphere"\nradius = "1 m"\nheight = "1 m"')],
        "geometry.height",
    ),
    "hollow": (
        [(REACTOR, CR + '[source.geometry]\nshape = "sphere"\nradius = "1 m"\ninner_radius = '
          '"2 m"')], "inner_radius",
    ),
    "run of another dimension": (
        [(REACTOR, CR + 'distance = "1 m"\nrun = "3 m"')], "source.run = '3 m'",
    ),
    "mass and activity": (
        [(REACTOR, 'kind = "tritium"\nmass = "1 kg"\nactivity = "3 PBq"\ndistance = "1 m"')],
        "source.activity",
    ),
    "line without flux": (
        [(REACTOR, 'kind = "line"\nenergy = "862 keV"\nantineutrino = false')],
        "source.flux is missing",
    ),
    "flux without area": ([(REACTOR, LINE.replace("(cm2 s)", "s"))], "source.flux = '4.9e9 / s'"),
    "energy of a line": ([(REACTOR, LINE.replace("862 keV", "862 m"))], "source.energy = '862 m'"),
    "survival above 1": (
        [(REACTOR, LINE + "\nsurvival = 54")], "source.survival = 54 is outside [0, 1]",
    ),
    "survival that is a flag": (
        [(REACTOR, LINE + "\nsurvival = true")], "source.survival = True; give P_ee, a number",
    ),
    "survival of another word": (
        [(REACTOR, LINE + '\nsurvival = "sun"')], "source.survival = 'sun'; give P_ee",
    ),
    "survival nan": ([(REACTOR, LINE + "\nsurvival = nan")], "source.survival = nan"),
    "antineutrinos of the Sun": (
        [(REACTOR, LINE.replace("false", "true") + '\nsurvival = "solar"')],
        "source.survival = 'solar'; give it with antineutrino = false",
    ),
    "survival of a reactor": ([(REACTOR, REACTOR + "\nsurvival = 0.5")], "source.survival"),
    "cores of the Sun": (
        [(REACTOR, 'kind = "solar"\nmetallicity = "GS98"' + CORES)], "source.core",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_with_file_and_key(base, mistake):
    (base.folder / "mine.csv").write_text(FISSION)
    (base.folder / "flux.csv").write_text(FLUX)
    (base.folder / "nan.csv").write_text(FLUX.replace("1e8", "nan"))
    (base.folder / "down.csv").write_text(FLUX.replace("1000", "400"))
    changes, words = MISTAKES[mistake]
    with pytest.raises(InputError) as refusal:
        base(*changes)
    message = str(refusal.value)
    print(f"{mistake}: {message}".replace(str(base.folder), ""))
    assert "mine.toml" in message and words in message and "\n" not in message
