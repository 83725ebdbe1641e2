"""`glassnet tune`: what it measures, keeps and says, and that a training notices when the figures change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import glassnet as gn
from glassnet.compiler import costs
from glassnet.compiler.algorithms import winograd_outputs
from glassnet.compiler.costs import DEFAULTS, FILE, KEYS, Cost, costs_of_machine, store
from glassnet.errors import ModelFileError
from glassnet.runtime import tuning
from glassnet.runtime.tuning import Measured, compare, fit, measure

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the costs are kept, instead of beside the kernels of all tests."""
    path = tmp_path / "kernels" / ("0" * 16)
    monkeypatch.setattr(costs, "cache_folder", lambda: path)
    costs_of_machine.cache_clear()
    yield path
    costs_of_machine.cache_clear()


def test_what_it_keeps_and_says(cli: CommandLine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "SHAPES", ((8, 16, 16), (4, 20, 40)))
    monkeypatch.setattr(tuning, "SECONDS", 0.0)
    lines = cli.good("tune").lines
    assert [line.split(":")[0] for line in lines[:3]] == ["F(2×2, 3×3)", "F(4×4, 3×3)", "F(2×2, 5×5)"]
    assert all("times as quick as direct convolution" in line for line in lines[:3])
    kept = json.loads((folder / FILE).read_text())
    found, name = costs_of_machine()
    assert {key: Cost(**fields) for key, fields in kept.items()} == found
    assert set(found) == set(KEYS)
    assert name is not None
    assert all(cost.products > 0 or cost.transforms > 0 or cost.passes > 0 for cost in found.values())
    assert str(folder) in cli.good("tune", "--defaults").out
    assert costs_of_machine() == (DEFAULTS, None)


def test_a_folder_that_cannot_be_written(cli: CommandLine, folder: Path) -> None:
    folder.parent.parent.mkdir(parents=True, exist_ok=True)
    folder.parent.write_text("a file")
    assert str(folder) in cli.wrong("tune", "--defaults")["where"]


DAMAGED = ("", "[]", "{}", '{"convolve direct": 3}', json.dumps({name: {"products": 1} for name in KEYS}))


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_counts_as_none(folder: Path, content: str) -> None:
    folder.mkdir(parents=True)
    (folder / FILE).write_text(content)
    assert costs_of_machine() == (DEFAULTS, None)
    wrong = {name: asdict(cost) for name, cost in DEFAULTS.items()} | {KEYS[0]: asdict(Cost(float("nan"), 0.0, 0.0))}
    costs_of_machine.cache_clear()
    (folder / FILE).write_text(json.dumps(wrong))
    assert costs_of_machine() == (DEFAULTS, None)


def test_the_quickest_is_chosen(folder: Path) -> None:
    conv, shape = gn.Conv2D(32, 3, padding="same"), (16, 16, 32)
    assert winograd_outputs(conv, shape, shape) == 4
    store(DEFAULTS | {"convolve F(4, 3)": Cost(1.0, 9.0, 1.0)})
    assert winograd_outputs(conv, shape, shape) == 2
    store(DEFAULTS | {"convolve F(4, 3)": Cost(1.0, 9.0, 1.0), "convolve F(2, 3)": Cost(1.0, 9.0, 1.0)})
    assert winograd_outputs(conv, shape, shape) == 0


def test_the_costs_behind_the_measurements_are_found() -> None:
    true = {
        name: Cost(0.25 + 0.01 * i, 2.0 if "F" in name else 0.0, 0.0 if "convolve F" in name else 1.0)
        for i, name in enumerate(KEYS)
    }
    cases = [
        Measured(direction, taps, outputs, *shape, 0.0)
        for shape in tuning.SHAPES
        for direction in costs.DIRECTIONS
        for taps, kinds in costs.WINOGRAD.items()
        for outputs in (0, *kinds)
    ]
    exact = [replace(case, nanoseconds=true[case.key].of(case.work)) for case in cases]
    disturbed = [replace(case, nanoseconds=9 * case.nanoseconds) if i == 17 else case for i, case in enumerate(exact)]
    for measured in (exact, disturbed):
        found = fit(measured)
        for name in KEYS:
            np.testing.assert_allclose(list(asdict(found[name]).values()), list(asdict(true[name]).values()), atol=1e-6)
    assert [(m, r) for m, r, _ in compare(exact)] == [(2, 3), (4, 3), (2, 5)]


def test_every_algorithm_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "SHAPES", ((5, 3, 7),))
    monkeypatch.setattr(tuning, "SECONDS", 0.0)
    found = list(measure())
    assert {one.key for one in found} == set(KEYS)
    assert all(one.nanoseconds > 0 for one in found)


def test_a_training_resumes_only_with_its_figures(folder: Path, tmp_path: Path) -> None:
    images, labels = np.random.default_rng(0).random((8, 6, 6, 4)).astype(np.float32), np.arange(8) % 2

    def fit_one(layers: list[gn.nn.Layer], epochs: int, *, resume: bool) -> None:
        net = gn.Network(layers, loss=gn.SoftmaxCrossEntropy(), input_shape=(6, 6, 4), seed=1)
        path = tmp_path / f"{len(layers)}.safetensors"
        net.fit((images, labels), epochs=epochs, batch_size=4, optimizer=gn.SGD(0.1), seed=1, checkpoint=path, resume=resume)

    with_window, without = [gn.Conv2D(4, 3), gn.Flatten(), gn.Dense(2)], [gn.Flatten(), gn.Dense(2)]
    for layers in (with_window, without):
        fit_one(layers, 1, resume=False)
    store(DEFAULTS | {"convolve direct": Cost(9.0, 0.0, 0.0)})
    fit_one(without, 2, resume=True)
    with pytest.raises(ModelFileError, match="another training") as caught:
        fit_one(with_window, 2, resume=True)
    assert "glassnet tune" in str(caught.value)
    store(DEFAULTS)
    fit_one(with_window, 2, resume=True)
