"""The benchmarks' peers do the same work, and the programme around them keeps its word."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.speed import NAMES, Result, definition, dense, run, table, write_json
from benchmarks.speed.client import Worker, WorkerError
from benchmarks.speed.convolution import BATCH, Convolution, Window, quickest
from benchmarks.speed.images import Images, synthetic
from benchmarks.speed.machine import CAN_PIN, pinned, usable_cpus
from benchmarks.speed.peers import PEERS, Entry, Peer
from benchmarks.speed.results import quantity
from benchmarks.speed.timing import _other_work, measure, with_ratios, write_inputs
from benchmarks.speed.weights import disagreement, load_weights, save_weights
from benchmarks.speed.worker import Job
from benchmarks.speed.workloads import WORKLOADS, DenseWorkload, LayeredWorkload, Workload
from glassnet.errors import InputError
from glassnet.nn import conv

SMALL = {
    "nielsen": replace(WORKLOADS["nielsen-30"], sizes=(36, 7, 10), shape=(6, 6, 1), images=40),
    "numerals": replace(WORKLOADS["numerals-100"], sizes=(144, 9, 15), shape=(12, 12, 1), images=40, batch=20),
    "cats": replace(WORKLOADS["cats"], sizes=(75, 8, 7, 5, 1), shape=(5, 5, 3), images=33, batch=33, rate=0.1),
}

NORMALISED = ({"type": "Conv2D", "filters": 5, "kernel_size": 3, "padding": "same", "use_bias": False}, "BatchNorm", "ReLU")
LAYERS = {
    "nielsen-cnn": (
        "Pixels", {"type": "Conv2D", "filters": 3, "kernel_size": 3}, "ReLU", {"type": "MaxPool2D", "pool_size": 2},
        {"type": "Conv2D", "filters": 4, "kernel_size": 2}, "Flatten", {"type": "Dense", "units": 7}, "ReLU",
        {"type": "Dense", "units": 10},
    ),
    "vgg": (
        "Pixels", *NORMALISED, {"type": "MaxPool2D", "pool_size": 2}, "GlobalAveragePool2D", {"type": "Dense", "units": 10},
    ),
    "lstm": ("Pixels", {"type": "LSTM", "units": 6}, {"type": "Dense", "units": 10}),
}  # fmt: skip
SMALL_LAYERED = {
    name: replace(WORKLOADS[name], layers=layers, shape=(9, 8, 1), images=48, batch=12, rate=0.1)
    for name, layers in LAYERS.items()
}


@pytest.fixture(params=SMALL)
def work(request: pytest.FixtureRequest) -> DenseWorkload:
    return SMALL[request.param]


@pytest.fixture(params=SMALL_LAYERED)
def layered_work(request: pytest.FixtureRequest) -> LayeredWorkload:
    return SMALL_LAYERED[request.param]


def make(name: str, work: Workload, images: Images) -> Peer:
    entry = PEERS[name]
    if entry.needs is not None:
        pytest.importorskip(entry.needs)
    return entry.load()(work, images, definition.initial_weights(work), 1)


def off(peer: Peer, work: Workload, images: Images) -> float:
    """The error of a peer after a few steps."""
    start, order = definition.initial_weights(work), definition.first_steps(work)
    peer.set_weights(start)
    peer.train(order)
    return disagreement(start, definition.train(work, start, images, order), peer.weights())


@pytest.mark.parametrize("name", ["ours", "numpy", "sklearn", "torch-eager", "jax-scan"])
def test_peers_do_the_same_work(name: str, work: Workload) -> None:
    images = synthetic(work)
    peer = make(name, work, images)
    if peer.same_loss:
        assert off(peer, work, images) < work.tolerance
    else:
        assert "not comparable" in peer.note
    peer.timed(definition.batch_order(work))


@pytest.mark.parametrize("name", ["ours", "torch-net", "torch-net-last", "jax-net"])
def test_peers_do_the_same_work_in_networks_of_layers(name: str, layered_work: LayeredWorkload) -> None:
    images = synthetic(layered_work)
    peer = make(name, layered_work, images)
    assert off(peer, layered_work, images) < 1e-3  # few values are near a kink
    peer.timed(definition.batch_order(layered_work))


@pytest.mark.parametrize("name", ["ours", "torch-net"])
@pytest.mark.parametrize("rate", [0.99, 1.0, 1.01])
def test_a_rate_that_is_1_percent_off_is_found(tmp_path: Path, name: str, rate: float, layered_work: LayeredWorkload) -> None:
    """By the length of the first step, as later errors have a wide tolerance."""
    if PEERS[name].needs is not None:
        pytest.importorskip(PEERS[name].needs)
    write_inputs(layered_work, synthetic(layered_work), tmp_path / "inputs")
    other = replace(layered_work, rate=rate * layered_work.rate)
    facts = Job(name, other.to_json(), str(tmp_path / "inputs"), threads=1).check()
    assert facts["overshoot"] == pytest.approx(rate - 1, abs=1e-4)
    reason = _other_work(layered_work, facts)
    if rate == 1:
        assert reason is None
    else:
        assert reason is not None
        assert re.fullmatch(r"its first step is off by [+-](0\.99|1\.0[01])%, allowed 0\.2%", reason)


def test_how_a_peer_differs() -> None:
    work = WORKLOADS["vgg"]
    assert _other_work(work, {}) is None  # with another loss
    assert _other_work(work, {"disagreement": 0.04, "overshoot": -0.001}) is None
    assert _other_work(work, {"disagreement": 0.06, "overshoot": 0.001}) == "off by 6.0e-02, allowed 5e-02"
    assert _other_work(work, {"disagreement": 0.0, "overshoot": float("nan")}) is not None
    assert _other_work(WORKLOADS["predict-10000"], {"disagreement": 0.002}) == "off by 2.0e-03, allowed 1e-03"


def test_nielsens_algorithm_does_the_same_work() -> None:
    work = SMALL["nielsen"]
    images = synthetic(work)
    assert off(make("nielsen", work, images), work, images) < work.tolerance


def test_a_peer_that_does_other_work_is_found(work: Workload) -> None:
    images = synthetic(work)
    peer = make("numpy", work, images)
    peer.work = replace(work, rate=1.01 * work.rate)
    assert off(peer, work, images) > work.tolerance


@pytest.mark.parametrize("name", ["ours", "numpy", "torch-eager", "torch-argmax"])
def test_predictions_are_the_same(name: str) -> None:
    work = replace(WORKLOADS["predict-10000"], images=50, batch=50)
    images = synthetic(work)
    answers = np.asarray(make(name, work, images).predictor()())
    classes = answers.argmax(axis=1) if answers.ndim == 2 else answers
    flat = images.images.reshape(50, -1) / 255.0
    expected = dense.outputs(work, definition.initial_weights(work), flat)[-1].argmax(axis=1)
    np.testing.assert_array_equal(classes, expected)


def test_the_definition_is_the_gradient_of_its_loss(work: Workload) -> None:
    """Central differences of the loss, in a random direction."""
    images = synthetic(work)
    x, y = images.images.reshape(len(images.images), -1) / 255.0, images.targets(work.sizes[-1])
    weights, rng = definition.initial_weights(work), np.random.default_rng(3)
    direction = [(rng.standard_normal(w.shape), rng.standard_normal(b.shape)) for w, b in weights]

    def loss(step: float) -> float:
        moved = [(w + step * v, b + step * u) for (w, b), (v, u) in zip(weights, direction, strict=True)]
        a = dense.outputs(work, moved, x)[-1]
        if work.loss == "quadratic":
            return float(0.5 * ((a - y) ** 2).sum())
        return float(-(y * np.log(a) + (1 - y) * np.log(1 - a)).sum())

    found = dense.gradients(work, weights, x, y.astype(np.float64))
    projected = sum(float((dw * v).sum() + (db * u).sum()) for (dw, db), (v, u) in zip(found, direction, strict=True))
    assert (loss(1e-6) - loss(-1e-6)) / 2e-6 == pytest.approx(projected, rel=1e-6)


def test_batches_hold_each_image_once_an_epoch() -> None:
    work = replace(SMALL["nielsen"], epochs=2)
    order = definition.batch_order(work)
    assert order.shape == (8, 10)
    assert sorted(order[:4].ravel()) == sorted(order[4:].ravel()) == list(range(40))
    assert not np.array_equal(order[:4], order[4:])


def test_synthetic_images_have_the_fraction_of_ink() -> None:
    mnist = synthetic(replace(WORKLOADS["nielsen-30"], images=200))
    numerals = synthetic(replace(WORKLOADS["numerals-100"], images=20))
    assert np.mean(mnist.images > 0) == pytest.approx(0.19, abs=0.01)
    assert np.mean(numerals.images > 0) == pytest.approx(0.08, abs=0.03)
    assert "19%" in mnist.origin


def test_operations_and_units() -> None:
    work = WORKLOADS["nielsen-30"]
    assert work.flops == 50_000 * (4 * 784 * 30 + 6 * 30 * 10)
    assert WORKLOADS["numerals-100"].flops == 100 * (4 * 4096 * 256 + 6 * 256 * 15)
    assert WORKLOADS["cats"].steps == WORKLOADS["cats"].units == 6
    assert WORKLOADS["nielsen-cnn"].flops == 64 * (4 * 24 * 24 * 25 * 20 + 6 * (8 * 8 * 25 * 20 * 40 + 640 * 100 + 100 * 10))
    assert WORKLOADS["lstm"].flops == 100 * (4 * 28 * (28 + 128) * 512 + 6 * 128 * 10)
    for work in WORKLOADS.values():
        assert Workload.from_json(json.loads(json.dumps(work.to_json()))) == work
        assert work.outputs in (1, 10, 15)


def test_weights_come_back_from_their_file(tmp_path: Path) -> None:
    weights = [tuple(np.full((i + 1, j), 10.0 * i + j) for j in range(1, 4 - i % 2)) for i in range(12)]
    save_weights(tmp_path / "weights.npz", weights)
    found = load_weights(tmp_path / "weights.npz")
    assert [len(layer) for layer in found] == [len(layer) for layer in weights]
    assert disagreement(weights, weights, found) == 0
    found[11][0][0] += 1
    assert disagreement(weights, weights, found) > WORKLOADS["nielsen-30"].tolerance


@pytest.mark.parametrize(
    "window",
    [
        Window(5, 3, 4),
        Window(7, 1, 3),
        Window(6, 2, 17, size=5, padding="valid"),
        Window(4, 33, 2, size=2),
        Window(7, 32, 17),
    ],
    ids=str,
)
def test_each_direction_of_a_convolution_is_correct(window: Window) -> None:
    case = Convolution(window)
    top = case.margins[0]
    x = case.x[top : top + window.side, top : top + window.side][None].astype(np.float64)
    dy, weight = case.dense_dy[None].astype(np.float64), case.weight.astype(np.float64)
    assert sum(map(bool, case.outputs)) == len(case.directions) - 3
    assert window.channels != 32 or all(case.outputs)
    dx, dweight, _ = conv.conv2d_backward(dy, x, weight, (1, 1), case.margins)
    y = conv.conv2d(x, weight, None, (1, 1), case.margins)
    for name, call in case.directions.items():
        found, wanted = {"f": (case.y, y), "d": (case.dx, dx), "w": (case.dweight, BATCH * dweight)}[name.split("to ")[-1][0]]
        found[...] = np.nan
        call()
        np.testing.assert_allclose(found, np.broadcast_to(wanted, found.shape), rtol=1e-4, atol=1e-4 * np.abs(wanted).max())


def test_the_quickest_pass_of_each_direction() -> None:
    window = Window(4, 2, 3)
    found = quickest(window, 0.0)
    assert found.keys() == {"forward", "to data", "to weights"}
    assert all(seconds > 0 for seconds in found.values())
    assert window.flops == 64 * 2 * 16 * 9 * 2 * 3
    assert str(window) == "3×3 2→3 at 4×4"


def test_pinning_is_undone() -> None:
    if not CAN_PIN:
        pytest.skip("this system cannot pin a process")
    before = os.sched_getaffinity(0)
    with pinned(1):
        assert usable_cpus() == 1
    assert os.sched_getaffinity(0) == before


def test_ratios_and_table() -> None:
    rows = with_ratios([
        Result("w", "ours", 2e-5, "s per step", rounds=5, disagreement=1e-6),
        Result("w", "numpy", 5e-5, "s per step", rounds=5),
        Result("w", "jax-scan", None, "s per step", note="not installed (pip install jax)"),
    ])  # fmt: skip
    assert [row.ratio for row in rows] == [1.0, pytest.approx(2.5), None]
    lines = table(rows).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert "20 µs per step" in lines[2]
    assert "2.50 ×" in lines[3]
    assert "not installed" in lines[4]
    assert "–" in lines[4]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.234, "s", "1.23 s"),
        (0.0619, "s per epoch", "61.9 ms per epoch"),
        (1.5e-7, "s per image", "0.15 µs per image"),
        (71.04, "GFLOP/s", "71 GFLOP/s"),
        (1234.5, "MiB", "1234 MiB"),
        (None, "s", "–"),
    ],
)
def test_quantities(value: float | None, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


def test_json_is_complete_or_not_written(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_json([Result("w", "ours", 1.0, "s")], path)
    (first,) = json.loads(path.read_text(encoding="utf-8"))["runs"]
    assert first["results"][0]["median"] == 1.0
    assert {"cpu", "cpus", "python", "numpy", "numba", "torch", "jax", "date"} <= first["machine"].keys()
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.json"]
    with pytest.raises(InputError, match="can't be written"):
        write_json([], tmp_path / "missing" / "results.json")


def test_a_run_of_some_workloads_leaves_the_others(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    for measured in ({"v": 1.0, "w": 2.0}, {"w": 3.0}, {"x": 4.0}):
        write_json([Result(name, "ours", median, "s") for name, median in measured.items()], path)
    runs = json.loads(path.read_text(encoding="utf-8"))["runs"]
    assert [[(row["workload"], row["median"]) for row in run["results"]] for run in runs] == [
        [("v", 1.0)],
        [("w", 3.0)],
        [("x", 4.0)],
    ]
    for other in ("[1, 2]", '{"runs": [3]}', '{"runs": [{"machine": {}, "results": [4]}]}'):
        path.write_text(other, encoding="utf-8")
        with pytest.raises(InputError, match="holds something else"):
            run(["peak"], output=path)
        assert path.read_text(encoding="utf-8") == other
    with pytest.raises(InputError, match="can't be written"):
        run(["peak"], output=tmp_path)


def test_wrong_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="no such benchmark") as unknown:
        run(["nielsen-3"])
    assert unknown.value.hint == "nielsen-30"
    with pytest.raises(InputError, match="threads must be positive"):
        run(["peak"], threads=0)
    with pytest.raises(InputError, match="rounds must be positive"):
        run(["peak"], rounds=0)
    with pytest.raises(InputError, match="can't be written"):
        run(["peak"], output=tmp_path / "missing" / "results.json")
    assert main(["nothing-like-it"]) == 2
    assert "There is no such benchmark." in capsys.readouterr().err


@pytest.mark.parametrize(("options", "kept"), [([], "all"), (["--quick"], None), (["--quick", "--output", "a"], "a")])
def test_a_quick_run_is_kept_only_where_it_is_told(
    options: list[str], kept: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs: list[Path | None] = []
    monkeypatch.setattr("benchmarks.__main__.run", lambda *names, output, **others: outputs.append(output) or [])
    assert main(options, output=Path("all")) == 0
    assert outputs == [kept and Path(kept)]
    capsys.readouterr()


def test_a_missing_peer_says_how_to_install_it() -> None:
    entry = Entry("no_module", "NoClass", "a_library_that_is_not_there", '"jax>=0.10"')
    assert entry.missing == 'not installed (pip install "jax>=0.10")'
    assert PEERS["numpy"].missing is None


def test_every_workload_has_known_peers() -> None:
    assert set(NAMES) >= {*WORKLOADS, "peak", "import", "first-compile", "memory", "convolution"}
    mapped = {
        "torch-net",
        "torch-net-last",
        "torch-net-compiled",
        "torch-net-last-compiled",
        "jax-net",
        "onnxruntime",
        "openvino",
    }
    assert {peer for work in WORKLOADS.values() for peer in work.peers} | {"ours"} | mapped == set(PEERS)


def test_a_worker_answers_and_survives_a_failure(tmp_path: Path) -> None:
    with Worker(1, tmp_path) as worker:
        with pytest.raises(WorkerError, match="failed: ValueError: Unknown request 'dance'"):
            worker.ask(do="dance")
        assert worker.ask(do="gemm", size=32, threads=1)["seconds"] > 0
        assert worker.ask(do="multiply-adds")["speed"] > 1e9
        assert worker.ask(do="memory")["mebibytes"] > 1


@pytest.mark.parametrize(
    ("work", "peers"), [(SMALL["nielsen"], ("numpy", "nielsen")), (SMALL_LAYERED["vgg"], ("torch-net",))]
)
def test_a_workload_is_measured_in_turn(tmp_path: Path, work: Workload, peers: tuple[str, ...]) -> None:
    for peer in peers:
        if PEERS[peer].needs is not None:
            pytest.importorskip(PEERS[peer].needs)
    work = replace(work, peers=peers)
    messages: list[str] = []
    rows = measure(work, synthetic(work), tmp_path, threads=1, rounds=2, say=messages.append)
    assert [row.peer for row in rows] == ["ours", *peers]
    for row in rows:
        assert row.median is not None, row.note
        assert row.rounds == 2
        assert row.disagreement is not None
        assert row.disagreement < work.tolerance
    assert [line.rsplit(" ", 1)[1] for line in messages[-2 * len(rows) :]] == ["ours", *peers] * 2
    assert "1 thread; drawn at random" in rows[0].note
