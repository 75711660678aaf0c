"""Energies ε of a table: even in x = ln(1 + ε/eV), denser on the shape resonances of the field."""

import math

import numpy as np
from jaxtyping import Float

from jaxnu.atom.field import AtomicField
from jaxnu.atom.settings import ATOM_NUMERICS, AtomNumerics
from jaxnu.atom.tabulate import Units, waves
from jaxnu.constants import HARTREE_eV
from jaxnu.errors import FitError


def energy_nodes(
    atom: AtomicField, knobs: AtomNumerics = ATOM_NUMERICS
) -> Float[np.ndarray, "energy"]:
    """Kinetic energies ε [Hartree] of an atom's table, from 0.02 eV to 100 keV.

    Where the norm N_l(ε) of a wave inside 2 Bohr (beneath the centrifugal barrier) bends, nodes
    lie 1/(5 sqrt|d² ln N_l/dx²|) apart: ten across the width of a resonance.

    Raises FitError if the resonances ask for more nodes than a table has room for.
    """
    x, norm = wave_norm_scan(atom, knobs)
    bend = np.gradient(np.gradient(np.log(np.maximum(norm, 1e-300)), x, axis=1), x, axis=1)
    visible = norm > 1e-6 * norm.max(axis=1, keepdims=True)
    density = knobs.resonance_nodes * np.sqrt(np.abs(np.where(visible, bend, 0.0)).max(axis=0))
    return nodes_of_density(x, density, knobs)


def wave_norm_scan(
    atom: AtomicField, knobs: AtomNumerics = ATOM_NUMERICS
) -> tuple[Float[np.ndarray, "scan"], Float[np.ndarray, "l scan"]]:
    """x = ln(1 + ε/eV), evenly spaced, and ∫_0^2 P_εl² dr of the lowest l there."""
    part = knobs.ratio_classes[0]
    first, last = np.log1p([knobs.energy_first_eV, knobs.resonance_last_eV])
    shape = knobs.piece_units, knobs.unit_energies
    x = np.linspace(first, last, math.prod(shape))
    units = Units(
        orbital=np.zeros(shape[0], int),
        top=np.full(shape[0], knobs.resonance_l),
        energy=(np.expm1(x) / HARTREE_eV).reshape(shape),
        r_out=np.full(shape, knobs.resonance_radius),
        slot=np.zeros(shape, int),
        window=np.zeros(shape[0]),
    )
    _, norm = waves(atom.potential, units, part, knobs)
    return x, np.asarray(norm).reshape(norm.shape[0], -1)


def nodes_of_density(
    x: Float[np.ndarray, "scan"], density: Float[np.ndarray, "scan"], knobs: AtomNumerics
) -> Float[np.ndarray, "energy"]:
    """Energies [Hartree] with the given number of nodes per unit of x, or 1/energy_step."""
    floor = 1.0 / knobs.energy_step
    last = np.log1p(knobs.energy_last_eV)
    beyond = np.arange(x[-1], last, x[1] - x[0])[1:]
    grid = np.concatenate([x, beyond, [last]])
    wanted = np.maximum(np.concatenate([density, np.zeros(beyond.size + 1)]), floor)
    steps = 0.5 * (wanted[1:] + wanted[:-1]) * np.diff(grid)
    count = np.concatenate([[0.0], np.cumsum(steps)])
    nodes = int(np.ceil(count[-1])) + 1
    if nodes > knobs.energy_slots:
        raise FitError(
            f"resonances ask for {nodes} energies, a table has room for {knobs.energy_slots}; "
            "raise AtomNumerics.energy_slots or lower resonance_nodes"
        )
    return np.expm1(np.interp(np.linspace(0.0, count[-1], nodes), count, grid)) / HARTREE_eV
