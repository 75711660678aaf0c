# %% [markdown]
# # An atom from scratch: neon
#
# Where S(T,Q) and R(T,Q) come from. A radial mesh, the self-consistent field of ten electrons, the
# orbitals bound in it, the waves ejected from it, and their matrix elements, by multipoles. In
# the end stands a row of the table that jaxnu ships. All in Hartree atomic units, per
# electron, unless a name says otherwise.
#
# `python notebooks/03_an_atom_from_scratch.py [FOLDER]` runs it as a script and saves the picture
# in FOLDER. `JAXNU_NOTEBOOK_SMALL=1` makes it short.

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
from jaxnu.atom.continuum import continuum_orbitals, scattering_mesh, shell_edge
from jaxnu.atom.field import self_consistent_field
from jaxnu.atom.subshells import ionisation_responses, subshell_index
from jaxnu.constants import FINE_STRUCTURE, ATOMIC_MOMENTUM_keV, HARTREE_eV
from jaxnu.responses import f_sum

SMALL = os.environ.get("JAXNU_NOTEBOOK_SMALL") == "1"
FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 and "ipykernel" not in sys.modules else ".")
HARTREE_keV = 1e-3 * HARTREE_eV

# %% [markdown]
# ## Mesh and field
#
# The mesh is even in t = ln r + a r: logarithmic at the nucleus, even in r far out. With
# P = √(dr/dt) y the radial equation −P''/2 + [l(l+1)/2r² + V] P = E P has no first derivative, and
# Numerov's formula holds. V is the nucleus, the Hartree potential of all electrons, and Slater
# exchange, replaced by −1/r where it would be weaker (Latter): an ejected electron sees an ion.

# %%
neon = self_consistent_field("Ne")
mesh, bound = neon.mesh, neon.bound
labels = neon.configuration.labels
print(f"{mesh.r.size} nodes from {mesh.r[0]:.0e} to {mesh.r[-1]:.0f} Bohr; field converged to "
      f"{neon.residual:.0e} in {neon.iterations} turns")  # fmt: skip
for label, energy in zip(labels, neon.level_energies, strict=True):
    print(f"  {label}: E = {energy * HARTREE_eV:9.3f} eV")
# eigenvalues of Herman–Skillman neon from a second program, to two decimals
others = {"1s": -857.05, "2s": -43.10, "2p": -20.02}
for label, energy in zip(labels, neon.level_energies, strict=True):
    assert abs(energy * HARTREE_eV - others[label]) < 0.01

norms = mesh.integral(bound.P[: len(labels)] ** 2)
overlap = mesh.integral(bound.P[0] * bound.P[1])
print(f"norms − 1: {float(np.max(np.abs(norms - 1.0))):.0e}, <1s|2s> = {float(overlap):.0e}")
assert np.max(np.abs(norms - 1.0)) < 1e-9
assert abs(overlap) < 1e-7

# %% [markdown]
# ## An ejected electron
#
# Continuum waves are normalised per unit energy: far out they oscillate with the amplitude √(2/πk).

# %%
outer = subshell_index(neon, "2p")
waves_mesh = scattering_mesh(shell_edge(mesh, bound.P[outer][None]))
EPSILON = jnp.array([1.0, 5.0])  # Hartree
waves = continuum_orbitals(neon.potential, waves_mesh, EPSILON, 3)
r_inner = np.asarray(waves_mesh.inner.r)
s_wave, d_wave = (np.asarray(waves.P[:, l, 1]) for l in (0, 2))
last = r_inner > 0.6 * r_inner[-1]
k_far = np.sqrt(2.0 * float(EPSILON[1]))
peak = float(np.max(np.abs(s_wave[last])) / np.sqrt(2.0 / (np.pi * k_far)))
print(f"largest s wave near r = {r_inner[-1]:.1f} Bohr over √(2/πk): {peak:.3f}")
assert abs(peak - 1.0) < 0.05  # a little below one: the ion's attraction still speeds it up

