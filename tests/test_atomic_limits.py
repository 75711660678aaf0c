"""Limits by model of the atom: shipped experiments, and a detector of any threshold."""

import numpy as np
import pytest

from jaxnu.atomic_limits import (
    MODELS,
    ExperimentLimits,
    catalogue_limits,
    limits_over_threshold,
    limits_section,
    threshold_detector,
    verdict,
)
from jaxnu.errors import InputError

T = (0.01, 0.03, 0.1, 1.0, 3.0, 10.0)
ON_SHELL = ("free", "stepping")


@pytest.fixture(scope="module")
def germanium():
    return limits_over_threshold("Ge", T, ON_SHELL)


def test_limits_fall_with_the_threshold(germanium):
    for model in ON_SHELL:
        print(model, germanium.limits_mu_B[model])
        assert np.all(np.diff(germanium.limits_mu_B[model]) > 0.0)


def test_bound_electrons_are_missing_below_their_edges(germanium):
    """Shells that do not take part weaken the limit: 2 of 32 electrons at 10 keV, by less than the
    root of 32/30, and more the lower the threshold."""
    ratio = germanium.ratio("stepping", "free")
    assert np.all(ratio > 1.0) and np.all(np.diff(ratio) < 0.0)
    assert ratio[-1] < (32.0 / 30.0) ** 0.5 < ratio[0]


@pytest.mark.slow
def test_no_gain_from_the_atom_in_germanium():
    """KS11: central-field equals stepping to 1% from 3 keV on, and at 10 to 100 eV, where the 3d
    electrons come late, it is weaker; nowhere better than free electrons."""
    found = limits_over_threshold("Ge", T)
    print(found.ratio("central-field"), found.ratio("central-field", "free"))
    high = found.thresholds_keV >= 3.0
    assert np.all(np.abs(found.ratio("central-field")[high] - 1.0) < 0.01)
    assert np.all(found.ratio("central-field")[found.thresholds_keV <= 0.1] > 1.05)
    assert np.all(found.ratio("central-field", "free") > 1.0)
    assert np.all(np.diff(found.limits_mu_B["central-field"]) > 0.0)
    words = verdict(found)
    assert "no threshold better" in words and "the atom gains at none" in words


@pytest.mark.slow
def test_xenon_gains_two_per_cent_over_stepping_by_shape_resonances():
    """At 50 to 70 eV, below the 4d resonance at 78 eV, and nowhere over free electrons; past it,
    at 100 eV, the limit is weaker than stepping."""
    found = limits_over_threshold("Xe", (0.05, 0.06, 0.07, 0.1, 3.0))
    print(found.ratio("central-field"), found.ratio("central-field", "free"))
    np.testing.assert_allclose(
        found.ratio("central-field"), [0.9806, 0.9796, 0.9846, 1.0465, 1.0014], atol=1e-3
    )
    assert np.all(found.ratio("central-field", "free") > 1.05)
    words = verdict(found)
    assert "over that of stepping 0.980, at a threshold of 60 eV" in words
    assert "no threshold better than with free" in words and "shape resonances" in words


def test_detectors_have_one_layout():
    low, high = (threshold_detector("Xe", x) for x in (0.01, 10.0))
    assert low.transfer_edges_keV == high.transfer_edges_keV and low.target == "Xe"
    for one, x in ((low, 0.01), (high, 10.0)):
        assert float(one.parameters.bin_edges_keV[0]) == pytest.approx(x)
        assert 0.5 < float(one.acceptance[0]) <= 1.0 and float(one.acceptance[-1]) == pytest.approx(
            1.0
        )


@pytest.mark.slow
def test_shipped_experiments(germanium):
    rows = catalogue_limits(["texono-2007", "lz-ws2022"], ON_SHELL)
    texono, lz = rows
    assert texono.kind == "forecast" and abs(texono.change("free")) < 1e-3  # above the K edge
    assert texono.limits_mu_B["stepping"] == pytest.approx(13.28e-11, rel=1e-3)
    assert lz.limits_mu_B == {}
    over = made_up(germanium, 1.0)
    shipped = [lz, ExperimentLimits("x", "x", "Ge", "forecast", dict.fromkeys(MODELS, 2e-11))]
    text = "\n".join(limits_section(shipped, over, "![limits](x.png)"))
    assert "no background model" in text and "+0.0%" in text and verdict(over) in text


@pytest.mark.slow
def test_a_shipped_experiment_with_the_atom():
    """TEXONO's germanium, from 12 keV on: weaker by half of what K electrons lack above their edge,
    0.1 to 0.4% of 32; XENONnT, from 1 keV on: 0.6% weaker, no gain."""
    texono, xenon = catalogue_limits(["texono-2007", "xenonnt-sr0"])
    print([(row, row.change("central-field")) for row in (texono, xenon)])
    assert tuple(texono.limits_mu_B) == MODELS
    assert xenon.change("central-field") == pytest.approx(0.0062, abs=1e-3)
    assert 5e-5 < texono.change("central-field") < 2e-3
    assert texono.limits_mu_B["central-field"] == pytest.approx(13.285e-11, rel=1e-3)


def made_up(germanium, factor):
    """Central-field limits that are those of stepping times a factor."""
    limits = dict(germanium.limits_mu_B)
    limits["central-field"] = factor * limits["stepping"]
    return type(germanium)("Ge", "words", germanium.thresholds_keV, limits)


def test_the_verdict_follows_both_ratios(germanium):
    same, gain, above = (verdict(made_up(germanium, x)) for x in (1.0, 0.99, 0.5))
    assert "no threshold better" in same and "gains at none" in same
    assert "no threshold better" not in above and "is better than with free" in above
    for words in (gain, above):
        assert "gains at some thresholds" in words and "shape resonances" in words
    assert "over that of stepping 0.990" in gain


@pytest.mark.parametrize("T_keV", [0.001, 20.0, float("nan")])
def test_refusals(T_keV):
    with pytest.raises(InputError, match="threshold_keV = ") as refusal:
        threshold_detector("Ge", T_keV)
    assert len(str(refusal.value).splitlines()) == 1
