"""Continuum orbitals against Coulomb functions, closed-form cross-sections and each other."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnu.atom.continuum import continuum_orbitals, scattering_mesh, shell_edge
from jaxnu.atom.field import atom_mesh, self_consistent_field
from jaxnu.atom.potential import coulomb_potential
from jaxnu.atom.settings import ATOM_NUMERICS
from jaxnu.constants import FINE_STRUCTURE, HARTREE_eV
from jaxnu.numerics.coulomb import coulomb_functions
from jaxnu.numerics.quadrature import panel_nodes

R_OUT = 40.0
ENERGY = jnp.array([1e-3, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0])
L_MAX = 12
FINE = replace(ATOM_NUMERICS, scatter_step=0.01, outer_steps=128)


def on_mesh(mesh, P):
    """P on the inner nodes of a scattering mesh, r last."""
    return jnp.moveaxis(P, 0, -1)


@pytest.fixture(scope="module")
def hydrogen():
    mesh = scattering_mesh(R_OUT, FINE)
    field = coulomb_potential(atom_mesh(1.0), 1.0)
    return mesh, continuum_orbitals(field, mesh, ENERGY, L_MAX, FINE)


def test_hydrogen_waves_are_coulomb_functions(hydrogen):
    mesh, waves = hydrogen
    k = jnp.sqrt(2.0 * ENERGY)
    at = jnp.searchsorted(mesh.inner.r, jnp.array([3.0, 7.0, 15.0, 25.0, 39.0]))
    F = coulomb_functions(-1.0 / k, k * mesh.inner.r[at][:, None], L_MAX).F
    exact = jnp.sqrt(2.0 / (jnp.pi * k)) * jnp.swapaxes(F, 1, 2)
    error = jnp.abs(waves.P[at] - exact) / jnp.sqrt(2.0 / (jnp.pi * k))
    print(f"hydrogen waves: worst error {float(error.max()):.1e} of the amplitude")
    assert error.max() < 1e-6


def test_a_coulomb_field_shifts_no_phase(hydrogen):
    _, waves = hydrogen
    shift = waves.phase_shift[:, jnp.isfinite(waves.phase_shift[0])]
    assert shift.shape[1] >= 4
    assert jnp.max(jnp.abs(shift)) < 1e-6


def test_photoionisation_of_the_ground_state(hydrogen):
    """σ = (2⁹π²/3) α a² (I/ω)⁴ e^{−4η acot η}/(1 − e^{−2πη}), η = 1/k (Stobbe 1930);
    6.304 Mb at threshold. The wave gives σ = (4π²/3) α ω |∫P_εp r P_1s dr|²."""
    mesh, waves = hydrogen
    r = mesh.inner.r
    dipole = mesh.inner.integral(on_mesh(mesh, waves.P[:, 1]) * 2.0 * r**2 * jnp.exp(-r))
    omega = ENERGY + 0.5
    computed = 4.0 * np.pi**2 / 3.0 * FINE_STRUCTURE * omega * dipole**2
    eta = 1.0 / jnp.sqrt(2.0 * ENERGY)
    exact = (
        2.0**9 * np.pi**2 / 3.0 * FINE_STRUCTURE * (0.5 / omega) ** 4
        * jnp.exp(-4.0 * eta * jnp.arctan(1.0 / eta)) / (1.0 - jnp.exp(-2.0 * np.pi * eta))
    )  # fmt: skip
    error = np.abs(np.asarray(computed / exact) - 1.0)
    print(f"1s photoionisation: worst relative error {error.max():.1e}")
    assert error.max() < 1e-6
    bohr2_Mb = 28.0028
    assert float(exact[0]) * bohr2_Mb == pytest.approx(6.304, rel=0.01)  # 27 meV above threshold


@pytest.mark.slow
@pytest.mark.parametrize(("n", "l"), [(2, 0), (2, 1), (3, 2)])
def test_dipole_elements_of_excited_states(n, l):
    """Against Gauss–Legendre quadrature of closed-form orbitals with Coulomb functions."""

    def bound(r):
        return {
            (2, 0): r * (1.0 - 0.5 * r) * jnp.exp(-0.5 * r) / np.sqrt(2.0),
            (2, 1): r**2 * jnp.exp(-0.5 * r) / np.sqrt(24.0),
            (3, 2): 4.0 / (81.0 * np.sqrt(30.0)) * r**3 * jnp.exp(-r / 3.0),
        }[n, l]

    R = 90.0 if n == 3 else 60.0  # where the orbital has vanished
    mesh = scattering_mesh(R, FINE)
    r, energy = mesh.inner.r, ENERGY[3:6]
    waves = continuum_orbitals(coulomb_potential(atom_mesh(1.0), 1.0), mesh, energy, 3, FINE)
    k = jnp.sqrt(2.0 * energy)
    # the Coulomb functions start at ρ = 0.1: below 0.5 Bohr the waves are integrated both ways
    close, close_weights = (x.ravel() for x in panel_nodes(jnp.linspace(1e-3, 0.5, 12), 8))
    nodes, weights = (x.ravel() for x in panel_nodes(jnp.linspace(0.5, R, 90), 8))
    F = coulomb_functions(-1.0 / k, k * nodes[:, None], 3).F
    for l_out in {abs(l - 1), l + 1}:
        P = on_mesh(mesh, waves.P[:, l_out])
        computed = mesh.inner.integral(P * r * bound(r))
        near = mesh.inner.interpolate(P, close) @ (close_weights * close * bound(close))
        exact = near + jnp.sqrt(2.0 / (jnp.pi * k)) * jnp.einsum(
            "r,re->e", weights * nodes * bound(nodes), F[:, :, l_out]
        )
        error = np.abs(np.asarray(computed / exact) - 1.0).max()
        print(f"{n}{'spd'[l]} to l = {l_out}: worst relative error {error:.1e}")
        assert error < 1e-6


def _orthogonality(symbol, knobs):
    atom = self_consistent_field(symbol)
    worst = 0.0
    shells = atom.configuration
    for n in sorted(set(shells.n)):
        which = [i for i, other in enumerate(shells.n) if other == n]
        r_out = shell_edge(atom.mesh, atom.bound.P[jnp.array(which)], knobs)
        mesh = scattering_mesh(r_out, knobs)
        energy = jnp.geomspace(0.05, 0.5 * (20.0 / r_out) ** 2, 12)
        waves = continuum_orbitals(atom.potential, mesh, energy, 3, knobs)
        for i in which:
            P = atom.mesh.interpolate(atom.bound.P[i], mesh.inner.r)
            overlap = mesh.inner.integral(on_mesh(mesh, waves.P[:, shells.l[i]]) * P)
            scaled = float(jnp.max(jnp.abs(overlap)))
            print(f"{symbol} {shells.labels[i]}: overlap with its continuum {scaled:.1e}")
            worst = max(worst, scaled)
    return worst


@pytest.mark.slow
@pytest.mark.parametrize("symbol", ["Ne", "Ge", "Xe"])
def test_bound_and_continuum_orbitals_are_orthogonal(symbol):
    """Limited by the shell's edge and the step⁴ of the waves; both are finer here."""
    assert _orthogonality(symbol, replace(FINE, shell_edge=3e-9)) < 1e-7


