"""Compounds: sums of their atoms, in every quantity."""

import dataclasses

import jax
import numpy as np
import pytest

import jaxnu
from jaxnu import flux
from jaxnu.counts import signal_counts
from jaxnu.cross_sections.effective import effective_charge
from jaxnu.elements import composition, element, molar_mass
from jaxnu.errors import InputError
from jaxnu.responses import Compound
from jaxnu.responses.sum_rules import f_sum
from jaxnu.settings import NUMERICS

T_keV = np.array([0.03, 0.3, 2.0, 20.0])


@pytest.mark.parametrize(
    ("formula", "atoms", "mass"),
    [("NaI", {"Na": 1, "I": 1}, 149.894), ("CaWO4", {"Ca": 1, "W": 1, "O": 4}, 287.91),
     ("Al2O3", {"Al": 2, "O": 3}, 101.961), ("Xe", {"Xe": 1}, 131.293)],
)  # fmt: skip
def test_formula(formula, atoms, mass):
    assert composition(formula) == atoms
    assert molar_mass(formula) == pytest.approx(mass, rel=1e-4)


@pytest.mark.parametrize("word", ["", "nai", "Na I", "Ca(WO4)", "NaI0", "Zz2", "2Xe", 3])
def test_what_is_no_formula_is_refused(word):
    with pytest.raises(InputError, match="target"):
        jaxnu.response(word)


@pytest.mark.parametrize("model", ["central-field", "stepping", "free"])
def test_cross_section_is_the_sum_over_atoms(model):
    whole = jaxnu.response("NaI", model)
    parts = [jaxnu.response(symbol, model) for symbol in ("Na", "I")]
    for channel in ("magnetic", "weak"):
        # Q nodes follow the narrowest ridge of all: by default the quadratures differ by 1e-7
        choice = {"channel": channel, "numerics": NUMERICS.refined(8)}
        ours = jaxnu.cross_section(T_keV, 400.0, whole, **choice)
        sums = sum(jaxnu.cross_section(T_keV, 400.0, part, **choice) for part in parts)
        np.testing.assert_allclose(ours, sums, rtol=1e-8)
    assert whole.Z == 64 and whole.model == model
    assert float(whole.electrons.sum()) == pytest.approx(64.0)


def test_numbers_of_atoms_count():
    """C3H8 by stepping is three carbons and eight hydrogens, per formula unit and per kg."""
    whole = jaxnu.response("C3H8", "stepping")
    C, H = jaxnu.response("C", "stepping"), jaxnu.response("H", "stepping")
    one = [jaxnu.cross_section(T_keV, 400.0, part) for part in (whole, C, H)]
    np.testing.assert_allclose(one[0], 3.0 * one[1] + 8.0 * one[2], rtol=1e-12)
    sun = flux.solar()
    rates = [jaxnu.rate(T_keV, sun, part) for part in (whole, C, H)]
    shares = [3.0 * element("C").weight, 8.0 * element("H").weight]
    mixed = (shares[0] * rates[1] + shares[1] * rates[2]) / molar_mass("C3H8")
    np.testing.assert_allclose(rates[0], mixed, rtol=1e-12)


@pytest.mark.slow
def test_models_may_be_mixed_and_the_name_says_so():
    """XeNe2 with neon by stepping: rate, effective charges and sums are those of the parts."""
    neon, xenon = jaxnu.response("Ne", "stepping"), jaxnu.response("Xe")
    both = type(jaxnu.response("NaI")).of("XeNe2", (xenon, neon))
    assert both.model == "central-field (Ne: stepping)"
    with pytest.raises(InputError, match="parts"):
        type(both).of("XeNe2", (neon, xenon))
    sun = flux.solar()
    each = [jaxnu.rate(T_keV, sun, part) for part in (xenon, neon)]
    weights = np.array([element("Xe").weight, 2.0 * element("Ne").weight])
    mixed = (weights[0] * each[0] + weights[1] * each[1]) / weights.sum()
    np.testing.assert_allclose(jaxnu.rate(T_keV, sun, both), mixed, rtol=1e-6)
    sections = jaxnu.cross_section(T_keV, 400.0, both, by_shell=True)
    assert sections.shape == (4, len(both.labels))
    parts = [jaxnu.cross_section(T_keV, 400.0, part, by_shell=True) for part in (xenon, neon)]
    np.testing.assert_allclose(
        sections, np.concatenate([parts[0], 2.0 * parts[1]], axis=-1), rtol=1e-6, atol=1e-80
    )
    ours, charges = effective_charge(2.0, both), effective_charge(2.0, xenon)
    np.testing.assert_allclose(ours, np.array(charges) + 20.0, rtol=1e-6)
    sums = [float(f_sum(part, 10.0).sum()) for part in (both, xenon, neon)]
    assert sums[0] == pytest.approx(sums[1] + 2.0 * sums[2], rel=1e-6)


def test_lines_keep_their_shell_and_strength():
    whole = jaxnu.response("NaI")
    parts = [jaxnu.response(symbol) for symbol in ("Na", "I")]
    T, shell = whole.lines()
    assert T.shape[0] == sum(part.lines().T_keV.shape[0] for part in parts)
    first = 0
    Q = np.array([0.5, 5.0])
    for part, symbol in zip(parts, ("Na", "I"), strict=True):
        own = part.lines()
        for n in (0, own.T_keV.shape[0] - 1):
            assert float(T[first + n]) == float(own.T_keV[n])
            assert whole.labels[int(shell[first + n])] == f"{symbol} {part.labels[own.shell[n]]}"
            for name in ("line_longitudinal", "line_transverse"):
                ours, theirs = getattr(whole, name)(first + n, Q), getattr(part, name)(n, Q)
                np.testing.assert_allclose(ours, theirs, rtol=1e-12)
        first += own.T_keV.shape[0]


def test_gradient_in_thresholds_of_a_part():
    whole = jaxnu.response("NaI", "stepping")

    def section(scale):
        parts = tuple(
            type(p)(p.target, p.model, p.Z, p.labels, scale * p.electrons, p.thresholds_keV)
            for p in whole.parts
        )
        return jaxnu.cross_section(2.0, 400.0, type(whole).of("NaI", parts))

    value, slope = jax.value_and_grad(section)(1.0)
    assert float(slope) == pytest.approx(float(value), rel=1e-12)


@pytest.mark.slow
def test_gradient_of_counts_in_the_threshold_of_a_part():
    """The edge of a panel moves with the step of a part: d(counts)/d(Xe L3) by differences."""
    experiment = jaxnu.load_experiment("xenonnt-sr0")
    experiment = dataclasses.replace(experiment, target="XeNe2")
    xenon, neon = jaxnu.response("Xe", "stepping"), jaxnu.response("Ne", "stepping")
    row = xenon.labels.index("L3")

    def total(shift):
        moved = xenon.thresholds_keV.at[row].add(shift)
        whole = Compound.of("XeNe2", (dataclasses.replace(xenon, thresholds_keV=moved), neon))
        return signal_counts(experiment, whole).sum() * 1e-22

    whole = Compound.of("XeNe2", (xenon, neon))
    by_atom = jax.grad(lambda atom: signal_counts(experiment, atom).sum() * 1e-22)(whole)
    slope = by_atom.parts[0].thresholds_keV[row]
    differences = (total(1e-3) - total(-1e-3)) / 2e-3
    print(f"d(counts)/d(threshold): {float(slope):.6f}, differences {float(differences):.6f}")
    assert abs(float(slope)) > 1e-3
    assert float(slope) == pytest.approx(float(differences), rel=1e-4)
