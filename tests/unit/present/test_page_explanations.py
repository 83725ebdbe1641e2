"""The sums that the page shows behind every number, recomputed in JavaScript, are what the kernels computed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassnet.network import Network
from glassnet.nn import LAYERS, Dense, Sigmoid, Softmax
from glassnet.present.page.bundle import bundle
from glassnet.present.page.lowering import Job, lower_for_page
from glassnet.present.page.model import describe_network, kernels
from glassnet.present.page.write import MODULES, joined
from tests.contract.test_layers import CASES, around, images

ENTRY = Path(__file__).with_name("page_explanations.js")


def page_of_networks(networks: list[tuple[Network, Any]], folder: Path) -> Path:
    """A page that checks networks, each with an image."""
    lowered, context = lower_for_page([(net, [Job("show", is_bytes=image.dtype == np.uint8)]) for net, image in networks])
    arrays, entries = {"wasm": kernels()}, []
    for number, ((net, image), (program,)) in enumerate(zip(networks, lowered, strict=True)):
        shape = (*image.shape, 1, 1)[:3]
        own = {"state": net.state, "samples": image.reshape(-1), "labels": np.zeros(1, np.int32)}
        own |= {f"show.{name}": array for name, array in program.arrays.items()}
        programs = {"show": {**program.fields, "arrays": {name: f"show.{name}" for name in program.arrays}}}
        entry = {
            **describe_network(net),
            "name": str(number),
            "key": str(number),
            "shape": shape,
            "style": None,
            "samples": 1,
        }
        entries.append({**entry, "bytes": image.dtype == np.uint8, "programs": programs})
        arrays |= {f"{number}.{name}": array for name, array in own.items()}
    packed = bundle({"context": context, "models": entries}, arrays)
    source = folder / "js"
    shutil.copytree(MODULES, source)
    shutil.copy(ENTRY, source / "entry.js")
    page = folder / "page.html"
    page.write_text(
        f'<!doctype html><script type="application/json" id="texts">{{}}</script>'
        f'<script type="text/plain" id="bundle">{packed}</script><script type="module">{joined("entry.js", source)}</script>',
        encoding="utf-8",
    )
    return page


@pytest.fixture(scope="module")
def checked(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the page found of a network for each case of the contract, by the case."""
    rng, networks, names = np.random.default_rng(6), [], []
    for name, cases in CASES.items():
        for number, (factory, shape) in enumerate(cases):
            net = around(factory, shape)
            x = np.abs(images(shape, 20))
            x = (x / x.max()).astype(np.float32) if number % 2 else (80 * x).clip(0, 255).astype(np.uint8)
            net.adapt(x)
            for slot in net.slots:  # biases and scales too
                part = slot.part(net.state)
                part += 0.3 * rng.standard_normal(part.shape).astype(np.float32)
            networks.append((net, x[0]))
            names.append(f"{name} {number}")
    flat = [LAYERS["Flatten"](), LAYERS["Pixels"](), Dense(6), Sigmoid(), Dense(3)]
    for loss, last in (("CrossEntropy", Sigmoid()), ("SoftmaxCrossEntropy", Softmax()), ("Quadratic", Sigmoid())):
        layers = [type(layer)(*([layer.units] if isinstance(layer, Dense) else [])) for layer in flat]
        net = Network([*layers, last], input_shape=(4, 4, 1), loss=loss, seed=2)
        networks.append((net, rng.integers(0, 255, (4, 4, 1), dtype=np.uint8)))
        names.append(loss)
    page = browser.new_page()
    page.goto(page_of_networks(networks, tmp_path_factory.mktemp("sums")).as_uri())
    told = json.loads(page.evaluate("window.tested.then(JSON.stringify)"))
    page.close()
    return {"kinds": told["kinds"], **dict(zip(names, told["found"], strict=True))}


def test_every_kind_of_layer_has_an_explanation(checked: dict[str, Any]) -> None:
    assert set(LAYERS) <= set(checked["kinds"])


def test_sums_are_what_the_kernels_computed(checked: dict[str, Any]) -> None:
    found = {name: one["worst"] for name, one in checked.items() if name != "kinds"}
    assert {name: worst for name, worst in found.items() if worst[0] > 1e-4} == {}
    seen = set().union(*(one["kinds"] for name, one in checked.items() if name != "kinds"))
    assert set(LAYERS) <= seen


def test_each_number_of_a_sum_is_that_of_its_source(checked: dict[str, Any]) -> None:
    found = {name: one["sources"] for name, one in checked.items() if name != "kinds"}
    assert {name: sources for name, sources in found.items() if sources[1] or not sources[0]} == {}
