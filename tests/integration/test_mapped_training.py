"""Training on memory-mapped images: the same bits as in memory, read a window ahead, nothing copied as a whole."""

from __future__ import annotations

import mmap
import pickle
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.data import Dataset
from glassnet.errors import DataError, InputError, ModelFileError
from glassnet.support import memory
from glassnet.support.mapped import MappedRows, is_mapped
from glassnet.training import Callback, Progress, order
from glassnet.training.read_ahead import ReadAhead

BLOCK = 32
CHANGES = {"augmentation": {"shift": 1, "rotation": 10}, "plain_epochs": 1}


@pytest.fixture(autouse=True)
def _small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four blocks of 32 digits, or two of 64."""
    monkeypatch.setattr(order, "WINDOW", 4 * BLOCK * 64)


@pytest.fixture(scope="module")
def digits() -> gn.Splits:
    return gn.load_dataset("digits")


def mapped(data: Dataset, folder: Path, mode: Any = "r", dtype: Any = np.uint8) -> Dataset:
    """The same images in a memory-mapped file."""
    path = folder / f"images-{np.dtype(dtype)}-{len(data)}.npy"
    if not path.exists():
        np.save(path, data.images.astype(dtype))
    return Dataset(np.load(path, mmap_mode=mode), data.labels, data.classes)


def network(*first: Any) -> gn.Network:
    layers = [
        *(first or (gn.Pixels(),)),
        gn.Conv2D(4, 3),
        gn.ReLU(),
        gn.MaxPool2D(2),
        gn.Flatten(),
        gn.Dropout(0.2),
        gn.Dense(10),
    ]
    return gn.Network(layers, input_shape=(8, 8, 1), loss="SoftmaxCrossEntropy", seed=3)


def fitted(data: Dataset, *first: Any, epochs: int = 3, **options: Any) -> tuple[gn.Network, gn.History]:
    made = network(*first)
    settings: dict[str, Any] = {"batch_size": 24, "optimizer": gn.AdamW(0.003), "seed": 5, "progress": False, "threads": 1}
    return made, made.fit(data, epochs, **settings | options)


def assert_same(one: tuple[gn.Network, gn.History], other: tuple[gn.Network, gn.History]) -> None:
    assert one[0].state.tobytes() == other[0].state.tobytes()
    times = {"seconds"}
    rows = [[{k: v for k, v in row.items() if k not in times} for row in run[1].rows()] for run in (one, other)]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "options",
    [{}, CHANGES, {"average": 0.9, "class_weight": "balanced", "keep": "best"}],
    ids=["plain", "augmented", "averaged"],
)
def test_the_same_bits_as_in_memory(threads: int, options: dict[str, Any], digits: gn.Splits, tmp_path: Path) -> None:
    stored, held_out = mapped(digits.train, tmp_path), mapped(digits.validation, tmp_path)  # type: ignore[arg-type]
    assert is_mapped(stored.images)
    wanted = fitted(digits.train, validation=digits.validation, shuffle_block=BLOCK, **options)
    assert_same(wanted, fitted(stored, validation=held_out, shuffle_block=BLOCK, threads=threads, **options))
    other = fitted(digits.train, validation=digits.validation, **options)
    assert not np.array_equal(wanted[0].state, other[0].state)  # without blocks the order is another one


def test_the_default_block_is_that_of_the_data_set(digits: gn.Splits, tmp_path: Path) -> None:
    stored = mapped(digits.train, tmp_path)
    assert (digits.train.block, stored.block) == (None, (1 << 20) // 64)
    stored.block = 2 * BLOCK
    assert_same(fitted(digits.train, shuffle_block=2 * BLOCK), fitted(stored))
    assert stored[100:900].block == stored[:900].block == 2 * BLOCK
    assert stored[np.arange(50)].block is None
    assert stored[::2].block is None
    assert pickle.loads(pickle.dumps(stored)).block is None


def test_numpy_trains_alike_on_mapped_images(digits: gn.Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSNET_KERNELS", "0")
    part = digits.train[:300]
    assert_same(fitted(part, epochs=2, shuffle_block=BLOCK), fitted(mapped(part, tmp_path), epochs=2, shuffle_block=BLOCK))


def test_statistics_of_the_whole_set_are_taken_block_by_block(
    digits: gn.Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = digits.train.images.astype(np.float64)
    for adapted in (1 << 22, 100 * 64):
        monkeypatch.setattr("glassnet.nn.stack.ADAPTED", adapted)
        for data in (digits.train, mapped(digits.train, tmp_path)):
            made, _ = fitted(data, gn.Standardize(), shuffle_block=BLOCK, epochs=1)
            mean, std = images.mean(axis=0), images.std(axis=0)
            assert np.array_equal(made.layers[0].statistics["mean"], mean)  # sums of integers are exact
            assert np.allclose(made.layers[0].statistics["std"], np.where(std == 0, 1, std), rtol=1e-12, atol=0)


def test_float_images_are_trained_on_where_they_are(digits: gn.Splits, tmp_path: Path) -> None:
    stored = mapped(digits.train, tmp_path, dtype=np.float32)
    assert is_mapped(network(gn.Scale(1 / 16)).rows(stored.images))
    inside = Dataset(np.array(stored.images), stored.labels)
    assert_same(fitted(inside, gn.Scale(1 / 16), shuffle_block=BLOCK), fitted(stored, gn.Scale(1 / 16), shuffle_block=BLOCK))


@dataclass
class StopIn(Callback):
    """Ctrl-C after some steps of an epoch."""

    epoch: int
    step: int
    every_steps: int | None = 1

    def on_step_end(self, progress: Progress) -> None:
        if (progress.epoch, progress.step) == (self.epoch, self.step):
            raise KeyboardInterrupt


def test_an_interrupted_training_goes_on_to_the_same_bits(digits: gn.Splits, tmp_path: Path) -> None:
    stored, file = mapped(digits.train, tmp_path), tmp_path / "state.safetensors"
    wanted = fitted(digits.train, shuffle_block=BLOCK, **CHANGES)
    with pytest.raises(KeyboardInterrupt):
        fitted(stored, shuffle_block=BLOCK, checkpoint=file, callbacks=[StopIn(2, 17)], **CHANGES)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("glassnet-read-ahead")]
    with pytest.raises(ModelFileError) as caught:
        fitted(stored, shuffle_block=BLOCK + 1, checkpoint=file, resume=True, **CHANGES)
    assert str(caught.value.where).endswith(", shuffle_block")
    found = fitted(stored, shuffle_block=BLOCK, checkpoint=file, resume=True, **CHANGES)
    assert_same(wanted, found)


def test_a_run_records_the_block_and_goes_on_with_it(
    digits: gn.Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = mapped(digits.train, tmp_path), mapped(digits.validation, tmp_path)  # type: ignore[arg-type]
    parts[0].block = BLOCK
    monkeypatch.setattr("glassnet.experiment.run.read_splits", lambda recipe: gn.Splits(*parts))
    settings = {"architecture": {"type": "mlp", "units": [20]}}
    with pytest.raises(KeyboardInterrupt):
        gn.train("digits", epochs=3, settings=settings, out=tmp_path / "a", callbacks=[StopIn(2, 3)], progress=False)
    recipe = gn.load_recipe(tmp_path / "a" / "recipe.toml")
    assert recipe.training.shuffle_block == BLOCK
    assert "training.shuffle_block" not in (recipe.overridden or [])  # a default, which nobody has set
    found = gn.train(recipe, out=tmp_path / "a", resume=True, progress=False)
    monkeypatch.setattr("glassnet.experiment.run.read_splits", lambda recipe: digits)  # the record holds for these, too
    assert gn.train(recipe, out=tmp_path / "b", progress=False).network.state.tobytes() == found.network.state.tobytes()


def test_images_are_verified_before_their_first_step(digits: gn.Splits, tmp_path: Path) -> None:
    stored, seen = mapped(digits.train, tmp_path), np.zeros(len(digits.train), bool)
    part = stored[100:1100]  # `verify` takes images of the whole file
    steps: list[bool] = []

    def verify(first: int, last: int) -> None:
        assert threading.current_thread().name.startswith("glassnet-read-ahead")
        seen[first:last] = True

    @dataclass
    class Look(Callback):
        every_steps: int | None = 1

        def on_step_end(self, progress: Progress) -> None:
            generator = np.random.default_rng([5, progress.epoch, 0])
            places = order.EpochOrder.draw(generator, 1000, BLOCK, 64).images[: progress.step * 24]
            steps.append(bool(seen[100 + places].all()))

    stored.verify = verify
    part = stored[100:1100]
    fitted(part, shuffle_block=BLOCK, epochs=1, callbacks=[Look()])
    assert all(steps)
    assert len(steps) == 42
    assert seen[100:1100].all()
    assert not seen[:100].any()
    assert pickle.loads(pickle.dumps(part)).verify is None


@pytest.mark.parametrize("late", [False, True])
def test_a_damaged_file_ends_the_training(late: bool, digits: gn.Splits, tmp_path: Path) -> None:
    stored, file = mapped(digits.train, tmp_path), tmp_path / "state.safetensors"
    calls = []

    def verify(first: int, last: int) -> None:
        calls.append(first)
        if not late or len(calls) > 60:  # in the second epoch
            raise DataError("A shard is damaged.", where="shard 3")

    stored.verify = verify
    made = network()
    with pytest.raises(DataError, match="shard is damaged"):
        made.fit(stored, 3, seed=5, shuffle_block=BLOCK, checkpoint=file, progress=False)
    assert file.exists() == late
    assert np.isfinite(made.state).all()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("glassnet-read-ahead")]


def test_damaged_validation_images_end_the_training(digits: gn.Splits, tmp_path: Path) -> None:
    assert digits.validation is not None
    held_out = mapped(digits.validation, tmp_path)
    held_out.verify = _refuse
    with pytest.raises(DataError, match="shard is damaged"):
        fitted(digits.train, validation=held_out)


def _refuse(first: int, last: int) -> None:
    raise DataError("A shard is damaged.", where=f"images {first} to {last}")


class Advice:
    """What the system was advised, in bytes of the file."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        monkeypatch.setattr(
            MappedRows, "_advise", lambda rows, name, start, end: self.asked.append(name) if end > start else None
        )


