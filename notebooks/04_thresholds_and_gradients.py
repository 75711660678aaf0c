# %% [markdown]
# # Thresholds and gradients: from a fit to the cheapest detector
#
# A germanium detector at a reactor (GEMMA, as a forecast). We draw counts with a magnetic moment in
# them, fit μ² with optax and `jax.grad`, differentiate the limit with respect to the threshold, and
# let the same derivatives say what a better limit would cost.
#
# `python notebooks/04_thresholds_and_gradients.py [FOLDER]` runs it as a script and saves the
# picture in FOLDER. `JAXNU_NOTEBOOK_SMALL=1` makes it short.

# %%
import os
import sys
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
from scipy.optimize import brentq

import jaxnu
from jaxnu.costs import read_costs
from jaxnu.design import cheapest_detector, log_derivatives, parameters_of

SMALL = os.environ.get("JAXNU_NOTEBOOK_SMALL") == "1"
FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 and "ipykernel" not in sys.modules else ".")
FOLDER.mkdir(parents=True, exist_ok=True)

forecast = jaxnu.load_experiment("gemma")
atom = jaxnu.response("Ge", "stepping")
THRESHOLD = float(forecast.parameters.threshold_keV)
print(f"{forecast.title}: threshold {THRESHOLD:.2f} keV")

# %% [markdown]
# ## A measurement that was never made
#
# Expected counts are background + μ² × signal per unit of μ²: linear in μ², so their derivative is
# the signal template. Counts are drawn at μ = 6e-11 μ_B.

# %%
UNIT, TRUTH = 1e-11, 6e-11
expected = jax.jit(lambda x: jaxnu.expected_counts(forecast, x * UNIT**2, atom))
background, signal = jax.jvp(expected, (0.0,), (1.0,))
drawn = jax.random.poisson(jax.random.key(2011), background + (TRUTH / UNIT) ** 2 * signal)
counts = drawn.astype(float)
print(f"{counts.sum():.0f} events, {background.sum():.0f} of background expected, "
      f"{(TRUTH / UNIT) ** 2 * signal.sum():.0f} of signal")  # fmt: skip

# %% [markdown]
# ## The fit
#
# −ln L = Σ λ − n ln λ, λ = x·signal + β·background, x = μ²/(1e-11 μ_B)². Adam's steps know nothing
# of the scale of a parameter, so we fit pulls: u = (x/σ_x, (β − 1)/σ_β), σ from the diagonal of the
# curvature at the start. After every step x is projected onto x ≥ 0.


# %%
seen = background > 0.0  # below the efficiency curve nothing is expected and nothing counted


def minus_log_likelihood(theta):
    x, beta = theta
    value = x * signal[seen] + beta * background[seen]
    return jnp.sum(value - counts[seen] * jnp.log(value))


START = jnp.array([0.0, 1.0])
scale = 1.0 / jnp.sqrt(jnp.diagonal(jax.hessian(minus_log_likelihood)(START)))


@partial(jax.jit, static_argnames="steps")
def fit(steps):
    solver = optax.adam(optax.cosine_decay_schedule(0.3, steps))
    slope = jax.grad(lambda u: minus_log_likelihood(START + scale * u))

    def step(_, carry):
        u, state = carry
        updates, state = solver.update(slope(u), state)
        u = optax.apply_updates(u, updates)
        return u.at[0].set(jnp.maximum(u[0], 0.0)), state

    u = jnp.zeros(2)
    return START + scale * jax.lax.fori_loop(0, steps, step, (u, solver.init(u)))[0]


x_fit, beta_fit = (float(v) for v in fit(1500 if SMALL else 5000))
covariance = jnp.linalg.inv(jax.hessian(minus_log_likelihood)(jnp.array([x_fit, beta_fit])))
x_error = float(jnp.sqrt(covariance[0, 0]))
measured = forecast.replace(counts=counts)
result = jaxnu.limit(measured, atom)
print(f"by hand:     μ² = ({x_fit:.3f} ± {x_error:.3f}) × (1e-11 μ_B)², β = {beta_fit:.5f}")
print(f"jaxnu.limit: μ² = {result.best_fit_mu2 / UNIT**2:.3f}, "
      f"β = {result.nuisances['background']:.5f}; μ < {result.limit_mu_B:.3g} μ_B")  # fmt: skip
