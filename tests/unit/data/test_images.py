"""Reading one image: colours, orientation, transparency, and every file that is no image."""

from __future__ import annotations

import io
import os
import struct
import threading
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import Image

from glassnet.data import read_image
from glassnet.data.decode import quiet
from glassnet.errors import InputError

GREY = (4, 6, 1)
COLOUR = (4, 6, 3)


def grey() -> np.ndarray[Any, np.dtype[np.uint8]]:
    return (np.arange(24, dtype=np.uint8) * 10).reshape(4, 6)


def save(path: Path, array: np.ndarray[Any, Any], **more: Any) -> Path:
    Image.fromarray(array).save(path, **more)
    return path


def refused(path: Path | str, *parts: str, shape: tuple[int, ...] = GREY) -> str:
    with pytest.raises(InputError) as caught:
        read_image(path, shape)
    for part in (*parts, "where:", "expected:", "received:"):
        assert part in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("ending", ["png", "bmp", "gif", "tiff", "pgm"])
def test_grey(tmp_path: Path, ending: str) -> None:
    pixels = read_image(save(tmp_path / f"image.{ending}", grey()), GREY)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels[..., 0], grey())


def test_grey_as_colour_and_colour_as_grey(tmp_path: Path) -> None:
    path = save(tmp_path / "grey.png", grey())
    np.testing.assert_array_equal(read_image(path, COLOUR), np.repeat(grey()[..., np.newaxis], 3, axis=2))
    red = np.zeros(COLOUR, np.uint8)
    red[..., 0] = 255
    path = save(tmp_path / "red.png", red)
    np.testing.assert_array_equal(read_image(str(path), COLOUR), red)
    assert set(read_image(path, GREY).ravel()) == {76}  # 0.299 · 255


def test_black_and_white_and_palette(tmp_path: Path) -> None:
    path = save(tmp_path / "bits.png", grey() > 100)
    assert set(read_image(path, GREY).ravel()) == {0, 255}
    Image.fromarray(grey()).convert("P").save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_image(tmp_path / "palette.png", GREY)[..., 0], grey())


def test_sixteen_bits(tmp_path: Path) -> None:
    deep = grey().astype(np.uint16) * 257
    np.testing.assert_array_equal(read_image(save(tmp_path / "deep.png", deep), GREY)[..., 0], grey())
    (tmp_path / "deep.pgm").write_bytes(b"P5 6 4 65535\n" + deep.astype(">u2").tobytes())
    np.testing.assert_array_equal(read_image(tmp_path / "deep.pgm", GREY)[..., 0], grey())
    for array in (grey().astype(np.int32), grey().astype(np.float32)):
        path = save(tmp_path / "numbers.tiff", array)
        refused(path, "The image's numbers are not colours.", "8 or 16 bits", "32-bit numbers of an unknown range")


def test_transparency_is_white_paper(tmp_path: Path) -> None:
    pixels = np.zeros((4, 6, 4), np.uint8)
    pixels[:, 3:, 3] = 255
    path = save(tmp_path / "alpha.png", pixels)
    for shape in (GREY, COLOUR):
        read = read_image(path, shape)
        assert (read[:, :3] == 255).all()
        assert (read[:, 3:] == 0).all()
    palette = Image.fromarray(grey()).convert("P")
    palette.save(tmp_path / "palette.png", transparency=bytes(256))
    assert (read_image(tmp_path / "palette.png", GREY) == 255).all()


def test_exif_orientation(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    path = save(tmp_path / "turned.png", grey(), exif=exif)
    np.testing.assert_array_equal(read_image(path, (6, 4, 1))[..., 0], np.rot90(grey(), -1))


def test_brought_to_the_size_of_the_model(tmp_path: Path) -> None:
    halves = np.zeros((4, 8), np.uint8)
    halves[:, 4:] = 200
    path = save(tmp_path / "image.png", halves)
    np.testing.assert_array_equal(read_image(path, (2, 4, 1))[..., 0], [[0, 0, 200, 200]] * 2)
    np.testing.assert_array_equal(read_image(path, (2, 2, 3)), np.repeat([[[0], [200]]] * 2, 3, axis=2))
    np.testing.assert_array_equal(read_image(path, (4, 4, 1), "crop")[..., 0], halves[:, 2:6])
    padded = read_image(path, (8, 8, 1), "pad")[..., 0]
    np.testing.assert_array_equal(padded[2:6], halves)
    assert not padded[:2].any()
    assert not padded[6:].any()


def test_shapes_that_no_image_has(tmp_path: Path) -> None:
    path = save(tmp_path / "image.png", grey())
    for shape in ((24,), (4, 6, 2)):
        refused(
            path,
            "can't be converted",
            f".npy array of shape {shape}",
            f"a model for {shape}",
            shape=shape,
        )


def test_what_is_no_image(tmp_path: Path) -> None:
    refused(tmp_path / "none.png", "The image can't be read.", "No such file", str(tmp_path / "none.png"))
    refused("a\0b", "The image can't be read.", "null byte")
    refused(tmp_path, "This is not a file.", "received: a folder")
    (tmp_path / "empty.png").touch()
    refused(tmp_path / "empty.png", "The image file is empty.", "0 bytes")
    (tmp_path / "text.png").write_text("I am no image, whatever my name says.")
    refused(tmp_path / "text.png", "The file is not an image.", "PNG | JPEG", "other bytes")
    (tmp_path / "drawing.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 6 4\n%%EndComments\n")
    refused(tmp_path / "drawing.eps", "The file is not an image.")  # Pillow would run Ghostscript


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "This is not a file.", "received: a device")


