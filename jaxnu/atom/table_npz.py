"""A header and named arrays in a compressed .npz file, the same bytes for the same content.

Responses keep 28 bits of mantissa and lie as byte planes: uint8 of shape (5, kinetic, momentum),
the five leading bytes of each big-endian float64. The first planes compress well; 3.5 bytes a
value are left, where plain float64 needs 7.7.
"""

import hashlib
import io
import json
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from jaxtyping import Float, UInt8

from jaxnu.errors import InputError

MANTISSA_BITS = 28  # stored, so rounding errs by 2^-29 = 1.9e-9
PLANES = 5  # sign, 11 bits of exponent, 28 of mantissa
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that zip knows
HEADER, CHECKSUM = "header", "sha256"
REMEDY = "get or make the file again"


def rounded(values: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Nearest float64 with MANTISSA_BITS of mantissa, ties to even."""
    drop = 52 - MANTISSA_BITS
    bits = np.ascontiguousarray(values, dtype=np.float64).view(np.uint64)
    even = (bits >> np.uint64(drop)) & np.uint64(1)
    bits = (bits + even + np.uint64((1 << (drop - 1)) - 1)) & ~np.uint64((1 << drop) - 1)
    return bits.view(np.float64)


def is_response(name: str) -> bool:
    """Whether an array of this name is S or R, of a shell or of its lines."""
    return name.rsplit("/", 1)[-1] in ("S", "R")


def to_planes(values: Float[np.ndarray, "a b"]) -> UInt8[np.ndarray, "planes a b"]:
    """The leading bytes of rounded values, most significant first."""
    big_endian = np.ascontiguousarray(rounded(values), dtype=">f8")
    return np.moveaxis(big_endian.view(np.uint8).reshape(*values.shape, 8), -1, 0)[:PLANES].copy()


def from_planes(planes: UInt8[np.ndarray, "planes a b"]) -> Float[np.ndarray, "a b"]:
    full = np.zeros((*planes.shape[1:], 8), np.uint8)
    full[..., : len(planes)] = np.moveaxis(planes, 0, -1)
    return full.view(">f8")[..., 0].astype(np.float64)


def checksum(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of the header without its checksum and of the arrays as they are stored.

    The header as JSON with sorted keys, then for each array in the order of the names the line
    "name dtype shape" and the bytes in C order.
    """
    content = {key: value for key, value in header.items() if key != CHECKSUM}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"\n{name} {array.dtype.str} {arrays[name].shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def write_npz(file: IO[bytes], header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write float arrays named S or R as byte planes, all others as they are."""
    stored = {
        name: to_planes(array) if is_response(name) else array for name, array in arrays.items()
    }
    text = json.dumps({**header, CHECKSUM: checksum(header, stored)}, ensure_ascii=False)
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in {HEADER: np.array(text), **stored}.items():
            member = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system = 3  # not the machine's
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asanyarray(array), (1, 0), allow_pickle=False)
            archive.writestr(member, content.getvalue(), compresslevel=9)


def read_npz(content: bytes, where: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Header and arrays of a file's bytes; a checksum, where there is one, must agree."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise InputError(
            f"{where} is not an npz file or is cut short ({len(content)} bytes); {REMEDY}"
        )
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (
        zipfile.BadZipFile, zlib.error, struct.error, EOFError, KeyError,
        tokenize.TokenError, SyntaxError,
    ) as error:  # fmt: skip
        raise InputError(f"{where} is damaged: {_one_line(error)}; {REMEDY}") from None
    except (ValueError, RuntimeError, NotImplementedError, OSError, MemoryError) as error:
        raise InputError(
            f"{where} holds an array that NumPy cannot read: {_one_line(error)}; write plain "
            "arrays of numbers with numpy.savez"
        ) from None
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise InputError(f"{where}: {name!r} is not an array; write it with numpy.savez")
    header = _read_header(arrays, where)
    _check_sum(header, arrays, where)
    return header, {
        name: from_planes(array) if _is_planes(array) else array for name, array in arrays.items()
    }


def _is_planes(array: np.ndarray) -> bool:
    return array.dtype == np.uint8 and array.ndim == 3 and 1 <= array.shape[0] <= 8


def _read_header(arrays: dict[str, np.ndarray], where: str) -> dict[str, Any]:
    remedy = "give the header as JSON text in an array of that name, see docs/table-file.md"
    text = arrays.pop(HEADER, None)
    if text is None:
        raise InputError(f"{where}: header is missing, so it is not a table of an atom; {remedy}")
    if text.dtype.kind != "U" or text.size != 1:
        raise InputError(f"{where}: header is not text; {remedy}")
    try:
        header = json.loads(str(text.reshape(())))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: header is not JSON: {_one_line(error)}; {remedy}") from None
    if not isinstance(header, dict):
        raise InputError(f"{where}: header is JSON but not an object {{...}}; {remedy}")
    return header


def _check_sum(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray], where: str) -> None:
    if CHECKSUM not in header:
        return
    found = checksum(header, arrays)
    if header[CHECKSUM] != found:
        raise InputError(
            f"{where}: {CHECKSUM} = {str(header[CHECKSUM])[:12]!r}… but header and arrays give "
            f"{found[:12]}…: the file was changed or damaged; {REMEDY}, or leave out {CHECKSUM} "
            "if you changed it yourself"
        )


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
