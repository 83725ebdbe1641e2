"""The images in a request's body: a file, an array, or a batch of either in JSON."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, NoReturn

from glassnet.server.problems import Refused
from glassnet.server.schema import MOST_IMAGES
from glassnet.support.i18n import tr

TYPES = ("image/png", "image/jpeg", "application/json")
MOST_JSON = 4 << 20  # bytes: JSON takes up to 20 times as many in memory
MOST_LISTS = 1 << 18  # lists and objects
Image = bytes | list[Any]


def images_in(kind: str, body: bytes) -> list[Image]:
    """The images of a body of type `kind`. Raises `Refused` (413, 422) for one that has none, or too many."""
    if kind != "application/json":
        return [body]
    found = _read(body)
    if isinstance(found, list):
        return [found]
    if (
        not isinstance(found, dict)
        or list(found) != ["images"]
        or not isinstance(found["images"], list)
        or not found["images"]
    ):
        _unexpected(tr("an image as rows of numbers, or {example}", example='{"images": [image, …]}'), found)
    if len(found["images"]) > MOST_IMAGES:
        raise Refused(
            422,
            tr("These are too many images for one request."),
            where="images",
            expected=tr("at most {count}", count=MOST_IMAGES),
            received=len(found["images"]),
        )
    return [_image(image, f"images[{number}]") for number, image in enumerate(found["images"])]


def _read(body: bytes) -> Any:
    if len(body) > MOST_JSON or body.count(b"[") + body.count(b"{") > MOST_LISTS:
        raise Refused(
            413,
            tr("The JSON is too large."),
            where=tr("the body"),
            expected=tr("at most {count:,} bytes and {lists:,} lists", count=MOST_JSON, lists=MOST_LISTS),
            received=tr("{count:,} bytes", count=len(body)),
            hint=tr("send large images as image/png or image/jpeg"),
        )
    try:
        return json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Refused(
            422,
            tr("The body is not JSON."),
            where=tr("the body"),
            expected="application/json",
            received=tr("lists within lists without end") if isinstance(error, RecursionError) else str(error),
        ) from None


def _no_number(word: str) -> NoReturn:
    raise ValueError(tr("{word} is not a number", word=word))


def _image(image: Any, where: str) -> Image:
    if isinstance(image, str):
        try:
            return base64.b64decode(image, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Refused(
                422,
                tr("This text is not an image in base64."),
                where=where,
                expected=tr("a PNG or JPEG file in base64"),
                received=str(error),
            ) from None
    if not isinstance(image, list):
        _unexpected(tr("rows of numbers, or a PNG or JPEG file in base64"), image, where)
    return image


def _unexpected(expected: str, received: Any, where: str | None = None) -> NoReturn:
    shown = json.dumps(received, ensure_ascii=False)[:60]
    raise Refused(
        422, tr("This is not what an image is sent as."), where=where or tr("the body"), expected=expected, received=shown
    )
