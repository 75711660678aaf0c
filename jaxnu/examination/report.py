"""An examination in words: the report in Markdown, and the summary on the screen."""

from collections.abc import Mapping

import numpy as np

from jaxnu._version import __version__
from jaxnu.examination.atom import Examination
from jaxnu.examination.curves import T_HIGH_keV
from jaxnu.examination.excess import LEVEL, Excess
from jaxnu.examination.outlook_report import outlook_lines, outlook_section
from jaxnu.examination.tables import markdown_table

ROWS_keV = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
CALM_keV = 3.0  # above it effective charges are compared with stepping
MODEL_LIMITS = (
    "What an independent-particle model can and cannot say near these edges: that the strength of "
    "a d subshell is delayed by the centrifugal barrier of its f waves, and returns within some "
    "hundred eV, is robust; how high and how narrow a shape resonance is, is not. Electrons of "
    "one subshell screen each other's excitation, and the hole relaxes: both spread resonances "
    "over tens of eV and move them, at nearly the same integral (the f-sum holds either way). "
    "With measured thresholds S keeps its ridge at Q² = 2m T_model at fixed kinetic energy, so "
    "that T∫S dQ²/Q² carries T/T_model: part of a lag right above an edge (a quarter for Ge 3d) is "
    "the difference of the two thresholds, and it fades as T grows. "
    "Solids and molecules change the outer subshells besides."
)


