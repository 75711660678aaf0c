"""What the tables of atoms are worth: against direct evaluation, sums, gauge, photoabsorption.

python benchmarks/bench_atom_tables.py                       every section, the ten elements
python benchmarks/bench_atom_tables.py sums gauge            some of the sections
python benchmarks/bench_atom_tables.py direct --elements Ge  some of the elements

Prints Markdown. Tables are the shipped ones, or computed. T is ε plus the threshold of the model,
unless measured thresholds are named.
"""

import argparse
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import spherical_jn

from jaxnu.atom.build import build_table
from jaxnu.atom.continuum import shell_edge
from jaxnu.atom.field import AtomicField, self_consistent_field
from jaxnu.atom.settings import ATOM_NUMERICS, AtomNumerics, RatioClass
from jaxnu.atom.subshells import (
    effective_electrons,
    ionisation_responses,
    refined_for,
    subshell_index,
)
from jaxnu.atom.table import ShellTable
from jaxnu.atom.table_store import atom_table
from jaxnu.constants import (
    FINE_STRUCTURE,
    ATOMIC_MOMENTUM_keV,
    AVOGADRO_per_mol,
    ELECTRON_MASS_keV,
    HARTREE_eV,
)
from jaxnu.elements import subshells
from jaxnu.numerics.quadrature import panel_nodes
from jaxnu.responses.central_field import CentralField
from jaxnu.responses.sum_rules import f_sum, static_sum

ELEMENTS = ("He", "Ne", "Na", "Ar", "Si", "Ge", "Kr", "I", "Xe", "Cs")
SWITCH = ATOM_NUMERICS.ratio_classes[-1].ratio  # T/I where multipoles end
HARTREE_keV = HARTREE_eV * 1e-3
M = ELECTRON_MASS_keV

table = cache(atom_table)
field = cache(self_consistent_field)


def shell_of(symbol: str, label: str) -> ShellTable:
    return next(s for s in table(symbol).shells if s.label == label)


@cache
def response_of(symbol: str, label: str) -> CentralField:
    """The response of a single subshell, thresholds of the model."""
    return CentralField.from_table(
        replace(table(symbol), shells=(shell_of(symbol, label),)), "model"
    )


def momentum_transfer(p_z, T):
    """Q [keV] with mT/Q − Q/2 = p_z [keV], at T [keV]."""
    root = np.sqrt(p_z**2 + 2.0 * M * T)
    return np.where(p_z > 0.0, 2.0 * M * T / (np.abs(p_z) + root), root - p_z)


# ---- integrals over Q ----------------------------------------------------------------------------


@partial(jax.jit, static_argnames=("panels", "order"))
def momentum_integrals(
    shell: CentralField, T_keV: Float[Array, "T"], panels: int = 512, order: int = 8
) -> Float[Array, "T 3"]:
    """T∫S dQ²/Q², ∫S dQ²/2m and T∫R dQ²/Q² from Q = T, per electron of one subshell.

    Gauss–Legendre panels, even in u = asinh(2p_z/p0): four in each interval of the spline, and
    beyond its ends as far as S matters.
    """
    width = shell.widths_keV[0]
    low, high = shell.momentum.low[0] - 6.0, shell.momentum.high[0] + 6.0

    def part(T, last):
        u, du = (a.ravel() for a in panel_nodes(jnp.linspace(low, last, panels + 1), order))
        p = 0.5 * width * jnp.sinh(u)
        root = jnp.sqrt(p**2 + 2.0 * M * T)
        Q = jnp.where(p > 0.0, 2.0 * M * T / (jnp.abs(p) + root), root - p)
        return Q, du * 0.5 * width * jnp.cosh(u) / root  # dQ/Q

    def one(T):
        Q, step = part(T, high)
        S = step * shell.longitudinal(T, Q)
        Q_R, step_R = part(T, jnp.arcsinh(2.0 * (M - 0.5 * T) / width))
        R = step_R * shell.transverse(T, Q_R)
        return jnp.stack([2.0 * T * jnp.sum(S), jnp.sum(S * Q**2) / M, 2.0 * T * jnp.sum(R)])

    return jax.lax.map(one, T_keV) / shell.electrons[0]


def last_order(part: RatioClass) -> int:
    """The highest l′ of a class."""
    return ATOM_NUMERICS.orders[part.groups - 1][-1] - 1


