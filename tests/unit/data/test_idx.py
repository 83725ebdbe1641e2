"""The IDX reader: every kind of number, gzipped or not, and every way in which a file can be wrong."""

from __future__ import annotations

import gzip
import math
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from glassnet.data import read_idx
from glassnet.errors import DataError
from glassnet.support import memory

CODES = {"uint8": (0x08, "B"), "int8": (0x09, "b"), "int16": (0x0B, "h"), "int32": (0x0C, "i"),
         "float32": (0x0D, "f"), "float64": (0x0E, "d")}  # fmt: skip


def packed(array: np.ndarray[Any, Any]) -> bytes:
    code, letter = CODES[array.dtype.name]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + struct.pack(f">{array.size}{letter}", *array.ravel().tolist())


def header(*sizes: int, code: int = 8) -> bytes:
    return struct.pack(f">BBBB{len(sizes)}I", 0, 0, code, len(sizes), *sizes)


def refused(source: bytes | str | Path, *parts: str) -> None:
    with pytest.raises(DataError) as caught:
        read_idx(source)
    for part in parts:
        assert part in str(caught.value)


@given(
    array=st.sampled_from(sorted(CODES)).flatmap(
        lambda name: hnp.arrays(name, hnp.array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=5))
    ),
    zipped=st.booleans(),
)
def test_round_trip(array: np.ndarray[Any, Any], zipped: bool) -> None:
    content = packed(array)
    read = read_idx(gzip.compress(content, 1) if zipped else content)
    assert read.dtype == array.dtype
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, array)


@given(st.binary(max_size=60), st.booleans())
def test_any_bytes_are_read_or_refused_in_our_words(content: bytes, zipped: bool) -> None:
    for given_bytes in (content, b"\0\0" + content, b"\0\0\x08\x01" + content, b"\x1f\x8b\x08" + content):
        message = "expected:"
        try:
            read_idx(gzip.compress(given_bytes, 1) if zipped else given_bytes)
        except DataError as error:
            message = str(error)
        assert "expected:" in message


@given(st.data())
def test_a_gzip_file_that_is_cut_or_changed_anywhere(data: st.DataObject) -> None:
    """Cut off, it is refused; changed, it is refused unless what it holds is the same."""
    array = np.arange(600, dtype=np.int16)
    whole = gzip.compress(packed(array), 6, mtime=0)
    refused(whole[: data.draw(st.integers(0, len(whole) - 1))], "expected:")
    position = data.draw(st.integers(10, len(whole) - 1))
    changed = bytes([*whole[:position], whole[position] ^ data.draw(st.integers(1, 255)), *whole[position + 1 :]])
    message = "expected:"
    try:  # the last bits before the checksum are padding, and a few other changes unpack to the same bytes
        np.testing.assert_array_equal(read_idx(changed), array)
    except DataError as error:
        message = str(error)
    assert "expected:" in message


def test_the_name_does_not_decide_what_is_gzipped(tmp_path: Path) -> None:
    content = packed(np.array([1, 2, 3], np.uint8))
    (tmp_path / "plain.gz").write_bytes(content)
    (tmp_path / "packed").write_bytes(gzip.compress(content))
    assert read_idx(tmp_path / "plain.gz").tolist() == read_idx(str(tmp_path / "packed")).tolist() == [1, 2, 3]


def test_several_pieces_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassnet.data.readers.idx._CHUNK", 7)
    array = np.arange(1000, dtype=np.int32).reshape(10, 100)
    for content in (packed(array), gzip.compress(packed(array)), gzip.compress(packed(array)[:99]) + gzip.compress(
        packed(array)[99:])):  # fmt: skip
        np.testing.assert_array_equal(read_idx(content), array)


def test_truncated(tmp_path: Path) -> None:
    short = "The file is too short: it was cut off, or its header is wrong."
    path = tmp_path / "images"
    path.write_bytes(header(2, 3) + b"12345")
    refused(path, short, str(path), "expected: 18 bytes, for 2×3 numbers of 1 bytes", "received: 17 bytes", "get the file")
    refused(gzip.compress(header(2, 3) + b"12345"), short, "expected: 18 bytes", "received: 17 bytes")
    refused(b"", short, "at least 8 bytes, for the header", "received: 0 bytes")
    refused(b"\0\0\x08\x02\0\0\0\x05", short, "at least 12 bytes, for the header", "received: 8 bytes")
    whole = gzip.compress(header(2, 3) + b"123456")
    refused(whole[:-4], short, "a whole gzip file", "received: 18 bytes; the gzip file's own last bytes are missing")
    refused(whole[:8], short, "received: 0 bytes")


def test_trailing_bytes() -> None:
    for content in (header(3) + b"1234", gzip.compress(header(3) + b"1234")):
        refused(content, "There are more bytes in the file than its header says.", "expected: 11 bytes", "at least one more")
    refused(gzip.compress(header(3) + b"123") + b"rubbish", "The gzip file is damaged.", "nothing after it")


@pytest.mark.parametrize("magic", [b"PK\x03\x04", b"\0\0\x07\x01", b"\0\0\x08\0", b"\0\0\x08\x21", b"\x01\0\x08\x01"])
def test_wrong_magic_number(magic: bytes) -> None:
    words = "This is no IDX file: its magic number is wrong."
    refused(magic + bytes(20), words, "read_idx(bytes)", "00 00, then a kind", f"received: {magic.hex(' ')}")


def test_damaged_gzip() -> None:
    whole = bytearray(gzip.compress(header(3) + b"123"))
    whole[-5] ^= 1
    refused(bytes(whole), "The gzip file is damaged.", "received: CRC check failed", "get the file again")
    refused(b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + b"\xff" * 20, "The gzip file is damaged.", "Error -3 while decompressing")


@pytest.mark.parametrize("sizes", [(2**32 - 1,) * 8, (2**32 - 1,), (60_000, 28, 2**31)])
def test_absurd_dimensions_allocate_nothing(sizes: tuple[int, ...]) -> None:
    tracemalloc.start()
    try:
        for content in (header(*sizes, code=0x0E), gzip.compress(header(*sizes, code=0x0E))):
            wanted = 8 * math.prod(sizes) + 4 + 4 * len(sizes)
            refused(content, f"expected: {wanted} bytes", f"received: {4 + 4 * len(sizes)} bytes")
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_absurd_dimensions_of_nothing() -> None:
    sizes = (0, *(2**32 - 1,) * 3)
    refused(header(*sizes), "The file's dimensions are absurd.", f"received: {sizes}")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    refused(tmp_path / "nothing", "There is no such file.", str(tmp_path / "nothing"), "an IDX file, gzipped or not")
    refused("a\0b", "There is no such file.")
    refused(tmp_path, "The file can't be read.", str(tmp_path))


def test_what_unpacks_beyond_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "SMALL", 0)
    monkeypatch.setattr(memory, "available", lambda: 3_000_000 / memory.DATA_FRACTION)
    bomb = gzip.compress(header(2**31) + bytes(5_000_000))
    assert len(bomb) < 6000
    refused(bomb, "more memory than there is", "expected: at most 0.0 GB", "unpacked so far")
    assert len(read_idx(gzip.compress(header(2_000_000) + bytes(2_000_000)))) == 2_000_000
