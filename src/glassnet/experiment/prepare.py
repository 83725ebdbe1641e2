"""Images of one's own for a network: `prepare` makes one as the training images are, `find` all characters of a page."""

from __future__ import annotations

import contextlib
import io
import os
from dataclasses import dataclass, replace
from functools import cached_property
from typing import IO, Any, Literal, TypeAlias, get_args, overload

import numpy as np
from numpy.typing import NDArray

from glassnet.data import Dataset, read_image
from glassnet.data.decode import decode, decode_ink, peek, quiet
from glassnet.data.options import Fit
from glassnet.data.prepare import Prepared, blank, looks_trained, prepare_all, prepare_one
from glassnet.data.readers.image import image_size, is_array_file, whole_image
from glassnet.data.style import ImageStyle
from glassnet.errors import GlassnetError, InputError
from glassnet.experiment.run import Run
from glassnet.network import Network
from glassnet.support.i18n import tr
from glassnet.support.registry import unknown

Mode: TypeAlias = Literal["auto", "ink", "none"]
Source: TypeAlias = "str | os.PathLike[str] | bytes | NDArray[Any]"
Like: TypeAlias = Run | Network | Dataset


@overload
def prepare(image: Source, like: Like, *, mode: Mode = "auto", return_record: Literal[False] = False) -> NDArray[Any]: ...


@overload
def prepare(image: Source, like: Like, *, mode: Mode = "auto", return_record: Literal[True]) -> Prepared: ...


def prepare(image: Source, like: Like, *, mode: Mode = "auto", return_record: bool = False) -> NDArray[Any] | Prepared:
    """A photo, scan or drawing as the network takes it: (H, W, C), as the training images of `like` are.

    Ink on a plain ground is found, freed from background and shading, cut out, scaled and centred as in the training data; of
    photographs and colour images only the size is changed. `image`: a file, the bytes of one, or an array (H, W), (H, W, 1),
    (H, W, 3) or (H, W, 4) of uint8. `like`: a run, a network or a data set. `mode`: "auto" leaves images that look like
    training images already, "ink" always looks for ink, "none" only resizes. `return_record`: a `Prepared`, which says what
    was done.
    Raises `InputError` for what is no image, and for "ink" where training images are not ink on a plain ground or unknown.

        network.predict(gn.prepare("seven.jpg", like=run))
    """
    made = Preparation(like).one(image, mode)
    return made if return_record else made.pixels


def find(image: Source, like: Like) -> list[Prepared]:
    """All characters on a page, line by line from the left, each as the network takes it, with its box.

    Empty for a blank page. `image` and `like` as in `prepare`; raises `InputError` as its mode "ink" does.

        found = gn.find("page.jpg", like=run)
        run.network.predict(np.stack([one.pixels for one in found]))
    """
    return Preparation(like).all(image)