def reference_knobs(
    atom: AtomicField, label: str, ratio: float, finer: bool = True
) -> tuple[AtomNumerics, int]:
    """Knobs and l′_max of a direct evaluation up to T/I = ratio; finer: every one doubled."""
    index = subshell_index(atom, label)
    I = -float(atom.bound.energy[index])
    knobs = replace(ATOM_NUMERICS, kappa_nodes=768, kappa_min=0.02)
    l_max = next((last_order(c) for c in knobs.ratio_classes if ratio <= c.ratio), 0)
    l_max = l_max or math.ceil(17.0 * math.sqrt(ratio) + 20.0)
    if ratio > SWITCH:
        knobs = replace(knobs, coulomb_l=-1)
    if finer:
        l_max *= 2
        knobs = replace(knobs, scatter_step=0.01, outer_steps=128, kappa_nodes=960)
    Q_max = knobs.kappa_max / float(shell_edge(atom.mesh, atom.bound.P[index][None], knobs))
    return refined_for(atom, label, ratio * I, Q_max, knobs), l_max


def direct_integrals(
    symbol: str, label: str, energies_keV: Float[np.ndarray, "T"], finer: bool = True
) -> Float[np.ndarray, "T 3"]:
    """The same integrals by multipoles at these very energies ε."""
    atom, threshold = field(symbol), shell_of(symbol, label).threshold_keV
    ratio = 1.0 + float(np.max(energies_keV)) / threshold
    knobs, l_max = reference_knobs(atom, label, ratio, finer)
    all_of = effective_electrons(atom, label, energies_keV / HARTREE_keV, l_max, knobs)
    parts = all_of.inverse, all_of.flat, FINE_STRUCTURE**2 * all_of.current
    return np.stack([np.asarray(p) for p in parts], axis=1)


def between_nodes(symbol: str, label: str, low: float, high: float) -> Float[np.ndarray, "T"]:
    """ε [keV] in the middle of the table's intervals in ln(1 + ε/1 eV), where twice as many nodes
    would have theirs, for low < T/I < high and T < 50 keV."""
    shell = shell_of(symbol, label)
    x = np.log1p(1e3 * shell.kinetic_keV)
    T = np.expm1(0.5 * (x[1:] + x[:-1])) / 1e3 + shell.threshold_keV
    inside = (low * shell.threshold_keV < T) & (high * shell.threshold_keV > T) & (T < 50.0)
    return T[inside] - shell.threshold_keV


def convergence(symbol: str, label: str, number: int = 6) -> list[tuple[float, np.ndarray]]:
    """(largest T/I of a class, worst relative difference of the three integrals) between the table
    halfway between its energies and a direct evaluation with mesh, l′ and Q nodes doubled."""
    rows = []
    low, I = 1.0, shell_of(symbol, label).threshold_keV
    for part in ATOM_NUMERICS.ratio_classes:
        if low * I > 50.0:
            break
        high = min(part.ratio, 50.0 / I)
        every = between_nodes(symbol, label, low, high)
        energies = every[np.linspace(0, every.size - 1, number).astype(int)]
        ours = momentum_integrals(response_of(symbol, label), energies + I)
        theirs = direct_integrals(symbol, label, energies)
        rows.append((high, np.abs(np.asarray(ours) / theirs - 1.0).max(axis=0)))
        low = part.ratio
    return rows


def with_energies_doubled(symbol: str) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """(subshell, T/I, relative differences of the three integrals): the table halfway between its
    energies, all below 50 keV, against a table computed at twice as many, which has them there."""
    twice = replace(
        ATOM_NUMERICS,
        energy_step=0.5 * ATOM_NUMERICS.energy_step,
        resonance_nodes=2.0 * ATOM_NUMERICS.resonance_nodes,
        energy_slots=2 * ATOM_NUMERICS.energy_slots,
    )
    finer, rows = build_table(symbol, knobs=twice), []
    for shell in finer.shells:
        T = shell.threshold_keV + between_nodes(symbol, shell.label, 1.0, np.inf)
        one = CentralField.from_table(replace(finer, shells=(shell,)), "model")
        ours = momentum_integrals(response_of(symbol, shell.label), T)
        error = np.abs(np.asarray(ours / momentum_integrals(one, T)) - 1.0)
        rows.append((shell.label, T / shell.threshold_keV, error))
    return rows


