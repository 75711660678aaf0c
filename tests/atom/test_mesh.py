"""The radial mesh integrates, differentiates and interpolates orbitals like closed forms."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnu.atom.mesh import log_linear_mesh


@pytest.fixture(scope="module")
def mesh():
    return log_linear_mesh(1e-5, 60.0, 0.1, 2048)


def test_nodes_are_even_in_t_between_the_ends(mesh):
    t = jnp.log(mesh.r) + mesh.stretch * mesh.r
    np.testing.assert_allclose(jnp.diff(t), mesh.step, rtol=1e-11)
    np.testing.assert_allclose([mesh.r[0], mesh.r[-1]], [1e-5, 60.0], rtol=1e-12)
    np.testing.assert_allclose(mesh.position(mesh.r[17:19]), [17.0, 18.0], atol=1e-9)


def test_integrals_of_exponentials(mesh):
    r = mesh.r
    f = 4.0 * r**2 * jnp.exp(-2.0 * r)
    running = 1.0 - jnp.exp(-2.0 * r) * (1.0 + 2.0 * r + 2.0 * r**2)
    assert abs(float(mesh.integral(f)) - 1.0) < 1e-13
    worst = float(jnp.max(jnp.abs(mesh.running_integral(f) - running)))
    print(f"running integral: worst error {worst:.1e}")
    assert worst < 1e-13


def test_slope_and_interpolation(mesh):
    r = mesh.r
    P = 2.0 * r * jnp.exp(-r)
    errors = jnp.abs(mesh.slope(P) - 2.0 * (1.0 - r) * jnp.exp(-r))
    slope, edge = jnp.max(errors[4:]), jnp.max(errors[:4])
    between = jnp.exp(jnp.linspace(jnp.log(1.1e-5), jnp.log(59.0), 999))
    value = jnp.max(jnp.abs(mesh.interpolate(P, between) - 2.0 * between * jnp.exp(-between)))
    print(f"slope: worst error {float(slope):.1e}; interpolation {float(value):.1e}")
    assert slope < 1e-11
    assert edge < 1e-6  # the stencil reaches below the mesh, where P is taken as a power of r
    assert value < 1e-13


def test_interpolation_converges_with_the_eighth_power():
    errors = []
    between = jnp.linspace(0.5, 8.0, 101)
    for points in (60, 120):
        mesh = log_linear_mesh(1e-3, 20.0, 0.3, points)
        f = mesh.interpolate(mesh.r * jnp.exp(-mesh.r), between)
        errors.append(float(jnp.max(jnp.abs(f - between * jnp.exp(-between)))))
    print(f"interpolation order: {np.log2(errors[0] / errors[1]):.2f}")
    assert np.log2(errors[0] / errors[1]) > 7.0