def report_markdown(result: Examination, pictures: Mapping[str, str]) -> str:
    """The whole report. pictures: file names by name, beside the report."""
    c = result.curves
    shown = {name: f"![{name}]({file})" for name, file in pictures.items()}
    energy = f"{result.E_keV:g} keV"
    low, high = result.range_keV
    return "\n".join([
        f"# {result.target} and the magnetic neutrino: E = {energy}, μ_ν = {result.mu:.3g} μ_B",
        "",
        f"dσ/dT per atom for energy transfers from {1e3 * low:g} eV to {high:.3g} keV, by jaxnu "
        f"{__version__}. The atom: one electron at a time in a self-consistent central field, "
        f"{result.thresholds} thresholds. KS11 is Kouzakov and Studenikin, Nucl. Phys. B (Proc. "
        "Suppl.) 217 (2011) 353. All numbers are in report.json.",
        "",
        "## In short",
        "",
        *[f"* {line}" for line in summary_lines(result)],
        "",
        "## Longitudinal, transverse, and the equivalent photon",
        "",
        shown["cross-sections"],
        "",
        "Ratios to Z free electrons, σ₀μ²Z(1/T − 1/E). L: KS11 eq 7. T: eq 8, the convection "
        "current. The spin current is left out of T and is in \"all\". The equivalent photon "
        "freezes R/Q² at its light-cone value, the frozen R freezes R; both replace T and come "
        "with the photoabsorption of the same atom.",
        "",
        *markdown_table(
            ("T [keV]", "stepping", "all", "L", "T", "equivalent photon", "frozen R",
             "all/stepping"),
            [
                (f"{T:g}", *(f"{y[i] / c.free[i]:.4g}" for y in (
                    c.stepping, c.total, c.longitudinal, c.convection, c.equivalent_photon,
                    c.frozen_current)),
                 f"{c.total[i] / c.stepping[i]:.3f}" if c.stepping[i] > 0.0 else "–")
                for T, i in _rows(c.T_keV, high)
            ],
        ),
        "",
        "## Why the equivalent photon fails",
        "",
        shown["integrand"],
        "",
        "The integrand of the transverse term in ln Q. R keeps its light-cone value only up to the "
        f"inverse size of the orbitals: 1/r_a = Z^(1/3) α m = "
        f"{result.orbitals.thomas_fermi_keV:.1f} keV (Thomas–Fermi); purple ticks are 1/<r> of the "
        "computed subshells. The integral runs to 2E − T. R/Q² frozen, the integrand grows like Q² "
        "up to there.",
        "",
        *markdown_table(
            ("T [keV]", "half of the true integral below Q [keV]", "95% below",
             "share of the equivalent photon below 1/r_a"),
            [(f"{one.T_keV:g}", f"{one.median_keV:.3g}", f"{one.last_keV:.3g}",
              f"{one.photon_share:.1e}") for one in result.integrands],
        ),
        "",
        shown["currents"],
        "",
        "R/S against the squared velocity of the electrons, at T = 20 thresholds of each subshell. "
        "Over all p_z R/S is <v²>/3 in the impulse form; over the ridge alone, |p_z| < 6 widths, "
        "outer s and p electrons have less, since much of their <v²> comes from short visits near "
        "the nucleus, outside the ridge (a half of it for Ge 4s, a third for 4p); 20 thresholds "
        "above is besides not yet far for 4p, where R/S is three quarters of the impulse form.",
        "",
        *markdown_table(
            ("subshell", "T [keV]", "<v²>/c²", "R/S over the ridge", "R/S at its top",
             "(R/S)/<v²>"),
            [(r.label, f"{r.T_keV:.3g}", f"{r.speed_squared:.3e}", f"{r.mean:.3e}",
              f"{r.at_ridge:.3e}", f"{r.mean / r.speed_squared:.3f}")
             for r in result.current_ratios],
        ),
        "",
        "## How many electrons: Z², Z, or stepping",
        "",
        shown["charges"],
        "",
        "Z_eff = T∫S dQ²/Q², which KS11 eq 15 would make Z² and eq 16 Z.",
        "",
        *markdown_table(
            ("T [keV]", "Z_eff", "∫S dQ²/2m", "stepping", "Z", "Z²"),
            [(f"{T:g}", f"{c.magnetic[i]:.3f}", f"{c.weak[i]:.3f}", f"{c.stepping_count[i]:g}",
              f"{result.Z}", f"{result.Z**2}") for T, i in _rows(c.T_keV, high)],
        ),
        "",
        shown["departures"],
        "",
        "T∫S dQ²/Q² per electron of each subshell: its extremes above the edge, and from where on "
        "it stays within 5% of one.",
        "",
        *markdown_table(
            ("subshell", "edge [eV]", "T/T_model there", "highest", "at T [eV]", "lowest",
             "at T [eV]", "within 5% from [eV]"),
            [(d.label, f"{1e3 * d.edge_keV:.4g}", f"{d.edge_ratio:.3f}", f"{d.highest:.3f}",
              f"{1e3 * d.highest_T_keV:.5g}", f"{d.lowest:.3f}", f"{1e3 * d.lowest_T_keV:.5g}",
              "–" if d.recovered_keV is None else f"{1e3 * d.recovered_keV:.4g}")
             for d in result.departures],
        ),
        "",
        MODEL_LIMITS,
        "",
        "## The dispersion relation in Q²",
        "",
        shown["dispersion"],
        "",
        "F(E,Q) of KS11 eq 12 is the spectral sum over all states of the atom, its ground state "
        "included; Im F = πS (eq 11). Equation 13 would rebuild F from Im F along Q² > 0. At Q = 0 "
        "only the ground state is left, F(E,0) = Z²/T (eq 14); the integral gives Z_eff/T.",
        "",
        *markdown_table(
            ("", "T [keV]", "T F(E,0)", "T × dispersion integral at Q = 0"),
            [(row.target, f"{T:.4g}", f"{row.F_zero:g}", f"{value:.4f}")
             for row in (result.dispersion, result.hydrogen)
             for T, value in zip(row.T_keV, row.integral_zero, strict=True)],
        ),
        "",
        "Why it fails: the relation needs an F that is analytic in Q² but for a cut along the "
        "positive axis. F has no cut there: it is smooth on that axis, real and imaginary part. "
        "Even for one electron F is singular elsewhere, at the complex Q² = (p_e − ip₀)², p_e² "
        "= 2mT − p₀² (T above the ionisation energy; lower right picture, from the closed "
        "form). That point comes close to the axis only for p_e ≫ p₀, the free electron, whose "
        "pole 1/(T − Q²/2m) the integral rebuilds. What it loses shows if F is split into pairs "
        "of electrons i = j and i ≠ j. Both are wholly elastic at Q = 0, Z/T and (Z² − Z)/T. "
        "The one-body part tends to Z free poles far above the edges, and most of it comes "
        "back: hence Z_eff → stepping. The two-body part, at small Q (F_el² − Σ F_a²)/T with "
        "the form factors F_a of the single electrons, is real and has no share in Im F: that "
        "is lost, and with it Z² − Z. (Elastic part and lines each have singularities at negative "
        "Q², −4p₀² and −p₀²(1 + 1/n)² for hydrogen. In their sum with the continuum these cancel; "
        "below the ionisation energy a cut is left, from −p₀²(1 + sqrt(1 − T/I))² on.)",
        "",
        "Sums beside it, over the number of electrons: the f-sum [Σ T S + ∫T S dT] 2m/Q² and the "
        "static sum Σ S + ∫S dT, for every transition of independent particles and for those that "
        "the atom makes.",
        "",
        *markdown_table(
            ("Q [keV]", "f-sum, independent", "f-sum, physical", "static, independent",
             "static, physical"),
            [(f"{Q:g}", f"{a:.4f}", f"{b:.4f}", f"{d:.4f}", f"{e:.4f}") for Q, a, b, d, e in zip(
                result.sums.Q_keV, result.sums.f_independent, result.sums.f_physical,
                result.sums.static_independent, result.sums.static_physical, strict=True)],
        ),
        "",
        "## Excitation and ionisation",
        "",
        shown["excitation"],
        "",
        f"Over {1e3 * low:g} eV to {high:.3g} keV: ionisation "
        f"{result.excitation.ionisation_cm2:.4g} cm², bound–bound lines "
        f"{result.excitation.lines_cm2:.4g} cm², {result.excitation.share:.2%} of the sum. Around "
        "each edge, in a window that holds all its lines:",
        "",
        *markdown_table(
            ("edge", "T [eV]", "window [eV]", "its lines [cm²]", "lines below the edge",
             "lines within ± window"),
            [(e.label, f"{1e3 * e.edge_keV:.4g}", f"{1e3 * e.window_keV:.3g}",
              f"{e.own_lines:.3e}", f"{e.share_below:.1%}", f"{e.share_near:.1%}")
             for e in result.excitation.edges],
        ),
        "",
        *outlook_section(result.outlook, shown["outlook"]),
        "## Validity",
        "",
        *markdown_table(
            ("condition", "here", "holds"),
            [(x.name, f"{x.unit} = {x.value:.3g}", "yes" if x.holds else "not everywhere")
             for x in result.conditions],
        ),
        "",
        *[f"* {x.name}: {x.words}" for x in result.conditions],
        "",
    ])  # fmt: skip


