"""Derivatives of a forecast in Lindhard's k and in the uncertainty of the flux: CONUS+ with nuclear
recoils and coherent scattering beside the signal, against finite differences."""

from importlib import resources

import jax
import jax.numpy as jnp
import pytest

from jaxnu import load_experiment, response, sensitivity

CHANGES = (
    ('exposure = "327 kg d"', 'exposure = "327 kg d"\nrecoil = "both"'),
    ('"25 eV"', '"25 eV_ee"'),
    ('threshold = "0.16 keV"', 'threshold = "0.16 keV_ee"'),
    ('width = "20 eV"', 'width = "20 eV_ee"'),
    ("plateau = 1.0", 'plateau = 1.0\n[detector.quenching]\nmodel = "lindhard"\nk = 0.162'),
    ('unit = "keV"', 'unit = "keV_ee"'),
    ("includes_efficiency = false", "includes_efficiency = false\nincludes_cevns = false"),
    ("[statistics]", '[systematics.flux]\nparameter = "flux"\nuncertainty = 0.05\n[statistics]'),
)


@pytest.mark.slow
def test_quenching_and_uncertainty_of_the_flux(tmp_path, slope, agree):
    path = resources.files("jaxnu.experiments").joinpath("catalogue", "conus-plus-2025.toml")
    text = path.read_text("utf-8")
    for old, new in CHANGES:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    copy = tmp_path / "conus-recoils.toml"
    copy.write_text(text, encoding="utf-8")
    experiment, atom = load_experiment(copy), response("Ge", "free")

    @jax.jit
    def value_and_grad(point):
        def value(point):
            k, sigma = point
            here = experiment.replace(quenching_factor=k, systematic_uncertainty=sigma[None])
            return jnp.log(1e11 * sensitivity(here, atom).limit_mu_B)

        return jax.value_and_grad(value)(point)

    start = jnp.array([1.0, 0.05])
    _, gradient = value_and_grad(start)
    for i, (name, step) in enumerate((("k", 0.01), ("σ of the flux", 0.01))):
        along = jnp.zeros(2).at[i].set(1.0)
        numeric = slope(lambda h, d=along: value_and_grad(start + h * d)[0], 0.0, step)
        assert abs(numeric) > 1e-3, "it depends on it"
        agree(f"d ln(limit)/d {name}", gradient[i], numeric, 1e-5)
