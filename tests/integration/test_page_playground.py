"""The playground in Chromium: the same steps as in Python, what it says of trainings that fail, axe, keyboard."""

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
from glassnet.runtime import ReferenceTrainer, StepPlan
from tests.page import axe_violations
from tests.waiting import until

STEPS = 500
CHOICES = [
    (Choice("dense", 1, 30, "Sigmoid", "SoftmaxCrossEntropy"), "SGD", SGD(0.5), 0.5, 0.0),
    (Choice("dense", 2, 10, "Tanh", "Quadratic"), "momentum", SGD(0.1, momentum=0.9), 0.1, 1e-3),
    (Choice("conv", 1, 4, "ReLU", "SoftmaxCrossEntropy"), "Adam", Adam(0.001), 0.001, 1e-4),
    (Choice("rnn", 1, 8, "Tanh", "SoftmaxCrossEntropy"), "SGD", SGD(0.01), 0.01, 0.0),
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


def trained(page: Any, steps: int = 500) -> None:
    """Wait until more than so many steps were taken and the training has ended."""
    until(lambda: page.evaluate(f"!glassnet.playground.running && glassnet.playground.trial.taken > {steps}"))


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


@pytest.mark.parametrize(
    ("choice", "name", "optimizer", "rate", "l2"), CHOICES, ids=lambda value: getattr(value, "name", None)
)
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
    trainer = ReferenceTrainer(network, network.rows(images), labels, StepPlan(batch_size=10, optimizer=optimizer))
    rng, taken = np.random.default_rng(0), 0
    for order in found["orders"]:
        count = min(STEPS - taken, len(order) // 10)
        trainer.begin_epoch(np.array(order, np.int64), np.full(len(order) // 10, rate), rng)
        trainer.run(0, count, taken)
        taken += count
    trainer.close()
    assert taken == STEPS
    assert np.abs(network.parameters - np.array(found["parameters"])).max() < 1e-4


def _first_images(page: Any) -> tuple[Any, Any]:
    samples = page.evaluate("""async () => {
      const { samples } = (await glassnet.trial({ images: 300 })).model;
      return { images: Array.from(samples.images), labels: Array.from(samples.labels) };
    }""")
    return np.array(samples["images"], np.uint8).reshape(-1, 8, 8, 1), np.array(samples["labels"])


DRAWN = """async ([name, initializer]) => {
  await glassnet.ready;
  const { model } = await glassnet.trial({ network: name, initializer });
  return model.layers.flatMap(({ path, parameters }) =>
    Object.keys(parameters).map((key) => [key, Array.from(model.parameter(path, key))]));
}"""


@pytest.mark.parametrize(
    ("initializer", "deviation"),
    [
        ("Normal", 1.0),
        ("LecunNormal", (1 / 64) ** 0.5),
        ("GlorotUniform", (6 / 164) ** 0.5 / 3**0.5),
        ("HeNormal", (2 / 64) ** 0.5),
        ("HeUniform", (6 / 64) ** 0.5 / 3**0.5),
        ("Uniform", 0.05 / 3**0.5),
    ],
)
def test_initial_weights_have_the_spread_of_their_formula(page: Any, initializer: str, deviation: float) -> None:
    """6,400 weights: the mean within 4 standard errors of zero, the standard deviation within 5 % (5 standard errors)."""
    key, values = page.evaluate(DRAWN, ["dense-1-100-ReLU-SoftmaxCrossEntropy", initializer])[0]
    assert (key, len(values)) == ("weight", 6400)
    assert abs(np.mean(values)) < 4 * deviation / 80
    assert np.std(values) == pytest.approx(deviation, rel=0.05)
    assert "Uniform" not in initializer or np.abs(values).max() <= deviation * 3**0.5
    key, values = page.evaluate(DRAWN, ["dense-1-100-ReLU-SoftmaxCrossEntropy", initializer])[1]
    assert (key, bool(np.any(values))) == ("bias", initializer == "Normal")


def test_recurrent_weights_start_orthogonal(page: Any) -> None:
    drawn = dict(page.evaluate(DRAWN, ["rnn-1-16-Tanh-SoftmaxCrossEntropy", "HeNormal"])[:3])
    u = np.array(drawn["recurrent_weight"]).reshape(16, 16)
    assert np.abs(u @ u.T - np.eye(16)).max() < 1e-6


def test_the_page_is_small_and_has_all_choices(path: Path) -> None:
    header, arrays = playground_payload()
    assert path.stat().st_size < 1_000_000
    assert len(header["networks"]) == 104
    counts = [len(arrays[f"{part}.labels"]) for part in ("train", "validation", "test")]
    assert sum(counts) == 1797
    assert min(np.bincount(arrays["train.labels"][:30])) == 3  # the first images are as many of each class


# ------------------------------------------------------------------ what it says


EXAMPLES = {
    "A good start": "It has learnt",
    "Rate 100": "Saturated units",
    "Dying ReLUs": "Dead ReLUs",
    "Vanishing gradients": "Vanishing gradients",
    "Equal weights": "All units are equal",
    "Overfitting": "Overfitting",
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_shows_what_its_name_says(page: Any, example: str) -> None:
    page.get_by_role("button", name=example, exact=True).click()
    trained(page)
    assert page.inner_text(".finding h2") == EXAMPLES[example]


def test_a_diverged_training_stops_and_says_so(page: Any) -> None:
    for name, value in {
        "activation": "ReLU",
        "loss": "SoftmaxCrossEntropy",
        "initializer": "Normal",
        "rate": "100",
        "l2": "0.1",
    }.items():
        page.select_option(f"select[name={name}]", value)
    page.get_by_role("button", name="Train", exact=True).click()
    trained(page, 0)
    assert page.inner_text(".finding h2") in ("The loss is not finite", "Dead ReLUs", "The learning rate is too high")


def test_what_is_shown_is_what_the_network_does(page: Any) -> None:
    """Accuracy in words, confusion matrix and the answer to a drawing agree with the network's predictions."""
    page.get_by_role("button", name="A good start", exact=True).click()
    trained(page)
    right, count = page.evaluate("""() => {
      const { model } = glassnet.playground.trial;
      const [images, labels] = [model.array("validation.images"), model.array("validation.labels")];
      const right = labels.filter((label, i) => model.see(images.subarray(64 * i, 64 * i + 64)).index === label);
      return [right.length, labels.length];
    }""")
    assert f"{100 * right / count:.1f} % of the validation images" in page.inner_text(".finding")
    diagonal = page.locator("table.confusion td.right").all_inner_texts()
    assert sum(int(text or 0) for text in diagonal) == right
    assert page.inner_text("#test .result") == ""
    page.get_by_role("button", name="Open the test set").click()
    assert "of 268 test images are classified correctly" in page.inner_text("#test .result")


# ------------------------------------------------------------------ the page


@pytest.mark.parametrize(
    ("width", "theme", "locale"),
    [(390, "light", "zh-CN"), (390, "dark", "en-GB"), (1440, "light", "en-GB"), (1440, "dark", "zh-CN")],
)
def test_axe_finds_nothing(browser: Any, path: Path, width: int, theme: str, locale: str) -> None:
    for page in opened(browser, path, width, theme, locale):
        for example in (0, 2):  # one that learns, one with a finding
            page.locator(".examples button").nth(example).click()
            trained(page)
            assert axe_violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_by_keyboard_alone(page: Any) -> None:
    """Tab reaches the settings and buttons; a choice, training, a pause, a step, a drawing, and the other language."""

    def reach(selector: str) -> None:
        for _ in range(80):
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"not reached: {selector}")

    reach("select[name=rate]")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("glassnet.playground.trial.settings.rate") == 0.3
    page.locator("body").click(position={"x": 1, "y": 1})
    reach(".run .main")
    page.keyboard.press("Space")
    trained(page)
    before = page.evaluate("glassnet.playground.trial.taken")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("glassnet.playground.trial.taken") == before + 1
    reach("canvas[role=application]")
    for key in ("Space", *["ArrowDown"] * 6):
        page.keyboard.press(key)
    until(lambda: page.evaluate("document.querySelector('.answer .best strong').textContent !== '–'"))
