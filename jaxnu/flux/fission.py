"""Antineutrinos of a power reactor: fission fragments, and neutron capture on 238U."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxnu import checks, precision
from jaxnu.constants import MEV_J
from jaxnu.errors import InputError
from jaxnu.flux.beta import allowed_shape
from jaxnu.flux.spectrum import Spectrum, check_order, check_scalar
from jaxnu.numerics.quadrature import legendre_rule

JOIN_MeV = 2.0
NORMALISATIONS = ("tables", "texono")
FIT_END_keV = 8000.0  # Huber's and Mueller's fits end here
PANEL_MeV = 1.0  # above 2 MeV: order 8 integrates exp(polynomial) to 1e-9


@cache
def fission_tables() -> dict[str, Any]:
    """The published numbers of data/fission.toml."""
    text = resources.files("jaxnu").joinpath("data/fission.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def fission_shape(isotope: str, E_MeV: np.ndarray) -> np.ndarray:
    """Antineutrinos per fission and MeV, any normalisation being the source's own.

    Below 2 MeV the table of Vogel and Engel (1989), linear in E and 0 at E = 0; from 2 MeV on
    exp(Σ a_k E^k) of Huber (2011; 235U, 239Pu, 241Pu) and Mueller et al. (2011; 238U). The two
    sources do not meet: at 2 MeV the spectrum steps by +4.9/−7.1/+0.9/−4.4% for
    235U/238U/239Pu/241Pu, and the step is kept.

    Args:
        isotope: "235U", "238U", "239Pu" or "241Pu".
        E_MeV: energies in MeV, any shape.

    Returns:
        dN/dE in 1/(MeV fission), same shape.
    """
    tables = fission_tables()
    low = tables["below_2_MeV"]
    table = np.interp(E_MeV, [0.0, *low["E_MeV"]], [0.0, *low[isotope]])
    fit = np.exp(np.polynomial.polynomial.polyval(E_MeV, tables["above_2_MeV"][isotope]))
    return np.where(E_MeV < JOIN_MeV, table, fit)


@cache
def _panels(E_max_keV: float, order: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Edges [keV]; weights [MeV], fission shapes (isotope) and capture shapes [1/MeV] at nodes."""
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
    fission = np.stack([fission_shape(isotope, nodes) for isotope in tables["isotopes"]])
    capture = np.zeros_like(nodes)
    for decay in tables["capture"].values():
        for endpoint_keV, share in decay["branches"]:
            Z, A = decay["daughter_Z"], decay["mass_number"]
            branch = allowed_shape(1e3 * nodes, endpoint_keV, Z, A)
            capture += share * branch / np.sum(weights * branch)
    return 1e3 * edges, weights, fission, capture


def _fractions(fractions: Mapping[str, Any]) -> jnp.ndarray:
    isotopes = fission_tables()["isotopes"]
    if not isinstance(fractions, Mapping):
        raise InputError(
            f"fractions = {fractions!r} is not a mapping; give {{{isotopes[0]!r}: 0.56, …}}"
        )
    for isotope, value in fractions.items():
        checks.one_of("isotope in fractions", isotope, isotopes)
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


