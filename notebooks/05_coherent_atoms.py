# %% [markdown]
# # Coherent atoms: the nucleus against the electrons
#
# Kouzakov and Studenikin end with an outlook: scattering in which the whole atom recoils is
# coherent, and there Z² is real. The cross section on a nucleus, or on an atom as a whole, is
#
# $$\frac{d\sigma}{dT} = \sigma_0\,\mu_\nu^2\,|Z F_N(Q) - F_{el}(Q)|^2
# \left(\frac1T - \frac1E\right),\qquad T \leq \frac{2E^2}{M+2E},\quad Q^2 = 2MT.$$
#
# What does it bring beside ionisation, and when do the electrons screen the nucleus?
#
# `python notebooks/05_coherent_atoms.py [FOLDER]` runs it as a script and saves the picture in
# FOLDER. `JAXNU_NOTEBOOK_SMALL=1` makes it short.

# %%
import os
import sys
from pathlib import Path

import matplotlib

if "ipykernel" not in sys.modules:
    matplotlib.use("Agg")  # a script opens no window

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jaxnu
from jaxnu.constants import SIN2_WEINBERG, ATOMIC_MASS_keV, ATOMIC_MOMENTUM_keV
from jaxnu.detector.quenching import Quenching, electron_equivalent, quenching_factor, recoil_energy
from jaxnu.elements import element

SMALL = os.environ.get("JAXNU_NOTEBOOK_SMALL") == "1"
FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 and "ipykernel" not in sys.modules else ".")
ATOMS, MU = ("He", "Ar", "Ge", "Xe"), 1e-11

# %% [markdown]
# ## Z² against Z
#
# At equal T the ratio of the coherent cross section to that of Z free electrons is Z, less the form
# factor of the nucleus. But the recoil ends at 2E²/(M + 2E), far below where the electrons end.

# %%
E_keV = 1000.0
for symbol in ATOMS:
    info = element(symbol)
    end = 2.0 * E_keV**2 / (info.weight * ATOMIC_MASS_keV + 2.0 * E_keV)
    T = 0.5 * end
    nucleus = jaxnu.nuclear_cross_section(T, E_keV, symbol, MU, "magnetic")
    electrons = jaxnu.cross_section(T, E_keV, jaxnu.response(symbol, "free"), MU)
    ratio = float(nucleus / electrons)
    print(f"{symbol}: recoils end at {1e3 * end:6.1f} eV; at half of it nucleus / free electrons = "
          f"{ratio:.3f}, Z = {info.Z}")  # fmt: skip
    assert abs(ratio / info.Z - 1.0) < 0.01
    # 3He, of a few in a million atoms of helium, recoils a third further
    beyond = jaxnu.nuclear_cross_section(1.5 * end, E_keV, symbol, MU, "magnetic")
    assert float(beyond) == 0.0

# %% [markdown]
# ## Screening
#
# The atom is neutral: F_el(0) = Z, and a neutrino of very long wavelength sees nothing. At
# Q = Z^{1/3} α m, recoils of about one meV, only 6% (He) to 26% (Xe) of Z² is left; half of it is
# back at 3 to 6 times that energy. At the recoils that a detector sees, coherence is that of the
# bare nucleus.

# %%
SCREENED = ("He", "Ge") if SMALL else ATOMS
T_screen = np.geomspace(1e-9, 1e-3, 120)  # keV: 1 µeV to 1 eV
screening = {}
for symbol in SCREENED:
    cloud = jaxnu.electron_cloud(symbol)
    whole = jaxnu.nuclear_cross_section(T_screen, 1e4, symbol, MU, "magnetic", electrons=cloud)
    bare = jaxnu.nuclear_cross_section(T_screen, 1e4, symbol, MU, "magnetic")
    screening[symbol] = np.asarray(whole / bare)
    info = element(symbol)
    Q_atom = info.Z ** (1.0 / 3.0) * ATOMIC_MOMENTUM_keV
    scale = Q_atom**2 / (2.0 * info.weight * ATOMIC_MASS_keV)
    half = float(np.interp(0.5, screening[symbol], T_screen))
    print(f"{symbol}: Z^(1/3) α m is a recoil of {1e6 * scale:.1f} meV; half of the bare cross "
          f"section at {1e6 * half:.1f} meV")  # fmt: skip
    assert screening[symbol][0] < 1e-2
    left = float(np.interp(scale, T_screen, screening[symbol]))
    print(
        f"   at Z^(1/3) α m {left:.0%} of Z² is left, half at {half / scale:.1f} times its energy"
    )
    assert left < 0.3 and 3.0 < half / scale < 6.1
    visible = [jaxnu.nuclear_cross_section(0.01, 1e4, symbol, MU, "magnetic", electrons=e)
               for e in (cloud, None)]  # fmt: skip
    assert abs(float(visible[0] / visible[1]) - 1.0) < 1e-3  # at 10 eV

