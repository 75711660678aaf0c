"""From a self-consistent field to the table of S and R of all subshells."""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import jax
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.special import zeta

from jaxnu._version import __version__
from jaxnu.atom.bound import rydberg_orbitals
from jaxnu.atom.compile_ahead import compiled_ahead
from jaxnu.atom.configuration import SLOTS
from jaxnu.atom.energy_nodes import energy_nodes
from jaxnu.atom.field import AtomicField, checked_configuration, self_consistent_field
from jaxnu.atom.matrix_elements import ElectronResponses
from jaxnu.atom.momentum import kappa_mesh
from jaxnu.atom.settings import ATOM_NUMERICS, AtomNumerics
from jaxnu.atom.table import AtomTable, LineTable, ShellTable
from jaxnu.atom.tabulate import (
    MOMENTA,
    Ridge,
    Rows,
    Units,
    bessel_arguments,
    bound_waves,
    empty_rows,
    profile_bessel,
    profiles,
    ridge_nodes,
    rows_on_ridge,
    shell_responses,
    waves,
)  # fmt: skip
from jaxnu.constants import FINE_STRUCTURE, ATOMIC_MOMENTUM_keV, HARTREE_eV

HARTREE_keV = HARTREE_eV * 1e-3
Progress = Callable[[int, int, str], None]
Work = tuple[int, np.ndarray, int, float]  # orbital, energy slots, top l', window


@dataclass(frozen=True)
class Plan:
    """What is decided on the host before anything is computed: energies, radii, pieces of work."""

    energy: Float[np.ndarray, "energy"]
    r_out: Float[np.ndarray, "orbital"]
    reach: Float[np.ndarray, "orbital slot"]  # where integrals over r end: r_out, or before it
    width: Float[np.ndarray, "orbital"]  # 1/(2J(0)) of each orbital
    p_z: Float[np.ndarray, "orbital momentum"]
    before: Int[np.ndarray, "orbital"]  # the slot of half the T of
    last: Int[np.ndarray, "orbital"]  # the highest energy done by multipoles
    far_from: Float[np.ndarray, "orbital slot"]  # the p_z where, beyond `last`, inner parts count
    pieces: list[tuple[int, Units]]  # (class, units)


def plan_table(atom: AtomicField, knobs: AtomNumerics = ATOM_NUMERICS) -> Plan:
    """Energies of a table and the pieces of work, each with the shape of its class."""
    shells = len(atom.configuration.n)
    binding = -np.asarray(atom.bound.energy)
    r_out = _outer_radii(atom, knobs)
    anywhere = np.zeros((SLOTS, knobs.momentum_nodes))
    J0, _, _ = profiles(atom.mesh, atom.bound, r_out, anywhere, profile_bessel(knobs), knobs)
    width = 0.5 / np.asarray(J0)
    energy = energy_nodes(atom, knobs)
    plan = Plan(
        energy=energy,
        r_out=r_out,
        reach=np.repeat(r_out[:, None], knobs.energy_slots, axis=1),
        width=width,
        p_z=ridge_nodes(width, r_out, knobs),
        before=np.zeros(SLOTS, int),
        last=np.zeros(SLOTS, int),
        far_from=np.full((SLOTS, knobs.energy_slots), np.inf),
        pieces=[],
    )
    floor = 0.0
    for number, part in enumerate(knobs.ratio_classes):
        work = []
        for orbital in range(shells):
            ratio = 1.0 + energy / binding[orbital]
            slots = np.flatnonzero((ratio > floor) & (ratio <= part.ratio))
            if slots.size:
                plan.last[orbital] = slots[-1]
                plan.before[orbital] = np.searchsorted(ratio, 0.5 * ratio[slots[-1]])
            last_l = knobs.orders[part.groups - 1][-1] - 1
            for here in _batches(slots, knobs):
                top = min(last_l, math.ceil(17.0 * math.sqrt(ratio[here[-1]]) + 20.0))
                work.append((orbital, here, top, 0.0))
        if number == len(knobs.ratio_classes) - 1:
            work += _far_work(plan, shells, knobs)
        for i in range(0, len(work), knobs.piece_units):
            plan.pieces.append((number, _units(work[i : i + knobs.piece_units], plan, knobs)))
        floor = part.ratio
    return plan


def _far_work(plan: Plan, shells: int, knobs: AtomNumerics) -> list[Work]:
    """Inner parts of orbitals for the energies beyond the multipoles of the whole: as far out as
    the mesh of the last class carries the wave."""
    work: list[Work] = []
    for orbital in range(shells):
        slots = np.arange(plan.last[orbital] + 1, plan.energy.size)
        k = np.sqrt(2.0 * plan.energy[slots])
        end = np.minimum(plan.r_out[orbital], knobs.far_phase / k)
        plan.reach[orbital, slots] = end
        plan.far_from[orbital, slots] = np.maximum(knobs.far_start / end, knobs.far_share * k)
        batches = _batches(slots, knobs)
        work += [(orbital, here, knobs.far_l, knobs.far_window) for here in batches]
    return work


