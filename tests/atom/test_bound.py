"""Bound orbitals of the Coulomb field against the closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnu.atom.bound import bound_orbitals, levels_below
from jaxnu.atom.mesh import log_linear_mesh

N = jnp.array([1, 2, 2, 3, 3, 3, 4, 5, 6, 6, 6, 7])
L = jnp.array([0, 0, 1, 0, 1, 2, 3, 4, 0, 1, 5, 6])


@pytest.fixture(scope="module")
def mesh():
    return log_linear_mesh(1e-5, 200.0, 0.1, 4096)


@pytest.fixture(scope="module")
def hydrogen(mesh):
    return bound_orbitals(mesh, -1.0 / mesh.r, N, L)


def test_hydrogen_energies(hydrogen):
    error = np.abs(np.asarray(hydrogen.energy + 0.5 / N**2))
    print(f"hydrogen: worst level {error.max():.1e} Hartree")
    assert bool(hydrogen.found.all())
    assert error.max() < 1e-10


@pytest.mark.parametrize("Z", [10.0, 55.0])
def test_hydrogen_like_ions_scale_with_z_squared(Z):
    mesh = log_linear_mesh(1e-5 / Z, 200.0 / Z, 0.1 * Z, 4096)
    ion = bound_orbitals(mesh, -Z / mesh.r, N, L)
    error = np.abs(np.asarray(ion.energy / Z**2 + 0.5 / N**2))
    assert error.max() < 1e-10, f"Z = {Z}: {error.max():.1e} Z² Hartree"


def test_hydrogen_orbitals(mesh, hydrogen):
    r = mesh.r
    closed = {
        0: 2.0 * r * jnp.exp(-r),
        1: r * (1.0 - 0.5 * r) * jnp.exp(-0.5 * r) / np.sqrt(2.0),
        2: r**2 * jnp.exp(-0.5 * r) / np.sqrt(24.0),
        5: 4.0 / (81.0 * np.sqrt(30.0)) * r**3 * jnp.exp(-r / 3.0),
    }
    for i, P in closed.items():
        error = float(jnp.max(jnp.abs(hydrogen.P[i] - P)))
        print(f"{int(N[i])}{'spdf'[int(L[i])]}: worst orbital error {error:.1e}")
        assert error < 1e-9


def test_orbitals_of_one_l_are_orthonormal(mesh, hydrogen):
    overlap = mesh.integral(hydrogen.P[:, None] * hydrogen.P[None])
    same = np.asarray(L)[:, None] == np.asarray(L)[None]
    error = np.abs(np.asarray(overlap) - np.eye(len(N)))[same]
    print(f"overlaps: worst error {error.max():.1e}")
    assert error.max() < 1e-9


def test_derivatives_in_the_potential(mesh):
    """d/dZ of −Z²/2n² and of P_1s = 2 Z^{3/2} r e^{−Zr}, at Z = 1."""

    def orbitals(Z):
        return bound_orbitals(mesh, -Z / mesh.r, N, L)

    _, slope = jax.jvp(orbitals, (1.0,), (1.0,))
    r = mesh.r
    energy = float(jnp.max(jnp.abs(slope.energy + 1.0 / N**2)))
    P = float(jnp.max(jnp.abs(slope.P[0] - (3.0 * r - 2.0 * r**2) * jnp.exp(-r))))
    print(f"dE/dZ off by {energy:.1e}, dP/dZ by {P:.1e}")
    assert energy < 1e-8
    assert P < 1e-8


def test_levels_are_counted_from_below(mesh):
    trial = jnp.array([[-0.6], [-0.4], [-0.1], [-0.04]])
    assert levels_below(mesh, -1.0 / mesh.r, jnp.array([0]), trial)[:, 0].tolist() == [0, 1, 2, 3]
    assert levels_below(mesh, -1.0 / mesh.r, jnp.array([1]), trial)[:, 0].tolist() == [0, 0, 1, 2]


def test_a_level_that_is_not_bound_is_reported(mesh):
    screened = -jnp.exp(-2.0 * mesh.r) / mesh.r  # binds nothing: the least is e^{-0.84 a r}
    assert not bool(bound_orbitals(mesh, screened, N[:2], L[:2]).found[0])
    yukawa = -jnp.exp(-0.5 * mesh.r) / mesh.r
    result = bound_orbitals(mesh, yukawa, jnp.array([1, 2]), jnp.array([0, 1]))
    assert result.found.tolist() == [True, False]
    # variational benchmark of the screened Coulomb 1s level at D = 2, Rogers et al., Phys. Rev. A
    # 1, 1577 (1970): −0.14812 Hartree
    assert float(result.energy[0]) == pytest.approx(-0.14812, abs=1e-5)