# %% [markdown]
# The weak force does more than screen: electrons attract ν_e by the charged current. The amplitude
# goes from N − (1 − 4s²)Z at large Q to N − 2Z at Q = 0, through zero if N < 2Z. In helium it is of
# nearly the same size at both ends, with opposite signs.

# %%
helium = jaxnu.electron_cloud("He")
whole = jaxnu.nuclear_cross_section(T_screen, 1e4, "He", channel="weak", electrons=helium)
bare = jaxnu.nuclear_cross_section(T_screen, 1e4, "He", channel="weak")
weak_ratio = np.asarray(whole / bare)
zero = int(np.argmin(weak_ratio))
expected = (2.0 - 4.0) ** 2 / (2.0 - (1.0 - 4.0 * SIN2_WEINBERG) * 2.0) ** 2
print(f"He, ν_e: zero near {1e6 * T_screen[zero]:.2f} meV (smallest value on this grid "
      f"{weak_ratio[zero]:.1e}); at Q → 0 {weak_ratio[0]:.4f} of the bare nucleus, "
      f"[(N − 2Z)/Q_w]² = {expected:.4f}")  # fmt: skip
assert weak_ratio[zero] < 0.02
assert abs(weak_ratio[0] / expected - 1.0) < 0.01
muon = jaxnu.nuclear_cross_section(
    T_screen, 1e4, "He", channel="weak", flavor="nu_mu", electrons=helium
)
assert np.min(np.asarray(muon / bare)) > 0.9  # N at Q = 0: ν_μ has no zero

# %% [markdown]
# ## At a reactor, in the energy that a detector sees
#
# Of a nuclear recoil T germanium shows only Q(T) T as ionisation (Lindhard, k = 0.157): dR/dT_ee =
# dR/dT / (dT_ee/dT). Beside it the ionisation of the same atoms by the same moment, and CEvNS,
# which
# is in the way.

# %%
MU_REACTOR = 3e-11
flux = jaxnu.flux.reactor(3.0, 13.9)
lindhard = Quenching("Ge", "lindhard", jnp.asarray(0.157))
T_ee = np.geomspace(0.002, 20.0, 80 if SMALL else 200)
T_nr = recoil_energy(T_ee, lindhard, 100.0)
slope = np.gradient(np.log(np.asarray(electron_equivalent(T_nr, lindhard))), np.log(T_nr))
jacobian = slope * T_ee / T_nr  # dT_ee/dT


def seen_rate(channel):
    rate = jaxnu.nuclear_rate(T_nr, flux, "Ge", MU_REACTOR**2, channel)
    return np.asarray(rate) / jacobian


recoil, cevns = seen_rate("magnetic"), seen_rate("weak")
atom = jaxnu.response("Ge", "stepping")
ionisation = np.asarray(jaxnu.rate(T_ee, flux, atom, MU_REACTOR**2))
unquenched = np.asarray(jaxnu.nuclear_rate(T_ee, flux, "Ge", MU_REACTOR**2, "magnetic"))
at = int(np.argmin(np.abs(T_ee - 0.05)))
print(f"T_ee = {1e3 * T_ee[at]:.0f} eV is a recoil of {1e3 * T_nr[at]:.0f} eV, quenching "
      f"{float(quenching_factor(T_nr[at], lindhard)):.3f}")  # fmt: skip
print(f"there, in 1/(kg keV d) at 3e-11 μ_B: ionisation {ionisation[at]:.3g}, recoils "
      f"{recoil[at]:.3g}, CEvNS {cevns[at]:.3g}")  # fmt: skip
