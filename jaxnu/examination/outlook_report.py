"""The outlook in words: its section of the report, and its lines of the summary."""

import numpy as np

from jaxnu.examination.outlook import HIGH_keV, Outlook, SHOWN_keV, SourceOutlook
from jaxnu.examination.tables import markdown_table


def outlook_lines(result: Outlook) -> list[str]:
    """Where the atom as a whole wins over its electrons, a sentence for each source."""
    return [
        f"{row.name} ({row.words}): more coherent recoils than ionisations of {result.target} "
        f"{_where(row.crossing_whole_keV)} if the recoil's energy is seen whole, "
        f"{_where(row.crossing_quenched_keV)} with Lindhard's quenching; recoils end at "
        f"{energy(row.recoil_end_keV)}, where {row.end_share:.0%} of Z² is left."
        for row in result.sources
    ]


def outlook_section(result: Outlook, picture: str) -> list[str]:
    """The lines of the section in Markdown."""
    screening = result.screening
    nuclei = "isotope by isotope" if result.isotopes else "one nucleus of the mean mass"
    times = screening.half_keV / screening.radius_keV
    lines = [
        "## The outlook: the atom as a whole",
        "",
        picture,
        "",
        "The enhancement by Z² that the electrons' ionisation lacks is there where the atom stays "
        "in its ground state and recoils as one: dσ/dT = σ₀μ² |Z F_N − F_el|² (1/T − 1/E) up to "
        f"T = 2E²/(M + 2E) ({nuclei}; ends are those of the most abundant one). Electrons screen "
        "the nucleus at recoils of meV: at a momentum of Z^(1/3) αm, "
        f"{energy(screening.radius_keV)}, {screening.radius_share:.0%} of Z² is left; half is "
        f"back at {energy(screening.half_keV)}, {times:.1f} times that energy. Far above, it is "
        "coherence of the bare nucleus, whatever the electrons do, until the nucleus's own form "
        "factor takes its share. At the end of the recoils is left of Z²: "
        + ", ".join(
            f"{row.name} {row.end_share:.0%} ({energy(row.recoil_end_keV)})"
            for row in result.sources
        )
        + ".",
        "",
        f"Rates for μ_ν = {result.mu:.3g} μ_B above a threshold, up to {HIGH_keV:g} keV, in the "
        'energy deposited. "Whole": a bolometer, which sees all of a recoil. "Quenched": charge '
        f"or light, T_ee = Q(T) T by Lindhard with k = 0.133 Z^(2/3) A^(−1/2) = "
        f"{result.lindhard_k:.3f}, compared from the first ionisation energy on, "
        f"{energy(result.first_keV)}; below some 100 eV of recoil it is an extrapolation, and "
        "likely too optimistic. Atoms are free: at recoils of meV a crystal or a liquid answers "
        "instead, and a crystal ionises from its band gap on. Lines are left out. Which wins at a "
        "threshold depends neither on μ_ν nor on the strength of the source. The weak scattering "
        "on the same nuclei, coherent too, is the background of the recoils.",
        "",
    ]
    for row in result.sources:
        lines += [
            f"{row.name}, {row.words}. Recoils reach {energy(row.recoil_end_keV)}, seen as "
            f"{energy(row.quenched_end_keV)}. The whole recoil wins "
            f"{_where(row.crossing_whole_keV)}, the quenched one "
            f"{_where(row.crossing_quenched_keV)}.",
            "",
            *_rates(row, result.first_keV),
            "",
        ]
    return lines


def _rates(row: SourceOutlook, first_keV: float) -> list[str]:
    cells = []
    for T in SHOWN_keV:
        i = int(np.argmin(np.abs(np.log(row.T_keV / T))))
        above = row.electrons_above[i], row.recoils_above[i], row.quenched_above[i]
        charge = first_keV <= row.T_keV[i]
        cells.append((
            energy(row.T_keV[i]), _rate(row.electrons[i]), _rate(row.recoils[i]),
            _rate(row.quenched[i]) if charge else "–", _rate(above[0]), _rate(above[1]),
            _rate(above[2]) if charge else "–",
        ))  # fmt: skip
    head = ("T", "electrons [1/(kg keV d)]", "atom, whole", "atom, quenched",
            "electrons above T [1/(kg d)]", "atom, whole", "atom, quenched")  # fmt: skip
    return markdown_table(head, cells)


def _rate(value: float) -> str:
    return f"{value:.3g}" if value > 1e-30 else "0"


def _where(crossing_keV: float | None) -> str:
    return "at no threshold" if crossing_keV is None else f"below {energy(crossing_keV)}"


def energy(E_keV: float) -> str:
    """An energy in words, from meV to keV."""
    for unit, name in ((1.0, "keV"), (1e-3, "eV")):
        if E_keV >= unit:
            return f"{E_keV / unit:.3g} {name}"
    return f"{1e6 * E_keV:.3g} meV"