@pytest.mark.slow
def test_short_waves_and_coulomb_functions_give_one_normalisation():
    atom = self_consistent_field("Xe")
    mesh = scattering_mesh(2.0)
    energy = jnp.geomspace(8.0, 40.0, 6)
    wkb = replace(ATOM_NUMERICS, wkb_phase=0.0)
    coulomb = replace(ATOM_NUMERICS, wkb_phase=1e9, phase_step=0.4)  # to k dr = 0.4
    one = continuum_orbitals(atom.potential, mesh, energy, 4, wkb)
    two = continuum_orbitals(atom.potential, mesh, energy, 4, coulomb)
    assert bool(jnp.isnan(one.phase_shift).all()) and bool(jnp.isfinite(two.phase_shift).all())
    scale = jnp.max(jnp.abs(two.P), axis=0)
    error = float(jnp.max(jnp.abs(one.P - two.P) / scale))
    print(f"WKB against Coulomb matching: worst difference {error:.1e}")
    assert error < 1e-5


@pytest.mark.slow
def test_a_finer_mesh_changes_little():
    atom = self_consistent_field("Ge")
    energy = jnp.geomspace(0.04, 80.0, 10)
    P = []
    for knobs in (ATOM_NUMERICS, FINE):
        mesh = scattering_mesh(5.0, knobs)
        waves = continuum_orbitals(atom.potential, mesh, energy, 8, knobs)
        at = jnp.linspace(0.1, 4.9, 60)
        P.append(mesh.inner.interpolate(jnp.moveaxis(waves.P, 0, -1), at))
    error = jnp.abs(P[0] - P[1]).max(axis=(0, 2)) / jnp.abs(P[1]).max(axis=(0, 2))
    print("energy [Hartree]: change at half the step", np.c_[energy, error])
    assert error.max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("symbol", "position_eV", "width_eV"), [("Xe", 9.5, 4.3), ("I", 12.8, None), ("Cs", 1.16, 0.34)]
)
def test_f_wave_shape_resonance(symbol, position_eV, width_eV):
    """The l = 3 phase rises through π/2; position and width found by a separate study."""
    atom = self_consistent_field(symbol)
    energy = jnp.linspace(0.1, 25.0, 400) / HARTREE_eV
    mesh = scattering_mesh(4.0)
    waves = continuum_orbitals(atom.potential, mesh, energy, 3)
    density = np.asarray(waves.P[:, 3] ** 2)  # of the wave within the 4d shell
    inside = np.asarray(mesh.inner.r < 2.0)
    weight = np.asarray(mesh.inner.jacobian)[inside] @ density[inside]
    peak = float(energy[weight.argmax()]) * HARTREE_eV
    half = np.asarray(energy)[weight > 0.5 * weight.max()] * HARTREE_eV
    print(f"{symbol}: f wave peaks at {peak:.2f} eV, full width {np.ptp(half):.2f} eV")
    assert peak == pytest.approx(position_eV, rel=0.3)
    if width_eV is not None and symbol == "Cs":
        assert np.ptp(half) == pytest.approx(width_eV, rel=0.3)


@pytest.mark.slow
def test_atoms_and_shells_share_one_program():
    energy = jnp.geomspace(0.1, 10.0, 5)
    for symbol in ("Ne", "Xe"):
        atom = self_consistent_field(symbol)
        for r_out in (2.0, 8.0):
            continuum_orbitals(atom.potential, scattering_mesh(r_out), energy, 2)
            if symbol == "Ne" and r_out == 2.0:
                before = continuum_orbitals._cache_size()
    assert continuum_orbitals._cache_size() == before
