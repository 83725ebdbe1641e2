"""A network that is served: what it is fed for an image, what it answers, and what it says of itself."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.data.decode import peek, quiet
from glassnet.data.prepare import Prepared
from glassnet.errors import GlassnetError, InputError, TooLargeError
from glassnet.experiment.prepare import Mode, Preparation
from glassnet.experiment.run import Run
from glassnet.network import Network
from glassnet.server.problems import Refused
from glassnet.support.i18n import tr

MOST_PIXELS = 25_000_000  # of an image: a decoded one takes up to 30 bytes a pixel
QUICK_PIXELS = 1 << 14  # images up to this size are prepared within a millisecond
QUICK_BYTES = 1 << 16
PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"


@dataclass(frozen=True)
class Served:
    """A run, or the network of a model file, by a name."""

    name: str
    like: Run | Network

    @property
    def network(self) -> Network:
        return self.like.network if isinstance(self.like, Run) else self.like

    @cached_property
    def _preparation(self) -> Preparation:
        return Preparation(self.like)

    @cached_property
    def views(self) -> dict[str, Any]:
        """Options of `predict_proba`: the views of each image that the recipe takes the mean of."""
        return self.like.views() if isinstance(self.like, Run) else {}

    def get_ready(self) -> None:
        """Read and compile now what the first request would wait for."""
        images = np.zeros((2, *self.network.input_shape), np.uint8)
        style = self._preparation.style  # of the training data, for runs of earlier versions
        del style
        for count in (1, 2):
            self.answer([Prepared(image, "unchanged") for image in images[:count]])

    def prepare(self, image: bytes | list[Any], mode: Mode, where: str) -> Prepared:
        """What the network is to see of a PNG or JPEG file, or of an array in nested lists; `Refused` for what is neither."""
        try:
            if isinstance(image, bytes):
                self._check_image(image, where)
                return self._preparation.one(image, mode)
            pixels = _array(image, where)
            if _is_image(pixels) and len(self.network.input_shape) == 3:
                return self._preparation.one(pixels.astype(np.uint8), mode)
            return Prepared(self._as_it_is(pixels, where), "unchanged")
        except Refused:
            raise
        except GlassnetError as error:
            raise refused(422, error, where) from None

    def _check_image(self, image: bytes, where: str) -> None:
        shape = self.network.input_shape
        if len(shape) != 3 or shape[2] not in (1, 3):
            raise Refused(
                422,
                tr("An image file can't be converted to the model's input shape."),
                where=where,
                expected=tr("an array of shape {shape}", shape=shape),
                received=tr("an image file"),
            )
        height, width = size_of(image, where)
        if height * width > MOST_PIXELS:
            raise Refused(
                413,
                tr("The image is too large to be opened safely."),
                where=where,
                expected=tr("at most {count:,} pixels", count=MOST_PIXELS),
                received=tr("{width} × {height} pixels", width=width, height=height),
                hint=tr("scale it down first"),
            )

    def _as_it_is(self, values: NDArray[Any], where: str) -> NDArray[Any]:
        """Numbers for a network that takes no bytes, or whose scale the client knows: an array of the input's shape."""
        shape = self.network.input_shape
        if values.shape != shape and (*values.shape, 1) != shape:
            raise Refused(
                422,
                tr("The array does not have the model's input shape."),
                where=where,
                expected=tr("{shape}, or an image of whole numbers in 0…255 of any size", shape=shape)
                if len(shape) == 3
                else str(shape),
                received=str(values.shape),
            )
        with np.errstate(over="ignore"):  # infinity is refused
            return self.network.rows(values.astype(np.float32).reshape(1, *shape)).reshape(shape)

    def answer(self, images: Sequence[Prepared]) -> list[dict[str, Any] | Refused]:
        """An answer for each image, as `glassnet predict --json` gives it, or why there is none."""
        network, found = self.network, [one.pixels for one in images]
        if len({one.dtype for one in found}) > 1:  # of floats and bytes, each are one batch
            kinds = [[n for n, one in enumerate(found) if (one.dtype == np.uint8) is is_bytes] for is_bytes in (True, False)]
            answers: dict[int, dict[str, Any] | Refused] = {}
            for places in kinds:
                answers |= zip(places, self.answer([images[n] for n in places]), strict=True)
            return [answers[n] for n in range(len(images))]
        batch = np.stack(found)
        probabilities = self.probabilities(batch)
        novelty: list[float | None] = [None] * len(batch)
        if network.fitted_novelty is not None:
            novelty = list(map(float, network.novelty(batch)))
        return [_answer(network.classes, made, p, far) for made, p, far in zip(images, probabilities, novelty, strict=True)]

    def probabilities(self, batch: NDArray[Any]) -> NDArray[Any]:
        """Probabilities (N, classes)."""
        with np.errstate(all="ignore"):  # an answer that is not finite is refused
            return self.network.predict_proba(batch, **self.views)

    def describe(self) -> dict[str, Any]:
        """For `GET /api/model`."""
        network = self.network
        known = network.fitted_novelty
        return {
            "name": self.name,
            "recipe": self.like.recipe.name if isinstance(self.like, Run) else None,
            "title": self.like.recipe.title if isinstance(self.like, Run) else None,
            "classes": list(network.classes),
            "input_shape": list(network.input_shape),
            "layers": [repr(layer) for layer in network.layers],
            "loss": repr(network.loss),
            "parameters": int(network.flat.size),
            "views": int(self.views.get("views", 1)),
            "novelty": None if known is None else {"validated": known.validated, "alarms": known.alarms},
            "ink": network.image_style is not None and network.image_style.ink,
        }


