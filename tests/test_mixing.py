"""Effective moments: published bounds on single moments, unitarity, and what phases can do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnu.errors import InputError
from jaxnu.mixing import (
    FLAVORS,
    flavor_moment_squared,
    majorana_moments,
    pmns_matrix,
    solar_moment_squared,
    solar_shares,
    standard_model_moment,
)

ANGLES = (0.584, 0.149, 0.859)
SHARES = np.array([0.678, 0.300, 0.022])
BOUND = 2.8e-11


def random_moments(seed=1):
    rng = np.random.default_rng(seed)
    return 1e-11 * (rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3)))


def test_bounds_on_single_moments_from_the_solar_one(agree):
    """Borexino's μ_eff < 2.8e-11 with one moment at a time (PRD 96, 091103)."""
    dirac = [
        BOUND / np.sqrt(float(solar_moment_squared(np.diag(row), SHARES))) for row in np.eye(3)
    ]
    agree("Dirac |μ_11|, |μ_22|, |μ_33|", dirac, [3.40e-11, 5.11e-11, 18.9e-11], 0.01)
    majorana = [
        BOUND / np.sqrt(float(solar_moment_squared(majorana_moments(*row), SHARES)))
        for row in np.eye(3)
    ]
    agree("Majorana |μ_12|, |μ_13|, |μ_23|", majorana, [2.83e-11, 3.35e-11, 4.93e-11], 0.01)


def test_the_matrix_is_unitary_and_the_published_one(agree):
    U = np.asarray(pmns_matrix(*ANGLES, 3.4, 0.7, 1.9))
    agree("U U†", np.abs(U @ U.conj().T), np.eye(3), 1e-15, scale=1.0)
    s12, s13, s23 = np.sin(ANGLES)
    agree("|U_e3|", abs(U[0, 2]), s13, 1e-14)
    agree("|U_e2|²", abs(U[0, 1]) ** 2, s12**2 * (1 - s13**2), 1e-14)
    agree("|U_μ3|²", abs(U[1, 2]) ** 2, s23**2 * (1 - s13**2), 1e-14)
    # Jarlskog's invariant knows δ, not the Majorana phases
    J = np.imag(U[0, 0] * U[1, 1] * np.conj(U[0, 1] * U[1, 0]))
    c12, c13, c23 = np.cos(ANGLES)
    agree("J", J, c12 * s12 * c23 * s23 * c13**2 * s13 * np.sin(3.4), 1e-13)


def test_flavours_share_the_moments(agree):
    """Σ_l μ_l² = Σ_jk |μ_jk|², which the even solar mixture has a third of."""
    mu, U = random_moments(), pmns_matrix(*ANGLES, 3.4)
    total = sum(float(flavor_moment_squared(mu, U, flavor)) for flavor in FLAVORS)
    agree("sum over flavours", total, np.sum(np.abs(mu) ** 2), 1e-14)
    even = float(solar_moment_squared(mu, np.full(3, 1 / 3)))
    agree("an even mixture", 3.0 * even, np.sum(np.abs(mu) ** 2), 1e-14)


def test_flavour_basis_is_a_rotation(agree):
    """Of Majorana moments given in the flavour basis, ν_l sees column l, whatever the mixing."""
    U = np.asarray(pmns_matrix(*ANGLES, 3.4, 0.7, 1.9))
    flavour = np.asarray(majorana_moments(2e-11, 1e-11 + 3e-12j, -4e-12))
    # the bilinear form νᵀ C σF μ ν of the fields ν_l = Σ_k U_lk ν_k
    mass = U.T @ flavour @ U
    agree("antisymmetric", np.abs(mass.T + mass), np.zeros((3, 3)), 1e-14, scale=1e-11)
    for l, flavor in enumerate(FLAVORS):
        expected = np.sum(np.abs(flavour[:, l]) ** 2)
        agree(flavor, flavor_moment_squared(mass, U, flavor), expected, 1e-13)


def test_phases_matter_in_a_reactor_and_not_in_the_sun():
    mu = majorana_moments(2e-11, 1e-11, 3e-11)
    reactor = [float(flavor_moment_squared(mu, pmns_matrix(*ANGLES, 0.0, a))) for a in (0.0, np.pi)]
    print(f"reactor μ² with α21 = 0, π: {reactor}")
    assert abs(reactor[0] / reactor[1] - 1.0) > 0.1
    diagonal = np.diag([1e-11, 2e-11, 3e-11])
    same = [
        float(flavor_moment_squared(diagonal, pmns_matrix(*ANGLES, d, 1.0))) for d in (0.0, 2.0)
    ]
    assert abs(same[0] / same[1] - 1.0) < 1e-14  # Dirac and diagonal: no interference


def test_solar_shares(agree):
    """P_ee comes back; vacuum shares give the vacuum P_ee; Borexino's at 0.86 MeV."""
    U2 = np.abs(np.asarray(pmns_matrix(*ANGLES))[0]) ** 2
    P = np.array([0.547, 0.525, 0.32])
    shares = np.asarray(solar_shares(P, *ANGLES[:2]))
    agree("Σ|A|²", np.sum(shares, -1), np.ones(3), 1e-15)
    agree("P_ee", shares @ U2, P, 1e-14)
    agree("vacuum", solar_shares(np.sum(U2**2), *ANGLES[:2]), U2, 1e-13)
    print(f"P_ee = .525: {shares[1]}")
    assert shares[1, 2] == pytest.approx(SHARES[2], abs=1e-3)


def test_standard_model_moment(agree):
    agree("KS11 eq 1, 1 eV", standard_model_moment(1.0), 3.2e-19, 0.01)
    agree("linear", standard_model_moment(np.array([0.05, 2.0])) / np.array([0.05, 2.0]),
          np.full(2, float(standard_model_moment(1.0))), 1e-15)  # fmt: skip


def test_gradients(slope, agree):
    def reactor(x):
        U = pmns_matrix(x[0], x[1], x[2], x[3], x[4], x[5])
        mu = majorana_moments(x[6] + 1j * x[7], 1.0, -0.5)
        return flavor_moment_squared(mu, U) + solar_moment_squared(
            mu, solar_shares(0.5, x[0], x[1])
        )

    x = jnp.array([*ANGLES, 3.4, 0.7, 1.9, 2.0, 0.3])
    gradient = np.asarray(jax.jit(jax.grad(reactor))(x))
    for i in range(8):
        step = np.eye(8)[i]
        expected = slope(lambda h, s=step: reactor(x + h * s), 0.0, 1e-3)
        agree(f"derivative {i}", gradient[i], expected, 1e-7, scale=max(1.0, abs(expected)))


def test_bad_input():
    mu, U = np.eye(3), pmns_matrix(*ANGLES)
    for call, told in (
        (lambda: pmns_matrix(33.4, 0.1, 0.8), "theta12 = 33.4 rad is outside"),
        (lambda: flavor_moment_squared(np.eye(2), U), "moments has shape"),
        (lambda: flavor_moment_squared(np.nan * mu, U), "not finite"),
        (lambda: flavor_moment_squared(mu, U, "nu_s"), "flavor = 'nu_s' is unknown"),
        (lambda: solar_moment_squared(mu, [0.5, 0.5]), "shares has shape"),
        (lambda: solar_moment_squared(mu, [0.5, 0.6, -0.1]), "is outside"),
        (lambda: solar_shares(54.0, *ANGLES[:2]), "survival = 54"),
        (lambda: standard_model_moment(-1.0), "m_nu_eV = -1"),
    ):
        with pytest.raises(InputError, match=told):
            call()