# ---- point by point ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Points:
    """Table against direct evaluation at some (shell, T, Q): relative differences, S over the
    ridge's at that T."""

    label: np.ndarray
    ratio: np.ndarray
    over_ridge: np.ndarray
    S: np.ndarray
    R: np.ndarray

    def __getitem__(self, which):
        return Points(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def visible_range(
    symbol: str, label: str, T: float, share: float = 1e-3
) -> tuple[float, float, float]:
    """(lowest u, highest u) where S exceeds `share` of its value at Q² = 2mT, and that value."""
    shell, table_shell = response_of(symbol, label), shell_of(symbol, label)
    width = table_shell.width_keV
    ends = np.arcsinh(2.0 * table_shell.momentum_keV[[0, -1]] / width)
    u = np.linspace(*ends, 400)
    S = np.asarray(shell.longitudinal(T, momentum_transfer(0.5 * width * np.sinh(u), T)))
    ridge = float(shell.longitudinal(T, math.sqrt(2.0 * M * T)))
    seen = u[share * ridge < S]
    return seen[0], seen[-1], ridge


def compared(
    symbol: str, label: str, energy_keV: float, Q_keV: Float[np.ndarray, "Q"], l_max: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(S of the table, S and R of the table over the direct ones − 1) of a subshell."""
    atom, shell = field(symbol), shell_of(symbol, label)
    energy, Q = energy_keV / HARTREE_keV, Q_keV / ATOMIC_MOMENTUM_keV
    knobs = refined_for(atom, label, energy, float(Q.max()))
    direct = ionisation_responses(atom, label, np.array([energy]), jnp.asarray(Q), l_max, knobs)
    to_S = shell.electrons / HARTREE_keV
    S, R = to_S * direct.S[:, 0], to_S * FINE_STRUCTURE**2 * direct.R[:, 0]
    T, response = energy_keV + shell.threshold_keV, response_of(symbol, label)
    ours = response.longitudinal(T, Q_keV), response.transverse(T, Q_keV)
    return np.asarray(ours[0]), np.asarray(ours[0] / S) - 1.0, np.asarray(ours[1] / R) - 1.0


def off_node_points(
    symbol: str, groups: int = 20, points: int = 10, seed: int = 1, share: float = 1e-3
) -> Points:
    """groups random (shell, T) with ε > 12 eV and T/I < 100, `points` random Q each, where S
    exceeds `share` of the ridge: the table against multipoles of the same field."""
    random = np.random.default_rng(seed)
    kept: list[tuple] = []
    for group in range(groups):
        shell = table(symbol).shells[group % len(table(symbol).shells)]
        I = shell.threshold_keV
        highest = min((SWITCH - 1.0) * I, 99.0)
        energy = math.exp(random.uniform(math.log(0.012), math.log(highest)))
        T = energy + I
        low, high, ridge = visible_range(symbol, shell.label, T, share)
        p_z = 0.5 * shell.width_keV * np.sinh(random.uniform(low, high, points))
        l_max = next(last_order(c) for c in ATOM_NUMERICS.ratio_classes if c.ratio >= T / I)
        values, S, R = compared(symbol, shell.label, energy, momentum_transfer(p_z, T), l_max)
        for value, dS, dR in zip(values, S, R, strict=True):
            if value > share * ridge:
                kept.append((shell.label, T / I, value / ridge, dS, dR))
    return Points(*(np.array(column) for column in zip(*kept, strict=True)))


def beyond_the_switch(
    symbol: str, label: str, ratio: float, points: int = 24
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(u, S over the ridge, relative differences of S and R) at one T/I, by as many multipoles as
    it takes."""
    shell = shell_of(symbol, label)
    T = ratio * shell.threshold_keV
    low, high, ridge = visible_range(symbol, label, T)
    u = np.linspace(low, high, points)
    Q = momentum_transfer(0.5 * shell.width_keV * np.sinh(u), T)
    l_max = math.ceil(17.0 * math.sqrt(ratio) + 20.0)
    values, S, R = compared(symbol, label, T - shell.threshold_keV, Q, l_max)
    return u, values / ridge, S, R


# ---- sums, gauge ---------------------------------------------------------------------------------

THREE_J_SQUARED = {
    0: {0: 1.0},
    1: {0: 1 / 3, 2: 2 / 15},
    2: {0: 1 / 5, 2: 2 / 35, 4: 2 / 35},
}  # (l L l; 0 0 0)²


def inelastic_electrons(symbol: str, Q_keV: float) -> Float[np.ndarray, "shell"]:
    """electrons·(1 − Σ_L (2l+1)(2L+1)(l L l; 000)² [∫P² j_L(Qr) dr]²) of each subshell: what is
    left of ∫S dT when a subshell's own states are no final states. By the trapezoid rule."""
    atom = field(symbol)
    r = np.asarray(atom.mesh.r)
    weight = float(atom.mesh.step) * np.asarray(atom.mesh.jacobian)
    rows = []
    for l, electrons, P in zip(
        atom.configuration.l, atom.configuration.occupation, np.asarray(atom.bound.P), strict=False
    ):
        elastic = 0.0
        for L, three_j in THREE_J_SQUARED[l].items():
            overlap = np.sum(weight * P**2 * spherical_jn(L, Q_keV / ATOMIC_MOMENTUM_keV * r))
            elastic += (2 * l + 1) * (2 * L + 1) * three_j * overlap**2
        rows.append(electrons * (1.0 - elastic))
    return np.array(rows)


def gauge_error(
    symbol: str, T_keV: Float[np.ndarray, "T"], Q_keV: float = 1e-5
) -> tuple[np.ndarray, np.ndarray]:
    """(R(T,Q)/(T² S(T,Q)/Q²) − 1 of the atom, and of each subshell) for Q → 0; NaN where closed."""
    atom = CentralField.from_table(table(symbol), "model")
    S = np.asarray(atom.longitudinal(T_keV, Q_keV, by_shell=True)) * (T_keV / Q_keV)[:, None] ** 2
    R = np.asarray(atom.transverse(T_keV, Q_keV, by_shell=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        return R.sum(1) / S.sum(1) - 1.0, R / S - 1.0


# ---- photoabsorption -----------------------------------------------------------------------------


def photoabsorption_ratios(
    symbol: str, T_keV: Float[np.ndarray, "T"], thresholds: str = "measured"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(σ_γ over Elam's, over Chantler's, whether T is away from edges, theirs and ours, by 5%)."""
    import xraydb

    atom = CentralField.from_table(table(symbol), thresholds)
    barn_per = xraydb.atomic_mass(symbol) / AVOGADRO_per_mol
    ours = np.asarray(atom.photoabsorption_cm2(T_keV))
    elam = xraydb.mu_elam(symbol, T_keV * 1e3, kind="photo") * barn_per
    chantler = xraydb.mu_chantler(symbol, T_keV * 1e3, photo=True) * barn_per
    edges = np.array([s.binding_keV for s in subshells(symbol)])
    edges = np.append(edges, np.asarray(atom.thresholds_keV))
    away = (np.abs(T_keV[:, None] / edges - 1.0) > 0.05).all(axis=1)
    return ours / elam, ours / chantler, away


def orbital_of_binding(
    label: str, binding_keV: float, energy_keV: float, atoms: tuple[str, str] = ("Xe", "Cs")
) -> tuple[float, float]:
    """R(T,T)/T² per electron at ε: of the first atom's orbital, and of one bound by binding_keV in
    the same model, along ln I from atom to atom."""
    values, bindings = [], []
    for symbol in atoms:
        shell = shell_of(symbol, label)
        T = energy_keV + shell.threshold_keV
        R = float(response_of(symbol, label).transverse(T, T))
        values.append(math.log(R / T**2 / shell.electrons))
        bindings.append(math.log(shell.threshold_keV))
    part = (math.log(binding_keV) - bindings[0]) / (bindings[1] - bindings[0])
    return math.exp(values[0]), math.exp(values[0] + part * (values[1] - values[0]))


def xenon_with_contracted_orbitals(T_keV: float) -> tuple[float, float, dict[str, float]]:
    """(σ_γ of Xe over Elam's, the same with L orbitals that are bound as measured, the factor that
    each then has). The relativity that binds L1 and L2 deeper also draws them in."""
    elam, _, _ = photoabsorption_ratios("Xe", np.array([T_keV]))
    atom = CentralField.from_table(table("Xe"), "measured")
    R = dict(
        zip(atom.labels, np.asarray(atom.transverse(T_keV, T_keV, by_shell=True)), strict=True)
    )
    factors = {}
    for shell in subshells("Xe"):
        if shell.label.startswith("L") and T_keV > shell.binding_keV:
            energy = T_keV - shell.binding_keV
            ours, contracted = orbital_of_binding(shell.orbital, shell.binding_keV, energy)
            factors[shell.label] = contracted / ours
    changed = sum(R[label] * (factors.get(label, 1.0)) for label in R)
    return elam[0], elam[0] * changed / sum(R.values()), factors


def print_contraction(symbols: Sequence[str]) -> None:
    if "Xe" not in symbols:
        return
    print("### σ_γ of Xe over Elam's, and with L orbitals of the measured binding\n")
    rows = []
    for T in (5.75, 5.85, 6.0, 6.5, 7.0, 8.0, 10.0):
        ours, contracted, factors = xenon_with_contracted_orbitals(T)
        each = ", ".join(f"{label} {factor:.3f}" for label, factor in factors.items())
        rows.append((f"{T:g}", f"{ours:.3f}", f"{contracted:.3f}", each))
    as_rows("T [keV] | ours | with contracted orbitals | factor of each", rows)


# ---- the page ------------------------------------------------------------------------------------


def as_rows(header: str, rows: Iterable[Iterable[object]]) -> None:
    print(f"| {header} |")
    print("|" + "---|" * (header.count("|") + 1))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)
    print()


def percent(values: Float[np.ndarray, "n"], digits: int = 3) -> str:
    return " ".join(f"{100.0 * v:.{digits}f}" for v in np.ravel(values))


def print_direct(symbols: Sequence[str]) -> None:
    print("### Table against direct evaluation, 200 random points, T/I < 100\n")
    rows = []
    for symbol in symbols:
        points = off_node_points(symbol)
        is_s = np.char.endswith(points.label.astype(str), "s")
        worst = [
            f"{np.abs(getattr(points[which], name)).max():.1e}" if which.any() else "–"
            for name in "SR"
            for which in (is_s, ~is_s)
        ]
        medians = (f"{np.median(np.abs(getattr(points, name))):.1e}" for name in "SR")
        rows.append((symbol, points.S.size, *worst, *medians))
    as_rows("element | points | S, s | S, p d | R, s | R, p d | median S | median R", rows)


def print_sums(symbols: Sequence[str]) -> None:
    print("### Sums at Q = 1, 10, 100 keV [%]: f-sum over Z − 1, ∑S over its closed form − 1\n")
    rows = []
    Q = np.array([1.0, 10.0, 100.0])
    for symbol in symbols:
        atom = CentralField.from_table(table(symbol), "model")
        energy = np.asarray(f_sum(atom, Q)).sum(1) / table(symbol).Z - 1.0
        inelastic = np.array([inelastic_electrons(symbol, q).sum() for q in Q])
        static = np.asarray(static_sum(atom, Q)).sum(1) / inelastic - 1.0
        rows.append((symbol, percent(energy), percent(static)))
    as_rows("element | f-sum | static sum", rows)


def print_gauge(symbols: Sequence[str]) -> None:
    print("### Gauge, R(T,Q→0)/(T² S/Q²) − 1, threshold to 50 keV\n")
    rows = []
    for symbol in symbols:
        atom = CentralField.from_table(table(symbol), "model")
        T = np.geomspace(1.0005 * float(np.asarray(atom.thresholds_keV).min()), 50.0, 300)
        whole, shells = gauge_error(symbol, T)
        worst = [
            f"{label} {np.nanmax(np.abs(e)):.1e} at {T[np.nanargmax(np.abs(e))]:.3g} keV"
            for label, e in zip(atom.labels, shells.T, strict=True)
            if np.nanmax(np.abs(e)) > 1e-2
        ]
        at = int(np.argmax(np.abs(whole)))
        rows.append((symbol, f"{abs(whole[at]):.1e} at {T[at]:.3g} keV", ", ".join(worst) or "–"))
    as_rows("element | atom, worst | subshells beyond 1%", rows)


def print_photoabsorption(symbols: Sequence[str]) -> None:
    print("### σ_γ over Elam's / Chantler's, measured thresholds; * within 5% of an edge\n")
    T = np.array([0.03, 0.1, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 7.0, 10.0, 20.0, 50.0])
    rows = []
    for symbol in symbols:
        elam, chantler, away = photoabsorption_ratios(symbol, T)
        cells = [
            f"{a:.3f}/{b:.3f}{'' if free else '*'}"
            for a, b, free in zip(elam, chantler, away, strict=True)
        ]
        rows.append((symbol, *cells))
    as_rows(" | ".join(["element", *(f"{t:g} keV" for t in T)]), rows)


def print_convergence(symbols: Sequence[str]) -> None:
    print("### Integrals, table between its nodes over direct with everything doubled − 1\n")

    def rows() -> Iterator[tuple[str, ...]]:  # each as it is done: one takes minutes
        for symbol in symbols:
            for shell in table(symbol).shells:
                for high, worst in convergence(symbol, shell.label):
                    yield f"{symbol} {shell.label}", f"{high:.4g}", *(f"{w:.1e}" for w in worst)

    as_rows("subshell | T/I up to | T∫S dQ²/Q² | ∫S dQ²/2m | T∫R dQ²/Q²", rows())


def print_energies(symbols: Sequence[str]) -> None:
    print("### Integrals halfway between energies, table over one of twice as many energies − 1\n")
    rows = []
    for symbol in symbols:
        for label, ratio, error in with_energies_doubled(symbol):
            worst = error.max(axis=0)
            where = f"{ratio[error[:, :2].max(axis=1).argmax()]:.4g}"
            rows.append((f"{symbol} {label}", *(f"{w:.1e}" for w in worst), where))
    as_rows("subshell | T∫S dQ²/Q² | ∫S dQ²/2m | T∫R dQ²/Q² | worst at T/I", rows)


def print_switch(symbols: Sequence[str]) -> None:
    print("### Which form serves: multipoles up to T, from there impulse form with last residual\n")
    rows = []
    for symbol in symbols:
        for shell in table(symbol).shells:
            T = shell.kinetic_keV + shell.threshold_keV
            last = T[SWITCH * shell.threshold_keV >= T][-1]
            response = response_of(symbol, shell.label)
            bare = np.asarray(momentum_integrals(response, np.array([last])))[0, :2] - 1.0
            form = "all" if last == T[-1] else f"{last:.4g} keV"
            rows.append((f"{symbol} {shell.label}", form, *(f"{b:.1e}" for b in bare)))
    as_rows("subshell | multipoles to T | T∫S dQ²/Q² − 1 there | ∫S dQ²/2m − 1", rows)


def print_beyond(symbols: Sequence[str]) -> None:
    print("### Beyond the switch, against as many multipoles as it takes\n")
    chosen = (("He", "1s"), ("Ge", "3d"), ("Xe", "3d"), ("Xe", "5p"))
    rows = []
    for symbol, label in (c for c in chosen if c[0] in symbols):
        I = shell_of(symbol, label).threshold_keV
        for ratio in (120.0, 200.0, 300.0):
            if ratio * I > 99.0:
                continue
            energy = np.array([(ratio - 1.0) * I])
            ours = np.asarray(momentum_integrals(response_of(symbol, label), energy + I))[0]
            error = ours / direct_integrals(symbol, label, energy, False)[0] - 1.0
            _, over_ridge, S, _ = beyond_the_switch(symbol, label, ratio)
            cells = [*error, np.abs(S * over_ridge).max()]
            rows.append((f"{symbol} {label}", f"{ratio:g}", *(f"{c:.1e}" for c in cells)))
    as_rows("subshell | T/I | T∫S dQ²/Q² | ∫S dQ²/2m | T∫R dQ²/Q² | S, of the ridge", rows)


SECTIONS: dict[str, Callable[[Sequence[str]], None]] = {
    "direct": print_direct,
    "sums": print_sums,
    "gauge": print_gauge,
    "photoabsorption": print_photoabsorption,
    "switch": print_switch,
    "beyond": print_beyond,
    "convergence": print_convergence,
    "energies": print_energies,
    "contraction": print_contraction,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sections", nargs="*", help=", ".join(SECTIONS))
    parser.add_argument("--elements", nargs="+", choices=ELEMENTS, default=ELEMENTS)
    options = parser.parse_args()
    unknown = [name for name in options.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"section {unknown[0]!r} is unknown; allowed: {', '.join(SECTIONS)}")
    for name in options.sections or SECTIONS:
        SECTIONS[name](options.elements)


if __name__ == "__main__":
    main()
