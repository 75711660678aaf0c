"""The tabulated response against the closed form that its tables were made from."""

import sys
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnu
from jaxnu.constants import ATOMIC_MOMENTUM_keV, ELECTRON_MASS_keV
from jaxnu.cross_sections.differential import q_nodes
from jaxnu.errors import InputError
from jaxnu.responses import CentralField, response
from jaxnu.settings import NUMERICS

M = ELECTRON_MASS_keV


@jax.jit
def parts(atom, T, Q):
    return jnp.stack([atom.longitudinal(T, Q), atom.transverse(T, Q)])


@jax.jit
def shells(atom, T, Q):
    return jnp.stack([f(T, Q, by_shell=True) for f in (atom.longitudinal, atom.transverse)])


@jax.jit
def line_parts(atom, Q):
    n = jnp.arange(atom.lines().T_keV.shape[0])
    return jnp.stack(
        [jax.vmap(f, (0, None))(n, Q) for f in (atom.line_longitudinal, atom.line_transverse)]
    )


@pytest.fixture(scope="module")
def hydrogen(known):
    return CentralField.from_table(known.table("H", known.shell("1s", 1.0)), "model")


@pytest.fixture(scope="module")
def ion(known):
    return known.ion(1.0)


def xenon_table(known):
    """Two shells whose widths differ 60-fold, called 1s and 5p."""
    return known.table("Xe", known.shell("1s", 54.0, 2.0), known.shell("5p", 0.9, 6.0))


@pytest.fixture(scope="module")
def xenon(known):
    return CentralField.from_table(xenon_table(known), "model")


@pytest.fixture(scope="module")
def measured(known):
    return CentralField.from_table(xenon_table(known), "measured")


def anywhere(known, charge, number=2000):
    """T and Q over the whole table."""
    width = charge * ATOMIC_MOMENTUM_keV
    generator = np.random.default_rng(1)
    energy = np.expm1(generator.uniform(0.0, np.log1p(1e5), number)) / 1e3
    T = width**2 / (2.0 * M) + energy
    p = 0.5 * width * np.sinh(generator.uniform(np.arcsinh(-58.0), np.arcsinh(580.0), number))
    return T, known.Q(p, T)


# ---- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("symbol", "charge"), [("H", 1.0), ("Ge", 32.0)])
def test_off_nodes(known, symbol, charge, agree):
    atom = CentralField.from_table(known.table(symbol, known.shell("1s", charge)), "model")
    T, Q = anywhere(known, charge)
    got, expected = parts(atom, T, Q), parts(known.ion(charge), T, Q)
    for name, ours, theirs in zip("SR", got, expected, strict=True):
        agree(f"{symbol} {name}", ours, theirs, 1e-6)


def test_below_the_first_node_and_far_from_the_ridge(hydrogen, ion, agree):
    """ε < 0.02 eV; momenta where the nodes have ended: S ∝ Q², R constant."""
    T = ion.thresholds_keV[0] * jnp.array([1.0, 1.0005, 1.001])[:, None]
    Q = jnp.array([1e-6, 1e-5, 1.0, 5.0, 100.0])
    for name, ours, theirs in zip("SR", parts(hydrogen, T, Q), parts(ion, T, Q), strict=True):
        agree(f"near threshold, {name}", ours, theirs, 2e-5)
    S, R = parts(hydrogen, T, Q[:2])
    agree("S/Q²", S[:, 0] / Q[0] ** 2, S[:, 1] / Q[1] ** 2, 1e-9)
    agree("R", R[:, 0], R[:, 1], 1e-9)
    agree("gauge", R, T**2 * S / Q[:2] ** 2, 1e-6)


def slopes(parts_of, Q):
    """d ln(S, R)/d ln Q between Q and 1.01 Q."""
    return jnp.log(parts_of(1.01 * Q) / parts_of(Q)) / np.log(1.01)


