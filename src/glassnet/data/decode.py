"""Decoding image files: the one place where Pillow opens anything."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from glassnet.data.options import MOST_PIXELS, Fit
from glassnet.data.resize import fitted
from glassnet.errors import InputError, reason
from glassnet.support.i18n import tr

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")  # not all of Pillow's: EPS, say, runs other programs
_ORIENTATION, _QUARTER_TURNS = 0x0112, (5, 6, 7, 8)
_GREY_MODES = ("1", "L", "LA", "La", "I", "F")


class _Quiet:
    """Ignores warnings from the time the first thread enters until the last one leaves: their filters are one for all."""

    def __init__(self) -> None:
        self._lock, self._inside, self._before = threading.Lock(), 0, warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._before = warnings.catch_warnings()
                self._before.__enter__()
                warnings.simplefilter("ignore")
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._before.__exit__(None, None, None)


_quiet = _Quiet()


def quiet() -> contextlib.AbstractContextManager[None]:
    """Silence Pillow while decoding, also in several threads: it warns of what is checked here and of metadata not used."""
    return _quiet


def decode(
    source: Path | IO[bytes], where: object, *, colour: bool, size: tuple[int, int] | None = None, fit: Fit = "stretch"
) -> npt.NDArray[np.uint8]:
    """The pixels of an image file, `(H, W, 1)` or with `colour` `(H, W, 3)`, in 0…255; within `quiet()`.

    Applies the EXIF orientation, puts transparent pixels on white, takes the first frame, and reduces 16-bit grey to 8 bits.
    With `size` `(H, W)`, resized by `fitted`. Raises `InputError` for files that are no image, damaged or too large.
    """
    from PIL import ImageOps

    with _opened(source, where) as image:
        if size is not None and image.format == "JPEG":
            image.draft(None, (2 * max(size), 2 * max(size)))  # decodes a large photograph at a half, a quarter, …
        image.load()
        turned = _upright_colours(ImageOps.exif_transpose(image), image.format == "PPM", where, colour=colour)
        pixels = np.asarray(turned if size is None else fitted(turned, size, fit))
        return pixels if colour else pixels[..., np.newaxis]


def decode_ink(source: Path | IO[bytes], where: object) -> tuple[npt.NDArray[np.uint8], str | None]:
    """`decode` to grey `(H, W)` without resizing; transparent pixels go where the drawn ones are seen; within `quiet()`.

    That is on white, or on black where what is drawn is light on average; the second value says which, None without any.
    """
    from PIL import ImageOps

    with _opened(source, where) as image:
        image.load()
        turned = ImageOps.exif_transpose(image)
        ground = _ground_for(turned)
        grey = _upright_colours(turned, image.format == "PPM", where, colour=False, ground=ground or "white")
        return np.asarray(grey), ground


def _ground_for(image: Image) -> str | None:
    if not image.has_transparency_data:
        return None
    grey, alpha = (np.asarray(channel, np.float64) for channel in image.convert("RGBA").convert("LA").split())
    if alpha.min() == 255:
        return None
    return "black" if (grey * alpha).sum() > 127.5 * alpha.sum() else "white"


def peek(source: Path | IO[bytes], where: object) -> tuple[int, int, bool]:
    """Height, width and whether there is colour, from the header alone, as `decode` would find them; within `quiet()`."""
    with _opened(source, where) as image:
        colour = image.mode not in _GREY_MODES and not image.mode.startswith("I;16")
        turned = image.getexif().get(_ORIENTATION) in _QUARTER_TURNS
        return (image.width, image.height, colour) if turned else (image.height, image.width, colour)


@contextlib.contextmanager
def _opened(source: Path | IO[bytes], where: object) -> Iterator[Image]:
    """The image with its header read; any error until it is closed becomes an `InputError`."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(source, formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise _too_large(where, tr("{width} × {height} pixels", width=image.width, height=image.height))
            yield image
    except InputError:
        raise
    except Image.DecompressionBombError:
        raise _too_large(where, tr("far more")) from None
    except UnidentifiedImageError:
        raise refused(where, tr("The file is not an image."), " | ".join([*FORMATS, ".npy"]), tr("other bytes")) from None
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        what = tr("The image can't be decoded: it is damaged, cut off or of a rare kind.")
        raise refused(where, what, tr("a whole image file"), reason(error)) from error


def _upright_colours(image: Image, is_ppm: bool, where: object, *, colour: bool, ground: str = "white") -> Image:
    """The image in mode L or RGB, transparent pixels on `ground`."""
    from PIL import Image as Images

    if image.mode.startswith("I;16") or (image.mode == "I" and is_ppm):
        deep = np.asarray(image).astype(np.float64)  # 0…65535: Pillow itself would cut off at 255
        image = Images.fromarray(np.rint(deep / 257).astype(np.uint8))
    elif image.mode in ("I", "F"):
        received = tr("mode {mode}: 32-bit numbers of an unknown range", mode=image.mode)
        raise refused(where, tr("The image's numbers are not colours."), tr("8 or 16 bits for each colour"), received)
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Images.alpha_composite(Images.new("RGBA", image.size, ground), image)
    return image.convert("RGB" if colour else "L")


def _too_large(where: object, received: str) -> InputError:
    expected = tr("at most {count:,} pixels", count=MOST_PIXELS)
    return refused(where, tr("The image is too large to be opened safely."), expected, received, tr("scale it down first"))


def refused(where: object, what: str, expected: str, received: str, hint: str | None = None) -> InputError:
    return InputError(what, where=where, expected=expected, received=received, hint=hint)