def _batches(slots: Int[np.ndarray, "slots"], knobs: AtomNumerics) -> list[np.ndarray]:
    size = knobs.unit_energies
    return [slots[i : i + size] for i in range(0, slots.size, size)]


def _outer_radii(atom: AtomicField, knobs: AtomNumerics) -> Float[np.ndarray, "orbital"]:
    """r_out of each orbital: the last radius where |P| exceeds `table_edge` of its maximum."""
    P = np.abs(np.asarray(atom.bound.P))
    large = knobs.table_edge * P.max(axis=1, keepdims=True) < P
    return np.asarray(atom.mesh.r)[P.shape[1] - 1 - np.argmax(large[:, ::-1], axis=1)]


def _units(work: list[Work], plan: Plan, knobs: AtomNumerics) -> Units:
    """Work in the fixed shape of a piece."""
    shape = count, energies = knobs.piece_units, knobs.unit_energies
    units = Units(
        orbital=np.zeros(count, int),
        top=np.full(count, -1),
        energy=np.ones(shape),
        r_out=np.ones(shape),
        slot=np.full(shape, knobs.energy_slots),
        window=np.zeros(count),
    )
    for i, (orbital, slots, top, window) in enumerate(work):
        units.orbital[i], units.top[i], units.window[i] = orbital, top, window
        units.r_out[i] = plan.r_out[orbital]
        if slots.size:  # the last one once more for padding
            units.slot[i, : slots.size] = slots
            every = np.append(slots, np.full(energies - slots.size, slots[-1]))
            units.energy[i], units.r_out[i] = plan.energy[every], plan.reach[orbital, every]
    return units


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Responses:
    """All that is computed of an atom, per electron, Hartree atomic units, padded orbitals."""

    level: Float[Array, "orbital"]
    rows: Rows
    final_level: Float[Array, "state"]
    lines: ElectronResponses


def compute(
    atom: AtomicField, plan: Plan, knobs: AtomNumerics = ATOM_NUMERICS,
    progress: Progress | None = None,
) -> Responses:  # fmt: skip
    """S and R of every subshell on (ε, p_z), and its lines on the κ mesh.

    Differentiable in the field in forward mode; the plan stays fixed.
    """
    steps = len(plan.pieces) + 1
    mesh, bound = atom.mesh, atom.bound
    _, J, K = profiles(mesh, bound, plan.r_out, plan.p_z, profile_bessel(knobs), knobs)
    ridge = Ridge(plan.width, plan.p_z, J, K)
    rows, x = empty_rows(knobs), bessel_arguments(knobs)
    for done, (number, units) in enumerate(plan.pieces):
        part = knobs.ratio_classes[number]
        if progress:
            progress(done, steps, f"continuum, T/I up to {part.ratio:g}")
        finals, _ = waves(atom.potential, units, part, knobs)
        for final, orders in zip(finals, knobs.orders, strict=False):
            if units.top.max() >= orders[0]:
                _, rows = shell_responses(
                    mesh, bound, final, units, rows, x, MOMENTA, orders, knobs
                )
        del finals, final

    if progress:
        progress(steps - 1, steps, "lines")
    every = [(i, np.zeros(0, int), knobs.line_n - 1, 0.0) for i in range(len(atom.configuration.n))]
    units = _units(every, plan, knobs)
    final_mesh, states = rydberg_orbitals(atom.potential, knobs.line_n, knobs)
    final = bound_waves(final_mesh, states, units, knobs)
    lines, _ = shell_responses(mesh, bound, final, units, rows, x, MOMENTA, knobs.orders[0], knobs)

    energy = np.full(knobs.energy_slots, plan.energy[-1])
    energy[: plan.energy.size] = plan.energy
    rows = rows_on_ridge(
        rows, plan.reach, plan.far_from, energy, plan.before, plan.last, bound, ridge, knobs
    )
    if progress:
        progress(steps, steps, "done")
    return Responses(bound.energy, rows, states.energy, lines)


def build_table(
    element: str | int,
    exchange: float = 1.0,
    progress: Progress | None = None,
    knobs: AtomNumerics = ATOM_NUMERICS,
) -> AtomTable:
    """The table of S(T,Q) and R(T,Q) of a neutral atom in its Herman–Skillman field.

    element: symbol or nuclear charge, H to Cs. exchange: factor on the exchange potential, 0.5
        to 1.5. progress: called as progress(done, total, text).
    Returns an AtomTable: every subshell at about 200 energies ε from 0.02 eV to 100 keV (more
        on resonances) and 128 momenta along its Bethe ridge, all multipoles up to T/I = 100, the
        impulse form with its first corrections beyond; lines to n' = 8, their series closed.
    Raises InputError for an unknown element, an ion, Z > 55 or exchange outside its range;
        FitError if the field does not converge.
    Range of validity: nonrelativistic, one electron at a time in a potential without hole.
    """
    if progress:
        progress(0, 1, "self-consistent field (programs compiled on the first run)")
    configuration = checked_configuration(element, exchange)  # before anything is compiled
    with compiled_ahead(knobs):
        atom = self_consistent_field(configuration, exchange=exchange, knobs=knobs)
    plan = plan_table(atom, knobs)
    responses = compute(atom, plan, knobs, progress)
    closure = series_closure(responses.final_level, knobs)
    return assemble(atom, plan, responses, closure, exchange, knobs)


