"""Derivatives of the limit in every parameter against finite differences of the limit."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnu import limit, sensitivity

METHODS = {"observed": limit, "Asimov": sensitivity}


def unit_vector(length, at):
    direction = np.zeros(length)
    direction[at] = 1.0
    return direction


# the efficiency is C¹ at its knots: steps that carry no node, 10 eV from a bin's end, over one
STEP_keV = 0.004
# field, direction, step: the step is small against the scale on which the limit curves
DIRECTIONS = {
    "threshold": ("threshold_keV", 1.0, STEP_keV),
    "exposure": ("exposure_kg_day", 1.0, 2e4),
    "resolution, sqrt": ("resolution_keV", unit_vector(3, 1), 5e-3),
    "resolution, linear": ("resolution_keV", unit_vector(3, 2), 1e-3),
    "background of one bin": ("background", unit_vector(58, 2), 1e-6),
    "background of all bins": ("background", np.ones(58), 1e-6),
    "efficiency knot": ("efficiency", unit_vector(19, 4), 0.01),
    "an energy of the efficiency": ("efficiency_offset_keV", unit_vector(19, 4), STEP_keV),
    "a bin edge": ("bin_edges_keV", unit_vector(59, 3), STEP_keV),
    "first bin edge": ("bin_edges_keV", unit_vector(59, 0), STEP_keV),
    "flux": ("source", 1.0, 0.05),
}


def moved(parameters, field, direction, h):
    if field == "source":
        return dataclasses.replace(parameters, source=parameters.source.scaled(1.0 + h))
    return dataclasses.replace(
        parameters, **{field: getattr(parameters, field) + h * jnp.asarray(direction)}
    )


@pytest.fixture(scope="module")
def results(observed, xenonnt, stepping):
    return {"observed": observed, "Asimov": sensitivity(xenonnt, stepping)}


@pytest.mark.parametrize("data", METHODS)
@pytest.mark.parametrize("name", DIRECTIONS)
def test_gradient_is_the_finite_difference(results, xenonnt, stepping, data, name, slope, agree):
    field, direction, step = DIRECTIONS[name]
    p, result = xenonnt.parameters, results[data]

    def value(h):
        experiment = xenonnt.replace(parameters=moved(p, field, direction, h))
        return 1e11 * METHODS[data](experiment, stepping).limit_mu_B

    numeric = slope(value, 0.0, step)
    if field == "source":
        g = result.gradient.source
        got = np.sum(g.density * p.source.density) + np.sum(g.line_flux * p.source.line_flux)
    else:
        got = np.sum(np.asarray(getattr(result.gradient, field)) * direction)
    # a derivative that vanishes (of a floating background's common factor) is compared with the
    # thousandth of that of a power law
    size = 1.0 if field == "source" else np.max(np.abs(getattr(p, field) * direction))
    scale = max(abs(numeric), 1e-3 * value(0.0) / size)
    agree(f"{data}: d(limit)/d({name})", 1e11 * got, numeric, 1e-5, scale=scale)


@pytest.mark.parametrize("data", METHODS)
def test_logarithmic_derivatives_are_made_of_the_gradient(results, xenonnt, data, agree):
    result, p = results[data], xenonnt.parameters
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
