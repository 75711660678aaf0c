"""Neutrino mixing: the effective magnetic moments that reactors and the Sun see."""

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Complex, Float

from jaxnu import checks, precision
from jaxnu.constants import ELECTRON_MASS_keV, FERMI_per_keV2
from jaxnu.errors import InputError

FLAVORS = ("nu_e", "nu_mu", "nu_tau")


def pmns_matrix(
    theta12: ArrayLike,
    theta13: ArrayLike,
    theta23: ArrayLike,
    delta: ArrayLike = 0.0,
    alpha21: ArrayLike = 0.0,
    alpha31: ArrayLike = 0.0,
) -> Complex[Array, "flavors masses"]:
    """U of ν_l = Σ_k U_lk ν_k: R23 · U13(δ) · R12 · diag(1, e^{iα21/2}, e^{iα31/2}).

    Angles, the CP phase and the Majorana phases (0 for Dirac neutrinos), all in radians.
    Returns a unitary 3×3 matrix, rows e, μ, τ. Convention of the Particle Data Group.
    """
    precision.require_x64("pmns_matrix")
    for name, value in (
        ("theta12", theta12), ("theta13", theta13), ("theta23", theta23), ("delta", delta),
        ("alpha21", alpha21), ("alpha31", alpha31),
    ):  # fmt: skip
        checks.number_range(name, value, -7.0, 13.0, "rad", "angles are in radians: 33.4° is 0.583")
    angles = (jnp.asarray(angle, dtype=float) for angle in (theta12, theta13, theta23))
    (s12, c12), (s13, c13), (s23, c23) = ((jnp.sin(angle), jnp.cos(angle)) for angle in angles)
    e = jnp.exp(1j * jnp.asarray(delta, dtype=float))
    rows = (
        (c12 * c13, s12 * c13, s13 / e),
        (-s12 * c23 - c12 * s23 * s13 * e, c12 * c23 - s12 * s23 * s13 * e, s23 * c13),
        (s12 * s23 - c12 * c23 * s13 * e, -c12 * s23 - s12 * c23 * s13 * e, c23 * c13),
    )
    phases = jnp.stack([jnp.zeros(()), *(jnp.asarray(a, dtype=float) for a in (alpha21, alpha31))])
    return jnp.stack([jnp.stack([x + 0j for x in row]) for row in rows]) * jnp.exp(0.5j * phases)


def majorana_moments(
    mu12: ArrayLike, mu13: ArrayLike, mu23: ArrayLike
) -> Complex[Array, "masses masses"]:
    """The antisymmetric matrix of moments of Majorana neutrinos [μ_B]: transitions alone.

    mu12, mu13, mu23: complex numbers [μ_B], in the mass basis.
    """
    m12, m13, m23 = (jnp.asarray(mu, dtype=complex) for mu in (mu12, mu13, mu23))
    zero = jnp.zeros((), dtype=complex)
    rows = ((zero, m12, m13), (-m12, zero, m23), (-m13, -m23, zero))
    return jnp.stack([jnp.stack(row) for row in rows])


def flavor_moment_squared(
    moments: ArrayLike, mixing_matrix: ArrayLike, flavor: str = "nu_e"
) -> Float[Array, ""]:
    """μ² [μ_B²] of a flavour that has not oscillated yet: Σ_j |Σ_k U*_lk μ_jk|².

    What a reactor (ν̄_e) or an accelerator measures at short distance; the final mass eigenstates j
    are not seen, so they add incoherently. The same for ν and ν̄.
    moments: 3×3 matrix in the mass basis [μ_B], row the final, column the initial state: any for
        Dirac neutrinos, antisymmetric for Majorana ones. mixing_matrix: U, see `pmns_matrix`.
    Source: Giunti and Studenikin, Rev. Mod. Phys. 87, 531 (2015), at L = 0.
    """
    checks.one_of("flavor", flavor, FLAVORS)
    mu, U = _matrix("moments", moments), _matrix("mixing_matrix", mixing_matrix)
    return jnp.sum(jnp.abs(mu @ jnp.conj(U[FLAVORS.index(flavor)])) ** 2)