assert counts[~seen].sum() == 0.0
assert abs(x_fit - result.best_fit_mu2 / UNIT**2) < 1e-4 * x_error
assert abs(x_fit - (TRUTH / UNIT) ** 2) < 4.0 * x_error

# %% [markdown]
# ## The derivative of a limit with respect to the threshold
#
# The limit is the root of an equation, and its derivative is that of the equation: `jax.grad` gives
# it exactly, without a second search. For a forecast the expected counts move with the threshold,
# which is the question of a designer; for an observed limit they stay.

# %%


@jax.jit
def log_limit(threshold_keV, exposure_kg_day):
    moved = forecast.replace(threshold_keV=threshold_keV, exposure_kg_day=exposure_kg_day)
    return jnp.log(jaxnu.sensitivity(moved, atom).limit_mu_B)


EXPOSURE = float(forecast.parameters.exposure_kg_day)
slope = float(jax.jit(jax.grad(log_limit))(THRESHOLD, EXPOSURE))
h = 1e-3
difference = float(log_limit(THRESHOLD + h, EXPOSURE) - log_limit(THRESHOLD - h, EXPOSURE)) / (
    2 * h
)
present = float(np.exp(log_limit(THRESHOLD, EXPOSURE)))
print(f"expected limit {present:.4g} μ_B; d ln(limit)/d threshold: {slope:.6f} per keV by "
      f"jax.grad, {difference:.6f} by finite difference")  # fmt: skip
assert abs(slope / difference - 1.0) < 1e-5

thresholds = np.linspace(1.2, 8.0, 12 if SMALL else 69)
limits = np.exp([float(log_limit(t, EXPOSURE)) for t in thresholds])
assert np.all(np.diff(limits) > 0.0)  # a higher threshold is never better
print(f"at {thresholds[0]:g} keV {limits[0]:.3g} μ_B, at {thresholds[-1]:g} keV {limits[-1]:.3g}")

# %% [markdown]
# ## Everything else at once
#
# One reverse pass gives d ln(limit)/d ln(parameter) of the whole experiment, and of the ionisation
# thresholds of the atom. With background, the limit on μ² goes like 1/√(exposure), and on μ like
# its fourth root: −1/4. The flux multiplies the signal alone: −1/2.

# %%
slopes = log_derivatives(forecast, atom)
for name, value in sorted(slopes.items(), key=lambda item: -abs(item[1])):
    print(f"  {name:12} {value:+.4f}")
assert abs(slopes["exposure"] + 0.25) < 0.01
assert abs(slopes["flux"] + 0.5) < 1e-6
assert abs(slopes["distance"] + 2.0 * slopes["flux"]) < 1e-6
assert abs(slopes["threshold"] - slope * THRESHOLD) < 1e-6

# %% [markdown]
# ## The cheapest detector
#
# A target a tenth below the present limit may be reached by more germanium or by a lower threshold.
# With a price for each (invented here), Lagrange's condition d ln(cost) + λ d ln(limit) = 0
# decides; λ is what one more per cent of sensitivity costs, in per cent.

# %%
(FOLDER / "cost.toml").write_text(
    """
currency = "kEUR"
fixed = 200
[exposure]
lowest = "300 kg d"
highest = "20000 kg d"
amount = 0.5
reference = "1 kg d"
power = 1.0
[threshold]
lowest = "1.3 keV"
highest = "6 keV"
amount = 1500.0
reference = "2 keV"
power = -2.0
"""
)
costs = read_costs(FOLDER / "cost.toml", parameters_of(forecast))
TARGET = 0.9 * present
found = cheapest_detector(forecast, costs, ("exposure", "threshold"), TARGET, atom)
best_exposure, best_threshold = found.values["exposure"], found.values["threshold"]
print(f"target {TARGET:.3g} μ_B: {best_exposure:.0f} kg d at {best_threshold:.3f} keV for "
      f"{found.cost:.0f} {found.currency}; λ = {found.multiplier:.2f}, "
      f"{found.evaluations} evaluations")  # fmt: skip

