"""Where the table of an atom comes from: the package, the user's cache, or a computation."""

import hashlib
import json
import warnings
from collections.abc import Callable
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from jaxnu import checks
from jaxnu._version import __version__
from jaxnu.atom.configuration import element_symbol
from jaxnu.atom.settings import ATOM_NUMERICS
from jaxnu.atom.table import AtomTable
from jaxnu.atom.table_checks import check_table
from jaxnu.atom.table_files import FORMAT_VERSION, as_stored, read_table, write_table
from jaxnu.errors import CacheWarning, InputError
from jaxnu.precision import cache_folder

SOURCES = ("table", "compute")
EXCHANGE_RANGE = (0.5, 1.5)  # as the self-consistent field allows
Progress = Callable[[int, int, str], None]

_PACKAGE = resources.files("jaxnu")
_SHIPPED_FOLDER = _PACKAGE / "data" / "atoms"


def _shipped_symbols(folder: Traversable) -> tuple[str, ...]:
    if not folder.is_dir():
        return ()
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(".npz") for name in names if name.endswith(".npz")))


SHIPPED = _shipped_symbols(_SHIPPED_FOLDER)  # elements whose table is in the package


def atom_table(
    symbol: str | int,
    source: str = "table",
    exchange: float = 1.0,
    progress: Progress | None = None,
) -> AtomTable:
    """The tables of S and R of a neutral atom.

    Args:
        symbol: element, H to Cs, or its nuclear charge.
        source: "table": the table shipped in the package, where there is one (`SHIPPED`);
            "compute": never that one. Both then take the file that an earlier computation with
            the same code, settings and exchange left in the cache, or compute the table and keep
            it there. The cache is atoms/ in jaxnu.precision.cache_folder().
        exchange: factor on the exchange potential of the field; the shipped tables have 1. Traced
            by jax.grad or jax.jvp, the table is computed with its derivative and not kept.
        progress: called as progress(done, total, text) during a computation.

    Raises:
        InputError: unknown element, an ion, Z > 55; a source or exchange that is not allowed; a
            shipped table that is damaged.

    Warns:
        CacheWarning: a damaged file in the cache, which is replaced, or a cache that cannot
            be written.
    """
    symbol = element_symbol(symbol)
    checks.one_of("source", source, SOURCES)
    low, high = EXCHANGE_RANGE
    checks.number_range(
        "exchange", exchange, low, high, "", "it multiplies the exchange potential; 1 is the model"
    )
    if checks.is_traced(exchange):
        from jaxnu.atom.moving_table import moving_table

        return moving_table(symbol, exchange)
    exchange = float(exchange)
    if source == "table" and exchange == 1.0 and symbol in SHIPPED:
        with resources.as_file(_SHIPPED_FOLDER / f"{symbol}.npz") as shipped:
            return read_table(shipped, checked=False)  # when it was written; the checksum holds
    path = _cached_path(symbol, exchange)
    table = _read_cached(path, symbol)
    if table is None:
        # here: whoever reads a finished table need not load the solver
        from jaxnu.atom.build import build_table

        # rounded as the file is: the first call and the next ones agree to the last bit
        table = as_stored(build_table(symbol, exchange=exchange, progress=progress))
        check_table(table, f"computed table of {symbol}")
        _keep(table, path)
    return table


def _cached_path(symbol: str, exchange: float) -> Path | None:
    """File of this atom in the cache; None where there is no home folder to hold one.

    The name has a hash of all that the numbers depend on, so that a stale file is never found:
    versions of the package and the format, exchange, numerical settings and code.
    """
    key = json.dumps([__version__, FORMAT_VERSION, exchange, repr(ATOM_NUMERICS), _code_hash()])
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    try:
        return cache_folder() / "atoms" / f"{symbol}-{digest}.npz"
    except RuntimeError:
        return None


@cache
def _code_hash() -> str:
    """Of the sources that make the numbers: atom/ but its table files, numerics/, constants."""
    digest = hashlib.sha256()
    folders = _PACKAGE / "atom", _PACKAGE / "numerics"
    files = [file for folder in folders for file in folder.iterdir()]
    files.append(_PACKAGE / "constants.py")
    for file in sorted(files, key=lambda file: str(file)):
        if file.name.endswith(".py") and not file.name.startswith("table_"):
            digest.update(f"{file.name}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def _read_cached(path: Path | None, symbol: str) -> AtomTable | None:
    """The cached table; None where there is none, or none that can be used."""
    try:
        if path is None or not path.exists():
            return None
        table = read_table(path)
        if table.symbol != symbol:
            raise InputError(f"{str(path)!r} holds {table.symbol}, expected {symbol}")
    except (OSError, InputError) as error:  # exists() fails in a closed folder
        _warn(f"cached table of {symbol} cannot be used and is computed again: {error}")
        return None
    return table


def _keep(table: AtomTable, path: Path | None) -> None:
    """Write to the cache whole or not at all; a failure costs time later, not the result."""
    try:
        if path is None:
            raise OSError(0, "there is no home folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_table(table, path)
    except (OSError, InputError) as error:
        _warn(
            f"table of {table.symbol} cannot be kept and will be computed again next time: "
            f"{error}; set JAXNU_CACHE_DIR to a folder that you may write to"
        )


def _warn(text: str) -> None:
    warnings.warn(" ".join(text.split()), CacheWarning, stacklevel=4)
