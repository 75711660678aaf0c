"""Neutrino spectra of allowed β decays, on the host (end points are data, not parameters)."""

import numpy as np
from scipy.special import loggamma

from jaxnu.constants import FINE_STRUCTURE, ELECTRON_MASS_keV, HBARC_keV_cm

RADIUS_fm = 1.2  # R = 1.2 A^{1/3} fm; a factor in F only, so it drops out of a normalised shape
RADIUS_per_electron_compton = RADIUS_fm * 1e-13 * ELECTRON_MASS_keV / HBARC_keV_cm


def fermi_function(Z: int, mass_number: int, momentum: np.ndarray) -> np.ndarray:
    """Fermi function of a point nucleus, taken at the nuclear radius.

    F = 2(1+γ) (2pR)^{2(γ−1)} e^{πη} |Γ(γ+iη)|² / Γ(2γ+1)²,  γ = sqrt(1 − (αZ)²),  η = αZW/p,
    with p and W in units of m and mc², R = 1.2 A^{1/3} fm.

    Args:
        Z: charge of the daughter, negative for a positron.
        mass_number: A of the daughter.
        momentum: p/m of the electron, > 0, any shape.

    Returns:
        F(Z, W), same shape, dimensionless; 1 for Z = 0.

    Screening, finite size and radiative corrections are left out (below 1% of a shape for
    Z < 10; a few per cent for Z = 93).
    Source: H. Behrens and W. Bühring, Electron Radial Wave Functions and Nuclear Beta-decay
    (1982), section 4; Fermi, Z. Phys. 88, 161 (1934).
    """
    charge = FINE_STRUCTURE * Z
    gamma = np.sqrt(1.0 - charge**2)
    eta = charge * np.sqrt(1.0 + momentum**2) / momentum
    radius = RADIUS_per_electron_compton * mass_number ** (1.0 / 3.0)
    # in logarithms: e^{πη} and |Γ|² over- and underflow one another as p → 0
    log_gammas = 2.0 * loggamma(gamma + 1j * eta).real - 2.0 * loggamma(2.0 * gamma + 1.0).real
    log_momentum = 2.0 * (gamma - 1.0) * np.log(2.0 * momentum * radius)
    return 2.0 * (1.0 + gamma) * np.exp(log_momentum + np.pi * eta + log_gammas)


def allowed_shape(E_keV: np.ndarray, endpoint_keV: float, Z: int, mass_number: int) -> np.ndarray:
    """Neutrino spectrum of an allowed decay, not normalised: E² p W F(Z, W).

    W = 1 + (endpoint − E)/m is the electron's energy. Nuclear recoil and the energy dependence
    of the matrix element are left out.

    Args:
        E_keV: neutrino energies, keV, any shape.
        endpoint_keV: largest neutrino energy, keV.
        Z: charge of the daughter, negative for β⁺ decay.
        mass_number: A of the daughter.

    Returns:
        The shape in arbitrary units; zero outside (0, endpoint).
    """
    inside = (E_keV > 0.0) & (E_keV < endpoint_keV)
    W = 1.0 + np.where(inside, endpoint_keV - E_keV, 1.0) / ELECTRON_MASS_keV
    p = np.sqrt((W - 1.0) * (W + 1.0))
    return np.where(inside, E_keV**2 * p * W * fermi_function(Z, mass_number, p), 0.0)