# %% [markdown]
# ## S of one subshell, by multipoles
#
# $$S_{nl} = \sum_{l'L} (2l'+1)(2L+1) \begin{pmatrix} l & L & l'\\ 0&0&0\end{pmatrix}^2
# \left[\int P_{nl}\, j_L(Qr)\, P_{\varepsilon l'}\, dr\right]^2$$
#
# summed over the angular momenta l' of the ejected electron. At small Q the dipole is enough; on
# the Bethe ridge, Q² = 2T, a wave packet must be built of many l', about 17 √(T/I) + 20 for all
# of it.
# That is the trap of tables which stop at a few.

# %%
SHELL, T_keV = "2p", 0.2
index = subshell_index(neon, SHELL)
I_model = -float(bound.energy[index])
energy = jnp.array([T_keV / HARTREE_keV - I_model])
T = float(energy[0]) + I_model
Q = jnp.geomspace(0.2, 15.0, 90)
ORDERS = (1, 4, 16, 40)
found = {l: ionisation_responses(neon, SHELL, energy, Q, l) for l in ORDERS}
by_order = {l: np.asarray(one.S[:, 0]) for l, one in found.items()}
S, R = by_order[40], np.asarray(found[40].R[:, 0])
seen = {l: T * np.trapezoid(S_l * 2.0, np.log(Q)) for l, S_l in by_order.items()}  # dQ²/Q²
for l, value in seen.items():
    print(f"  l' ≤ {l:2d}: T ∫S dQ²/Q² = {value:.4f}")
ridge = float(Q[np.argmax(S * np.asarray(Q))]) / np.sqrt(2.0 * T)
print(f"{SHELL} at T = {1e3 * T_keV:.0f} eV = {T / I_model:.1f} I: top of Q S at "
      f"{ridge:.2f} of the ridge")  # fmt: skip
assert seen[1] < 0.7 * seen[40]
assert abs(seen[16] / seen[40] - 1.0) < 2e-2
assert abs(ridge - 1.0) < 0.15

# %% [markdown]
# And the gauge: as Q → 0 the current follows from the density, R = T² S/Q².

# %%
small = ionisation_responses(neon, SHELL, energy, jnp.array([1e-3]), 1)
gauge = float(small.R[0, 0] / (T**2 * small.S[0, 0] / 1e-6))
print(f"R / (T² S/Q²) at Q = 0.001: {gauge:.5f}")
assert abs(gauge - 1.0) < 5e-3

# %% [markdown]
# ## Beside the shipped table
#
# A response in jaxnu is in 1/keV and for all electrons of a subshell:
# S = S_au/E_h, R = α² R_au/E_h.

# %%
table = jaxnu.response("Ne", thresholds="model")
same = np.isclose(np.asarray(table.thresholds_keV), I_model * HARTREE_keV, rtol=1e-3)  # L2, L3
print(
    "subshells of the table:",
    [label for label, is_p in zip(table.labels, same, strict=True) if is_p],
)
Q_keV = np.asarray(Q) * ATOMIC_MOMENTUM_keV
S_table, R_table = (
    np.asarray(a)[:, same].sum(1) / float(np.asarray(table.electrons)[same].sum())
    for a in table.both(jnp.asarray(T_keV), jnp.asarray(Q_keV), by_shell=True)
)
S_here, R_here = S / HARTREE_keV, R * FINE_STRUCTURE**2 / HARTREE_keV
worst = [
    float(np.max(np.abs(a - b)) / np.max(b)) for a, b in ((S_here, S_table), (R_here, R_table))
]
print(f"largest difference from the table, of the maximum: S {worst[0]:.1e}, R {worst[1]:.1e}")
assert max(worst) < 2e-3

# %% [markdown]
# ## A sum rule that no approximation may break
#
# Σ_lines T S + ∫ T S dT = N Q²/2m at every Q, for all transitions of independent particles in one
# local field (Thomas, Reiche, Kuhn; Bethe).

# %%
sum_Q = np.array([1.0, 30.0])
electrons = np.asarray(f_sum(table, sum_Q)).sum(-1)
for q, value in zip(sum_Q, electrons, strict=True):
    print(f"  Q = {q:4.0f} keV: {value:.4f} electrons")
assert np.max(np.abs(electrons / 10.0 - 1.0)) < 3e-3

