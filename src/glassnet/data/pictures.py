"""Reading one picture to predict: from a picture file, or from a `.npy` array. Never resized."""

from __future__ import annotations

import os
import threading
import warnings
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from glassnet.data.arrays import as_pixels, check_finite
from glassnet.data.paths import as_path
from glassnet.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 64 * 2**20
"""64 megapixels: a picture file of more is refused from its header, before anything is decoded."""

_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")  # not all of Pillow's: EPS, say, runs other programs
_NPY_MAGIC = b"\x93NUMPY"
_one_at_a_time = threading.Lock()  # Python's warning filters are one for all threads


def read_picture(path: str | os.PathLike[str], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Read one picture as the array `shape` that a model takes: `uint8`, 0…255.

    `shape` is `(H, W, 1)` for grey or `(H, W, 3)` for red, green, blue; colours are converted, and turned as the EXIF
    orientation says. Transparent pixels are seen as on white paper. Of several frames the first is read; 16-bit grey is
    brought to 8 bits. A `.npy` file may hold any shape a model takes, `(H, W)` for `(H, W, 1)`, and is kept as `uint8`
    or `float32` as `Dataset` would.
    Raises `InputError` for a path that is no picture, for a damaged or enormous one, and for one of another shape:
    nothing is resized, as a model would then see what it was not trained on.
    """
    file = as_path(path)
    magic = _first_bytes(file)
    if file.suffix.lower() == ".npy" or magic == _NPY_MAGIC:
        return _read_array(file, shape, magic)
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise InputError(
            "A picture file can't be brought to the shape that the model takes.",
            where=file,
            expected=f"a model for pictures (H, W, 1) or (H, W, 3), or a .npy array of shape {shape}",
            received=f"a model for {shape}",
        )
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of what is checked here, and of metadata that is not used
        pixels = _decode(file, colour=shape[2] == 3)
    return _check_shape(pixels, shape, file)


def _first_bytes(file: Path) -> bytes:
    try:
        if not S_ISREG(file.stat().st_mode):
            raise _refused(file, "This is not a file.", "a picture file", "a folder" if file.is_dir() else "a device")
        with file.open("rb") as stream:
            first = stream.read(len(_NPY_MAGIC))
    except InputError:
        raise
    except (OSError, ValueError) as error:
        received = getattr(error, "strerror", None) or str(error)
        raise _refused(file, "The picture can't be read.", "a picture file", received) from None
    if not first:
        raise _refused(file, "The picture file is empty.", "a picture file", "0 bytes")
    return first


def _decode(file: Path, *, colour: bool) -> npt.NDArray[np.uint8]:
    """Pixels `(H, W, 1)` or `(H, W, 3)`."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(file, formats=_FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise _too_large(file, f"{image.width} × {image.height} pixels")
            image.load()
            sixteen_bit = image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM")
            if image.mode in ("I", "F") and not sixteen_bit:
                received = f"mode {image.mode}: 32-bit numbers of an unknown range"
                raise _refused(file, "The picture's numbers are not colours.", "8 or 16 bits for each colour", received)
            return _to_pixels(ImageOps.exif_transpose(image), sixteen_bit=sixteen_bit, colour=colour)
    except InputError:
        raise
    except Image.DecompressionBombError:
        raise _too_large(file, "far more") from None
    except UnidentifiedImageError:
        raise _refused(file, "The file is not a picture.", " | ".join([*_FORMATS, ".npy"]), "other bytes") from None
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        received = str(error) or type(error).__name__
        raise _refused(
            file,
            "The picture can't be decoded: it is damaged, cut off or of a rare kind.",
            "a whole picture file",
            received,
        ) from error


def _to_pixels(image: Image, *, sixteen_bit: bool, colour: bool) -> npt.NDArray[np.uint8]:
    from PIL import Image

    if sixteen_bit:
        deep = np.asarray(image).astype(np.float64)  # 0…65535: Pillow itself would cut off at 255
        image = Image.fromarray(np.rint(deep / 257).astype(np.uint8))
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    pixels = np.asarray(image.convert("RGB" if colour else "L"))
    return pixels if colour else pixels[..., np.newaxis]


def _read_array(file: Path, shape: tuple[int, ...], magic: bytes) -> npt.NDArray[Any]:
    try:
        if magic != _NPY_MAGIC:
            raise ValueError("its first bytes are not those of a .npy file")
        # mapped, so that nothing is allocated on the header's word alone
        stored = np.load(file, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # NumPy parses the header as Python, and fails in as many ways
        received = str(error) or type(error).__name__
        raise _refused(file, "The array is damaged.", "a .npy file of numbers", received) from error
    if stored.ndim == 2 and len(shape) == 3 and shape[2] == 1:
        stored = stored[..., np.newaxis]
    values = as_pixels(_check_shape(stored, shape, file), str(file))
    check_finite(values[np.newaxis], str(file))
    return np.array(values)  # a copy in memory: the file may go


def _check_shape(pixels: npt.NDArray[Any], shape: tuple[int, ...], file: Path) -> npt.NDArray[Any]:
    if pixels.shape != tuple(shape):
        resize = f"; Image.open(file).resize(({shape[1]}, {shape[0]})) of Pillow does it" if len(shape) == 3 else ""
        raise InputError(
            "The picture has another shape than the model takes.",
            where=file,
            expected=f"{tuple(shape)}" + (", that is (height, width, channels)" if len(shape) == 3 else ""),
            received=pixels.shape,
            hint="bring it to that size first, in the same manner as the training pictures" + resize,
        )
    return pixels


def _too_large(file: Path, received: str) -> InputError:
    expected = f"at most {MOST_PIXELS:,} pixels"
    return _refused(file, "The picture is too large to be opened safely.", expected, received, "scale it down first")


def _refused(file: Path, what: str, expected: str, received: str, hint: str | None = None) -> InputError:
    return InputError(what, where=file, expected=expected, received=received, hint=hint)
