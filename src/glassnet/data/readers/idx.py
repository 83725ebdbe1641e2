"""The IDX format, in which MNIST is published: a header of sizes, then numbers, big-endian; gzipped or not."""

from __future__ import annotations

import gzip
import io
import math
import os
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.errors import DataError, reason
from glassnet.support.i18n import tr
from glassnet.support.memory import require_memory_for_data
from glassnet.support.paths import as_path

IDX_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 20
_MOST_DIMENSIONS = 32


def read_idx(source: str | os.PathLike[str] | bytes) -> npt.NDArray[Any]:
    """Read one IDX file, given by its path or as its bytes, into an array of the shape and kind that its header says.

    Gzip is recognised by its first bytes, whatever the name. The numbers come back in the machine's own byte order.
    No memory is allocated for what only the header claims. Raises `DataError` for a file that is missing, damaged, too short,
    too long, or no IDX file.
    Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database", section "File formats".
    """
    where = "read_idx(bytes)" if isinstance(source, bytes) else os.fspath(source)
    try:
        with _open(source) as raw:
            packed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=raw, mode="rb") as unpacked:
                    return _read(unpacked, where)
            return _read(raw, where)
    except FileNotFoundError:
        raise DataError(tr("There is no such file."), where=where, expected=tr("an IDX file, gzipped or not")) from None
    except (zlib.error, gzip.BadGzipFile) as error:
        expected = tr("a whole gzip file, and nothing after it")
        raise _damaged(tr("The gzip file is damaged."), where, expected, str(error)) from error
    except OSError as error:
        received = reason(error)
        raise DataError(tr("The file can't be read."), where=where, expected=tr("a file"), received=received) from error


def _open(source: str | os.PathLike[str] | bytes) -> io.BufferedIOBase:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        return as_path(source).open("rb")
    except ValueError as error:  # a zero byte in the path
        raise FileNotFoundError from error


def _read(stream: io.BufferedIOBase, where: str) -> npt.NDArray[Any]:
    magic = _take(stream, 4, where)
    if len(magic) < 4:
        raise _too_short(where, tr("at least 8 bytes, for the header"), len(magic))
    kind, ndim = magic[2], magic[3]
    if magic[:2] != b"\0\0" or kind not in IDX_DTYPES or not 1 <= ndim <= _MOST_DIMENSIONS:
        kinds = ", ".join(f"{code:02x}" for code in IDX_DTYPES)
        raise DataError(
            tr("This is not an IDX file: its magic number is wrong."),
            where=where,
            expected=tr(
                "00 00, then a kind of number ({kinds}), then 01 to {most:02x} dimensions", kinds=kinds, most=_MOST_DIMENSIONS
            ),
            received=magic.hex(" "),
            hint=tr("MNIST's own files are train-images-idx3-ubyte and the like, gzipped or not"),
        )
    sizes, header = _take(stream, 4 * ndim, where), 4 + 4 * ndim
    if len(sizes) < 4 * ndim:
        raise _too_short(where, tr("at least {header} bytes, for the header", header=header), 4 + len(sizes))
    shape = tuple(int(size) for size in np.frombuffer(sizes, dtype=">u4"))
    dtype = np.dtype(IDX_DTYPES[kind])
    length = dtype.itemsize * math.prod(shape)
    body = _take(stream, length, where)
    sizes_of = {"count": length + header, "shape": "×".join(map(str, shape)), "size": dtype.itemsize}
    expected = tr("{count} bytes, for {shape} numbers of {size} bytes", **sizes_of)
    if len(body) < length:
        raise _too_short(where, expected, header + len(body))
    try:
        more = stream.read(1)  # at the end of a gzip file this also checks its checksum
    except EOFError:
        note = tr("the gzip file's own last bytes are missing")
        raise _too_short(where, tr("a whole gzip file"), header + len(body), note) from None
    if more:
        what = tr("There are more bytes in the file than its header says.")
        raise _damaged(what, where, expected, tr("at least one more"))
    if math.prod(size or 1 for size in shape) >= 2**48:  # no numbers, yet dimensions that NumPy can't name
        raise DataError(
            tr("The file's dimensions are too large."), where=where, expected=tr("smaller dimensions"), received=shape
        )
    return np.frombuffer(body, dtype=dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _take(stream: io.BufferedIOBase, length: int, where: str) -> bytearray:
    """As many of `length` bytes as there are, read piece by piece: memory grows with the file, not with its claims."""
    taken = bytearray()
    try:
        while len(taken) < length and (piece := stream.read1(min(_CHUNK, length - len(taken)))):
            taken += piece
            require_memory_for_data(len(taken), tr("what was unpacked so far"), where)  # a small gzip file may hold terabytes
    except EOFError:  # gzip's word for a file that was cut off
        pass
    return taken


def _too_short(where: str, expected: str, count: int, note: str = "") -> DataError:
    what = tr("The file is too short: it was cut off, or its header is wrong.")
    received = tr("{count} bytes; {note}", count=count, note=note) if note else tr("{count} bytes", count=count)
    return _damaged(what, where, expected, received)


def _damaged(what: str, where: str, expected: str, received: str) -> DataError:
    return DataError(what, where=where, expected=expected, received=received, hint=tr("get the file again"))