# %% [markdown]
# ## A picture for a talk

# %%
plt.rcParams.update({"font.size": 12, "axes.spines.top": False, "axes.spines.right": False})
figure, (orbitals, spectrum, heat) = plt.subplots(1, 3, figsize=(16.5, 5.0), layout="constrained")
BLUE, ORANGE, GREEN, GREY = "#1f5fa8", "#d1601f", "#2e8b57", "0.45"

r = np.asarray(mesh.r)
for i, color in zip(range(len(labels)), (GREY, ORANGE, BLUE), strict=True):
    orbitals.plot(r, np.asarray(bound.P[i]), color=color, lw=2.2, label=labels[i])
orbitals.plot(r_inner, d_wave, color=GREEN, lw=1.4, ls="--",
              label=rf"d wave, $\varepsilon$ = {5.0 * HARTREE_eV:.0f} eV")  # fmt: skip
orbitals.axhline(0.0, color="0.8", lw=0.8, zorder=0)
orbitals.set(xlim=(0.0, 4.0), xlabel="radius $r$ [Bohr]", ylabel=r"$P(r)$ [atomic units]",
             title="neon: bound orbitals, and an ejected electron")  # fmt: skip
orbitals.legend(frameon=False)

shades = plt.get_cmap("viridis")(np.linspace(0.85, 0.1, len(ORDERS)))
for (l, S_l), color in zip(by_order.items(), shades, strict=True):
    spectrum.plot(Q_keV, S_l / HARTREE_keV, color=color, lw=2, label=rf"$l' \leq {l}$")
thin = slice(None, None, 4)
spectrum.plot(Q_keV[thin], S_table[thin], "o", color="k", ms=3.5, label="shipped table")
spectrum.axvline(np.sqrt(2.0 * T) * ATOMIC_MOMENTUM_keV, color=GREY, lw=1, ls=":")
spectrum.annotate(r"$Q^2 = 2mT$", (np.sqrt(2.0 * T) * ATOMIC_MOMENTUM_keV, 0.93), xytext=(6, 0),
                  textcoords="offset points", color=GREY,
                  xycoords=("data", "axes fraction"))  # fmt: skip
spectrum.set(xscale="log", xlabel="momentum transfer $Q$ [keV]", ylabel="$S$ per electron [1/keV]",
             title=f"2p at $T$ = {1e3 * T_keV:.0f} eV, by multipoles")  # fmt: skip
spectrum.legend(frameon=False, loc="upper left")

T_map = np.geomspace(0.025, 3.0, 40 if SMALL else 120)
Q_map = np.geomspace(0.5, 150.0, 80 if SMALL else 240)
whole = np.asarray(table.longitudinal(jnp.asarray(T_map)[:, None], jnp.asarray(Q_map)[None, :]))
share = whole * T_map[:, None] * 2.0  # T dS/d ln Q: how many electrons each ln Q brings
drawn = heat.pcolormesh(Q_map, T_map, share, cmap="magma_r", shading="gouraud", vmin=0.0)
heat.plot(np.sqrt(2.0 * 511.0 * T_map), T_map, color="w", lw=1.2, ls="--")
heat.plot(Q_map, np.full_like(Q_map, float(table.thresholds_keV[0])), color=GREY, lw=1, ls=":")
heat.annotate("1s edge", (0.6, float(table.thresholds_keV[0])), xytext=(0, 3), color=GREY,
              textcoords="offset points")  # fmt: skip
heat.set(xscale="log", yscale="log", xlabel="momentum transfer $Q$ [keV]",
         ylim=(T_map[0], T_map[-1]), xlim=(Q_map[0], Q_map[-1]), ylabel="energy transfer $T$ [keV]",
         title=r"the Bethe ridge (dashed: $Q^2 = 2mT$)")  # fmt: skip
figure.colorbar(drawn, ax=heat, label=r"$2\,T\,S$: electrons per unit of $\ln Q$")
FOLDER.mkdir(parents=True, exist_ok=True)
picture = FOLDER / "an_atom_from_scratch.png"
figure.savefig(picture, dpi=160)
print(f"picture: {picture}")
