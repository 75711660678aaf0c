"""Files that appear whole or not at all."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from jaxnu.errors import InputError


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it when the block ends without an error.

    A symbolic link stays one: the file that it leads to is written.
    """
    temporary = None
    try:
        target = _regular(path)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except OSError as error:
        raise _refusal(path, error) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Refuse, before the work that fills it, a file that cannot be written."""
    try:
        with tempfile.TemporaryFile(dir=_regular(path).parent):
            pass
    except OSError as error:
        raise _refusal(path, error) from None


def _regular(path: Path) -> Path:
    """The path with its links followed; what is there must be a regular file, if anything is."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:  # nothing, or a link to nothing
        return Path(os.path.realpath(path))
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(0, "it is a folder")
    if not stat.S_ISREG(mode):
        raise OSError(0, "it is a pipe, a device or a socket")
    return Path(os.path.realpath(path))


def _refusal(path: Path, error: OSError) -> InputError:
    return InputError(
        f"{str(path)!r} cannot be written: {error.strerror}; give a file in a folder that exists "
        "and that you may write to"
    )


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
