"""The self-consistent field against published energies, the virial theorem and its own limits."""

import tomllib
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnu.atom import bound, field
from jaxnu.atom.configuration import configuration
from jaxnu.atom.field import radial_density, self_consistent_field
from jaxnu.atom.settings import ATOM_NUMERICS
from jaxnu.constants import HARTREE_eV
from jaxnu.errors import FitError, InputError

GOLDEN = tomllib.loads((Path(__file__).parents[1] / "golden" / "lda_vwn.toml").read_text("utf-8"))

# Herman–Skillman eigenvalues, eV: a separate prototype (finite differences on another mesh),
# printed to the digits it converged to.
HERMAN_SKILLMAN = {
    "Ne": [857.05, 43.10, 20.02],
    "Ar": [3163.9, 311.1, 247.8, 28.68, 14.51],
    "Ge": [10909.8, 1367.5, 1225.3, 173.7, 125.2, 39.39, 14.40, 6.38],
    "Xe": [33122.84, 5062.2, 4776.6, 1047.0, 924.1, 693.4, 193.1, 148.7, 71.6, 21.8, 11.4],
}


@pytest.fixture(scope="module", params=list(GOLDEN))
def local_density(request):
    return self_consistent_field(request.param, "local-density")


def test_local_density_energies_are_the_published_ones(local_density):
    symbol = local_density.configuration.symbol
    levels = np.abs(np.asarray(local_density.level_energies) - GOLDEN[symbol]["level"]).max()
    total = abs(float(local_density.energies.total) - GOLDEN[symbol]["total"])
    print(f"{symbol}: worst level {levels:.1e}, total {total:.1e} Hartree")
    assert levels < 1e-6
    assert total < 1e-5


def test_kinetic_energy_obeys_the_virial_theorem(local_density):
    """2T = Σ occupation <r dV/dr> in any field, with r dV/dr = d(rV)/dr − V."""
    mesh, rV = local_density.mesh, local_density.potential.rV
    sigma = radial_density(local_density.bound, local_density.occupation)
    virial = mesh.integral(sigma * (mesh.slope(rV) - rV / mesh.r))
    ratio = float(2.0 * local_density.energies.kinetic / virial)
    assert ratio == pytest.approx(1.0, abs=2e-9), local_density.configuration.symbol


def test_density_holds_z_electrons(local_density):
    sigma = radial_density(local_density.bound, local_density.occupation)
    Z = local_density.configuration.Z
    assert float(local_density.mesh.integral(sigma)) == pytest.approx(Z, abs=1e-10)


@pytest.mark.parametrize("symbol", list(HERMAN_SKILLMAN))
def test_herman_skillman_levels(symbol):
    levels = -np.asarray(self_consistent_field(symbol).level_energies) * HARTREE_eV
    for label, value, known in zip(
        self_consistent_field(symbol).configuration.labels,
        levels,
        HERMAN_SKILLMAN[symbol],
        strict=True,
    ):
        digits = len(str(known).split(".")[1])
        assert value == pytest.approx(known, abs=0.51 * 10.0**-digits), f"{symbol} {label}"


def test_latter_tail():
    atom = self_consistent_field("Ge")
    r = jnp.array([4.0, 10.0, 50.0, 1000.0])
    np.testing.assert_allclose(atom.potential(r), -1.0 / r, rtol=1e-12)
    assert float(atom.potential.kink_radius()) == pytest.approx(3.26, abs=0.01)


def test_every_atom_runs_the_same_compiled_programs():
    self_consistent_field("He", "local-density")
    self_consistent_field("He")
    before = field._solve._cache_size(), bound.bound_orbitals._cache_size()
    for symbol in ("H", "Fe", "Pd", "Cs"):
        for model in ("local-density", "herman-skillman"):
            self_consistent_field(symbol, model)
    assert (field._solve._cache_size(), bound.bound_orbitals._cache_size()) == before
    assert field._solve._cache_size() <= 2


def test_finer_mesh_changes_nothing():
    fine = replace(ATOM_NUMERICS, mesh_points=8192, coarse_factor=8, field_tolerance=1e-10)
    for symbol in ("Ar", "Xe"):
        one = self_consistent_field(symbol)
        two = self_consistent_field(symbol, knobs=fine)
        change = np.abs(np.asarray(one.level_energies - two.level_energies)).max()
        print(f"{symbol}: worst level moves by {change:.1e} Hartree at half the step")
        assert change < 1e-7


def test_what_is_not_converged_or_not_bound_is_refused():
    with pytest.raises(FitError, match="not converged after 3 iterations"):
        self_consistent_field("Ar", knobs=replace(ATOM_NUMERICS, field_iterations=3))
    with pytest.raises(FitError, match="5f not bound"):
        weakly = configuration("Ne", "1s2 2s2 2p5.98 5f0.02")  # a net charge of 0.02 outside
        self_consistent_field(weakly, "local-density")


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="did you mean 'local-density'"):
        self_consistent_field("He", "local-densty")
    with pytest.raises(InputError, match=r"exchange = 3 is outside \[0.5, 1.5\]"):
        self_consistent_field("He", exchange=3.0)
