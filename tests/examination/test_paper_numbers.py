"""Numbers of the derivation that no other test holds."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnu.atom.configuration import parse_configuration
from jaxnu.atom.field import atom_mesh, frozen_field
from jaxnu.atom.potential import coulomb_potential
from jaxnu.atom.subshells import effective_electrons
from jaxnu.constants import ELECTRON_MASS_keV, SIGMA0_cm2
from jaxnu.cross_sections.kinematics import transfer_end
from jaxnu.cross_sections.magnetic import magnetic_kernels

M = ELECTRON_MASS_keV


def test_unit_of_the_cross_section():
    """σ₀ = π α²/m²."""
    assert pytest.approx(2.4946720e-25, rel=1e-7) == SIGMA0_cm2


def test_relativistic_shell_gives_the_free_result_and_its_end(agree):
    """S = (2m+T) δ(Q²−T²−2mT), R = T δ(Q²−T²−2mT): σ₀(1/T − 1/E), up to T_max, where Q = 2E − T."""
    E = np.array([[20.0], [400.0], [5000.0]])
    T = np.asarray(transfer_end(E)) * np.array([1e-3, 0.2, 0.9, 1.0])
    Q = np.sqrt(T**2 + 2.0 * M * T)
    k_S, k_R = magnetic_kernels(T, E, Q)
    agree("L + T", (2.0 * M + T) * k_S + T * k_R, SIGMA0_cm2 * (1.0 / T - 1.0 / E), 1e-12,
          scale=SIGMA0_cm2 / T)  # fmt: skip
    agree("Q = 2E − T at the end", Q[:, -1], (2.0 * E - T)[:, -1], 1e-12)


@pytest.mark.slow
def test_2p_exceeds_one_electron_a_little_above_its_threshold():
    """∫S dQ²/2m of hydrogen 2p at twice the binding energy: 1.000128. No law says ≤ 1."""
    atom = frozen_field(coulomb_potential(atom_mesh(1.0), 1.0), parse_configuration("H", "2p1"))
    found = effective_electrons(atom, "2p", jnp.array([0.125]), 20)
    weak = float(np.asarray(found.flat)[0])
    print(f"hydrogen 2p at T = 2I: ∫S dQ²/2m = {weak:.7f}")
    assert weak == pytest.approx(1.000128, abs=2e-6)
