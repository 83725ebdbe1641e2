"""Networks in the browser: the programs that Python lowered for it, run by the kernels in WebAssembly."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassnet.errors import GlassnetError
from glassnet.kernels.codegen.wasm import MODULES, section, versions
from glassnet.kernels.sources import digest_of_sources
from glassnet.network import Network
from glassnet.nn import Layer
from glassnet.nn.optimizers import SGD
from glassnet.present.page.lowering import Job, layer_paths
from glassnet.present.page.model import kernels, payload_of
from glassnet.runtime import StepPlan, make_trainer
from tests.contract.test_layers import CASES, around, images
from tests.page import entry_of, open_models

OPTIMIZER = SGD(0.01, momentum=0.9)  # Adam would make large steps of the rounding errors of gradients that are 0
SEE = "([i, x]) => { const r = models[i].see(x); return [r.values.map((v) => [...v]), [...r.probabilities], r.index]; }"
LEARN = """([i, x, label]) => {
  const r = models[i].learn(x, label);
  return [r.loss, [...r.gradients], r.deltas.map((d) => d && [...d]), r.image && [...r.image]];
}"""
TRAIN = """([i, x, labels, batch, rate, epochs]) => {
  const model = models[i];
  const trainer = new Trainer(model, Float32Array.from(x), labels, { batch });
  trainer.beginEpoch = () => { trainer.step = 0; };
  for (let step = 0; step < epochs * trainer.steps;) step += trainer.run(rate, 100);
  const found = [...model.parameters];
  model.reset();
  return found;
}"""


class Opened:
    """One network for each layer of the contract test, in the browser and here."""

    def __init__(self, browser: Any, folder: Path) -> None:
        self.networks = {name: around(*cases[0]) for name, cases in CASES.items()}
        self.rows: dict[str, Any] = {}
        for name, net in self.networks.items():
            x = images(CASES[name][0][1], 12)
            self.rows[name] = np.float32(np.abs(x) / np.abs(x).max() if net.takes_pixels else x)
            net.adapt(self.rows[name])
            for layer in net.layers:
                for key in layer.running:
                    layer.statistics[key][...] = np.random.default_rng(2).uniform(0.5, 2, layer.statistics[key].shape)
        jobs = [Job("show", is_bytes=False), Job("train", 4, is_bytes=False, optimizer=OPTIMIZER)]
        self.page = open_models(
            browser, folder, *payload_of([(net, jobs, *entry_of(net, is_bytes=False)) for net in self.networks.values()])
        )
        self.places = {name: number for number, name in enumerate(self.networks)}

    def ask(self, script: str, name: str, *arguments: Any) -> Any:
        return self.page.evaluate(script, [self.places[name], *arguments])


@pytest.fixture(scope="module")
def opened(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    found = Opened(browser, tmp_path_factory.mktemp("models"))
    yield found
    found.page.close()


@pytest.mark.parametrize("name", CASES)
def test_every_layer_shows_what_it_computes_in_python(opened: Opened, name: str) -> None:
    net = opened.networks[name]
    exact = net.astype("float64")
    for row in opened.rows[name][:2]:
        values, probabilities, index = opened.ask(SEE, name, row.ravel().tolist())
        np.testing.assert_allclose(probabilities, net.predict_proba(row[None])[0], atol=1e-5)
        assert index == net.predict(row[None])[0]
        wanted = dict(outputs_of(exact, row[None]))
        paths = opened.page.evaluate("(i) => models[i].lowered('show').seen.map(({ path }) => path)", opened.places[name])
        assert set(paths) == {path for path, _ in layer_paths(net.layers)}
        for path, found in zip(paths, values, strict=True):
            np.testing.assert_allclose(found, wanted[path].ravel(), rtol=1e-4, atol=2e-5, err_msg=path)


def outputs_of(net: Any, x: Any) -> Iterator[tuple[str, Any]]:
    """The output of each layer, those inside others too, by its path."""

    def walk(layers: Any, x: Any, before: str) -> Iterator[tuple[str, Any]]:
        for number, layer in enumerate(layers):
            for which, branch in enumerate(layer.branches):
                yield from walk(branch, x, f"{before}{number}.{which}.")
            x = np.asarray(layer.forward(x)[0], np.float64)
            yield f"{before}{number}", x

    yield from walk(net.layers, x.astype(np.float64).reshape(1, *net.input_shape), "")


@pytest.mark.parametrize("name", CASES)
def test_gradients_in_the_page_are_those_of_the_definition(opened: Opened, name: str, relative_error: Any) -> None:
    net, row = opened.networks[name], opened.rows[name][3]
    exact = net.astype("float64")
    loss, gradient = net.loss_and_gradient(row[None], np.array([1]))
    found, gradients, _, image = opened.ask(LEARN, name, row.ravel().tolist(), 1)
    assert found == pytest.approx(loss, rel=1e-5)
    assert relative_error(np.array(gradients), gradient) < 1e-4
    z, back = exact.forward(exact.rows(row[None]), stop=exact.layers_before_loss)
    wanted = back(exact.loss.value_and_gradient(z, exact.loss.targets(np.array([1]), 3, np.float64))[1])[0]
    assert relative_error(np.array(image), wanted.ravel()) < 1e-4


@pytest.mark.parametrize("name", [name for name in CASES if name != "Dropout"])  # which draws other random numbers
def test_training_in_the_page_ends_where_training_in_python_does(opened: Opened, name: str, relative_error: Any) -> None:
    net, rows, labels = opened.networks[name], opened.rows[name], np.arange(12) % 3
    found = opened.ask(TRAIN, name, rows.ravel().tolist(), labels.tolist(), 4, 0.01, 3)
    twin = copy.deepcopy(net)
    trainer = make_trainer(twin, twin.rows(rows), labels, StepPlan(batch_size=4, optimizer=OPTIMIZER, threads=1))
    for epoch in range(3):
        trainer.begin_epoch(np.arange(12), np.full(3, 0.01), np.random.default_rng(0))
        trainer.run(0, 3, 3 * epoch)
    trainer.close()
    assert relative_error(np.array(found), twin.state) < 1e-4


def test_bytes_are_scaled_as_in_python(browser: Any, tmp_path: Path) -> None:
    net = Network([64, 12, 10], seed=2)
    rows = np.random.default_rng(1).integers(0, 256, (3, 64), np.uint8)
    page = open_models(browser, tmp_path, *payload_of([(net, [Job("show")], *entry_of(net, is_bytes=True))]))
    for row, wanted in zip(rows, net.predict_proba(rows), strict=True):
        values, probabilities, _ = page.evaluate(SEE, [0, row.tolist()])
        np.testing.assert_allclose(probabilities, wanted, atol=1e-6)
        np.testing.assert_allclose(values[1], row / 255, rtol=1e-6)
        np.testing.assert_allclose(values[-1], net(row[None])[0], rtol=1e-4)


def test_a_network_that_the_kernels_do_not_know_is_refused() -> None:
    class Twice(Layer):
        def forward(self, x: Any, *, training: bool = False, rng: Any = None) -> Any:
            return 2 * x, lambda dy: (2 * dy, {})

    net = Network([Twice()], input_shape=(3,), loss="SoftmaxCrossEntropy")
    with pytest.raises(GlassnetError, match="can't compute this network"):
        payload_of([(net, [Job("show", optimizer=SGD(0.1))], *entry_of(net, is_bytes=False))])


@pytest.mark.parametrize("name", MODULES)
def test_modules_are_made_from_the_kernels_as_they_are(name: str) -> None:
    assert bytes(kernels(name)).endswith(digest_of_sources().encode()), "the kernels have changed: make wasm"


@pytest.mark.parametrize("name", MODULES)
def test_modules_are_made_anew_to_the_same_bytes(name: str, tmp_path: Path) -> None:
    if not bytes(kernels(name)).endswith(section(versions())):
        pytest.skip("the module was made by other versions than " + versions())
    environment = {**os.environ, "GLASSNET_SIMD": "wasm"}
    command = [sys.executable, "-m", "glassnet.kernels.codegen.wasm", str(tmp_path / name)]
    subprocess.run(command, env=environment, check=True)
    assert (tmp_path / name).read_bytes() == bytes(kernels(name)), "make wasm"