def _encoded(ending: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)).save(stream, ending)
    return stream.getvalue()


ENCODED = {ending: _encoded(ending) for ending in ("png", "jpeg", "gif", "bmp", "tiff", "ppm")}


@pytest.mark.parametrize("ending", sorted(ENCODED))
def test_cut_off(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"cut.{ending}"
    path.write_bytes(ENCODED[ending][: len(ENCODED[ending]) // 2])
    refused(path, "", shape=(40, 60, 3))


def test_cut_off_in_words(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    path.write_bytes(ENCODED["jpeg"][:-500])
    refused(path, "can't be decoded: it is damaged, cut off", "a whole image file", "truncated", shape=(40, 60, 3))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ending=st.sampled_from(sorted(ENCODED)), position=st.integers(0, 400), byte=st.integers(0, 255))
def test_damaged_anywhere(tmp_path: Path, ending: str, position: int, byte: int) -> None:
    content = bytearray(ENCODED[ending])
    content[position] = byte
    path = tmp_path / "damaged"
    path.write_bytes(content)
    message = str(path)
    try:
        assert read_image(path, (40, 60, 3)).shape == (40, 60, 3)
    except InputError as error:
        message = str(error)
    assert str(path) in message


@pytest.mark.parametrize(
    ("width", "height", "received"),
    [(8192, 8193, "8192 × 8193 pixels"), (10_000, 10_000, "10000 × 10000 pixels"), (100_000, 100_000, "far more")],
)
def test_bombs_are_refused_from_their_header(tmp_path: Path, width: int, height: int, received: str) -> None:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    path = tmp_path / "bomb.png"
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))
    refused(path, "too large to be opened safely", "at most 67,108,864 pixels", received, "scale it down first")


def test_arrays(tmp_path: Path) -> None:
    path = tmp_path / "array.npy"
    for array, shape, dtype in (
        (grey(), GREY, np.uint8),
        (grey()[..., np.newaxis], GREY, np.uint8),
        (grey().ravel(), (24,), np.uint8),
        (grey() / 255, GREY, np.float32),
        (grey().astype(np.int64), GREY, np.uint8),
        (np.asfortranarray(grey()), GREY, np.uint8),
    ):
        np.save(path, array)
        read = read_image(path, shape)
        assert read.shape == shape
        assert read.dtype == dtype
        np.testing.assert_array_equal(read.ravel(), array.ravel().astype(dtype))
        assert type(read) is np.ndarray
        assert read.flags.owndata


def test_arrays_that_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "array.npy"
    np.save(path, grey())
    refused(path, "The array does not have the model's input shape", "expected: (24,)", "received: (4, 6)", shape=(24,))
    whole = path.read_bytes()
    claim = whole.replace(b"(4, 6), }" + b" " * 10, b"(4000000000, 6), }" + b" ")
    for content in (whole[:-1], whole[:50], whole[:9], b"rubbish", b"PK\x03\x04" + bytes(20), claim):
        path.write_bytes(content)
        refused(path, "The array is damaged.", str(path), "a .npy file of numbers")
    path.write_bytes(b"")
    refused(path, "The image file is empty.")
    refused(tmp_path / "none.npy", "The image can't be read.")
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    refused(path, "The array is damaged.", "Python objects")
    np.save(path, np.full((4, 6), "a"))
    refused(path, "The images are not numbers.", str(path), "dtype <U1")
    np.save(path, np.full((4, 6), np.nan))
    refused(path, "NaN or infinite", f"{path}, item 0", "24 in that item")


def test_an_array_with_another_name(tmp_path: Path) -> None:
    with (tmp_path / "array").open("wb") as stream:
        np.save(stream, grey())
    np.testing.assert_array_equal(read_image(tmp_path / "array", GREY)[..., 0], grey())


def test_several_threads_are_quiet_together_and_filters_come_back() -> None:
    before = list(warnings.filters)
    both, go = threading.Barrier(2, timeout=10), threading.Event()

    def enter(first: bool) -> None:
        with quiet():
            both.wait()  # both are inside at the same time
            warnings.warn("from Pillow", stacklevel=1)
            if first:
                go.wait(10)
            warnings.warn("from Pillow", stacklevel=1)  # also after the other one has left

    with ThreadPoolExecutor(2) as pool:
        late, early = pool.submit(enter, True), pool.submit(enter, False)
        early.result()
        go.set()
        late.result()
    assert warnings.filters == before
