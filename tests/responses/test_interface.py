"""What every model of the responses has in common."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnu import Lines, Response, response
from jaxnu.errors import InputError
from jaxnu.responses import MODELS

OPTIONS = {"equivalent-photon": {"photoabsorption": ([1.0, 200.0], [1e-19, 1e-23])}}
WITH_LINES = ("hydrogenic", "central-field")
T, Q = np.array([[15.0], [40.0]]), np.array([20.0, 90.0, 300.0])


@pytest.fixture(scope="module", params=list(MODELS))
def atom(request):
    if request.param == "central-field":
        pytest.importorskip("jaxnu.atom.table_store")
    return response("Ge", request.param, **OPTIONS.get(request.param, {}))


@jax.jit
def parts(atom):
    """Everything a model has at (T, Q), compiled at once."""
    values = {"S": atom.longitudinal(T, Q), "R": atom.transverse(T, Q)}
    shells = {
        "S": atom.longitudinal(T, Q, by_shell=True),
        "R": atom.transverse(T, Q, by_shell=True),
    }
    scalars = atom.longitudinal(15.0, 20.0), atom.transverse(15.0, 20.0)
    lines = atom.line_longitudinal(0, Q), atom.line_transverse(0, Q)
    return values, shells, scalars, lines


@pytest.fixture(scope="module")
def values(atom):
    return parts(atom)


def test_attributes(atom):
    assert isinstance(atom, Response)
    assert (atom.target, atom.Z) == ("Ge", 32) and atom.model in MODELS
    assert len(atom.shells) == len(atom.labels) == atom.electrons.shape[0]
    assert all(s.electrons.shape == s.threshold_keV.shape == () for s in atom.shells)


def test_by_shell_sums_to_the_total(atom, values):
    total, shells, _, _ = values
    for part in ("S", "R"):
        assert total[part].shape == (2, 3) and shells[part].shape == (2, 3, len(atom.shells))
        np.testing.assert_allclose(np.sum(shells[part], axis=-1), total[part], rtol=1e-14)


def test_scalars_give_scalars(values):
    assert all(scalar.shape == () for scalar in values[2])


def test_terms_on_the_ridge_have_one_entry_per_shell_or_none(atom):
    Q_ridge, weight = atom.on_shell(15.0)
    number = 0 if atom.has_continuum else len(atom.shells)
    assert Q_ridge.shape == weight.shape == (number,)


def test_a_model_without_a_continuum_has_none(atom, values):
    S, R = values[0]["S"], values[0]["R"]
    if atom.has_continuum:
        assert np.all(np.asarray(R) > 0.0)
    else:
        assert not np.any(S) and not np.any(R)


def test_lines(atom, values):
    lines = atom.lines()
    assert isinstance(lines, Lines) and lines.T_keV.shape == lines.shell.shape
    assert (lines.T_keV.shape[0] > 0) == (atom.model in WITH_LINES)
    for strength in values[3]:
        assert strength.shape == (3,)
        assert np.all(np.asarray(strength) > 0.0) == (atom.model in WITH_LINES)


def test_is_a_pytree_with_differentiable_numbers(atom):
    leaves, layout = jax.tree.flatten(atom)
    # integers are places in tables
    assert all(leaf.dtype in (jnp.float64, jnp.int32, jnp.int64) for leaf in leaves)
    again = jax.tree.unflatten(layout, leaves)
    assert type(again) is type(atom) and hash(layout) == hash(jax.tree.structure(again))


def test_unknown_options_are_refused():
    with pytest.raises(InputError, match=r"option 'last_n' = 5 is unknown to model 'free'"):
        response("Ge", "free", last_n=5)
