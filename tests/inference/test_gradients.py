"""Derivatives of the limit in every parameter against finite differences of the limit."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnu import limit, load_experiment, response, sensitivity
from jaxnu.inference.limits import DERIVATIVES

METHODS = {"observed": limit, "Asimov": sensitivity}  # of XENONnT and of GEMMA


STEP_keV = {"observed": 0.004, "Asimov": 0.0015}
# name: field, index (None: all alike), step in units of the value there (None: STEP_keV)
DIRECTIONS = {
    "threshold": ("threshold_keV", (), None),
    "exposure": ("exposure_kg_day", (), 0.05),
    "resolution": ("resolution_keV", None, 0.02),
    "background of one bin": ("background", 12, 0.05),
    "background of all bins": ("background", None, 0.02),
    "efficiency knot": ("efficiency", 2, 0.02),
    "an energy of the efficiency": ("efficiency_offset_keV", 3, None),
    "a bin edge": ("bin_edges_keV", 12, None),
    "first bin edge": ("bin_edges_keV", 0, None),
    "flux": ("source", None, 0.05),
}


def moved(parameters, field, direction, h):
    if field == "source":
        return dataclasses.replace(parameters, source=parameters.source.scaled(1.0 + h))
    return dataclasses.replace(
        parameters, **{field: getattr(parameters, field) + h * jnp.asarray(direction)}
    )


@pytest.fixture(scope="module")
def experiments(xenonnt):
    return {"observed": xenonnt, "Asimov": load_experiment("gemma")}


@pytest.fixture(scope="module")
def atoms(stepping):
    return {"observed": stepping, "Asimov": response("Ge", "stepping")}


@pytest.fixture(scope="module")
def results(observed, experiments, atoms):
    return {"observed": observed, "Asimov": sensitivity(experiments["Asimov"], atoms["Asimov"])}


@pytest.fixture(scope="module")
def gradients(experiments, atoms):
    """The derivative of the limit in everything, as a paper would write it."""
    found = {}
    for data, find in METHODS.items():
        experiment, atom = experiments[data], atoms[data]
        found[data] = jax.grad(lambda p: find(experiment.replace(parameters=p), atom).limit_mu_B)(  # noqa: B023
            experiment.parameters
        )
    return found


@pytest.mark.slow
@pytest.mark.parametrize("data", METHODS)
@pytest.mark.parametrize("name", DIRECTIONS)
def test_gradient_is_the_finite_difference(gradients, experiments, atoms, data, name, slope, agree):
    field, index, step = DIRECTIONS[name]
    p, gradient, experiment = experiments[data].parameters, gradients[data], experiments[data]
    start = 1.0 if field == "source" else np.asarray(getattr(p, field))
    direction = np.zeros(np.shape(start))
    if index is None:
        direction = np.array(start)
    else:
        direction[index] = start[index] if step else 1.0
    step = step or STEP_keV[data]

    def value(h):
        changed = experiment.replace(parameters=moved(p, field, direction, h))
        return 1e11 * METHODS[data](changed, atoms[data]).limit_mu_B

    numeric = slope(value, 0.0, step)
    if field == "source":
        g = gradient.source
        got = np.sum(g.density * p.source.density) + np.sum(g.line_flux * p.source.line_flux)
    else:
        got = np.sum(np.asarray(getattr(gradient, field)) * direction)
    # a derivative that vanishes, of a floating background's common factor, is compared with a
    # thousandth of the limit, those of one bin are of that size
    scale = max(abs(numeric), 1e-3 * value(0.0))
    agree(f"{data}: d(limit)/d({name})", 1e11 * got, numeric, 1e-5, scale=scale)


@pytest.mark.parametrize("data", METHODS)
def test_logarithmic_derivatives_are_eulers_sums(results, gradients, experiments, data, agree):
    """Forward mode along five directions against the sums p·∂ of the reverse mode."""
    result, p, gradient = results[data], experiments[data].parameters, gradients[data]
    assert set(DERIVATIVES) == set(result.derivatives)
    for name, field in DERIVATIVES.items():
        value, slope = getattr(p, field), getattr(gradient, field)
        if field == "source":
            value, slope = (value.density, value.line_flux), (slope.density, slope.line_flux)
        products = jax.tree.map(lambda a, b: np.sum(a * b), value, slope)
        expected = sum(jax.tree.leaves(products)) / result.limit_mu_B
        agree(f"{data}: {name}", result.derivatives[name], expected, 1e-9, scale=1.0)


def test_derivatives_that_are_known_exactly(results):
    """μ² ∝ 1/flux; observed counts fix exposure × μ² too while the background's norm floats."""
    for data, result in results.items():
        assert result.derivatives["flux"] == pytest.approx(-0.5, abs=1e-9), data
    assert results["observed"].derivatives["exposure"] == pytest.approx(-0.5, abs=1e-9)
    assert results["observed"].derivatives["background"] == pytest.approx(0.0, abs=1e-9)
    # a counting experiment over background: μ² ∝ sqrt(B/exposure), μ with powers ∓1/4
    print("Asimov:", results["Asimov"].derivatives)
    assert results["Asimov"].derivatives["exposure"] == pytest.approx(-0.25, abs=0.05)
    assert results["Asimov"].derivatives["background"] == pytest.approx(0.25, abs=0.05)
