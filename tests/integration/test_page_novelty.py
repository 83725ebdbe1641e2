"""The page measures novelty as Python does, and finds the same nearest training images, from the same layers' outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import glassnet as gn
from benchmarks.page_prepare import joined
from glassnet.runtime.features import HiddenFeatures, hidden_depths

SPLITS = gn.load_dataset("digits")
CALL = """([known, outputs]) => {
  const [mean, components] = [Float32Array.from(known.mean), Uint16Array.from(known.components)];
  return outputs.map(makeNovelty({...known, mean, components, references: Int8Array.from(known.references)}, 3));
}"""


@pytest.fixture(scope="module")
def network() -> gn.Network:
    layers = [gn.Pixels(), gn.Conv2D(8, 3, padding="same"), gn.ReLU(), gn.MaxPool2D(2), gn.Conv2D(16, 3), gn.ReLU()]
    layers += [gn.Flatten(), gn.Dense(20), gn.ReLU(), gn.Dense(10)]
    net = gn.Network(layers, input_shape=(8, 8, 1), loss="SoftmaxCrossEntropy", seed=1)
    net.fit(SPLITS.train, 6, optimizer="Adam", seed=1, progress=False, statistics=False)
    net.fit_novelty(SPLITS.train, SPLITS.validation)
    return net


@pytest.mark.parametrize("small", [False, True])
def test_the_page_measures_the_same_novelty(browser: Any, network: gn.Network, small: bool) -> None:
    novelty, depths = network.fitted_novelty, hidden_depths(network)
    assert novelty is not None
    features = HiddenFeatures(network, depths)
    if small:
        train, held_out = (features(network.rows(part.images)) for part in (SPLITS.train[:300], SPLITS.validation))
        novelty = novelty.subset(train, held_out, 20)
    noise = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1)).astype(np.uint8)
    images = np.concatenate([SPLITS.test.images[:6], noise, SPLITS.train.images[:2]])
    rows = network.rows(images)
    outputs = [network.forward(rows, stop=depth)[0] for depth in range(1, depths[-1] + 1)]
    known = {
        "mean": novelty.mean.tolist(),
        "components": novelty.components.view(np.uint16).ravel().tolist(),
        "references": novelty.references.ravel().tolist(),
        "step": novelty.step,
        "outside": novelty.outside,
        "limit": novelty.limit,
        "depths": list(depths),
        "shapes": [list(network.shapes[depth]) for depth in depths],
    }
    page = browser.new_page()
    page.add_script_tag(content=joined(("novelty",)) + "\nwindow.makeNovelty = makeNovelty;", type="module")
    page.wait_for_function("() => Boolean(window.makeNovelty)")
    found = page.evaluate(CALL, [known, [[layer[i].ravel().tolist() for layer in outputs] for i in range(len(images))]])
    page.close()
    x = features(rows)
    wanted = novelty.of(x)
    np.testing.assert_allclose([one["novelty"] for one in found], wanted, rtol=1e-3, atol=1e-3)
    assert [one["novelty"] > 1 for one in found] == list(wanted > 1)
    assert [one["nearest"][0] for one in found[-2:]] == [0, 1]  # of a training image, it is that image
    z = (x - novelty.mean) @ novelty.components.astype(np.float32)
    away = np.linalg.norm(z[:, None] - novelty.step * novelty.references[None].astype(np.float64), axis=-1)
    for one, distances in zip(found, away, strict=True):
        np.testing.assert_allclose(distances[one["nearest"]], np.sort(distances)[:3], rtol=1e-4)


def test_half_precision_is_read_exactly(browser: Any) -> None:
    values = np.array([0, -0.0, 1, -2.5, 6e-8, 1e-5, 65504, -0.1], np.float16)
    page = browser.new_page()
    page.add_script_tag(content=joined(("novelty",)) + "\nwindow.fromHalves = fromHalves;", type="module")
    page.wait_for_function("() => Boolean(window.fromHalves)")
    found = page.evaluate("bits => [...fromHalves(Uint16Array.from(bits))]", values.view(np.uint16).tolist())
    page.close()
    assert found == values.astype(float).tolist()
