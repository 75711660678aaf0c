"""The pictures of `jaxnu examine`."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxnu.examination.orbitals import orbital_names
from jaxnu.plot import new_figure as draw_figure
from jaxnu.plot import save_figure as save_figure
from jaxnu.plot_outlook import draw_outlook

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from jaxnu.examination import Examination
    from jaxnu.examination.atom import Dispersion

FREE, STEPPING, ATOM, PHOTON, FROZEN = "0.55", "k", "tab:blue", "tab:red", "tab:orange"
T_LABEL, Q_LABEL = "energy transfer $T$ [keV]", "momentum transfer $Q$ [keV]"
BAND = 0.05  # drawn around stepping
PLANE_T = 2.0  # T/I of the picture of hydrogen's F in the complex plane
SHOWN_SHELLS = 4  # with the largest departures


def plot_examination(result: "Examination", folder: Path) -> dict[str, Path]:
    """Write every picture into a folder as PNG; returns their paths by name."""
    drawn = {
        "cross-sections": _draw_cross_sections,
        "departures": _draw_departures,
        "integrand": _draw_integrands,
        "currents": _draw_currents,
        "charges": _draw_charges,
        "dispersion": _draw_dispersion,
        "excitation": _draw_excitation,
        "outlook": lambda result, path: draw_outlook(result.outlook, path),
    }
    paths = {}
    for name, draw in drawn.items():
        paths[name] = folder / f"{result.target}-{name}.png"
        draw(result, paths[name])
    return paths


def neutrino_energy(E_keV: float) -> str:
    """1000 keV in words: 1 MeV."""
    return f"{E_keV / 1e3:g} MeV" if E_keV >= 1e3 else f"{E_keV:g} keV"


def _title(result: "Examination") -> str:
    return f"{result.target}, neutrino of {neutrino_energy(result.E_keV)}"


def _mark_edges(axes: "Axes", result: "Examination") -> None:
    """A tick at each threshold, and one name for those of each shell K, L, M …"""
    low, high = axes.get_xlim()
    edges = np.asarray(result.thresholds_keV)
    for shell in dict.fromkeys(label[0] for label in result.labels):
        here = [
            E
            for label, E in zip(result.labels, edges, strict=True)
            if label[0] == shell and low < E < high
        ]
        if not here:
            continue
        axes.vlines(here, 0.96, 1.0, transform=axes.get_xaxis_transform(), color="0.3", lw=0.8)
        axes.text(
            float(np.exp(np.mean(np.log(here)))), 0.95, shell, ha="center", va="top",
            transform=axes.get_xaxis_transform(), fontsize="small", color="0.3",
        )  # fmt: skip


def _positive(y: np.ndarray) -> np.ndarray:
    return np.where(y > 0.0, y, np.nan)


def _draw_cross_sections(result: "Examination", path: Path) -> None:
    c = result.curves
    figure = draw_figure(13.0, 5.8)
    left, right = figure.subplots(1, 2)
    curves = (
        ("free electrons", c.free, dict(color=FREE, lw=4.0, alpha=0.6)),
        ("stepping", c.stepping, dict(color=STEPPING, lw=1.2, ls="--")),
        ("central field, all", c.total, dict(color=ATOM, lw=2.0)),
        ("central field: transverse (convection)", c.convection, dict(color="tab:green", lw=1.6)),
        ("central field: transverse (spin)", c.spin, dict(color="tab:green", lw=1.2, ls=":")),
        ("equivalent photon", c.equivalent_photon, dict(color=PHOTON, lw=1.6, ls="-.")),
        ("frozen R", c.frozen_current, dict(color=FROZEN, lw=1.6, ls="-.")),
    )
    for name, y, style in curves:
        left.plot(c.T_keV, _positive(y), label=name, **style)
        right.plot(c.T_keV, _positive(y / c.free), **style)
    unit = f"$\\mu_\\nu$ = {result.mu:.3g} $\\mu_B$"
    left.set(ylabel=r"$d\sigma/dT$ [cm$^2$/keV per atom]", title=f"{_title(result)}, {unit}")
    highest = float(np.max(c.equivalent_photon / c.free))
    right.set(ylabel="ratio to free electrons", title="what the atom changes",
              ylim=(1e-5, 20.0 * max(highest, 1.0)))  # fmt: skip
    right.axhline(1.0, color="0.8", lw=0.8, zorder=0)
    for axes in (left, right):
        axes.set(xscale="log", yscale="log", xlabel=T_LABEL, xlim=(c.T_keV[0], c.T_keV[-1]))
        axes.grid(alpha=0.25, lw=0.4)
    top = 1e2 * float(np.max(c.free))
    left.set_ylim(1e-9 * top, max(top, 3.0 * float(np.max(c.equivalent_photon))))
    _mark_edges(right, result)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4,
                  frameon=False)  # fmt: skip
    save_figure(figure, path)


def _draw_departures(result: "Examination", path: Path) -> None:
    c = result.curves
    figure = draw_figure(13.0, 5.0)
    left, right = figure.subplots(1, 2)
    there = c.stepping_count > 0.0
    ratio = np.where(there, c.magnetic / np.where(there, c.stepping_count, 1.0), np.nan)
    left.axhspan(1.0 - BAND, 1.0 + BAND, color="0.92", zorder=0)
    left.axhline(1.0, color=STEPPING, lw=1.0, ls="--")
    left.plot(c.T_keV, ratio, color=ATOM, lw=1.8)
    left.set(xscale="log", xlabel=T_LABEL, xlim=(c.T_keV[0], c.T_keV[-1]),
             ylabel=r"$Z_\mathrm{eff}(T)$ / stepping count",
             ylim=(0.0, max(1.3, 1.15 * float(np.nanmax(ratio)))),
             title=f"{result.target}: departures from stepping (band: 5%)")  # fmt: skip
    _mark_edges(left, result)
    names = orbital_names(result.target, result.labels)
    size: dict[str, float] = {}
    highest = max((d.highest for d in result.departures), default=1.0)
    for d in result.departures:
        nl = names[result.labels.index(d.label)]
        size[nl] = max(size.get(nl, 0.0), abs(np.log(d.highest)), abs(np.log(d.lowest)))
    chosen = sorted(size, key=lambda nl: -size[nl])[:SHOWN_SHELLS]
    for nl in sorted(chosen, key=names.index):
        i = names.index(nl)
        above = c.T_keV >= result.thresholds_keV[i]
        kinetic = 1e3 * (c.T_keV[above] - result.thresholds_keV[i])
        right.plot(
            kinetic, c.by_shell_magnetic[above, i] / result.electrons[i], lw=1.6,
            label=f"{nl} (edge {1e3 * result.thresholds_keV[i]:.4g} eV)",
        )  # fmt: skip
    right.axhline(1.0, color=STEPPING, lw=1.0, ls="--", label="stepping")
    right.set(xscale="log", xlim=(0.3, 3e3), ylim=(0.0, 1.15 * max(1.1, highest)),
              xlabel="energy above the edge [eV]", ylabel="electrons seen, per electron",
              title="where it departs most")  # fmt: skip
    right.legend(frameon=False, fontsize="small")
    for axes in (left, right):
        axes.grid(alpha=0.25, lw=0.4)
    save_figure(figure, path)


def _draw_integrands(result: "Examination", path: Path) -> None:
    count = len(result.integrands)
    figure = draw_figure(4.8 * max(count, 2), 4.8)
    panels = figure.subplots(1, count, squeeze=False)[0]
    orbitals = result.orbitals
    for axes, one in zip(panels, result.integrands, strict=True):
        Q = one.Q_keV
        axes.plot(Q, _positive(one.equivalent_photon), color=PHOTON, ls="-.", lw=1.8,
                  label="equivalent photon")  # fmt: skip
        axes.plot(Q, _positive(one.frozen_current), color=FROZEN, ls="--", lw=1.6, label="frozen R")
        axes.plot(Q, _positive(one.exact), color=ATOM, lw=2.2, label="computed R(T, Q)")
        top = float(np.nanmax(one.equivalent_photon))
        low = 1e-4 * float(np.max(one.exact))
        axes.set(xscale="log", yscale="log", xlabel=Q_LABEL, ylim=(low, 30.0 * top),
                 xlim=(0.4 * Q[0], 1.6 * Q[-1]), title=f"$T$ = {one.T_keV:g} keV")  # fmt: skip
        for nl, inverse in zip(orbitals.labels, orbitals.inverse_radius_keV, strict=True):
            axes.axvline(inverse, ymax=0.05, color="tab:purple", lw=1.2)
            named = nl in (orbitals.labels[0], orbitals.labels[-1])
            if named and Q[0] < inverse < Q[-1]:
                axes.text(inverse, 0.06, nl, transform=axes.get_xaxis_transform(), fontsize="small",
                          color="tab:purple", ha="center")  # fmt: skip
        marks = ((one.T_keV, "$T$ ", "right"), (orbitals.thomas_fermi_keV, "$1/r_a$", "left"),
                 (2.0 * result.E_keV - one.T_keV, "$2E-T$", "right"))  # fmt: skip
        for x, name, side in marks:
            axes.axvline(x, color="0.4", lw=1.0, ls=":")
            axes.text(x * (1.08 if side == "left" else 0.93), 0.97, name, va="top", ha=side,
                      transform=axes.get_xaxis_transform(), color="0.3")  # fmt: skip
        axes.grid(alpha=0.25, lw=0.4)
    panels[0].set_ylabel(r"$d\sigma_T/d\,\ln Q$ over free $d\sigma/dT$")
    panels[0].legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(0.0, 0.9))
    figure.suptitle(
        f"{_title(result)}: the transverse term over Q (purple: 1/<r> of the subshells)",
        fontsize="medium",
    )
    save_figure(figure, path)


def _draw_currents(result: "Examination", path: Path) -> None:
    c = result.curves
    figure = draw_figure(13.0, 5.0)
    left, right = figure.subplots(1, 2)
    v2 = np.array([r.speed_squared for r in result.current_ratios])
    line = np.array([0.5 * v2.min(), 2.0 * v2.max()])
    left.plot(line, line / 3.0, color="0.4", lw=1.0, ls="--", label="$v^2/3$")
    left.plot(line, line / 4.0, color="0.4", lw=1.0, ls=":", label="$v^2/4$ (1s, top of the ridge)")
    left.plot(v2, [r.mean for r in result.current_ratios], "o", color=ATOM, ms=7,
              label="over the ridge, R/S")  # fmt: skip
    left.plot(v2, [r.at_ridge for r in result.current_ratios], "o", mfc="none", color=ATOM, ms=7,
              label="at its top, $Q^2 = 2mT$")  # fmt: skip
    for r in result.current_ratios:
        # ns, np and nd often coincide
        place = {"s": (9, -9), "p": (4, 8), "d": (-8, -4)}[r.label[-1]]
        left.annotate(r.label, (r.speed_squared, r.mean), xytext=place, textcoords="offset points",
                      ha="right" if place[0] < 0 else "left")  # fmt: skip
    left.set(xscale="log", yscale="log", xlabel=r"$\langle v^2\rangle/c^2$ of the subshell",
             ylabel="R/S", title=f"{result.target}: current over density")  # fmt: skip
    left.legend(frameon=False, fontsize="small", loc="lower right")
    there = c.longitudinal > 0.0
    T, L = c.T_keV[there], c.longitudinal[there]
    right.plot(T, 100.0 * c.convection[there] / L, color="tab:green", lw=2.0, label="convection, R")
    right.plot(T, 100.0 * c.spin[there] / L, color="tab:green", lw=1.4, ls=":",
               label="spin, $(Q^2/4m^2)\\,S$")  # fmt: skip
    right.set(xscale="log", yscale="log", xlabel=T_LABEL, xlim=(c.T_keV[0], c.T_keV[-1]),
              ylabel="transverse over longitudinal [%]", title=_title(result))  # fmt: skip
    _mark_edges(right, result)
    right.legend(frameon=False, fontsize="small", loc="lower right")
    for axes in (left, right):
        axes.grid(alpha=0.25, lw=0.4)
    save_figure(figure, path)


def _draw_charges(result: "Examination", path: Path) -> None:
    c = result.curves
    figure = draw_figure(8.5, 5.4)
    axes = figure.subplots()
    axes.plot(c.T_keV, c.stepping_count, color=STEPPING, lw=1.2, ls="--", label="stepping count")
    axes.plot(c.T_keV, c.magnetic, color=ATOM, lw=2.2,
              label=r"computed, $Z_\mathrm{eff} = T\int S\,dQ^2/Q^2$")  # fmt: skip
    axes.plot(c.T_keV, c.weak, color="tab:cyan", lw=1.2, label=r"computed, $\int S\,dQ^2/2m$")
    axes.set(xscale="log", yscale="log", xlim=(c.T_keV[0], c.T_keV[-1]))
    if result.Z > 1:
        axes.axhline(result.Z**2, color=PHOTON, lw=1.8, ls="-.")
        axes.text(1.1 * c.T_keV[0], 1.06 * result.Z**2, f"$Z^2$ = {result.Z**2} (KS11 eq 15)",
                  color=PHOTON)  # fmt: skip
    axes.axhline(result.Z, color=FROZEN, lw=1.8, ls="-.")
    axes.text(1.1 * c.T_keV[0], 1.06 * result.Z, f"$Z$ = {result.Z} (eq 16)", color=FROZEN)
    axes.set(xlabel=T_LABEL, ylabel="effective number of electrons",
             ylim=(0.5, 8.0 * max(result.Z**2, 2.0)),
             title=f"{result.target}: how many electrons scatter")  # fmt: skip
    _mark_edges(axes, result)
    axes.grid(alpha=0.25, lw=0.4)
    axes.legend(frameon=False, loc="lower right", fontsize="small")
    save_figure(figure, path)


def _draw_dispersion(result: "Examination", path: Path) -> None:
    atom, hydrogen = result.dispersion, result.hydrogen
    count = max(len(atom.T_keV), len(hydrogen.T_keV) + 1)
    figure = draw_figure(4.8 * count, 9.2)
    panels = figure.subplots(2, count)
    for axes_row, row in zip(panels, (atom, hydrogen), strict=True):
        for axes in axes_row[len(row.T_keV) :]:
            axes.set_visible(False)
        for i, axes in enumerate(axes_row[: len(row.T_keV)]):
            _draw_function(axes, row, i)
    last = panels[1, len(hydrogen.T_keV)]
    last.set_visible(True)
    _draw_plane(last)
    figure.legend(*panels[1, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5,
                  frameon=False)  # fmt: skip
    figure.suptitle(
        "Density–density function F(E,Q): the dispersion integral of Im F in Q² is not Re F"
    )
    save_figure(figure, path)


def _draw_plane(axes: "Axes") -> None:
    """|F| of hydrogen in the complex plane of Q², and where its singularity goes with T."""
    from matplotlib.colors import LogNorm

    from jaxnu.constants import ATOMIC_MOMENTUM_keV, ELECTRON_MASS_keV
    from jaxnu.examination.coulomb_green import hydrogen_density_function

    threshold = ATOMIC_MOMENTUM_keV**2 / (2.0 * ELECTRON_MASS_keV)
    x, y = np.linspace(-5.0, 6.0, 89), np.linspace(-6.0, 3.0, 73)
    Q2 = (x[None, :] + 1j * y[:, None]) * ATOMIC_MOMENTUM_keV**2
    T = PLANE_T * threshold
    F = T * np.abs(np.asarray(hydrogen_density_function("H", T, Q2)))
    axes.pcolormesh(x, y, F, norm=LogNorm(0.1, 30.0), cmap="Blues", shading="nearest")
    axes.plot([0.0, x[-1]], [0.0, 0.0], color=PHOTON, lw=3.0)
    axes.text(x[-1], 0.3, "where $S$ is measured ", color=PHOTON, ha="right")
    t = np.linspace(0.0, 1.0, 60)
    below = -((1.0 + np.sqrt(1.0 - t)) ** 2)
    pe = np.linspace(0.0, np.sqrt(6.0), 60)
    above = (pe - 1j) ** 2
    axes.plot(below, 0.0 * below, color="tab:orange", lw=2.2)
    axes.plot(above.real, above.imag, color="tab:orange", lw=2.2)
    here = complex(np.sqrt(PLANE_T - 1.0), -1.0) ** 2
    marks = ((-4.0 + 0j, "$T=0$", (0, 8)), (-1.0 + 0j, "$T=I$", (0, 8)),
             (here, f"$T={PLANE_T:g}I$", (12, -12)))  # fmt: skip
    for z, name, offset in marks:
        axes.plot(z.real, z.imag, "o", color="tab:orange", ms=7, mec="k")
        axes.annotate(name, (z.real, z.imag), xytext=offset, textcoords="offset points",
                      bbox=dict(fc="w", ec="none", alpha=0.7, pad=1.0))  # fmt: skip
    axes.set(xlabel="Re $Q^2/p_0^2$", ylabel="Im $Q^2/p_0^2$", xlim=(x[0], x[-1]),
             ylim=(y[0], y[-1]),
             title=f"H: |F| at $T = {PLANE_T:g}I$; its singularity moves with $T$")  # fmt: skip


def _draw_function(axes: "Axes", row: "Dispersion", i: int) -> None:
    Q = row.Q_keV
    real = row.real[i] if row.closed_real is None else row.closed_real[i]
    axes.plot(Q, real, color=ATOM, lw=2.4, label="T Re F (H: closed form)")
    if row.closed_real is not None:
        axes.plot(Q[::6], row.real[i][::6], "o", color=ATOM, ms=4, label="spectral sum")
    axes.plot(Q, row.integral[i], color=PHOTON, lw=1.6, ls="--", label="dispersion integral")
    axes.plot(Q, row.elastic[i], color="tab:green", lw=1.2, ls=":",
              label=r"elastic part of F, $|\langle 0|\rho|0\rangle|^2$")  # fmt: skip
    axes.plot(Q, row.imaginary[i], color="0.6", lw=1.0, label="T Im F = πTS")
    axes.set(xscale="log", xlabel=Q_LABEL, xlim=(Q[0], Q[-1]))
    axes.axhline(0.0, color="0.8", lw=0.6, zorder=0)
    if row.F_zero > 1.0:
        axes.set_yscale("symlog", linthresh=3.0)
    T = row.T_keV[i]
    axes.set_title(f"{row.target}, $T$ = {T:.3g} keV" if T >= 0.1 else
                   f"{row.target}, $T$ = {1e3 * T:.3g} eV")  # fmt: skip
    axes.annotate(f"$T\\,F(E,0)$ = {row.F_zero:g}", (Q[0], row.F_zero), xytext=(6, -14),
                  textcoords="offset points", color=ATOM)  # fmt: skip
    axes.annotate(f"integral at 0: {row.integral_zero[i]:.4g}", (Q[0], row.integral_zero[i]),
                  xytext=(6, -26 if row.F_zero == 1.0 else 6), textcoords="offset points",
                  color=PHOTON)  # fmt: skip
    axes.grid(alpha=0.25, lw=0.4)


def _draw_excitation(result: "Examination", path: Path) -> None:
    shares = sorted(result.excitation.edges, key=lambda edge: edge.edge_keV)
    figure = draw_figure(max(9.0, 0.8 * len(shares)), 4.8)
    axes = figure.subplots()
    widths = [1e3 * s.window_keV for s in shares] or [0.0]
    size = f"{min(widths):.2g}" + f" to {max(widths):.2g}" * (max(widths) > 1.01 * min(widths))
    place = np.arange(len(shares))
    axes.bar(place - 0.2, [100.0 * s.share_below for s in shares], 0.4, color="tab:purple",
             label=f"in {size} eV below the edge")  # fmt: skip
    axes.bar(place + 0.2, [100.0 * s.share_near for s in shares], 0.4, color="0.7",
             label="there and as far above")  # fmt: skip
    axes.set_xticks(place, [f"{s.label}\n{_eV(s.edge_keV)}" for s in shares])
    top = 1.3 * max((100.0 * s.share_below for s in shares), default=1.0)
    total = f"above {1e3 * result.range_keV[0]:g} eV lines are {result.excitation.share:.2%}"
    axes.set(ylabel="excitation, share of the cross section [%]", ylim=(0.0, top),
             title=f"{_title(result)}: bound–bound lines; {total}")  # fmt: skip
    axes.legend(frameon=False)
    axes.grid(alpha=0.25, lw=0.4, axis="y")
    save_figure(figure, path)


def _eV(E_keV: float) -> str:
    return f"{E_keV:.3g} keV" if E_keV >= 1.0 else f"{1e3 * E_keV:.3g} eV"
