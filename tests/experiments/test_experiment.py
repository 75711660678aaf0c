"""Parameters and Experiment: pytrees, gradients, threshold, panels of the T integral."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import erfc

from jaxnu.errors import InputError
from jaxnu.experiments import Experiment, Parameters, load_experiment
from jaxnu.experiments.experiment import half_efficiency_keV, transfer_edges
from jaxnu.numerics.quadrature import panel_nodes


@pytest.fixture(scope="module", params=["xenonnt-sr0", "gemma"])
def experiment(request):
    return load_experiment(request.param)


def test_experiments_flatten_and_come_back(experiment):
    leaves, layout = jax.tree.flatten(experiment)
    again = jax.tree.unflatten(layout, leaves)
    assert isinstance(again, Experiment) and isinstance(again.parameters, Parameters)
    assert hash(layout) == hash(jax.tree.structure(again))
    assert layout == jax.tree.structure(again)
    assert all(isinstance(leaf, jax.Array) and leaf.dtype == jnp.float64 for leaf in leaves)
    for f in dataclasses.fields(Experiment):
        if f.metadata.get("static"):
            hash(getattr(experiment, f.name))


def test_gradient_flows_to_every_parameter(experiment):
    def total(parameters):
        return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(parameters))

    gradient = jax.jit(jax.grad(total))(experiment.parameters)
    assert isinstance(gradient, Parameters)
    for g, value in zip(
        jax.tree.leaves(gradient), jax.tree.leaves(experiment.parameters), strict=True
    ):
        np.testing.assert_array_equal(g, 2 * value)


def test_other_values_do_not_compile_again(experiment):
    traces = []

    @jax.jit
    def total(e):
        traces.append(1)
        return e.parameters.exposure_kg_day * jnp.sum(e.parameters.background)

    other = experiment.replace(exposure_kg_day=2 * experiment.parameters.exposure_kg_day)
    other = other.replace(threshold_keV=2, background=np.array(other.parameters.background))
    assert float(total(other)) == pytest.approx(2 * float(total(experiment)), rel=1e-15)
    assert len(traces) == 1
    total(experiment.replace(title="another"))
    assert len(traces) == 2, "a static field is expected to compile again"


def test_replace_refuses_what_does_not_fit(experiment):
    bins = experiment.parameters.background.shape[0]
    cases = {
        "exposure_kg_days": ({"exposure_kg_days": 1.0}, "did you mean 'exposure_kg_day'"),
        "resolution_keV": ({"resolution_keV": jnp.ones(3)}, "transfer_edges_keV"),
        "counts": ({"counts": np.ones(bins + 1)}, f"{bins + 1} values for {bins} bins"),
        "background": ({"background": np.ones(1)}, f"1 values for {bins} bins"),
        "efficiency": ({"efficiency": np.ones(2)}, "2 values"),
    }
    for name, (change, words) in cases.items():
        with pytest.raises(InputError) as refusal:
            experiment.replace(**change)
        message = str(refusal.value)
        print(message)
        assert name in message and words in message and "\n" not in message


def test_replace_takes_new_bins_with_their_panels(experiment):
    edges = jnp.array([1.0, 2.0, 3.0])
    panels = transfer_edges(experiment.parameters.resolution_keV, 1.0, 3.0)
    changed = experiment.replace(
        bin_edges_keV=edges, background=jnp.ones(2), counts=None, transfer_edges_keV=panels
    )
    assert changed.counts is None and changed.transfer_edges_keV == panels
    np.testing.assert_array_equal(changed.parameters.bin_edges_keV, edges)


def test_threshold_of_a_symmetric_turn_on_is_its_middle():
    # the cubic through (0,0), (1,1/2), (2,1) with flat ends is odd about its middle
    for scale in (1.0, 0.37):
        T = half_efficiency_keV(np.array([0.0, 1.0, 2.0, 9.0]), scale * np.array([0, 0.5, 1, 1]))
        assert pytest.approx(1.0, abs=1e-14) == T


def test_threshold_of_one_cubic_step():
    # between flat knots the cubic is the smoothstep 3x² − 2x³, whose half is at x = 1/2; a higher
    # plateau later moves the half to 3x² − 2x³ = 5/8
    T = half_efficiency_keV(np.array([0, 1, 2, 3, 4, 5.0]), np.array([0, 0, 0.8, 0.8, 1.0, 1.0]))
    x = brentq(lambda x: 3 * x**2 - 2 * x**3 - 0.625, 0, 1, xtol=1e-15)
    print(f"threshold {T:.15f}, closed form {1 + x:.15f}")
    assert pytest.approx(1 + x, abs=1e-13) == T


def test_threshold_takes_the_first_of_several_crossings():
    knots, values = np.array([0, 1, 2, 3, 4.0]), np.array([0, 1.0, 0.2, 1.0, 0.0])
    assert half_efficiency_keV(knots, values) == pytest.approx(0.5, abs=0.2)


@pytest.mark.parametrize("values", [[0.5, 0.9, 1.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
def test_a_curve_without_turn_on_is_refused(values):
    with pytest.raises(InputError, match="no threshold; add knots") as refusal:
        half_efficiency_keV(np.array([1.0, 2.0, 3.0]), np.array(values))
    assert "\n" not in str(refusal.value)


RESOLUTIONS = [(0.0, 0.31, 0.0037), (0.2, 0.0, 0.0), (0.0, 0.323, 0.0), (0.05, 0.03, 0.02)]


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_panels_reach_eight_sigma_and_are_two_sigma_wide(resolution):
    def sigma(T):
        return resolution[0] + resolution[1] * np.sqrt(T) + resolution[2] * T

    low, high = 1.0, 30.0
    edges = np.array(transfer_edges(resolution, low, high))
    assert (np.diff(edges) > 0).all()
    assert edges[0] == 1e-3 or edges[0] + 8 * sigma(edges[0]) <= low
    assert edges[-1] - 8 * sigma(edges[-1]) >= high
    width = np.diff(edges) / sigma(edges[:-1])
    ratio = edges[1:] / edges[:-1]
    print(f"{resolution}: {len(edges) - 1} panels, widest {width.max():.3f} σ, ratio {ratio.max()}")
    assert width.max() < 2 + 1e-9 and ratio.max() < 2 + 1e-12


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_smeared_spectrum_in_a_bin_is_converged(resolution):
    """∫dT T^-1 × (share of N(T, σ(T)) in a bin): 8 nodes per panel against 32."""
    bins = np.arange(1.0, 30.5, 0.5)

    def counts(order):
        edges = transfer_edges(resolution, bins[0], bins[-1])
        T, w = (np.asarray(x).ravel() for x in panel_nodes(jnp.array(edges), order))
        s = resolution[0] + resolution[1] * np.sqrt(T) + resolution[2] * T
        above = 0.5 * erfc((bins[:, None] - T) / (np.sqrt(2) * s))
        return (above[:-1] - above[1:]) @ (w / T)

    error = np.max(np.abs(counts(8) / counts(32) - 1))
    print(f"{resolution}: worst relative change of a bin {error:.1e}")
    assert error < 1e-5


def test_panels_stop_at_the_highest_neutrino_energy():
    assert transfer_edges((0.0, 0.31, 0.0), 1.0, 30.0, 18.6)[-1] == 18.6
    with pytest.raises(InputError, match="T_max_keV = 5 keV is below"):
        transfer_edges((0.1, 0.0, 0.0), 10.0, 30.0, 5.0)
    # 15% resolution always reaches back into the bins: the source's end closes the range
    assert transfer_edges((0.0, 0.0, 0.15), 1.0, 30.0, 500.0)[-1] == 500.0


@pytest.mark.parametrize(
    ("resolution", "words"),
    [((0.0, 0.0, 0.0), "not positive"), ((1e-4, 0.0, 0.0), "check the unit")],
)
def test_a_resolution_that_cannot_be_integrated_is_refused(resolution, words):
    with pytest.raises(InputError, match=words) as refusal:
        transfer_edges(resolution, 1.0, 30.0)
    assert "\n" not in str(refusal.value)


def test_refinement_changes_node_counts_only():
    one = load_experiment("gemma")
    two = one.refined(2)
    assert two.numerics == one.numerics.refined(2) and two.numerics.q_panels == 24
    assert jax.tree.structure(one) != jax.tree.structure(two)
    assert one.refined(1) is not one and one.refined(1).numerics == one.numerics