both = (recoil > ionisation) & (T_ee < 1.0)
print(f"recoils exceed ionisation up to T_ee = {1e3 * T_ee[both].max():.0f} eV, but CEvNS is "
      f"{np.min(cevns[both] / recoil[both]):.0f} times larger there at least")  # fmt: skip
assert both.any()
assert np.all(cevns[both] > recoil[both])
assert np.all(recoil[T_ee > 2.0] < 1e-3 * ionisation[T_ee > 2.0])

# %% [markdown]
# ## A picture for a talk

# %%
COLORS = {"He": "#8e44ad", "Ar": "#2e8b57", "Ge": "#1f5fa8", "Xe": "#d1601f"}
GREY = "0.45"
plt.rcParams.update({"font.size": 12, "axes.spines.top": False, "axes.spines.right": False})
figure, (sections, screen, rates) = plt.subplots(1, 3, figsize=(16.5, 5.0), layout="constrained")

T_plot = np.geomspace(1e-3, 30.0, 400)
for symbol in ATOMS:
    per_Z = element(symbol).Z
    steps = jaxnu.response(symbol, "stepping")
    inside = T_plot[T_plot < 0.98 * E_keV]
    coherent = np.asarray(jaxnu.nuclear_cross_section(inside, E_keV, symbol, MU, "magnetic"))
    ionised = np.asarray(jaxnu.cross_section(inside, E_keV, steps, MU))
    sections.loglog(inside, np.where(coherent > 0, coherent, np.nan), color=COLORS[symbol], lw=2.4,
                    label=f"{symbol}, $Z$ = {per_Z}")  # fmt: skip
    sections.loglog(inside, np.where(ionised > 0, ionised, np.nan), color=COLORS[symbol], lw=1.4,
                    ls="--")  # fmt: skip
sections.plot([], [], color=GREY, ls="--", lw=1.4, label="dashed: ionisation")
sections.set(xlabel="energy transfer $T$ [keV]", ylabel=r"$d\sigma/dT$ [cm$^2$/keV per atom]",
             ylim=(1e-48, None),
             title=r"1 MeV, $\mu_\nu = 10^{-11}\,\mu_B$, solid: nucleus")  # fmt: skip
sections.legend(frameon=False, loc="upper right", fontsize=11)

for symbol, ratio in screening.items():
    screen.semilogx(
        1e6 * T_screen, ratio, color=COLORS[symbol], lw=2.4, label=f"{symbol}, magnetic"
    )
screen.semilogx(1e6 * T_screen, weak_ratio, color=COLORS["He"], lw=1.8, ls="--",
                label=r"He, weak ($\nu_e$)")  # fmt: skip
screen.axhline(1.0, color="0.8", lw=1.0, zorder=0)
screen.set(xlabel="recoil energy [meV]", ylabel="whole atom / bare nucleus", ylim=(0.0, 1.35),
           title="electrons screen at recoils of meV")  # fmt: skip
screen.legend(frameon=False, loc="center left")

for y, words, style in (
    (ionisation, r"ionisation, $\mu_\nu$", dict(color="#1f5fa8", lw=2.6)),
    (recoil, r"nuclear recoil, $\mu_\nu$, quenched", dict(color="#c0392b", lw=2.4)),
    (unquenched, "the same without quenching", dict(color="#c0392b", lw=1.3, ls=":")),
    (cevns, "CEvNS, quenched", dict(color=GREY, lw=2.0, ls="--")),
):
    rates.loglog(T_ee, np.where(y > 0.0, y, np.nan), label=words, **style)
rates.set(xlabel=r"seen energy $T_{ee}$ [keV]", ylabel="events / (kg keV d)", ylim=(1e-3, 1e6),
          title=r"Ge at 13.9 m from 3 GW, $\mu_\nu = 3\times 10^{-11}\,\mu_B$")  # fmt: skip
rates.legend(frameon=False, loc="upper right", fontsize=11)
FOLDER.mkdir(parents=True, exist_ok=True)
picture = FOLDER / "coherent_atoms.png"
figure.savefig(picture, dpi=160)
print(f"picture: {picture}")
