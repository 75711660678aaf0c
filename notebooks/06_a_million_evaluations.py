# %% [markdown]
# # A million evaluations, and the coverage of a limit
#
# Everything in jaxnu is a function of arrays, so that it maps over as many of them as one likes:
# here
# a million cross sections, then some thousand toy experiments, on whatever device there is.
#
# `python notebooks/06_a_million_evaluations.py [FOLDER]` runs it as a script and saves the
# picture in
# FOLDER. `JAXNU_NOTEBOOK_SMALL=1` makes it short.

# %%
import os
import sys
from pathlib import Path

import matplotlib

if "ipykernel" not in sys.modules:
    matplotlib.use("Agg")  # a script opens no window

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jaxnu
from jaxnu.constants import ELECTRON_MASS_keV, SIGMA0_cm2
from jaxnu.inference import coverage, run_toys
from jaxnu.inference.experiment_model import experiment_model
from jaxnu.inference.limit_inputs import statistic_threshold

SMALL = os.environ.get("JAXNU_NOTEBOOK_SMALL") == "1"
FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 and "ipykernel" not in sys.modules else ".")
print(f"on {len(jax.devices())} × {jax.devices()[0].device_kind}")

# %% [markdown]
# ## A million cross sections in one call
#
# `cross_section` broadcasts T against E; inside `jax.jit` one program makes the whole table.

# %%
xenon = jaxnu.response("Xe", "stepping")
T = jnp.geomspace(0.02, 100.0, 1000)
E = jnp.geomspace(400.0, 8000.0, 1000)
UNIT = 1e-11


@jax.jit
def table(atom):
    return jaxnu.cross_section(T[:, None], E[None, :], atom, UNIT)


values = np.asarray(table(xenon))
print(f"{values.size} values, from {values[values > 0].min():.2e} to {values.max():.2e} cm²/keV")
assert values.shape == (1000, 1000)
assert np.isfinite(values).all()

# the formula written out: n(T) σ_0 μ² (1/T − 1/E) up to 2E²/(m + 2E)
T_grid, E_grid = np.meshgrid(T, E, indexing="ij")
count = np.asarray(jaxnu.effective_charge(T, xenon)[0])[:, None]
by_hand = count * SIGMA0_cm2 * UNIT**2 * (1.0 / T_grid - 1.0 / E_grid)
by_hand[T_grid > 2.0 * E_grid**2 / (ELECTRON_MASS_keV + 2.0 * E_grid)] = 0.0
difference = np.max(np.abs(values - by_hand)) / np.max(by_hand)
print(f"largest difference from the formula: {difference:.1e} of the largest value")
assert difference < 1e-12

# %% [markdown]
# `jax.vmap` over the neutrino energy of a function of one energy is the same thing.


# %%
def of_one_energy(energy):
    return jaxnu.cross_section(T, energy, xenon, UNIT)


mapped = np.asarray(jax.jit(jax.vmap(of_one_energy))(E[:50])).T
assert np.allclose(mapped, values[:, :50], rtol=1e-12, atol=0.0)

# %% [markdown]
# ## Toys of an experiment
#
# The model of XENONnT's first run: x = μ²/(1e-11 μ_B)² and a background norm. Each toy draws
# counts,
# fits them, and finds its own limit. A limit at 90% should lie above the true x in 90% of toys, or
# in more: close to μ = 0 the boundary x ≥ 0 makes it conservative.

