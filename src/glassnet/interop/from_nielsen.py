"""Networks that `network2.py` of Nielsen's "Neural Networks and Deep Learning" (2015, chapter 3) has saved."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from glassnet.errors import ModelFileError, reason
from glassnet.network import Network
from glassnet.nn.losses import BinaryCrossEntropy, Loss, Quadratic
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr
from glassnet.support.storage import as_path

COSTS: dict[str, type[Loss]] = {"QuadraticCost": Quadratic, "CrossEntropyCost": BinaryCrossEntropy}
KEYS = ("sizes", "weights", "biases", "cost")


def from_nielsen(path: str | Path) -> Network:
    """A network from the JSON file that `network2.Network.save` writes: dense layers, each followed by a sigmoid.

        a' = σ(W·a + b), W (units, inputs), b (units, 1)     here: y = σ(x·Wᵀ + b)

    `QuadraticCost` becomes `Quadratic`, `CrossEntropyCost` becomes `BinaryCrossEntropy`; weights become float32. Images may
    be his rows of floats in 0…1, or bytes. Raises `ModelFileError` for a file that is missing, damaged or of another form.
    """
    path = as_path(path)
    content = _content(path)
    sizes, cost = content["sizes"], content["cost"]
    if not isinstance(sizes, list) or len(sizes) < 2 or not all(type(size) is int and size > 0 for size in sizes):
        raise _wrong(path, "sizes", tr("at least two whole numbers above 0, as in [784, 30, 10]"), _short(sizes))
    if cost not in list(COSTS):
        raise _wrong(path, "cost", " | ".join(COSTS), _short(cost))
    arrays = []
    for key in ("weights", "biases"):
        found = content[key]
        if not isinstance(found, list) or len(found) != len(sizes) - 1:
            received = tr("{count} arrays", count=len(found)) if isinstance(found, list) else _short(found)
            raise _wrong(
                path, key, tr("{count} arrays, as there are {sizes} sizes", count=len(sizes) - 1, sizes=len(sizes)), received
            )
        for number, (inputs, units) in enumerate(pairwise(sizes)):
            shape = (units, inputs if key == "weights" else 1)
            arrays.append(_array(found[number], shape, path, f"{key}[{number}]"))
    network = Network(sizes, loss=COSTS[cost](), seed=0)
    weights, biases = arrays[: len(sizes) - 1], arrays[len(sizes) - 1 :]
    network.set_weights([part for weight, bias in zip(weights, biases, strict=True) for part in (weight.T, bias[:, 0])])
    return network


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _wrong(path, None, tr("a JSON file"), reason(error)) from None
    missing = [key for key in KEYS if key not in content] if isinstance(content, dict) else KEYS
    if missing:
        received = tr("no {keys}", keys=", ".join(missing))
        raise _wrong(path, None, tr("a JSON object with {keys}", keys=", ".join(KEYS)), received)
    return dict(content)


def _array(value: object, shape: tuple[int, int], path: Path, key: str) -> Array:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise _wrong(path, key, tr("numbers of shape {shape}", shape=shape), reason(error)) from None
    if array.shape != shape:
        raise _wrong(path, key, tr("numbers of shape {shape}", shape=shape), tr("shape {shape}", shape=array.shape))
    most = float(np.finfo(np.float32).max)
    if not (np.abs(array) <= most).all():
        raise _wrong(path, key, tr("finite numbers, as float32"), float(array[~(np.abs(array) <= most)][0]))
    return array.astype(np.float32)


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:60] + " …"


def _wrong(path: Path, key: str | None, expected: str, received: object) -> ModelFileError:
    return ModelFileError(
        tr("The file does not hold a network saved by Nielsen's network2.py."),
        where=path if key is None else f"{path}, {key}",
        expected=expected,
        received=received,
    )
