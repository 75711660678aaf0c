"""Flux × cross section of nuclear recoils: dR/dT per kilogram and day."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from jaxnu import checks
from jaxnu.constants import SECONDS_PER_DAY, AVOGADRO_per_mol
from jaxnu.cross_sections.channels import FLAVOR_PARTS
from jaxnu.cross_sections.form_factors import ElectronCloud
from jaxnu.cross_sections.kinematics import lowest_neutrino_energy, transfer_end
from jaxnu.cross_sections.nuclear import (
    Nuclei,
    amplitudes,
    check_target,
    nuclei,
    recoil_cross_section,
)
from jaxnu.elements import molar_mass
from jaxnu.flux.spectrum import Spectrum
from jaxnu.precision import require_x64
from jaxnu.settings import NUMERICS, Numerics


def atoms_per_kg_day(target: str) -> float:
    """Atoms, or formula units, per kilogram times seconds per day: turns cm² × 1/(cm² s) into
    1/(kg d)."""
    return 1e3 * AVOGADRO_per_mol / molar_mass(target) * SECONDS_PER_DAY


@partial(jax.jit, static_argnames=("channel", "flavors", "form_factor", "numerics"))
def map_nuclear_rates(
    T: Float[Array, "T"],
    flux: Spectrum,
    targets: Nuclei,
    electrons: ElectronCloud | None,
    channel: str,
    flavors: str,
    form_factor: str,
    numerics: Numerics,
) -> Float[Array, "T"]:
    """∫φ(E) dσ/dT dE in 1/(s keV) per atom of an element (per μ² for the magnetic channel)."""

    def one(T: Array, mass: Array, A: Array) -> Array:
        """∫φ(E) dσ/dT dE in 1/(s keV) of one isotope, lines included."""
        positive = T > 0.0
        T = jnp.where(positive, T, 1.0)
        charges = amplitudes(jnp.sqrt(2.0 * mass * T), targets.Z, A, electrons, form_factor)

        def sigma(E: Array) -> Array:
            fraction = flux.electron_fraction(E)
            return recoil_cross_section(T, E, mass, charges, channel, fraction, flavors)

        E, weight = flux.nodes_above(lowest_neutrino_energy(T, mass), numerics.energy_order)
        seen = transfer_end(flux.lines_keV, mass) >= T
        lines = jnp.where(seen, flux.line_flux * sigma(jnp.where(seen, flux.lines_keV, 1e3)), 0.0)
        return jnp.where(positive, jnp.sum(weight * sigma(E)) + jnp.sum(lines), jnp.nan)

    def element(T: Array) -> Array:
        each = jax.vmap(partial(one, T))(jnp.asarray(targets.mass_keV), jnp.asarray(targets.A))
        return jnp.sum(targets.share * each)

    batch = max(1, min(256, T.shape[0]))
    return jax.lax.map(jax.checkpoint(element), T, batch_size=batch)


def nuclear_rate(
    T_nr_keV: ArrayLike,
    flux: Spectrum,
    element: str,
    mu2: ArrayLike = 1e-22,
    channel: str = "weak",
    *,
    flavors: str = "all",
    electrons: ElectronCloud | None = None,
    form_factor: str = "helm",
    numerics: Numerics = NUMERICS,
) -> Float[Array, "..."]:
    """dR/dT = (N_A/A) ∫ φ(E) dσ/dT dE of nuclear recoils, before the detector.

    T_nr_keV: true recoil energy [keV], any shape; no quenching.
    flux: from jaxnu.flux. element: symbol, one of those with isotopes in data/isotopes.csv.
    mu2: μ_ν² [μ_B²], for the magnetic channel.
    channel, electrons, form_factor: as in `nuclear_cross_section`; the terms of a charge radius
        and a millicharge are coefficients that `weak_with_charges` adds up.
    flavors: "all", or the scattering of the ν_e ("nu_e") or the others ("nu_x") in the flux.
    Returns 1/(kg keV d), zero beyond the end of the kinematics. Raises InputError for concrete
        T ≤ 0, NaN, μ² outside [0, 1e-12], or an unknown word.
    """
    require_x64("nuclear_rate")
    checks.instance("flux", flux, Spectrum, "flux.solar() or flux.reactor(...) gives one")
    checks.number_range(
        "T_nr_keV", T_nr_keV, 0.0, 1e6, "keV", "give a recoil energy T > 0 in keV", open_low=True
    )
    checks.magnetic_moment_squared("mu2", mu2)
    checks.one_of("flavors", flavors, FLAVOR_PARTS)
    check_target(element, channel, electrons, form_factor)
    T = jnp.asarray(T_nr_keV, dtype=float)
    value = map_nuclear_rates(
        T.ravel(), flux, nuclei(element, electrons is not None), electrons, channel, flavors,
        form_factor, numerics,
    )  # fmt: skip
    value = atoms_per_kg_day(element) * value.reshape(T.shape)
    return value * jnp.asarray(mu2) if channel == "magnetic" else value