def assemble(
    atom: AtomicField,
    plan: Plan,
    responses: Responses,
    closure: Float[np.ndarray, "state"],
    exchange: float,
    knobs: AtomNumerics,
) -> AtomTable:
    """The computed arrays, or their derivatives, in keV, 1/keV and per atom, on the host."""
    provenance = {
        "code": f"jaxnu {__version__}",
        "model": "Herman–Skillman with Latter tail, nonrelativistic",
        "exchange": float(exchange),
        "configuration": str(atom.configuration),
        "numerics": asdict(knobs),
    }
    return AtomTable(
        symbol=atom.configuration.symbol,
        Z=atom.configuration.Z,
        shells=tuple(_shells(atom, plan, responses, closure, knobs)),
        provenance=provenance,
    )


def _shells(
    atom: AtomicField,
    plan: Plan,
    responses: Responses,
    closure: Float[np.ndarray, "state"],
    knobs: AtomNumerics,
) -> Iterator[ShellTable]:
    kappa = kappa_mesh(knobs).r
    thin = np.flatnonzero(kappa <= knobs.line_kappa)[:: knobs.line_thinning]
    host = jax.tree.map(np.asarray, responses)
    nodes = plan.energy.size
    final_n, final_l = final_states(knobs)
    vacancy = np.ones(final_n.size)
    for n, l, electrons in zip(
        atom.configuration.n, atom.configuration.l, atom.configuration.occupation, strict=True
    ):
        vacancy[(final_n == n) & (final_l == l)] -= electrons / (4 * l + 2)
    for i, label in enumerate(atom.configuration.labels):
        electrons = float(atom.configuration.occupation[i])
        to_S, to_R = electrons / HARTREE_keV, electrons * FINE_STRUCTURE**2 / HARTREE_keV
        other = (final_n != atom.configuration.n[i]) | (final_l != atom.configuration.l[i])
        yield ShellTable(
            label=label,
            electrons=electrons,
            threshold_keV=-float(host.level[i]) * HARTREE_keV,
            width_keV=float(plan.width[i]) * ATOMIC_MOMENTUM_keV,
            kinetic_keV=plan.energy * HARTREE_keV,
            axis="p_z",
            momentum_keV=plan.p_z[i] * ATOMIC_MOMENTUM_keV,
            S=to_S * host.rows.S[i, :nodes],
            R=to_R * host.rows.R[i, :nodes],
            lines=LineTable(
                n=final_n[other],
                l=final_l[other],
                T_keV=(host.final_level - host.level[i])[other] * HARTREE_keV,
                vacancy=vacancy[other],
                closure=closure[other],
                Q_keV=kappa[thin] / plan.r_out[i] * ATOMIC_MOMENTUM_keV,
                S=electrons * host.lines.S[i][thin][:, : final_n.size].T[other],
                R=electrons * FINE_STRUCTURE**2
                * host.lines.R[i][thin][:, : final_n.size].T[other],
            ),
        )  # fmt: skip


def series_closure(
    final_level: Float[Array, "state"], knobs: AtomNumerics
) -> Float[np.ndarray, "state"]:
    """Σ_{n' ≥ n} 1/ν'³ in units of 1/ν³ for the last n of each series, ν = 1/sqrt(−2E), and 1
    for the others: the strength per unit energy goes on evenly through the threshold."""
    n, _ = final_states(knobs)
    nu = 1.0 / np.sqrt(-2.0 * np.asarray(final_level))
    return np.where(n == knobs.line_n, nu**3 * zeta(3.0, nu), 1.0)


def closure_slope(
    final_level: Float[Array, "state"], knobs: AtomNumerics
) -> Float[np.ndarray, "state"]:
    """d(series_closure)/dE: dζ(s, ν)/dν = −s ζ(s + 1, ν), dν/dE = ν³."""
    n, _ = final_states(knobs)
    nu = 1.0 / np.sqrt(-2.0 * np.asarray(final_level))
    slope = 3.0 * nu**5 * (zeta(3.0, nu) - nu * zeta(4.0, nu))
    return np.where(n == knobs.line_n, slope, 0.0)


def final_states(knobs: AtomNumerics) -> tuple[np.ndarray, np.ndarray]:
    """n and l of the bound final states, in the order of `rydberg_orbitals`."""
    n, l = np.array([(n, l) for n in range(1, knobs.line_n + 1) for l in range(n)]).T
    return n, l