@pytest.mark.parametrize("axis", ["p_z", "Q"])
def test_power_laws_beyond_both_ends_of_the_momenta(known, ion, axis, agree):
    """Those of the closed form, in slope and, where F has become constant, in value."""
    nodes = None if axis == "p_z" else ATOMIC_MOMENTUM_keV * np.geomspace(1e-4, 500.0, 400)
    shell = known.shell("1s", 1.0, momenta=nodes, axis=axis)
    atom = CentralField.from_table(known.table("H", shell), "model")
    for T in (0.02, 1.0, 30.0):
        for Q, expected in ((1e-5, (2.0, 0.0)), (1e6, (-8.0, -8.0))):
            ours, theirs = (partial(parts, a, T) for a in (atom, ion))
            for name, got, law in zip("SR", slopes(ours, Q), expected, strict=True):
                agree(f"{axis}, T = {T}, Q = {Q}, {name}", got, law, 1e-4, 1.0)
            agree("closed form", slopes(theirs, Q), np.array(expected), 1e-4, 1.0)
            agree("value", ours(Q), theirs(Q), 1e-2)


def test_power_laws_beyond_a_shipped_table():
    """Every subshell of germanium; a table that ends on the light cone or below it."""
    atom = jaxnu.response("Ge")
    T, width = 30.0, np.asarray(atom.widths_keV)
    low, high = (
        0.5 * width * np.sinh(np.asarray(end)[list(atom.table)])
        for end in (atom.momentum.low, atom.momentum.high)
    )
    np.testing.assert_allclose(high, np.maximum(M, 100.0 * width), rtol=1e-6)
    ends = -low + np.sqrt(low**2 + 2.0 * M * np.asarray(atom.model_thresholds_keV))
    print(f"p_z/p0 from {np.round(low / width)}; Q at threshold to {np.round(ends)} keV")
    assert np.all(low < -9.0 * width) and np.all(ends > 100.0)
    assert np.max(np.abs(slopes(partial(shells, atom, T), 1e-4)[0] - 2.0)) < 1e-4
    assert np.max(np.abs(slopes(partial(shells, atom, T), 1e-4)[1])) < 1e-4
    assert np.max(np.abs(slopes(partial(shells, atom, T), 1e7) + 8.0)) < 1e-4
    assert np.all(shells(atom, -1.0, 1.0) == 0.0)


def test_a_table_on_fixed_momenta(known, agree):
    """Q nodes, even in ln Q or not; the closed form's F varies as slowly."""
    width = ATOMIC_MOMENTUM_keV
    Q = width * np.geomspace(1e-4, 500.0, 400)
    for name, nodes in (("even", Q), ("uneven", Q ** (1.0 + 0.02 * np.sin(np.log(Q))))):
        table = known.table("H", known.shell("1s", 1.0, momenta=nodes, axis="Q"))
        atom = CentralField.from_table(table, "model")
        assert atom.momentum.even == (name == "even")
        T = atom.thresholds_keV[0] + np.geomspace(1e-5, 1.0, 300)
        at = np.geomspace(0.01, 300.0, 300)
        agree(f"Q nodes, {name}", parts(atom, T, at), parts(known.ion(1.0), T, at), 1e-4)


@pytest.mark.slow
def test_uneven_nodes_on_the_ridge(known, ion, agree):
    u = np.linspace(-4.0, 7.0, 128)
    nodes = 0.5 * ATOMIC_MOMENTUM_keV * np.sinh(u + 0.02 * np.sin(5.0 * u))
    energies = np.expm1(np.linspace(np.log1p(0.02), np.log1p(1e5), 192) ** 1.05)
    energies *= 1e5 / energies[-1]
    table = known.table("H", known.shell("1s", 1.0, momenta=nodes, kinetic_eV=energies))
    atom = CentralField.from_table(table, "model")
    assert not atom.momentum.even
    T, Q = anywhere(known, 1.0)
    inside = np.abs(np.arcsinh(2.0 * (M * T / Q - Q / 2) / ATOMIC_MOMENTUM_keV) - 1.5) < 5.0
    T, Q = T[inside], Q[inside]
    agree("uneven nodes", parts(atom, T, Q), parts(ion, T, Q), 1e-6)


