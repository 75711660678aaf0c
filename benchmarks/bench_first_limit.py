"""Times of the first limit: kernels, templates, derivatives, and the command as a whole.

python benchmarks/bench_first_limit.py               a Markdown table
python benchmarks/bench_first_limit.py --json FILE   and the same as JSON
python benchmarks/bench_first_limit.py --small       few pairs, to try the script

Compilation, run and gradient are timed apart, each run as the best of five with its result waited
for; a product of two 2000 × 2000 matrices in the same run says how fast the machine is. Beside each
time stands an error, against a closed form or finer nodes.
"""

import argparse
import dataclasses
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy

import jaxnu
from jaxnu import constants as c
from jaxnu.counts import templates

REPEATS = 5
MU = 1e-11


def best_of(function: Callable[[], Any], repeats: int = REPEATS) -> dict[str, float]:
    """Least wall time of `repeats` calls, and the CPU time of that call, in seconds."""
    timed = []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        jax.block_until_ready(function())
        timed.append((time.perf_counter() - wall, time.process_time() - cpu))
    return dict(zip(("wall_s", "cpu_s"), min(timed), strict=True))


def compiled(function: Callable, *arguments: Any) -> tuple[Callable, float]:
    """The compiled function, and the seconds of tracing and compiling it."""
    start = time.perf_counter()
    program = jax.jit(function).lower(*arguments).compile()
    return program, time.perf_counter() - start


def measure(
    name: str, function: Callable, gradient: Callable, arguments: tuple, error: float, what: str
) -> dict[str, Any]:
    """One row: compile, run and gradient of a function, with the error of its result."""
    print(f"{name} …", file=sys.stderr, flush=True)
    value, compile_s = compiled(function, *arguments)
    with_gradient, gradient_compile_s = compiled(gradient, *arguments)
    return {
        "name": name,
        "compile_s": compile_s,
        "run": best_of(lambda: value(*arguments)),
        "gradient_compile_s": gradient_compile_s,
        "gradient": best_of(lambda: with_gradient(*arguments)),
        "error": error,
        "error_of": what,
    }


def matrix_product() -> dict[str, float]:
    """numpy's product of two 2000 × 2000 float64 matrices, the yardstick of the machine."""
    a = np.random.default_rng(1).normal(size=(2000, 2000))
    return best_of(lambda: a @ a)


def pairs(number: int, target: str, T_low: float) -> tuple[jax.Array, jax.Array]:
    """(T, E) spread over the plane, T from T_low to 100 keV and below the kinematic end."""
    u, v = np.random.default_rng(2).random((2, number))
    return jnp.asarray(T_low * (100.0 / T_low) ** u), jnp.asarray(400.0 * 20.0**v)


def cross_sections(small: bool) -> list[dict[str, Any]]:
    rows = []
    many, few = (10_000, 1_000) if small else (1_000_000, 20_000)
    for model, target, number in (
        ("free", "Xe", many), ("stepping", "Xe", many), ("hydrogenic", "Ge", few),
        ("central-field", "Xe", few),
    ):  # fmt: skip
        atom = jaxnu.response(target, model)
        T, E = pairs(number, target, 14.0 if model == "hydrogenic" else 0.02)

        def value(T, E, atom=atom):
            return jaxnu.cross_section(T, E, atom, MU)

        def gradient(T, E, value=value):
            return jax.value_and_grad(lambda T, E: jnp.sum(value(T, E)), argnums=(0, 1))(T, E)

        if model in ("hydrogenic", "central-field"):
            finer = jaxnu.cross_section(
                T[:200], E[:200], atom, MU, numerics=jaxnu.Numerics().refined(2)
            )
            error, what = jnp.max(jnp.abs(value(T[:200], E[:200]) / finer - 1.0)), "nodes doubled"
        else:
            electrons = atom.Z if model == "free" else _open_electrons(atom, T)
            exact = electrons * c.SIGMA0_cm2 * MU**2 * (1.0 / T - 1.0 / E)
            error = jnp.max(jnp.abs(value(T, E) - exact) / exact)
            what = "n σ₀μ²(1/T − 1/E)"
        name = f"cross_section, {model} {target}, {number:.0e} pairs"
        rows.append(measure(name, value, gradient, (T, E), float(error), what))
        rows[-1]["per_pair_ns"] = rows[-1]["run"]["wall_s"] / number * 1e9
    return rows


def _open_electrons(atom: jaxnu.Response, T: jax.Array) -> np.ndarray:
    """Number of electrons bound by less than T, counted with a sort and not with jaxnu."""
    order = np.argsort(np.asarray(atom.thresholds_keV))
    cumulated = np.concatenate([[0.0], np.cumsum(np.asarray(atom.electrons)[order])])
    opened = np.searchsorted(np.asarray(atom.thresholds_keV)[order], np.asarray(T), side="right")
    return cumulated[opened]


