"""Times the table of an atom: first in its process (with compilation), again, and a second element.

    python benchmarks/bench_atom_build.py [--json FILE] [--elements Xe Ge]

Wall and CPU seconds, memory, floating-point operations of the matrix products beside a plain
2000³ float64 product of the same run, and where the time of a warm build goes.
"""

import argparse
import json
import os
import platform
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnu.atom import build, tabulate
from jaxnu.atom.field import self_consistent_field
from jaxnu.atom.momentum import bessel_ranges
from jaxnu.atom.settings import ATOM_NUMERICS

SLOTS_OF = {0: 3, 1: 6, 2: 9}  # radial integrals per l' of an s, p, d subshell, S and R


def timed(f: Callable[[], Any]) -> tuple[Any, float, float]:
    """(result, wall seconds, CPU seconds)."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = jax.block_until_ready(f())
    return result, time.perf_counter() - wall, time.process_time() - cpu


def groups(number: int, units: Any) -> list[tuple[int, ...]]:
    """The groups of orders that a piece of work needs."""
    wanted = ATOM_NUMERICS.orders[: ATOM_NUMERICS.ratio_classes[number].groups]
    return [orders for orders in wanted if units.top.max() >= orders[0]]


def operations(atom: Any, plan: build.Plan) -> float:
    """Floating-point operations of the matrix products of a table."""
    total = 0.0
    rho = tabulate.integral_nodes(ATOM_NUMERICS).rho
    for number, units in plan.pieces:
        for orders in groups(number, units):
            for each in bessel_ranges(orders, tuple(rho.tolist())):
                nodes = (ATOM_NUMERICS.kappa_nodes - each.first_Q) * (rho.size - each.first_r)
                for orbital, top in zip(units.orbital, units.top, strict=True):
                    count = max(0, min(int(top), each.l_high) - each.l_low + 1)
                    slots = SLOTS_OF[int(np.asarray(atom.bound.l)[orbital])]
                    total += 2.0 * nodes * count * ATOM_NUMERICS.unit_energies * slots
    return total


def by_step(element: str) -> dict[str, tuple[float, float]]:
    """Wall and CPU seconds of each step of a warm build."""
    knobs = ATOM_NUMERICS
    steps: dict[str, list[float]] = {}

    def step(name: str, f: Callable[[], Any]) -> Any:
        result, wall, cpu = timed(f)
        old = steps.setdefault(name, [0.0, 0.0])
        steps[name] = [old[0] + wall, old[1] + cpu]
        return result

    atom = step("self-consistent field", lambda: self_consistent_field(element))
    plan = step("energies, radii, widths", lambda: build.plan_table(atom))
    rows, x = tabulate.empty_rows(knobs), tabulate.bessel_arguments(knobs)
    for number, units in plan.pieces:
        part = knobs.ratio_classes[number]
        finals, _ = step("waves", lambda: tabulate.waves(atom.potential, units, part, knobs))  # noqa: B023
        for final, orders in zip(finals, groups(number, units), strict=False):
            _, rows = step(
                "S and R",
                lambda: tabulate.shell_responses(
                    atom.mesh, atom.bound, final, units, rows, x, tabulate.MOMENTA, orders, knobs  # noqa: B023
                ),
            )  # fmt: skip
    return {name: (wall, cpu) for name, (wall, cpu) in steps.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--elements", nargs="+", default=["Xe", "Ge"])
    parser.add_argument("--json", type=Path, help="write the numbers")
    arguments = parser.parse_args()
    matrix = np.random.default_rng(1).normal(size=(2000, 2000))
    product = min(timed(lambda: matrix @ matrix)[1] for _ in range(5))
    record: dict[str, Any] = {
        "machine": platform.platform(), "cores": os.cpu_count(),
        "device": str(jax.devices()[0]), "jax": jax.__version__, "product_2000_s": product,
        "product_GFLOPs": 16.0 / product,
    }  # fmt: skip
    print(record)
    first, *others = arguments.elements
    builds = [(first, "first call"), (first, "again"), *((e, "second element") for e in others)]
    for element, which in builds:
        table, wall, cpu = timed(lambda: build.build_table(element))  # noqa: B023
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        nodes = table.shells[0].kinetic_keV.size
        record[f"{element}, {which}"] = {"wall_s": wall, "cpu_s": cpu, "peak_GB": memory}
        print(
            f"{element}, {which}: {wall:.1f} s wall, {cpu:.1f} s CPU, peak memory {memory:.2f} GB; "
            f"{len(table.shells)} subshells, {nodes} energies, 128 momenta"
        )
    atom = self_consistent_field(first)
    work = operations(atom, build.plan_table(atom))
    steps = by_step(first)
    for name, (wall, cpu) in steps.items():
        print(f"  {name:<24} {wall:6.2f} s wall {cpu:6.2f} s CPU")
    speed = work / 1e9 / steps["S and R"][0]
    print(f"  {work / 1e9:.0f} GFLOP in matrix products: {speed:.0f} GFLOP/s of S and R, "
          f"{16.0 / product:.0f} of the plain product")  # fmt: skip
    record |= {"GFLOP": work / 1e9, "GFLOPs": speed, "steps": steps}
    if arguments.json:
        arguments.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
