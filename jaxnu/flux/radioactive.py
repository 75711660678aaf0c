"""Radioactive sources beside a detector: 51Cr (lines) and tritium (β spectrum)."""

from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnu import precision
from jaxnu.constants import SECONDS_PER_DAY, AVOGADRO_per_mol
from jaxnu.flux.beta import allowed_shape
from jaxnu.flux.geometry import Geometry, mean_inverse_square
from jaxnu.flux.spectrum import Spectrum, check_order, check_scalar
from jaxnu.numerics.quadrature import legendre_rule

# Electron capture to 51V, ground state and level at 320.1 keV, each from the K and L shells:
# (energy in keV, share); rounded from J. N. Bahcall, Phys. Rev. C 56, 3391 (1997) (m: recalled, to
# be checked). Half-life: 27.7 d in FZKA 5818, on the source of GALLEX; the last digit (m).
CHROMIUM51_LINES = ((747.0, 0.816), (752.0, 0.085), (427.0, 0.090), (432.0, 0.009))
CHROMIUM51_HALF_LIFE_d = 27.70

# End point (m: recalled; tables with fewer digits say 18.6). Half-life: L. Lucas and M. Unterweger,
# J. Res. NIST 105, 541 (2000), (4500 ± 8) d.
TRITIUM_ENDPOINT_keV = 18.59
TRITIUM_HALF_LIFE_d = 4500.0
TRITIUM_MASS_g_mol = 3.01605

ACTIVITY_MAX_PBq = 1e6
MASS_MAX_g = 1e5
TIME_MAX_d = 1e5
SMALL = 1e-6  # below, (1 − e^{−x})/x by its series


def _mean_decay(half_life_d: float, run_d: Any, delay_d: Any) -> Float[Array, ""]:
    """Mean of 2^{−t/half-life} over delay_d < t < delay_d + run_d."""
    remedy = "give a time in days"
    check_scalar("run_d", run_d, 0.0, TIME_MAX_d, "d", remedy)
    check_scalar("delay_d", delay_d, 0.0, TIME_MAX_d, "d", remedy)
    rate = jnp.log(2.0) / half_life_d
    x = rate * jnp.asarray(run_d, float)
    short = x < SMALL
    y = jnp.where(short, 1.0, x)
    return jnp.exp(-rate * delay_d) * jnp.where(short, 1.0 - 0.5 * x, -jnp.expm1(-y) / y)


def _flux_per_cm2_s(
    activity_PBq: Any, geometry: Geometry, half_life_d: float, run_d: Any, delay_d: Any
) -> Float[Array, ""]:
    check_scalar(
        "activity_PBq", activity_PBq, 0.0, ACTIVITY_MAX_PBq, "PBq",
        "1 PBq = 1e15 Bq, 1 MCi = 37 PBq",
    )  # fmt: skip
    decays_per_s = 1e15 * activity_PBq * _mean_decay(half_life_d, run_d, delay_d)
    return decays_per_s * mean_inverse_square(geometry)


def chromium51(
    activity_PBq: Any, geometry: Geometry, *, run_d: Any = 0.0, delay_d: Any = 0.0
) -> Spectrum:
    """Neutrinos of a 51Cr source: lines of 747, 752, 427 and 432 keV, at a detector beside it.

    Φ = A ⟨2^{−t/27.70 d}⟩ ⟨1/(4πr²)⟩, mean over the run and over the detector; shares 81.6, 8.5,
    9.0 and 0.9%.

    Args:
        activity_PBq: activity A at time 0, scalar, PBq (1 MCi is 37 PBq).
        geometry: Point, Sphere or Cylinder: the detector, seen from the source, a point.
        run_d: length of the run, d; 0 for the activity itself.
        delay_d: time from 0 to the start of the run, d.

    Returns:
        Spectrum of four lines in 1/(cm² s), neutrinos, P_ee = 1. Differentiable in the activity,
        the times and the lengths.

    Raises:
        InputError: for a value outside its range.

    Internal bremsstrahlung takes energy from a few decays in 1e4; it is left out.
    Source: CHROMIUM51_LINES names it.
    """
    precision.require_x64("chromium51")
    flux = _flux_per_cm2_s(activity_PBq, geometry, CHROMIUM51_HALF_LIFE_d, run_d, delay_d)
    energies, shares = (np.array(column) for column in zip(*CHROMIUM51_LINES, strict=True))
    return Spectrum(
        edges_keV=jnp.array([0.0, energies.max()]),
        density=jnp.zeros((1, 2)),
        lines_keV=jnp.asarray(energies),
        line_flux=flux * shares,
        survival_keV=jnp.array([0.0, 1.0]),
        survival=jnp.ones(2),
        name="51Cr source",
        antineutrino=False,
    )


