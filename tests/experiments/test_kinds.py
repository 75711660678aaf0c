"""What a file may hold beyond counts: compounds, turn-ons, ON/OFF, differences, systematics."""

import numpy as np
import pytest
from scipy.special import erf

import jaxnu
from jaxnu.detector import selection_efficiency
from jaxnu.errors import InputError
from jaxnu.experiments import available, load_experiment

BASE = """
title = "invented"
[source]
kind = "reactor"
power = "3 GW"
distance = "14 m"
nu_per_fission = "texono"
[target]
element = "Ge"
exposure = "1133 kg d"
[detector.resolution]
constant = "0.2 keV"
[detector.efficiency]
threshold = "2.8 keV"
width = "0.1 keV"
plateau = 0.9
[data]
kind = "difference"
off_exposure = "280 kg d"
bin_edges = { unit = "keV", values = [2.8, 3.3, 3.8, 4.3, 5, 6, 7, 8, 10, 14, 20, 30, 55] }
[background]
rate = "2.5 / (keV kg d)"
includes_efficiency = false
includes_weak = true
[statistics]
background_norm = "floating"
[reference]
citation = "invented"
"""


@pytest.fixture
def load(tmp_path):
    def make(*changes):
        text = BASE
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return load_experiment(path)

    return make


def test_every_shipped_file_loads_and_says_what_it_holds():
    found = {name: load_experiment(name) for name in available()}
    assert {"xenonnt-sr0", "gemma", "gemma-2010", "texono-2007", "conus-2022", "conus-plus-2025",
            "borexino-2017", "lz-ws2022"} <= set(found)  # fmt: skip
    for name, e in found.items():
        assert dict(e.reference)["citation"] and dict(e.reference)["published_limit"], name
    assert found["lz-ws2022"].counts.sum() == 471 and not found["lz-ws2022"].has_background
    with pytest.raises(InputError, match="no background model"):
        jaxnu.limit(found["lz-ws2022"])


def test_turn_on_is_the_error_function(load):
    p = load().parameters
    E = np.linspace(2.3, 4.0, 400)
    ours = selection_efficiency(E, p.threshold_keV, p.efficiency_offset_keV, p.efficiency)
    exact = 0.45 * (1.0 + erf((E - 2.8) / (0.1 * 2.0**0.5)))
    worst = np.abs(np.asarray(ours) - exact).max()
    print(f"41 knots against erf: {worst:.1e}")
    assert worst < 1e-4
    assert float(p.threshold_keV) == pytest.approx(2.8, abs=1e-6)


@pytest.mark.slow
def test_difference_is_a_least_squares_fit(load):
    """Statistics only: μ² < z / sqrt(∑ s²/σ²), σ² = b (1 + t_on/t_off) — by hand."""
    e = load()
    atom = jaxnu.response("Ge", "stepping")
    from jaxnu.counts import background_counts, signal_counts

    s, b = np.asarray(signal_counts(e, atom)), np.asarray(background_counts(e))
    sigma2 = b * (1.0 + 1133.0 / 280.0)
    by_hand = (1.6448536 / np.sqrt((s**2 / sigma2).sum())) ** 0.5
    ours = jaxnu.sensitivity(e, atom)
    assert ours.limit_mu_B == pytest.approx(by_hand, rel=1e-6)
    assert ours.derivatives["flux"] == pytest.approx(-0.5, abs=1e-6)


def test_gemma_on_minus_off_is_the_published_estimate():
    """ON − OFF at 1.645σ, statistics only, 1133 and 280 kg d: 4.57e-11 μ_B, to 3%."""
    e = load_experiment("gemma-2010")
    e = e.replace(exposure_kg_day=1133.0, off_exposure_kg_day=280.0)
    value = jaxnu.sensitivity(e, jaxnu.response("Ge", "stepping")).limit_mu_B
    print(f"ON − OFF: {value:.4g} μ_B, asked 4.57e-11")
    assert value == pytest.approx(4.57e-11, rel=0.03)