# %% [markdown]
# Brute force agrees: at each threshold, the exposure that just reaches the target, and its cost.


# %%
def exposure_for(threshold):
    return brentq(lambda e: float(log_limit(threshold, e)) - np.log(TARGET), 100.0, 1e5, rtol=1e-8)


def cost_of(threshold, exposure):
    logs = {"threshold": jnp.log(threshold), "exposure": jnp.log(exposure)}
    return float(costs.total(logs))


nearby = best_threshold * np.geomspace(0.6, 1.6, 9 if SMALL else 25)
exposures = [exposure_for(t) for t in nearby]
paid = np.array([cost_of(t, e) for t, e in zip(nearby, exposures, strict=True)])
print(f"lowest of {len(paid)} costs along the target: {paid.min():.2f}, found {found.cost:.2f}")
assert found.cost <= paid.min() * (1.0 + 1e-6)
assert abs(exposure_for(best_threshold) / best_exposure - 1.0) < 1e-5

# %% [markdown]
# ## A picture for a talk

# %%
BLUE, ORANGE, GREY = "#1f5fa8", "#d1601f", "0.45"
plt.rcParams.update({"font.size": 12, "axes.spines.top": False, "axes.spines.right": False})
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(16.5, 5.0), layout="constrained")

left.plot(thresholds, limits / 1e-11, color=BLUE, lw=2.5)
around = np.linspace(THRESHOLD - 1.5, THRESHOLD + 2.5, 2)
left.plot(
    around, present * (1.0 + slope * (around - THRESHOLD)) / 1e-11, color=ORANGE, lw=2, ls="--"
)
left.plot(THRESHOLD, present / 1e-11, "o", color=ORANGE, ms=8)
left.annotate(f"jax.grad: {100 * slope:+.1f}% per keV", (THRESHOLD, present / 1e-11),
              xytext=(14, -18), textcoords="offset points", color=ORANGE)  # fmt: skip
left.set(xlabel="threshold [keV]", ylabel=r"expected limit on $\mu_\nu$ [$10^{-11}\,\mu_B$]",
         title="what a lower threshold brings")  # fmt: skip

shown = sorted((n for n in slopes if abs(slopes[n]) > 1e-3), key=lambda n: abs(slopes[n]))
values = np.array([slopes[name] for name in shown])
middle.barh(np.arange(len(shown)), values, color=np.where(values > 0.0, ORANGE, BLUE))
for y, value in enumerate(values):
    middle.annotate(f"{value:+.3f}", (value, y), xytext=(4 if value > 0 else -4, 0), fontsize=10,
                    textcoords="offset points", va="center",
                    ha="left" if value > 0 else "right")  # fmt: skip
middle.axvline(0.0, color="k", lw=0.8)
middle.set_yticks(np.arange(len(shown)), shown)
reach = 1.3 * np.max(np.abs(values))
middle.set(xlabel="d ln(limit) / d ln(parameter)", xlim=(-reach, reach), title="what matters most")

right.plot(nearby, paid, color=BLUE, lw=2.5)
right.plot(best_threshold, found.cost, "o", color=ORANGE, ms=9)
right.annotate(
    f"{best_threshold:.2f} keV, {best_exposure / 1e3:.2f} t d\n{found.cost:.0f} {found.currency}",
    (best_threshold, found.cost), xytext=(0, 90), textcoords="offset points", color=ORANGE,
    ha="center",
)  # fmt: skip
right.set(xlabel="threshold [keV]", ylabel=f"cost [{found.currency}]",
          title=rf"cheapest: $\mu_\nu < {TARGET / 1e-11:.2f}\times 10^{{-11}}\,\mu_B$")  # fmt: skip
picture = FOLDER / "thresholds_and_gradients.png"
figure.savefig(picture, dpi=160)
print(f"picture: {picture}")