@pytest.mark.parametrize(
    ("ratio", "exact"), [(1.0, 0.957263509260), (1.2, 0.968137210955), (2.0, 0.987439347010),
                         (4.0, 0.996807037606), (10.0, 0.999531146508)]
)  # fmt: skip
def test_inverse_moment(hydrogen, ratio, exact, agree):
    """T ∫S dQ²/Q² of hydrogen in closed form."""
    T = hydrogen.thresholds_keV[0] * ratio
    Q, dQ2 = q_nodes(1e-3, 1e4, T, hydrogen.momentum_scale_keV, NUMERICS)
    S, _ = parts(hydrogen, T, Q)
    agree(f"T = {ratio} I", T * jnp.sum(dQ2 * S / Q**2), exact, 1e-6)


@pytest.mark.parametrize("T", [0.012, 0.1, 1.0, 10.0, 45.0, 100.0])
def test_default_momentum_nodes_resolve_ridges_of_any_width(xenon, known, T, agree):
    """∫S dQ²/Q² from Q = T to 2E − T, widths 3.4 and 201 keV in one rule, against 32 times denser
    nodes fitted to each shell."""
    E = 1000.0
    Q, dQ2 = q_nodes(T, 2.0 * E - T, T, xenon.momentum_scale_keV, NUMERICS)
    ours = jnp.einsum("q,pqs->ps", dQ2 / Q**2, shells(xenon, T, Q))
    for i, charge in enumerate((54.0, 0.9)):
        atom = known.ion(charge, float(xenon.electrons[i]))
        if float(atom.thresholds_keV[0]) > T:
            assert np.all(np.asarray(ours[:, i]) == 0.0)
            continue
        Q, dQ2 = q_nodes(T, 2.0 * E - T, T, atom.momentum_scale_keV, NUMERICS.refined(32))
        expected = parts(atom, T, Q) @ (dQ2 / Q**2)
        agree(f"T = {T} keV, width {xenon.widths_keV[i]:.1f} keV", ours[:, i], expected, 1e-5)


def test_zero_below_threshold(hydrogen):
    I = float(hydrogen.thresholds_keV[0])
    T = I * np.array([1e-3, 0.5, 1.0 - 1e-9])
    assert np.all(np.asarray(parts(hydrogen, T, np.array([0.1, 3.0, 50.0]))) == 0.0)

    def total(thresholds, FG, T, Q):
        return jnp.sum(parts(replace(hydrogen, thresholds_keV=thresholds, FG=FG), T, Q))

    arguments = hydrogen.thresholds_keV, hydrogen.FG, 0.5 * I, 3.0
    for slope in jax.jit(jax.grad(total, (0, 1, 2, 3)))(*arguments):
        assert np.all(np.asarray(slope) == 0.0)


def test_nan_beyond_the_table_and_a_refusal_where_T_is_known(hydrogen):
    end = float(hydrogen.T_max_keV)
    assert end == pytest.approx(100.0 + float(hydrogen.thresholds_keV[0]), rel=1e-12)
    values = np.asarray(parts(hydrogen, np.array([0.5 * end, end, 1.0001 * end]), 30.0))
    assert np.all(np.isfinite(values[:, :2])) and np.all(np.isnan(values[:, 2]))
    with pytest.raises(InputError, match=r"T_keV.*the tables of H end there"):
        jaxnu.cross_section(101.0, 1000.0, hydrogen)
    with pytest.raises(InputError, match=r"T_keV.*the tables of H end there"):
        jaxnu.rate(101.0, jaxnu.flux.line(747.0, 1e9), hydrogen)
    assert float(jaxnu.cross_section(99.0, 1000.0, hydrogen)) > 0.0


