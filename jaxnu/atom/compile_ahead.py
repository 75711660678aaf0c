"""Compile the large programs of a table in a thread, while the field of the atom converges."""

import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

from jaxnu.atom.bound import BoundOrbitals
from jaxnu.atom.configuration import SLOTS
from jaxnu.atom.mesh import RadialMesh
from jaxnu.atom.potential import CentralPotential
from jaxnu.atom.settings import AtomNumerics
from jaxnu.atom.tabulate import MOMENTA, Rows, Units, integral_nodes, shell_responses, waves


def _floats(*shape: int) -> Any:
    return jax.ShapeDtypeStruct(shape, np.dtype(float))


def _integers(*shape: int) -> Any:
    return jax.ShapeDtypeStruct(shape, np.dtype(int))


def _compile(knobs: AtomNumerics) -> None:
    """Compile `waves` and `shell_responses` for the shapes that every atom has."""
    points, unit, energy = knobs.mesh_points, knobs.piece_units, knobs.unit_energies
    mesh: Any = RadialMesh(_floats(), _floats(), _floats(points), _floats())
    potential: Any = CentralPotential(mesh, _floats(points), _floats(), True, (_floats(),) * 2)
    found: Any = jax.ShapeDtypeStruct((SLOTS,), np.dtype(bool))
    P, label = _floats(SLOTS, points), _integers(SLOTS)
    bound: Any = BoundOrbitals(label, label, _floats(SLOTS), P, found)
    pair = unit, energy
    units: Any = Units(
        _integers(unit), _integers(unit), _floats(*pair), _floats(*pair), _integers(*pair),
        _floats(unit),
    )  # fmt: skip
    r, kappa = integral_nodes(knobs).rho.size, knobs.kappa_nodes
    table = _floats(SLOTS, knobs.energy_slots + 1, kappa)
    rows: Any = Rows(table, table)
    for part, orders in zip(knobs.ratio_classes, knobs.orders, strict=True):
        waves.lower(potential, units, part, knobs).compile()
        final = _floats(unit, r, orders[-1] - orders[0], energy)
        shell_responses.lower(
            mesh, bound, final, units, rows, _floats(kappa, r), MOMENTA, orders, knobs
        ).compile()


@contextmanager
def compiled_ahead(knobs: AtomNumerics) -> Iterator[None]:
    """Within, large programs are compiled in a thread; its end waits for them, unless by an error.

    jax keeps what was compiled for the same shapes: the calls that follow find it. The garbage
    collector rests meanwhile: tracing makes millions of objects, and most live on.
    """
    collecting = gc.isenabled()
    gc.disable()
    pool = ThreadPoolExecutor(1)
    try:
        task = pool.submit(_compile, knobs)
        yield
        task.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        if collecting:
            gc.enable()
