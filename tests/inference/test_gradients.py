"""Derivatives of the limit in every parameter against finite differences of the limit."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnu import limit, load_experiment, response, sensitivity

METHODS = {"observed": limit, "Asimov": sensitivity}  # of XENONnT and of GEMMA


# The efficiency is C¹ at its knots: steps that carry no node of a bin, which begin a hundredth of
# its width from its ends, over one.
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
    return {"observed": stepping, "Asimov": response("Ge")}


@pytest.fixture(scope="module")
def results(observed, experiments, atoms):
    return {"observed": observed, "Asimov": sensitivity(experiments["Asimov"], atoms["Asimov"])}


@pytest.mark.parametrize("data", METHODS)
@pytest.mark.parametrize("name", DIRECTIONS)
def test_gradient_is_the_finite_difference(results, experiments, atoms, data, name, slope, agree):
    field, index, step = DIRECTIONS[name]
    p, result, experiment = experiments[data].parameters, results[data], experiments[data]
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
        g = result.gradient.source
        got = np.sum(g.density * p.source.density) + np.sum(g.line_flux * p.source.line_flux)
    else:
        got = np.sum(np.asarray(getattr(result.gradient, field)) * direction)
    # a derivative that vanishes, of a floating background's common factor, is compared with a
    # thousandth of the limit, those of one bin are of that size
    scale = max(abs(numeric), 1e-3 * value(0.0))
    agree(f"{data}: d(limit)/d({name})", 1e11 * got, numeric, 1e-5, scale=scale)


@pytest.mark.parametrize("data", METHODS)
def test_logarithmic_derivatives_are_made_of_the_gradient(results, experiments, data, agree):
    result, p = results[data], experiments[data].parameters
    value = float(p.threshold_keV * result.gradient.threshold_keV) / result.limit_mu_B
    agree("threshold", result.derivatives["threshold_keV"], value, 1e-12)
    value = np.sum(p.resolution_keV * result.gradient.resolution_keV) / result.limit_mu_B
    agree("resolution", result.derivatives["resolution"], value, 1e-12)


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


def test_grad_of_the_limit_reads_like_a_paper(xenonnt, observed, agree):
    experiment = xenonnt
    gradient = jax.grad(lambda p: limit(experiment.replace(parameters=p)).limit_mu_B)(
        experiment.parameters
    )
    for (path, ours), theirs in zip(
        jax.tree_util.tree_leaves_with_path(gradient),
        jax.tree.leaves(observed.gradient),
        strict=True,
    ):
        label = jax.tree_util.keystr(path)
        size = np.max(np.abs(np.asarray(theirs)), initial=0.0)
        agree(label, np.append(ours, 0.0), np.append(theirs, 0.0), 1e-9, scale=max(size, 1e-300))
