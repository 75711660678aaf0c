"""Where in Q the transverse term comes from, and how large the current is beside the density."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnu.constants import ELECTRON_MASS_keV
from jaxnu.cross_sections.magnetic import magnetic_kernels
from jaxnu.examination.orbitals import Orbitals, orbital_names
from jaxnu.responses.base import Response

POINTS = 600  # in ln Q
RIDGE_RATIO = 20.0  # R/S is taken on the ridge at T = 20 times the threshold
RIDGE_WIDTHS, RIDGE_POINTS = 6.0, 200  # over p_z between ∓ 6 widths, on either side
_M = ELECTRON_MASS_keV


@dataclass(frozen=True)
class Integrand:
    """dσ_T/d ln Q at one T, in units of the free dσ/dT, from Q = T to 2E − T.

    exact: with R(T,Q). frozen_current: with R(T,T). equivalent_photon: with R(T,T) Q²/T².
    median_keV, last_keV: half and 95% of the exact integral lie below. photon_share: the part of
    the equivalent photon's integral that lies below 1/r_a (Thomas–Fermi).
    """

    T_keV: float
    Q_keV: Float[np.ndarray, "Q"]
    exact: Float[np.ndarray, "Q"]
    frozen_current: Float[np.ndarray, "Q"]
    equivalent_photon: Float[np.ndarray, "Q"]
    median_keV: float
    last_keV: float
    photon_share: float


@jax.jit
def _currents(T: Array, E: Array, Q: Array, atom: Response) -> tuple[Array, Array]:
    """R at each Q and, last, R(T,T); and dσ_T/d ln Q per R and μ²."""
    k_R = 2.0 * Q**2 * magnetic_kernels(T, E, Q)[1]  # dQ² = 2Q² d ln Q
    R = jnp.append(atom.transverse(T, Q), atom.transverse(T, T))
    return R, k_R


def transverse_integrand(
    T_keV: float, E_keV: float, atom: Response, free_cm2_per_keV: float, inverse_radius_keV: float
) -> Integrand:
    """The integrand of KS11 eq 8 in ln Q at one T. free_cm2_per_keV: the free dσ/dT per μ²."""
    Q = np.geomspace(T_keV, (2.0 * E_keV - T_keV) * (1.0 - 1e-12), POINTS)
    R, k_R = (np.asarray(a) for a in _currents(
        jnp.asarray(T_keV), jnp.asarray(float(E_keV)), jnp.asarray(Q), atom
    ))  # fmt: skip
    R, cone = R[:-1], R[-1]
    unit = k_R / free_cm2_per_keV
    exact, photon = unit * R, unit * cone * (Q / T_keV) ** 2
    below = _running(exact, Q)
    photon_all = _running(photon, Q)[-1]
    return Integrand(
        T_keV=float(T_keV),
        Q_keV=Q,
        exact=exact,
        frozen_current=unit * cone,
        equivalent_photon=photon,
        median_keV=float(np.interp(0.5 * below[-1], below, Q)),
        last_keV=float(np.interp(0.95 * below[-1], below, Q)),
        photon_share=float(np.interp(inverse_radius_keV, Q, _running(photon, Q) / photon_all)),
    )


def _running(y: np.ndarray, Q: np.ndarray) -> np.ndarray:
    """∫ y d ln Q from the first Q on, by trapezoids."""
    pieces = 0.5 * (y[1:] + y[:-1]) * np.diff(np.log(Q))
    return np.concatenate([[0.0], np.cumsum(pieces)])


@dataclass(frozen=True)
class CurrentRatio:
    """One subshell: R/S at its Bethe ridge, Q² ≈ 2mT, beside its squared velocity [c²].

    at_ridge: R/S at p_z = mT/Q − Q/2 = 0; v²/4 for 1s, exactly: p_z = 0 selects slow electrons.
    mean: ∫R Q dp_z / ∫S Q dp_z over the ridge, |p_z| < 6 widths; a free electron of velocity v has
    v²/3 on average over directions, and so has the impulse form, all p_z together; over the ridge
    it has ∫p min(p, 6 widths) J dp / ∫_ridge J dp, J the Compton profile.
    speed_squared: <p²>/m² of the orbital.
    """

    label: str
    T_keV: float
    at_ridge: float
    mean: float
    speed_squared: float


@jax.jit
def _ridge_ratios(atom: Response, T: Array, shell: Array) -> tuple[Array, Array]:
    """(R/S at p_z = 0, ridge mean) of each shell at its own T."""
    u = jnp.linspace(-1.0, 1.0, 2 * RIDGE_POINTS + 1)

    def one(pair: tuple[Array, Array]) -> tuple[Array, Array]:
        t, index = pair
        width = atom.momentum_scales_keV[index]
        v = jnp.arcsinh(RIDGE_WIDTHS) * u
        p = width * jnp.sinh(v)
        root = jnp.sqrt(p**2 + 2.0 * _M * t)
        Q = jnp.where(p > 0.0, 2.0 * _M * t / (root + p), root - p)
        S, R = (values[:, index] for values in atom.both(t, Q, by_shell=True))
        measure = Q * width * jnp.cosh(v)
        mean = jnp.trapezoid(R * measure, u) / jnp.trapezoid(S * measure, u)
        return R[RIDGE_POINTS] / S[RIDGE_POINTS], mean

    return jax.lax.map(one, (T, shell))


def current_ratios(
    atom: Response, orbitals: Orbitals, thresholds: float = RIDGE_RATIO
) -> list[CurrentRatio]:
    """R/S of each nl at T = 20 thresholds, or as many as asked, or at the end of the table."""
    names = orbital_names(atom.target, atom.labels)
    end = np.inf if atom.T_max_keV is None else float(atom.T_max_keV)
    labels = tuple(dict.fromkeys(names))
    first = np.array([names.index(label) for label in labels])
    T = np.minimum(thresholds * np.asarray(atom.thresholds_keV)[first], end)
    at_ridge, mean = _ridge_ratios(atom, jnp.asarray(T), jnp.asarray(first))
    return [
        CurrentRatio(
            label, float(T[i]), float(at_ridge[i]), float(mean[i]),
            orbitals.speed_squared[orbitals.labels.index(label)],
        )
        for i, label in enumerate(labels)
    ]  # fmt: skip
