# %% [markdown]
# # The dispute: does an atom enhance magnetic scattering?
#
# For some years it was argued that the electrons of an atom raise the cross section of a neutrino
# with a magnetic moment far above that of free electrons, by a photon-like term (the equivalent
# photon) or by coherence (Z² instead of Z). Kouzakov and Studenikin (Nucl. Phys. B Proc. Suppl. 217
# (2011) 353, KS11) say no. Here germanium answers, at E = 1 MeV, with
#
# $$\frac{d\sigma}{dT} = \sigma_0\mu_\nu^2\,\frac{P^2}{4E^2}\int_{T^2}^{P^2}
# \left[\left(1-\frac{T^2}{Q^2}\right) S(T,Q) + \left(1-\frac{Q^2}{P^2}\right) R(T,Q)\right]
# \frac{dQ^2}{Q^2},\qquad P = 2E - T,$$
#
# S the response of the electrons' density (longitudinal), R that of their current (transverse).
#
# `python notebooks/02_the_dispute.py [FOLDER]` runs it as a script and saves the picture in FOLDER.
# `JAXNU_NOTEBOOK_SMALL=1` makes it short.

# %%
import os
import sys
from pathlib import Path

import matplotlib

if "ipykernel" not in sys.modules:
    matplotlib.use("Agg")  # a script opens no window

import matplotlib.pyplot as plt
import numpy as np

import jaxnu
from jaxnu.constants import SIGMA0_cm2
from jaxnu.examination.currents import transverse_integrand
from jaxnu.examination.curves import frozen_photons
from jaxnu.examination.orbitals import field_orbitals

SMALL = os.environ.get("JAXNU_NOTEBOOK_SMALL") == "1"
FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 and "ipykernel" not in sys.modules else ".")
E_keV, MU = 1000.0, 1e-11

atom = jaxnu.response("Ge")  # electrons in a self-consistent central field
stepping = jaxnu.response("Ge", "stepping")
free = jaxnu.response("Ge", "free")
edges = np.asarray(stepping.thresholds_keV)

# %% [markdown]
# ## The two terms
#
# T runs from 20 eV to 50 keV, with 1 keV and both sides of every edge among its values.
# `part` asks for one of the two terms; without the spin current the transverse one is that of KS11.

# %%
sides = np.concatenate([edges * (1.0 - 1e-6), edges * (1.0 + 1e-6)])
T = np.geomspace(0.02, 50.0, 48 if SMALL else 200)
T = np.unique(np.concatenate([T, [1.0], sides[sides > 0.02]]))
ONE = int(np.searchsorted(T, 1.0))


def sigma(response, **options):
    return np.asarray(jaxnu.cross_section(T, E_keV, response, MU, **options))


full = sigma(atom)
longitudinal = sigma(atom, part="longitudinal")
current = sigma(atom, part="transverse", spin_current=False)
steps, unbound = sigma(stepping), sigma(free)

share = np.max(current / longitudinal)
at_largest = T[np.argmax(current / longitudinal)]
print(
    f"transverse (convection) over longitudinal: at most {share:.2%}, at T = {at_largest:.3g} keV"
)
print(f"T = 1 keV: the atom / stepping = {full[ONE] / steps[ONE]:.4f}, "
      f"/ free = {full[ONE] / unbound[ONE]:.4f}")  # fmt: skip
assert share < 0.05
assert abs(full[ONE] / steps[ONE] - 1.0) < 0.05

# %% [markdown]
# ## The equivalent photon
#
# On the light cone, Q = T, R is the photoabsorption cross section: R(T,T) = T σ_γ(T)/4π²α. To use
# σ_γ for all Q, one has to freeze something: R/Q² (the equivalent photon, whose integrand then
# *grows* with Q) or R itself. Both use σ_γ of the very same atom, so that what differs is the
# freezing and nothing else.

# %%
photons = frozen_photons(atom)
photon, frozen = sigma(photons["light-cone"]), sigma(photons["frozen-current"])
print(f"T = 1 keV: equivalent photon / free = {photon[ONE] / unbound[ONE]:.1f}, "
      f"frozen R / free = {frozen[ONE] / unbound[ONE]:.4f}")  # fmt: skip
assert photon[ONE] / unbound[ONE] > 10.0

# %% [markdown]
# The integrand shows where it goes wrong. R keeps its light-cone value only up to about the inverse
# size of the orbitals, and falls off beyond the ridge Q² = 2mT of a free electron; the integral
# goes on to 2E − T.

# %%
unit = atom.Z * SIGMA0_cm2 * (1.0 - 1.0 / E_keV)  # the free dσ/dT at T = 1 keV, per μ²
inverse_radius = field_orbitals("Ge").thomas_fermi_keV
integrand = transverse_integrand(1.0, E_keV, atom, unit, inverse_radius)
print(f"T = 1 keV: half of the transverse term lies below Q = {integrand.median_keV:.1f} keV, 95% "
      f"below {integrand.last_keV:.1f} keV;\nof the equivalent photon's only "
      f"{integrand.photon_share:.0e} lies below 1/r_a = {inverse_radius:.1f} keV")  # fmt: skip
area = np.trapezoid(integrand.exact, np.log(integrand.Q_keV)) * unit * MU**2
print(f"area under the integrand: {area:.4e} cm²/keV, dσ/dT above: {current[ONE]:.4e}")
assert abs(area / current[ONE] - 1.0) < 1e-3

# %% [markdown]
# ## How many electrons are seen?
#
# A dispersion relation in Q² would give ∫S dQ²/Q² = Z²/T (KS11 eq 15), another author's Z/T. The
# atom gives what it gives: Z_eff(T) = T ∫S dQ²/Q².

