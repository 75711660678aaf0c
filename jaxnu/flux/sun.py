"""Solar neutrinos: fluxes of the standard solar model, β⁺ shapes and lines."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxnu import checks, precision
from jaxnu.errors import InputError
from jaxnu.flux.beta import allowed_shape
from jaxnu.flux.spectrum import Spectrum, check_order, check_scalar, values_at
from jaxnu.numerics.quadrature import legendre_rule, panel_nodes


class SolarFlux(NamedTuple):
    """A flux at Earth and its relative standard deviation."""

    per_cm2_s: float
    relative_error: float


class PositronDecay(NamedTuple):
    """Largest neutrino energy, and the charge and mass number of the daughter."""

    endpoint_keV: float
    Z: int
    mass_number: int


# B16 models: N. Vinyoles et al., Astrophys. J. 835, 202 (2017), table 6.
SOLAR_FLUXES: Mapping[str, Mapping[str, SolarFlux]] = {
    "GS98": {
        "pp": SolarFlux(5.98e10, 0.006),
        "pep": SolarFlux(1.44e8, 0.010),
        "hep": SolarFlux(7.98e3, 0.30),
        "7Be": SolarFlux(4.93e9, 0.06),
        "8B": SolarFlux(5.46e6, 0.12),
        "13N": SolarFlux(2.78e8, 0.15),
        "15O": SolarFlux(2.05e8, 0.17),
        "17F": SolarFlux(5.29e6, 0.20),
    },
    "AGSS09met": {
        "pp": SolarFlux(6.03e10, 0.005),
        "pep": SolarFlux(1.46e8, 0.009),
        "hep": SolarFlux(8.25e3, 0.30),
        "7Be": SolarFlux(4.50e9, 0.06),
        "8B": SolarFlux(4.50e6, 0.12),
        "13N": SolarFlux(2.04e8, 0.14),
        "15O": SolarFlux(1.44e8, 0.16),
        "17F": SolarFlux(3.26e6, 0.18),
    },
}

# End points as in J. N. Bahcall's tables; pp holds 3.4 keV of thermal motion (Phys. Rev. C 56,
# 3391). 8B: Q_β⁺ less the 3.03 MeV of the 2+ level of 8Be; hep: ³He + p → ⁴He.
POSITRON_DECAYS: Mapping[str, PositronDecay] = {
    "pp": PositronDecay(423.41, 1, 2),
    "13N": PositronDecay(1198.5, 6, 13),
    "15O": PositronDecay(1731.7, 7, 15),
    "17F": PositronDecay(1736.4, 8, 17),
    "8B": PositronDecay(13930.0, 4, 8),
    "hep": PositronDecay(18773.0, 2, 4),
}

# (energy in keV, share): 7Be to the ground and first excited state of 7Li, pep.
LINES: Mapping[str, tuple[tuple[float, float], ...]] = {
    "7Be": ((861.8, 0.897), (384.3, 0.103)),
    "pep": ((1442.0, 1.0),),
}

# P_ee(E), adiabatic LMA solution as used by Borexino, Nature 562, 505 (2018).
SURVIVAL_keV = (155.0, 303.0, 431.0, 857.0, 1468.0)
SURVIVAL = (0.547, 0.544, 0.540, 0.525, 0.504)

# Relative 1σ of the measured P_ee at their energies, pp, 7Be, pep: 0.57 ± 0.09, 0.53 ± 0.05,
# 0.43 ± 0.11; Borexino, Nature 562, 505 (2018), figure 3 (m: recalled, to be checked).
SURVIVAL_ERROR_keV = (267.0, 862.0, 1442.0)
SURVIVAL_ERROR = (0.16, 0.094, 0.26)
PULL_MAX = 5.0

COMPONENTS = tuple(SOLAR_FLUXES["GS98"])

# Fine towards E = 0, where a bound electron's response turns on over Q ~ 2E; wide above. The knots
# of P_ee are edges, because the weak rate has a kink there.
PANEL_EDGES_keV = (
    0.0, 4.0, 12.0, 30.0, 60.0, 110.0, 200.0, 600.0, 2500.0, 4000.0, 7000.0, 10000.0, 16000.0,
    *SURVIVAL_keV,
)  # fmt: skip
# Distances from an end point: φ falls like p there, then like e^{−2παZ/p}. Far up, the
# electron is fast until the last MeV.
GRADING_keV = (64.0, 16.0, 4.0, 1.0)
GRADING_FAST_keV = (1024.0, 128.0, 16.0)
FAST_keV = 5000.0


@cache
def _panel_edges(decays: tuple[str, ...]) -> np.ndarray:
    ends = [POSITRON_DECAYS[name].endpoint_keV for name in decays]
    graded = [
        end - step for end in ends for step in (GRADING_FAST_keV if end > FAST_keV else GRADING_keV)
    ]
    edges = np.unique([*PANEL_EDGES_keV, *graded, *ends])
    return edges[edges <= max(ends)]


@cache
def _unit_shapes(decays: tuple[str, ...], order: int) -> np.ndarray:
    """Densities of unit area [1/keV] at the nodes, one block per decay."""
    edges = _panel_edges(decays)
    x, w = legendre_rule(order)
    half = 0.5 * np.diff(edges)[:, None]
    nodes = edges[:-1, None] + half * (1.0 + x)
    shapes = []
    for name in decays:
        decay = POSITRON_DECAYS[name]
        shape = allowed_shape(nodes, decay.endpoint_keV, -decay.Z, decay.mass_number)
        shapes.append(shape / np.sum(half * w * shape))
    return np.stack(shapes)


def solar(
    *,
    metallicity: str = "GS98",
    components: Iterable[str] = COMPONENTS,
    survival: bool = True,
    scale: Any = 1.0,
    order: int = 16,
    fluxes: Mapping[str, Any] | None = None,
) -> Spectrum:
    """Solar neutrino spectrum at one astronomical unit, all flavours together.

    φ(E) = scale · Σ_c Φ_c s_c(E), s_c of unit area: an allowed β⁺ shape E² p W F(−Z, W) for pp,
    13N, 15O, 17F, 8B and hep, lines for 7Be (861.8 keV 89.7%, 384.3 keV 10.3%) and pep
    (1442 keV). Mean energies 266.8, 706.5, 996.4, 997.7 keV (pp, 13N, 15O, 17F).

    8B and hep are rough: the width of the 2+ level of 8Be is left out, so that the mean energy
    of 8B is 7.20 MeV (measured: 6.74) and its end 13.9 MeV (16). They are 8.4e-5 of the
    flux, and of the magnetic-moment rate on free electrons 9e-5 at T = 20 keV and 1.6e-4 at
    100 keV; that rate hardly depends on E ≫ T, so there their shape does not matter. Do not
    use them for weak scattering above 2 MeV.

    Args:
        metallicity: "GS98" (high) or "AGSS09met" (low); which B16 fluxes are used.
        components: any of pp, pep, hep, 7Be, 8B, 13N, 15O, 17F.
        survival: P_ee of the LMA solution, linear between 155 and 1468 keV and constant
            outside (8B and hep too, whose true P_ee is about 0.35); False: P_ee = 1, and ν_e that
            arrive as such.
        scale: factor on the whole flux, scalar.
        order: nodes per panel.
        fluxes: flux in 1/(cm² s) for some of the components, in place of B16's.

    Returns:
        Spectrum in 1/(cm² s keV), neutrinos. Differentiable in scale and fluxes.

    Raises:
        InputError: for an unknown metallicity or component, a flux for a component that is not
            asked for, or a value outside its range.

    Sources: Vinyoles et al., Astrophys. J. 835, 202 (2017) (fluxes, SOLAR_FLUXES with their
    uncertainties); Borexino, Nature 562, 505 (2018) (P_ee); `beta` for the shapes.
    """
    precision.require_x64("solar")
    checks.one_of("metallicity", metallicity, SOLAR_FLUXES)
    names = (components,) if isinstance(components, str) else tuple(dict.fromkeys(components))
    for name in names:
        checks.one_of("component", name, COMPONENTS)
    if not names:
        raise InputError(f"components is empty; give some of {', '.join(COMPONENTS)}")
    fluxes = {} if fluxes is None else fluxes
    if not isinstance(fluxes, Mapping):
        raise InputError(f"fluxes = {fluxes!r} is not a mapping; give {{'pp': 6e10}} and the like")
    for name, value in fluxes.items():
        checks.one_of("component in fluxes", name, names)
        check_scalar(
            f"fluxes[{name!r}]", value, 0.0, 1e12, "1/(cm² s)", "a flux at Earth, pp has 6e10"
        )
    check_scalar("scale", scale, 0.0, 1e6, "", "a factor on the flux, 1 for none")
    check_order(order)

    model = SOLAR_FLUXES[metallicity]
    flux = {name: scale * fluxes.get(name, model[name].per_cm2_s) for name in names}
    decays = tuple(name for name in names if name in POSITRON_DECAYS)
    lines = [(E, share * flux[n]) for n in names if n in LINES for E, share in LINES[n]]
    if decays:
        edges = _panel_edges(decays)
        density = jnp.tensordot(
            jnp.stack([jnp.asarray(flux[name], float) for name in decays]),
            _unit_shapes(decays, order),
            1,
        )
    else:  # lines only: one empty panel
        edges = np.array([0.0, max(E for E, _ in lines)])
        density = jnp.zeros((1, order))
    return Spectrum(
        edges_keV=jnp.asarray(edges),
        density=density,
        lines_keV=jnp.asarray([E for E, _ in lines], float),
        line_flux=jnp.stack([jnp.asarray(f, float) for _, f in lines]) if lines else jnp.zeros(0),
        survival_keV=jnp.asarray(SURVIVAL_keV),
        survival=jnp.asarray(SURVIVAL) if survival else jnp.ones(len(SURVIVAL_keV)),
        name=f"solar ({metallicity})",
        antineutrino=False,
        incoherent=survival,
    )


def solar_components(
    metallicity: str = "GS98", *, survival: bool = True, order: int = 16
) -> dict[str, tuple[Spectrum, float]]:
    """The components of `solar` one by one, each with the relative 1σ of its B16 flux.

    Their sum is solar(metallicity=…), and all stand on its panels and lines, so that a fit can vary
    each: the spectrum with pulls x_c is solar() plus Σ x_c σ_c φ_c (`Spectrum.plus`).

    Args:
        metallicity: "GS98" or "AGSS09met".
        survival: as for `solar`.
        order: nodes per panel.

    Returns:
        {"pp": (Spectrum, 0.006), …}, in 1/(cm² s keV) and dimensionless.

    Raises:
        InputError: for an unknown metallicity or an order outside [2, 64].

    The uncertainties are those of each flux alone. In the solar model they are correlated (the
    luminosity ties pp to 7Be, the opacity moves 7Be, 8B and CNO together); without the
    correlations, the sum over pp and 7Be varies by more than the luminosity allows.
    Source: Vinyoles et al., Astrophys. J. 835, 202 (2017), table 6.
    """
    precision.require_x64("solar_components")
    checks.one_of("metallicity", metallicity, SOLAR_FLUXES)
    found = {}
    for name, flux in SOLAR_FLUXES[metallicity].items():
        others = {other: 0.0 for other in COMPONENTS if other != name}
        spectrum = solar(metallicity=metallicity, survival=survival, order=order, fluxes=others)
        labelled = replace(spectrum, name=f"solar {name} ({metallicity})")
        found[name] = (labelled, flux.relative_error)
    return found


def solar_survival(spectrum: Spectrum) -> Spectrum:
    """A flux of solar neutrinos given otherwise, such as one line, with the Sun's P_ee(E).

    Linear between 155 and 1468 keV and constant outside, as in `solar`; mass states arrive without
    interference.

    Args:
        spectrum: all flavours together, neutrinos, such as flux.line(861.8, 4.42e9).

    Returns:
        The same flux with this P_ee, whose knots are panel edges. Differentiable in the densities
        and fluxes of lines, not in the edges.

    Raises:
        InputError: for antineutrinos, and traced edges.

    Source: Borexino, Nature 562, 505 (2018).
    """
    precision.require_x64("solar_survival")
    checks.instance("spectrum", spectrum, Spectrum, "give a spectrum, such as flux.line(862, 4e9)")
    if spectrum.antineutrino:
        raise InputError(
            f"spectrum {spectrum.name!r} is one of antineutrinos; the Sun sends neutrinos: give "
            "antineutrino=False"
        )
    if checks.is_traced(spectrum.edges_keV):
        raise InputError(
            "spectrum has traced edges_keV: panels are made on the host; allowed: concrete "
            "energies; take them out of jit and grad"
        )
    old = np.asarray(spectrum.edges_keV)
    inside = [E for E in SURVIVAL_keV if old[0] < E < old[-1]]
    edges = jnp.asarray(np.unique([*old, *inside]))
    nodes = panel_nodes(edges, spectrum.density.shape[-1])[0]
    return replace(
        spectrum,
        edges_keV=edges,
        density=values_at(spectrum, nodes),  # a polynomial in each old panel: exact
        survival_keV=jnp.asarray(SURVIVAL_keV),
        survival=jnp.asarray(SURVIVAL),
        incoherent=True,
    )


def vary_survival(spectrum: Spectrum, pull: Any) -> Spectrum:
    """The spectrum with P_ee(E) multiplied by 1 + pull · σ(E), for the weak channel.

    σ(E) is the relative 1σ of P_ee as Borexino measured it, 16%, 9.4% and 26% at 267, 862 and
    1442 keV, linear between and constant outside; fully correlated over E.

    Args:
        spectrum: such as solar().
        pull: number of standard deviations, scalar in [−5, 5].

    Returns:
        The spectrum with another P_ee, held within [0, 1]. Differentiable in pull.

    Raises:
        InputError: for a pull outside its range.

    The measured values include the solar model's fluxes, so with flux nuisances from the same model
    part of the error is counted twice. The LMA prediction itself is known to about 2%.
    Source: Borexino, Nature 562, 505 (2018) (m).
    """
    precision.require_x64("vary_survival")
    checks.instance("spectrum", spectrum, Spectrum, "give a spectrum, such as flux.solar()")
    check_scalar("pull", pull, -PULL_MAX, PULL_MAX, "", "a number of standard deviations")
    error = jnp.interp(
        spectrum.survival_keV, jnp.asarray(SURVIVAL_ERROR_keV), jnp.asarray(SURVIVAL_ERROR)
    )
    return replace(spectrum, survival=jnp.clip(spectrum.survival * (1.0 + pull * error), 0.0, 1.0))
