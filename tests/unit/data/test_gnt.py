"""CASIA-HWDB's `.gnt`: characters are found, drawn with their aspect kept, and refused where a record is wrong."""

from __future__ import annotations

import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

import glassnet as gn
from benchmarks.published import gnt_record
from glassnet.data.readers.drawn import SETS
from glassnet.data.readers.gnt import read_characters, scan_gnt
from glassnet.data.readers.image_sources import Zip
from glassnet.errors import DataError, InputError
from glassnet.support import memory

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(0)
BLANK = 255


def bitmap(height: int, width: int) -> Array:
    """Dark ink in a white box: the ink touches every side, as in CASIA's files."""
    made = np.full((height, width), BLANK, np.uint8)
    made[[0, -1]] = made[:, [0, -1]] = 30
    return made


def write(path: Path, characters: str, shape: tuple[int, int] = (20, 16)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(gnt_record(character, bitmap(*shape)) for character in characters))
    return path


@pytest.fixture
def writers(tmp_path: Path) -> Path:
    """Ten writers, each with all of three characters twice."""
    for number in range(10):
        write(tmp_path / "hwdb" / f"{1001 + number}-c.gnt", "一丁啊一丁啊", (20 + number, 16))
    return tmp_path / "hwdb"


def test_a_folder_is_divided_by_writer(writers: Path) -> None:
    splits = gn.load_dataset(writers)
    parts = [part for part in (splits.train, splits.validation, splits.test) if part is not None]
    assert [len(part) for part in parts] == [42, 12, 6]
    assert splits.classes == ("啊", "丁", "一")  # codes b0a1, b6a1, d2bb
    assert splits.train.shape == (64, 64, 1)
    assert splits.train.images.dtype == np.uint8
    groups = [set(part.groups.tolist()) for part in parts if part.groups is not None]
    assert set.union(*groups) == {f"{number}-c" for number in range(1001, 1011)}
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]
    for part in parts:
        assert part.counts.tolist() == [len(part) // 3] * 3


def test_ink_is_light_whole_and_in_the_middle(tmp_path: Path) -> None:
    """As characters drawn from fonts: 84 % of the side, black around it, in proportion."""
    for height, width in ((108, 54), (54, 108), (27, 27), (300, 10)):
        path = write(tmp_path / f"{height}-{width}.gnt", "一丁", (height, width))
        image = read_characters(scan_gnt(path), [0], (64, 64))[0, :, :, 0]
        rows, columns = np.flatnonzero(image.max(axis=1)), np.flatnonzero(image.max(axis=0))
        assert len(rows) == round(54 * height / max(height, width))
        assert len(columns) == max(1, round(54 * width / max(height, width)))
        assert abs(rows[0] - (63 - rows[-1])) <= 1
        assert abs(columns[0] - (63 - columns[-1])) <= 1
        if height == width:
            assert image[rows[0], columns].min() > 100  # 255 − 30, enlarged
            assert image[32, 32] == 0
    exact = RNG.integers(0, 256, (54, 54), np.uint8)
    (tmp_path / "exact.gnt").write_bytes(gnt_record("一", exact))
    np.testing.assert_array_equal(read_characters(scan_gnt(tmp_path / "exact.gnt"), [0])[0, 5:59, 5:59, 0], 255 - exact)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(SETS["hanzi"] + "!0Az，"),
            hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)),
        ),
        min_size=1,
        max_size=12,
    ),
    st.data(),
)
def test_round_trip(samples: list[tuple[str, Array]], data: st.DataObject) -> None:
    """Every character is found again, and chosen ones are the same as all of them, in any order."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "001-f.gnt"
        path.write_bytes(b"".join(gnt_record(*sample) for sample in samples))
        index = pickle.loads(pickle.dumps(scan_gnt(path)))
        assert [index.classes[label] for label in index.labels] == [character for character, _ in samples]
        assert list(index.classes) == sorted(
            {character for character, _ in samples}, key=lambda character: character.encode("gbk").ljust(2, b"\0")
        )
        sizes = [10 + pixels.size for _, pixels in samples]
        assert index.offset.tolist() == np.cumsum([0, *sizes[:-1]]).tolist()
        everything = read_characters(index, range(len(index)), (12, 10))
        chosen = data.draw(st.lists(st.integers(0, len(index) - 1), max_size=8))
        np.testing.assert_array_equal(read_characters(index, chosen, (12, 10)), everything[chosen])
        for (_, pixels), image in zip(samples, everything, strict=True):
            if pixels.min() == pixels.max():  # others overshoot at edges when they are resized
                assert image.max() == 255 - pixels.max()


def test_parts_of_their_own(tmp_path: Path) -> None:
    for folder, part in (("HWDB1.1trn_gnt", "train"), ("HWDB1.1tst_gnt", "test")):
        for writer in range(1001, 1007):
            write(
                tmp_path / "a" / folder / f"{writer + 240 * (part == 'test')}-c.gnt", "一丁啊" if part == "train" else "一丁"
            )
    write(tmp_path / "b" / "Gnt1.0TrainPart1" / "001-f.gnt", "一丁")
    write(tmp_path / "b" / "Gnt1.0TrainPart2" / "002-f.gnt", "一丁啊")
    write(tmp_path / "b" / "competition-gnt" / "C001-f.gnt", "一丁")
    splits = gn.load_dataset(tmp_path / "a")
    assert splits.test is not None
    assert splits.validation is not None
    assert (len(splits.train) + len(splits.validation), len(splits.test)) == (18, 12)
    assert splits.test.classes == splits.train.classes
    assert splits.test.groups is not None
    assert sorted(set(splits.test.groups.tolist())) == [f"{number}-c" for number in range(1241, 1247)]
    splits = gn.load_dataset(tmp_path / "b", fractions=(1, 0, 0))
    assert splits.test is not None
    assert (len(splits.train), splits.validation, len(splits.test)) == (5, None, 2)
    alone = gn.load_dataset(tmp_path / "a" / "HWDB1.1tst_gnt", fractions=(1, 0, 0))  # a test folder by itself has no parts
    assert (len(alone.train), alone.test) == (12, None)
    write(tmp_path / "b" / "competition-gnt" / "C002-f.gnt", "阿")
    with pytest.raises(
        DataError, match=r"(?s)Class '阿' has no images in the training part.*of 4 classes, 1 are missing there"
    ):
        gn.load_dataset(tmp_path / "b")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_and_one_file(writers: Path, method: int) -> None:
    packed = writers.with_suffix(".zip")
    with zipfile.ZipFile(packed, "w", method) as file:
        for path in sorted(writers.iterdir()):
            file.write(path, f"hwdb/{path.name}")
        file.writestr("__MACOSX/hwdb/._1001-c.gnt", b"of a Mac")
        file.writestr("readme.txt", b"terms of use")
    apart, together = gn.load_dataset(writers), gn.load_dataset(packed)
    np.testing.assert_array_equal(apart.train.images, together.train.images)
    np.testing.assert_array_equal(apart.train.labels, together.train.labels)
    index = scan_gnt(packed)
    chosen = RNG.permutation(len(index))[:20]
    np.testing.assert_array_equal(read_characters(index, chosen), read_characters(scan_gnt(writers), chosen))
    one = gn.load_dataset(writers / "1003-c.gnt", fractions=(0.5, 0.5, 0))
    assert (len(one.train), one.train.groups) == (3, None)


def test_size_and_colour(writers: Path) -> None:
    assert gn.load_dataset(writers, size=(20, 30)).train.shape == (20, 30, 1)
    assert gn.load_dataset(writers, size=20, color="rgb").train.shape == (20, 20, 3)


def test_images_beside_characters(writers: Path, images: Any) -> None:
    images(["a/1.png", "b/2.png"], at="hwdb")
    with pytest.raises(DataError, match=r"(?s)Two readers fit this path.*a folder of images.*CASIA-HWDB's \.gnt"):
        gn.load_dataset(writers)


GOOD = gnt_record("一", bitmap(5, 4))
DAMAGED = {
    "empty": (b"", r"The \.gnt file is empty.*, byte 0\n.*at least one character.*0 bytes"),
    "cut-header": (GOOD + GOOD[:7], r"A character is cut off.*, byte 30\n.*a record of 10 bytes.*received: 7 bytes"),
    "cut-pixels": (GOOD + GOOD[:29], r"A character is cut off.*, byte 30\n.*a record of 30 bytes.*received: 29 bytes"),
    "size": (
        GOOD + struct.pack("<I", 31) + GOOD[4:],
        r"The size of a character's record is wrong.*, byte 30\n.*30 bytes, 10 \+ 4 × 5.*a size of 31 bytes, 4 × 5 pixels",
    ),
    "no-pixels": (struct.pack("<I2sHH", 10, b"\xb0\xa1", 0, 7), r"byte 0\n.*a width and a height.*10 bytes, 0 × 7 pixels"),
    "huge": (
        struct.pack("<I2sHH", 10 + 65535 * 65535 & 0xFFFFFFFF, b"\xb0\xa1", 65535, 65535),
        r"byte 0\n.*a width and a height of a character.*65535 × 65535",
    ),
    "code": (GOOD[:4] + b"\xff\xff" + GOOD[6:], r"code of a character is impossible.*byte 4\n.*GBK.*received: bytes ff ff"),
    "code-of-one-byte": (GOOD + GOOD[:4] + b"\xb0\0" + GOOD[6:], r"impossible.*byte 34\n.*received: bytes b0 00"),
    "control-character": (GOOD[:4] + b"\x07\0" + GOOD[6:], r"impossible.*received: bytes 07 00"),
    "two-characters": (GOOD[:4] + b"ab" + GOOD[6:], r"impossible.*received: bytes 61 62"),
    "another-format": (b"\x89PNG\r\n\x1a\n" + bytes(100), r"The size of a character's record is wrong.*, or no \.gnt"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files(name: str, tmp_path: Path) -> None:
    content, words = DAMAGED[name]
    write(tmp_path / "hwdb" / "1001-c.gnt", "一丁啊")
    (tmp_path / "hwdb" / "1002-c.gnt").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "hwdb.zip", "w") as file:
        for path in sorted((tmp_path / "hwdb").iterdir()):
            file.write(path, path.name)
    for path in (tmp_path / "hwdb", tmp_path / "hwdb.zip"):
        with pytest.raises(DataError, match=f"(?s){words}") as caught:
            gn.load_dataset(path)
        assert str(caught.value.where).startswith(f"{path}/1002-c.gnt, byte ")
    with pytest.raises(DataError, match=f"(?s){words}"):
        gn.load_dataset(tmp_path / "hwdb" / "1002-c.gnt")


def test_a_damaged_zip(writers: Path) -> None:
    packed = writers.with_suffix(".zip")
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("1001-c.gnt", GOOD * 50)
    content = bytearray(packed.read_bytes())
    content[700] ^= 1  # a pixel: the checksum is wrong
    packed.write_bytes(content)
    with pytest.raises(DataError, match=r"(?s)\.gnt can't be read.*Bad CRC-32"):
        gn.load_dataset(packed)
    assert Zip(packed, lambda name: name.endswith(".gnt")).names == ("1001-c.gnt",)


def test_files_that_change_after_they_were_scanned(writers: Path) -> None:
    index = scan_gnt(writers)
    write(writers / "1001-c.gnt", "丁一啊一丁啊")
    with pytest.raises(DataError, match=r"(?s)has changed since it was scanned.*1001-c.gnt, byte 0\n.*一\n.*bytes b6 a1"):
        read_characters(index, range(len(index)))
    write(writers / "1001-c.gnt", "一")
    with pytest.raises(DataError, match=r"(?s)1001-c.gnt, byte 330\n.*the end of the file"):
        read_characters(index, [1])
    (writers / "1001-c.gnt").unlink()
    with pytest.raises(DataError, match="No such file"):
        read_characters(index, [2])
    assert read_characters(index, []).shape == (0, 64, 64, 1)
    assert read_characters(index, [30]).any()  # other files are as they were


def test_too_few_writers(tmp_path: Path) -> None:
    for writer in ("1001-c", "1002-c"):
        write(tmp_path / "hwdb" / f"{writer}.gnt", "一丁一丁一丁")
    with pytest.raises(InputError, match="There are too few groups for one in every part"):
        gn.load_dataset(tmp_path / "hwdb")
    assert len(gn.load_dataset(tmp_path / "hwdb", split="stratified").train) == 8


def test_what_does_not_fit_into_memory_is_refused(writers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "SMALL", 0)
    monkeypatch.setattr(memory, "available", lambda: 300_000)
    with pytest.raises(DataError, match=r"(?s)more memory than there is.*60 characters.*a smaller size"):
        gn.load_dataset(writers, size=128)
    assert gn.load_dataset(writers, size=32).train.shape == (32, 32, 1)


def test_no_two_codes_are_one_character() -> None:
    from glassnet.data.readers.gnt import _decoded

    codes = [bytes((high, low)) for high in range(256) for low in range(256)]
    known = [character for code in codes if (character := _decoded(code)) is not None]
    assert len(known) == len(set(known)) > 20_000
    assert all(_decoded(character.encode("gb2312")) == character for character in SETS["hanzi"])
