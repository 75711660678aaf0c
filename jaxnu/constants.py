"""Physical constants, CODATA 2022 (Mohr et al., Rev. Mod. Phys. 97, 025002), as plain floats.

Energies and momenta in keV with ħ = c = 1; everything below the first block is derived from it.
"""

import math

ELECTRON_MASS_keV = 510.99895069
FINE_STRUCTURE = 7.2973525643e-3
HARTREE_eV = 27.211386245981
CLASSICAL_ELECTRON_RADIUS_cm = 2.8179403205e-13
HBARC_keV_cm = 1.973269804593025e-8
FERMI_per_keV2 = 1.1663787e-17  # G_F/(ħc)³
AVOGADRO_per_mol = 6.02214076e23
ATOMIC_MASS_keV = 931494.10372  # u
MEV_J = 1.602176634e-13

SIN2_WEINBERG = 0.23857  # MS-bar at zero momentum transfer, PDG 2020; not a CODATA value

ATOMIC_MOMENTUM_keV = FINE_STRUCTURE * ELECTRON_MASS_keV
SIGMA0_cm2 = math.pi * CLASSICAL_ELECTRON_RADIUS_cm**2  # π α²/m², the magnetic scale
HBARC2_keV2_cm2 = HBARC_keV_cm**2

SECONDS_PER_DAY = 86400.0
DAYS_PER_YEAR = 365.25