def test_what_is_no_energy_or_momentum_gives_nan(hydrogen):
    """NaN, not the zero of a closed channel; T below every threshold and Q = 0 are physical."""
    for T, Q in ((np.nan, 3.0), (1.0, np.nan), (1.0, -3.0)):
        assert np.isnan(parts(hydrogen, T, Q)).all()
    assert np.all(parts(hydrogen, -1.0, 3.0) == 0.0)
    S, R = parts(hydrogen, 1.0, 0.0)
    assert S == 0.0 and R > 0.0


def test_undershoot_counts_as_zero(known):
    """A gap in a table: its spline overshoots, S and R do not."""
    shell = known.shell("1s", 1.0)
    gap = np.where((shell.kinetic_keV > 0.01) & (shell.kinetic_keV < 0.1), 0.0, 1.0)[:, None]
    table = known.table("H", replace(shell, S=shell.S * gap, R=shell.R * gap))
    atom = CentralField.from_table(table, "model")
    T = atom.thresholds_keV[0] + np.linspace(0.009, 0.11, 400)
    values = np.asarray(parts(atom, T, 5.0))
    assert np.min(values) == 0.0 and np.max(values) > 0.0


# ---- transformations -----------------------------------------------------------------------------


@pytest.mark.slow
def test_shapes_and_transformations_agree(measured, agree):
    T, Q = jnp.array([0.05, 3.0, 40.0]), jnp.geomspace(0.1, 900.0, 40)
    grid = shells(measured, T[:, None], Q)
    assert grid.shape == (2, 3, 40, len(measured.labels))
    rows = jnp.stack([shells(measured, t, Q) for t in T], axis=1)
    agree("one T, all Q", rows, grid, 1e-13)
    agree("vmap", jax.vmap(shells, (None, 0, None), 1)(measured, T, Q), grid, 1e-13)
    agree("points", shells(measured, T[1], Q[3]), grid[:, 1, 3], 1e-13)
    agree("sum", parts(measured, T[:, None], Q), jnp.sum(grid, -1), 1e-13)
    agree("eager", measured.longitudinal(T[1], Q, by_shell=True), grid[0, 1], 1e-13)


@pytest.mark.slow
def test_gradients_in_T_and_Q_are_those_of_the_closed_form(hydrogen, ion, agree):
    T, Q = jnp.array([0.02, 0.3, 2.0]), jnp.array([3.0, 12.0, 60.0])
    for which in (1, 2):
        slope = jax.jit(jax.vmap(jax.jacrev(parts, which), (None, 0, 0)))
        ours, theirs = slope(hydrogen, T, Q), slope(ion, T, Q)
        agree(f"d/d{'TQ'[which - 1]}", ours, theirs, 1e-5)


def test_gradient_in_thresholds(measured, slope, agree):
    Q = jnp.array([3.0, 12.0, 60.0])

    @jax.jit
    def total(thresholds, T):
        return jnp.sum(parts(replace(measured, thresholds_keV=thresholds), T, Q))

    thresholds = measured.thresholds_keV
    for i, T in ((0, 40.0), (1, 0.05), (2, 0.05)):
        gradient = jax.grad(total)(thresholds, T)
        along = jnp.zeros_like(thresholds).at[i].set(1e-3 * thresholds[i])
        shifted = partial(lambda x, step, T: total(thresholds + x * step, T), step=along, T=T)
        expected = slope(shifted, 0.0, 1.0) / along[i]
        agree(f"d/dE({measured.labels[i]}) at T = {T} keV", gradient[i], expected, 1e-6)
        assert float(gradient[0]) == 0.0 or thresholds[0] < T


@pytest.mark.slow
def test_every_leaf_has_a_finite_gradient(measured):
    def total(atom):
        Q = jnp.array([1.0, 30.0])
        lines = line_parts(atom, Q)
        return jnp.sum(parts(atom, 40.0, Q)) + jnp.sum(lines) + jnp.sum(atom.lines().T_keV)

    gradient = jax.jit(jax.grad(total, allow_int=True))(measured)
    for name in ("electrons", "thresholds_keV", "model_thresholds_keV", "widths_keV", "FG"):
        value = np.asarray(getattr(gradient, name))
        assert np.all(np.isfinite(value)) and np.any(value != 0.0), name


