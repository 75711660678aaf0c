"""10,000 toys of a 58-bin Poisson model with three nuisances, and iminuit on the same toys; the
same of XENONnT with a floating background, 3% of the flux and 10% of the resolution.

    python benchmarks/bench_toys.py [--toys N] [--json FILE]

Each toy is drawn, fitted freely, fitted at the tested x, and given its upper limit. The ratio to
iminuit is per toy for the free fit plus the fit at fixed x, in this same run; the best fits are
compared. Wall times depend on what else the machine does: load and CPU time stand beside them.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import jax

jax.config.update("jax_num_cpu_devices", os.cpu_count() or 1)  # one device per core

import numpy as np  # noqa: E402

import jaxnu  # noqa: E402
from jaxnu.inference.measurements import binned, build_model  # noqa: E402
from jaxnu.inference.model import Model, Sample  # noqa: E402
from jaxnu.inference.pseudodata import simulate  # noqa: E402
from jaxnu.inference.toy_limits import experiment_toys  # noqa: E402
from jaxnu.inference.toys import coverage, run_toys  # noqa: E402

BINS, X, SEED = 58, 0.5, 5
COMPARED = 40  # toys fitted by iminuit


def arrays() -> dict[str, np.ndarray]:
    energy = np.linspace(1.0, 30.0, BINS)
    background = 7.0 + 0.05 * energy
    return {
        "signal": 4.0 * np.exp(-energy / 5.0),
        "first": 0.7 * background,
        "second": 0.3 * background,
        "tilt": 0.03 * background * (energy - 15.0) / 15.0,
    }


def model(a: dict[str, np.ndarray]) -> Model:
    samples = (
        Sample("signal", a["signal"], signal=True, norms={"efficiency": 0.05}),
        Sample("first", a["first"], norms={"first": 1.0}),
        Sample("second", a["second"], norms={"efficiency": 0.05}, shapes={"tilt": a["tilt"]}),
    )
    counts = np.round(X * a["signal"] + a["first"] + a["second"])
    return build_model(binned("sr", counts, samples), free=("first",))


def timed(function: Any) -> tuple[Any, dict[str, float]]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = function()
    return result, {
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
    }


def by_iminuit(
    a: dict[str, np.ndarray], counts: np.ndarray, centres: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(x̂, q(X)) of toys by MIGRAD, default strategy and tolerance."""
    from iminuit import Minuit

    def objective_of(n: np.ndarray, centre: np.ndarray) -> Any:
        def objective(x, efficiency, first, tilt):
            factor = 1.0 + 0.05 * efficiency
            rate = x * factor * a["signal"] + (1.0 + first) * a["first"]
            rate = np.maximum(rate + factor * (a["second"] + tilt * a["tilt"]), 1e-9)
            pulls = (efficiency - centre[0]) ** 2 + (tilt - centre[2]) ** 2
            return 2.0 * np.sum(rate - n * np.log(rate)) + pulls

        return objective

    found = []
    for n, centre in zip(counts, centres, strict=True):
        fit = Minuit(
            objective_of(n, centre), x=1.0, efficiency=centre[0], first=0.0, tilt=centre[2]
        )
        fit.errordef = Minuit.LEAST_SQUARES
        fit.limits["x"], fit.limits["first"] = (0.0, None), (-1.0, None)
        fit.migrad()
        best, lowest = fit.values["x"], fit.fval
        fit.values["x"], fit.fixed["x"] = X, True
        fit.migrad()
        found.append((best, fit.fval - lowest))
    best, q = np.array(found).T
    return best, q


def experiment() -> jaxnu.Experiment:
    return jaxnu.load_experiment("xenonnt-sr0").replace(
        systematics=(("flux", "flux"), ("resolution", "resolution")),
        systematic_uncertainty=np.array([0.03, 0.1]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--toys", type=int, default=10_000)
    parser.add_argument("--json", type=Path, help="write the measurements to this file")
    options = parser.parse_args()
    a = arrays()
    m = model(a)

    def run(confidence: float | None, seed: int = SEED) -> Any:
        return run_toys(m, {"x": X}, options.toys, (X,), confidence=confidence, seed=seed)

    _, first = timed(lambda: run(0.9))
    toys, full = min((timed(lambda: run(0.9)) for _ in range(3)), key=lambda r: r[1]["wall_s"])
    run(None)
    _, fits = min((timed(lambda: run(None)) for _ in range(3)), key=lambda r: r[1]["wall_s"])
    share, error = coverage(toys)

    xenonnt, atom = experiment(), jaxnu.response("Xe", "stepping")

    def of_experiment() -> Any:
        return experiment_toys(xenonnt, atom, options.toys, mu_B=5e-12, seed=SEED)

    _, first_of_experiment = timed(of_experiment)
    warm = [timed(of_experiment)[1] for _ in range(3)]

    def draw(index: Any) -> Any:
        toy = simulate(m, toys.truth, jax.random.fold_in(jax.random.key(SEED), index))
        return toy.measurements[0].data["counts"], toy.auxiliary

    counts, centres = jax.device_get(jax.jit(jax.vmap(draw))(np.arange(COMPARED)))
    (best, q), minuit = timed(lambda: by_iminuit(a, counts, centres))
    bench = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {jax.device_count()} devices",
        "load_average": os.getloadavg()[0],
        "versions": {"jaxnu": jaxnu.__version__, "jax": jax.__version__, "numpy": np.__version__},
        "toys": options.toys,
        "first_call": first,
        "free_fixed_limit": full,
        "free_fixed": fits,
        "xenonnt_first_call": first_of_experiment,
        "xenonnt": min(warm, key=lambda times: times["wall_s"]),
        "iminuit_per_toy_s": minuit["cpu_s"] / COMPARED,
        "jaxnu_per_toy_cpu_s": fits["cpu_s"] / options.toys,
        "ratio_cpu": minuit["cpu_s"] / COMPARED * options.toys / fits["cpu_s"],
        "ratio_wall": minuit["wall_s"] / COMPARED * options.toys / fits["wall_s"],
        "largest_difference_x": float(np.max(np.abs(best - toys.theta[:COMPARED, 0]))),
        "largest_difference_q": float(np.max(np.abs(q - toys.q[:COMPARED, 0]))),
        "converged": float(toys.converged.mean()),
        "coverage": [share, error],
    }
    print(json.dumps(bench, indent=2))
    if options.json:
        options.json.write_text(json.dumps(bench, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
