"""Folders and zips of images: labels, groups and parts by their names; what is left out; what is kept."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import glassnet.support.cache
from glassnet.data import Dataset, decode_many as batch, load_dataset
from glassnet.errors import DataError, DataWarning, InputError

Write = Callable[..., Path]
WHOLE = {"fractions": (1, 0, 0)}


def content(part: Dataset | None) -> list[tuple[int, str]]:
    """The colour of each image, and the name of its class."""
    assert part is not None
    assert part.classes is not None
    return [(int(image.ravel()[0]), part.classes[label]) for image, label in part]  # type: ignore[index]


@pytest.mark.parametrize("at", ["images", "images.zip"])
@pytest.mark.parametrize("above", ["", "data/", "a/b/"])
def test_one_folder_a_class(images: Write, at: str, above: str) -> None:
    names = ["cat/1.png", "cat/deep/2.png", "dog/1.png", "dog/2.PNG", "ape/9.png"]
    splits = load_dataset(images([above + name for name in names], at=at), **WHOLE)
    assert splits.classes == ("ape", "cat", "dog")
    assert content(splits.train) == [(4, "ape"), (0, "cat"), (1, "cat"), (2, "dog"), (3, "dog")]
    assert splits.train.shape == (6, 5, 1)
    assert splits.train.images.dtype == np.uint8
    assert splits.train.groups is None
    assert splits.left_out == ()
    assert splits.validation is splits.test is None


def test_classes_that_are_numbers_are_in_their_order(images: Write) -> None:
    splits = load_dataset(images(["10/a.png", "9/a.png", "2/a.png"]), **WHOLE)
    assert splits.classes == ("2", "9", "10")
    assert content(splits.train) == [(0, "10"), (2, "2"), (1, "9")]


def test_classes_of_the_same_number_are_in_the_order_of_their_texts(images: Write) -> None:
    splits = load_dataset(images(["a_2.png", "b_02.png", "c_-1.png"]), pattern=r"_(?P<label>-?\d+)", **WHOLE)
    assert splits.classes == ("-1", "02", "2")


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["三", "二", "万", "一"], ("一", "二", "三", "万")),  # as they count
        (["三", "二三", "一"], ("一", "三", "二三")),  # one is a word: as texts
        (["三", "二", "四十"], ("三", "二", "四十")),
    ],
)
def test_only_numerals_are_in_the_order_of_numerals(images: Write, labels: list[str], classes: tuple[str, ...]) -> None:
    assert load_dataset(images([f"{label}/1.png" for label in labels]), **WHOLE).classes == classes


def test_what_systems_leave_behind_is_no_image(images: Write) -> None:
    folder = images(
        ["cat/1.png", "dog/1.png", "__MACOSX/cat/1.png", ".hidden/1.png", "cat/._1.png", "dog/.thumb.png", "cat/@eaDir/1.png"]
    )
    (folder / "cat" / "Thumbs.db").write_bytes(b"x")
    (folder / "labels.csv").write_text("a,b")
    assert content(load_dataset(folder, **WHOLE).train) == [(0, "cat"), (1, "dog")]


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_linked_folders_once(images: Write) -> None:
    folder = images(["cat/1.png", "dog/1.png"])
    (folder / "dog" / "back").symlink_to(folder, target_is_directory=True)
    images(["1.png"], at="elsewhere")
    (folder / "ape").symlink_to(folder.parent / "elsewhere", target_is_directory=True)
    assert content(load_dataset(folder, **WHOLE).train) == [(0, "ape"), (0, "cat"), (1, "dog")]


@pytest.mark.parametrize("at", ["images", "images.zip"])
def test_folders_for_parts_are_explicit_splits(images: Write, at: str) -> None:
    names = ["Train/cat/1.png", "Train/dog/2.png", "val/cat/3.png", "val/dog/5.png", "test/dog/4.png"]
    path = images(["set/" + name for name in names], at=at)
    splits = load_dataset(path)
    assert content(splits.train) == [(0, "cat"), (1, "dog")]
    assert content(splits.validation) == [(2, "cat"), (3, "dog")]
    assert content(splits.test) == [(4, "dog")]
    with pytest.raises(InputError, match="comes with training and validation parts of its own"):
        load_dataset(path, fractions=(0.5, 0.5, 0))


def test_train_and_test_leave_room_for_validation(images: Write) -> None:
    names = [f"train/{kind}.{number}.png" for kind in ("cat", "dog") for number in range(10)]
    folder = images([*names, "test/cat.1.png", "test/dog.1.png"])
    pattern = r"^(?P<label>cat|dog)\."
    splits = load_dataset(folder, pattern=pattern, fractions=(0.8, 0.2, 0))
    assert splits.train.counts.tolist() == [8, 8]
    assert splits.validation is not None
    assert splits.validation.counts.tolist() == [2, 2]
    assert content(splits.test) == [(20, "cat"), (21, "dog")]
    assert load_dataset(folder, pattern=pattern, fractions=(1, 0, 0)).validation is None
    with pytest.raises(InputError, match=r"(?s)comes with a test part of its own.*fractions whose third is 0"):
        load_dataset(folder, pattern=pattern, fractions=(0.6, 0.2, 0.2))
    with pytest.raises(InputError, match=r"(?s)comes with a test part of its own.*no fold"):
        load_dataset(folder, pattern=pattern, fold=0)


def test_a_class_that_is_only_in_the_test_part(images: Write) -> None:
    with pytest.raises(DataError, match="Class 'dog' has no images in the training part"):
        load_dataset(images(["train/cat/1.png", "train/ape/1.png", "test/dog/1.png"]))


def test_pattern_with_groups(images: Write) -> None:
    folder = images(["x/ann-3-a.png", "x/bob-1-b.png", "y/bob-2-a.png"])
    splits = load_dataset(folder, pattern=r"(?P<group>\w+)-\d-(?P<label>\w)\.png", **WHOLE)
    assert content(splits.train) == [(0, "a"), (1, "b"), (2, "a")]
    assert splits.train.groups is not None
    assert splits.train.groups.tolist() == ["ann", "bob", "bob"]
    splits = load_dataset(folder, pattern=r"-(?P<group>\d)-(?P<label>\w)", **WHOLE)
    assert splits.train.groups is not None
    assert splits.train.groups.tolist() == [3, 1, 2]
    splits = load_dataset(folder, pattern=r"(?P<label>[xy])/", **WHOLE)  # with a "/": in the whole path
    assert content(splits.train) == [(0, "x"), (1, "x"), (2, "y")]


def test_names_the_pattern_does_not_match_are_left_out_loudly(images: Write) -> None:
    folder = images(["a1.png", "b2.png", "cover.png"])
    with pytest.warns(DataWarning, match=r"1 of 3 images are left out: cover.png \(names the pattern does not match\)"):
        splits = load_dataset(folder, pattern=r"(?P<label>[ab])\d", **WHOLE)
    assert splits.left_out == splits.unlabelled == ("cover.png",)
    assert content(splits.train) == [(0, "a"), (1, "b")]


def test_a_label_of_no_letters_is_none(images: Write) -> None:
    folder = images(["a1.png", "b2.png", "3.png"])
    with pytest.warns(DataWarning, match="1 of 3 images are left out: 3.png"):
        splits = load_dataset(folder, pattern=r"(?P<label>[ab]?)\d", **WHOLE)
    assert splits.classes == ("a", "b")


def test_numerals_are_known_by_their_names(images: Write) -> None:
    names = [
        f"data/input_{writer}_{sample}_{label}.jpg" for writer in (1, 10, 2) for sample in (1, 2) for label in (1, 11, 15, 2)
    ]
    splits = load_dataset(images(names), fractions=(2 / 3, 0, 1 / 3))
    assert splits.classes == ("零", "一", "十", "亿")
    assert splits.test is not None
    assert len(splits.train) == 16
    assert len(splits.test) == 8
    assert splits.train.groups is not None
    assert splits.test.groups is not None
    assert set(splits.train.groups) | set(splits.test.groups) == {1, 2, 10}
    assert not set(splits.train.groups) & set(splits.test.groups)
    for part in (splits.train, splits.test):
        assert {name for _, name in content(part)} == {"零", "一", "十", "亿"}
        for number, name in content(part):
            assert name == {"1": "零", "2": "一", "11": "十", "15": "亿"}[names[number].split("_")[-1].removesuffix(".jpg")]


def test_an_image_beside_the_class_folders_is_left_out(images: Write) -> None:
    folder = images(["cat/1.png", "dog/1.png", "cover.png"])
    with pytest.warns(DataWarning, match=r"cover.png \(not in a class folder\)"):
        splits = load_dataset(folder, **WHOLE)
    assert splits.left_out == splits.unlabelled == ("cover.png",)
    assert len(splits.train) == 2


@pytest.mark.parametrize("at", ["images", "images.zip"])
def test_unreadable_images_are_named(images: Write, at: str) -> None:
    names = [f"{kind}/{number}.png" for kind in ("cat", "dog") for number in range(6)]
    folder = images(names)
    (folder / "cat" / "0.png").write_bytes(b"no image")
    (folder / "dog" / "3.png").write_bytes((folder / "dog" / "3.png").read_bytes()[:40])
    (folder / "dog" / "4.png").write_bytes(b"")
    path = images_zipped(folder, names) if at.endswith(".zip") else folder
    for size in (None, 3, None, 3):  # looked at first and not; new and from the cache
        with pytest.warns(DataWarning, match=r"3 of 12 images are left out: cat/0.png \(The file is not an image.\); dog/3"):
            splits = load_dataset(path, size=size, color="grey" if size else None, **WHOLE)
        assert (splits.left_out, splits.unlabelled) == (("cat/0.png", "dog/3.png", "dog/4.png"), ())
        assert [number for number, _ in content(splits.train)] == [1, 2, 3, 4, 5, 6, 7, 8, 11]


def images_zipped(folder: Path, names: list[str]) -> Path:
    path = folder.parent / "some.zip"
    with zipfile.ZipFile(path, "w") as target:
        for name in names:
            target.write(folder / name, name)
    return path


def test_none_readable(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(b"no image")
    for options in ({}, {"size": 3, "color": "grey"}):
        with pytest.raises(DataError, match=r"(?s)None of the images can be read.*cat/1.png: The file is not an image"):
            load_dataset(tmp_path, **options)


def test_a_class_left_with_nothing(images: Write) -> None:
    folder = images(["cat/1.png", "cat/2.png", "dog/1.png"])
    (folder / "dog" / "1.png").write_bytes(b"no image")
    with pytest.warns(DataWarning), pytest.raises(DataError, match=r"(?s)only one class.*'cat' \(2 images\)"):
        load_dataset(folder)


def test_sizes_and_colours(tmp_path: Path) -> None:
    for name, shape in (("a/1.png", (4, 6)), ("a/2.png", (8, 6, 3)), ("b/1.png", (4, 6)), ("b/2.png", (4, 6))):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.full(shape, 90, np.uint8)).save(tmp_path / name)
    with pytest.raises(DataError, match="The images have different sizes") as caught:
        load_dataset(tmp_path)
    assert caught.value.received == "6 × 4 (3 images), 6 × 8 (1 image)"
    assert "load_dataset(path, size=64)" in str(caught.value.hint)
    assert load_dataset(tmp_path, size=4, **WHOLE).train.shape == (4, 4, 3)  # one has colours: all have
    grey = load_dataset(tmp_path, size=(2, 3), color="grey", **WHOLE).train
    assert grey.shape == (2, 3, 1)
    assert (grey.images == 90).all()


def test_orientation_counts_before_size(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.full((4, 6), 90, np.uint8)).save(tmp_path / name / "1.png", exif=exif)
    assert load_dataset(tmp_path, **WHOLE).train.shape == (6, 4, 1)


def test_more_than_memory_holds(images: Write) -> None:
    folder = images(["a/1.png", "b/1.png"])
    with pytest.raises(DataError, match="more memory than there is"):
        batch._check_memory(batch_files(folder), 10**9, (1000, 1000, 3))


def batch_files(folder: Path) -> Any:
    from glassnet.data.readers.image_sources import Folder

    return Folder(folder)


# ------------------------------------------------------------------ kept on disk


def test_decoded_once_and_again_when_files_change(images: Write, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    decode_all = batch.decode_all
    monkeypatch.setattr(batch, "decode_all", lambda *args: calls.append(1) or decode_all(*args))
    folder = images(["a/1.png", "b/1.png"])
    first = load_dataset(folder, **WHOLE)
    again = load_dataset(folder, **WHOLE)
    assert len(calls) == 1
    np.testing.assert_array_equal(first.train.images, again.train.images)
    load_dataset(folder, split="random", fractions=(0.5, 0, 0.5))  # another split needs no other pixels
    assert len(calls) == 1
    load_dataset(folder, size=3, **WHOLE)
    load_dataset(folder, color="rgb", **WHOLE)
    load_dataset(folder, size=3, fit="pad", **WHOLE)
    assert len(calls) == 4
    Image.fromarray(np.full((6, 5), 99, np.uint8)).save(folder / "a" / "1.png")
    os.utime(folder / "a" / "1.png", (1, 1))
    assert content(load_dataset(folder, **WHOLE).train)[0] == (99, "a")
    assert len(calls) == 5
    assert len(list(cache.glob("*.npz"))) == 5


def test_a_file_of_the_same_size_is_decoded_anew(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    for name, number in (("a", 1), ("b", 2)):
        (folder / name).mkdir(parents=True)
        Image.fromarray(np.full((6, 5), number, np.uint8)).save(folder / name / "1.bmp")
    assert content(load_dataset(folder, **WHOLE).train) == [(1, "a"), (2, "b")]
    before = (folder / "a" / "1.bmp").stat()
    Image.fromarray(np.full((6, 5), 9, np.uint8)).save(folder / "a" / "1.bmp")
    os.utime(folder / "a" / "1.bmp", ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000_000))
    assert (folder / "a" / "1.bmp").stat().st_size == before.st_size
    assert content(load_dataset(folder, **WHOLE).train) == [(9, "a"), (2, "b")]


def test_a_zip_with_other_bytes_is_decoded_anew(images: Write) -> None:
    path = images(["a/1.png", "b/1.png"], at="some.zip")
    times = path.stat()
    assert content(load_dataset(path, **WHOLE).train) == [(0, "a"), (1, "b")]
    path = images(["b/1.png", "a/1.png"], at="some.zip")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert content(load_dataset(path, **WHOLE).train) == [(1, "a"), (0, "b")]


def test_a_damaged_kept_file_is_made_anew(images: Write, cache: Path) -> None:
    folder = images(["a/1.png", "b/1.png"])
    load_dataset(folder, **WHOLE)
    (kept,) = cache.glob("*.npz")
    whole = kept.read_bytes()
    for damaged in (b"", b"rubbish", whole[:-40], whole[:200]):
        kept.write_bytes(damaged)
        assert content(load_dataset(folder, **WHOLE).train) == [(0, "a"), (1, "b")]
        assert len(kept.read_bytes()) == len(whole)


@pytest.mark.parametrize("change", [
    {"images": np.zeros((2, 6, 5), np.uint8)}, {"images": np.zeros((2, 6, 5, 1))},
    {"images": np.zeros((1, 6, 5, 1), np.uint8)},
    {"places": np.array([0]), "reasons": np.array(["none"])}, {"places": np.array(["x"]), "reasons": np.array(["none"])},
    {"images": np.zeros((1, 6, 5, 1), np.uint8), "places": np.array([2]), "reasons": np.array(["none"])},
])  # fmt: skip
def test_a_kept_file_of_another_shape_is_made_anew(images: Write, cache: Path, change: dict[str, Any]) -> None:
    folder = images(["a/1.png", "b/1.png"])
    load_dataset(folder, **WHOLE)
    (kept,) = cache.glob("*.npz")
    with np.load(kept) as stored:
        arrays = dict(stored)
    np.savez(kept, **(arrays | change))
    assert content(load_dataset(folder, **WHOLE).train) == [(0, "a"), (1, "b")]
    with np.load(kept) as stored:
        assert all(np.array_equal(stored[name], array) for name, array in arrays.items())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_or_a_folder_in_its_place(images: Write, cache: Path) -> None:
    folder = images(["a/1.png", "b/1.png"])
    load_dataset(folder, **WHOLE)
    (kept,) = cache.glob("*.npz")
    kept.unlink()
    os.mkfifo(kept)
    assert content(load_dataset(folder, **WHOLE).train) == [(0, "a"), (1, "b")]
    assert kept.is_file()
    kept.unlink()
    kept.mkdir()
    assert content(load_dataset(folder, **WHOLE).train) == [(0, "a"), (1, "b")]
    assert kept.is_dir()


def test_the_longest_unused_go_first(images: Write, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = images(["a/1.png", "b/1.png"], shape=(40, 40))
    load_dataset(folder, **WHOLE)
    (first,) = cache.glob("*.npz")
    load_dataset(folder, size=41, **WHOLE)
    (second,) = set(cache.glob("*.npz")) - {first}
    os.utime(second, (1, 1))
    half = [cache / f".{first.name}.abcd1234.glassnet.part", cache / f".{first.name}.abcd1235.glassnet.part"]
    for path in half:
        path.write_bytes(b"x")
    os.utime(half[0], (1, 1))
    monkeypatch.setattr(batch, "MOST_BYTES", 3 * first.stat().st_size - 500)
    load_dataset(folder, size=39, **WHOLE)
    assert first in set(cache.iterdir())
    assert second not in set(cache.iterdir())
    assert len(list(cache.glob("*.npz"))) == 2
    assert [path.exists() for path in half] == [False, True]  # the other may be being written
    monkeypatch.setattr(batch, "MOST_BYTES", 100)
    load_dataset(folder, size=38, **WHOLE)  # larger than all that may be kept: not kept
    assert len(list(cache.glob("*.npz"))) == 2


@pytest.mark.parametrize("ours", [False, True])
def test_files_of_somebody_else_stay(images: Write, cache: Path, monkeypatch: pytest.MonkeyPatch, ours: bool) -> None:
    """A folder that was there with files in it is not ours: nothing goes. In ours, only what is named as we name it."""
    folder = images(["a/1.png", "b/1.png"], shape=(40, 40))
    if ours:
        load_dataset(folder, **WHOLE)
    cache.mkdir(parents=True, exist_ok=True)
    names = ["mine.npz", f"{'a' * 39}.npz", f"{'g' * 40}.npz", f"{'A' * 40}.npz", f"x{'a' * 40}.npz", f"{'a' * 40}.npz.bak"]
    names += [".half.part", ".mine.npz.abcd1234.part", "data.zip", *([] if ours else [f"{'a' * 40}.npz"])]
    for name in names:
        (cache / name).write_bytes(bytes(5000))
        os.utime(cache / name, (1, 1))
    (cache / f"{'b' * 40}.npz").mkdir()
    (cache / f"{'c' * 40}.npz").symlink_to(cache / "mine.npz")
    monkeypatch.setattr(batch, "MOST_BYTES", 8000)
    for size in range(30, 36):
        load_dataset(folder, size=size, **WHOLE)
    assert all((cache / name).read_bytes() == bytes(5000) for name in names)
    assert (cache / f"{'b' * 40}.npz").is_dir()
    assert (cache / f"{'c' * 40}.npz").is_symlink()
    made = {path.name for path in cache.iterdir() if path.is_file() and not path.is_symlink()} - {*names, "CACHEDIR.TAG"}
    assert len(made) == (2 if ours else 6)


def test_nothing_is_kept_where_nothing_can_be_written(
    images: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GLASSNET_CACHE", str(tmp_path / "file"))
    glassnet.support.cache._WARNED.clear()
    for _ in range(2):
        assert len(load_dataset(images(["a/1.png", "b/1.png"]), **WHOLE).train) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"glassnet: the cache can't be written (Not a directory: {tmp_path / 'file'}")
    assert (tmp_path / "file").read_bytes() == b""


# ------------------------------------------------------------------ refused


def test_no_images_and_no_classes(images: Write, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"(?s)only one class.*'cat' \(2 images\)"):
        load_dataset(images(["cat/1.png", "cat/2.png"], at="one"))
    with pytest.raises(DataError, match=r"(?s)they are all in one folder.*3 images, such as 1.png, 2.png, 3.png"):
        load_dataset(images(["1.png", "2.png", "3.png"], at="flat"))
    with zipfile.ZipFile(tmp_path / "words.zip", "w") as target:
        target.writestr("words.txt", "x")
    with pytest.raises(DataError, match=r"(?s)There are no images here.*1 other files"):
        load_dataset(tmp_path / "words.zip")


def test_a_pattern_that_matches_nothing(images: Write) -> None:
    with pytest.raises(DataError, match="The pattern matches no image's name") as caught:
        load_dataset(images(["a1.png", "b2.png", "c3.png", "d4.png"]), pattern=r"(?P<label>\d+)_x")
    assert caught.value.expected == r"names like (?P<label>\d+)_x"
    assert caught.value.received == "4 images, such as a1.png, b2.png, c3.png"


def test_a_pattern_for_what_is_no_image(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((4, 3)), y=[0, 1, 0, 1])
    for given in ("digits", "cats", tmp_path / "a.npz"):
        with pytest.raises(InputError, match="A pattern applies only to the names of image files"):
            load_dataset(given, pattern="(?P<label>x)")


def test_two_readers(images: Write) -> None:
    folder = images(["cat/1.png", "dog/1.png"])
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (folder / name).write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, 0))
    with pytest.raises(DataError, match=r"(?s)Two readers fit this path.*IDX files and a folder of images"):
        load_dataset(folder)
    assert len(load_dataset(folder, pattern="(?P<label>cat|dog)/", **WHOLE).train) == 2  # says which is meant
    with pytest.raises(DataError, match="Two readers fit these images"):
        load_dataset(images(["x/input_1_1_1.jpg", "y/input_1_1_2.jpg"], at="both"))


def test_zips_that_are_refused(images: Write, tmp_path: Path) -> None:
    whole = images(["cat/1.png", "dog/1.png"], at="whole.zip")
    for name, damaged in (("cut", whole.read_bytes()[:-60]), ("none", b"no zip"), ("empty", b"")):
        path = tmp_path / f"{name}.zip"
        path.write_bytes(damaged)
        with pytest.raises(
            DataError, match=r"(?s)The zip can't be read: it is damaged, cut off or of another format.*get the file again"
        ):
            load_dataset(path)
    for name in ("../cat/1.png", "/etc/cat/1.png", "cat/../../1.png", "C:\\cat\\1.png", "..\\1.png"):
        with zipfile.ZipFile(tmp_path / "climbing.zip", "w") as target:
            target.write(tmp_path / "whole" / "cat" / "1.png", "cat/1.png")
            info = zipfile.ZipInfo("x")
            info.filename = name
            target.writestr(info, b"x")
        with pytest.raises(DataError, match=r"The zip has paths that lead outside it"):
            load_dataset(tmp_path / "climbing.zip")
    content = bytearray(whole.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(content)
    with pytest.raises(DataError, match="The zip is encrypted"):
        load_dataset(tmp_path / "locked.zip")


def test_a_damaged_member_is_left_out(images: Write) -> None:
    path = images(["cat/1.png", "cat/2.png", "dog/1.png"], at="some.zip")
    content_ = bytearray(path.read_bytes())
    content_[content_.index(b"IDAT") + 6] ^= 255
    path.write_bytes(content_)
    with pytest.warns(DataWarning, match=r"cat/1.png \(Bad CRC-32"):
        assert load_dataset(path, **WHOLE).left_out == ("cat/1.png",)


def test_a_zip_by_its_content_with_names_in_utf8(images: Write, tmp_path: Path) -> None:
    """As macOS writes it: UTF-8, without the flag that says so; and no ending .zip."""
    image = images(["1.png"]) / "1.png"
    path = tmp_path / "unflagged"
    with zipfile.ZipFile(path, "w") as target:
        for name in ("xxx/1.png", "yyy/1.png"):
            target.write(image, name)
    path.write_bytes(path.read_bytes().replace(b"xxx/", "一/".encode()).replace(b"yyy/", "二/".encode()))
    assert load_dataset(path, **WHOLE).classes == ("一", "二")


def test_bombs(tmp_path: Path, images: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassnet.data.decode.MOST_PIXELS", 100)
    folder = images(["a/1.png", "b/1.png"])
    Image.fromarray(np.zeros((11, 10), np.uint8)).save(folder / "a" / "large.png")
    with pytest.warns(DataWarning, match=r"a/large.png \(The image is too large to be opened safely"):
        assert len(load_dataset(folder, **WHOLE).train) == 2
    monkeypatch.setattr("glassnet.data.readers.image_sources.MOST_BYTES", 10)
    path = images(["a/1.png", "b/1.png"], at="some.zip")
    with pytest.raises(DataError, match="bytes unpacked, of at most 10"):
        load_dataset(path)


@pytest.mark.parametrize("at", ["images", "images.zip"])
def test_folders_without_images_beside_the_classes_are_reported(images: Write, tmp_path: Path, at: str) -> None:
    path = images(["all/cat/1.png", "all/dog/1.png", "all/dog/old/2.png"], at=at)
    if path.is_dir():
        for name in ("all/bird", "all/ant/deep", "all/dog/none", "all/.hidden"):
            (path / name).mkdir(parents=True)
        (path / "all/bird/1.heic").touch()
    else:
        with zipfile.ZipFile(path, "a") as target:
            target.writestr("all/bird/1.heic", b"")
            target.writestr("all/ant/deep/", b"")
            target.writestr("all/ant/", b"")
            target.writestr("all/.hidden/", b"")
    with pytest.warns(DataWarning, match=r"have no images, so there are no such classes: 'all/ant', 'all/bird'$") as caught:
        assert load_dataset(path, **WHOLE).classes == ("cat", "dog")
    assert len(caught) == 1


@pytest.mark.parametrize("at", ["images", "images.zip"])
def test_one_name_inside_several_classes_is_reported(images: Write, at: str) -> None:
    path = images(["x/a/1.png", "y/a/1.png", "x/b/1.png", "y/c/1.png"], at=at)
    with pytest.warns(DataWarning, match=r"outer folders \(x, y\).*in several of them: x/a, y/a\. If the inner") as caught:
        assert load_dataset(path, **WHOLE).classes == ("x", "y")
    assert len(caught) == 1
    assert load_dataset(path, pattern=r"(?P<label>[^/]+)/[^/]+$", **WHOLE).classes == ("a", "b", "c")  # and no warning


def test_two_files_of_one_name_in_a_zip_are_reported(images: Write, tmp_path: Path) -> None:
    path = images(["cat/1.png", "dog/1.png"], at="images.zip")
    with zipfile.ZipFile(path, "a") as target, pytest.warns(UserWarning, match="Duplicate name"):
        target.write(tmp_path / "images" / "dog/1.png", "cat/1.png")
    with pytest.warns(DataWarning, match=r"1 of 3 images are left out: cat/1.png \(the zip has another file of this name"):
        splits = load_dataset(path, **WHOLE)
    assert splits.left_out == ("cat/1.png",)
    assert splits.unlabelled == ()
    assert content(splits.train) == [(1, "cat"), (1, "dog")]