@cache
def _tritium_shape(order: int) -> tuple[np.ndarray, np.ndarray]:
    """Panel edges [keV] and the density of unit area [1/keV] at their nodes."""
    end = TRITIUM_ENDPOINT_keV
    # the electron is slow at the end: pF(p) changes over p ~ 2πα, W − 1 ~ 2 keV
    edges = np.array([0.0, 2.0, 5.0, 9.0, 13.0, *(end - np.array([3.0, 1.5, 0.6, 0.2])), end])
    x, w = legendre_rule(order)
    half = 0.5 * np.diff(edges)[:, None]
    shape = allowed_shape(edges[:-1, None] + half * (1.0 + x), end, 2, 3)
    return edges, shape / np.sum(half * w * shape)


def tritium(
    activity_PBq: Any,
    geometry: Geometry,
    *,
    run_d: Any = 0.0,
    delay_d: Any = 0.0,
    order: int = 16,
) -> Spectrum:
    """Antineutrinos of a tritium source up to 18.59 keV, at a detector beside it.

    φ(E) = A ⟨2^{−t/4500 d}⟩ ⟨1/(4πr²)⟩ s(E), s of unit area: the allowed shape E² p W F(2, W).

    Args:
        activity_PBq: activity at time 0, scalar, PBq; `tritium_activity_PBq` gives that of a mass.
        geometry: Point, Sphere or Cylinder: the detector, seen from the source, a point.
        run_d: length of the run, d; 0 for the activity itself.
        delay_d: time from 0 to the start of the run, d.
        order: nodes per panel.

    Returns:
        Spectrum in 1/(cm² s keV), antineutrinos, P_ee = 1. Differentiable in the activity, the
        times and the lengths.

    Raises:
        InputError: for a value outside its range.

    Excitation of the daughter (some tens of eV) and the molecule are left out: the shape of the
    last 0.1 keV is not that of tritium gas.
    Source: `beta` for the shape; beside TRITIUM_ENDPOINT_keV for the numbers.
    """
    precision.require_x64("tritium")
    check_order(order)
    edges, shape = _tritium_shape(order)
    return Spectrum(
        edges_keV=jnp.asarray(edges),
        density=_flux_per_cm2_s(activity_PBq, geometry, TRITIUM_HALF_LIFE_d, run_d, delay_d)
        * shape,
        lines_keV=jnp.zeros(0),
        line_flux=jnp.zeros(0),
        survival_keV=jnp.array([0.0, 1.0]),
        survival=jnp.ones(2),
        name="tritium source",
        antineutrino=True,
    )


def tritium_activity_PBq(mass_g: Any) -> Float[Array, ""]:
    """Activity of a mass of tritium, ln 2/t_½ · N_A m/A: 0.356 PBq for a gram.

    Args:
        mass_g: mass of tritium, scalar, g.

    Returns:
        PBq. Differentiable.

    Raises:
        InputError: for a mass outside [0, 1e5] g.
    """
    precision.require_x64("tritium_activity_PBq")
    check_scalar("mass_g", mass_g, 0.0, MASS_MAX_g, "g", "the mass of the tritium alone, in g")
    per_s = np.log(2.0) / (TRITIUM_HALF_LIFE_d * SECONDS_PER_DAY)
    return jnp.asarray(mass_g, float) * (per_s * AVOGADRO_per_mol / TRITIUM_MASS_g_mol * 1e-15)
