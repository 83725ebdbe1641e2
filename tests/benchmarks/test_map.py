"""The speed map: its peers do the same work, it is measured cell by cell, drawn, and says what it found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import glassnet as gn
from benchmarks import __main__ as programme, map as speed_map
from benchmarks.speed import client, definition, grid, growth, limits, recipe_shares, survey, timing
from benchmarks.speed.figures import Context
from benchmarks.speed.grid import Cell
from benchmarks.speed.heat_map import draw
from benchmarks.speed.images import synthetic
from benchmarks.speed.machine import describe
from benchmarks.speed.peers import PEERS, Peer
from benchmarks.speed.survey import Map, Summary, layer_name, selected, unavailable
from benchmarks.speed.weights import disagreement
from benchmarks.speed.workloads import Description, LayeredWorkload, Workload
from glassnet.errors import InputError

CONV = {"type": "Conv2D", "filters": 4, "kernel_size": 3, "padding": "same"}
DENSE = {"type": "Dense", "units": 10}
LAYERS: dict[str, tuple[Description, ...]] = {
    "dense": ("Flatten", "Pixels", {"type": "Dense", "units": 7}, "LayerNorm", "GELU", DENSE),
    "convolution": (
        "Pixels", CONV, "ReLU", {**CONV, "strides": 2}, "ReLU", {**CONV, "strides": 2}, "GlobalAveragePool2D", DENSE,
    ),
    "recurrent": ("Pixels", {"type": "GRU", "units": 5}, DENSE),
    "residual": (
        "Pixels", CONV, {"type": "Residual", "layers": [{**CONV, "use_bias": False}, "BatchNorm"]}, "ReLU",
        {"type": "Residual", "layers": [{**CONV, "strides": 2, "filters": 6}],
         "projection": [{"type": "Conv2D", "filters": 6, "kernel_size": 1, "strides": 2, "use_bias": False}]},
        "Flatten", DENSE,
    ),
    "networks": (
        "Pixels", {"type": "Concatenate", "branches": [[CONV, "Sigmoid"], [{**CONV, "filters": 3, "kernel_size": 1}]]},
        {"type": "MaxPool2D", "pool_size": 2}, "Flatten", DENSE,
    ),
}  # fmt: skip
SHAPE = (9, 9, 2)


def work_of(kind: str, *, predict: bool = False, **changes: Any) -> LayeredWorkload:
    """Nine images of 9 × 9 × 2 in a call, or a training of three steps of them."""
    made = (grid.predict if predict else grid.train)(SHAPE, LAYERS[kind], 9, 1, "float32")
    return replace(made, **({"calls": 1} if predict else {"images": 27, "epochs": 1, "rate": 0.1}), **changes)


def peer_of(name: str, work: LayeredWorkload) -> Peer[Any]:
    for needed in (PEERS[name].needs, "onnx" if PEERS[name].module == "exported" else None):
        if needed is not None:
            pytest.importorskip(needed)
    return PEERS[name].load()(work, synthetic(work), definition.initial_weights(work), 1)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("name", ["ours", "torch-net", "torch-net-last", "jax-net"])
def test_peers_take_the_same_step(name: str, kind: str) -> None:
    work = work_of(kind)
    peer, start, order = peer_of(name, work), definition.initial_weights(work), definition.first_steps(work)
    assert len(order) == 1
    peer.train(order)
    expected = definition.train(work, start, synthetic(work), order)
    assert disagreement(start, expected, peer.weights()) < 1e-3


@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # OpenVINO asks for the platform by a process; JAX warns of it
@pytest.mark.parametrize("kind", ["residual", "recurrent"])
@pytest.mark.parametrize("batch", [1, 25])
@pytest.mark.parametrize("name", ["ours", "torch-net", "torch-net-last", "jax-net", "onnxruntime", "openvino"])
def test_predictions_are_the_same_in_calls_of_some_images(name: str, batch: int, kind: str) -> None:
    work = work_of(kind, predict=True, batch=batch)
    expected = definition.classes(work, definition.initial_weights(work), synthetic(work))
    np.testing.assert_array_equal(peer_of(name, work).predictor()(), expected)


@pytest.mark.parametrize("name", ["torch-net", "jax-net"])
def test_bfloat16_of_the_peers_is_bfloat16(name: str) -> None:
    """It agrees with the definition coarsely, and not more closely than its rounding lets it."""
    work = work_of("dense", precision="bfloat16")
    peer, start, order = peer_of(name, work), definition.initial_weights(work), definition.first_steps(work)
    peer.train(order)
    error = disagreement(start, definition.train(work, start, synthetic(work), order), peer.weights())
    assert 1e-3 < error < timing.COARSE
    facts = {"disagreement": error, "overshoot": 0.01}
    assert timing._other_work(work, facts) is None
    assert timing._other_work(replace(work, precision="float32"), facts) is not None


def test_steady_times_are_those_of_steps_in_the_middle_of_epochs() -> None:
    work = replace(work_of("dense"), images=9 * 21, epochs=3)
    assert (work.stretch, work.steps, work.units) == (10, 30, 30)
    peer = peer_of("ours", work)
    peer.train(definition.first_steps(work))  # loads the kernels
    assert 0 < peer.seconds(definition.batch_order(work)) < 1


@pytest.fixture(scope="module")
def whole() -> list[Cell]:
    return grid.cells(2, "float32")


def test_the_grid(whole: list[Cell]) -> None:
    names = [cell.name for cell in whole]
    assert len(set(names)) == len(names) > 150
    assert {cell.family for cell in whole} == {"dense", "convolution", "recurrent", "networks", "prediction"}
    assert {cell.threads for cell in whole} == {1, 2}
    assert all(cell.threads == 1 for cell in whole if "1 thread" in cell.name)
    assert not [cell.name for cell in whole if cell.work.kind == "train" and cell.work.flops > grid.MOST_FLOPS]
    marked = [cell for cell in whole if cell.marked]
    assert len(marked) == (len(whole) + 1) // 2
    assert all(any(peer.endswith("-compiled") for peer in cell.peers) == cell.marked for cell in whole)
    some = grid.quick(whole)
    assert len(some) <= len(whole) / grid.EVERY + 1
    assert {cell.family for cell in some} == {cell.family for cell in whole}
    assert {peer for cell in whole for peer in cell.peers} < set(PEERS)


def test_cells_are_chosen_by_family_and_name(whole: list[Cell]) -> None:
    assert {cell.family for cell in selected(whole, ["dense", "recurrent"])} == {"dense", "recurrent"}
    assert [cell.name for cell in selected(whole, (), "lstm 128*1 THREAD")] == ["recurrent: LSTM 128, 28 long, 1 thread"] + [
        f"prediction: LSTM 128, {images}, 1 thread" for images in ("one image", "1000 images")
    ]
    with pytest.raises(InputError, match="no such family"):
        selected(whole, ["wide"])
    with pytest.raises(InputError, match="No cell has such a name"):
        selected(whole, (), "transformer")


def tiny(families: tuple[str, ...]) -> list[Cell]:
    return [Cell(name, "row", f"column {n}", work_of(name), 1, marked=False) for n, name in enumerate(families)]


def test_a_tiny_map_is_measured_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(Cell, "peers", ("torch-net",))
    path, told = tmp_path / "map.json", list[str]()
    families = ("dense", "convolution", "recurrent", "networks")
    asked = Cell("prediction", "row", "column", work_of("residual", predict=True), 1, marked=False)
    cells = [*tiny(families), asked]
    survey.survey(cells[:2], Map.load(path), "float32", rounds=2, say=told.append)
    first = json.loads(path.read_text(encoding="utf-8"))["maps"]["float32"]["cells"]
    survey.survey(cells, Map.load(path), "float32", rounds=1, say=told.append)
    assert "map: going on, 2 of 5 cells are measured" in told
    found = Map.load(path).cells("float32")
    assert set(found) == {cell.name for cell in cells}
    assert {name: found[name] for name in first} == first
    for name, measured in found.items():
        assert not measured["notes"], (name, measured)
        assert measured["best"] == "torch-net"
        assert measured["ratio"] == measured["peers"]["torch-net"] / measured["ours"] > 0
        assert measured["differs"] < 1e-3
    survey.survey(cells[:1], Map.load(path), "float32", rounds=1, say=told.append)  # it is there: it is measured anew
    assert Map.load(path).cells("float32")[cells[0].name] != first[cells[0].name]
    assert [entry.name for entry in tmp_path.iterdir()] == ["map.json"]


def test_a_peer_that_fails_leaves_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cell, "peers", ("numpy",))  # which has no layers
    survey.survey(tiny(("dense",)), found := Map(tmp_path / "map.json"), "float32", rounds=1, say=lambda text: None)
    (measured,) = found.cells("float32").values()
    assert measured["ours"] > 0
    assert measured["ratio"] is None
    assert "failed" in measured["notes"]["numpy"]


@pytest.fixture
def made(tmp_path: Path, whole: list[Cell]) -> Map:
    """A map of all cells with ratios of 0.5, 0.95, 2, 2, 2, … in no particular order of names."""
    found = Map(tmp_path / "map.json")
    cells = {
        cell.name: {
            "family": cell.family, "row": cell.row, "column": cell.column, "threads": cell.threads, "ours": 1.0,
            "ratio": {0: 0.5, 1: 0.95, 2: None}.get(number, 2.0), "best": "jax-net",
        }
        for number, cell in enumerate(whole)
    }  # fmt: skip
    found.layers["float32"] = {"machine": describe() | {"cpu": "A processor"}, "cells": cells}
    found.save()
    return found


def test_summary_and_sentences(made: Map, whole: list[Cell]) -> None:
    it = Summary.of(made.cells("float32"))
    assert (it.cells, it.median, it.worst, it.worst_name) == (len(whole) - 1, 2.0, 0.5, whole[0].name)
    assert (it.below_one, it.below_nine_tenths) == (2, 1)
    assert f"worst 0.50 ({whole[0].name}, beside jax-net); 2 below 1 (" in str(it)
    told = speed_map.sentences(made)
    assert f"{len(whole) - 1} cells" in told["README.md"]
    assert "A processor, 2 threads" in told["README.md"]
    assert "2.00 倍（中位数）" in told["README.zh-CN.md"]
    with pytest.raises(InputError, match="no cell"):
        Summary.of({})


def test_sentences_are_put_between_the_marks(made: Map, tmp_path: Path) -> None:
    told = speed_map.sentences(made)
    for name in told:
        (tmp_path / name).write_text(f"a\n{speed_map.MARK}\nold \\1\n{speed_map.END}\nb\n", encoding="utf-8")
    for _ in range(2):
        speed_map.insert(told, tmp_path)
    for name, text in told.items():
        assert (tmp_path / name).read_text(encoding="utf-8") == f"a\n{speed_map.MARK}\n{text}\n{speed_map.END}\nb\n"
        assert (speed_map.FOLDER.parent / name).read_text(encoding="utf-8").count(speed_map.MARK) == 1
    (tmp_path / "README.md").write_text("without", encoding="utf-8")
    with pytest.raises(InputError, match="marks of the speed map"):
        speed_map.insert(told, tmp_path)


def test_the_picture_fits_a_readme(made: Map, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert programme.main(["map", "--draw-only", "--output", str(made.path)]) == 0
    said = capsys.readouterr().out
    assert "float32: " in said
    assert "worst 0.50" in said
    picture = tmp_path / "map.png"
    assert picture.stat().st_size < 300_000
    with Image.open(picture) as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3).astype(int)
        assert image.width <= 1600
    red, blue = pixels[:, 0] - pixels[:, 2] > 80, pixels[:, 2] - pixels[:, 0] > 80
    assert 0 < red.sum() < blue.sum()


@pytest.mark.parametrize(("ratio", "losing"), [(0.99, True), (1.01, False)])
def test_the_smallest_loss_is_red(made: Map, tmp_path: Path, ratio: float, losing: bool) -> None:
    cells = {name: {**cell, "ratio": ratio} for name, cell in list(made.cells("float32").items())[:40]}
    draw(cells, describe(), "float32", tmp_path / "one.png")
    with Image.open(tmp_path / "one.png") as image:
        panels = np.asarray(image.convert("RGB"))[: image.height // 2].reshape(-1, 3).astype(int)
    assert bool((panels[:, 0] - panels[:, 2] > 40).mean() > 0.05) == losing


def test_precision_and_vectors(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("GLASSNET_SIMD", raising=False)
    assert layer_name("float32") == "float32"
    assert unavailable("float32") is None
    monkeypatch.setenv("GLASSNET_SIMD", "avx2")
    assert client.held_to_avx2()
    assert speed_map.picture_of(Path("map.json"), layer_name("bfloat16")).name == "map-bfloat16-avx2.png"
    no: Callable[[Any], str] = lambda precision: "it has none"  # noqa: E731
    monkeypatch.setattr(speed_map, "unavailable", no)
    assert speed_map.main(["--precision", "bfloat16"]) == 0
    assert "bfloat16 is skipped: it has none" in capsys.readouterr().err


def test_wrong_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "map.json").write_text("[]", encoding="utf-8")
    for given, said in (
        (["--rounds", "0"], "rounds must be positive"),
        (["--output", str(tmp_path / "map.json")], "can't be read"),
        (["--draw-only", "--output", str(tmp_path / "none.json")], "no cell"),
    ):
        assert speed_map.main(given) == 2
        assert said in capsys.readouterr().err


def context_of(tmp_path: Path) -> Context:
    return Context(tmp_path, threads=1, rounds=1, quick=True, say=lambda text: None, results=())


def test_growth_of_a_small_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    works = {"dense, 8 wide, batch 4": replace(grid.dense((1, 8, 1), 8, 2, 4, 1, "float32"), name="one", images=28)}
    monkeypatch.setattr(growth, "workloads", lambda quick: works)
    monkeypatch.setattr(growth, "PRODUCTS", (64,))
    peak, row = growth.growth(context_of(tmp_path))
    assert peak.unit == "GFLOP/s"
    assert row.unit == "% of peak"
    assert row.median is not None
    assert 0 < row.median < 75
    assert row.note.endswith("below 75 %")


def test_the_growth_that_is_measured() -> None:
    some = growth.workloads(quick=True)
    assert list(some)[:2] == ["dense, 64 wide, batch 64", "dense, 512 wide, batch 64"]
    assert len({work.name for work in some.values()}) == len(some) == 6
    assert some["dense, 64 wide, batch 64"].flops == 64 * (4 * 64 * 64 + 6 * (64 * 64 + 64 * 10))


def test_limits_of_small_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    works: dict[str, Workload] = {name: work_of(name) for name in ("dense", "convolution", "recurrent")}
    monkeypatch.setattr(limits, "workloads", lambda: works)
    monkeypatch.setattr(limits, "PRODUCTS", (64,))
    monkeypatch.setattr(limits, "SECONDS", 0.001)
    rows = limits.limits(context_of(tmp_path))
    assert [row.peer for row in rows] == list(works)
    for row in rows:
        assert row.median is not None
        assert row.median > 0
        assert "products" in row.note
    first = limits.Step(works["dense"])
    assert set(first.names) <= {name for names in limits.KINDS.values() for name in names} | {"LOSS", "LOAD"}
    assert first.instructions().keys() == {"products", "weights laid out, sums of parts", "normalisation",
                                           "activations and pooling", "loss and others"}  # fmt: skip
    assert limits.Step(works["dense"]).bytes(2) - limits.Step(works["dense"]).bytes(1) > 4 * 5 * (7 * 3 + 10)


def test_what_statistics_cost(tmp_path: Path) -> None:
    """On the bundled digits: looks at some epochs alone keep it small."""
    (row,) = growth.statistics(context_of(tmp_path))
    assert row.peer == "digits"
    assert row.median is not None, row.note
    assert 0 < row.median < 50  # a busy machine measures anything; the figure is for a quiet one
    assert "9 looks in 60 epochs" in row.note


def test_shares_are_of_the_whole_training() -> None:
    found = recipe_shares.Shares(epochs=10, epoch=1.0, begin=0.1, look=0.2, norms=0.01, looks=3)
    assert found.percent == pytest.approx(100 * 0.81 / 10.81)
    shipped = {path.stem for path in (Path(gn.__file__).parent / "experiment" / "recipes").glob("*.toml")}
    assert shipped - set(recipe_shares.names()) == set(recipe_shares.LEFT_OUT)
    assert recipe_shares.names()[0] == "digits"
