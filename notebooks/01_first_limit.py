# %% [markdown]
# # The first limit: from solar neutrinos to the neutrino magnetic moment
#
# The way of the data, once from end to end, on the electronic recoils of XENONnT SR0: the expected
# signal and background, a fit of μ² with optax written out in the open, the 90% limit beside it,
# the derivative of the limit with respect to the threshold, a million cross sections at once, and
# a picture.
#
# `python notebooks/01_first_limit.py [FOLDER]` runs it as a script and saves the picture in FOLDER.
# `JAXNU_NOTEBOOK_SMALL=1` makes it short.

# %%
import os
import sys
import time
from functools import partial
from pathlib import Path

import matplotlib

if "ipykernel" not in sys.modules:
    matplotlib.use("Agg")  # a script opens no window

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from scipy.interpolate import PchipInterpolator

import jaxnu

SMALL = os.environ.get("JAXNU_NOTEBOOK_SMALL") == "1"
FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 and "ipykernel" not in sys.modules else ".")
print(f"jaxnu {jaxnu.__version__}, jax {jax.__version__} on {jax.devices()[0].device_kind}")

# %% [markdown]
# ## Data, atom, expected counts
#
# An experiment is a pytree of parameters with the counts beside it. The expected counts are linear
# in μ² and in the background's norm, so two templates hold everything that the fit needs.

# %%
experiment = jaxnu.load_experiment("xenonnt-sr0")
xenon = jaxnu.response("Xe", model="stepping")
MU = 1e-11

background = jaxnu.expected_counts(experiment, 0.0, xenon)
signal = jaxnu.expected_counts(experiment, MU**2, xenon) - background
counts = experiment.counts

print(experiment.title)
print(f"threshold (half of the largest efficiency): {experiment.parameters.threshold_keV:.3f} keV")
print(f"measured {counts.sum():.0f}, background {background.sum():.1f}, signal at μ = 1e-11 μ_B "
      f"{signal.sum():.1f} events")  # fmt: skip

# %% [markdown]
# ## The fit, written out
#
# −ln L = Σ λ − n ln λ with λ = x·signal + β·background, x = μ²/(1e-11 μ_B)² ≥ 0. We fit μ² and not
# μ: the derivative by μ vanishes at μ = 0, and a minimiser started there would never leave. Adam
# takes a step, then x is projected onto x ≥ 0, so that the boundary can be reached exactly.

# %%


def half_deviance(theta):
    x, beta = theta
    expected = x * signal + beta * background
    return jnp.sum(expected - counts * jnp.log(expected))


@partial(jax.jit, static_argnames="steps")
def fit(start, steps):
    solver = optax.adam(optax.cosine_decay_schedule(0.05, steps))

    def step(_, carry):
        theta, state = carry
        updates, state = solver.update(jax.grad(half_deviance)(theta), state)
        theta = optax.apply_updates(theta, updates)
        return theta.at[0].set(jnp.maximum(theta[0], 0.0)), state

    return jax.lax.fori_loop(0, steps, step, (start, solver.init(start)))[0]


x_fit, beta_fit = fit(jnp.array([1.0, 1.0]), 1000 if SMALL else 5000)
slope = jax.grad(half_deviance)(jnp.array([x_fit, beta_fit]))
print(f"Adam: μ̂² = {x_fit * MU**2:.4g} μ_B², background norm {beta_fit:.5f}, "
      f"slopes left {slope[0]:+.1e}, {slope[1]:+.1e}")  # fmt: skip

# %% [markdown]
# ## The limit
#
# `jaxnu.limit` fits the same likelihood with L-BFGS and a Newton step, and searches the μ² at which
# the profile likelihood ratio q reaches Δ. Convention and atomic model belong to the number: the
# summary names both.

# %%
result = jaxnu.limit(experiment, xenon)
print(result.summary())
print(f"best fit: μ̂² = {result.best_fit_mu2:.4g} μ_B², background norm "
      f"{result.nuisances['background']:.5f}")  # fmt: skip
agreement = max(
    abs(float(x_fit) * MU**2 - float(result.best_fit_mu2)) / MU**2,
    abs(float(beta_fit) - float(result.nuisances["background"])),
)
print(f"largest difference between the two fits: {agreement:.1e} (x and β)")
assert agreement < 1e-6

for model in ("free", "stepping", "central-field"):
    for convention in ("two-sided", "one-sided"):
        other = jaxnu.limit(experiment, jaxnu.response("Xe", model), convention=convention)
        print(f"  {model:13} Δ = {other.delta:.3f}: μ < {other.limit_mu_B:.3g} μ_B")

# %% [markdown]
# ## What would a lower threshold bring?
#
# One gradient answers for every parameter of the experiment. For an observed limit the counts, bins
# and background stay as they are: this is how the limit would change if the true threshold were a
# little different from the assumed one, not what a new detector would see (that is
# `jaxnu.sensitivity`).

# %%


def limit_of(parameters):
    return jaxnu.limit(experiment.replace(parameters=parameters), xenon).limit_mu_B


