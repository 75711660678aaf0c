"""float64 for every result: imported first by each module that makes jax arrays."""

import os

import jax

from jaxnu.errors import InputError

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
