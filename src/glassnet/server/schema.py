"""The API as OpenAPI describes it: what may be sent, what is answered, with examples."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

MOST_IMAGES = 64  # of a request
PIXELS = [[0, 0, 9, 0], [0, 90, 255, 0], [0, 0, 255, 0], [0, 40, 255, 40]]
PREDICTION: dict[str, JsonValue] = {
    "class": "1",
    "index": 1,
    "probabilities": {"0": 0.01, "1": 0.98, "2": 0.01},
    "novel": False,
    "novelty": 0.41,
    "prepared": {"kind": "unchanged", "steps": [], "box": None},
}


class Preparing(BaseModel):
    """What was done to an image before the network saw it."""

    kind: str = Field(description="unchanged | resized | ink | blank")
    steps: list[str]
    box: list[int] | None = Field(description="left, top, right, bottom of the ink in the image")


class Prediction(BaseModel):
    """The answer to one image; `class` and `index` are null for a blank one."""

    model_config = ConfigDict(json_schema_extra={"examples": [PREDICTION]})

    label: str | None = Field(alias="class")
    index: int | None
    probabilities: dict[str, float]
    novel: bool | None = Field(description="whether it is unlike the training images; null where the network can't say")
    novelty: float | None = Field(description="how unlike; the limit is 1")
    prepared: Preparing


class Predictions(BaseModel):
    """The answers, one for each image, in their order."""

    run: str
    predictions: list[Prediction]


class Validated(BaseModel):
    """On how many validation images the limit of novelty was set, and how many of them lie beyond it."""

    validated: int
    alarms: int


class Model(BaseModel):
    """A network that is served."""

    name: str
    recipe: str | None
    title: str | None
    classes: list[str]
    input_shape: list[int]
    layers: list[str]
    loss: str
    parameters: int
    views: int = Field(description="views of each image that the probabilities are the mean of")
    novelty: Validated | None
    ink: bool = Field(description="whether it was trained on ink on a plain ground, which is looked for in photographs")


class Models(BaseModel):
    """All that are served; the first one answers where a request names none."""

    runs: list[Model]


class Health(BaseModel):
    status: str


class Problem(BaseModel):
    """Why a request was refused: what is wrong, where, what was expected and received, and what to do next."""

    what: str
    where: str | None
    expected: str | None
    received: str | None
    hint: str | None


_ARRAY = {"type": "array", "minItems": 1}
_IMAGE = {
    "description": "Rows of pixels, (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), as whole numbers in 0…255; or numbers of any "
    "kind in the shape of the network's input; or a PNG or JPEG file in base64.",
    "anyOf": [_ARRAY, {"type": "string", "minLength": 1, "contentEncoding": "base64"}],
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
PREDICT_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "image/png": _BINARY,
        "image/jpeg": _BINARY,
        "application/json": {
            "schema": {
                "anyOf": [
                    {"description": "One image as an array.", **_ARRAY},
                    {
                        "type": "object",
                        "required": ["images"],
                        "properties": {"images": {"type": "array", "minItems": 1, "maxItems": MOST_IMAGES, "items": _IMAGE}},
                        "additionalProperties": False,
                    },
                ]
            },
            "examples": {
                "one image": {"value": PIXELS},
                "a batch": {"value": {"images": [PIXELS, PIXELS]}},
            },
        },
    },
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": text}
    for status, text in {
        400: "The request can't be understood.",
        401: "A token is needed.",
        403: "The host or the origin is another.",
        408: "The body came too slowly.",
        413: "The body, or an image in it, is too large.",
        415: "The body is of another type.",
        422: "The body, or a parameter, is not what it should be.",
        503: "The service is busy.",
    }.items()
}
