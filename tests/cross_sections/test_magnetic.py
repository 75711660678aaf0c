"""dσ/dT of the magnetic moment: free limit, stepping, one bound electron, ends, derivatives."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from jaxnu import Numerics, cross_section, cross_section_lines, response
from jaxnu.constants import ELECTRON_MASS_keV, SIGMA0_cm2
from jaxnu.errors import InputError

M = ELECTRON_MASS_keV
MU = 1e-11
UNIT = SIGMA0_cm2 * MU**2
E = np.array([[50.0], [430.0], [2000.0], [8000.0]])
T_MAX = 2.0 * E**2 / (M + 2.0 * E)
T = T_MAX * np.array([1e-4, 0.03, 0.5, 0.99, 1.0 - 1e-12])


@pytest.fixture(scope="module")
def ge_1s():
    return response("Ge", "hydrogenic")


@pytest.fixture(scope="module")
def free():
    return response("Ge", "free")


def test_free_electrons_sum_to_the_exact_result(free, agree):
    parts = [cross_section(T, E, free, MU, part=p) for p in ("longitudinal", "transverse")]
    exact = 32.0 * UNIT * (1.0 / T - 1.0 / E)
    size = 32.0 * UNIT / T  # the difference itself cancels towards T = E
    agree("L + T of free electrons", parts[0] + parts[1], exact, 1e-12, scale=size)
    agree("total of free electrons", cross_section(T, E, free, MU), exact, 1e-12, scale=size)


def test_free_parts_are_their_closed_forms(free, agree):
    P2 = (2.0 * E - T) ** 2
    half = (1.0 - T / (2.0 * E)) ** 2
    L = 32.0 * UNIT / T * half * (1.0 - T / (2.0 * M))
    R = 32.0 * UNIT * half * (1.0 / (2.0 * M) - T / P2)
    agree("L", cross_section(T, E, free, MU, part="longitudinal"), L, 1e-12, scale=UNIT * 32.0 / T)
    agree("T", cross_section(T, E, free, MU, part="transverse"), R, 1e-12, scale=UNIT * 32.0 / T)
    nothing = cross_section(T, E, free, MU, part="transverse", spin_current=False)
    np.testing.assert_array_equal(nothing, 0.0)  # no convection current of an electron at rest


def test_stepping_counts_each_shell_from_its_threshold_on(agree):
    atom = response("Xe", "stepping")
    T, E = np.array([0.5, 0.938, 0.945, 5.0, 34.0, 34.6]), 400.0
    got = cross_section(T, E, atom, MU, by_shell=True)
    open_shell = np.asarray(atom.thresholds_keV) <= T[:, None]
    expected = UNIT * (1.0 / T - 1.0 / E)[:, None] * np.where(open_shell, atom.electrons, 0.0)
    agree("stepping per shell", got, expected, 1e-12)
    agree("their sum", cross_section(T, E, atom, MU), np.sum(expected, axis=1), 1e-12)


# one 1s electron of Z = 32 and E = 1 MeV, ratios to the free electron: T/I, L, T (convection),
# frozen current, light-cone equivalent photon
RATIOS = [
    (1.0, 0.89997631, 0.044307383, 0.094991115, 108.19779),
    (2.0, 0.92677046, 0.033913438, 0.049925905, 16.623438),
]


def test_ratios_of_one_electron_in_germanium(ge_1s, agree):
    I = ge_1s.thresholds_keV[0]
    table = np.array(RATIOS)
    T, E = table[:, 0] * float(I), 1000.0
    per_electron = UNIT * (1.0 / T - 1.0 / E)
    photon = {
        variant: response("Ge", "equivalent-photon", variant=variant, photoabsorption="hydrogenic")
        for variant in ("frozen-current", "light-cone")
    }
    agree("I of Ge 1s, keV", float(I), 13.932, 5e-5)
    for label, column, atom, part in (
        ("L", 1, ge_1s, "longitudinal"),
        ("T (convection)", 2, ge_1s, "transverse"),
        ("frozen current", 3, photon["frozen-current"], "transverse"),
        ("equivalent photon", 4, photon["light-cone"], "transverse"),
    ):
        got = cross_section(T, E, atom, MU, part=part, spin_current=False) / per_electron
        agree(label, got, table[:, column], 1e-6)


def test_ratios_of_hydrogen(agree):
    atom = response("H", "hydrogenic")
    T, E = atom.thresholds_keV, 1000.0
    per_electron = UNIT * (1.0 / T - 1.0 / E)
    for part, expected in (("longitudinal", 0.95713534), ("transverse", 1.1542505e-4)):
        got = cross_section(T, E, atom, MU, part=part, spin_current=False) / per_electron
        agree(f"hydrogen at threshold, {part}", got, [expected], 1e-6)


def direct_integral(atom, T, E, part, spin, strength):
    """KS11 eqs 7 and 8 by adaptive integration over Q, panels at the ridge."""
    P = 2.0 * E - T

    def integrand(log_Q):
        Q = np.exp(log_Q)
        S, R = strength(Q)
        R = R + (Q / (2.0 * M)) ** 2 * S if spin else R
        L_term, T_term = (1.0 - (T / Q) ** 2) * S, (1.0 - (Q / P) ** 2) * R
        return 2.0 * {"longitudinal": L_term, "transverse": T_term, "total": L_term + T_term}[part]

    p0 = np.sqrt(2.0 * M * float(atom.thresholds_keV[0]))
    inner = np.log(np.sqrt(2.0 * M * T) + p0 * np.array([-0.5, 0.0, 0.5, 3.0]))
    points = np.unique(np.clip([np.log(T), *inner, np.log(P)], np.log(T), np.log(P)))
    total = sum(
        quad(integrand, a, b, epsabs=0.0, epsrel=1e-11, limit=200)[0]
        for a, b in itertools.pairwise(points)
    )
    return UNIT * P**2 / (4.0 * E**2) * total


@pytest.mark.parametrize(
    ("part", "spin"), [("longitudinal", False), ("transverse", True), ("total", True)]
)
def test_continuum_against_a_direct_integral(ge_1s, part, spin, agree):
    T, E = 19.0, 300.0
    both = jax.jit(lambda Q: (ge_1s.longitudinal(T, Q), ge_1s.transverse(T, Q)))
    direct = direct_integral(ge_1s, T, E, part, spin, lambda Q: map(float, both(Q)))
    got = cross_section(jnp.full(2, T), E, ge_1s, MU, part=part, spin_current=spin)
    agree(f"{part} at T = {T} keV", got, [direct, direct], 1e-9)


@pytest.mark.parametrize(("n", "E"), [(0, 300.0), (5, 100.0)])
def test_lines_against_a_direct_integral(ge_1s, n, E, agree):
    both = jax.jit(lambda Q: (ge_1s.line_longitudinal(n, Q), ge_1s.line_transverse(n, Q)))
    T_lines, sigma = cross_section_lines(np.array([E]), ge_1s, MU)
    T = float(T_lines[n])
    direct = direct_integral(ge_1s, T, E, "total", True, lambda Q: map(float, both(Q)))
    agree(f"line 1s → {n + 2} at E = {E} keV", sigma[0, n], direct, 1e-9)


def test_lines_are_closed_below_their_energy(ge_1s):
    T, sigma = cross_section_lines(np.array([11.0]), ge_1s, MU)
    reached = np.asarray(T) < 11.0
    assert 0 < reached.sum() < len(reached)  # 10.4 keV to n = 2, the next is 12.4
    np.testing.assert_array_equal(np.asarray(sigma[0]) > 0.0, reached)


def test_doubling_the_nodes_changes_nothing(ge_1s, agree):
    I = float(ge_1s.thresholds_keV[0])
    T = I * np.array([1.0, 1.01, 2.0, 10.0])
    coarse = cross_section(T, 1000.0, ge_1s, MU)
    fine = cross_section(T, 1000.0, ge_1s, MU, numerics=Numerics().refined(2))
    agree("twice the Q nodes", coarse, fine, 1e-10)


def kernel(atom):
    """dσ/dT/μ² × 1e26 as a function of arrays (T, E), traced."""
    return jax.jit(lambda T, E: 1e26 * cross_section(T, E, atom, 1.0 * MU) / MU**2)


def both_slopes(atom):
    f = kernel(atom)
    total = lambda T, E: jnp.sum(f(T, E))  # noqa: E731
    return f, jax.jit(jax.grad(total, argnums=(0, 1)))


@pytest.mark.parametrize("model", ["free", "stepping", "hydrogenic"])
def test_zero_with_zero_gradient_beyond_the_end_and_nan_for_T_not_positive(model):
    f, gradient = both_slopes(response("Ge", model))
    E = 1000.0
    end = 2.0 * E**2 / (M + 2.0 * E) if model != "hydrogenic" else E
    T = np.array([end * (1 + 1e-9), 1.5 * E, 1e6, 0.0, -1.0, 0.5 * end])
    values = np.asarray(f(T, E))
    slopes = np.asarray(gradient(T, np.full(6, E)))
    np.testing.assert_array_equal(values[:3], 0.0)
    np.testing.assert_array_equal(slopes[:, :3], 0.0)
    assert np.isnan(values[3:5]).all()
    assert values[5] > 0.0 and np.isfinite(slopes[:, 5]).all()


@pytest.mark.parametrize(
    ("T", "E", "words"),
    [
        (0.0, 100.0, "T_keV = 0 keV"),
        (-1.0, 100.0, "T_keV = -1 keV"),
        (100.0, 100.0, "T_keV = 100 keV is not below E_keV = 100 keV"),
        (float("nan"), 100.0, "T_keV = nan"),
        (1.0, float("inf"), "E_keV = inf"),
        ([1.0, 2.0, 300.0], 100.0, "T_keV = 300 keV"),
        (np.ones(3), np.ones(2), "do not broadcast"),
    ],
)
def test_concrete_energies_that_cannot_be_are_refused(free, T, E, words):
    with pytest.raises(InputError) as refusal:
        cross_section(T, E, free)
    print(refusal.value)
    assert words in str(refusal.value) and len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize("model", ["stepping", "hydrogenic"])
def test_derivatives_are_finite_differences(model, slope, agree):
    atom = response("Ge", model)
    T, E = np.array([14.5, 20.0, 60.0]), 300.0

    def value(T, E, mu, scale):
        moved = dataclasses.replace(atom, thresholds_keV=atom.thresholds_keV * scale)
        return 1e45 * jnp.sum(cross_section(T, E, moved, mu) * jnp.array([1.0, 2.0, 3.0]))

    compiled = jax.jit(value)
    at = (T, E, MU, 1.0)
    gradient = jax.jit(jax.grad(value, argnums=(0, 1, 2, 3)))(*map(jnp.asarray, at))

    def moved(i, direction, h):
        return compiled(*(a + h * direction if k == i else a for k, a in enumerate(at)))

    for i, name, direction, step in (
        (0, "T", np.array([0.2, 1.0, 3.0]), 1e-2),
        (1, "E", 1.0, 1.0),
        (2, "mu", 1.0, 1e-13),
        (3, "threshold scale", 1.0, 1e-3),
    ):
        numeric = slope(lambda h, i=i, d=direction: moved(i, d, h), 0.0, step)
        got = np.sum(np.asarray(gradient[i]) * direction)
        agree(f"{model}, d/d({name})", got, numeric, 1e-7, scale=max(abs(numeric), 1e-30))
    if model == "stepping":
        assert float(gradient[3]) == 0.0  # between the steps, where they stand does not matter