@pytest.mark.slow
def test_tangents_of_a_table_reach_the_response(known, agree):
    """A table that changes with the nuclear charge, S, R, threshold and lines at once, nodes kept:
    the response changes as the closed form does."""
    shell = known.shell("1s", 1.0)
    T, Q = jnp.array([0.02, 0.3, 2.0]), jnp.array([3.0, 12.0, 60.0])
    line_Q = jnp.array([0.3, 2.0, 9.0])

    def make(charge):
        ion = replace(
            known.ion(1.0, 1.0, known.last_n),
            thresholds_keV=(charge * ATOMIC_MOMENTUM_keV)[None] ** 2 / (2.0 * M),
        )
        energy = (shell.kinetic_keV + ion.thresholds_keV)[:, None]
        S, R = parts(ion, energy, known.Q(shell.momentum_keV, energy))
        lines = line_parts(ion, jnp.asarray(shell.lines.Q_keV))
        return ion, (S, R, ion.thresholds_keV[0], ion.lines().T_keV, *lines)

    def values(numbers):
        S, R, threshold, line_T, line_S, line_R = numbers
        lines = replace(shell.lines, T_keV=line_T, S=line_S, R=line_R)
        changed = replace(shell, S=S, R=R, threshold_keV=threshold, lines=lines)
        atom = CentralField.from_table(known.table("H", changed), "model")
        return parts(atom, T, Q), atom.lines().T_keV[:5], line_parts(atom, line_Q)[:, :5]

    def exact(charge):
        ion = make(charge)[0]
        return parts(ion, T, Q), ion.lines().T_keV[:5], line_parts(ion, line_Q)[:, :5]

    one = jnp.asarray(1.0)
    numbers, tangents = jax.jvp(lambda z: make(z)[1], (one,), (one,))
    got = jax.jvp(values, (numbers,), (tangents,))[1]
    expected = jax.jvp(exact, (one,), (one,))[1]
    for name, ours, theirs in zip(("S and R", "T_n", "lines"), got, expected, strict=True):
        agree(f"tangent of {name}", ours, theirs, 1e-5, scale=np.max(np.abs(theirs), axis=-1,
              keepdims=True))  # fmt: skip
    reverse = jax.grad(lambda n: jnp.sum(values(n)[0]))(numbers)
    total = sum(jnp.sum(g * t) for g, t in zip(reverse, tangents, strict=True))
    agree("reverse mode", total, jnp.sum(got[0]), 1e-10)
    with pytest.raises(InputError, match="outside of jit"):
        jax.jit(values)(numbers)


# ---- thresholds ----------------------------------------------------------------------------------


def test_measured_shells(measured, xenon):
    assert measured.labels == ("K", "O2", "O3") and measured.table == (0, 1, 1)
    np.testing.assert_allclose(measured.thresholds_keV, [34.561, 0.0134, 0.0121], rtol=1e-14)
    np.testing.assert_allclose(measured.electrons, [2.0, 2.0, 4.0])
    np.testing.assert_allclose(measured.model_thresholds_keV[1:], xenon.thresholds_keV[1])


def test_measured_thresholds_shift_T_at_fixed_kinetic_energy(measured, xenon, agree):
    Q = jnp.geomspace(1.0, 100.0, 12)
    for index, share in ((0, 1.0), (1, 1.0 / 3.0), (2, 2.0 / 3.0)):
        model = float(measured.model_thresholds_keV[index])
        T, T_model = 5.0 + float(measured.thresholds_keV[index]), 5.0 + model
        S, R = shells(measured, T, Q)[..., index]
        S_model, R_model = shells(xenon, T_model, Q)[..., min(index, 1)]
        label = measured.labels[index]
        agree(f"S of {label}", S, share * S_model, 1e-12)
        agree(f"R of {label}", R, share * R_model * (T / T_model) ** 2, 1e-12)