# %%
charge = np.concatenate([
    np.asarray(jaxnu.effective_charge(part, atom)[0]) for part in np.array_split(T, 4)
])  # fmt: skip
count = np.asarray(jaxnu.effective_charge(T, stepping)[0])
near = np.any((edges[:, None] <= T) & (1.05 * edges[:, None] > T), axis=0)  # just above an edge
calm = (T > 3.0) & ~near
departure = np.max(np.abs(charge[calm] / count[calm] - 1.0))
print(f"Z_eff from {charge[0]:.2f} at 20 eV to {charge[-1]:.2f} at 50 keV; Z = {atom.Z}, Z² = "
      f"{atom.Z**2}; within {departure:.2%} of stepping above 3 keV, away from edges")  # fmt: skip
low = T < 0.3
lag = charge[low] / count[low]
print(f"below 0.3 keV Z_eff / stepping goes from {np.min(lag):.2f} (at "
      f"{1e3 * T[low][np.argmin(lag)]:.0f} eV) to {np.max(lag):.2f}")  # fmt: skip
assert np.max(lag) < 1.2
assert departure < 0.01
assert np.max(charge) < 1.01 * atom.Z

# %% [markdown]
# Above the 3d edge at 29 eV the atom lags behind stepping, by up to a factor of three: the
# centrifugal barrier keeps the f waves of the ejected 3d electrons out, and the strength of the
# step comes back within some hundred eV. Enhancement there is next to none, and no trace of Z².
# Xenon and caesium do exceed free electrons, by 1.2 and 8, but only over a few eV, around 79 eV
# and above their 3d edges (686, 728 eV): shape resonances in the longitudinal
# term, which independent particles exaggerate.
#
# ## A picture for a talk

# %%
ATOM, PHOTON, FROZEN, GREY = "#1f5fa8", "#c0392b", "#d98a1f", "0.45"
plt.rcParams.update({"font.size": 12, "axes.spines.top": False, "axes.spines.right": False})
figure, (ratio, where, charges) = plt.subplots(1, 3, figsize=(16.5, 5.0), layout="constrained")

ratio.loglog(T, photon / unbound, color=PHOTON, lw=2.2)
ratio.loglog(T, frozen / unbound, color=FROZEN, lw=2.0, ls="--")
ratio.loglog(T, full / unbound, color=ATOM, lw=2.6)
ratio.loglog(T, steps / unbound, color="k", lw=1.2, ls=":")
ratio.loglog(T, current / unbound, color="#2e8b57", lw=2.0)
ratio.axhline(1.0, color="0.8", lw=1.0, zorder=0)
ratio.set(xlabel="energy transfer $T$ [keV]", ylabel=r"$d\sigma/dT$ / free electrons",
          ylim=(1e-6, 3e4), xlim=(T[0], T[-1]), title="Ge, neutrino of 1 MeV")  # fmt: skip
for x, height, words, color in (
    (1.0, 4.0 * photon[ONE] / unbound[ONE], "equivalent photon", PHOTON),
    (0.024, 3.0, "the atom, all terms", ATOM),
    (0.5, 0.12, "stepping (dots)", "k"),
    (0.09, 4e-3, "frozen R", FROZEN),
    (0.3, 1e-4, "transverse term of the atom", "#2e8b57"),
):
    ratio.text(x, height, words, color=color)

Q = integrand.Q_keV
where.loglog(Q, integrand.equivalent_photon, color=PHOTON, lw=2.2, label="$R/Q^2$ frozen")
where.loglog(Q, integrand.frozen_current, color=FROZEN, lw=2.0, ls="--", label="$R$ frozen")
where.loglog(Q, integrand.exact, color=ATOM, lw=2.6, label="$R(T,Q)$ of the atom")
top = np.max(integrand.equivalent_photon)
where.set(xlabel="momentum transfer $Q$ [keV]", ylim=(1e-9, 30.0 * top), xlim=(0.9, 2.5e3),
          ylabel=r"$d\sigma_T/d\,\ln Q$ / free $d\sigma/dT$",
          title="the transverse term at $T$ = 1 keV")  # fmt: skip
for x, words in ((inverse_radius, "$1/r_a$"), (np.sqrt(2 * 511.0), r"$\sqrt{2mT}$")):
    where.axvline(x, ymax=0.68, color=GREY, lw=1.0, ls=":")
    where.text(x, 1.5e-9, words, color=GREY, ha="right" if x < 20 else "left", rotation=90)
where.legend(frameon=False, loc="upper left")

charges.loglog(T, charge, color=ATOM, lw=2.6)
charges.loglog(T, count, color="k", lw=1.2, ls=":")
for value, words in ((atom.Z**2, "$Z^2$ (KS11 eq 15)"), (atom.Z, "$Z$")):
    charges.axhline(value, color=PHOTON if value > atom.Z else GREY, lw=1.4, ls="--")
    charges.text(0.024, 1.12 * value, words, color=PHOTON if value > atom.Z else GREY)
charges.text(1.1, 13.0, r"$T\int S\,dQ^2/Q^2$", color=ATOM)
charges.text(1.1, 9.0, "stepping (dots)", color="k")
charges.set(xlabel="energy transfer $T$ [keV]", ylabel="electrons seen", xlim=(T[0], T[-1]),
            ylim=(1.0, 3e3), title="neither $Z^2$ nor $Z$")  # fmt: skip
FOLDER.mkdir(parents=True, exist_ok=True)
picture = FOLDER / "the_dispute.png"
figure.savefig(picture, dpi=160)
print(f"picture: {picture}")