def test_measured_difference_with_its_errors(load):
    """A spectrum that is a signal of 4e-11 μ_B gives it back as best fit."""
    from jaxnu.counts import signal_counts

    e, atom = load(), jaxnu.response("Ge", "stepping")
    width = np.diff(np.asarray(e.parameters.bin_edges_keV))
    rate = np.asarray(signal_counts(e, atom)) * 1.6e-21 / (1133.0 * width)
    text = ", ".join(f"{r:.10e}" for r in rate)
    errors = ", ".join(["0.05"] * len(rate))
    measured = load(
        ('off_exposure = "280 kg d"',
         f'values = {{ unit = "1/(kg keV d)", values = [{text}] }}\n'
         f'errors = {{ unit = "1/(kg keV d)", values = [{errors}] }}'),
    )  # fmt: skip
    result = jaxnu.limit(measured, atom)
    assert float(result.best_fit_mu2) == pytest.approx(1.6e-21, rel=1e-5)


@pytest.mark.slow
def test_a_measured_difference_has_weak_scattering_in_it(load):
    """What is ON is signal and weak scattering: the same best fit where the file does not say that
    it was subtracted, and a larger one where it says so wrongly."""
    from jaxnu.counts import signal_counts, weak_counts

    e, atom = load(("includes_weak = true\n", "")), jaxnu.response("Ge", "stepping")
    seen = np.asarray(signal_counts(e, atom)) * 1.6e-21 + np.asarray(weak_counts(e, atom))
    rate = seen / (1133.0 * np.diff(np.asarray(e.parameters.bin_edges_keV)))
    spectrum = np.stack([rate, np.full(rate.size, 0.05)])
    wrong = load()
    found = [float(jaxnu.limit(one.replace(difference=spectrum), atom).best_fit_mu2)
             for one in (e, wrong)]  # fmt: skip
    print(f"best fit {found[0]:.6e} μ_B², without weak scattering {found[1]:.6e}")
    assert found[0] == pytest.approx(1.6e-21, rel=1e-5) and found[1] > 1.1 * 1.6e-21


@pytest.mark.slow
def test_on_off_with_a_long_off_run_is_a_known_background(load):
    """A million times more OFF than ON: the limit of a constrained background."""
    atom = jaxnu.response("Ge", "stepping")
    on_off = load(('kind = "difference"', 'kind = "on-off"'), ('"280 kg d"', '"1e9 kg d"'))
    known = load(
        ('kind = "difference"\noff_exposure = "280 kg d"\n', ""),
        ('background_norm = "floating"',
         'background_norm = "constrained"\nbackground_uncertainty = 1e-5'),
    )  # fmt: skip
    values = [jaxnu.sensitivity(e, atom).limit_mu_B for e in (on_off, known)]
    assert values[0] == pytest.approx(values[1], rel=1e-3)


@pytest.fixture
def flux_uncertain(load):
    return load(
        ('threshold = "2.8 keV"', 'threshold = "2.87 keV"'),  # no knot on a bin edge
        ('kind = "difference"\noff_exposure = "280 kg d"\n', ""),
        ("[statistics]",
         '[systematics.spectrum]\nparameter = "flux"\nuncertainty = 0.2\n'
         '[systematics.trigger]\nparameter = "threshold"\nuncertainty = 0.03\n[statistics]'),
    )  # fmt: skip


@pytest.mark.slow
def test_systematics_weaken_a_limit_and_are_named(load, flux_uncertain):
    atom = jaxnu.response("Ge", "stepping")
    plain = load(
        ('threshold = "2.8 keV"', 'threshold = "2.87 keV"'),
        ('kind = "difference"\noff_exposure = "280 kg d"\n', ""),
    )
    without, with_ = (jaxnu.sensitivity(e, atom) for e in (plain, flux_uncertain))
    assert set(with_.nuisances) == {"background", "spectrum", "trigger"}
    assert without.limit_mu_B < with_.limit_mu_B < 1.1 * without.limit_mu_B