def solar_moment_squared(
    moments: ArrayLike, shares: Float[ArrayLike, "masses"]
) -> Float[Array, ""]:
    """μ² [μ_B²] of neutrinos that arrive as an incoherent mixture: Σ_k p_k Σ_j |μ_jk|².

    moments: as in `flavor_moment_squared`. No phase of the mixing matrix enters.
    shares: p_k = |A_k|² of the mass eigenstates at the detector, summing to 1, from `solar_shares`
        or given; they depend on the energy through matter effects in the Sun.
    """
    checks.number_range("shares", shares, 0.0, 1.0, "", "probabilities of the mass eigenstates")
    p = jnp.asarray(shares, dtype=float)
    if p.shape != (3,):
        raise InputError(f"shares has shape {p.shape}; allowed: (3,); give one per mass eigenstate")
    return jnp.sum(p * jnp.sum(jnp.abs(_matrix("moments", moments)) ** 2, axis=0))


def solar_shares(
    survival: ArrayLike, theta12: ArrayLike, theta13: ArrayLike
) -> Float[Array, "... masses"]:
    """|A_k|² of solar neutrinos from their survival probability P_ee.

    |A_3|² = s13², |A_1|² + |A_2|² = c13² and P_ee = Σ_k |A_k|² |U_ek|² give
    |A_1|² = (P_ee − s13⁴ − c13⁴ s12²)/[c13² (c12² − s12²)].
    survival: P_ee, any shape; theta12 ≠ 45° and theta13 [rad], numbers.
    Returns the shape of survival and a last axis of three; a P_ee that no conversion gives makes
    one of them negative.
    """
    checks.number_range("survival", survival, 0.0, 1.0, "", "P_ee is a probability")
    s12, s13 = (jnp.sin(jnp.asarray(angle, dtype=float)) ** 2 for angle in (theta12, theta13))
    P = jnp.asarray(survival, dtype=float)
    c13 = 1.0 - s13
    first = (P - s13**2 - c13**2 * s12) / (c13 * (1.0 - 2.0 * s12))
    return jnp.stack([first, c13 - first, jnp.broadcast_to(s13, first.shape)], axis=-1)


def solar_moment_weights(
    moments: ArrayLike, theta12: ArrayLike, theta13: ArrayLike
) -> Float[Array, "2"]:
    """(w0, w1) with μ² = w0 + w1 P_ee for the Sun's neutrinos [μ_B²].

    Σ_k |A_k|² Σ_j |μ_jk|² with the |A_k|² of `solar_shares`, which are linear in P_ee: so a flux
    times w0 + w1 P_ee(E) has all of a signal.
    moments: as in `flavor_moment_squared`. theta12 ≠ 45° and theta13 [rad], numbers.
    """
    column = jnp.sum(jnp.abs(_matrix("moments", moments)) ** 2, axis=0)
    zero, one = solar_shares(jnp.array([0.0, 1.0]), theta12, theta13) @ column
    return jnp.stack([zero, one - zero])


def standard_model_moment(m_nu_eV: ArrayLike) -> Float[Array, "..."]:
    """μ = 3 e G_F m_ν/(8√2 π²) = 3.2e-19 (m_ν/eV) μ_B: a Dirac neutrino in the minimal extension.

    KS11 eq 1; Fujikawa and Shrock, PRL 45, 963 (1980). m_nu_eV: any shape, eV. Returns μ_B.
    """
    checks.number_range("m_nu_eV", m_nu_eV, 0.0, 1e6, "eV", "a neutrino mass in eV")
    per_keV = 3.0 * FERMI_per_keV2 * ELECTRON_MASS_keV / (4.0 * jnp.sqrt(2.0) * jnp.pi**2)
    return per_keV * 1e-3 * jnp.asarray(m_nu_eV, dtype=float)


def _matrix(name: str, value: ArrayLike) -> Complex[Array, "3 3"]:
    matrix = jnp.asarray(value, dtype=complex)
    if matrix.shape != (3, 3):
        raise InputError(f"{name} has shape {matrix.shape}; allowed: (3, 3); give a 3×3 matrix")
    if not checks.is_traced(value) and not bool(jnp.all(jnp.isfinite(matrix))):
        raise InputError(
            f"{name} has an element that is not finite; give numbers in the mass basis"
        )
    return matrix
