"""How large and how fast the electrons of each subshell are."""

from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Array

from jaxnu.atom.field import AtomicField, self_consistent_field
from jaxnu.constants import FINE_STRUCTURE, ATOMIC_MOMENTUM_keV
from jaxnu.elements import element, subshells


@dataclass(frozen=True)
class Orbitals:
    """Subshells nl of the self-consistent field, innermost first.

    inverse_radius_keV: 1/<r>. speed_squared: <p²>/m², in units of c².
    thomas_fermi_keV: 1/r_a = Z^{1/3} α m, the inverse atomic radius of KS11.
    """

    labels: tuple[str, ...]
    electrons: list[float]
    inverse_radius_keV: list[float]
    speed_squared: list[float]
    thomas_fermi_keV: float


@jax.jit
def _radius_and_square(atom: AtomicField) -> tuple[Array, Array]:
    """<r> and <p²> = 2 (E − <V>) of every orbital [a.u.]."""
    mesh, density = atom.mesh, atom.bound.P**2
    potential = mesh.integral(density * atom.potential.at_nodes())
    return mesh.integral(density * mesh.r), 2.0 * (atom.bound.energy - potential)


def field_orbitals(target: str) -> Orbitals:
    """Mean radii and velocities of the electrons of an element, from its Herman–Skillman field."""
    atom = self_consistent_field(target)
    labels = atom.configuration.labels
    radius, square = (np.asarray(a)[: len(labels)] for a in _radius_and_square(atom))
    return Orbitals(
        labels=labels,
        electrons=list(atom.configuration.occupation),
        inverse_radius_keV=(ATOMIC_MOMENTUM_keV / radius).tolist(),
        speed_squared=(FINE_STRUCTURE**2 * square).tolist(),
        thomas_fermi_keV=float(element(target).Z ** (1.0 / 3.0) * ATOMIC_MOMENTUM_keV),
    )


def orbital_names(target: str, labels: tuple[str, ...]) -> tuple[str, ...]:
    """The nl of each subshell of a response: "3d" of M4; a label that is an nl stays."""
    known = {shell.label: shell.orbital for shell in subshells(target)}
    return tuple(known.get(label, label) for label in labels)
