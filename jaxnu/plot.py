"""Pictures of results; matplotlib is imported when one is drawn."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxnu.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from jaxnu.flux import Spectrum
    from jaxnu.inference import LimitResult
    from jaxnu.responses import Response

EDGE = 1e-6  # relative distance from a threshold at which curves are drawn on both sides
FLUX_DECADES = 13.0  # below the highest flux: from pp down to hep of the Sun
BROAD_keV = 1000.0  # a source that ends above spans decades of E
TINY = 1e-30  # in place of no flux: below every axis
CHARGE_BATCH = 16  # values of T whose Q nodes are in memory at once


def new_figure(width: float, height: float) -> "Figure":
    """A figure without a window system: the Agg canvas, no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: "Figure", path: Path) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150, format="png")


def plot_limit(result: "LimitResult", path: Path) -> None:
    """Draw counts with background and signal, and the test statistic, as PNG.

    Of several experiments the test statistic alone.
    """
    if isinstance(result.counts, tuple):
        figure = new_figure(6.0, 4.4)
        _draw_scan(figure.subplots(), result)
        save_figure(figure, path)
        return
    edges, counts = np.asarray(result.bin_edges_keV), np.asarray(result.counts)
    background, signal = np.asarray(result.background), np.asarray(result.signal)
    width, middle = np.diff(edges), 0.5 * (edges[1:] + edges[:-1])
    figure = new_figure(11.0, 4.4)
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
            middle, counts / width, yerr=np.asarray(result.errors) / width, fmt="k.", ms=4, lw=0.8,
            label=f"data, {counts.sum():.0f} events",
        )  # fmt: skip
    spectrum.set(
        xlabel="reconstructed energy [keV]",
        ylabel="events per keV",
        xlim=(edges[0], edges[-1]),
        title=result.title,
    )
    low, high = spectrum.get_ylim()  # room for the legend
    spectrum.set_ylim(min(low, 0.0) if counts.min() < 0.0 else 0.0, 1.25 * high)
    spectrum.title.set_fontsize("medium")
    spectrum.legend(frameon=False, fontsize="small")
    _draw_scan(profile, result)
    save_figure(figure, path)


def _draw_scan(profile: "Axes", result: "LimitResult") -> None:
    """q(μ²), or −2 ln of a posterior, with the limit."""
    from jaxnu.inference.asymptotics import level_words

    unit = 1e-22
    limit, level = result.limit_mu_B**2 / unit, level_words(result.confidence_level)
    profile.plot(np.asarray(result.scan_mu2) / unit, result.scan_q, color="k")
    profile.axvline(limit, color="tab:red", lw=1, ls="--")
    profile.text(
        limit, 0.97, f"{result.limit_mu_B:.3g} $\\mu_B$ ({level})", color="tab:red",
        transform=profile.get_xaxis_transform(), fontsize="small", rotation=90, ha="right",
        va="top",
    )  # fmt: skip
    if result.delta is not None:
        profile.axhline(result.delta, color="tab:gray", lw=1, ls=":")
        profile.text(
            0.02 * profile.get_xlim()[1], result.delta, f"{result.convention}: {result.delta:.3f}",
            fontsize="small", va="bottom", color="tab:gray",
        )  # fmt: skip
    if result.bands_mu_B is not None:
        for k, alpha in ((0, 0.15), (1, 0.25)):
            low, high = (result.bands_mu_B[i] ** 2 / unit for i in (k, 4 - k))
            profile.axvspan(low, high, color="tab:green", alpha=alpha, lw=0)
    profile.set(
        xlabel=r"$\mu_\nu^2$ [$10^{-22}\,\mu_B^2$]",
        ylabel=(
            "−2 ln of the posterior density over its peak"
            if result.method == "bayes"
            else r"$q = -2\,\ln\,L(\mu_\nu^2)/L_{\max}$"
        ),
        title=f"{result.target}, atomic model: {result.response}",
        xlim=(0.0, None),
    )
    profile.set_ylim(bottom=0.0)
    profile.title.set_fontsize("medium")


