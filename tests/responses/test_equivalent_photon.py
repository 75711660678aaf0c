"""The equivalent photon: its closed forms, its sources of photoabsorption."""

import sys

import jax
import numpy as np
import pytest

from jaxnu import cross_section, response
from jaxnu.constants import FINE_STRUCTURE, HBARC2_keV2_cm2, SIGMA0_cm2
from jaxnu.errors import InputError

T_keV = np.array([14.0, 30.0, 200.0])
SIGMA_cm2 = np.array([2e-20, 3e-21, 2e-23])
MU = 1e-11


def closed_form(T, E, sigma_cm2, variant):
    P2 = (2.0 * E - T) ** 2
    scale = SIGMA0_cm2 * MU**2 * P2 / (4.0 * E**2) * sigma_cm2 / HBARC2_keV2_cm2
    scale = scale / (4.0 * np.pi**2 * FINE_STRUCTURE)
    if variant == "light-cone":
        return scale / T * (P2 - T**2) ** 2 / (2.0 * P2)
    return scale * T * (np.log(P2 / T**2) - 1.0 + T**2 / P2)


@pytest.mark.parametrize("variant", ["light-cone", "frozen-current"])
def test_cross_section_is_the_closed_form(variant, agree):
    atom = response("Ge", "equivalent-photon", variant=variant, photoabsorption=(T_keV, SIGMA_cm2))
    E = np.array([1000.0, 500.0, 250.0])
    got = cross_section(T_keV, E, atom, MU)  # S = 0, so that spin adds nothing
    agree(variant, got, closed_form(T_keV, E, SIGMA_cm2, variant), 1e-8)


def test_there_is_no_longitudinal_part():
    atom = response("Ge", "equivalent-photon", photoabsorption=(T_keV, SIGMA_cm2))
    np.testing.assert_array_equal(cross_section(T_keV, 500.0, atom, part="longitudinal"), 0.0)


def test_enhancement_for_high_neutrino_energy(agree):
    """(P² − T²)²/2P² → 2E² for E ≫ T: dσ/dT → α μ² E² σ_γ/(2π m² T)."""
    atom = response("Ge", "equivalent-photon", photoabsorption=(T_keV, SIGMA_cm2))
    E = 1e6
    got = cross_section(T_keV, E, atom, MU) / SIGMA_cm2
    # αμ²E²σ_γ/(2πm²T) with σ_0 = πα²/m² in place of 1/m²
    leading = MU**2 * SIGMA0_cm2 / HBARC2_keV2_cm2 * E**2 / T_keV
    leading = leading / (2.0 * np.pi**2 * FINE_STRUCTURE)
    agree("α μ² E² σ_γ/(2π m² T)", got, leading, 3.0 * T_keV[-1] / E)


def test_table_is_log_log_and_zero_below_its_first_point():
    atom = response("Ge", "equivalent-photon", photoabsorption=(T_keV, SIGMA_cm2))
    sigma = jax.jit(atom.source.photoabsorption_cm2)
    np.testing.assert_allclose(sigma(T_keV), SIGMA_cm2, rtol=1e-13)
    middle = np.sqrt(T_keV[1:] * T_keV[:-1])
    np.testing.assert_allclose(sigma(middle), np.sqrt(SIGMA_cm2[1:] * SIGMA_cm2[:-1]), rtol=1e-13)
    slope = np.log(SIGMA_cm2[2] / SIGMA_cm2[1]) / np.log(T_keV[2] / T_keV[1])
    np.testing.assert_allclose(sigma(400.0), SIGMA_cm2[2] * 2.0**slope, rtol=1e-12)
    assert float(sigma(13.999)) == 0.0


def test_hydrogenic_source_meets_the_response_on_the_light_cone(agree):
    exact = response("Ge", "hydrogenic")
    T = np.array([14.0, 30.0])
    for variant in ("light-cone", "frozen-current"):
        atom = response("Ge", "equivalent-photon", variant=variant, photoabsorption="hydrogenic")
        agree(
            f"{variant} R(T, T)",
            jax.jit(atom.transverse)(T, T),
            jax.jit(exact.transverse)(T, T),
            1e-13,
        )


def test_xraydb_source(agree):
    xraydb = pytest.importorskip("xraydb", reason="xraydb is not installed")
    atom = response("Ge", "equivalent-photon")
    T = np.array([0.3, 1.3, 5.0, 11.2, 60.0])
    per_gram = xraydb.mu_elam("Ge", T * 1e3, kind="photo")
    sigma = jax.jit(atom.photoabsorption_cm2)
    expected = per_gram * xraydb.atomic_mass("Ge") / 6.02214076e23
    agree("σ_γ of Ge (Elam)", sigma(T), expected, 1e-3)
    jump = sigma(11.1031) / sigma(11.1025)
    print(f"Ge K edge: σ_γ rises by {float(jump):.2f}")
    assert 6.0 < float(jump) < 9.0


def test_a_missing_xraydb_names_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "xraydb", None)
    with pytest.raises(InputError, match=r"xraydb.*not installed; remedy: pip install") as refusal:
        response("Ge", "equivalent-photon")
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"variant": "frozen"}, "variant = 'frozen'"),
        ({"photoabsorption": "elam"}, "photoabsorption = 'elam'"),
        ({"photoabsorption": ([1.0, 1.0], [1e-20, 1e-21])}, "1, 1 keV does not increase"),
        ({"photoabsorption": ([1.0, 2.0], [1e-20, -1e-21])}, "= -1e-21 cm²"),
        ({"photoabsorption": ([1.0, 2.0, 3.0], [1e-20, 1e-21])}, "shapes (3,) and (2,)"),
        ({"photoabsorption": ([1.0, 2.0], [1e4, 1e3])}, "= 10000 cm²"),
    ],
)
def test_bad_options_are_refused_in_one_line(options, words):
    with pytest.raises(InputError) as refusal:
        response("Ge", "equivalent-photon", **options)
    message = str(refusal.value)
    print(message)
    assert len(message.splitlines()) == 1 and words in message
