"""One compilation cache for the whole run, bounded memory, and shared helpers as fixtures."""

import gc
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

MEMORY_MAX_GB = 2.0
_cache = tempfile.TemporaryDirectory(prefix="jaxnu-tests-")
# before the first import of jax, so that subprocesses of the tests share the folder too
os.environ["JAX_COMPILATION_CACHE_DIR"] = _cache.name
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "0"
# most of the time is compilation, and a program runs a few times: as the command line does
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")


def resident_GB():
    """Memory of this process now; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e9


_allowed = {"GB": MEMORY_MAX_GB}


@pytest.fixture(autouse=True)
def bounded_memory():
    """Drop compiled programs once the process is large; the cache on disk brings them back.

    What stays resident after that is not theirs: the next time is a gigabyte further on.
    """
    yield
    if resident_GB() > _allowed["GB"]:
        import jax

        jax.clear_caches()
        gc.collect()
        _allowed["GB"] = max(MEMORY_MAX_GB, resident_GB() + 1.0)


@pytest.fixture(scope="session")
def slope():
    """slope(f, x, step): central difference, Richardson-extrapolated from step and step/2."""

    def central(f, x, step):
        return (np.asarray(f(x + step)) - np.asarray(f(x - step))) / (2.0 * step)

    def extrapolated(f, x, step):
        return (4.0 * central(f, x, 0.5 * step) - central(f, x, step)) / 3.0

    return extrapolated


@pytest.fixture(scope="session")
def agree():
    """agree(label, got, expected, tolerance): print the worst relative error, then hold it."""

    def check(label, got, expected, tolerance, scale=None):
        got, expected = np.asarray(got, float), np.asarray(expected, float)
        assert np.isfinite(got).all(), f"{label}: not finite"
        size = np.abs(expected) if scale is None else np.broadcast_to(scale, expected.shape)
        error = np.abs(got - expected) / np.where(size > 0.0, size, 1.0)
        at = np.unravel_index(int(np.argmax(error)), error.shape)
        print(
            f"{label}: {got[at]:.12g}, expected {expected[at]:.12g}, relative error {error[at]:.1e}"
        )
        assert error[at] <= tolerance, label

    return check