@dataclass(frozen=True)
class Preparation:
    """`prepare` and `find` for many images. `fit`: how images are resized where ink is not looked for."""

    like: Like
    fit: Fit | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        if isinstance(self.like, Dataset):
            return self.like.shape
        return self.like.network.input_shape if isinstance(self.like, Run) else self.like.input_shape

    @cached_property
    def style(self) -> ImageStyle | None:
        """From the network, else, for files of earlier versions, from the data; None where neither is there."""
        if isinstance(self.like, Dataset):
            return ImageStyle.of(self.like)
        network = self.like.network if isinstance(self.like, Run) else self.like
        if network.image_style is None and isinstance(self.like, Run):
            with contextlib.suppress(GlassnetError):
                return ImageStyle.of(self.like.splits.train)
        return network.image_style

    def one(self, image: Source, mode: Mode = "auto") -> Prepared:
        if mode not in get_args(Mode):
            raise unknown("mode", mode, get_args(Mode), "prepare(mode)")
        if mode == "none" or (mode == "auto" and _is_array_file(image)):
            return Prepared(self._resized(image), "unchanged")
        style = self._require_ink() if mode == "ink" else self.style
        if style is None or not style.ink:
            pixels = self._resized(image)
            if _size(image) == pixels.shape[:2]:
                return Prepared(pixels, "unchanged")
            unknown_style = tr("only resized: the model file does not say what its training images look like")
            not_ink = tr("only resized, as the training images were: they are not ink on a plain ground")
            return Prepared(pixels, "resized", (unknown_style if style is None else not_ink,))
        grey, ground = self._grey(image)
        size = self.shape[0], self.shape[1]
        if mode == "auto" and ground is None and grey.shape == size and looks_trained(grey, style):
            return Prepared(grey[..., np.newaxis], "unchanged")
        return _after(ground, prepare_one(grey, style, size))

    def all(self, image: Source) -> list[Prepared]:
        style = self._require_ink()
        grey, ground = self._grey(image)
        return [_after(ground, made) for made in prepare_all(grey, style, (self.shape[0], self.shape[1]))]

    def blank(self) -> Prepared:
        """What a page without ink is to the network."""
        return blank(self._require_ink(), (self.shape[0], self.shape[1]))

    def _resized(self, image: Source) -> NDArray[Any]:
        own = self.like.recipe.data.fit if isinstance(self.like, Run) else "stretch"
        fit = self.fit or own
        if not isinstance(image, (bytes, np.ndarray)):
            return read_image(image, self.shape, fit)
        with quiet():
            return decode(_stream(image), "image", colour=self.shape[-1] == 3, size=(self.shape[0], self.shape[1]), fit=fit)

    def _grey(self, image: Source) -> tuple[NDArray[np.uint8], str | None]:
        if isinstance(image, (bytes, np.ndarray)):
            with quiet():
                return decode_ink(_stream(image), "image")
        if not is_array_file(image):
            return whole_image(image)
        pixels = self._resized(image)
        if pixels.dtype != np.uint8:
            raise _no_pixels(os.fspath(image), pixels.dtype)
        return pixels[..., 0], None

    def _require_ink(self) -> ImageStyle:
        if self.style is not None and self.style.ink:
            return self.style
        known = self.style is not None
        raise InputError(
            tr("Ink can only be looked for where the network was trained on ink on a plain ground."),
            where="prepare(like)",
            expected=tr("a network for grey images of ink, such as digits, that knows what they look like"),
            received=tr("a network for other images") if known else tr("a model that does not say what it was trained on"),
            hint=tr("resize the images only: --prepare none")
            if known
            else tr("use the run folder, train again, or set network.image_style = gn.ImageStyle.of(data)"),
        )


def _after(ground: str | None, made: Prepared) -> Prepared:
    """With what was done before ink was looked for."""
    if ground is None:
        return made
    first = tr("transparent background put on white") if ground == "white" else tr("transparent background put on black")
    return replace(made, steps=(first, *made.steps))


def _is_array_file(image: Source) -> bool:
    return not isinstance(image, (bytes, np.ndarray)) and is_array_file(image)


def _size(image: Source) -> tuple[int, int]:
    if isinstance(image, np.ndarray):
        return image.shape[0], image.shape[1]
    if isinstance(image, bytes):
        with quiet():
            return peek(_stream(image), "image")[:2]
    return image_size(image)


def _stream(image: bytes | NDArray[Any]) -> IO[bytes]:
    """An image file in memory."""
    return io.BytesIO(image) if isinstance(image, bytes) else _as_png(image)


def _as_png(image: NDArray[Any]) -> IO[bytes]:
    from PIL import Image

    shape = image.shape[:-1] if image.ndim == 3 and image.shape[-1] == 1 else image.shape
    if image.dtype != np.uint8 or not image.size or not (len(shape) == 2 or (len(shape) == 3 and shape[2] in (3, 4))):
        raise _no_pixels("image", f"{image.dtype} {image.shape}")
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image.reshape(shape))).save(file, "png", compress_level=0)
    file.seek(0)
    return file


def _no_pixels(where: object, received: object) -> InputError:
    expected = tr("uint8 of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)")
    return InputError(tr("This array is not an image."), where=where, expected=expected, received=received)
