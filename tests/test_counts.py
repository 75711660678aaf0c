"""Expected counts against a convolution on a fine grid, way stations, derivatives."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import simpson
from scipy.interpolate import PchipInterpolator
from scipy.stats import norm

from jaxnu import expected_counts, flux, load_experiment, rate, response
from jaxnu.counts import background_counts, templates
from jaxnu.errors import InputError

MU2 = 1e-22


@pytest.fixture(scope="module")
def xenon():
    """With pp, 7Be and pep alone; the others stay with no flux, so that all shapes stay."""
    without = {name: 0.0 for name in ("hep", "8B", "13N", "15O", "17F")}
    return load_experiment("xenonnt-sr0").replace(source=flux.solar(fluxes=without))


@pytest.fixture(scope="module")
def atoms():
    return {"free": response("Xe", "free"), "stepping": response("Xe", "stepping")}


def convolution(experiment, atom):
    """Signal per bin at MU2: fine Simpson grids in T, between its steps, and in E'."""
    p = experiment.parameters
    steps = [float(t) for t in atom.thresholds_keV if 1e-3 < t < 60.0]
    edges = np.unique([*np.geomspace(1e-3, 60.0, 12), *steps])
    T = np.concatenate(
        [np.linspace(a + 1e-12, b - 1e-12, 301) for a, b in itertools.pairwise(edges)]
    )
    R = np.asarray(rate(T, p.source, atom, MU2))
    c = np.asarray(p.resolution_keV)
    sigma = c[0] + c[1] * np.sqrt(T) + c[2] * T
    knots = np.asarray(p.efficiency_offset_keV) + float(p.threshold_keV)
    curve = PchipInterpolator(knots, np.asarray(p.efficiency))
    bins = np.asarray(p.bin_edges_keV)
    counts = []
    for low, high in itertools.pairwise(bins):
        E = np.linspace(low, high, 33)
        pieces = R * norm.pdf(E[:, None], loc=T, scale=sigma)
        pieces = pieces.reshape(len(E), -1, 301)
        smeared = simpson(pieces, x=np.broadcast_to(T.reshape(-1, 301), pieces.shape), axis=-1).sum(
            axis=-1
        )
        counts.append(simpson(smeared * curve(E), x=E))
    return float(p.exposure_kg_day) * np.array(counts)


@pytest.mark.parametrize("model", ["free", "stepping"])
def test_signal_is_the_convolution(xenon, atoms, model, agree):
    got = np.asarray(templates(xenon, atoms[model])[0]) * MU2
    expected = convolution(xenon, atoms[model])
    total = got.sum(), expected.sum()
    print(f"{model}: {total[0]:.8f} events, on the fine grid {total[1]:.8f}")
    agree(f"{model}, each bin", got, expected, 1e-6, scale=expected.max())
    agree(f"{model}, all events", *total, 1e-6)


@pytest.mark.parametrize(("model", "quoted"), [("free", 34.0), ("stepping", 30.6)])
def test_way_stations_of_xenonnt(xenon, atoms, model, quoted, agree):
    """Events in 1–30 keV at μ = 1e-11 from an independent calculation."""
    signal = templates(xenon, atoms[model])[0]
    agree(f"XENONnT, {model}, events", MU2 * np.sum(signal), quoted, 0.01)


def test_linear_in_mu2_and_the_background_norm(xenon, atoms, agree):
    def counts(mu2, **nuisances):
        return np.asarray(expected_counts(xenon, mu2, atoms["stepping"], nuisances))

    background, signal = counts(0.0), counts(MU2) - counts(0.0)
    agree("μ² four times", counts(4.0 * MU2), background + 4.0 * signal, 1e-13)
    agree("background × 1.3", counts(MU2, background=1.3), 1.3 * background + signal, 1e-13)


def test_background_with_the_efficiency_in_it(xenon, agree):
    """B0 of the release, mean events/(t yr keV), is what its bins hold."""
    got = jax.jit(background_counts)(xenon)
    rates = np.asarray(xenon.parameters.background) * 365250.0
    agree("background of XENONnT", got, rates * 1.16 * 0.5, 1e-12)


def test_background_without_the_efficiency(xenon, agree):
    other = xenon.replace(background_has_efficiency=False)
    p = other.parameters
    knots = np.asarray(p.efficiency_offset_keV) + float(p.threshold_keV)
    curve = PchipInterpolator(knots, np.asarray(p.efficiency))
    bins = np.asarray(p.bin_edges_keV)
    area = [curve.integrate(a, b) for a, b in itertools.pairwise(bins)]
    expected = float(p.exposure_kg_day) * np.asarray(p.background) * np.array(area)
    agree("background × efficiency", jax.jit(background_counts)(other), expected, 1e-5)


@pytest.fixture(scope="module")
def summed(xenon, atoms):
    """Σ signal counts at MU2 and its gradient, as functions of the parameters and the atom."""

    def total(parameters, atom):
        moved = dataclasses.replace(xenon, parameters=parameters)
        return MU2 * jnp.sum(templates(moved, atom)[0])

    value = jax.jit(total)
    return (lambda p: value(p, atoms["stepping"])), jax.jit(jax.grad(total))(
        xenon.parameters, atoms["stepping"]
    )


def replaced(parameters, field, direction, h):
    if field == "flux":
        return dataclasses.replace(parameters, source=parameters.source.scaled(1.0 + h * direction))
    value = getattr(parameters, field) + h * jnp.asarray(direction)
    return dataclasses.replace(parameters, **{field: value})


EDGE = np.zeros(59)
EDGE[0] = 1.0
KNOT = np.zeros(19)
KNOT[3] = 1.0
# panels follow the knots of the efficiency, so any small step will do
STEP_keV = 0.004
DIRECTIONS = {
    "threshold_keV": (1.0, STEP_keV),
    "exposure_kg_day": (1e4, 1.0),
    "resolution_keV c0": ([1.0, 0.0, 0.0], 0.01),
    "resolution_keV c1": ([0.0, 1.0, 0.0], 0.01),
    "resolution_keV c2": ([0.0, 0.0, 1.0], 1e-3),
    "flux": (1.0, 0.1),
    "bin_edges_keV first": (EDGE, STEP_keV),
    "efficiency knot": (KNOT, 0.01),
}


@pytest.mark.parametrize("name", DIRECTIONS)
def test_gradient_of_summed_counts(xenon, summed, name, slope, agree):
    value, gradient = summed
    direction, step = DIRECTIONS[name]
    field = name.split()[0]
    numeric = slope(lambda h: value(replaced(xenon.parameters, field, direction, h)), 0.0, step)
    if field == "flux":
        source, slopes = xenon.parameters.source, gradient.source
        got = np.sum(slopes.density * source.density) + np.sum(slopes.line_flux * source.line_flux)
    else:
        got = np.sum(np.asarray(getattr(gradient, field)) * direction)
    agree(f"d(events)/d({name})", got, numeric, 1e-6)


def test_refusals(xenon, atoms):
    for arguments, words in (
        ((MU2, response("Ge", "free")), "response is for 'Ge'"),
        ((1e-11, atoms["free"]), "mu2 = 1e-11 μ_B²"),
        ((MU2, atoms["free"], {"norm": 1.0}), "nuisance = 'norm'"),
    ):
        with pytest.raises(InputError) as refusal:
            expected_counts(xenon, *arguments)
        print(refusal.value)
        assert words in str(refusal.value) and len(str(refusal.value).splitlines()) == 1