def reactor(
    power_GW: Any,
    distance_m: Any,
    *,
    fractions: Mapping[str, Any] | None = None,
    nu_per_fission: str = "tables",
    capture: bool = True,
    captures_per_fission: Any = 0.60,
    E_max_keV: float = FIT_END_keV,
    order: int = 8,
    scale: Any = 1.0,
) -> Spectrum:
    """Antineutrino spectrum at a distance from a reactor core, taken as a point.

    φ(E) = scale · P/(4πL² Σ f_i e_i) · [Σ f_i n_i s_i(E) + c (s_239U(E) + s_239Np(E))]

    Shape and normalisation are separate. s_i is the joined spectrum of `fission_shape`;
    "tables": n_i s_i is that spectrum itself, which integrates to 5.71, 6.77, 5.11, 5.92 per
    fission of 235U, 238U, 239Pu, 241Pu up to 8 MeV, with Ma's energies per fission e_i;
    "texono": each s_i has unit area and n_i = 6.14, 7.08, 5.58, 6.42, e_i = 205 MeV for all.
    A summation calculation (BESTIOLE-2023) has 6.07, 7.15, 5.49, 6.24: "tables" is 5 to 7% low,
    all of it below 0.5 MeV (by a quarter from 0.1 to 0.5 MeV, by half or more below 0.1); from
    0.5 to 6 MeV they agree within 9%. Each capture on 238U gives two antineutrinos, of allowed
    β shape (239U: mean 0.804 MeV, 239Np: 0.283 MeV; evaluated spectra: 0.800 and 0.278 MeV).

    Args:
        power_GW: thermal power, scalar, GW (0 for a reactor that is off).
        distance_m: distance from the core, scalar, m.
        fractions: share of fissions per isotope, {"235U": …, "238U": …, "239Pu": …,
            "241Pu": …}, sum 1; an isotope left out has none. Default: Daya Bay's means for
            "tables", .56/.08/.30/.06 for "texono".
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
        InputError: for a value outside its range, an unknown isotope or normalisation, or
            fractions that do not sum to 1 within 1e-3.

    Range of validity: equilibrium fuel, distances of 1 m to 1 km. Finite core size is left out,
    which matters below some 5 m; so are oscillations: 1 − P_ee averaged over the spectrum is about
    1% at 70 m, 4% at 300 m and 8% at 1 km. They change the weak channel only.
    Sources: data/fission.toml names one for each table.
    """
    precision.require_x64("reactor")
    check_scalar("power_GW", power_GW, 0.0, 100.0, "GW", "give the thermal power; 3000 MW is 3.0")
    check_scalar(
        "distance_m", distance_m, 1.0, 1000.0, "m",
        "give metres: 1390 cm is 13.9, 0.3 km is 300",
    )  # fmt: skip
    check_scalar(
        "captures_per_fission", captures_per_fission, 0.0, 2.0, "",
        "captures on 238U per fission, 0.60 in low-enriched fuel",
    )  # fmt: skip
    check_scalar("scale", scale, 0.0, 1e6, "", "a factor on the flux, 1 for none")
    checks.one_of("nu_per_fission", nu_per_fission, NORMALISATIONS)
    check_order(order)
    if checks.is_traced(E_max_keV):
        raise InputError("E_max_keV is traced, and the panels depend on it; give a plain number")
    check_scalar(
        "E_max_keV", E_max_keV, 3000.0, 12000.0, "keV", "the fits hold from 2000 to 8000 keV"
    )

    choice = fission_tables()[nu_per_fission]
    edges, weights, fission, decays = _panels(float(E_max_keV), order)
    if nu_per_fission == "texono":
        wanted = np.array(list(choice["nu_per_fission"].values()))
        fission = fission * (wanted / np.sum(weights * fission, axis=(1, 2)))[:, None, None]
    share = _fractions(choice["fractions"] if fractions is None else fractions)
    energy_MeV = share @ np.array(list(choice["energy_MeV"].values()))
    per_fission = jnp.tensordot(share, fission, 1)
    if capture:
        per_fission = per_fission + captures_per_fission * decays
    fissions_per_s = power_GW * 1e9 / (MEV_J * energy_MeV)
    area_cm2 = 4.0 * np.pi * (100.0 * distance_m) ** 2
    return Spectrum(
        edges_keV=jnp.asarray(edges),
        density=scale * fissions_per_s / area_cm2 * 1e-3 * per_fission,
        lines_keV=jnp.zeros(0),
        line_flux=jnp.zeros(0),
        survival_keV=jnp.array([0.0, 1.0]),
        survival=jnp.ones(2),
        name=f"reactor ({nu_per_fission})",
        antineutrino=True,
    )