def plot_tornado(derivatives: Mapping[str, Mapping[str, float]], title: str, path: Path) -> None:
    """Draw d ln(limit)/d ln(parameter) as bars, the longest on top, as PNG.

    derivatives: what is drawn → parameter → value; each a bar of its own colour. Parameters on
    which no limit depends are left out.
    """
    sizes: dict[str, float] = {}
    for slopes in derivatives.values():
        for name, value in slopes.items():
            sizes[name] = max(sizes.get(name, 0.0), abs(value))
    names = sorted((n for n in sizes if sizes[n] > 1e-6), key=lambda n: sizes[n])
    figure = new_figure(7.5, 1.6 + 0.32 * max(len(names), 3))
    axes = figure.subplots()
    height = 0.8 / len(derivatives)
    reach = max((sizes[name] for name in names), default=1.0)
    for k, (label, slopes) in enumerate(derivatives.items()):
        at = np.arange(len(names)) + 0.4 - height * (k + 0.5)
        values = np.array([slopes.get(name, 0.0) for name in names])
        axes.barh(at, values, height, color=f"C{k}", label=label)
        for y, value in zip(at, values, strict=True):
            axes.annotate(
                f"{value:+.3f}", (value, y), xytext=(4 if value >= 0.0 else -4, 0), va="center",
                ha="left" if value >= 0.0 else "right", textcoords="offset points", fontsize=7,
            )  # fmt: skip
    axes.axvline(0.0, color="k", lw=0.8)
    axes.set_yticks(np.arange(len(names)), names)
    axes.set(xlim=(-1.25 * reach, 1.25 * reach))
    axes.set_xlabel(r"d ln(expected limit on $\mu_\nu$) / d ln(parameter)")
    axes.set_title(title, fontsize="medium")
    if len(derivatives) > 1:
        axes.legend(frameon=False, fontsize="small", loc="lower right")
    save_figure(figure, path)


def plot_atom(response: "Response", path: Path) -> None:
    """Draw one atom as PNG: S(T,Q) as a map, effective charges and photoabsorption over T.

    response: of an atom with a continuum. The stepping count and Elam's photoabsorption stand
    beside where there are binding energies and the package xraydb.
    """
    figure = new_figure(15.0, 4.8)
    surface, charges, photons = figure.subplots(1, 3)
    last = 0.999 * float(response.T_max_keV or 100.0)
    first = float(np.min(np.asarray(response.thresholds_keV)))
    figure.suptitle(f"{response.target}, atomic model: {response.model}", fontsize="medium")
    _draw_map(figure, surface, response, first, last)
    _draw_charges(charges, response, 0.8 * first, last)
    _draw_photons(photons, response, 0.8 * first, last)
    save_figure(figure, path)


def _draw_map(
    figure: "Figure", axes: "Axes", response: "Response", first: float, last: float
) -> None:
    """S(T,Q) where Q > T, with the Bethe ridge and the light cone."""
    import jax
    from matplotlib.colors import LogNorm

    from jaxnu.constants import ELECTRON_MASS_keV

    T = _with_edges(np.geomspace(first, last, 240), response)
    ridge = np.sqrt(2.0 * ELECTRON_MASS_keV * T)
    Q = np.geomspace(0.03 * ridge[0], 4.0 * ridge[-1], 240)
    S = np.asarray(jax.jit(lambda a: jax.lax.map(lambda t: a.longitudinal(t, Q), T))(response))
    S = np.where((T[:, None] <= Q) & (S > 0.0), S, np.nan).T
    top = float(np.nanmax(S))
    drawn = axes.pcolormesh(
        T, Q, np.maximum(S, 1e-9 * top), norm=LogNorm(1e-9 * top, top), cmap="viridis",
        shading="nearest",
    )  # fmt: skip
    bar = figure.colorbar(drawn, ax=axes, pad=0.01, extend="min")
    bar.set_label("$S(T,Q)$ [1/keV]")
    cone = T[Q[0] < T]
    axes.plot(T, ridge, "w--", lw=1.2, label=r"$Q^2 = 2mT$")
    axes.plot(cone, cone, color="tab:red", lw=1.2, label="$Q = T$")
    axes.set(xscale="log", yscale="log", xlim=(T[0], T[-1]), ylim=(Q[0], Q[-1]))
    axes.set(xlabel="energy transfer $T$ [keV]", ylabel="momentum transfer $Q$ [keV]")
    axes.set_title("density response", fontsize="medium")
    legend = axes.legend(loc="upper left", fontsize="small", facecolor="0.35", framealpha=0.8)
    for text in legend.get_texts():
        text.set_color("w")


