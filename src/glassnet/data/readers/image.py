"""Reading one image to predict: from an image file, or from a `.npy` array."""

from __future__ import annotations

import os
from pathlib import Path
from stat import S_ISREG
from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.data.arrays import as_pixels, check_finite
from glassnet.data.decode import decode, decode_ink, peek, quiet, refused
from glassnet.data.options import Fit
from glassnet.data.readers.image_sources import Folder
from glassnet.errors import InputError, reason
from glassnet.support.i18n import tr
from glassnet.support.paths import as_path

_NPY_MAGIC = b"\x93NUMPY"


def read_image(path: str | os.PathLike[str], shape: tuple[int, ...], fit: Fit = "stretch") -> npt.NDArray[Any]:
    """Read one image as the array `shape` that a model takes: `uint8`, 0…255.

    `shape` is `(H, W, 1)` for grey or `(H, W, 3)` for RGB: the image is decoded (`decode`) and resized as `load_dataset`
    does it. A `.npy` file holds an array of that shape, or `(H, W)` for `(H, W, 1)`, and is not resized.
    Raises `InputError` for a path that is no image, for a damaged or too large one, and for an array of another shape.
    """
    file = as_path(path)
    magic = _first_bytes(file)
    if file.suffix.lower() == ".npy" or magic == _NPY_MAGIC:
        return _read_array(file, shape, magic)
    _require_images(file, shape)
    with quiet():
        return decode(file, file, colour=shape[2] == 3, size=(shape[0], shape[1]), fit=fit)


def list_images(path: Path, shape: tuple[int, ...]) -> Folder:
    """The image files in a folder and below it, sorted. Raises `InputError` if there are none, or the model takes none."""
    _require_images(path, shape)
    files = Folder(path)
    if not files.names:
        received = tr("{count} other files", count=files.others) if files.others else tr("nothing")
        raise InputError(tr("There are no images here."), where=path, expected=tr("image files"), received=received)
    return files


def _require_images(file: Path, shape: tuple[int, ...]) -> None:
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise InputError(
            tr("An image file can't be converted to the model's input shape."),
            where=file,
            expected=tr("a model for images (H, W, 1) or (H, W, 3), or a .npy array of shape {shape}", shape=shape),
            received=tr("a model for {shape}", shape=shape),
        )


def whole_image(path: str | os.PathLike[str]) -> tuple[npt.NDArray[np.uint8], str | None]:
    """An image file at its own size, in grey `(H, W)`, and the ground that transparent pixels were put on (`decode_ink`).

    Raises `InputError` as `read_image` does.
    """
    file = as_path(path)
    _first_bytes(file)
    with quiet():
        return decode_ink(file, file)


def upright(path: str | os.PathLike[str]) -> npt.NDArray[np.uint8]:
    """An image file in colour, to be shown: (H, W, 3), upright."""
    file = as_path(path)
    with quiet():
        return decode(file, file, colour=True)


def is_array_file(path: str | os.PathLike[str]) -> bool:
    """Whether `read_image` takes it for a `.npy` file."""
    file = as_path(path)
    return file.suffix.lower() == ".npy" or _first_bytes(file) == _NPY_MAGIC


def image_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Height and width of an image file, upright."""
    file = as_path(path)
    with quiet():
        return peek(file, file)[:2]


def _first_bytes(file: Path) -> bytes:
    try:
        if not S_ISREG(file.stat().st_mode):
            raise refused(file, tr("This is not a file."), tr("an image file"), "a folder" if file.is_dir() else "a device")
        with file.open("rb") as stream:
            first = stream.read(len(_NPY_MAGIC))
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise refused(file, tr("The image can't be read."), tr("an image file"), reason(error)) from None
    if not first:
        raise refused(file, tr("The image file is empty."), tr("an image file"), "0 bytes")
    return first


def _read_array(file: Path, shape: tuple[int, ...], magic: bytes) -> npt.NDArray[Any]:
    try:
        if magic != _NPY_MAGIC:
            raise ValueError(tr("its first bytes are not those of a .npy file"))
        # mapped, so that nothing is allocated on the header's word alone
        stored = np.load(file, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # NumPy parses the header as Python, and fails in as many ways
        raise refused(file, tr("The array is damaged."), tr("a .npy file of numbers"), reason(error)) from error
    if stored.ndim == 2 and len(shape) == 3 and shape[2] == 1:
        stored = stored[..., np.newaxis]
    if stored.shape != tuple(shape):
        what, hint = tr("The array does not have the model's input shape."), tr("resize it like the training images")
        if stored.ndim == 3 and (*stored.shape[1:], stored.shape[0]) == tuple(shape):
            hint = tr("the channels come first: array.transpose(1, 2, 0)")
        expected = tr("{shape}, that is (height, width, channels)", shape=shape) if len(shape) == 3 else tuple(shape)
        raise InputError(what, where=file, expected=expected, received=stored.shape, hint=hint)
    values = as_pixels(stored, str(file))
    check_finite(values[np.newaxis], str(file))
    return np.array(values)  # a copy in memory: the file may go
