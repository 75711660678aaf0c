"""The pictures of the outlook and of limits in `jaxnu examine`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnu.examination.outlook_report import energy
from jaxnu.plot import new_figure as draw_figure
from jaxnu.plot import save_figure as save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from jaxnu.atomic_limits import ExperimentLimits, ThresholdLimits
    from jaxnu.examination.outlook import Outlook, SourceOutlook

ELECTRONS, WHOLE, QUENCHED = "tab:blue", "tab:green", "tab:orange"
STYLES: dict[str, dict[str, Any]] = {
    "free": dict(color="0.55", lw=3.0, alpha=0.6),
    "stepping": dict(color="k", lw=1.2, ls="--"),
    "central-field": dict(color="tab:blue", lw=2.0),
}
DECADES = 6.0  # below the highest rate


def draw_outlook(result: "Outlook", path: Path) -> None:
    """Rates above a threshold beside each source, and how far electrons screen the nucleus."""
    figure = draw_figure(13.0, 9.0)
    axes = figure.subplots(2, 2).ravel()
    for one, row in zip(axes, result.sources, strict=False):
        _draw_source(one, row, result)
    axes[0].legend(frameon=False, fontsize="small", loc="lower left")
    last = axes[3]
    s = result.screening
    last.plot(s.T_keV, s.share, color=WHOLE, lw=2.0)
    last.axvline(s.radius_keV, color="0.4", lw=1.0, ls=":")
    last.annotate(f"$Q = Z^{{1/3}} αm$\n{energy(s.radius_keV)}", (s.radius_keV, 0.85),
                  xytext=(6, 0), textcoords="offset points")  # fmt: skip
    last.annotate(f"half of Z²: {energy(s.half_keV)}", (s.half_keV, 0.5), xytext=(10, -4),
                  textcoords="offset points")  # fmt: skip
    last.plot(s.half_keV, 0.5, "o", color=WHOLE)
    last.set(xscale="log", xlabel="recoil energy [keV]", ylim=(0.0, 1.05),
             xlim=(s.T_keV[0], s.T_keV[-1]), ylabel=r"$|Z F_N - F_{el}|^2 / Z^2$",
             title="electrons screen the nucleus at meV only")  # fmt: skip
    last.grid(alpha=0.25, lw=0.4)
    save_figure(figure, path)


def _draw_source(axes: "Axes", row: "SourceOutlook", result: "Outlook") -> None:
    charge = row.T_keV >= result.first_keV
    curves: tuple[tuple[str, Any, Any, dict[str, Any]], ...] = (
        ("ionisation of electrons", row.electrons_above, row.T_keV > 0.0,
         dict(color=ELECTRONS, lw=2.2)),
        ("recoil of the atom, seen whole", row.recoils_above, row.T_keV > 0.0,
         dict(color=WHOLE, lw=2.0)),
        ("recoil, quenched (Lindhard)", row.quenched_above, charge,
         dict(color=QUENCHED, lw=2.0, ls="--")),
    )  # fmt: skip
    for name, y, there, style in curves:
        axes.plot(row.T_keV[there], np.where(y > 0.0, y, np.nan)[there], label=name, **style)
    top = max(float(np.max(row.recoils_above)), float(np.max(row.electrons_above)))
    for crossing, color, side in (
        (row.crossing_whole_keV, WHOLE, "left"),
        (row.crossing_quenched_keV, QUENCHED, "right"),
    ):
        if crossing is not None:
            axes.axvline(crossing, color=color, lw=1.0, ls=":")
            axes.text(
                crossing, 2.2 * top, f" {energy(crossing)} ", color=color, ha=side, va="center"
            )
    axes.set(xscale="log", yscale="log", xlim=(row.T_keV[0], row.T_keV[-1]),
             ylim=(10.0**-DECADES * top, 5.0 * top), xlabel="threshold [keV deposited]",
             ylabel="events above it [1/(kg d)]",
             title=f"{result.target}, {row.name}: {row.words}")  # fmt: skip
    axes.grid(alpha=0.25, lw=0.4)


def draw_limits(experiments: "list[ExperimentLimits]", over: "ThresholdLimits", path: Path) -> None:
    """Limits over the threshold by model, their ratio to stepping, and shipped experiments."""
    figure = draw_figure(16.0, 5.4)
    left, middle, right = figure.subplots(1, 3)
    T = over.thresholds_keV
    for model, y in over.limits_mu_B.items():
        left.plot(T, y, label=model, **STYLES[model])
        middle.plot(T, over.ratio(model), **STYLES[model])
    left.set(xscale="log", yscale="log", xlabel="threshold [keV]",
             ylabel=r"expected limit on $\mu_\nu$ [$\mu_B$], 90% CL",
             title=f"{over.target}, hypothetical detector at a reactor")  # fmt: skip
    left.legend(frameon=False)
    middle.set(xscale="log", xlabel="threshold [keV]", ylabel="limit over that of stepping",
               title="above 1: the model sees less")  # fmt: skip
    rows = [row for row in experiments if row.limits_mu_B]
    place = np.arange(len(rows))
    for shift, model in ((-0.2, "free"), (0.2, "central-field")):
        right.barh(place + shift, [100.0 * row.change(model) for row in rows], 0.4,
                   color=STYLES[model]["color"], label=model)  # fmt: skip
    right.set_yticks(place, [f"{row.name}\n{row.target}, {row.kind}" for row in rows])
    right.invert_yaxis()
    right.axvline(0.0, color="k", lw=1.0, ls="--")
    right.set(xlabel="change of the limit from stepping [%]", title="shipped experiments")
    right.legend(frameon=False)
    for axes in (left, middle, right):
        axes.grid(alpha=0.25, lw=0.4)
    save_figure(figure, path)