gradient = jax.grad(limit_of)(experiment.parameters)


def limit_at(threshold_keV):
    return jaxnu.limit(experiment.replace(threshold_keV=threshold_keV), xenon).limit_mu_B


threshold, h = float(experiment.parameters.threshold_keV), 1e-3
difference = (limit_at(threshold + h) - limit_at(threshold - h)) / (2 * h)
print(f"d limit/d threshold: {gradient.threshold_keV:.6g} μ_B/keV by jax.grad, "
      f"{difference:.6g} by finite difference")  # fmt: skip
assert abs(gradient.threshold_keV / difference - 1) < 1e-5
for name, value in result.derivatives.items():
    print(f"  ∂ ln(limit)/∂ ln({name}) = {value:+.4f}")

# %% [markdown]
# ## A million cross sections
#
# `cross_section` broadcasts over T and E and maps over them in batches that fit into memory, on
# whatever device there is. The first call compiles.

# %%


def time_per_pair(model, target, T_low_keV, number):
    atom = jaxnu.response(target, model)
    u, v = np.random.default_rng(1).random((2, number))
    T, E = T_low_keV * (100.0 / T_low_keV) ** u, 400.0 * 20.0**v
    jax.block_until_ready(jaxnu.cross_section(T, E, atom))  # compiles
    start = time.perf_counter()
    sigma = jax.block_until_ready(jaxnu.cross_section(T, E, atom))
    elapsed = time.perf_counter() - start
    print(f"{model:11} {target}: {number:8d} pairs in {elapsed:.3f} s, "
          f"{elapsed / number * 1e9:.0f} ns each")  # fmt: skip
    assert np.isfinite(sigma).all()


time_per_pair("free", "Xe", 0.02, 1_000_000)
time_per_pair("stepping", "Xe", 0.02, 1_000_000)
time_per_pair("hydrogenic", "Ge", 14.0, 2_000 if SMALL else 20_000)

# %% [markdown]
# ## A picture for a talk

# %%
edges = np.asarray(result.bin_edges_keV)
centre, width = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
BLUE, ORANGE, GREY = "#1f5fa8", "#d1601f", "#5b6470"

plt.rcParams.update({"font.size": 12, "axes.spines.top": False, "axes.spines.right": False})
figure, (spectrum, profile) = plt.subplots(
    1, 2, figsize=(12.5, 4.8), gridspec_kw={"width_ratios": [1.7, 1.0]}, layout="constrained"
)
total = result.background + result.signal
spectrum.stairs(total / width, edges, baseline=None, color=ORANGE, lw=2)
spectrum.stairs(
    total / width, edges, baseline=result.background / width, color=ORANGE, alpha=0.25, fill=True
)
spectrum.stairs(result.background / width, edges, baseline=None, color=BLUE, lw=2)
spectrum.errorbar(
    centre, counts / width, np.sqrt(counts) / width, fmt="o", color="black", ms=3.5, lw=0.9
)
mantissa, exponent = f"{result.limit_mu_B:.1e}".split("e")
limit_text = rf"{mantissa} \times 10^{{{int(exponent)}}}\,\mu_\mathrm{{B}}"
spectrum.text(
    0.03, 0.95, rf"background + signal at the limit, $\mu_\nu = {limit_text}$",
    color=ORANGE, transform=spectrum.transAxes, va="top",
)  # fmt: skip
spectrum.text(
    0.03, 0.88, "background, best fit", color=BLUE, transform=spectrum.transAxes, va="top"
)
spectrum.set(
    xlabel="reconstructed energy [keV]", ylabel="events / keV", xlim=(0, 30.2), ylim=(0, 45),
    title="XENONnT SR0, 1.16 t yr, 433 events",
)  # fmt: skip

mu = np.linspace(0.0, np.sqrt(result.scan_mu2[-1]), 200)  # the scan is even in μ²: draw it in μ
q = PchipInterpolator(result.scan_mu2, result.scan_q)(mu**2)
profile.plot(mu / 1e-12, q, color=BLUE, lw=2)
profile.axhline(result.delta, color=GREY, lw=1, ls="--")
profile.axvline(result.limit_mu_B / 1e-12, color=ORANGE, lw=1.5)
profile.text(0.2, result.delta + 0.12, f"Δ = {result.delta:.3f}", color=GREY)
profile.text(
    result.limit_mu_B / 1e-12 - 0.15, 0.15, "90% CL", color=ORANGE, ha="right", rotation=90,
    va="bottom",
)  # fmt: skip
profile.set(
    xlabel=r"$\mu_\nu$ [$10^{-12}\,\mu_\mathrm{B}$]", ylabel="profile likelihood ratio q",
    xlim=(0, mu[-1] / 1e-12), ylim=(0, 2 * result.delta),
    title=f"atom: {result.response}, {result.convention}",
)  # fmt: skip
FOLDER.mkdir(parents=True, exist_ok=True)
picture = FOLDER / "first_limit.png"
figure.savefig(picture, dpi=160)
print(f"picture: {picture}")
