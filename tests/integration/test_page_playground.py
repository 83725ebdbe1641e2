"""The playground in Chromium: the same steps as in Python, what it says of trainings that fail, axe, keyboard, both languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.nn.optimizers import SGD, Adam, Optimizer
from glassnet.nn.penalties import L2
from glassnet.present.page.playground import Choice, playground_payload, write_playground
from glassnet.runtime import CompiledTrainer

STEPS = 500
CHOICES = [
    (Choice("dense", 1, 30, "Sigmoid", "SoftmaxCrossEntropy"), "SGD", SGD(0.5), 0.5, 0.0),
    (Choice("dense", 2, 10, "Tanh", "Quadratic"), "momentum", SGD(0.1, momentum=0.9), 0.1, 1e-3),
    (Choice("conv", 1, 4, "ReLU", "SoftmaxCrossEntropy"), "Adam", Adam(0.001), 0.001, 1e-4),
    (Choice("rnn", 1, 8, "Tanh", "SoftmaxCrossEntropy"), "SGD", SGD(0.1), 0.1, 0.0),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_playground(tmp_path_factory.mktemp("playground") / "playground.html")


@pytest.fixture
def page(browser: Any, path: Path) -> Iterator[Any]:
    yield from opened(browser, path)


def opened(browser: Any, path: Path, width: int = 1440, theme: str = "light", locale: str = "en-GB") -> Iterator[Any]:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, offline=True, locale=locale, color_scheme=theme, reduced_motion="reduce"
    )
    found, asked = context.new_page(), []
    faults: list[str] = []
    found.on("pageerror", lambda error: faults.append(str(error)))
    found.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    found.on("request", lambda request: asked.append(request.url))
    found.goto(path.as_uri())
    found.evaluate("glassnet.ready")
    yield found
    assert faults == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    context.close()


# ------------------------------------------------------------------ numbers


TRAINED = """async ([settings, parameters, steps]) => {
  await glassnet.ready;
  const trial = await glassnet.trial(settings), { model, trainer } = trial;
  model.parameters.set(Float32Array.from(parameters));
  const orders = [];
  for (let left = steps; left > 0;) {
    if (trainer.step >= trainer.steps) {
      trainer.beginEpoch(settings.rate);
      orders.push(Array.from(new BigInt64Array(model.machine.buffer, trainer.order, trainer.count), Number));
    }
    left -= trainer.run(settings.rate, left);
  }
  return { orders, parameters: Array.from(model.parameters), batch: trainer.batch };
}"""


@pytest.mark.parametrize(("choice", "name", "optimizer", "rate", "l2"), CHOICES, ids=lambda value: getattr(value, "name", None))
def test_steps_in_the_page_are_those_of_python(
    page: Any, choice: Choice, name: str, optimizer: Optimizer, rate: float, l2: float
) -> None:
    """500 steps from the same parameters, on the same images in the same order: the parameters differ by less than 1e-4."""
    penalty = L2(l2) if l2 else None
    network = gn.Network(choice.layers(), loss=choice.loss, input_shape=(8, 8, 1), seed=3, regularizer=penalty)
    settings = {"network": choice.name, "optimizer": name, "rate": rate, "batch": 10, "l2": l2, "images": 300, "seed": 7}
    found = page.evaluate(TRAINED, [settings, network.parameters.tolist(), STEPS])
    assert found["batch"] == 10
    for order in found["orders"]:
        assert sorted(order) == list(range(300))
    assert found["orders"][0] != found["orders"][1]
    images, labels = _first_images(page)
    trainer = CompiledTrainer(network, images, labels, optimizer, 10)
    left = STEPS
    for order in found["orders"]:
        count = min(left, 30)
        trainer.run_epoch(np.array(order, np.int64)[: 10 * count], np.full(count, rate))
        left -= count
    assert np.abs(network.parameters - np.array(found["parameters"])).max() < 1e-4


def _first_images(page: Any) -> tuple[Any, Any]:
    samples = page.evaluate("""async () => {
      const { samples } = (await glassnet.trial({ images: 300 })).model;
      return { images: Array.from(samples.images), labels: Array.from(samples.labels) };
    }""")
    return np.array(samples["images"], np.uint8).reshape(-1, 8, 8, 1), np.array(samples["labels"])
