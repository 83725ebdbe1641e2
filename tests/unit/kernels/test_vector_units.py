"""Narrower vector units than this processor's: the same kernels, compiled for each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import glassnet as gn
from glassnet.kernels.codegen.host import UNITS
from tests.unit.kernels.test_bfloat16 import MAKERS, OPTIONS

TRAINED = """
import json
import numpy as np
from glassnet.kernels.codegen.host import UNIT
from glassnet.nn import GELU, Dense, Dropout, Flatten, Pixels, ReLU
from glassnet.nn.losses import SoftmaxCrossEntropy
from glassnet.network import Network
from glassnet.nn.optimizers import SGD, Adam

rng = np.random.default_rng(1)
errors = {}
for kind in ("uint8", "float32"):
    images = rng.integers(1, 256, (37, 13, 7, 1)) * (rng.random((37, 13, 7, 1)) < 0.3)
    images = images.astype(np.uint8) if kind == "uint8" else (images / 255).astype(np.float32)
    for optimizer in (SGD(0.1), Adam(0.01, clip_norm=1.0)):
        layers = [Flatten(), Pixels(), Dense(19), GELU(), Dropout(0.2), Dense(23), ReLU(), Dense(5)]
        net = Network(layers, loss=SoftmaxCrossEntropy(), input_shape=(13, 7, 1), seed=2)
        exact = net.astype("float64")
        for each in (net, exact):
            each.fit((images, np.arange(37) % 5), epochs=2, batch_size=10, optimizer=optimizer, seed=3, threads=2)
        scale = float(np.abs(exact.parameters).max())
        errors[f"{kind} {optimizer}"] = float(np.abs(net.parameters - exact.parameters).max()) / scale
        errors[f"{kind} {optimizer} outputs"] = float(np.abs(net(images) - exact(images)).max())
    alone = np.concatenate([net(images[number : number + 1]) for number in range(len(images))])
    assert alone.tobytes() == net(images).tobytes()
print(json.dumps({"unit": UNIT.name, "errors": errors}))
"""


EMULATED = """
import json, warnings
import glassnet as gn
from tests.unit.kernels.test_bfloat16 import MAKERS, OPTIONS
data, found = gn.load_dataset("digits"), {{}}
for maker in {makers!r}:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        net = MAKERS[maker]()
        net.fit(data.train, **OPTIONS, optimizer=gn.SGD(0.1), threads=2, precision="bfloat16")
    found[maker] = [[str(one.message) for one in told], net.parameters.tolist()]
print(json.dumps(found))
"""
MAKERS_OF = {"avx2": ("dense", "lstm"), "scalar": ("dense",)}


@pytest.fixture(scope="module", params=MAKERS_OF)
def narrow(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A narrower unit, and a cache of its own for the kernels, which its tests compile once."""
    return request.param, tmp_path_factory.mktemp("kernels")


def run(program: str, narrow: tuple[str, Path]) -> subprocess.CompletedProcess[str]:
    name, cache = narrow
    path = os.pathsep.join([str(Path(__file__).parents[3] / "src"), *sys.path])
    environment = dict(os.environ, GLASSNET_SIMD=name, GLASSNET_CACHE=str(cache), PYTHONPATH=path)
    environment.pop("GLASSNET_KERNELS", None)
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done


def test_training_agrees_with_the_reference(narrow: tuple[str, Path]) -> None:
    name, cache = narrow
    is_first = not list(cache.iterdir())
    done = run(TRAINED, narrow)
    found = json.loads(done.stdout)
    assert found["unit"] == name
    assert ("Compiling the kernels" in done.stderr) == is_first or "CI" in os.environ
    assert len(list(cache.rglob("*.o"))) >= 9
    assert max(found["errors"].values()) < 2e-5, found["errors"]


def test_bfloat16_is_emulated_where_the_processor_has_none(narrow: tuple[str, Path]) -> None:
    makers = MAKERS_OF[narrow[0]]
    found = json.loads(run(EMULATED.format(makers=makers), narrow).stdout)
    assert tuple(found) == makers
    for maker, (warnings, parameters) in found.items():
        assert len(warnings) == 1
        assert "emulated" in warnings[0]
        net = MAKERS[maker]()
        net.fit(gn.load_dataset("digits").train, **OPTIONS, optimizer=gn.SGD(0.1), precision="bfloat16")
        # Sums in another order, so that now and then an activation is rounded to its other neighbour.
        assert np.abs(net.parameters - parameters).max() < 2e-3


@pytest.mark.parametrize("unit", UNITS.values(), ids=lambda unit: unit.name)
def test_tiles_fit_their_register_files(unit) -> None:  # type: ignore[no-untyped-def]
    registers = {"avx512": 32, "avx2": 16, "neon": 32, "sse": 16, "wasm": 16, "scalar": 16}[unit.name]
    assert unit.tile_rows * unit.tile_vectors + unit.tile_vectors + 1 <= registers
    assert unit.lanes & (unit.lanes - 1) == 0


def test_unknown_units_are_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import glassnet.kernels.codegen.host"],
        env=dict(os.environ, GLASSNET_SIMD="avx3", PYTHONPATH=os.pathsep.join(sys.path)),
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "An environment variable has a value that it can't have." in done.stderr
    assert "avx512 | avx2" in done.stderr
