"""dσ/dT over T: free, stepping, central field by parts, and the two frozen photons."""

from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxnu.cross_sections import cross_section, effective_charge
from jaxnu.cross_sections.kinematics import transfer_end
from jaxnu.examination.parts import continuum_parts
from jaxnu.responses import response as other_response
from jaxnu.responses.base import Response
from jaxnu.responses.equivalent_photon import VARIANTS, EquivalentPhoton

T_LOW_keV, T_HIGH_keV = 0.01, 50.0
BELOW_END = 0.98  # T stays below the free kinematic end, where the free cross section vanishes
POINTS = 160
EDGE = 1e-6  # relative distance from a threshold, on both sides
KINETIC_keV = np.geomspace(5e-4, 0.3, 40)  # above each threshold, where shape resonances are
CHARGE_BATCH = 32  # values of T whose Q nodes are in memory at once


@dataclass(frozen=True)
class Curves:
    """dσ/dT [cm²/keV per atom] at T_keV, for the moment asked, and effective charges.

    free, stepping: exact, with the spin. longitudinal, convection (KS11 eqs 7, 8), spin: of the
    central field. equivalent_photon, frozen_current: in place of convection, with the σ_γ of the
    same central field. magnetic, weak: T∫S dQ²/Q², ∫S dQ²/2m. by_shell_*: a last axis of subshells.
    """

    T_keV: Float[np.ndarray, "T"]
    free: Float[np.ndarray, "T"]
    stepping: Float[np.ndarray, "T"]
    longitudinal: Float[np.ndarray, "T"]
    convection: Float[np.ndarray, "T"]
    spin: Float[np.ndarray, "T"]
    equivalent_photon: Float[np.ndarray, "T"]
    frozen_current: Float[np.ndarray, "T"]
    magnetic: Float[np.ndarray, "T"]
    weak: Float[np.ndarray, "T"]
    stepping_count: Float[np.ndarray, "T"]
    by_shell_longitudinal: Float[np.ndarray, "T shells"]
    by_shell_convection: Float[np.ndarray, "T shells"]
    by_shell_magnetic: Float[np.ndarray, "T shells"]

    @property
    def total(self) -> Float[np.ndarray, "T"]:
        """The central field's cross section, all parts."""
        return self.longitudinal + self.convection + self.spin


def transfer_range(E_keV: float, atom: Response) -> tuple[float, float]:
    """The T [keV] that the examination covers."""
    end = min(T_HIGH_keV, BELOW_END * float(transfer_end(jnp.asarray(E_keV))))
    return T_LOW_keV, end if atom.T_max_keV is None else min(end, float(atom.T_max_keV))


def transfer_grid(low: float, high: float, atom: Response, steps: Response) -> np.ndarray:
    """T even in ln T, both sides of every threshold, and some kinetic energies above it."""
    own = np.asarray(atom.thresholds_keV)
    edges = np.unique(np.concatenate([own, np.asarray(steps.thresholds_keV)]))
    sides = np.concatenate([edges * (1.0 - EDGE), edges * (1.0 + EDGE)])
    above = (np.unique(own)[:, None] + KINETIC_keV).ravel()
    round_values = (np.array([1.0, 2.0, 5.0]) * 10.0 ** np.arange(-2, 2)[:, None]).ravel()
    T = np.unique(np.concatenate([np.geomspace(low, high, POINTS), sides, above, round_values]))
    return T[(low <= T) & (high >= T)]


def frozen_photons(atom: Response) -> dict[str, EquivalentPhoton]:
    """Both variants of the equivalent photon, with the photoabsorption of the atom itself."""
    first = jnp.min(atom.thresholds_keV)[None]
    one = EquivalentPhoton(
        atom.target, "equivalent-photon", atom.Z, ("all",), jnp.array([float(atom.Z)]), first,
        atom, VARIANTS[0],
    )  # fmt: skip
    return {variant: replace(one, variant=variant) for variant in VARIANTS}


def cross_section_curves(
    T_keV: Float[np.ndarray, "T"], E_keV: float, atom: Response, mu: float
) -> Curves:
    """All models at the same T, which stay below the kinematic end of a free electron."""
    T = np.asarray(T_keV, dtype=float)
    steps = other_response(atom.target, "stepping")
    parts = mu**2 * continuum_parts(T, E_keV, atom)
    L, convection, spin = np.moveaxis(parts, 1, 0)
    photons = {
        variant: np.asarray(cross_section(T, E_keV, photon, mu))
        for variant, photon in frozen_photons(atom).items()
    }
    magnetic, weak = charges(T, atom)
    return Curves(
        T_keV=T,
        free=np.asarray(cross_section(T, E_keV, other_response(atom.target, "free"), mu)),
        stepping=np.asarray(cross_section(T, E_keV, steps, mu)),
        longitudinal=L.sum(-1),
        convection=convection.sum(-1),
        spin=spin.sum(-1),
        equivalent_photon=photons["light-cone"],
        frozen_current=photons["frozen-current"],
        magnetic=magnetic.sum(-1),
        weak=weak.sum(-1),
        stepping_count=np.asarray(effective_charge(T, steps)[0]),
        by_shell_longitudinal=L,
        by_shell_convection=convection,
        by_shell_magnetic=magnetic,
    )


def charges(
    T: Float[np.ndarray, "T"], atom: Response
) -> tuple[Float[np.ndarray, "T shells"], Float[np.ndarray, "T shells"]]:
    """`effective_charge` by subshell, in batches of one shape."""
    found = []
    for start in range(0, T.size, CHARGE_BATCH):
        batch = np.resize(T[start : start + CHARGE_BATCH], CHARGE_BATCH)
        found.append(np.asarray(effective_charge(batch, atom, by_shell=True)))
    magnetic, weak = np.concatenate(found, axis=1)[:, : T.size]
    return magnetic, weak