@pytest.mark.slow
def test_the_general_likelihood_is_the_short_one_without_systematics(load):
    """Counts and one norm go through BinnedModel; with a systematic of 1e-9 through the other."""
    atom = jaxnu.response("Ge", "stepping")
    short = load(('kind = "difference"\noff_exposure = "280 kg d"\n', ""))
    general = load(
        ('kind = "difference"\noff_exposure = "280 kg d"\n', ""),
        ("[statistics]",
         '[systematics.s]\nparameter = "flux"\nuncertainty = 1e-9\n[statistics]'),
    )  # fmt: skip
    one, other = (jaxnu.sensitivity(e, atom) for e in (short, general))
    assert one.limit_mu_B == pytest.approx(other.limit_mu_B, rel=1e-7)
    for name, slope in one.derivatives.items():
        assert slope == pytest.approx(other.derivatives[name], abs=1e-5), name


@pytest.mark.slow
def test_derivative_in_the_threshold_with_systematics(flux_uncertain):
    atom = jaxnu.response("Ge", "stepping")
    start = float(flux_uncertain.parameters.threshold_keV)

    def value(h):
        moved = flux_uncertain.replace(threshold_keV=start * (1.0 + h))
        return np.log(jaxnu.sensitivity(moved, atom).limit_mu_B)

    differences = (value(1e-4) - value(-1e-4)) / 2e-4
    slope = jaxnu.sensitivity(flux_uncertain, atom).derivatives["threshold_keV"]
    assert slope == pytest.approx(differences, rel=1e-5)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('element = "Ge"', 'compound = "Na(I)"', "target.compound"),
        ('element = "Ge"', 'compound = "NaI"\nelement = "Ge"', "element"),
        ('width = "0.1 keV"', 'width = "0.1 kg"', "width"),
        ('width = "0.1 keV"', 'width = "0 keV"', "width"),
        ("plateau = 0.9", "plateau = 90", "plateau"),
        ('kind = "difference"', 'kind = "ratio"', "data.kind"),
        ('off_exposure = "280 kg d"', 'off_exposure = "280 keV"', "off_exposure"),
        ('off_exposure = "280 kg d"', "", "off_exposure is missing"),
        ('off_exposure = "280 kg d"', 'off_exposure = "280 kg d"\ncounts = [1]', "counts"),
        ("[statistics]", '[systematics.a]\nparameter = "mass"\nuncertainty = 0.1\n[statistics]',
         "parameter"),
        ("[statistics]", '[systematics.a]\nparameter = "flux"\nuncertainty = -1\n[statistics]',
         "uncertainty"),
        ("[statistics]",
         '[systematics.background]\nparameter = "flux"\nuncertainty = 0.1\n[statistics]',
         "background"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_that_names_file_and_key(load, old, new, words):
    with pytest.raises(InputError) as caught:
        load((old, new))
    message = str(caught.value)
    assert "mine.toml" in message and words in message and "\n" not in message


def test_compound_target(load):
    assert load(('element = "Ge"', 'compound = "NaI"')).target == "NaI"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data_kind": "ratio"}, "data_kind"),
        ({"systematics": (("a", "mass"),)}, "systematics"),
        ({"systematics": (("a", "flux"),)}, "systematic_uncertainty"),
        ({"off_exposure_kg_day": 0.0}, "off_exposure_kg_day"),
        ({"background": np.zeros(12)}, "background"),
        ({"difference": np.ones((2, 3))}, "difference"),
    ],
)
def test_a_bad_replacement_is_refused(load, changes, words):
    with pytest.raises(InputError, match=words):
        jaxnu.sensitivity(load().replace(**changes), jaxnu.response("Ge", "stepping"))
