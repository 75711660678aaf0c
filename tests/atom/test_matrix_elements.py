"""Hydrogen through the general machinery, no closed form inside, against closed forms."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnu.atom.bound import rydberg_orbitals
from jaxnu.atom.configuration import parse_configuration
from jaxnu.atom.field import atom_mesh, frozen_field
from jaxnu.atom.matrix_elements import electron_responses
from jaxnu.atom.potential import coulomb_potential
from jaxnu.atom.subshells import (
    effective_electrons,
    excitation_responses,
    ionisation_responses,
)

# T, Q, S, R of one 1s electron, Hartree units: closed form, two derivations
TABLE = np.array([
    (0.75, 1.0, 0.589676953553, 0.20884392105),
    (1.0, 0.5, 0.0485802887065, 0.143532671178),
    (1.0, 1.0, 0.373536738647, 0.186768369324),
    (2.0, 2.0, 0.408780093275, 0.102195023319),
    (5.0, 2.0, 0.0144419925732, 0.0213347617559),
    (20.0, 4.0, 0.000311680990799, 0.00141673177636),
])  # fmt: skip
THRESHOLD = {  # T∫S dQ²/Q², ∫S dQ²/2m at threshold
    "1s": (1.0 - 7.0 / 3.0 * np.exp(-4.0), 1.0 - 7.0 / 3.0 * np.exp(-4.0)),
    "2s": (1.0 - 1639.0 / 15.0 * np.exp(-8.0), 1.0 - 871.0 / 15.0 * np.exp(-8.0)),
    "2p": (1.0 - 2101.0 / 45.0 * np.exp(-8.0), 1.0 - 103.0 / 15.0 * np.exp(-8.0)),
}


def hydrogen(subshell):
    proton = coulomb_potential(atom_mesh(1.0), 1.0)
    return frozen_field(proton, parse_configuration("H", subshell + "1"))


@pytest.fixture(scope="module")
def ground():
    return hydrogen("1s")


def test_continuum_responses_of_the_ground_state(ground):
    T, Q, S, R = TABLE.T
    responses = ionisation_responses(ground, "1s", T - 0.5, Q, 60)
    for name, values, exact in (("S", responses.S, S), ("R", responses.R, R)):
        error = np.abs(np.diagonal(np.asarray(values)) / exact - 1.0)
        print(f"hydrogen 1s {name}: worst relative error {error.max():.1e}")
        assert error.max() < 1e-5


def test_ratio_of_r_to_s_everywhere(ground):
    """R/S = (T/2) D/[Q²(3Q² + 1 + k²)], D = (Q² + 1 + k²)² − 4Q²k²."""
    energy, Q = jnp.array([0.01, 0.3, 2.0]), jnp.geomspace(0.05, 6.0, 12)
    responses = ionisation_responses(ground, "1s", energy, Q, 60)
    T, k2, q2 = energy + 0.5, 2.0 * energy, Q[:, None] ** 2
    D = (q2 + 1.0 + k2) ** 2 - 4.0 * q2 * k2
    exact = 0.5 * T * D / (q2 * (3.0 * q2 + 1.0 + k2))
    error = np.abs(np.asarray(responses.R / responses.S / exact) - 1.0)
    print(f"R/S: worst relative error {error.max():.1e}")
    assert error.max() < 1e-4


@pytest.mark.parametrize("subshell", ["1s", "2s", "2p"])
def test_integrals_at_threshold(subshell):
    """The integrals are smooth in ε: two small energies extrapolate to the threshold."""
    small = jnp.array([2e-4, 4e-4])
    result = effective_electrons(hydrogen(subshell), subshell, small, 30)
    for name, values, exact in zip(
        ("T∫S dQ²/Q²", "∫S dQ²/2m"), (result.inverse, result.flat), THRESHOLD[subshell], strict=True
    ):
        at_zero = float(2.0 * values[0] - values[1])
        print(f"{subshell} {name}: {at_zero:.8f}, exact {exact:.8f}")
        assert at_zero == pytest.approx(exact, abs=1e-5)


@pytest.mark.slow
def test_effective_electrons_above_threshold(ground):
    T = np.array([0.6, 1.0, 2.0, 5.0])
    exact = [0.968137210955, 0.987439347010, 0.996807037606, 0.999531146508]
    result = effective_electrons(ground, "1s", T - 0.5, 60)
    error = np.abs(np.asarray([result.inverse, result.flat]) - exact)
    print(f"hydrogen 1s integrals: worst error {error.max():.1e}")
    assert error.max() < 1e-5


def test_lines_of_the_ground_state(ground):
    """|F_n|² in closed form, and R/S as for the continuum with k² → −1/n²."""
    Q = jnp.array([0.05, 0.5, 1.0, 2.0])
    lines = excitation_responses(ground, "1s", Q, n_max=6)
    q2 = np.asarray(Q)[:, None] ** 2
    n = np.arange(2, 7)
    exact = (
        2.0**8 * n**7 * q2 * ((n**2 - 1) / 3.0 + n**2 * q2)
        * ((n - 1) ** 2 + n**2 * q2) ** (n - 3.0) / ((n + 1) ** 2 + n**2 * q2) ** (n + 3.0)
    )  # fmt: skip
    of_n = (np.asarray(lines.n)[:, None] == n).astype(float)
    S, R = np.asarray(lines.responses.S) @ of_n, np.asarray(lines.responses.R) @ of_n
    T = 0.5 * (1.0 - 1.0 / n**2)
    D = (q2 + 1.0 - 1.0 / n**2) ** 2 + 4.0 * q2 / n**2
    ratio = 0.5 * T * D / (q2 * (3.0 * q2 + 1.0 - 1.0 / n**2))
    for name, error in (("S", S / exact - 1.0), ("R", R / (exact * ratio) - 1.0)):
        print(f"lines {name}: worst relative error {np.abs(error).max():.1e}")
        assert np.abs(error).max() < 1e-5


@pytest.mark.slow
def test_static_and_energy_sums(ground):
    """∫S dT = 1 − (1 + Q²/4)^−4 and ∫T S dT = Q²/2: lines, Rydberg tail, continuum."""
    Q = jnp.array([0.1, 0.7, 2.0])
    low, n_max = 1e-4, 12
    energy = jnp.geomspace(low, 80.0, 160)
    waves = ionisation_responses(ground, "1s", energy, Q, 64)
    lines = excitation_responses(ground, "1s", Q, n_max)
    weight = energy * jnp.log(energy[1] / energy[0])
    weight = weight.at[0].multiply(0.5)
    tail = waves.S[:, 0] * (low + 0.5 / (n_max + 0.5) ** 2)
    excited = jnp.asarray(np.asarray(lines.n) > 1)
    static = jnp.sum(weight * waves.S, 1) + tail + jnp.sum(excited * lines.responses.S, 1)
    energies = (
        jnp.sum(weight * (energy + 0.5) * waves.S, 1)
        + 0.5 * tail
        + jnp.sum(lines.T * lines.responses.S, 1)
    )
    worst_static = float(jnp.max(jnp.abs(static / (1.0 - (1.0 + Q**2 / 4.0) ** -4) - 1.0)))
    worst_energy = float(jnp.max(jnp.abs(energies / (0.5 * Q**2) - 1.0)))
    print(f"static sum off by {worst_static:.1e}, f-sum by {worst_energy:.1e}")
    assert worst_static < 1e-4
    assert worst_energy < 5e-4  # 3e-4 of the f-sum lies above 80 Hartree, TS ~ T^−2.5


def test_responses_of_one_l_share_a_program(ground):
    Q, energy = jnp.array([0.5, 1.0]), jnp.array([0.1, 1.0])
    ionisation_responses(ground, "1s", energy, Q, 10)
    before = electron_responses._cache_size()
    ionisation_responses(hydrogen("2s"), "2s", 2.0 * energy, 3.0 * Q, 10)
    assert electron_responses._cache_size() == before


def test_rydberg_orbitals_are_hydrogenic(ground):
    _, bound = rydberg_orbitals(ground.potential, 12)
    error = np.abs(np.asarray(bound.energy * 2.0 * bound.n**2) + 1.0)
    print(f"levels to n = 12: worst relative error {error.max():.1e}")
    assert error.max() < 1e-6
