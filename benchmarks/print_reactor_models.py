"""Print the page docs/reactor-models.md: cross sections averaged over reactor spectra, by model.

python benchmarks/print_reactor_models.py > docs/reactor-models.md

<dσ/dT> = ∫φ dσ/dT dE / ∫φ dE on one free electron (the model "free", over Z).
A further channel is a further line of CHANNELS.
"""

import platform
from collections.abc import Iterator

import jax
import numpy as np

import jaxnu
from jaxnu.constants import MEV_J
from jaxnu.flux import SPECTRA, Spectrum, reactor
from jaxnu.flux.fission import NORMALISATIONS, fission_tables
from jaxnu.rates import targets_per_kg_day

MU, Q_E = 1e-11, 1e-12
T_keV = np.array([0.3, 1.0, 3.0, 10.0, 30.0, 100.0])
# channel: (what stands in the title, factor of the rate, arguments of jaxnu.rate)
CHANNELS = {
    "magnetic": (f"Magnetic, μ_ν = {MU:g} μ_B", 1.0, {"channel": "magnetic", "mu2": MU**2}),
    "weak": ("Weak, ν̄_e", 1.0, {"channel": "weak"}),
    "millicharge": (
        f"Millicharge, q_ν = {Q_E:g} e, its square alone", Q_E**2, {"channel": "millicharge"},
    ),
}  # fmt: skip
POWER_GW, DISTANCE_m = 3.0, 13.9


def averaged(spectrum: Spectrum, options: dict) -> np.ndarray:
    """<dσ/dT> on one free electron at T_keV, cm²/keV."""
    atom = jaxnu.response("Ge", "free")
    rate = jaxnu.rate(T_keV, spectrum, atom, **options)
    return np.asarray(rate / (targets_per_kg_day(atom) * spectrum.total() * atom.Z))


def per_fission(spectrum: Spectrum, normalisation: str) -> float:
    """Antineutrinos per fission, with those of the decays after capture."""
    choice = fission_tables()[normalisation]
    energy = sum(choice["fractions"][i] * choice["energy_MeV"][i] for i in choice["fractions"])
    fissions = POWER_GW * 1e9 / (MEV_J * energy) / (4.0 * np.pi * (100.0 * DISTANCE_m) ** 2)
    return float(spectrum.total()) / fissions


def table(head: list[str], rows: Iterator[list[str]]) -> None:
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def main() -> None:
    jaxnu.enable_compilation_cache()
    spectra = {
        (model, norm): reactor(POWER_GW, DISTANCE_m, spectrum=model, nu_per_fission=norm)
        for norm in NORMALISATIONS
        for model in SPECTRA
    }
    values = {
        (channel, *key): factor * averaged(spectrum, options)
        for channel, (_, factor, options) in CHANNELS.items()
        for key, spectrum in spectra.items()
    }
    print(
        f"""# Reactor spectrum models side by side

Made by `python benchmarks/print_reactor_models.py > docs/reactor-models.md` with jaxnu
{jaxnu.__version__}, jax {jax.__version__}, Python {platform.python_version()}.

Cross sections averaged over the antineutrinos of a reactor, per free electron:
⟨dσ/dT⟩ = ∫φ dσ/dT dE / ∫φ dE. Three models of the spectrum above 2 MeV ([sources.md](sources.md));
below, all have the table of Vogel and Engel (1989), and all have the decays after neutron capture.
Two normalisations: "tables", the spectra's own integrals with Daya Bay's fission fractions, and
"texono", 7.26 per fission of 205 MeV with .56/.08/.30/.06. The normalisation enters an average
only by the share of the capture's soft antineutrinos; a rate is the average times the flux.
"""
    )
    print(f"## Normalisations\n\nFlux at {DISTANCE_m:g} m from {POWER_GW:g} GW, no oscillation.\n")
    table(
        ["spectrum", "normalisation", "ν̄/fission", "flux [1/(cm² s)]", "mean energy [keV]"],
        (
            [
                model, norm, f"{per_fission(spectrum, norm):.3f}",
                f"{float(spectrum.total()):.4e}", f"{float(spectrum.mean_energy_keV()):.1f}",
            ]
            for (model, norm), spectrum in spectra.items()
        ),
    )  # fmt: skip
    for channel, (title, _, _) in CHANNELS.items():
        print(f"\n## {title}\n\n⟨dσ/dT⟩ in cm²/keV per free electron at T:\n")
        table(
            ["spectrum", "normalisation", *(f"{T:g} keV" for T in T_keV)],
            (
                [model, norm, *(f"{value:.5e}" for value in values[channel, model, norm])]
                for model, norm in spectra
            ),
        )
        print("\nRate over that of huber-mueller with the same normalisation, − 1, in per cent:\n")
        table(
            ["spectrum", "normalisation", *(f"{T:g} keV" for T in T_keV)],
            (
                [model, norm, *(f"{100.0 * x:+.4f}" for x in ratio(values, spectra, channel, key))]
                for key in spectra
                if key[0] != SPECTRA[0]
                for model, norm in [key]
            ),
        )


def ratio(values: dict, spectra: dict, channel: str, key: tuple[str, str]) -> np.ndarray:
    """Rate of a model over that of the first model with the same normalisation, less one."""
    first = (SPECTRA[0], key[1])
    flux = float(spectra[key].total() / spectra[first].total())
    return flux * values[(channel, *key)] / values[(channel, *first)] - 1.0


if __name__ == "__main__":
    main()
