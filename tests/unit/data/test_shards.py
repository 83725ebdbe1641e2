"""Memory-mapped shards: what is written is what was read, also after an interruption; what is wrong with them is said."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from benchmarks.published import gnt_record
from glassnet.data import Dataset
from glassnet.data.shards import manifest as layout, write
from glassnet.data.shards.manifest import HEADER, Manifest, header, manifest_of, sizes
from glassnet.data.shards.plan import ShardPlan, plan_shards
from glassnet.data.shards.read import check_shard, check_shards
from glassnet.data.shards.shard import Worker, shard, write_all
from glassnet.errors import DataError, InputError

Write = Callable[..., Path]
NAMES = [f"{kind}/w{number % 5}_{number}.png" for kind in ("cat", "dog") for number in range(20)]
SMALL = {"block": 2, "shard_images": 6, "workers": 1}


def by_name(part: Dataset) -> dict[str, tuple[bytes, int, Any]]:
    """What belongs to each image."""
    assert part.names is not None
    groups = [None] * len(part) if part.groups is None else part.groups.tolist()
    rows = zip(part.names.tolist(), part.images, part.labels.tolist(), groups, strict=True)
    return {name: (image.tobytes(), label, group) for name, image, label, group in rows}


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


@pytest.mark.parametrize("at", ["images", "images.zip"])
def test_images_labels_groups_and_names_are_those_of_the_folder(images: Write, tmp_path: Path, at: str) -> None:
    source = images(NAMES, at=at)
    options: dict[str, Any] = {"pattern": r"(?P<label>cat|dog)/w(?P<group>\d)", "fractions": (0.6, 0.2, 0.2), "seed": 4}
    known = shard(source, tmp_path / "out", **options, **SMALL)
    expected, found = gn.load_dataset(source, **options), gn.load_dataset(tmp_path / "out")
    assert (known.shape, known.classes, known.block, known.shard) == ((6, 5, 1), ("cat", "dog"), 2, 6)
    for name in ("train", "validation", "test"):
        mine, theirs = getattr(found, name), getattr(expected, name)
        assert by_name(mine) == by_name(theirs)
        assert mine.names.tolist() != theirs.names.tolist()  # in another order
        assert isinstance(mine.images, np.memmap)
        assert not mine.images.flags.writeable
    assert found.train.classes == expected.train.classes
    assert np.load(tmp_path / "out" / "train.images.npy", mmap_mode="r").shape == found.train.images.shape
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir()) == []
    assert manifest_of(found.train.images) == known
    assert manifest_of(found.train[2:5].images) == known
    assert manifest_of(expected.train.images) is None
    check_shards(tmp_path / "out")


def test_options_of_reading_reach_the_images(images: Write, tmp_path: Path) -> None:
    source = images(NAMES)
    shard(source, tmp_path / "out", size=(3, 4), color="rgb", split="stratified", **SMALL)
    expected = gn.load_dataset(source, size=(3, 4), color="rgb", split="stratified")
    assert by_name(gn.load_dataset(tmp_path / "out").train) == by_name(expected.train)
    gn.load_dataset(tmp_path / "out", size=(3, 4), color="rgb", split="stratified")  # what they were made with


def test_drawn_characters_are_those_of_draw_characters(tmp_path: Path) -> None:
    drawn: dict[str, Any] = {
        "fonts": ["DejaVu Sans", "DejaVu Serif"],
        "copies": 5,
        "size": 12,
        "split": "stratified",
        "seed": 3,
    }
    shard(None, tmp_path / "out", characters="01ab", block=8, shard_images=16, workers=1, **drawn)
    expected, found = gn.draw_characters("01ab", **drawn), gn.load_dataset(tmp_path / "out")
    for name in ("train", "validation", "test"):
        mine, theirs = getattr(found, name), getattr(expected, name)

        def rows(part: Dataset) -> list[tuple[bytes, int, str]]:
            assert part.groups is not None
            return sorted(
                (image.tobytes(), int(label), str(group))
                for image, label, group in zip(part.images, part.labels, part.groups, strict=True)
            )

        assert rows(mine) == rows(theirs)


def test_other_data_sets(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 4, 3), np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(50) % 3)
    shard(tmp_path / "a.npz", tmp_path / "out", fractions=(0.6, 0.4, 0), **SMALL)
    expected, found = gn.load_dataset(tmp_path / "a.npz", fractions=(0.6, 0.4, 0)), gn.load_dataset(tmp_path / "out")
    assert found.test is None
    assert sorted(map(bytes, found.train.images)) == sorted(map(bytes, expected.train.images))
    assert shard("digits", tmp_path / "digits", workers=1).images == 1797
    again = shard(tmp_path / "digits", tmp_path / "again", workers=1)  # shards, too
    assert again.parts["train"].images == gn.load_dataset("digits").train.images.shape[0]


def test_floats_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((9, 4, 3), np.float32), labels=np.arange(9) % 3)
    with pytest.raises(DataError, match="Shards hold images of bytes"):
        shard(tmp_path / "a.npz", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_training_from_shards_gives_the_bits_of_arrays_in_memory(tmp_path: Path) -> None:
    shard("digits", tmp_path / "out", workers=1, block=50, shard_images=300)
    mapped = gn.load_dataset(tmp_path / "out").train
    copied = Dataset(np.array(mapped.images), mapped.labels, mapped.classes)
    assert not isinstance(copied.images, np.memmap)
    found = []
    for data in (mapped, copied):
        network = gn.Network([64, 12, 10], seed=1)
        network.fit(data, 2, seed=2, shuffle_block=mapped.block, progress=False)
        found.append(network.parameters)
    np.testing.assert_array_equal(*found)


def test_opening_shards_reads_no_images(tmp_path: Path) -> None:
    """4 GB of images, sparse on the disk: nothing of their size may be allocated."""
    count, shape = 4096, (1024, 1024, 1)
    with (tmp_path / "train.images.npy").open("wb") as file:
        file.write(header((count, *shape)))
        file.truncate(HEADER + count * 2**20)
    np.save(tmp_path / "train.labels.npy", np.arange(count) % 7)
    labels = tmp_path / "train.labels.npy"
    size = labels.stat().st_size
    block, in_shard = sizes(shape, None, None)
    assert (block, in_shard) == (32, 32)
    crc = {"labels": layout.checksum(labels, 0, size)}
    facts = layout.PartFacts(count, [0] * (count // in_shard), crc, {"labels": size})
    Manifest(shape, tuple("abcdefg"), block, in_shard, {"train": facts}, "made up", {}).write(tmp_path)
    tracemalloc.start()
    splits = gn.load_dataset(tmp_path)
    some = splits.train[100:2000]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3e6
    assert isinstance(some.images, np.memmap)
    assert some.images[5].sum() == 0


@pytest.mark.parametrize(
    ("each", "block", "in_shard"), [(784, 1024, 43008), (1024, 1024, 32768), (64 * 64 * 3, 64, 2752), (2**20, 32, 32)]
)
def test_blocks_of_about_a_megabyte(each: int, block: int, in_shard: int) -> None:
    assert sizes((each,), None, None) == (block, in_shard)


def test_images_that_turn_out_to_be_damaged_leave_no_gap(
    images: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = images(NAMES)
    whole = gn.load_dataset(source, split="stratified")
    bad = [str(whole.train.names[3]), str(whole.train.names[11]), str(whole.test.names[0])]  # type: ignore[index, union-attr]
    for name in bad:  # the header is right, the rest is cut off
        (source / name).write_bytes((source / name).read_bytes()[:50])
    plan = plan_shards(source, tmp_path / "out", split="stratified", size=(6, 5), color="grey", block=2, shard_images=6)
    for number in reversed(range(plan.shards)):
        plan.write(number)
    real, failing = Manifest.write, iter([True, True, False])

    def interrupted(known: Manifest, folder: Path) -> None:
        if next(failing):
            raise KeyboardInterrupt
        real(known, folder)

    monkeypatch.setattr(Manifest, "write", interrupted)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            plan.finish()
    (tmp_path / "out" / "unfinished" / "mine.txt").touch()
    known = plan.finish()
    assert sorted(known.left_out) == sorted(bad)
    assert all(reason for reason in known.reasons)
    found = gn.load_dataset(tmp_path / "out")
    assert found.left_out == known.left_out
    for name in ("train", "validation", "test"):
        expected = {key: value for key, value in by_name(getattr(whole, name)).items() if key not in bad}
        assert by_name(getattr(found, name)) == expected
    check_shards(tmp_path / "out")
    assert [path.name for path in (tmp_path / "out" / "unfinished").iterdir()] == ["mine.txt"]  # not glassnet's


def test_a_call_that_was_interrupted_goes_on(images: Write, tmp_path: Path) -> None:
    source = images(NAMES)
    shard(source, tmp_path / "whole", **SMALL)
    plan = plan_shards(source, tmp_path / "out", block=2, shard_images=6)
    plan.write(3)
    written = plan.note(3).stat().st_mtime_ns
    with pytest.raises(DataError, match="These shards are not finished"):
        gn.load_dataset(tmp_path / "out")
    with pytest.raises(DataError, match="Not all shards are written yet") as error:
        plan.finish()
    assert "without shard 0" in str(error.value)
    assert plan_shards(source, tmp_path / "out", block=2, shard_images=6) == plan
    assert 3 not in plan.left
    plan.write(3)
    assert plan.note(3).stat().st_mtime_ns == written
    shard(source, tmp_path / "out", **SMALL)
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")
    assert shard(source, tmp_path / "out", **SMALL) == Manifest.read(tmp_path / "whole")  # nothing left to do


KILLED = "import sys, glassnet as gn; gn.shard(sys.argv[1], sys.argv[2], block=2, shard_images=4, workers=2, size=200)"


def test_killed_in_the_midst_it_goes_on_to_the_same_bytes(images: Write, tmp_path: Path) -> None:
    source, out = images([f"{kind}/{n}.png" for kind in "ab" for n in range(120)], shape=(400, 300)), tmp_path / "out"
    command = [sys.executable, "-c", KILLED, str(source)]
    kills = 0
    for _ in range(20):
        child = subprocess.Popen([*command, str(out)], start_new_session=True)
        before = len(list(out.glob("unfinished/*.json")))
        while child.poll() is None and len(list(out.glob("unfinished/*.json"))) < before + 8:
            time.sleep(0.01)
        if child.poll() is not None:
            break
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        kills += 1
    assert child.wait() == 0
    assert kills >= 2
    subprocess.run([*command, str(tmp_path / "whole")], check=True)
    assert files_of(out) == files_of(tmp_path / "whole")
    assert not (out / "unfinished").exists()


def test_workers_that_fail(images: Write, tmp_path: Path) -> None:
    source = images(NAMES)
    plan = plan_shards(source, tmp_path / "out", block=2, shard_images=6)
    worker = Worker(plan.folder)
    worker.write(0)
    worker.process.kill()
    with pytest.raises(DataError, match="A process that writes shards has ended"):
        worker.write(1)
    worker.end()
    shutil.rmtree(source)
    with pytest.raises(DataError, match="None of the images can be read"):
        write_all(plan, 2)
    assert len(plan.left) == plan.shards - 1


def test_dask(images: Write, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="Dask, whose cluster this is about, is not installed")
    plan = plan_shards(images(NAMES), tmp_path / "out", block=2, shard_images=6)
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert client.gather(client.map(plan.write, range(plan.shards))) == list(range(plan.shards))
    plan.finish()
    shard(tmp_path / "images", tmp_path / "whole", **SMALL)
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_a_plan_can_be_pickled_and_is_small(images: Write, tmp_path: Path) -> None:
    import pickle

    plan = plan_shards(images(NAMES), tmp_path / "out")
    text = pickle.dumps(plan)
    assert len(text) < 2000
    again = pickle.loads(text)
    assert isinstance(again, ShardPlan)
    assert [again.write(number) for number in again.left] == list(range(plan.shards))


def test_another_source_or_other_options_are_refused(images: Write, tmp_path: Path) -> None:
    source = images(NAMES)
    shard(source, tmp_path / "out", seed=1, **SMALL)
    plan_shards(source, tmp_path / "begun", seed=1)
    for folder in ("out", "begun"):
        before = files_of(tmp_path / folder)
        for other in ({"seed": 2}, {"seed": 1, "size": 9}, {"seed": 1, "block": 4}):
            with pytest.raises(DataError, match="begun from another source, or with other options"):
                shard(source, tmp_path / folder, **{**SMALL, **other})
        assert files_of(tmp_path / folder) == before
    os.utime(source / NAMES[0], ns=(1, 1))
    with pytest.raises(DataError, match="begun from another source") as error:
        shard(source, tmp_path / "out", seed=1, **SMALL)
    assert "files" in str(error.value.where)


def test_wrong_input(images: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = images(NAMES)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "thesis.txt").touch()
    (tmp_path / "arrays").mkdir()
    (tmp_path / "arrays" / "train.images.npy").write_bytes(b"somebody's own")
    for out, options, what in (
        ("theirs", {}, "There is something else in this place"),
        ("arrays", {}, "There is something else in this place"),
        ("out", {"block": 0}, "This is not a number of images"),
        ("out", {"workers": 0}, "The number of workers"),
        ("out", {"fonts": ["DejaVu Sans"]}, "either a source of images, or fonts"),
        ("out", {"colour": "grey"}, "colour"),
    ):
        with pytest.raises((DataError, InputError, TypeError), match=what):
            shard(source, tmp_path / out, **options)  # type: ignore[arg-type]
    assert (tmp_path / "arrays" / "train.images.npy").read_bytes() == b"somebody's own"
    with pytest.raises(DataError, match="no such file or folder"):
        shard(tmp_path / "missing", tmp_path / "other")
    plan = plan_shards(source, tmp_path / "a")
    with pytest.raises(InputError, match="There is no such shard"):
        plan.write(plan.shards)
    monkeypatch.setattr("shutil.disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1))  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="not enough room on the disk"):
        shard(source, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def damage(folder: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    (folder / name).write_bytes(change((folder / name).read_bytes()))


def changed_manifest(**changes: Any) -> Callable[[bytes], bytes]:
    return lambda content: json.dumps({**json.loads(content), **changes}).encode()


@pytest.mark.parametrize(
    ("name", "change", "what"),
    [
        ("train.images.npy", lambda content: content[:-1], "a file is not what the manifest says"),
        ("train.images.npy", lambda content: content.replace(b"6, 5", b"5, 6"), "a file is not what the manifest says"),
        ("train.labels.npy", lambda content: content[:-8] + content[-16:-8], "a file is not what the manifest says"),
        ("train.labels.npy", lambda content: content + b"x", "a file is not what the manifest says"),
        ("shards.json", changed_manifest(format=2), "written by a newer glassnet"),
        ("shards.json", changed_manifest(shape=[5, 5, 1]), "a file is not what the manifest says"),
        ("shards.json", changed_manifest(block=0), "The manifest of these shards is damaged"),
        ("shards.json", changed_manifest(parts={}), "The manifest of these shards is damaged"),
        ("shards.json", lambda content: content[:-5], "The manifest of these shards is damaged"),
    ],
)
def test_damage_is_seen_when_shards_are_opened(
    images: Write, tmp_path: Path, name: str, change: Callable[[bytes], bytes], what: str
) -> None:
    shard(images(NAMES), tmp_path / "out", **SMALL)
    damage(tmp_path / "out", name, change)
    with pytest.raises(DataError, match=what):
        gn.load_dataset(tmp_path / "out")


def test_a_missing_file(images: Write, tmp_path: Path) -> None:
    shard(images(NAMES), tmp_path / "out", **SMALL)
    (tmp_path / "out" / "test.images.npy").unlink()
    with pytest.raises(DataError, match="a file is not what the manifest says"):
        gn.load_dataset(tmp_path / "out")


def test_changed_and_swapped_shards_are_seen_by_their_checksums(images: Write, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    shard(images(NAMES), folder, **SMALL)
    gn.load_dataset(folder)
    for number in range(4):
        check_shard(folder, "train", number)
    at = [HEADER + number * 6 * 30 for number in range(3)]
    damage(folder, "train.images.npy", lambda c: c[: at[0]] + c[at[1] : at[2]] + c[at[0] : at[1]] + c[at[2] :])
    gn.load_dataset(folder)  # its sizes are right
    with pytest.raises(DataError, match="those of shard 1"):
        check_shard(folder, "train", 0)
    train = gn.load_dataset(folder).train
    assert train.verify is not None
    assert train.block == 2
    with pytest.raises(DataError, match="those of shard 0"):
        train.verify(7, 9)
    train.verify(12, 14)
    network = gn.Network([30, 4, 2], input_shape=(6, 5, 1), seed=1)
    with pytest.raises(DataError, match="those of shard"):
        network.fit(train, 1, seed=1, progress=False)
    with pytest.raises(DataError, match=r"images 0 to 5"):
        check_shards(folder)
    check_shard(folder, "train", 2)
    damage(folder, "train.images.npy", lambda c: c[:-1] + bytes([c[-1] ^ 1]))
    with pytest.raises(DataError, match="CRC-32"):
        check_shard(folder, "train", 4)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"size": 9}, "have another size"),
        ({"color": "rgb"}, "have another colour"),
        ({"split": "random"}, "The split of these shards was decided"),
        ({"fractions": (0.8, 0.1, 0.1)}, "The split of these shards was decided"),
        ({"pattern": "(?P<label>.)"}, "A pattern applies only"),
    ],
)
def test_options_that_contradict_the_shards(images: Write, tmp_path: Path, options: dict[str, Any], what: str) -> None:
    shard(images(NAMES), tmp_path / "out", **SMALL)
    gn.load_dataset(tmp_path / "out", size=(6, 5), color="grey")
    with pytest.raises((DataError, InputError), match=what):
        gn.load_dataset(tmp_path / "out", **options)


def test_notes_are_written_after_the_images(images: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_shards(images(NAMES), tmp_path / "out")
    monkeypatch.setattr(write, "write_text", lambda *_, **__: pytest.fail("a note without its images"))
    monkeypatch.setattr(write.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(gn.RunError, match=r"The shard can't be written(.|\n)*No space left"):
        plan.write(0)
    assert plan.left == list(range(plan.shards))
    assert replace(plan) == plan


def test_characters_of_gnt_files_are_read_shard_by_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the reader, which holds them all and is not asked."""
    rng = np.random.default_rng(0)
    for writer in range(8):
        bitmaps = rng.integers(0, 256, (12, 9 + writer, 7), dtype=np.uint8)
        content = b"".join(gnt_record(name, bitmap) for name, bitmap in zip("一丁啊" * 4, bitmaps, strict=True))
        (tmp_path / f"{writer}-c.gnt").write_bytes(content)
    options: dict[str, Any] = {"size": 16, "fractions": [0.5, 0.25, 0.25], "seed": 3}
    whole = gn.load_dataset(tmp_path, **options)
    monkeypatch.setattr("glassnet.data.load.read_gnt", None)
    gn.shard(tmp_path, tmp_path / "out", **options, block=4, shard_images=8, workers=1)
    found = gn.load_dataset(tmp_path / "out")
    assert found.classes == whole.classes
    for part in ("train", "validation", "test"):
        one, other = getattr(found, part), getattr(whole, part)
        assert set(one.groups) == set(other.groups)

        def content_of(part: Any) -> list[tuple[bytes, int, str]]:
            rows = zip(part.images, part.labels, part.groups, strict=True)
            return sorted((image.tobytes(), int(label), str(group)) for image, label, group in rows)

        assert content_of(one) == content_of(other)