def test_gauge_holds_with_measured_thresholds(measured, agree):
    Q = jnp.asarray(1e-6)
    for T in (0.013, 0.02, 36.0, 90.0):
        S, R = shells(measured, T, Q)
        open_ = np.asarray(S) > 0.0
        assert open_.any()
        agree(f"R = T² S/Q² at T = {T}", R[open_], T**2 * S[open_] / Q**2, 1e-6)


# ---- lines ---------------------------------------------------------------------------------------


def test_lines_are_the_closed_form(hydrogen, known, agree):
    ion = known.ion(1.0, 1.0, known.last_n)
    agree("T_n", hydrogen.lines().T_keV, ion.lines().T_keV, 1e-14)
    Q = ATOMIC_MOMENTUM_keV * np.array([1e-5, 2e-3, 0.1, 0.7, 1.0, 3.3, 20.0])
    got, expected = line_parts(hydrogen, Q), line_parts(ion, Q)
    agree("lines", got[:, :-1], expected[:, :-1], 1e-5)
    closure = got[:, -1] / expected[:, -1]
    rest = known.last_n**3 * np.sum(np.arange(known.last_n, 1e6) ** -3)
    agree("the last line stands for the rest", closure, np.full(closure.shape, rest), 1e-5)


def test_power_laws_of_lines_beyond_both_ends(hydrogen):
    small, large = (np.asarray(slopes(partial(line_parts, hydrogen), Q)) for Q in (1e-5, 1e6))
    assert np.max(np.abs(small[0] - 2.0)) < 1e-4 and np.max(np.abs(small[1])) < 1e-4
    assert np.max(np.abs(large + 8.0)) < 1e-4


def with_lines(known, **changes):
    shell = known.shell("1s", 54.0, 2.0)
    table = known.table("Xe", replace(shell, lines=replace(shell.lines, **changes)))
    return CentralField.from_table(table, "model"), CentralField.from_table(table, "measured")


def test_only_upward_lines_into_empty_states_are_physical(known, agree):
    shell = known.shell("1s", 54.0, 2.0)
    T = np.array(shell.lines.T_keV)
    T[1] *= -1.0
    vacancy = np.ones_like(T)
    vacancy[[0, 3]] = 0.0, 0.25
    atom, _ = with_lines(known, T_keV=T, vacancy=vacancy)
    assert len(atom.lines().T_keV) == len(T) - 2
    np.testing.assert_allclose(atom.lines().T_keV, np.delete(T, [0, 1]))
    every = atom.independent_particle()
    np.testing.assert_allclose(every.lines().T_keV, T)
    Q = jnp.array([10.0, 200.0])
    agree("vacancy", line_parts(atom, Q)[:, 1], 0.25 * line_parts(every, Q)[:, 3], 1e-14)


def test_measured_lines_shift_and_scale(known, agree):
    """K of Xe is bound 4.9 keV less than a bare 54+ ion binds; 1s→2 at 1 keV drops out."""
    shell = known.shell("1s", 54.0, 2.0)
    T = np.array(shell.lines.T_keV)
    T[0] = 1.0
    atom, measured = with_lines(known, T_keV=T)
    shift = 34.561 - shell.threshold_keV
    assert shift < -1.0
    agree("energies", measured.lines().T_keV, T[1:] + shift, 1e-13)
    Q = jnp.array([10.0, 200.0])
    (S, R), (S_model, R_model) = line_parts(measured, Q), line_parts(atom, Q)[:, 1:]
    agree("S", S, S_model, 1e-13)
    agree("R", R, R_model * ((T[1:] + shift) / T[1:])[:, None] ** 2, 1e-13)
    assert np.all(measured.independent_particle().lines().T_keV == T)


