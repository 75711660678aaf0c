"""Pictures of results; matplotlib is imported when one is drawn."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxnu.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jaxnu.inference import LimitResult


def _figure(width: float, height: float) -> "Figure":
    """A figure without a window system: the Agg canvas, no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: "Figure", path: Path) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150, format="png")


def plot_limit(result: "LimitResult", path: Path) -> None:
    """Draw counts with background and signal, and the profile of the test statistic, as PNG."""
    edges, counts = np.asarray(result.bin_edges_keV), np.asarray(result.counts)
    background, signal = np.asarray(result.background), np.asarray(result.signal)
    width, middle = np.diff(edges), 0.5 * (edges[1:] + edges[:-1])
    figure = _figure(11.0, 4.4)
    spectrum, profile = figure.subplots(1, 2, width_ratios=[1.7, 1.0])

    spectrum.stairs(
        background / width, edges, color="tab:blue", lw=1.5, label="background at the best fit"
    )
    spectrum.stairs(
        (background + signal) / width, edges, color="tab:red", lw=1.5, ls="--",
        label=rf"… + signal at $\mu_\nu$ = {result.limit_mu_B:.3g} $\mu_B$",
    )  # fmt: skip
    spectrum.stairs(signal / width, edges, color="tab:red", alpha=0.25, fill=True, label="signal")
    if result.data == "observed":
        spectrum.errorbar(
            middle, counts / width, yerr=np.sqrt(counts) / width, fmt="k.", ms=4, lw=0.8,
            label=f"data, {counts.sum():.0f} events",
        )  # fmt: skip
    spectrum.set(
        xlabel="reconstructed energy [keV]",
        ylabel="events per keV",
        xlim=(edges[0], edges[-1]),
        title=result.title,
    )
    spectrum.set_ylim(0.0, 1.25 * spectrum.get_ylim()[1])  # room for the legend
    spectrum.title.set_fontsize("medium")
    spectrum.legend(frameon=False, fontsize="small")

    unit = 1e-22
    limit, cl = result.limit_mu_B**2 / unit, 100 * result.confidence_level
    profile.plot(np.asarray(result.scan_mu2) / unit, result.scan_q, color="k")
    profile.axhline(result.delta, color="tab:gray", lw=1, ls=":")
    profile.axvline(limit, color="tab:red", lw=1, ls="--")
    profile.text(
        limit, 0.97, f"{result.limit_mu_B:.3g} $\\mu_B$ ({cl:g}% CL)", color="tab:red",
        transform=profile.get_xaxis_transform(), fontsize="small", rotation=90, ha="right",
        va="top",
    )  # fmt: skip
    profile.text(
        0.02 * profile.get_xlim()[1], result.delta, f"{result.convention}: {result.delta:.3f}",
        fontsize="small", va="bottom", color="tab:gray",
    )  # fmt: skip
    profile.set(
        xlabel=r"$\mu_\nu^2$ [$10^{-22}\,\mu_B^2$]",
        ylabel=r"$q = -2\,\ln\,L(\mu_\nu^2)/L_{\max}$",
        title=f"{result.target}, atomic model: {result.response}",
        xlim=(0.0, None),
    )
    profile.set_ylim(bottom=0.0)
    profile.title.set_fontsize("medium")
    _save(figure, path)


def plot_curves(
    x: np.ndarray,
    curves: Mapping[str, np.ndarray],
    xlabel: str,
    ylabel: str,
    title: str,
    path: Path,
) -> None:
    """Draw one line per curve on logarithmic axes, zeros left out, as PNG."""
    figure = _figure(7.5, 5.0)
    axes = figure.subplots()
    for (name, y), style in zip(curves.items(), _styles(len(curves)), strict=True):
        axes.plot(x, np.where(y > 0.0, y, np.nan), style, label=name, lw=1.6)
    axes.set(xscale="log", yscale="log", xlabel=xlabel, ylabel=ylabel, title=title)
    axes.grid(alpha=0.25, which="both", lw=0.4)
    axes.legend(frameon=False)
    _save(figure, path)


def _styles(number: int) -> list[str]:
    return [("-", "--", "-.", ":")[i % 4] for i in range(number)]
