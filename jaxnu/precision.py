"""float64 for every result, and the cache of compiled programs.

Imported first by each module that makes jax arrays.
"""

import os
import warnings
from pathlib import Path

import jax

from jaxnu.errors import CacheWarning, InputError

if os.environ.get("JAXNU_ENABLE_X64", "1") != "0":
    jax.config.update("jax_enable_x64", True)


def require_x64(function: str) -> None:
    """Raise InputError if 64-bit floats are off: results would keep seven digits at best."""
    if not jax.config.jax_enable_x64:  # type: ignore[attr-defined]
        raise InputError(
            f"{function} needs 64-bit floats, which are off (JAXNU_ENABLE_X64=0 or "
            "jax_enable_x64=False); remedy: unset JAXNU_ENABLE_X64 or call "
            "jax.config.update('jax_enable_x64', True)"
        )


def cache_folder() -> Path:
    """jaxnu's cache: $JAXNU_CACHE_DIR, or jaxnu/ in $XDG_CACHE_HOME, or in ~/.cache."""
    if own := os.environ.get("JAXNU_CACHE_DIR"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jaxnu"


def enable_compilation_cache() -> Path:
    """Keep compiled programs in the user's cache folder for the next process; returns the folder.

    The command line does this by itself; a library user calls it once, before the first result.
    """
    folder = cache_folder() / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        usable = os.access(folder, os.W_OK)
    except OSError:
        usable = False
    if not usable:
        warnings.warn(
            f"{folder} cannot be written, so programs are compiled anew each time; set "
            "JAXNU_CACHE_DIR to a folder of yours",
            CacheWarning,
            stacklevel=2,
        )
        return folder
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    return folder
