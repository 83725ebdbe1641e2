"""Narrower vector units than this processor's: the same kernels, compiled for each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from glassnet.kernels.codegen.host import UNITS

PROGRAM = """
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


@pytest.mark.parametrize("unit", ["avx2", "scalar"])
def test_training_agrees_with_the_reference(unit: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    cache = tmp_path_factory.mktemp("kernels")
    source = str(Path(__file__).parents[3] / "src")
    environment = dict(
        os.environ, GLASSNET_SIMD=unit, GLASSNET_CACHE=str(cache), PYTHONPATH=os.pathsep.join([source, *sys.path])
    )
    environment.pop("GLASSNET_KERNELS", None)
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["unit"] == unit
    assert "Compiling the kernels" in done.stderr or "CI" in os.environ  # from nothing, in an empty cache
    assert len(list(cache.rglob("*.o"))) >= 9
    assert max(found["errors"].values()) < 2e-5, found["errors"]


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
