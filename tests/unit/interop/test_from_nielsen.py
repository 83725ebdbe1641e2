"""Networks of Nielsen's network2.py answer here as they do there; what is none is refused."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.errors import ModelFileError

RNG = np.random.default_rng(5)
Array = np.ndarray[Any, Any]


class Nielsens:
    """Chapter 3's network2.Network, as far as predictions go: its columns, its sigmoid, its file."""

    def __init__(self, sizes: list[int], cost: str) -> None:
        self.sizes, self.cost = sizes, cost
        self.biases = [RNG.standard_normal((units, 1)) for units in sizes[1:]]
        self.weights = [RNG.standard_normal((units, inputs)) / np.sqrt(inputs) for inputs, units in pairwise(sizes)]

    def feedforward(self, a: Array) -> Array:
        for b, w in zip(self.biases, self.weights, strict=True):
            a = 1.0 / (1.0 + np.exp(-(np.dot(w, a) + b)))
        return a

    def losses(self, a: Array, y: Array) -> float:
        if self.cost == "QuadraticCost":
            return float(0.5 * np.linalg.norm(a - y) ** 2)
        return float(np.sum(np.nan_to_num(-y * np.log(a) - (1 - y) * np.log(1 - a))))

    def content(self) -> dict[str, Any]:
        weights, biases = [w.tolist() for w in self.weights], [b.tolist() for b in self.biases]
        return {"sizes": self.sizes, "weights": weights, "biases": biases, "cost": self.cost}

    def save(self, path: Path) -> Path:
        path.write_text(json.dumps(self.content()))
        return path


@pytest.mark.parametrize("cost", ["QuadraticCost", "CrossEntropyCost"])
@pytest.mark.parametrize("sizes", [[784, 30, 10], [64, 20, 15, 10], [5, 3], [6, 4, 1]])
def test_it_answers_as_his(sizes: list[int], cost: str, tmp_path: Path) -> None:
    his = Nielsens(sizes, cost)
    net = gn.from_nielsen(his.save(tmp_path / "net.json"))
    pixels = RNG.integers(0, 256, (50, sizes[0]), np.uint8)
    columns = [(pixels[i].reshape(-1, 1) / 255).astype(np.float64) for i in range(50)]
    wanted = np.array([his.feedforward(x).ravel() for x in columns])
    for images in (pixels, (pixels / 255).astype(np.float32)):
        np.testing.assert_allclose(net(images), wanted, rtol=0, atol=2e-6)
        if sizes[-1] > 1:
            np.testing.assert_array_equal(net.predict(images), [np.argmax(his.feedforward(x)) for x in columns])
    labels = np.arange(50) % max(sizes[-1], 2)
    targets = np.eye(sizes[-1])[labels] if sizes[-1] > 1 else labels[:, None]
    total = np.mean([his.losses(a[:, None], t[:, None]) for a, t in zip(wanted, targets, strict=True)])
    assert net.evaluate((pixels, labels)).loss == pytest.approx(total, rel=1e-5)
    again = gn.from_nielsen(str(tmp_path / "net.json"))
    np.testing.assert_array_equal(again.parameters, net.parameters)


def test_it_goes_on_training(tmp_path: Path) -> None:
    net = gn.from_nielsen(Nielsens([64, 20, 10], "CrossEntropyCost").save(tmp_path / "net.json"))
    digits = gn.load_dataset("digits")
    net.fit(digits.train, epochs=3, optimizer=gn.SGD(0.5), batch_size=10, seed=1, progress=False)
    assert net.evaluate(digits.validation).accuracy > 0.85
    net.save(tmp_path / "net.safetensors")
    assert (
        gn.Network.load(tmp_path / "net.safetensors").predict(digits.test.images) == net.predict(digits.test.images)
    ).all()


GOOD = Nielsens([4, 3, 2], "QuadraticCost").content()
NAN = [[float("nan")] * 4] * 3


@pytest.mark.parametrize(
    ("change", "where", "expected", "received"),
    [
        ({"sizes": [4]}, ", sizes", "at least two whole numbers above 0", "[4]"),
        ({"sizes": [4, 0, 2]}, ", sizes", "at least two whole numbers above 0", "[4, 0, 2]"),
        ({"sizes": [4, 3.5, 2]}, ", sizes", "at least two whole numbers above 0", "[4, 3.5, 2]"),
        ({"sizes": "4"}, ", sizes", "at least two whole numbers above 0", '"4"'),
        ({"sizes": [4, 3, 3, 2]}, ", weights", "3 arrays, as there are 4 sizes", "2 arrays"),
        ({"sizes": [10**12, 3, 2]}, ", weights[0]", "numbers of shape (3, 1000000000000)", "shape (3, 4)"),
        ({"sizes": [4, 2, 2]}, ", weights[0]", "numbers of shape (2, 4)", "shape (3, 4)"),
        ({"weights": {}}, ", weights", "2 arrays", "{}"),
        ({"weights": [GOOD["weights"][0], [[1, 2], [3, 4, 5]]]}, ", weights[1]", "numbers of shape (2, 3)", "inhomogeneous"),
        ({"weights": [[["x"] * 4] * 3, GOOD["weights"][1]]}, ", weights[0]", "numbers of shape (3, 4)", "could not convert"),
        ({"weights": [NAN, GOOD["weights"][1]]}, ", weights[0]", "finite numbers", "nan"),
        ({"weights": [[[1e39] * 4] * 3, GOOD["weights"][1]]}, ", weights[0]", "finite numbers", "1e+39"),
        ({"biases": [[1, 2, 3], [1, 2]]}, ", biases[0]", "numbers of shape (3, 1)", "shape (3,)"),
        ({"cost": "LogLikelihood"}, ", cost", "QuadraticCost | CrossEntropyCost", '"LogLikelihood"'),
        ({"cost": ["QuadraticCost"] * 20}, ", cost", "QuadraticCost | CrossEntropyCost", " …"),
        ({"cost": None}, ", cost", "QuadraticCost | CrossEntropyCost", "null"),
    ],
)
def test_what_is_no_network(change: dict[str, Any], where: str, expected: str, received: str, tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(json.dumps(GOOD | change))
    with pytest.raises(ModelFileError, match=r"network saved by Nielsen's network2\.py") as caught:
        gn.from_nielsen(path)
    assert str(caught.value.where) == f"{path}{where}"
    assert expected in str(caught.value.expected)
    assert received in str(caught.value.received)


@pytest.mark.parametrize(
    ("content", "expected", "received"),
    [
        (None, "a JSON file", "No such file"),
        (b"", "a JSON file", "Expecting value"),
        (b'{"sizes": [4,', "a JSON file", "Expecting value"),
        (b"\xff\xfe", "a JSON file", "decode"),
        (b"[" * 100_000, "a JSON file", "recursion"),
        (b"[1, 2]", "a JSON object with sizes, weights, biases, cost", "no sizes, weights, biases, cost"),
        (b'{"sizes": [4, 2], "weights": []}', "a JSON object with", "no biases, cost"),
    ],
)
def test_what_is_no_such_file(content: bytes | None, expected: str, received: str, tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelFileError) as caught:
        gn.from_nielsen(path)
    assert caught.value.where == path
    assert expected in str(caught.value.expected)
    assert received in str(caught.value.received)