def counts() -> tuple[list[dict[str, Any]], float]:
    """Templates of XENONnT SR0, and summed counts in four parameters with their gradient."""
    experiment, atom = jaxnu.load_experiment("xenonnt-sr0"), jaxnu.response("Xe")
    finer = templates(experiment.refined(2), atom)[0]
    error = float(jnp.max(jnp.abs(templates(experiment, atom)[0] / finer - 1.0)))
    p = experiment.parameters

    def signal(parameters):
        return templates(experiment.replace(parameters=parameters), atom)

    def total_signal(parameters):
        return jax.value_and_grad(lambda q: jnp.sum(signal(q)[0]))(parameters)

    rows = [
        measure("templates, XENONnT SR0 (gradient: all parameters)", signal, total_signal, (p,),
                error, "nodes doubled")
    ]  # fmt: skip

    def summed(four):
        threshold, exposure, resolution, flux = four
        moved = dataclasses.replace(
            p,
            threshold_keV=p.threshold_keV * threshold,
            exposure_kg_day=p.exposure_kg_day * exposure,
            resolution_keV=p.resolution_keV * resolution,
            source=p.source.scaled(flux),
        )
        return jnp.sum(jaxnu.expected_counts(experiment.replace(parameters=moved), MU**2, atom))

    one, h = jnp.ones(4), 1e-4
    differences = [
        float(summed(one.at[i].add(h)) - summed(one.at[i].add(-h))) / (2.0 * h) for i in range(4)
    ]
    gradient = np.asarray(jax.grad(summed)(one))
    error = float(np.max(np.abs(gradient - differences) / np.max(np.abs(differences))))
    row = measure(
        "summed expected_counts, 4 parameters", summed, jax.value_and_grad(summed), (one,), error,
        "central difference",
    )  # fmt: skip
    return [*rows, row], row["gradient"]["wall_s"] / row["run"]["wall_s"]


def limit() -> dict[str, Any]:
    experiment, atom = jaxnu.load_experiment("xenonnt-sr0"), jaxnu.response("Xe")
    result = jaxnu.limit(experiment, atom)

    def value(parameters):
        return jaxnu.limit(experiment.replace(parameters=parameters), atom).limit_mu_B

    return measure(
        "limit, XENONnT SR0", value, jax.value_and_grad(value), (experiment.parameters,),
        jaxnu.convergence(result, experiment, atom), "nodes doubled",
    )  # fmt: skip


def command() -> dict[str, Any]:
    """`jaxnu limit xenonnt-sr0` as a process: with an empty cache, then with a full one."""
    name = "jaxnu limit xenonnt-sr0 --out DIR"
    program = shutil.which("jaxnu", path=str(Path(sys.executable).parent))
    if program is None:
        reason = f"skipped: no command 'jaxnu' beside {Path(sys.executable).name}; pip install ."
        return {"name": name, "skipped": reason}

    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "JAXNU_CACHE_DIR": str(Path(folder) / "cache")}

        def once() -> tuple[float, float]:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            start = time.perf_counter()
            process = subprocess.run(
                [program, "limit", "xenonnt-sr0", "--out", str(Path(folder) / "out")],
                env=environment, cwd=folder, capture_output=True, text=True,
            )  # fmt: skip
            wall = time.perf_counter() - start
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if process.returncode:
                raise RuntimeError(f"{name} ended with {process.returncode}: {process.stderr}")
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            return wall, cpu

        print(f"{name} …", file=sys.stderr, flush=True)
        first, second = once(), min(once() for _ in range(REPEATS))
    keys = ("wall_s", "cpu_s")
    return {
        "name": name,
        "first": dict(zip(keys, first, strict=True)),
        "second": dict(zip(keys, second, strict=True)),
    }


def machine() -> dict[str, Any]:
    return {
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()}",
        "device": jax.devices()[0].device_kind,
        "load_average": os.getloadavg()[0],  # above the number of cores, wall times are too long
        "versions": {
            "jaxnu": jaxnu.__version__,
            "jax": jax.__version__,
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "python": platform.python_version(),
        },
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def markdown(bench: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in bench["versions"].items())
    product = bench["matrix_product"]
    lines = [
        f"{bench['machine']}, load {bench['load_average']:.1f}; device: {bench['device']}; "
        f"{versions}.",
        f"Product of 2000 × 2000 float64 matrices (numpy): {product['wall_s']:.3f} s wall, "
        f"{product['cpu_s']:.3f} s CPU. Times in seconds, best of {REPEATS}.",
        "",
        "| what | compile | run | CPU | compile gradient | run gradient | ratio | error |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in bench["rows"]:
        run, gradient = row["run"], row["gradient"]
        lines.append(
            f"| {row['name']} | {row['compile_s']:.2f} | {run['wall_s']:.4f} | {run['cpu_s']:.4f} "
            f"| {row['gradient_compile_s']:.2f} | {gradient['wall_s']:.4f} "
            f"| {gradient['wall_s'] / run['wall_s']:.2f} | {row['error']:.1e} ({row['error_of']}) |"
        )
    lines += ["", f"value_and_grad over value, 4 parameters: {bench['gradient_ratio']:.2f} (≤ 4)"]
    done = bench["command"]
    if "skipped" in done:
        lines.append(f"`{done['name']}`: {done['skipped']}")
    else:
        lines.append(
            f"`{done['name']}`: first time {done['first']['wall_s']:.2f} s wall, "
            f"{done['first']['cpu_s']:.2f} s CPU (≤ 15 s); again {done['second']['wall_s']:.2f} s "
            f"wall, {done['second']['cpu_s']:.2f} s CPU (≤ 6 s)"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write the measurements to this file")
    parser.add_argument("--small", action="store_true", help="few pairs, to try the script")
    options = parser.parse_args()
    counted, ratio = counts()
    bench = {
        **machine(),
        "matrix_product": matrix_product(),
        "rows": [*cross_sections(options.small), *counted, limit()],
        "gradient_ratio": ratio,
        "command": command(),
    }
    print(markdown(bench))
    if options.json:
        options.json.write_text(json.dumps(bench, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
