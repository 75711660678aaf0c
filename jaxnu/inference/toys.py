"""Toy experiments by the thousand: drawn, fitted and tested in batches over all local devices.

Toy i is drawn with the key fold_in(key(seed), i) and treated in a batch whose width follows from
the model alone, so that its result depends on neither devices nor processes, but for rounding,
nor interruptions.
"""

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as Spec
from jaxtyping import Array, Bool, Float, Int
from scipy.stats import binom

from jaxnu import checks, precision  # noqa: F401
from jaxnu.errors import FitError, InputError
from jaxnu.files import atomic_path, check_writable
from jaxnu.inference.asymptotics import confidence_root
from jaxnu.inference.crossing import at_x, check_choice, q_crossing, upper_end
from jaxnu.inference.maximum_likelihood import (
    Fit,
    best,
    bounds,
    check_finite,
    fit,
    start_point,
)
from jaxnu.inference.model import Model, needs_signal, unreached
from jaxnu.inference.pseudodata import simulate
from jaxnu.inference.settings import STATISTICS, Statistics

WIDEST = 64  # toys in one batch at most: those that are done wait for the slowest fit
CHUNK_BATCHES = 8  # batches per device between two looks at progress and file
SAVE_EVERY_S = 10.0
BEYOND = 20  # toys with a larger q than the confidence level's, at least: it to about 25%
UNFITTED = 0.01  # share of toys without a fit above which the rest is no fair sample


@dataclass(frozen=True)
class Toys:
    """Results of toys, one row for each.

    theta: (toys, P) best fits (x̂, α̂). q: (toys, tested) −2 ln [L(x, α̂̂)/L(x̂, α̂)] at the tested
    x. limit: (toys,) upper limits, NaN if not asked for. converged: (toys,).
    tested: the tested x. truth: θ at which the toys were drawn. names: of θ.
    """

    theta: np.ndarray
    q: np.ndarray
    limit: np.ndarray
    converged: np.ndarray
    tested: np.ndarray
    truth: np.ndarray
    names: tuple[str, ...]
    seed: int

    def check(self) -> "Toys":
        """Itself, or FitError if more than 1% of the fits did not converge."""
        lost = 1.0 - float(np.mean(self.converged))
        if lost > UNFITTED:
            raise FitError(
                f"{100 * lost:.1f}% of the toys did not converge (allowed {100 * UNFITTED:g}%); "
                "the model has too little background in some bins or free nuisances without bounds"
            )
        return self


