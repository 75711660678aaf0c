"""A charge radius and a millicharge of the neutrino, as shifts of the electron's vector coupling.

The neutrino's charge form factor F(q²) = q_ν + q² <r²>/6, q² = T² − Q² < 0, exchanges a photon with
the electron, whose charge is −1. That is a vector interaction like the weak one:

    g_V → g_V + C <r²> − D q_ν/(Q² − T²),    C = √2 π α/(3 G_F),    D = 2√2 π α/G_F

for neutrinos and antineutrinos alike (docs/physics.md), and the cross section is a polynomial in
<r²> and q_ν. Each of its coefficients is a channel.
"""

import math
from typing import Any

from jaxnu.constants import FINE_STRUCTURE, FERMI_per_keV2, HBARC2_keV2_cm2

RADIUS_SHIFT_per_cm2 = (
    math.sqrt(2.0) * math.pi * FINE_STRUCTURE / (3.0 * FERMI_per_keV2 * HBARC2_keV2_cm2)
)  # C, of g_V per <r²>: 2.3796e30/cm²
CHARGE_SHIFT_keV2 = 2.0 * math.sqrt(2.0) * math.pi * FINE_STRUCTURE / FERMI_per_keV2  # D

# channel → powers of (<r²>, q_ν) that it is the coefficient of
CHARGE_POWERS = {
    "weak": (0, 0),
    "charge-radius": (1, 0),
    "charge-radius-squared": (2, 0),
    "millicharge-weak": (0, 1),
    "millicharge-charge-radius": (1, 1),
    "millicharge": (0, 2),
}
# channel → what its coefficient is per; the others are whole cross sections
COEFFICIENT_UNITS = {
    "charge-radius": "per cm^2",
    "charge-radius-squared": "per cm^4",
    "millicharge-weak": "per e",
    "millicharge-charge-radius": "per e cm^2",
    "millicharge": "per e^2",
}
NEUTRINO_MASS_eV = 0.05  # sqrt(Δm²_atm): at least one neutrino is as heavy


def product(name: str, weak: Any, radius: Any, charge: Any) -> Any:
    """The coefficient of a channel in (weak + radius·<r²> + charge·q_ν)²."""
    terms = (weak, radius, charge)
    r, q = CHARGE_POWERS[name]
    first, second = ([0] * (2 - r - q) + [1] * r + [2] * q)[:2]
    return terms[first] * terms[second] * (1.0 if first == second else 2.0)