def test_shells_that_share_a_table_share_its_lines(measured, xenon, agree):
    shell = measured.lines().shell
    Q = jnp.array([1.0, 3.0])
    model = line_parts(xenon, Q)[:, np.asarray(xenon.lines().shell) == 1]
    for index, share in ((1, 1.0 / 3.0), (2, 2.0 / 3.0)):
        S = line_parts(measured, Q)[0][np.asarray(shell) == index]
        agree(f"lines of {measured.labels[index]}", S, share * model[0], 1e-13)


def test_line_cross_sections_are_finite(measured):
    T, sigma = jaxnu.cross_section_lines(500.0, measured)
    assert T.shape == sigma.shape and np.all(np.asarray(sigma) > 0.0)


def test_without_lines(known):
    table = known.table("H", replace(known.shell("1s", 1.0), lines=None))
    atom = CentralField.from_table(table, "model")
    assert atom.lines().T_keV.shape == (0,)
    assert np.all(np.asarray(atom.line_longitudinal(0, jnp.ones(3))) == 0.0)
    assert np.all(np.asarray(atom.line_transverse(0, jnp.ones(3))) == 0.0)


# ---- by name, and bad input ----------------------------------------------------------------------


def test_response_asks_the_store(monkeypatch, known):
    asked = []

    def atom_table(symbol, source="table", exchange=1.0, progress=None):
        asked.append((symbol, source, exchange))
        return xenon_table(known)

    store = SimpleNamespace(atom_table=atom_table)
    monkeypatch.setitem(sys.modules, "jaxnu.atom.table_store", store)
    atom = response("Xe", "central-field", source="compute", thresholds="model", exchange=0.9)
    assert asked == [("Xe", "compute", 0.9)]
    assert isinstance(atom, CentralField) and atom.model == "central-field"
    assert response("Xe", "central-field").labels == ("K", "O2", "O3")


def test_response_of_a_file(monkeypatch, known, tmp_path):
    files = SimpleNamespace(read_table=lambda path: xenon_table(known))
    monkeypatch.setitem(sys.modules, "jaxnu.atom.table_files", files)
    atom = response("my.npz", thresholds="model")
    assert atom.model == "table" and atom.target == "Xe" and atom.labels == ("1s", "5p")
    assert response(tmp_path / "any", "table").model == "table"
    with pytest.raises(InputError, match=r"model = 'free' does not read files"):
        response("my.npz", "free")
    with pytest.raises(InputError, match=r"option 'exchange'.*'table'; allowed: thresholds"):
        response("my.npz", exchange=0.9)


def refused(table, match, thresholds="model"):
    with pytest.raises(InputError, match=match) as refusal:
        CentralField.from_table(table, thresholds)
    print(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1


def test_bad_tables_are_refused_with_the_reason(known):
    shell = known.shell("1s", 1.0)
    refused(None, "table = None is a NoneType")
    refused(known.table("H", shell), "thresholds = 'modle'.*did you mean 'model'", "modle")
    refused(replace(known.table("H", shell), Z=2), "table.Z = 2 is not that of 'H'")
    refused(known.table("H"), "momentum axes none")
    mixed = known.table("H", shell, replace(shell, label="2s", axis="Q"))
    refused(mixed, "momentum axes Q, p_z; allowed: one of")
    refused(known.table("H", replace(shell, axis="q")), "momentum axes q; allowed")
    refused(known.table("H", replace(shell, electrons=0.0)), "1s.electrons = 0 is outside")
    short = replace(shell, kinetic_keV=shell.kinetic_keV[:3], S=shell.S[:3], R=shell.R[:3])
    refused(known.table("H", short), "1s.kinetic_keV has 3 nodes")
    falling = replace(shell, momentum_keV=shell.momentum_keV[::-1])
    refused(known.table("H", falling), "1s.momentum_keV.*does not increase")
    two = known.table("H", replace(shell, electrons=2.0))
    refused(two, "holds 2 electrons, the tabulated subshells of 1s hold 1", "measured")
