"""One compilation cache for the whole run, bounded memory, and shared helpers as fixtures."""

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


def resident_GB():
    """Memory of this process now; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e9


@pytest.fixture(autouse=True)
def bounded_memory():
    """Drop compiled programs once the process is large; the cache on disk brings them back."""
    yield
    if resident_GB() > MEMORY_MAX_GB:
        import jax

        jax.clear_caches()


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