def summary_lines(result: Examination) -> list[str]:
    """The findings, a sentence each."""
    c = result.curves
    share, share_T = result.transverse_share
    lines = []
    i = _nearest(c.T_keV, min(1.0, 0.5 * c.T_keV[-1]))
    if c.stepping[i] > 0.0:
        lines.append(
            f"At T = {c.T_keV[i]:.3g} keV the equivalent photon is "
            f"{c.equivalent_photon[i] / c.free[i]:.3g} times the free cross section; the full "
            f"result is {c.total[i] / c.stepping[i]:.3f} of stepping."
        )
    lines.append(
        f"The transverse (convection) term is at most {share:.2%} of the longitudinal one "
        f"(T = {share_T:.4g} keV) and Z_eff is at most {result.excess.charge:.4g}, Z² = "
        f"{result.Z**2}: no equivalent-photon and no Z² enhancement."
    )
    lines.append(_excess_line(result.excess))
    if c.T_keV[-1] > CALM_keV:
        worst, worst_T = result.departure_above(CALM_keV)
        lines.append(
            f"Z_eff is within {worst:.2%} of the stepping count from {CALM_keV:g} keV to "
            f"{min(c.T_keV[-1], T_HIGH_keV):.3g} keV, 5% and more above edges "
            f"(worst at {worst_T:.3g} keV)."
        )
    if result.departures:
        high = max(result.departures, key=lambda d: d.highest)
        low = min(result.departures, key=lambda d: d.lowest)
        lines.append(
            f"Near edges an electron counts from {low.lowest:.2f} ({low.label}, T = "
            f"{1e3 * low.lowest_T_keV:.4g} eV) to {high.highest:.2f} ({high.label}, T = "
            f"{1e3 * high.highest_T_keV:.4g} eV): departures from stepping of both signs."
            if high.highest > 1.05
            else f"Near edges an electron counts down to {low.lowest:.2f} ({low.label}, T = "
            f"{1e3 * low.lowest_T_keV:.4g} eV)."
        )
    last = result.dispersion
    lines.append(
        f"T F(E,0) is Z² = {last.F_zero:g}; its dispersion integral gives "
        f"{last.integral_zero[-1]:.2f} at T = {last.T_keV[-1]:.3g} keV: eq 13 does not hold."
    )
    lines.append(
        f"Bound–bound lines are {result.excitation.share:.2%} of the cross section above "
        f"{1e3 * result.range_keV[0]:g} eV."
    )
    return lines + outlook_lines(result.outlook)


def _excess_line(excess: Excess) -> str:
    """Whether the atom is anywhere above free electrons."""
    if excess.highest <= LEVEL:
        return (
            f"The full result is nowhere more than {excess.highest:.4f} times that of free "
            f"electrons (T = {excess.T_keV:.4g} keV)."
        )
    return (
        f"The full result is up to {excess.highest:.2f} times that of free electrons (T = "
        f"{1e3 * excess.T_keV:.4g} eV), above {LEVEL:g} times over {1e3 * excess.width_keV:.2g} eV "
        "in all: narrow shape resonances of f waves, which independent particles exaggerate."
    )


def _nearest(T: np.ndarray, value: float) -> int:
    return int(np.argmin(np.abs(np.log(T / value))))


def _rows(T: np.ndarray, high: float) -> list[tuple[float, int]]:
    """(T, index) of the grid values of ROWS_keV, without those out of range."""
    return [(T[_nearest(T, row)], _nearest(T, row)) for row in ROWS_keV if T[0] <= row <= high]
