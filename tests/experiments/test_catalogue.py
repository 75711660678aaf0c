"""The shipped numbers against the published files, which are read where they are at hand."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from jaxnu.experiments import load_experiment


@pytest.fixture(scope="module")
def released():
    folder = os.environ.get("JAXNU_REFERENCE_DATA")
    if not folder:
        pytest.skip("JAXNU_REFERENCE_DATA is not set")
    folder = Path(folder) / "xenonnt_sr0"
    if not folder.is_dir():
        pytest.skip("JAXNU_REFERENCE_DATA has no folder xenonnt_sr0")
    names = ("data_unbinned_1to30kev", "bkg_model", "efficiency")
    return {name: np.loadtxt(folder / f"{name}.txt") for name in names}


@pytest.fixture(scope="module")
def xenonnt():
    return load_experiment("xenonnt-sr0")


def bin_means(edges, curve, points=2000):
    x = edges[:-1, None] + np.diff(edges)[:, None] * (np.arange(points) + 0.5) / points
    return curve(x).mean(axis=1)


def test_the_433_events_give_the_counts(released, xenonnt):
    events = released["data_unbinned_1to30kev"]
    edges = np.asarray(xenonnt.parameters.bin_edges_keV)
    assert len(events) == 433
    np.testing.assert_array_equal(np.histogram(events, edges)[0], xenonnt.counts)


def test_the_background_is_the_released_model_averaged_over_bins(released, xenonnt):
    T, rate = released["bkg_model"].T
    edges = np.asarray(xenonnt.parameters.bin_edges_keV)
    mean = bin_means(edges, lambda x: np.interp(x, T, rate))
    table = np.asarray(xenonnt.parameters.background) * 365250.0
    worst = np.max(np.abs(table - mean))
    print(f"B0, worst bin: {worst:.1e} events/(t yr keV) of {mean.max():.1f}")
    assert worst < 0.6e-3  # typed to three decimals


def test_the_cubic_through_the_knots_follows_the_released_efficiency(released, xenonnt):
    T, efficiency = released["efficiency"].T
    p = xenonnt.parameters
    knots = np.asarray(p.threshold_keV + p.efficiency_offset_keV)
    at_knots = np.max(np.abs(np.interp(knots, T, efficiency)[:-1] - p.efficiency[:-1]))
    edges = np.asarray(p.bin_edges_keV)
    ours = bin_means(edges, PchipInterpolator(knots, p.efficiency))
    theirs = bin_means(edges, lambda x: np.interp(x, T, efficiency))
    change = ours / theirs - 1
    worst = int(np.argmax(np.abs(change)))
    rms = np.sqrt(np.mean(change**2))
    print(
        f"efficiency: knots {at_knots:.1e}; bins rms {rms:.2%}, mean {change.mean():.2%}, "
        f"worst {change[worst]:.2%} at {edges[worst]} keV"
    )
    assert at_knots < 1e-4  # typed to four decimals
    # the curve has a step at 10 keV that the knots at 10 and 15 keV round off
    assert rms < 0.01 and abs(change[worst]) < 0.02


def test_the_threshold_of_the_released_efficiency(released, xenonnt):
    T, efficiency = released["efficiency"].T
    half = 0.5 * float(np.max(xenonnt.parameters.efficiency))
    threshold = float(np.interp(half, efficiency[T < 3], T[T < 3]))
    print(f"threshold {float(xenonnt.parameters.threshold_keV):.4f}, released {threshold:.4f} keV")
    assert float(xenonnt.parameters.threshold_keV) == pytest.approx(threshold, rel=0.01)


def test_xenonnt_by_its_published_numbers(xenonnt):
    p = xenonnt.parameters
    assert float(p.exposure_kg_day) == pytest.approx(1160 * 365.25, rel=1e-15)
    assert int(xenonnt.counts.sum()) == 433
    assert xenonnt.background_floating and xenonnt.background_has_efficiency
    # B16-GS98: pp + 7Be + pep + CNO + 8B + hep, 1/(cm² s)
    flux = 5.98e10 + 4.93e9 + 1.44e8 + 2.78e8 + 2.05e8 + 5.29e6 + 5.46e6 + 7.98e3
    assert float(p.source.total()) == pytest.approx(flux, rel=1e-6)
    expected = float((p.background * np.diff(p.bin_edges_keV)).sum() * p.exposure_kg_day)
    print(f"B0 predicts {expected:.1f} of 433 events")
    assert expected == pytest.approx(433, abs=2 * np.sqrt(433))


def test_gemma_by_its_published_flux():
    e = load_experiment("gemma")
    p = e.parameters
    flux = float(p.source.total())
    print(f"GEMMA flux {flux:.4e} /cm²/s, published 2.73e13")
    assert flux == pytest.approx(2.73e13, rel=0.005)
    assert e.counts is None and e.background_floating and not e.background_has_efficiency
    assert float(p.threshold_keV) == pytest.approx(2.8, abs=1e-12)
    edges = np.asarray(p.bin_edges_keV)
    np.testing.assert_allclose(np.diff(edges)[:70], 0.2, rtol=1e-12)
    np.testing.assert_array_equal(np.diff(edges)[70:], 1.0)
    assert (edges[0], edges[70], edges[-1]) == (1.0, 15.0, 55.0)
    np.testing.assert_allclose(p.background, 2.5, rtol=1e-15)
    assert float(p.exposure_kg_day) == 1133.0