def _draw_charges(axes: "Axes", response: "Response", first: float, last: float) -> None:
    """Effective charges over the stepping count, with the edges."""
    from jaxnu.cross_sections import effective_charge

    T = _with_edges(np.geomspace(first, last, 160), response)
    parts = []
    for start in range(0, T.size, CHARGE_BATCH):  # a fixed shape bounds memory
        batch = np.resize(T[start : start + CHARGE_BATCH], CHARGE_BATCH)
        parts.append(np.asarray(effective_charge(batch, response)))
    magnetic, weak = np.concatenate(parts, axis=1)[:, : T.size]
    steps = _stepping(response)
    if steps is not None:
        T_steps = _with_edges(T, steps)
        axes.plot(
            T_steps, np.asarray(effective_charge(T_steps, steps)[0]), color="0.5", lw=1.2, ls=":",
            label="stepping count",
        )  # fmt: skip
    axes.plot(T, magnetic, color="tab:blue", lw=1.5, label=r"magnetic, $T\int S\,dQ^2/Q^2$")
    axes.plot(T, weak, color="tab:orange", lw=1.5, ls="--", label=r"weak, $\int S\,dQ^2/2m$")
    highest = max(1.0 * response.Z, np.max(magnetic), np.max(weak))
    axes.set(xscale="log", xlim=(T[0], T[-1]), ylim=(0.0, 1.2 * highest))  # room for the edges
    axes.axhline(response.Z, color="k", lw=0.6)
    axes.text(T[0] * 1.1, response.Z, f"Z = {response.Z}", fontsize="small", va="bottom")
    axes.set(xlabel="energy transfer $T$ [keV]", ylabel="effective number of electrons")
    axes.set_title("effective charges", fontsize="medium")
    _mark_edges(axes, steps or response)
    axes.legend(loc="lower right", frameon=False, fontsize="small")


def _draw_photons(axes: "Axes", response: "Response", first: float, last: float) -> None:
    import jax
    import jax.numpy as jnp

    from jaxnu.responses import response as other_response

    T = _with_edges(np.geomspace(first, last, 400), response)
    sigma = np.asarray(jax.jit(lambda a: a.photoabsorption_cm2(T))(response))
    axes.plot(T, np.where(sigma > 0.0, sigma, np.nan), color="tab:blue", lw=1.5, label="jaxnu")
    if find_spec("xraydb") is not None:
        elam = other_response(response.target, "equivalent-photon")
        steps = _stepping(response)
        T = T if steps is None else _with_edges(T, steps)
        sigma = np.asarray(elam.photoabsorption_cm2(jnp.asarray(T)))
        axes.plot(
            T, np.where(sigma > 0.0, sigma, np.nan), color="k", lw=1.0, ls="--",
            label="Elam et al. (2002)",
        )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlim=(T[0], T[-1]))
    axes.set(xlabel="photon energy $T$ [keV]", ylabel=r"$\sigma_\gamma(T)$ [cm$^2$ per atom]")
    axes.set_title("photoabsorption", fontsize="medium")
    axes.grid(alpha=0.25, lw=0.4)
    axes.legend(frameon=False, fontsize="small")


def _stepping(response: "Response") -> "Response | None":
    """The stepping count of the same element; None without binding energies."""
    from jaxnu.errors import InputError
    from jaxnu.responses import response as other_response

    try:
        return other_response(response.target, "stepping")
    except InputError:
        return None


def _with_edges(T: np.ndarray, response: "Response") -> np.ndarray:
    """T and two values around each threshold inside, so that edges are drawn upright."""
    edges = np.asarray(response.thresholds_keV)
    edges = edges[(edges > T[0]) & (edges < T[-1])]
    return np.unique(np.concatenate([T, edges * (1.0 - EDGE), edges * (1.0 + EDGE)]))


def _mark_edges(axes: "Axes", response: "Response") -> None:
    """A tick at each threshold, and one name for those of each shell (K, L, … or n)."""
    edges = np.asarray(response.thresholds_keV)
    for shell in dict.fromkeys(label[0] for label in response.labels):
        here = [
            E for label, E in zip(response.labels, edges, strict=True) if label.startswith(shell)
        ]
        axes.vlines(here, 0.97, 1.0, transform=axes.get_xaxis_transform(), color="0.3", lw=0.8)
        name = shell if shell.isalpha() else f"n = {shell}"
        axes.text(
            float(np.exp(np.mean(np.log(here)))), 0.96, name, ha="center", va="top",
            transform=axes.get_xaxis_transform(), fontsize="small", color="0.3",
        )  # fmt: skip


