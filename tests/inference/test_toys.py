"""Toys: the same on any number of devices and processes, after a kill, and their coverage."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from scipy.stats import chi2

import jaxnu
from jaxnu import InputError
from jaxnu.inference.measurements import build_model, difference, unbinned
from jaxnu.inference.model import Sample
from jaxnu.inference.settings import STATISTICS
from jaxnu.inference.toys import Toys, _run_chunk, coverage, run_toys

ROOT = Path(jaxnu.__file__).parents[1]

MODEL = """
import numpy as np
from jaxnu.inference.measurements import binned, build_model
from jaxnu.inference.model import Sample
def model():
    s, b = np.array([6.0, 3.0, 1.0]), np.array([5.0, 6.0, 7.0])
    return build_model(binned("sr", [7.0, 5.0, 8.0], [
        Sample("s", s, signal=True), Sample("b", b, norms={"n": 0.1})
    ]))
"""
RUN = MODEL + """
import sys
from jaxnu.inference.toys import run_toys, start_processes
count, out = int(sys.argv[1]), sys.argv[2]
checkpoint = sys.argv[3] if len(sys.argv) > 3 else None
distributed = len(sys.argv) > 4
if distributed:
    start_processes(sys.argv[4], 2, int(sys.argv[5]))
import jax
toys = run_toys(model(), {"x": 0.5}, count, tested=(0.5,), confidence=0.9, seed=11,
                checkpoint=checkpoint or None, distributed=distributed)
np.savez(out, theta=toys.theta, q=toys.q, limit=toys.limit, converged=toys.converged,
         devices=jax.local_device_count())
