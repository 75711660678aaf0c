"""The outlook of KS11: coherent magnetic scattering on the atom beside ionisation of its electrons.

Both deposit energy in one detector. A bolometer sees all of a recoil's energy, as heat; charge and
light are quenched. Rates are per kilogram and day and compared at the same energy deposited, on the
scale of electrons.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnu import flux
from jaxnu.constants import ATOMIC_MASS_keV, ATOMIC_MOMENTUM_keV
from jaxnu.cross_sections import electron_cloud
from jaxnu.cross_sections.channels import Channel
from jaxnu.cross_sections.form_factors import ElectronCloud
from jaxnu.cross_sections.kinematics import transfer_end
from jaxnu.cross_sections.nuclear import Nuclei, amplitudes, nuclei
from jaxnu.detector.quenching import Quenching, electron_equivalent, recoil_energy
from jaxnu.elements import element
from jaxnu.errors import InputError
from jaxnu.flux.spectrum import Spectrum
from jaxnu.nuclear_rates import atoms_per_kg_day, map_nuclear_rates
from jaxnu.numerics.quadrature import legendre_rule
from jaxnu.rates import map_rates
from jaxnu.responses.base import Response
from jaxnu.settings import NUMERICS

LOW_keV, HIGH_keV = 1e-7, 50.0  # deposits: from a tenth of the energy where electrons screen
POINTS_PER_DECADE = 16
SHOWN_keV = (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # rows of a report
ORDER = 4  # nodes between two points
STEP = 1e-6  # relative distance from a step, on both sides
REACTOR_GW, REACTOR_m = 3.0, 13.9  # those of GEMMA
TRITIUM_g, TRITIUM_m = 1000.0, 1.0
LINDHARD = 0.133  # k = 0.133 Z^(2/3) A^(−1/2), Lewin and Smith 1996

Curve = Float[np.ndarray, "T"]


@dataclass(frozen=True)
class SourceOutlook:
    """Rates beside one source at T_keV, the energy deposited.

    electrons, recoils, quenched: dR/dT [1/(kg keV d)] of ionisation; of recoils whose energy is
    seen whole; of recoils with Lindhard's quenching. *_above: 1/(kg d) from T to 50 keV.
    crossing_*: highest threshold [keV] at which there are more recoils than electrons above it,
    None if at none above the first ionisation energy (quenched) or at none (whole).
    recoil_end_keV, quenched_end_keV: the largest recoil of the most abundant isotope and what is
    seen of it (lighter ones go further). end_share: |Z F_N − F_el|²/Z² there.
    """

    name: str
    words: str
    T_keV: Curve
    electrons: Curve
    recoils: Curve
    quenched: Curve
    electrons_above: Curve
    recoils_above: Curve
    quenched_above: Curve
    crossing_whole_keV: float | None
    crossing_quenched_keV: float | None
    recoil_end_keV: float
    quenched_end_keV: float
    end_share: float


@dataclass(frozen=True)
class Screening:
    """|Z F_N − F_el|²/Z² at recoil energies T_keV, by which electrons hide the nucleus.

    radius_keV: the recoil of momentum Z^(1/3) αm, 1/r_a. radius_share: what is left of Z² there,
    6 to 26%. half_keV: where half of it is, 3 to 6 radius_keV.
    """

    T_keV: Curve
    share: Curve
    radius_keV: float
    radius_share: float
    half_keV: float


@dataclass(frozen=True)
class Outlook:
    """Coherent scattering beside ionisation, see SourceOutlook and Screening.

    first_keV: the lowest ionisation energy. lindhard_k: k of the quenching. isotopes: whether the
    isotopes were taken one by one, or one nucleus of the mean mass.
    """

    target: str
    mu: float
    first_keV: float
    lindhard_k: float
    isotopes: bool
    screening: Screening
    sources: tuple[SourceOutlook, ...]


def standard_sources() -> dict[str, tuple[Spectrum, str]]:
    """A reactor, the Sun and a tritium source by name, each with a line of words."""
    activity = flux.tritium_activity_PBq(TRITIUM_g)
    return {
        "reactor": (
            flux.reactor(REACTOR_GW, REACTOR_m),
            f"{REACTOR_GW:g} GW at {REACTOR_m:g} m",
        ),
        "Sun": (flux.solar(), "B16, GS98"),
        "tritium": (
            flux.tritium(activity, flux.Point(TRITIUM_m)),
            f"{TRITIUM_g / 1e3:g} kg at {TRITIUM_m:g} m",
        ),
    }


def outlook(
    atom: Response, mu: float = 1e-11, sources: Mapping[str, tuple[Spectrum, str]] | None = None
) -> Outlook:
    """Coherent magnetic scattering on a free atom beside the ionisation of its electrons.

        electrons: dR/dT of `rate`, T the energy transfer, all of it seen
        atom:      dR/dT_ee = dR/dT_nr / (dT_ee/dT_nr),  T_ee = T_nr (whole) or Q(T_nr) T_nr,
                   dσ/dT_nr = σ₀μ² |Z F_N − F_el|² (1/T_nr − 1/E),  T_nr ≤ 2E²/(M + 2E)

    atom: response of an element, H to Cs; its bound–bound lines are left out. mu: moment [μ_B].
    sources: spectrum and words by name; default `standard_sources`.
    Returns an Outlook. Raises InputError for an atom that has no ionisation energy.
    Valid for free atoms: at recoils of meV a liquid or a crystal answers instead; Lindhard's
    formula is one for keV, and what it says below some 100 eV is an extrapolation.
    Source: KS11, outlook; docs/physics.md, nuclei and whole atoms; `quenching_factor`.
    """
    edges = np.asarray(atom.thresholds_keV)
    if not edges.size or not np.min(edges) > 0.0:
        raise InputError(
            f"response = {atom.model!r} has no ionisation energy; give one with bound electrons"
        )
    targets, known = target_nuclei(atom.target)
    cloud = electron_cloud(atom.target)
    one = element(atom.target)
    k = LINDHARD * one.Z ** (2.0 / 3.0) / one.weight**0.5
    quenching = Quenching(atom.target, "lindhard", k=jnp.asarray(k))
    return Outlook(
        target=atom.target,
        mu=mu,
        first_keV=float(np.min(edges)),
        lindhard_k=k,
        isotopes=known,
        screening=_screening(targets, cloud),
        sources=tuple(
            _beside(name, words, source, atom, mu, targets, cloud, quenching)
            for name, (source, words) in (sources or standard_sources()).items()
        ),
    )


def target_nuclei(symbol: str) -> tuple[Nuclei, bool]:
    """The isotopes of an element as whole atoms and True, or one of the mean mass and False."""
    try:
        return nuclei(symbol, whole_atom=True), True
    except InputError:
        one = element(symbol)
        mass = np.array([one.weight * ATOMIC_MASS_keV])
        return Nuclei(mass, np.array([one.weight]), np.ones(1), np.asarray(float(one.Z))), False


def _beside(
    name: str,
    words: str,
    source: Spectrum,
    atom: Response,
    mu: float,
    targets: Nuclei,
    cloud: ElectronCloud,
    quenching: Quenching,
) -> SourceOutlook:
    energies = jnp.append(source.lines_keV, source.edges_keV[-1])
    by_isotope = np.asarray(transfer_end(energies[:, None], jnp.asarray(targets.mass_keV)))
    ends, usual = by_isotope.ravel(), np.max(by_isotope[:, np.argmax(targets.share)])
    seen = np.asarray(electron_equivalent(jnp.asarray(ends), quenching))
    T = _grid(np.concatenate([ends, seen, np.asarray(atom.steps_keV), transfer_end(energies)]))
    first = float(np.min(np.asarray(atom.thresholds_keV)))

    def of_atoms(T_nr: np.ndarray) -> np.ndarray:
        rate = map_nuclear_rates(
            jnp.asarray(T_nr), source, targets, cloud, "magnetic", "all", "helm", NUMERICS
        )
        return mu**2 * atoms_per_kg_day(atom.target) * np.asarray(rate)

    recoils, recoils_above = rates_above(T, of_atoms)
    T_nr = recoil_energy(T, quenching, float(np.max(ends)))
    at_recoil, quenched_above = rates_above(T_nr, of_atoms)
    slope = jax.vmap(jax.grad(partial(electron_equivalent, quenching=quenching)))
    inside = seen.max() > T
    quenched = np.where(inside, at_recoil / np.asarray(slope(jnp.asarray(T_nr))), 0.0)

    end = np.inf if atom.T_max_keV is None else float(atom.T_max_keV)
    ionised = (first * (1.0 - 2.0 * STEP) < T) & (end >= T)
    T_e = T[ionised]
    channel = Channel("magnetic", antineutrino=source.antineutrino)

    def of_electrons(T_e: np.ndarray) -> np.ndarray:
        rate, _ = map_rates(jnp.asarray(T_e), source, atom, channel, NUMERICS)
        return mu**2 * np.asarray(rate)

    electrons, electrons_above = np.zeros_like(T), np.zeros_like(T)
    electrons[ionised], electrons_above[ionised] = rates_above(T_e, of_electrons)
    electrons_above[first > T] = electrons_above[ionised][0]
    return SourceOutlook(
        name, words, T, electrons, recoils, quenched,
        electrons_above, recoils_above, quenched_above,
        crossing(T, recoils_above, electrons_above),
        crossing(T_e, quenched_above[ionised], electrons_above[ionised]),
        float(usual), float(electron_equivalent(jnp.asarray(usual), quenching)),
        float(_share(jnp.asarray([usual]), targets, cloud)[0]),
    )  # fmt: skip


def _grid(steps: np.ndarray) -> np.ndarray:
    """T even in ln T, those of a report, and both sides of every step."""
    number = int(POINTS_PER_DECADE * np.log10(HIGH_keV / LOW_keV))
    sides = np.concatenate([steps * (1.0 - STEP), steps * (1.0 + STEP)])
    sides = sides[(sides > LOW_keV) & (sides < HIGH_keV)]
    even = np.geomspace(LOW_keV, HIGH_keV, number)
    return np.unique(np.concatenate([even, SHOWN_keV, sides]))


def rates_above(
    edges: Float[np.ndarray, "T"], density: Callable[[np.ndarray], np.ndarray]
) -> tuple[Float[np.ndarray, "T"], Float[np.ndarray, "T"]]:
    """(density at the edges, its integral from each edge to the last one).

    edges: not decreasing, > 0. density: of an array of energies; smooth in ln T between edges.
    """
    x, w = legendre_rule(ORDER)
    logs = np.log(edges)
    half = 0.5 * np.diff(logs)[:, None]
    nodes = np.exp(0.5 * (logs[1:] + logs[:-1])[:, None] + half * x)
    values = density(np.concatenate([edges, nodes.ravel()]))
    inside = values[edges.size :].reshape(nodes.shape)
    panels = np.sum(half * w * nodes * inside, axis=1)
    return values[: edges.size], np.append(np.cumsum(panels[::-1])[::-1], 0.0)


def crossing(T_keV: np.ndarray, a: np.ndarray, b: np.ndarray) -> float | None:
    """The highest T at which a > b, between points by a straight line in logarithms; None if at
    none."""
    larger = np.flatnonzero(a > b)
    if not larger.size:
        return None
    i = int(larger[-1])
    if i + 1 == T_keV.size or not (a[i + 1] > 0.0 and b[i] > 0.0):
        return float(T_keV[i])
    here, there = np.log(a[i] / b[i]), np.log(a[i + 1] / b[i + 1])
    return float(T_keV[i] * (T_keV[i + 1] / T_keV[i]) ** (here / (here - there)))


def _screening(targets: Nuclei, cloud: ElectronCloud) -> Screening:
    T = np.geomspace(LOW_keV, 1.0, 1 + int(POINTS_PER_DECADE * np.log10(1.0 / LOW_keV)))
    share = np.asarray(_share(jnp.asarray(T), targets, cloud))
    mass = float(np.sum(targets.share * targets.mass_keV))
    radius = (float(targets.Z) ** (1.0 / 3.0) * ATOMIC_MOMENTUM_keV) ** 2 / (2.0 * mass)
    at_radius = float(_share(jnp.asarray([radius]), targets, cloud)[0])
    some = share < 0.9  # it rises up to there
    half = float(np.exp(np.interp(0.5, share[some], np.log(T[some]))))
    return Screening(T, share, radius, at_radius, half)


@jax.jit
def _share(T: Float[Array, "T"], targets: Nuclei, cloud: ElectronCloud) -> Float[Array, "T"]:
    Q = jnp.sqrt(2.0 * targets.mass_keV * T[:, None])
    charge = amplitudes(Q, targets.Z, targets.A, cloud, "helm").charge
    return jnp.sum(targets.share * (charge / targets.Z) ** 2, axis=-1)