def test_pages_are_asked_for_and_let_go_of(digits: gn.Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    advice = Advice(monkeypatch)
    fitted(mapped(digits.train, tmp_path), shuffle_block=BLOCK, epochs=1)
    blocks = -(-len(digits.train) // BLOCK)
    assert [advice.asked.count(name) for name in ("MADV_WILLNEED", "MADV_DONTNEED")] == [blocks, blocks]
    first = advice.asked.index("MADV_DONTNEED")
    assert advice.asked[:first].count("MADV_WILLNEED") >= 8  # two windows of four blocks before the first is let go of


@pytest.mark.parametrize("names", [("MADV_WILLNEED", "MADV_DONTNEED"), ()])
def test_training_needs_no_madvise(
    names: Sequence[str], digits: gn.Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in names:
        monkeypatch.delattr(mmap, name)
    assert_same(fitted(digits.train, shuffle_block=BLOCK), fitted(mapped(digits.train, tmp_path), shuffle_block=BLOCK))


def test_changes_in_memory_alone_are_never_let_go_of(digits: gn.Splits, tmp_path: Path) -> None:
    path = tmp_path / "images.npy"
    np.save(path, np.zeros(digits.train.images.shape, np.uint8))
    images = np.load(path, mmap_mode="c")
    images[...] = digits.train.images  # copy on write: the file keeps its zeros
    assert_same(fitted(digits.train, shuffle_block=BLOCK), fitted(Dataset(images, digits.train.labels), shuffle_block=BLOCK))
    assert np.array_equal(images, digits.train.images)
    assert not np.load(path).any()


@pytest.mark.parametrize(
    "view", [lambda rows: rows, lambda rows: rows[7:900], lambda rows: rows[3:].reshape(-1, 64)], ids=["all", "part", "flat"]
)
def test_mapped_rows_are_those_of_the_file(view: Callable[[Any], Any], digits: gn.Splits, tmp_path: Path) -> None:
    images = mapped(digits.train, tmp_path).images
    part = view(images)
    rows, wanted = MappedRows.of(part), part.copy()
    assert rows is not None
    for first, last in ((0, 1), (5, 300), (0, len(part)), (9, 9)):
        rows.ask(first, last)
        rows.read(first, last)
        rows.release(first, last)
    assert np.array_equal(part, wanted)
    assert MappedRows.of(wanted) is None
    assert ReadAhead.of(digits.train, digits.train.images) is None


def test_what_would_copy_more_than_fits_is_refused(
    digits: gn.Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = mapped(digits.train, tmp_path)
    wide = mapped(digits.train, tmp_path, dtype=np.float32)
    monkeypatch.setattr(memory, "SMALL", 1000)
    monkeypatch.setattr(memory, "available", lambda: 20_000.0)
    tries: dict[str, Callable[[], object]] = {
        "a copy of the images as float32": lambda: Dataset(np.zeros((1000, 8, 8)), np.zeros(1000, int)),
        "a copy of the images as float64": lambda: network().astype("float64").rows(wide.images),
        "1,000 chosen images": lambda: stored[np.arange(1000)],
        "the images and their shifted copies": lambda: gn.expand_by_shifts(stored),
    }
    for what, attempt in tries.items():
        with pytest.raises((DataError, InputError), match="more memory than there is") as caught:
            attempt()
        assert what in str(caught.value.received)
        assert caught.value.hint


@pytest.mark.parametrize("value", [0, -1, 2.5, "32", True])
def test_a_block_is_a_number_of_images(value: Any, digits: gn.Splits) -> None:
    with pytest.raises(InputError, match="shuffle_block must be a whole number above 0") as caught:
        fitted(digits.train, shuffle_block=value)
    assert caught.value.where == "fit(shuffle_block)"