def load(paths: Sequence[Path]) -> dict[str, Served]:
    """Runs and model files by the last part of their path; where several have the same, -2, -3, … follows."""
    found: dict[str, Served] = {}
    for path in paths:
        like = Network.load(path) if path.is_file() else Run.load(path)
        own = path.resolve().stem if path.is_file() else path.resolve().name
        name, number = own, 1
        while name in found:
            number += 1
            name = f"{own}-{number}"
        found[name] = Served(name, like)
        found[name].get_ready()
    return found


def refused(status: int, error: GlassnetError, where: str) -> Refused:
    """An error about an image as the answer to a client, who knows it by `where`."""
    return Refused(status, error.what, where=where, expected=error.expected, received=error.received, hint=error.hint)


def is_quick(image: bytes | list[Any]) -> bool:
    """Whether preparing the image takes about a millisecond at most, as its size tells."""
    if not isinstance(image, bytes):
        return len(image) <= 128 and all(len(row) <= 128 for row in image if isinstance(row, list))
    if len(image) > QUICK_BYTES or not image.startswith(PNG) or len(image) < 24:
        return False
    width, height = struct.unpack(">II", image[16:24])
    return int(width) * int(height) <= QUICK_PIXELS


def size_of(image: bytes, where: str) -> tuple[int, int]:
    """Height and width of a PNG or JPEG file, from its header."""
    if not image.startswith((PNG, JPEG)):
        raise Refused(
            422,
            tr("This is not a PNG or JPEG file."),
            where=where,
            expected="PNG | JPEG",
            received=tr("other bytes") if image else tr("nothing"),
        )
    try:
        with quiet():
            return peek(io.BytesIO(image), where)[:2]
    except TooLargeError as error:
        raise refused(413, error, where) from None
    except InputError as error:
        raise refused(422, error, where) from None


def _array(values: list[Any], where: str) -> NDArray[Any]:
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError):  # rows of several lengths
        array = np.asarray(None)
    if array.dtype.kind not in "iuf" or not array.size or array.ndim > 8:
        raise Refused(
            422,
            tr("This array is not an image."),
            where=where,
            expected=tr("rows of numbers, all of one length"),
            received=tr("something else")
            if array.dtype.kind not in "iuf"
            else tr("an array of shape {shape}", shape=array.shape),
        )
    return array


def _is_image(array: NDArray[Any]) -> bool:
    is_shape = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    return is_shape and array.dtype.kind in "iu" and int(array.min()) >= 0 and int(array.max()) <= 255


def _answer(classes: Sequence[str], made: Prepared, p: NDArray[Any], far: float | None) -> dict[str, Any] | Refused:
    if not np.isfinite(p).all():
        return Refused(422, tr("The network's answer to these numbers is not finite."), expected=tr("smaller numbers"))
    blank, index = made.kind == "blank", int(p.argmax())
    return {
        "class": None if blank else classes[index],
        "index": None if blank else index,
        "probabilities": dict(zip(classes, (round(value, 6) for value in p.tolist()), strict=True)),
        "novel": None if far is None else far > 1,
        "novelty": None if far is None else round(far, 4),
        "prepared": made.describe(),
    }
