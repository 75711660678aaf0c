"""The photoabsorption cross-section of an atom: its transverse response on the light cone."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnu import checks
from jaxnu.atom.field import AtomicField
from jaxnu.atom.settings import ATOM_NUMERICS, AtomNumerics
from jaxnu.atom.subshells import ionisation_responses, refined_for, subshell_index
from jaxnu.constants import FINE_STRUCTURE, ATOMIC_MOMENTUM_keV, HARTREE_eV, HBARC2_keV2_cm2

FINAL_L_MAX = 8  # at Q = T the multipoles fall like (T r_shell/ħc)², below 1e-2 per order


@dataclass(frozen=True)
class Edge:
    """A measured threshold: the subshell ("2p"), its binding energy [eV], and the part of the
    subshell's electrons that it binds (1/3 and 2/3 for L2 and L3)."""

    subshell: str
    binding_eV: float
    share: float = 1.0


def model_edges(atom: AtomicField) -> list[Edge]:
    """The thresholds of the model itself, −E_nl."""
    binding = -np.asarray(atom.level_energies) * HARTREE_eV
    return [Edge(n, float(E)) for n, E in zip(atom.configuration.labels, binding, strict=True)]


def photoabsorption_cm2(
    atom: AtomicField,
    T_keV: Float[Array, "T"],
    edges: Sequence[Edge] | None = None,
    knobs: AtomNumerics = ATOM_NUMERICS,
) -> Float[Array, "T"]:
    """Photoabsorption cross-section per atom, σ_γ(T) = 4π²α R(T, T)/T, in cm².

    R is taken in velocity form at ε = T − binding energy, and multiplied by (T/T_model)² with
    T_model = ε − E_nl, so that the dipole amplitude, not the velocity, is the model's.

    Args:
        atom: a self-consistent field with Latter tail.
        T_keV: photon energies [keV].
        edges: measured thresholds; the model's own by default.

    Returns: cm² per atom, ionisation only (no lines).

    Range of validity: nonrelativistic, one electron at a time: 5% from 2 to 10 keV; tens of per
    cent below 0.2 keV and near the d edges, where correlation matters.
    Source: Kouzakov & Studenikin, Nucl. Phys. B (Proc. Suppl.) 217, 353 (2011), eq 17.
    """
    checks.number_range("T_keV", T_keV, 1e-3, 100.0, "keV", "give photon energies in keV")
    T_eV = np.atleast_1d(np.asarray(T_keV, dtype=float)) * 1e3
    Q = jnp.asarray(T_eV / 1e3 / ATOMIC_MOMENTUM_keV)
    total = np.zeros_like(T_eV)
    edges = model_edges(atom) if edges is None else edges
    # one mesh density for all edges: they share compiled programs
    reach = float(T_eV.max()) / HARTREE_eV
    fine = max(
        (refined_for(atom, edge.subshell, reach, float(Q.max()), knobs) for edge in edges),
        key=lambda each: each.scatter_stretch,
    )
    for edge in edges:
        index = subshell_index(atom, edge.subshell)
        ejected = (T_eV - edge.binding_eV) / HARTREE_eV
        energy = np.where(ejected > 1e-4, ejected, 1.0)
        responses = ionisation_responses(
            atom, edge.subshell, jnp.asarray(energy), Q, FINAL_L_MAX, fine
        )
        ratio = T_eV / HARTREE_eV / (energy - float(atom.bound.energy[index]))
        R = np.diagonal(np.asarray(responses.R)) * ratio**2
        electrons = edge.share * atom.configuration.occupation[index]
        total += electrons * np.where(ejected > 1e-4, R, 0.0)
    R_per_keV = FINE_STRUCTURE**2 * total / (HARTREE_eV * 1e-3)
    return jnp.asarray(
        4.0 * np.pi**2 * FINE_STRUCTURE * R_per_keV / (T_eV * 1e-3) * HBARC2_keV2_cm2
    )