"""  # fmt: skip


def start(arguments, **environment):
    """The process and its output, in a file: a pipe that nobody reads fills up."""
    output = tempfile.TemporaryFile("w+")  # noqa: SIM115
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return process, output


def finish(started):
    process, output = started
    with output:
        process.wait(timeout=300)
        output.seek(0)
        assert process.returncode == 0, output.read()


def same(a, b, label, rounding=0.0):
    """Equal to the bit, or to rounding where programs of other shapes were compiled."""
    for key in ("theta", "q", "limit", "converged"):
        np.testing.assert_allclose(
            a[key], b[key], rtol=rounding, atol=rounding, err_msg=f"{label}: {key}"
        )


@pytest.fixture(scope="module")
def model():
    held = {}
    exec(MODEL, held)
    return held["model"]()


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """300 toys on one device."""
    path = tmp_path_factory.mktemp("toys") / "one.npz"
    finish(start([300, path]))
    return np.load(path)


@pytest.mark.slow
def test_four_devices_give_the_same_toys(alone, tmp_path):
    path = tmp_path / "four.npz"
    flags = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=4"
    finish(start([300, path], XLA_FLAGS=flags))
    four = np.load(path)
    assert int(alone["devices"]) == 1 and int(four["devices"]) == 4
    same(alone, four, "four devices", 1e-12)
    assert alone["converged"].all()


@pytest.mark.slow
def test_two_processes_give_the_same_toys(alone, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    pair = [start([300, tmp_path / f"{i}.npz", "", address, i]) for i in (0, 1)]
    for process in pair:
        finish(process)
    for i in (0, 1):
        same(alone, np.load(tmp_path / f"{i}.npz"), f"process {i} of two")


@pytest.mark.slow
def test_fewer_toys_are_the_first_of_more(alone, model):
    toys = run_toys(model, {"x": 0.5}, 70, tested=(0.5,), confidence=0.9, seed=11)
    np.testing.assert_allclose(toys.theta, alone["theta"][:70], rtol=0.0, atol=1e-9)
    np.testing.assert_allclose(toys.limit, alone["limit"][:70], rtol=1e-9)


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_answer(tmp_path):
    """Killed once part of the toys are in the file; the second process does the rest alone."""
    count, checkpoint, path = 6000, tmp_path / "part.npz", tmp_path / "resumed.npz"
    first = subprocess.Popen(
        [sys.executable, "-c", "import jaxnu.inference.toys as t; t.SAVE_EVERY_S = 0.0\n" + RUN,
         str(count), str(tmp_path / "never.npz"), str(checkpoint)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 200.0
    while not checkpoint.exists() and first.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait(timeout=30)
    assert checkpoint.exists() and not (tmp_path / "never.npz").exists()
    done = int(np.load(checkpoint)["finished"].sum())
    print(f"killed after {done} of {count} toys")
    assert 0 < done < count
    finish(start([count, path, checkpoint]))
    finish(start([count, tmp_path / "whole.npz"]))
    same(np.load(path), np.load(tmp_path / "whole.npz"), "resumed")


@pytest.mark.slow
def test_a_checkpoint_of_another_run_is_refused(tmp_path, model):
    path = tmp_path / "toys.npz"
    run_toys(model, {"x": 0.5}, 20, checkpoint=path, seed=1)
    with pytest.raises(InputError, match="another model, seed"):
        run_toys(model, {"x": 0.5}, 20, checkpoint=path, seed=2)
    path.write_bytes(b"no toys")
    with pytest.raises(InputError, match="no file of toys"):
        run_toys(model, {"x": 0.5}, 20, checkpoint=path, seed=1)


@pytest.mark.slow
def test_coverage_of_both_conventions(arrays, build):
    """3000 toys at x = 1.5, about 4 σ from 0, so 0.5% resolution: (1+CL)/2 and CL."""
    model = build(arrays(1, x=1.5))
    for convention, expected in (("two-sided", 0.95), ("one-sided", 0.90)):
        toys = run_toys(model, {"x": 1.5}, 3000, tested=(1.5,), confidence=0.9,
                        convention=convention)  # fmt: skip
        share, error = coverage(toys)
        print(f"{convention}: upper limits cover {share:.4f} ± {error:.4f}, nominal {expected}")
        assert abs(share - expected) < 4.0 * error
    # the interval q ≤ Δ itself covers CL
    inside = float(np.mean(toys.q[:, 0] <= chi2.ppf(0.9, 1)))
    error = (0.9 * 0.1 / 3000) ** 0.5
    print(f"q ≤ Δ in {inside:.4f} ± {error:.4f} of the toys, nominal 0.9")
    assert abs(inside - 0.9) < 4.0 * error


@pytest.mark.parametrize("kind", ["counts", "difference"])
def test_no_batch_of_toys_is_given_to_lapack(kind, model):
    """Batches that meet, one of each device, wait for each other for ever in jaxlib 0.10."""
    if kind == "difference":
        signal = Sample("s", [6.0, 3.0], signal=True, norms={"n": 0.1})
        model = build_model(difference("d", [1.0, 2.0], [signal], sigma=[1.0, 2.0]))
    arguments = model, np.array([0.5, 0.0]), np.array([0.5]), 1.6, 11, np.arange(8)
    program = _run_chunk.trace(
        *arguments, with_limit=True, width=4, devices=tuple(jax.local_devices()),
        settings=STATISTICS,
    ).lower(lowering_platforms=("cpu",)).as_text()  # fmt: skip
    calls = [line for line in program.splitlines() if "@lapack" in line]
    assert bool(calls) == (kind == "difference")  # of the whitening, one for all toys
    assert all('num_batch_dims = "0"' in line for line in calls)


def test_the_error_of_a_share_is_never_zero():
    """√(p(1−p)/n), and where all or none of n toys are chosen that of one in n."""
    for limits, expected in (
        ([2.0] * 100, (1.0, 0.00995)), ([0.5] * 100, (0.0, 0.00995)),
        ([2.0] * 90 + [0.5] * 10, (0.9, 0.03)),
    ):  # fmt: skip
        toys = Toys(
            theta=np.zeros((100, 1)), q=np.zeros((100, 0)), limit=np.array(limits),
            converged=np.ones(100, bool), tested=np.zeros(0), truth=np.ones(1), names=("x",),
            seed=0,
        )  # fmt: skip
        assert coverage(toys) == pytest.approx(expected, rel=1e-3)


@pytest.mark.slow
def test_the_best_fit_of_toys_is_unbiased(alone):
    x = alone["theta"][:, 0]
    pull = (x.mean() - 0.5) / (x.std() / x.size**0.5)
    print(f"mean x̂ of toys at 0.5: {x.mean():.3f}, {pull:+.1f} σ, {np.mean(x == 0.0):.2f} at 0")
    assert abs(pull) < 4.0 + 2.0 * np.mean(x == 0.0)


def test_bad_input(model):
    with pytest.raises(InputError, match="parameter"):
        run_toys(model, {"y": 1.0}, 10)
    with pytest.raises(InputError, match="count"):
        run_toys(model, {}, 0)
    for truth, words in (
        ({"x": -2.0}, r"truth of 'x' = -2 is outside \[0, inf\]"),
        ({"x": np.nan}, "truth of 'x' = nan"),
        ({"x": np.inf}, "truth of 'x' = inf"),
        ({"n": -10.1}, r"truth of 'n' = -10.1 is outside \[-10, inf\]"),  # 1 + 0.1 n below zero
    ):
        with pytest.raises(InputError, match=words):
            run_toys(model, truth, 10)
    for change in ({"seed": 1.5}, {"seed": -1}, {"seed": True}, {"count": 2.5}):
        with pytest.raises(InputError, match="is no whole number"):
            run_toys(model, {}, **{"count": 10, **change})
    with pytest.raises(InputError, match="tested"):
        run_toys(model, {}, 10, tested=(-1.0,))
    with pytest.raises(InputError, match="confidence"):
        run_toys(model, {}, 10, confidence=2.0)
    dense = build_model(unbinned("u", [Sample("s", [1.0, 2.0], signal=True)]))
    with pytest.raises(InputError, match="remedy: use binned"):
        run_toys(dense, {}, 10)
    assert np.isfinite(run_toys(model, {}, 5).theta).all()
