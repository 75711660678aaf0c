"""Refuse, before jax is imported, an environment in which results would be wrong."""

from importlib import metadata

BROKEN_JAXLIB = {
    "0.10.2": "miscompiles dot + elementwise + reduce on the CPU (jax issue 39103)",
    "0.11.0": "crashes in fused reductions on the CPU (jax issue 39257)",
}


def installed_version(distribution: str) -> str | None:
    """Version of an installed distribution, or None."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def refuse_broken_environment() -> None:
    """Raise ImportError, with the remedy, for a broken jaxlib or a clashing distribution."""
    jaxlib = installed_version("jaxlib")
    if jaxlib in BROKEN_JAXLIB:
        raise ImportError(
            f"jaxlib {jaxlib} {BROKEN_JAXLIB[jaxlib]}; "
            "remedy: pip install 'jax!=0.10.2,!=0.11.0' 'jaxlib!=0.10.2,!=0.11.0'"
        )
    if installed_version("jaxnu") is not None:
        raise ImportError(
            "the distribution 'jaxnu' (a neutrino-oscillation code with the same import name) is "
            "installed beside jaxnu-moment; remedy: pip uninstall jaxnu, then pip install "
            "--force-reinstall --no-deps . in the checkout of jaxnu-moment"
        )
