"""f-sum and static sum against theorems and closed forms."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnu.constants import ATOMIC_MOMENTUM_keV, ELECTRON_MASS_keV
from jaxnu.errors import InputError
from jaxnu.responses import CentralField, f_sum, response, static_sum

Q_keV = np.array([0.3, 1.0, 3.7, 10.0, 100.0])


def elastic(Q, charge):
    return (1.0 + (Q / (charge * ATOMIC_MOMENTUM_keV)) ** 2 / 4.0) ** -4


@pytest.fixture(scope="module")
def hydrogen(known):
    return CentralField.from_table(known.table("H", known.shell("1s", 1.0)), "model")


@pytest.fixture(scope="module")
def xenon(known):
    """Ridges whose widths differ 60-fold."""
    table = known.table("Xe", known.shell("1s", 54.0, 2.0), known.shell("5p", 0.9, 6.0))
    return CentralField.from_table(table, "measured")


def test_f_sum_of_hydrogen_is_one(hydrogen, agree):
    """Lines to n = 40, the last one for the rest of the series."""
    total = f_sum(hydrogen, Q_keV)
    assert total.shape == (5, 1)
    agree("f-sum", total[:, 0], np.ones(5), 2e-6)


def test_static_sum_of_hydrogen_is_what_is_not_elastic(hydrogen, agree):
    agree("static sum", static_sum(hydrogen, Q_keV)[:, 0], 1.0 - elastic(Q_keV, 1.0), 2e-6)


def test_sums_of_the_closed_form_itself(known, agree):
    """A response without an end in T; the missing lines above n = 1000 are 1e-6."""
    ion = known.ion(3.0, 1.0, 1000)
    agree("f-sum", f_sum(ion, Q_keV)[:, 0], np.ones(5), 2e-6)
    expected = 1.0 - elastic(Q_keV, 3.0)
    agree("static sum", static_sum(ion, Q_keV)[:, 0], expected, 2e-6)


@pytest.mark.slow
def test_ridges_of_any_width_are_converged(xenon, agree):
    for sums in (f_sum, static_sum):
        once = sums(xenon, [1.0, 30.0, 200.0])
        agree(f"{sums.__name__}, panels doubled", once, sums(xenon, [1.0, 30.0, 200.0], refine=2),
              1e-8)  # fmt: skip


def test_outer_shell_keeps_its_sums_and_shares(xenon, agree):
    total = f_sum(xenon, [1.0, 30.0, 200.0])
    agree("O2 and O3", total[:, 1:], np.tile([2.0, 4.0], (3, 1)), 5e-6)


@pytest.mark.slow
def test_tail_beyond_the_table_is_what_is_missing_of_an_inner_shell(xenon, known, agree):
    """K of a bare Xe ion, I = 39.7 keV, to T = 100 keV: the same integral of the closed form."""
    Q = 30.0
    ion = known.ion(54.0, 2.0)
    end = float(xenon.independent_particle().T_max_keV)
    T = np.linspace(float(ion.thresholds_keV[0]), end, 20001)
    missing = f_sum(ion, Q) - np.trapezoid(T * ion.longitudinal(T, Q), T) / (Q**2 / 2.0) * (
        ELECTRON_MASS_keV
    )
    lines = np.asarray(ion.lines().T_keV)
    strengths = [float(ion.line_longitudinal(n, Q)) for n in range(len(lines))]
    missing = missing[0] - np.sum(lines * strengths) / (Q**2 / 2.0) * ELECTRON_MASS_keV
    print(f"beyond T = {end:.1f} keV: {missing:.4f} of 2 electrons")
    agree("K shell", f_sum(xenon, Q)[0] + missing, 2.0, 1e-4)


def test_physical_sum_leaves_filled_states_out(known, agree):
    shell = known.shell("1s", 1.0)
    vacancy = np.ones(len(shell.lines.T_keV))
    vacancy[0] = 0.0
    table = known.table("H", replace(shell, lines=replace(shell.lines, vacancy=vacancy)))
    atom = CentralField.from_table(table, "model")
    Q = 1e-3 * ATOMIC_MOMENTUM_keV
    agree("all", f_sum(atom, Q), [1.0], 1e-5)  # F beyond the last node, constant: 4e-6
    # oscillator strength of Lyman alpha: 2^13/3^9 (Bethe and Salpeter, section 63)
    lyman = f_sum(atom, Q) - f_sum(atom, Q, physical=True)
    agree("Lyman alpha", lyman, [2.0**13 / 3.0**9], 3e-6)


def test_physical_sum_has_the_measured_thresholds(known, agree):
    table = known.table("Xe", known.shell("1s", 54.0, 2.0))
    ours, model = (CentralField.from_table(table, name) for name in ("measured", "model"))
    agree("model's own", f_sum(ours, 10.0), f_sum(model, 10.0), 1e-9)
    assert float(f_sum(ours, 10.0, physical=True)[0]) < 0.95 * float(f_sum(model, 10.0)[0])


def test_electrons_at_rest_count_where_their_ridge_is_above_threshold():
    atom = response("Ge", "stepping")
    np.testing.assert_array_equal(f_sum(atom, 200.0), atom.electrons)
    below = np.asarray(atom.thresholds_keV) > 1.0
    Q = np.sqrt(2.0 * ELECTRON_MASS_keV)
    np.testing.assert_array_equal(np.asarray(static_sum(atom, Q)) == 0.0, below)


def test_what_has_no_sum_is_refused(hydrogen):
    with pytest.raises(InputError, match="Q_keV = 0 keV"):
        f_sum(hydrogen, 0.0)
    frozen = response("Ge", "equivalent-photon", photoabsorption="hydrogenic")
    with pytest.raises(InputError, match="has no longitudinal part S"):
        static_sum(frozen, 1.0)
    with pytest.raises(InputError, match="response = 'Ge' is a str"):
        f_sum("Ge", jnp.ones(2))
