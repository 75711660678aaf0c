"""The tables of atoms: against direct evaluation, sum rules, gauge, photoabsorption, convergence.

What is measured is defined in benchmarks/bench_atom_tables.py, which prints it for all elements.
"""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from jaxnu.elements import element, subshells
from jaxnu.responses import CentralField, response
from jaxnu.responses.sum_rules import f_sum, static_sum

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "bench_atom_tables.py"
QUICK = ("He", "Ge")
ELEMENTS = ("He", "Ne", "Na", "Ar", "Si", "Ge", "Kr", "I", "Xe", "Cs")


def each(symbols):
    """The elements as parameters; all but one light and one heavy atom in the slow run."""
    return [s if s in QUICK else pytest.param(s, marks=pytest.mark.slow) for s in symbols]


@pytest.fixture(scope="module")
def bench():
    specification = importlib.util.spec_from_file_location("bench_atom_tables", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def model(bench):
    return lambda symbol: CentralField.from_table(bench.table(symbol), "model")


# ---- against direct evaluation -------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("symbol", ["He", "Ge", "Xe"])  # the script does all ten
def test_table_equals_direct_evaluation(bench, symbol):
    """200 random (shell, T, Q), ε > 12 eV, T/I < 100, S above 1e-3 of the ridge."""
    points = bench.off_node_points(symbol)
    is_s = np.char.endswith(points.label.astype(str), "s")
    assert points.S.size >= 190
    for name, rows, bound in (("s", points[is_s], 6e-3), ("p, d", points[~is_s], 1e-3)):
        if rows.S.size:
            S, R = np.abs(rows.S), np.abs(rows.R)
            at = np.argmax(S)
            print(f"{symbol} {name} shells: S to {S[at]:.1e} ({rows.label[at]}, T/I = "
                  f"{rows.ratio[at]:.3g}), R to {R.max():.1e}")  # fmt: skip
            assert S.max() < bound and R.max() < 2.0 * bound
    medians = np.median(np.abs(points.S)), np.median(np.abs(points.R))
    print(f"{symbol}: median {medians[0]:.1e} in S, {medians[1]:.1e} in R")
    assert max(medians) < 2e-4


@pytest.mark.parametrize(
    ("symbol", "label"),
    [
        pytest.param("Ne", "2p", marks=pytest.mark.slow),
        pytest.param("Xe", "3d", marks=pytest.mark.long),
    ],
)
def test_integrals_equal_those_of_doubled_settings(bench, symbol, label):
    """T∫S dQ²/Q², ∫S dQ²/2m and T∫R dQ²/Q² of the table halfway between its energies, where doubled
    nodes would be, against a direct evaluation there with mesh, multipoles and Q nodes doubled,
    T/I < 100. All subshells of Ge and Xe: sections "energies" (all of them) and "convergence" (six
    of each class) of the script."""
    for high, worst in bench.convergence(symbol, label):
        print(f"{symbol} {label}, T/I < {high:.4g}: {worst}")
        assert worst.max() < 1e-3


@pytest.mark.parametrize(
    ("symbol", "label", "low_eV", "high_eV", "peak", "electrons", "tolerance"),
    [
        pytest.param("Xe", "4d", 4.0, 25.0, 9.5, 7.1, 0.1, marks=pytest.mark.slow),
        pytest.param("I", "4d", 5.0, 30.0, 12.8, 3.7, 0.1, marks=pytest.mark.long),
        pytest.param("Cs", "4d", 0.4, 4.0, 1.16, 82.0, 1.0, marks=pytest.mark.long),
    ],
)
def test_shape_resonances_are_resolved(
    bench, symbol, label, low_eV, high_eV, peak, electrons, tolerance
):
    """Peak of T∫S dQ²/Q² per electron where another solver found it; and the integral over the
    resonance, from the table and by direct evaluation at every one of 128 energies."""
    energies = np.expm1(np.linspace(np.log1p(low_eV), np.log1p(high_eV), 128)) / 1e3
    I = bench.shell_of(symbol, label).threshold_keV
    ours = np.asarray(bench.momentum_integrals(bench.response_of(symbol, label), energies + I))
    theirs = bench.direct_integrals(symbol, label, energies, finer=False)
    at = int(np.argmax(ours[:, 0]))
    sums = np.trapezoid(ours, energies, axis=0) / np.trapezoid(theirs, energies, axis=0) - 1.0
    print(
        f"{symbol} {label}: {ours[at, 0]:.3f} at {energies[at] * 1e3:.3f} eV; integrals over it, "
        f"table over direct − 1: {sums}; worst energy {np.abs(ours / theirs - 1.0).max(axis=0)}"
    )
    assert energies[at] * 1e3 == pytest.approx(peak, rel=0.03)
    assert ours[at, 0] == pytest.approx(electrons, abs=tolerance)
    assert np.abs(sums).max() < 1e-3


FAR = (120.0, 200.0, 300.0)  # each with as many multipoles as it takes: a program of its own


@pytest.mark.parametrize(
    ("symbol", "label", "pointwise", "ratios"),
    [
        pytest.param("Ge", "3d", 5e-2, (300.0,), marks=pytest.mark.long),
        pytest.param("Xe", "3d", 2e-3, (101.6,), marks=pytest.mark.long),
        pytest.param("Xe", "5p", 2e-3, (104.3,), marks=pytest.mark.long),
        *(pytest.param(*row, FAR, marks=pytest.mark.long) for row in (
            ("He", "1s", 2e-3), ("Xe", "5p", 1.5e-2), ("Ge", "3d", 5e-2), ("Ge", "4p", 1.5e-2),
        )),
    ],
)  # fmt: skip
def test_beyond_the_multipoles(bench, symbol, label, pointwise, ratios):
    """Above T/I = 100 tables go on with the impulse form and its first corrections: both integrals
    of S to 1e-3 and the transverse one to 1e-2, at the first energy above the switch and at T/I =
    120, 200 and 300; S itself less well."""
    I = bench.shell_of(symbol, label).threshold_keV
    for ratio in ratios:
        energy = np.array([(ratio - 1.0) * I])
        ours = bench.momentum_integrals(bench.response_of(symbol, label), energy + I)
        error = np.asarray(ours)[0] / bench.direct_integrals(symbol, label, energy, False)[0] - 1
        _, over_ridge, S, _ = bench.beyond_the_switch(symbol, label, ratio)
        near = np.abs(S * over_ridge).max()
        print(f"{symbol} {label}, T/I = {ratio:g}: integrals {error}, S {near:.1e} of the ridge")
        assert np.abs(error[:2]).max() < 1e-3
        assert abs(error[2]) < 1e-2
        assert near < pointwise


def test_xenon_2p_has_no_switch(bench):
    """Its table is multipoles to the end, T/I = 22, where the bare impulse form, both of whose
    integrals are 1, would differ from them by less than 1e-3."""
    shell = bench.shell_of("Xe", "2p")
    T = shell.threshold_keV + np.asarray(shell.kinetic_keV)[-1]
    assert bench.SWITCH * shell.threshold_keV > T
    bare = 1.0 - np.asarray(bench.momentum_integrals(bench.response_of("Xe", "2p"), T[None]))[0]
    print(f"Xe 2p, T/I = {T / shell.threshold_keV:.3g}: bare impulse form off by {bare[:2]}")
    assert np.abs(bare[:2]).max() < 1e-3


@pytest.mark.parametrize(
    ("symbol", "label"),
    [pytest.param(*row, marks=[] if row[0] in QUICK else pytest.mark.slow)
     for row in (("He", "1s"), ("Ge", "4p"), ("Xe", "3d"), ("Xe", "5p"))],
)  # fmt: skip
def test_no_step_at_the_switch(bench, symbol, label):
    """ln S at fixed p_z, where S exceeds 1e-3 of its largest: the cubic through the last four
    energies done by multipoles meets the next one, and so at every energy above, where windows and
    blends change. A step of h shows as h at the switch and up to 6 h among four nodes above it."""
    shell = bench.shell_of(symbol, label)
    T, S = shell.threshold_keV + np.asarray(shell.kinetic_keV), np.asarray(shell.S)
    last = np.flatnonzero(bench.SWITCH * shell.threshold_keV >= T)[-1]
    log_S = np.log(S)
    ahead = 4.0 * log_S[3:-1] - 6.0 * log_S[2:-2] + 4.0 * log_S[1:-3] - log_S[:-4]
    visible = S[4:] > 1e-3 * S[4:].max(axis=1, keepdims=True)
    step = np.where(visible, np.abs(log_S[4:] - ahead), 0.0).max(axis=1)
    switch, above = step[last - 3], step[last - 2 :].max()
    print(f"{symbol} {label}: {switch:.1e} at T = {T[last]:.4g} keV, at most {above:.1e} above")
    assert switch < 2e-2
    assert above < 4e-2


# ---- identities ----------------------------------------------------------------------------------


@pytest.mark.parametrize("symbol", each(ELEMENTS))
def test_occupations_f_sum_and_static_sum(bench, model, symbol):
    """∑ n_e = Z; ∑T S = Z Q²/2m to 1%; ∑S = electrons less the elastic part, by another
    quadrature. Every transition counts, as in the sum rules."""
    Q, atom = np.array([1.0, 10.0, 100.0]), model(symbol)
    assert sum(s.electrons for s in bench.table(symbol).shells) == element(symbol).Z
    energy = np.asarray(f_sum(atom, Q)).sum(axis=1) / element(symbol).Z - 1.0
    inelastic = np.array([bench.inelastic_electrons(symbol, q).sum() for q in Q])
    static = np.asarray(static_sum(atom, Q)).sum(axis=1) / inelastic - 1.0
    print(f"{symbol}: f-sum over Z − 1 {energy}, static sum {static}")
    assert np.abs(energy).max() < 1e-2
    assert np.abs(static).max() < 1e-2


COOPER = {"Na": (5.7, 6.6), "Cs": (4.2, 5.3)}  # eV, where 3s and 6s are alone and vanish


@pytest.mark.parametrize("symbol", each(ELEMENTS))
def test_gauge(bench, model, symbol):
    """R(T, Q→0) = T² lim S/Q² to 1% from threshold to 50 keV. A table ends on the light cone, and
    a dipole amplitude that passes through zero leaves quadrupoles there: Na 3s and Cs 6s, alone
    near threshold. Asked of the strength there: 1e-3 of what it is at threshold."""
    threshold = float(np.asarray(model(symbol).thresholds_keV).min())
    T = np.geomspace(1.0005 * threshold, 50.0, 300)
    atom, shells = bench.gauge_error(symbol, T)
    low, high = COOPER.get(symbol, (0.0, 0.0))
    away = (low / 1e3 > T) | (high / 1e3 < T)
    at = np.argmax(np.abs(atom) * away)
    bad = [
        f"{label} ({T[np.nanargmax(np.abs(error))]:.3g} keV {np.nanmax(np.abs(error)):.1e})"
        for label, error in zip(model(symbol).labels, shells.T, strict=True)
        if np.nanmax(np.abs(error)) > 1e-2
    ]
    print(f"{symbol}: gauge to {abs(atom[at]):.1e} at T = {T[at]:.4g} keV; worse than 1%: {bad}")
    assert abs(atom[at]) < 1e-2
    if symbol in COOPER:
        R = np.asarray(model(symbol).transverse(T, 1e-5))
        assert np.abs(R * atom / (1.0 + atom))[~away].max() < 1e-3 * R[0]


# ---- nature --------------------------------------------------------------------------------------

NEAR_L = pytest.mark.xfail(
    strict=True,
    reason="1.052 of Elam's (1.079 of Chantler's) at 5.85 keV: L1 and L2 are not drawn in by the "
    "relativity that binds them deeper; see test_the_excess_of_xenon_is_the_missing_contraction",
)
HIGH_keV = np.geomspace(2.0, 10.0, 25)
LOW_keV = np.geomspace(0.35, 2.0, 25)


@pytest.mark.parametrize(
    ("symbol", "T_keV", "tolerance"),
    [pytest.param("Xe", HIGH_keV, 0.05, marks=[pytest.mark.slow, NEAR_L]),
     *(pytest.param(symbol, T, tolerance, marks=[] if symbol in QUICK else pytest.mark.slow)
     for T, tolerance, symbols in (
         (HIGH_keV, 0.05, ("He", "Si", "Ar", "Ge", "I")),
         (LOW_keV, 0.15, ("Si", "Ar", "Ge", "Xe")),
     ) for symbol in symbols)],
)  # fmt: skip
def test_photoabsorption(bench, symbol, T_keV, tolerance):
    pytest.importorskip("xraydb")
    elam, chantler, away = bench.photoabsorption_ratios(symbol, T_keV)
    error = elam - 1.0
    if symbol == "Ar":  # just above its K edge Elam's table lies 3 to 4% below Chantler's
        disputed = (T_keV > 3.3) & (T_keV < 3.65)
        error[disputed] = chantler[disputed] - 1.0
    worst = np.argmax(np.abs(error) * away)
    print(
        f"{symbol}, {T_keV[0]:g} to {T_keV[-1]:g} keV, {away.sum()} energies away from edges: "
        f"{elam[away].min():.3f} to {elam[away].max():.3f} of Elam's, "
        f"worst {error[worst]:+.3f} at {T_keV[worst]:.3g}"
    )
    assert away.sum() >= 12
    assert abs(error[worst]) < tolerance


@pytest.mark.parametrize("symbol", each(["He", "Si", "Ar", "Ge", "I", "Xe"]))
def test_photoabsorption_with_thresholds_of_the_model(bench, symbol):
    """2 to 10 keV, away from the model's edges too: nothing is shifted or scaled."""
    pytest.importorskip("xraydb")
    elam, _, away = bench.photoabsorption_ratios(symbol, HIGH_keV, "model")
    print(f"{symbol}: {elam[away].min():.4f} to {elam[away].max():.4f} of Elam's")
    assert away.sum() >= 20
    assert np.abs(elam[away] - 1.0).max() < 0.05


@pytest.mark.slow
def test_the_excess_of_xenon_is_the_missing_contraction(bench):
    """Above L1 the excess over Elam's goes when 2s and 2p are those of an atom that binds them as
    L1 and L2 are measured: 391 and 330 eV deeper than without relativity (L3: 9 eV)."""
    pytest.importorskip("xraydb")
    ours, contracted, factors = bench.xenon_with_contracted_orbitals(5.85)
    print(f"Xe, 5.85 keV: {ours:.4f} of Elam's; contracted {contracted:.4f}, {factors}")
    assert ours > 1.05
    assert abs(contracted - 1.0) < 0.01
    assert factors["L1"] < 0.9 and factors["L2"] < 0.9 and abs(factors["L3"] - 1.0) < 0.01


@pytest.mark.parametrize("symbol", each(["Ge"]))
def test_thresholds_of_germanium_3d(bench, symbol):
    """Model 39.4 eV, measured 29.8 and 29.2 eV: S the same at fixed ε, R scaled by (T/T_model)²,
    so that both are gauge invariant alike."""
    I = bench.shell_of(symbol, "3d").threshold_keV
    both = {name: CentralField.from_table(bench.table(symbol), name) for name in
            ("model", "measured")}  # fmt: skip
    energy, Q = np.array([0.01, 0.1, 1.0])[:, None], np.array([1e-4, 0.5, 5.0])
    column = both["model"].labels.index("3d")
    S, R = (np.asarray(f(I + energy, Q, by_shell=True)[..., column]) for f in
            (both["model"].longitudinal, both["model"].transverse))  # fmt: skip
    for name, share in (("M4", 0.4), ("M5", 0.6)):
        measured = next(s.binding_keV for s in subshells("Ge") if s.label == name)
        column = both["measured"].labels.index(name)
        T = measured + energy
        S_m, R_m = (np.asarray(f(T, Q, by_shell=True)[..., column]) for f in
                    (both["measured"].longitudinal, both["measured"].transverse))  # fmt: skip
        print(f"Ge {name}: {measured * 1e3:.1f} eV, model {I * 1e3:.1f} eV; "
              f"R scaled by {(R_m / R / share)[:, 0]}")  # fmt: skip
        np.testing.assert_allclose(S_m, share * S, rtol=1e-9)
        np.testing.assert_allclose(R_m, share * R * (T / (I + energy)) ** 2, rtol=1e-9)
        gauge = R_m[:, 0] / (T[:, 0] ** 2 * S_m[:, 0] / Q[0] ** 2)
        np.testing.assert_allclose(gauge, 1.0, atol=5e-3)


@pytest.mark.parametrize("symbol", each(["Ge", "Xe"]))
def test_effective_charges_tend_to_the_stepping_count(bench, symbol):
    """T∫S dQ²/Q² and ∫S dQ²/2m above 3 keV, at least 30% above the last edge, against the number
    of electrons bound by less than T: 1%."""
    stepping = response(symbol, "stepping")
    edges = np.asarray(stepping.thresholds_keV)
    T = np.geomspace(3.0, 90.0, 12)
    T = T[np.all((T[:, None] > 1.3 * edges) | (T[:, None] < edges), axis=1)]
    charges = np.zeros((T.size, 2))
    for shell in subshells(symbol):
        label = shell.orbital
        model = bench.shell_of(symbol, label)
        here = shell.binding_keV < T
        energy = T[here] - shell.binding_keV
        energy = np.minimum(energy, model.kinetic_keV[-1])
        moments = np.asarray(
            bench.momentum_integrals(bench.response_of(symbol, label), energy + model.threshold_keV)
        )
        charges[here] += shell.electrons * moments[:, :2]
    count = np.array([np.asarray(stepping.electrons)[edges < t].sum() for t in T])
    ratio = charges / count[:, None] - 1.0
    print(f"{symbol}: T {T.round(2)} keV, effective over stepping − 1\n{ratio.T}")
    assert T.size >= 5
    assert np.abs(ratio).max() < 1e-2