# %%
experiment = jaxnu.load_experiment("xenonnt-sr0")
model = experiment_model(experiment, xenon, "Asimov").model
NUMBER = 400 if SMALL else 5000
TRUTHS = (0.3, 1.0, 3.0) if SMALL else (0.1, 0.3, 0.6, 1.0, 1.5, 2.0, 3.0)
DELTA = {word: statistic_threshold(0.90, word) for word in ("one-sided", "two-sided")}
covered = {word: [] for word in DELTA}
limits = {}
for truth in TRUTHS:
    toys = run_toys(model, {"x": truth}, NUMBER, (truth,), 0.90, "one-sided", seed=7).check()
    limits[truth] = toys.limit[toys.converged]
    share, error = coverage(toys)
    # q at the truth says the same without a search: the limit is above, or q is below Δ
    best, q = toys.theta[toys.converged, 0], toys.q[toys.converged, 0]
    above = {word: (best >= truth) | (q <= delta) for word, delta in DELTA.items()}
    assert np.mean((limits[truth] >= truth) == above["one-sided"]) > 0.995
    for word, mask in above.items():
        covered[word].append(np.mean(mask))
    print(f"μ = {np.sqrt(truth):.2f}e-11 μ_B: one-sided covers {share:.3f} ± {error:.3f}, "
          f"two-sided {covered['two-sided'][-1]:.3f}; median limit "
          f"{np.sqrt(np.median(limits[truth])):.3f}e-11 μ_B")  # fmt: skip
    assert share > 0.90 - 4.0 * max(error, 0.01)
    assert covered["two-sided"][-1] >= share

assert abs(covered["one-sided"][-1] - 0.90) < 4.0 * np.sqrt(0.09 / NUMBER)
assert abs(covered["two-sided"][-1] - 0.95) < 4.0 * np.sqrt(0.0475 / NUMBER)

# %% [markdown]
# Away from the boundary the one-sided Δ covers what it says, 90%. The two-sided Δ = 2.706, the
# common choice, covers about
# 95% as an upper limit: the convention belongs to the number.
#
# ## A picture for a talk

# %%
BLUE, ORANGE, GREY = "#1f5fa8", "#d1601f", "0.45"
plt.rcParams.update({"font.size": 12, "axes.spines.top": False, "axes.spines.right": False})
figure, (many, drawn, share_of) = plt.subplots(1, 3, figsize=(16.5, 5.0), layout="constrained")

shade = many.pcolormesh(
    np.asarray(E) / 1e3, np.asarray(T), np.log10(values), cmap="viridis", shading="auto",
    rasterized=True,
)  # fmt: skip
many.set(xscale="log", yscale="log", xlabel="neutrino energy $E$ [MeV]",
         ylabel="energy transfer $T$ [keV]",
         title=f"{values.size:,} cross sections of Xe".replace(",", " "))  # fmt: skip
many.set_xticks([0.5, 1.0, 2.0, 5.0], ["0.5", "1", "2", "5"])
many.minorticks_off()
figure.colorbar(shade, ax=many, label=r"log$_{10}$ $d\sigma/dT$ [cm$^2$/keV]")

shown = TRUTHS[len(TRUTHS) // 2]
values_mu = np.sqrt(limits[shown]) * 10.0
drawn.hist(values_mu, 30, color=BLUE, alpha=0.35)
drawn.axvline(10.0 * np.sqrt(shown), color=ORANGE, lw=2)
drawn.text(10.0 * np.sqrt(shown) - 0.15, 0.97, "true", color=ORANGE, rotation=90, ha="right",
           va="top", transform=drawn.get_xaxis_transform())  # fmt: skip
drawn.set(xlabel=r"limit on $\mu_\nu$ [$10^{-12}\,\mu_B$], one-sided", ylabel="toys",
          title=f"{NUMBER} toys of XENONnT SR0")  # fmt: skip

mu_true = 10.0 * np.sqrt(np.array(TRUTHS))
for word, color, nominal in (("one-sided", BLUE, 0.90), ("two-sided", ORANGE, 0.95)):
    share = np.array(covered[word])
    error = np.sqrt(np.maximum(share * (1.0 - share), 1e-3) / NUMBER)
    share_of.errorbar(mu_true, share, error, fmt="o", color=color, capsize=3,
                      label=rf"{word}, $\Delta$ = {DELTA[word]:.3f}")  # fmt: skip
    share_of.axhline(nominal, color=color, lw=1, ls="--")
share_of.set(xlabel=r"true $\mu_\nu$ [$10^{-12}\,\mu_B$]", ylim=(0.8, 1.02),
             ylabel="share of limits above the truth", title="coverage of a 90% limit")  # fmt: skip
share_of.legend(frameon=False, loc="lower right")
FOLDER.mkdir(parents=True, exist_ok=True)
picture = FOLDER / "a_million_evaluations.png"
figure.savefig(picture, dpi=160)
print(f"picture: {picture}")