def plot_flux(
    spectrum: "Spectrum", components: "Mapping[str, Spectrum]", title: str, path: Path
) -> None:
    """Draw φ(E) with its components, and its lines as stems of their flux, as PNG.

    Logarithmic axes for what reaches above 1 MeV; below, E is linear, and φ too without lines.
    """
    import jax.numpy as jnp

    figure = new_figure(8.5, 5.2)
    axes = figure.subplots()
    edges = np.asarray(spectrum.edges_keV)
    end = max(edges[-1], np.max(np.asarray(spectrum.lines_keV), initial=0.0))
    broad, lined = end > BROAD_keV, bool(spectrum.lines_keV.size)
    E = np.geomspace(1e-3 * end, end, 600) if broad else np.linspace(0.0, end, 600)
    # kinks and steps upright, and down to the axis at the end
    inner = edges[(edges > E[0]) & (edges <= end)]
    E = np.unique([*E, *inner * (1.0 - EDGE), *inner * (1.0 + EDGE)])
    whole = np.asarray(spectrum.at(jnp.asarray(E)))
    smooth, heights = bool(np.any(whole > 0.0)), [whole]
    if smooth:
        colour, width = ("0.8", 4.0) if components else ("C0", 1.5)
        label = "sum without lines" if lined else "sum"
        axes.plot(E, np.maximum(whole, TINY), color=colour, lw=width, label=label)
    parts = components or ({"lines": spectrum} if lined else {})
    for i, (name, part) in enumerate(parts.items()):
        y = np.asarray(part.at(jnp.asarray(E)))
        if components and np.any(y > 0.0):
            style = ("-", "--", "-.", ":")[i % 4]
            axes.plot(E, np.maximum(y, TINY), style, color=f"C{i % 10}", lw=1.4, label=name)
        heights += [y, _draw_lines(axes, part, f"C{i % 10}", name, not components)]
    drawn = np.concatenate(heights)
    top, least = float(np.max(drawn)), float(np.min(drawn[drawn > 0.0]))
    if broad or lined:
        low = max(0.3 * least, top * 10.0**-FLUX_DECADES)
        axes.set(yscale="log", ylim=(low, 5.0 * top))
    else:
        axes.set_ylim(0.0, 1.1 * top)
    axes.set(xscale="log" if broad else "linear", xlim=(E[0], 1.1 * end))
    units = [r"$\phi(E)$ [1/(cm$^2$ s keV)]"] * smooth + [r"lines [1/(cm$^2$ s)]"] * lined
    axes.set(xlabel="neutrino energy $E$ [keV]", ylabel=", ".join(units))
    axes.set_title(title, fontsize="medium")
    axes.grid(alpha=0.25, which="major", lw=0.4)
    if components or (smooth and lined):
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize="small")
    save_figure(figure, path)


def _draw_lines(
    axes: "Axes", spectrum: "Spectrum", colour: str, name: str, written: bool
) -> np.ndarray:
    """A stem at each line that has a flux, with its energy if so wished; returns the fluxes."""
    E, strength = np.asarray(spectrum.lines_keV), np.asarray(spectrum.line_flux)
    E, strength = E[strength > 0.0], strength[strength > 0.0]
    if E.size:
        axes.vlines(E, TINY, strength, color=colour, lw=1.4)
        axes.plot(E, strength, "o", color=colour, ms=4, label=name)
    for here, height in zip(E, strength, strict=True) if written else ():
        axes.annotate(
            f"{here:g} keV", (here, height), xytext=(5, 0), textcoords="offset points",
            fontsize="small", va="center",
        )  # fmt: skip
    return strength


def plot_curves(
    x: np.ndarray,
    curves: Mapping[str, np.ndarray],
    xlabel: str,
    ylabel: str,
    title: str,
    path: Path,
) -> None:
    """Draw one line per curve on logarithmic axes, zeros left out, as PNG."""
    figure = new_figure(7.5, 5.0)
    axes = figure.subplots()
    for (name, y), style in zip(curves.items(), _styles(len(curves)), strict=True):
        axes.plot(x, np.where(y > 0.0, y, np.nan), style, label=name, lw=1.6)
    axes.set(xscale="log", yscale="log", xlabel=xlabel, ylabel=ylabel, title=title)
    axes.grid(alpha=0.25, which="both", lw=0.4)
    axes.legend(frameon=False)
    save_figure(figure, path)


def _styles(number: int) -> list[str]:
    return [("-", "--", "-.", ":")[i % 4] for i in range(number)]