def batch_width(model: Model, settings: Statistics = STATISTICS) -> int:
    """Toys per batch: memory for templates × parameters² each, at most WIDEST."""
    parameters = len(model.names)
    numbers = sum(m.template.size + m.shift.size for m in model.measurements)
    bins = sum(m.template.shape[1] for m in model.measurements)
    each = 8.0 * (4.0 * numbers * parameters + 6.0 * bins * parameters**2)
    return int(min(WIDEST, max(1, settings.batch_bytes // each)))


def _toy(
    model: Model,
    truth: Float[Array, "P"],
    tested: Float[Array, "tested"],
    root: Float[Array, ""],
    seed: Int[Array, ""],
    index: Int[Array, ""],
    with_limit: bool,
    settings: Statistics,
) -> tuple[Float[Array, "P"], Float[Array, "tested"], Float[Array, ""], Bool[Array, ""]]:
    """One toy: drawn at `truth`, best fit, q at the tested x, and the upper limit if asked."""
    toy = simulate(model, truth, jax.random.fold_in(jax.random.key(seed), index))
    limit, good = jnp.full((), jnp.nan), jnp.array(True)
    if with_limit:
        limit, found, good = upper_end(toy, root, settings)
    else:
        free = jnp.zeros(len(model.names), bool)
        found = best(toy, start_point(toy), free, settings)

    def q_at(x: Array) -> tuple[Array, Array]:
        at = at_x(toy, x, found, settings)
        return jnp.maximum(2.0 * (at.value - found.value), 0.0), at.converged

    q, fitted = jax.lax.map(q_at, tested)
    good &= found.converged & jnp.all(fitted) & ~unreached(toy, found.theta)
    return found.theta, q, limit, good


@partial(jax.jit, static_argnames=("with_limit", "width", "devices", "settings"))
def _run_chunk(
    model: Model,
    truth: Array,
    tested: Array,
    root: Array,
    seed: Array,
    indices: Int[Array, "toys"],
    with_limit: bool,
    width: int,
    devices: tuple[Any, ...],
    settings: Statistics,
) -> tuple[Array, Array, Array, Array]:
    """Toys of a chunk, spread over the devices, on each in batches one after the other."""

    def share(
        model: Model, truth: Array, tested: Array, root: Array, seed: Array, indices: Array
    ) -> Any:
        one = partial(_toy, model, truth, tested, root, seed,
                      with_limit=with_limit, settings=settings)  # fmt: skip
        done = jax.lax.map(jax.vmap(one), indices.reshape(-1, width))
        return jax.tree.map(lambda leaf: leaf.reshape(indices.size, *leaf.shape[2:]), done)

    mesh = Mesh(np.array(devices), ("toys",))
    whole = Spec()
    spread = jax.shard_map(
        share, mesh=mesh, in_specs=(whole, whole, whole, whole, whole, Spec("toys")),
        out_specs=Spec("toys"), check_vma=False,
    )  # fmt: skip
    return spread(model, truth, tested, root, seed, indices)


def run_toys(
    model: Model,
    truth: Mapping[str, float],
    count: int,
    tested: Sequence[float] = (),
    confidence: float | None = None,
    convention: str = "two-sided",
    seed: int = 0,
    checkpoint: Path | str | None = None,
    progress: bool = False,
    distributed: bool = False,
    settings: Statistics = STATISTICS,
) -> Toys:
    """Draw `count` toys of a model, auxiliary measurements included, and fit each one.

    Args:
        model: from build_model; its data matter only for the Monte Carlo factors and free ON/OFF
            backgrounds of each bin.
        truth: parameter → value inside its bounds at which toys are drawn; those left out are 0.
        count: number of toys.
        tested: values of x at which q(x) = −2 ln [L(x, α̂̂)/L(x̂, α̂)] is evaluated.
        confidence: of the upper limit (profile method) of each toy; None: no limits.
        convention: of it, "two-sided" or "one-sided".
        seed: a whole number from 0; toy i has the key fold_in(key(seed), i).
        checkpoint: a file (.npz) that keeps finished toys; an interrupted run that finds it goes
            on and ends with the same answer.
        progress: show a bar with the time left.
        distributed: several processes, each with its own devices, share the toys (after
            `start_processes`); each returns all results.
        settings: tolerances.

    Returns:
        Toys, the same for any number of devices and processes.

    Raises:
        InputError: for a bad argument, or a checkpoint of another run.
    """
    checks.instance("model", model, Model, "build_model(measurements) gives one")
    check_finite(model)
    checks.whole_number("count", count, 1)
    checks.whole_number("seed", seed, 0)
    theta = _checked_truth(model, truth)
    root = 0.0
    if confidence is not None:
        check_choice("profile", ("profile",), convention, confidence)
        root = confidence_root(convention, confidence)
        if root < 0.0:
            raise InputError(
                f"confidence = {confidence:g} one-sided lies below the best fit; allowed for toys: "
                "above 0.5"
            )
    points = np.asarray(tested, float).reshape(-1)
    checks.number_range("tested", points, 0.0, 1e300, "", "x ≥ 0")
    done = _Store.open(model, theta, points, root, seed, count, checkpoint, settings)
    devices = tuple(jax.local_devices())
    width = batch_width(model, settings)
    mine = np.arange(count)
    if distributed:
        mine = np.array_split(mine, jax.process_count())[jax.process_index()]
    todo = mine[~done.finished[mine]]
    size = len(devices) * width * min(CHUNK_BATCHES, max(1, math.ceil(
        todo.size / (len(devices) * width)
    )))  # fmt: skip
    with _bar(progress, len(mine), len(mine) - todo.size) as advance:
        for first in range(0, todo.size, size):
            chosen = todo[first : first + size]
            padded = np.concatenate([chosen, np.full(size - chosen.size, chosen[0])])
            result = _run_chunk(
                model, theta, points, root, seed, padded, confidence is not None, width, devices,
                settings,
            )  # fmt: skip
            done.take(chosen, jax.device_get(result))
            advance(chosen.size)
    done.save()
    if distributed:
        done.gather()
    arrays = done.arrays
    return Toys(
        theta=arrays["theta"],
        q=arrays["q"],
        limit=arrays["limit"],
        converged=arrays["converged"],
        tested=points,
        truth=theta,
        names=model.names,
        seed=seed,
    )


def _checked_truth(model: Model, truth: Mapping[str, float]) -> np.ndarray:
    """θ of the truth, refused outside the bounds (but for the rounding of a fit at one)."""
    for name in truth:
        checks.one_of("parameter", name, model.names)
    low, high = (np.asarray(end) for end in bounds(model))
    theta = np.array([float(truth.get(name, 0.0)) for name in model.names])
    slack = 1e-6 * (1.0 + np.abs(theta))
    bad = ~(np.isfinite(theta) & (theta >= low - slack) & (theta <= high + slack))
    if bad.any():
        at = int(np.argmax(bad))
        raise InputError(
            f"truth of {model.names[at]!r} = {theta[at]:g} is outside [{low[at]:g}, "
            f"{high[at]:g}]; give a value inside the bounds of the model"
        )
    return np.clip(theta, low, high)


def start_processes(
    coordinator: str | None = None, processes: int | None = None, process: int | None = None
) -> None:
    """Join the processes of one run (jax.distributed); call it first in each of them.

    Args:
        coordinator: host:port of the first process; None where the cluster's environment tells.
        processes: how many there are.
        process: which one this is, from 0.

    Raises:
        InputError: if neither the arguments nor the environment tell.
    """
    if coordinator is not None:
        for name, value in (("processes", processes), ("process", process)):
            if value is None:
                raise InputError(
                    f"{name} = None with coordinator = {coordinator!r}; allowed: whole numbers; "
                    "give processes, and process from 0 below it"
                )
        if processes is not None and process is not None and not 0 <= process < processes:
            raise InputError(f"process = {process} is outside [0, {processes}); number them from 0")
    try:
        jax.distributed.initialize(coordinator, processes, process)
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"coordinator = {coordinator!r}: {reason}; allowed: HOST:PORT of the first process; "
            "start the processes with srun or mpirun, or give coordinator, processes and process"
        ) from None


class _Store:
    """Results so far, in memory and, if asked, in a file that is replaced as a whole."""

    def __init__(self, count: int, parameters: int, tested: int, mark: str, path: Path | None):
        self.arrays = {
            "theta": np.full((count, parameters), np.nan),
            "q": np.full((count, tested), np.nan),
            "limit": np.full(count, np.nan),
            "converged": np.zeros(count, bool),
        }
        self.finished = np.zeros(count, bool)
        self.mark, self.path, self.saved = mark, path, time.monotonic()

    @classmethod
    def open(
        cls,
        model: Model,
        theta: np.ndarray,
        tested: np.ndarray,
        root: float,
        seed: int,
        count: int,
        checkpoint: Path | str | None,
        settings: Statistics,
    ) -> "_Store":
        digest = hashlib.sha256()
        leaves, structure = jax.tree.flatten(model)
        words = f"{structure} {root!r} {seed} {count} {settings}"
        digest.update(words.encode())
        for array in (*leaves, theta, tested):
            digest.update(repr(np.shape(array)).encode() + np.asarray(array, float).tobytes())
        path = None if checkpoint is None else Path(checkpoint)
        if path is not None and jax.process_count() > 1:
            path = path.with_name(f"{path.stem}.{jax.process_index()}{path.suffix}")
        store = cls(count, theta.size, tested.size, digest.hexdigest(), path)
        if path is None:
            return store
        check_writable(path)
        if path.exists():
            store._load(path)
        return store

    def _load(self, path: Path) -> None:
        try:
            with np.load(path, allow_pickle=False) as held:
                mark = str(held["mark"])
                arrays = {key: held[key] for key in self.arrays}
                finished = held["finished"]
        except (OSError, ValueError, KeyError, EOFError):
            raise InputError(
                f"checkpoint = {str(path)!r} is no file of toys; give another name or remove it"
            ) from None
        if mark != self.mark:
            raise InputError(
                f"checkpoint = {str(path)!r} holds toys of another model, seed, count or setting; "
                "give another name or remove it"
            )
        self.arrays, self.finished = arrays, finished

    def take(self, indices: np.ndarray, result: Sequence[np.ndarray]) -> None:
        for key, values in zip(self.arrays, result, strict=True):
            self.arrays[key][indices] = values[: indices.size]
        self.finished[indices] = True
        if time.monotonic() - self.saved > SAVE_EVERY_S:
            self.save()

    def save(self) -> None:
        if self.path is None:
            return
        with atomic_path(self.path) as temporary, temporary.open("wb") as file:
            held: dict[str, Any] = {**self.arrays, "finished": self.finished}
            np.savez(file, mark=np.array(self.mark), **held)
        self.saved = time.monotonic()

    def gather(self) -> None:
        """Put the shares of all processes together."""
        from jax.experimental import multihost_utils

        held = multihost_utils.process_allgather({**self.arrays, "finished": self.finished})
        owner = np.argmax(held.pop("finished"), axis=0)
        rows = np.arange(owner.size)
        self.arrays = {key: np.asarray(value)[owner, rows] for key, value in held.items()}


def _bar(wanted: bool, total: int, completed: int) -> Any:
    """A context that gives a function to call with the number of toys done."""
    if not wanted:
        silent: Callable[[int], None] = lambda _: None  # noqa: E731
        return nullcontext(silent)
    from contextlib import contextmanager

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    @contextmanager
    def shown() -> Any:
        left = TimeRemainingColumn(compact=True)
        columns = ("toys", BarColumn(), MofNCompleteColumn(), "left", left)
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("toys", total=total, completed=completed)
            yield lambda number: bar.advance(task, number)

    return shown()


# ---- what toys are for ---------------------------------------------------------------------------


def coverage(toys: Toys) -> tuple[float, float]:
    """(share of toys whose upper limit is at or above the true x, its binomial error)."""
    chosen = toys.check().converged
    return binomial_share(toys.limit[chosen] >= toys.truth[0])


def binomial_share(chosen: Bool[np.ndarray, "toys"]) -> tuple[float, float]:
    """(share, its binomial error √(p(1−p)/n); for none and all that of one toy)."""
    share, n = float(np.mean(chosen)), chosen.size
    return share, math.sqrt(max(share * (1.0 - share), (1.0 - 1.0 / n) / n) / n)


def feldman_cousins_interval(
    model: Model,
    confidence: float = 0.90,
    settings: Statistics = STATISTICS,
    seed: int = 0,
    progress: bool = False,
) -> tuple[tuple[float, float], tuple[np.ndarray, np.ndarray], float]:
    """((low, high), (x, share), accuracy): the x that toys do not reject.

    q(x) = −2 ln [L(x, α̂̂)/L(x̂ ≥ 0, α̂)], Feldman and Cousins' ordering. x is accepted if less than
    CL of the toys drawn at (x, α̂̂(x)) have a smaller q(x) than the data, the profile construction.
    A grid in x up to beyond the asymptotic end, then bisection at both ends; the same keys at each
    x make the share of toys smooth in x where it is continuous.

    accuracy: how far the upper end may lie off, relative: the farther of the x where the share
    reaches the ends of the central 95% of a binomial share of true value CL, and the bisection.

    Raises:
        InputError: with fewer than 20 toys expected beyond the confidence level.
        FitError: if fits fail, or no end is found.
    """
    needed = math.ceil(BEYOND / (1.0 - confidence) * (1.0 - 1e-12))
    if settings.toys < needed:
        raise InputError(
            f"confidence = {confidence:g} with {settings.toys} toys leaves "
            f"{settings.toys * (1.0 - confidence):.2g} of them beyond it; allowed: {BEYOND} or "
            f"more; lower it, or give infer settings=Statistics(toys={needed})"
        )
    found = fit(model, settings=settings)
    hat = float(found.theta[0])
    z = confidence_root("two-sided", confidence)
    guess, good = _crossings(model, np.array([1.6 * z + 0.5]), settings)
    if not good.all():
        raise FitError(
            "the search for the interval did not converge: the likelihood may not fall off in x; "
            "constrain or bound the free nuisances"
        )
    shares: dict[float, float] = {}

    def below(level: float, x: float) -> bool:
        if x not in shares:
            shares[x] = _share(model, x, found, settings, seed, progress)
        return shares[x] < level

    grid = np.unique([*np.linspace(0.0, float(guess[0]), settings.toy_points), hat])

    def ends(level: float) -> tuple[float, float]:
        """Lowest and highest x with a share below the level."""
        inside = [float(x) for x in grid if below(level, float(x))]
        if not inside:
            return 0.0, 0.0
        if inside[-1] == grid[-1]:
            raise FitError(
                f"no end of the Feldman–Cousins interval below x = {grid[-1]:.4g}; raise "
                "Statistics.toys"
            )
        test = partial(below, level)
        high = _bisect(test, inside[-1], float(grid[grid > inside[-1]][0]), settings)
        if inside[0] == 0.0:
            return 0.0, high
        return _bisect(test, inside[0], float(grid[grid < inside[0]][-1]), settings), high

    low, high = ends(confidence)
    if high == 0.0:
        raise FitError(
            "toys reject every x, the best fit too; allowed: fits that toys repeat; raise "
            "Statistics.toys"
        )
    spread = binom.ppf([0.025, 0.975], settings.toys, confidence) / settings.toys
    farthest = max(abs(ends(float(level))[1] - high) for level in spread)
    width = max(farthest, float(np.diff(grid).max()) * 0.5**settings.toy_bisections)
    order = np.array(sorted(shares))
    return (low, high), (order, np.array([shares[x] for x in order])), width / high


def _share(
    model: Model, x: float, found: Fit, settings: Statistics, seed: int, progress: bool
) -> float:
    """Share of toys at (x, α̂̂(x)) with a smaller q(x) than the data."""
    if x == 0.0 and needs_signal(model):
        return 1.0
    held = fit(model, held={"x": x}, settings=settings)
    q = 2.0 * float(held.minus_log_likelihood - found.minus_log_likelihood)
    truth = {name: float(v) for name, v in held.values.items()}
    toys = run_toys(
        model, truth, settings.toys, tested=(x,), seed=seed, progress=progress, settings=settings
    ).check()
    # equal counts give equal q up to rounding, and do not count as smaller
    return float(np.mean(toys.q[toys.converged, 0] < q - 1e-7 * (1.0 + q)))


def _bisect(
    accepted: Callable[[float], bool], inside: float, outside: float, settings: Statistics
) -> float:
    """Middle of the bracket of an end, after the steps of `settings`."""
    for _ in range(settings.toy_bisections):
        middle = 0.5 * (inside + outside)
        inside, outside = (middle, outside) if accepted(middle) else (inside, middle)
    return 0.5 * (inside + outside)


@partial(jax.jit, static_argnames=("settings",))
def _crossings(model: Model, roots: Array, settings: Statistics) -> tuple[Array, Array]:
    found = best(model, start_point(model), jnp.zeros(len(model.names), bool), settings)
    ends = jax.vmap(lambda root: q_crossing(model, found, root, settings))(roots)
    return ends.x, ends.converged & found.converged


__all__ = [
    "Toys",
    "batch_width",
    "binomial_share",
    "coverage",
    "feldman_cousins_interval",
    "run_toys",
    "start_processes",
]
