"""Antineutrinos of a power reactor: fission fragments, and neutron capture on 238U."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnu import checks, precision
from jaxnu.constants import MEV_J
from jaxnu.errors import InputError
from jaxnu.flux.beta import allowed_shape
from jaxnu.flux.spectrum import Spectrum, check_order, check_scalar
from jaxnu.numerics.quadrature import legendre_rule

JOIN_MeV = 2.0
NORMALISATIONS = ("tables", "texono")
SPECTRA = ("huber-mueller", "mueller", "vogel-engel")
FIT_END_keV = 8000.0  # Huber's and Mueller's fits end here
PANEL_MeV = 1.0  # above 2 MeV: order 8 integrates exp(polynomial) to 1e-9


@cache
def fission_tables() -> dict[str, Any]:
    """The published numbers of data/fission.toml."""
    text = resources.files("jaxnu").joinpath("data/fission.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def fission_shape(isotope: str, E_MeV: np.ndarray, spectrum: str = "huber-mueller") -> np.ndarray:
    """Antineutrinos per fission and MeV, any normalisation being the source's own.

    Below 2 MeV the table of Vogel and Engel (1989), linear in E and 0 at E = 0; from 2 MeV on
    exp(Σ a_k E^k) of the model. The two do not meet: at 2 MeV the spectrum steps, for
    235U/238U/239Pu/241Pu by +4.9/−7.1/+0.9/−4.4% ("huber-mueller"), +3.8/−7.1/+5.2/−4.2%
    ("mueller"), −4.4/−6.7/−5.0/−7.6% ("vogel-engel"), and the step is kept.

    Args:
        isotope: "235U", "238U", "239Pu" or "241Pu".
        E_MeV: energies in MeV, any shape.
        spectrum: "huber-mueller": Huber (2011) for 235U, 239Pu and 241Pu, Mueller et al. (2011)
            for 238U; "mueller": Mueller et al. for all; "vogel-engel": Vogel and Engel (1989).

    Returns:
        dN/dE in 1/(MeV fission), same shape.
    """
    tables = fission_tables()
    low = tables["below_2_MeV"]
    table = np.interp(E_MeV, [0.0, *low["E_MeV"]], [0.0, *low[isotope]])
    coefficients = tables["above_2_MeV"][spectrum][isotope]
    fit = np.exp(np.polynomial.polynomial.polyval(E_MeV, coefficients))
    return np.where(E_MeV < JOIN_MeV, table, fit)


class _Panels(NamedTuple):
    """Edges [keV]; weights [MeV], shapes of the isotopes and of the decays after capture
    (per capture) at the nodes [1/MeV]."""

    edges_keV: np.ndarray
    weights: np.ndarray
    fission: np.ndarray
    decays: np.ndarray


@cache
def _panels(E_max_keV: float, order: int, spectrum: str) -> _Panels:
    tables = fission_tables()
    above = int(np.ceil((E_max_keV / 1e3 - JOIN_MeV) / PANEL_MeV))
    ends = [E / 1e3 for decay in tables["capture"].values() for E, _ in decay["branches"]]
    edges = np.unique(
        np.concatenate(
            [
                [0.0, *tables["below_2_MeV"]["E_MeV"], *ends],
                np.linspace(JOIN_MeV, E_max_keV / 1e3, above + 1),
            ]
        )
    )
    x, w = legendre_rule(order)
    half = 0.5 * np.diff(edges)[:, None]
    nodes, weights = edges[:-1, None] + half * (1.0 + x), half * w
    fission = np.stack([fission_shape(isotope, nodes, spectrum) for isotope in tables["isotopes"]])
    decays = []
    for decay in tables["capture"].values():
        shape = np.zeros_like(nodes)
        for endpoint_keV, share in decay["branches"]:
            Z, A = decay["daughter_Z"], decay["mass_number"]
            branch = allowed_shape(1e3 * nodes, endpoint_keV, Z, A)
            shape += share * branch / np.sum(weights * branch)
        decays.append(shape)
    return _Panels(1e3 * edges, weights, fission, np.stack(decays))


def _fractions(fractions: Mapping[str, Any]) -> jnp.ndarray:
    isotopes = fission_tables()["isotopes"]
    if not isinstance(fractions, Mapping):
        raise InputError(
            f"fractions = {fractions!r} is not a mapping; give {{{isotopes[0]!r}: 0.56, …}}"
        )
    for isotope, value in fractions.items():
        checks.one_of("fractions: isotope", isotope, isotopes)
        check_scalar(
            f"fractions[{isotope!r}]", value, 0.0, 1.0, "",
            "a fraction is the isotope's share of all fissions",
        )  # fmt: skip
    if not checks.is_traced(dict(fractions)):
        total = float(sum(np.asarray(value, float) for value in fractions.values()))
        if abs(total - 1.0) > 1e-3:
            raise InputError(
                f"fractions sum to {total:g}, outside [0.999, 1.001]; divide each by their sum"
            )
    return jnp.stack([jnp.asarray(fractions.get(isotope, 0.0), float) for isotope in isotopes])


def check_cores(power_GW: Any, distance_m: Any) -> None:
    """Refuse powers and distances out of range, or of different number."""
    checks.number_range(
        "power_GW", power_GW, 0.0, 100.0, "GW", "give the thermal power; 3000 MW is 3.0"
    )
    checks.number_range(
        "distance_m", distance_m, 1.0, 1000.0, "m",
        "give metres: 1390 cm is 13.9, 0.3 km is 300",
    )  # fmt: skip
    shapes = jnp.asarray(power_GW, float).shape, jnp.asarray(distance_m, float).shape
    if shapes[0] != shapes[1] or len(shapes[0]) > 1 or shapes[0] == (0,):
        raise InputError(
            f"power_GW has shape {shapes[0]} and distance_m {shapes[1]}, not one number each; "
            "give one power and one distance, or a list of each with one value per core"
        )


def core_flux(power_GW: Any, distance_m: Any) -> Float[Array, ""]:
    """Σ P/(4πL²) over the cores, W/cm²."""
    power, distance = jnp.asarray(power_GW, float), jnp.asarray(distance_m, float)
    return jnp.sum(1e9 * power / (4.0 * np.pi * (100.0 * distance) ** 2))


def reactor_components(
    power_GW: Any,
    distance_m: Any,
    *,
    fractions: Mapping[str, Any] | None = None,
    spectrum: str = "huber-mueller",
    nu_per_fission: str = "tables",
    capture: bool = True,
    captures_per_fission: Any = 0.60,
    E_max_keV: float = FIT_END_keV,
    order: int = 8,
    scale: Any = 1.0,
) -> dict[str, Spectrum]:
    """The parts of `reactor`: one for each fissile isotope, and 239U and 239Np with capture.

    Arguments and refusals are those of `reactor`, which is their sum.

    Returns:
        {"235U": Spectrum, …}, all on the same panels; `Spectrum.plus` adds them.
    """
    precision.require_x64("reactor_components")
    check_cores(power_GW, distance_m)
    check_scalar(
        "captures_per_fission", captures_per_fission, 0.0, 2.0, "",
        "captures on 238U per fission, 0.60 in low-enriched fuel",
    )  # fmt: skip
    check_scalar("scale", scale, 0.0, 1e6, "", "a factor on the flux, 1 for none")
    checks.one_of("spectrum", spectrum, SPECTRA)
    checks.one_of("nu_per_fission", nu_per_fission, NORMALISATIONS)
    check_order(order)
    if checks.is_traced(E_max_keV):
        raise InputError("E_max_keV is traced, and the panels depend on it; give a plain number")
    check_scalar(
        "E_max_keV", E_max_keV, 3000.0, 12000.0, "keV", "the fits hold from 2000 to 8000 keV"
    )

    tables = fission_tables()
    choice = tables[nu_per_fission]
    edges, weights, fission, decays = _panels(float(E_max_keV), order, spectrum)
    if nu_per_fission == "texono":
        wanted = np.array(list(choice["nu_per_fission"].values()))
        fission = fission * (wanted / np.sum(weights * fission, axis=(1, 2)))[:, None, None]
    share = _fractions(choice["fractions"] if fractions is None else fractions)
    energy_MeV = share @ np.array(list(choice["energy_MeV"].values()))
    per_fission = {name: share[i] * fission[i] for i, name in enumerate(tables["isotopes"])}
    if capture:
        after = zip(tables["capture"], decays, strict=True)
        per_fission |= {name: captures_per_fission * shape for name, shape in after}
    fissions = scale * core_flux(power_GW, distance_m) / (MEV_J * energy_MeV)
    return {
        name: Spectrum(
            edges_keV=jnp.asarray(edges),
            density=fissions * 1e-3 * shape,
            lines_keV=jnp.zeros(0),
            line_flux=jnp.zeros(0),
            survival_keV=jnp.array([0.0, 1.0]),
            survival=jnp.ones(2),
            name=f"reactor, {name}",
            antineutrino=True,
        )
        for name, shape in per_fission.items()
    }


def reactor(
    power_GW: Any,
    distance_m: Any,
    *,
    fractions: Mapping[str, Any] | None = None,
    spectrum: str = "huber-mueller",
    nu_per_fission: str = "tables",
    capture: bool = True,
    captures_per_fission: Any = 0.60,
    E_max_keV: float = FIT_END_keV,
    order: int = 8,
    scale: Any = 1.0,
) -> Spectrum:
    """Antineutrino spectrum at a distance from a reactor core, taken as a point, or from several.

    φ(E) = scale · Σ_cores P/(4πL²) / (Σ f_i e_i) · [Σ f_i n_i s_i(E) + c (s_239U(E) + s_239Np(E))]

    Shape and normalisation are separate. s_i is the joined spectrum of `fission_shape`;
    "tables": n_i s_i is that spectrum itself, which integrates to 5.71, 6.77, 5.11, 5.92 per
    fission of 235U, 238U, 239Pu, 241Pu up to 8 MeV ("huber-mueller"), with Ma's energies per
    fission e_i;
    "texono": each s_i has unit area and n_i = 6.14, 7.08, 5.58, 6.42, e_i = 205 MeV for all.
    A summation calculation (BESTIOLE-2023) has 6.07, 7.15, 5.49, 6.24: "tables" is 5 to 7% low,
    all of it below 0.5 MeV (by a quarter from 0.1 to 0.5 MeV, by half or more below 0.1); from
    0.5 to 6 MeV they agree within 9%. Each capture on 238U gives two antineutrinos, of allowed
    β shape (239U: mean 0.804 MeV, 239Np: 0.283 MeV; evaluated spectra: 0.800 and 0.278 MeV).

    Args:
        power_GW: thermal power, GW: scalar, or shape (cores,); 0 for a core that is off.
        distance_m: distance from the core, m, same shape. The cores burn the same fuel.
        fractions: share of fissions per isotope, {"235U": …, "238U": …, "239Pu": …,
            "241Pu": …}, sum 1; an isotope left out has none. Default: Daya Bay's means for
            "tables", .56/.08/.30/.06 for "texono".
        spectrum: "huber-mueller", "mueller" or "vogel-engel", see `fission_shape`. They differ
            above 2 MeV only.
        nu_per_fission: "tables" or "texono".
        capture: with the decays of 239U and 239Np.
        captures_per_fission: captures on 238U per fission (0.60 in low-enriched fuel).
        E_max_keV: upper end of the spectrum, keV; beyond 8000 the fits are extrapolated.
        order: nodes per panel.
        scale: factor on the whole flux, scalar.

    Returns:
        Spectrum in 1/(cm² s keV), antineutrinos, P_ee = 1 (no oscillation). Differentiable in
        power_GW, distance_m, the fractions, captures_per_fission and scale.

    Raises:
        InputError: for a value outside its range, an unknown isotope, spectrum or normalisation,
            powers and distances of different number, or fractions that do not sum to 1 within
            1e-3.

    Range of validity: equilibrium fuel, distances of 1 m to 1 km. Finite core size is left out,
    which matters below some 5 m; so are oscillations: 1 − P_ee averaged over the spectrum is about
    1% at 70 m, 4% at 300 m and 8% at 1 km. They change the weak channel only.
    Sources: data/fission.toml names one for each table.
    """
    precision.require_x64("reactor")
    parts = reactor_components(
        power_GW, distance_m, fractions=fractions, spectrum=spectrum,
        nu_per_fission=nu_per_fission, capture=capture, captures_per_fission=captures_per_fission,
        E_max_keV=E_max_keV, order=order, scale=scale,
    )  # fmt: skip
    density = jnp.sum(jnp.stack([part.density for part in parts.values()]), axis=0)
    name = f"reactor ({nu_per_fission})"
    if spectrum != SPECTRA[0]:
        name = f"reactor ({spectrum}, {nu_per_fission})"
    return replace(parts["235U"], density=density, name=name)


def reactor_model_spread(
    power_GW: Any,
    distance_m: Any,
    *,
    spectrum: str = "huber-mueller",
    other: str = "vogel-engel",
    **options: Any,
) -> Spectrum:
    """The difference of two spectrum models, δφ = φ_other − φ_spectrum, as a variation of 1σ.

    On the nodes of reactor(…, spectrum=spectrum, …): nominal.plus(δφ, pull) is the nominal
    spectrum at pull = 0 and the other model at pull = 1, fully correlated over E. A rate is
    linear in the flux, so that the rate of δφ is the template of the nuisance.

    Args:
        power_GW, distance_m: as for `reactor`.
        spectrum: the nominal model.
        other: the model to compare with; "vogel-engel" differs most from Huber–Mueller.
        options: further arguments of `reactor`, the same for both models.

    Returns:
        Spectrum in 1/(cm² s keV) whose density may be negative. δφ/φ is its density over that of
        the nominal spectrum.

    Raises:
        InputError: as `reactor`, and if both models are the same.

    All three models share the 1989 table below 2 MeV, where δφ = 0 with nu_per_fission="tables"
    and nearly so with "texono" (the common normalisation moves). That is no measure of what is
    known there: `difference` with a calculation of one's own (`read_csv`) is.
    """
    precision.require_x64("reactor_model_spread")
    checks.one_of("other", other, SPECTRA)
    if spectrum == other:
        raise InputError(
            f"other = {other!r} is the nominal spectrum itself; allowed: "
            f"{', '.join(name for name in SPECTRA if name != spectrum)}; choose one of these"
        )
    nominal, varied = (
        reactor(power_GW, distance_m, spectrum=which, **options) for which in (spectrum, other)
    )
    return replace(
        nominal,
        density=varied.density - nominal.density,
        name=f"reactor, {other} − {spectrum}",
    )
