"""The sums that the page shows behind every number, recomputed in JavaScript, are what the kernels computed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassnet.network import Network
from glassnet.nn import LAYERS, Dense, Flatten, Sigmoid, Softmax
from glassnet.present.page.bundle import bundle
from glassnet.present.page.lowering import Job, lower_for_page
from glassnet.present.page.model import describe_network, kernels
from glassnet.present.page.write import MODULES, joined
from tests.contract.test_layers import CASES, around, images

ENTRY = """
import { Anatomy, numberOf } from "./anatomy.js";
import { openBundle } from "./bundle.js";
import { countOf, explanationOf, kindsOfLayers, valueOf, valuesOf } from "./explanations.js";
import { Model } from "./model.js";
import { GATES } from "./recurrence.js";
import { totalOf } from "./terms.js";

/** Every number of a network, and of the gates inside it: the farthest recomputed value, the refused sources. */
const check = (model, pixels) => {
  const anatomy = new Anatomy(model);
  anatomy.look(pixels, model.see(pixels));
  const found = { kinds: {}, worst: [0, ""], sources: [0, 0, ""] };
  const recurrent = (node, part) => [...GATES[node.type].map((gate) => `${gate}.into`), ...part];
  for (const node of [anatomy.input, ...anatomy.nodes.values(), ...anatomy.chain.filter((one) => one.answers)]) {
    const more = { SimpleRNN: ["h"], LSTM: ["h", "c"], GRU: ["h", "m"] }[node.type];
    for (const part of ["y", ...(more ? recurrent(node, more) : [])]) {
      const values = valuesOf(node, part);
      const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      for (let at = 0; at < countOf(node, part); at += 1) {
        const explained = explanationOf(numberOf(node, at, part));
        const wanted = valueOf(numberOf(node, at, part));
        const sizes = explained.terms ? totalOf(explained.terms.values.map(Math.abs)) : 0;
        const error = Math.abs(explained.value - wanted) / (Math.abs(wanted) + 1e-2 * sizes + 1e-3 * largest || 1);
        if (!(error <= found.worst[0])) found.worst = [error, `${node.name} ${part} ${at}: ${explained.value} for ${wanted}`];
        const parts = [...(explained.lines ?? []).flat()];
        if (explained.terms) for (let k = 0; k < Math.min(50, explained.terms.values.length); k += 1) parts.push(...explained.terms.parts(k));
        for (const { value, source } of parts) {
          if (!source) continue;
          found.sources[0] += 1;
          const there = valueOf(source);
          if (!(Math.abs(there - value) <= 1e-6 * Math.abs(there))) found.sources = [found.sources[0], found.sources[1] + 1, `${node.name} ${part} ${at}`];
        }
        if (node.type !== "Image" && !parts.some(({ source }) => source) && !explained.pictures?.length && part === "y" && wanted !== 0) {
          found.sources = [found.sources[0], found.sources[1] + 1, `${node.name} ${at} comes from nowhere`];
        }
      }
      found.kinds[node.type] = (found.kinds[node.type] ?? 0) + values.length;
    }
  }
  return found;
};

window.tested = (async () => {
  const { header, arrays, module } = await openBundle(document.getElementById("bundle").textContent);
  const found = [];
  for (const entry of header.models) {
    const model = await Model.create(module, entry, arrays, header.context);
    found.push(check(model, model.samples.images));
  }
  return { found, kinds: kindsOfLayers() };
})();
"""


def page_of_networks(networks: list[tuple[Network, Any]], folder: Path) -> Path:
    """A page that checks networks, each with an image."""
    lowered, context = lower_for_page([(net, [Job("show", is_bytes=image.dtype == np.uint8)]) for net, image in networks])
    arrays, entries = {"wasm": kernels()}, []
    for number, ((net, image), (program,)) in enumerate(zip(networks, lowered, strict=True)):
        shape = (*image.shape, 1, 1)[:3]
        own = {"state": net.state, "samples": image.reshape(-1), "labels": np.zeros(1, np.int32)}
        own |= {f"show.{name}": array for name, array in program.arrays.items()}
        programs = {"show": {**program.fields, "arrays": {name: f"show.{name}" for name in program.arrays}}}
        entry = {**describe_network(net), "name": str(number), "key": str(number), "shape": shape, "style": None, "samples": 1}
        entries.append({**entry, "bytes": image.dtype == np.uint8, "programs": programs})
        arrays |= {f"{number}.{name}": array for name, array in own.items()}
    packed = bundle({"context": context, "models": entries}, arrays)
    source = folder / "js"
    shutil.copytree(MODULES, source)
    (source / "entry.js").write_text(ENTRY)
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
