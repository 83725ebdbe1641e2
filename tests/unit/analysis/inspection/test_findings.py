"""Each fault planted into real digits is found with its images; healthy data gives no finding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

import glassnet as gn
from glassnet.analysis.inspection import Inspection, pool as pool_module
from glassnet.analysis.inspection.duplicates import near_groups
from glassnet.analysis.inspection.labels import contradicted
from glassnet.analysis.inspection.neighbours import Neighbours
from glassnet.analysis.inspection.pixels import Range, value_range
from glassnet.data.polarity import grey

Array = np.ndarray[Any, Any]
Planted = Callable[..., gn.Splits]


def names(inspection: Inspection) -> list[str]:
    return [finding.name for finding in inspection.findings]


def locations(inspection: Inspection, name: str) -> set[tuple[str, int]]:
    finding = inspection.finding(name)
    assert finding is not None, names(inspection)
    return {(image.part, image.index) for image in finding.images}


def test_healthy_data_gives_no_finding(planted: Planted) -> None:
    for data in ("digits", planted()):
        inspection = gn.inspect(data)
        assert names(inspection) == []
        assert "No findings." in str(inspection)


def test_blank_images(planted: Planted) -> None:
    def change(images: Array, labels: Array) -> None:
        images[[5, 450]] = 0
        images[7] = 255
        images[7, 2, 2] = 252  # grain

    inspection = gn.inspect(planted(change))
    assert names(inspection) == ["blank-images"]
    assert locations(inspection, "blank-images") == {("train", 5), ("train", 7), ("test", 50)}
    assert "3 images with nothing on them: 2 in train, 1 in test" in str(inspection)


def test_exact_duplicates(planted: Planted) -> None:
    def change(images: Array, labels: Array) -> None:
        for first, second in ((10, 20), (30, 430), (31, 431)):
            images[second], labels[second] = images[first], labels[first]
        images[40], labels[40] = images[50], (labels[50] + 1) % 10

    inspection = gn.inspect(planted(change))
    found = [name for name in names(inspection) if name != "doubtful-labels"]
    assert found == ["contradicting-duplicates", "duplicates-across-splits", "duplicates"]
    assert locations(inspection, "contradicting-duplicates") == {("train", 40), ("train", 50)}
    across = inspection.finding("duplicates-across-splits")
    assert across is not None
    assert [[(p.part, p.index) for p in group] for group in across.groups] == [
        [("train", 30), ("test", 30)],
        [("train", 31), ("test", 31)],
    ]
    assert "4 images in 2 groups with the same pixels in two splits, 2 in test among them" in across.evidence
    assert ("train", 20) in locations(inspection, "duplicates")


@pytest.mark.parametrize(
    "altered",
    [
        lambda image, rng: np.clip(image * 0.8 + 15, 0, 255),
        lambda image, rng: np.clip(image + rng.normal(0, 5, image.shape), 0, 255),
        lambda image, rng: 255 - image,
    ],
    ids=["brightness", "noise", "inverted"],
)
def test_near_duplicates(planted: Planted, altered: Callable[..., Array]) -> None:
    rng = np.random.default_rng(3)
    pairs = [(int(first), 400 + number) for number, first in enumerate(rng.choice(400, 12, replace=False))]

    def change(images: Array, labels: Array) -> None:
        for first, second in pairs:
            images[second] = altered(images[first].astype(float), rng).astype(np.uint8)
            labels[second] = labels[first]

    inspection = gn.inspect(planted(change))
    found = inspection.finding("near-duplicates-across-splits")
    assert found is not None
    assert {(group[0].index, group[1].index + 400) for group in found.groups} == set(pairs)
    assert inspection.finding("duplicates-across-splits") is None


def test_many_copies_of_one_image_are_one_group(planted: Planted) -> None:
    rng = np.random.default_rng(4)

    def change(images: Array, labels: Array) -> None:
        for place in range(100, 130):
            images[place] = np.clip(images[3].astype(float) * rng.uniform(0.7, 1.0), 0, 255).astype(np.uint8)
            labels[place] = labels[3]

    inspection = gn.inspect(planted(change))
    finding = inspection.finding("near-duplicates")
    assert finding is not None
    assert len(finding.groups) == 1
    assert {image.index for image in finding.groups[0]} == {3, *range(100, 130)}


def test_groups_in_two_splits(planted: Planted) -> None:
    writers = np.arange(600) // 30
    assert names(gn.inspect(planted(groups=np.where(np.arange(600) < 400, writers, writers + 50)))) == []
    inspection = gn.inspect(planted(groups=writers))  # 13 has images in both
    assert names(inspection) == ["groups-across-splits"]
    assert (
        "1 of 20 groups is in more than one split, such as '13'; 20 of 200 images in test are of groups in train"
        in inspection.findings[0].evidence
    )


@pytest.mark.parametrize("dark", [False, True])
def test_inverted_images(planted: Planted, dark: bool) -> None:
    def change(images: Array, labels: Array) -> None:
        if dark:
            images[:] = 255 - images
        images[[3, 4, 410]] = 255 - images[[3, 4, 410]]

    inspection = gn.inspect(planted(change))
    assert names(inspection) == ["mixed-polarity"]
    assert locations(inspection, "mixed-polarity") == {("train", 3), ("train", 4), ("test", 10)}
    polarities = "light on dark, the others dark on light" if dark else "dark on light, the others light on dark"
    assert f"3 images are {polarities}: 2 in train, 1 in test" in inspection.findings[0].evidence


def test_a_part_that_is_inverted_is_named(planted: Planted) -> None:
    def change(images: Array, labels: Array) -> None:
        images[400:] = 255 - images[400:]

    inspection = gn.inspect(planted(change))
    finding = inspection.findings[0]
    assert finding.evidence.endswith(" in test; that is most of test")
    assert {image.part for image in finding.images} == {"test"}
    assert 180 <= len(finding.images) <= 200  # in some, ink covers the whole border


def test_labels_that_neighbours_contradict(planted: Planted) -> None:
    wrong = np.random.default_rng(5).choice(600, 12, replace=False)

    def change(images: Array, labels: Array) -> None:
        labels[wrong] = (labels[wrong] + 3) % 10

    inspection = gn.inspect(planted(change))
    assert names(inspection) == ["doubtful-labels"]
    found = {index + (400 if part == "test" else 0) for part, index in locations(inspection, "doubtful-labels")}
    assert found <= set(wrong.tolist())
    assert len(found) >= 9
    finding = inspection.findings[0]
    assert "neighbours have label" in finding.images[0].note


def test_random_labels_are_not_reported(planted: Planted) -> None:
    def change(images: Array, labels: Array) -> None:
        labels[:] = np.random.default_rng(6).integers(0, 10, 600)

    inspection = gn.inspect(planted(change))
    assert inspection.finding("doubtful-labels") is None
    assert "not checked: neighbours agree with" in str(inspection)


def test_classes_missing_rare_and_uneven(digits: tuple[Array, Array]) -> None:
    images, labels = digits
    whole = gn.Dataset(images, labels)
    keep = (labels != 7) | (np.cumsum(labels == 7) <= 9)
    inspection = gn.inspect(gn.Splits(whole[keep], None, whole[labels < 5]))
    assert names(inspection)[0] == "missing-classes"
    assert "test has no images of '5', '6', '7', '8', '9'" in str(inspection)
    rare = inspection.finding("class-imbalance")
    assert rare is not None
    assert "'7' 9" in rare.evidence
    uneven = inspection.finding("uneven-splits")
    assert uneven is not None
    assert uneven.evidence.startswith("class proportions in test differ from those in train")


def test_unusual_ranges(digits: tuple[Array, Array]) -> None:
    images, labels = digits
    few = gn.inspect(gn.Dataset(images // 16, labels))
    assert [f.name for f in few.findings if not f.name.endswith("duplicates")] == ["narrow-range"]
    assert "only 0…15 of 0…255" in str(few)
    floats = gn.inspect(gn.Dataset(images.astype(np.float32), labels))
    assert names(floats) == ["unscaled-inputs"]
    assert names(gn.inspect(gn.Dataset(images.astype(np.float32) / 255, labels))) == []
    whole = gn.Dataset(images, labels)
    differ = gn.inspect(gn.Splits(whole[:400], None, gn.Dataset(images[400:] // 8, labels[400:])))
    assert names(differ)[0] == "ranges-differ"
    assert "test has pixels of 0…31, train of 0…255" in str(differ)


def save(path: Path, image: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image[:, :, 0]).save(path, "png")


def folder_of(digits: tuple[Array, Array], at: Path, count: int = 300) -> Path:
    for number in range(count):
        save(at / str(digits[1][number]) / f"{number:03d}.png", digits[0][number])
    return at


def test_files_are_named(digits: tuple[Array, Array], tmp_path: Path) -> None:
    folder = folder_of(digits, tmp_path / "mine")
    assert names(gn.inspect(folder)) == []
    (folder / "3" / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    save(folder / "cover.png", digits[0][0])
    save(folder / "4" / "again.png", digits[0][np.flatnonzero(digits[1] == 4)[0]])
    inspection = gn.inspect(folder)
    unreadable, unlabelled = inspection.finding("unreadable-images"), inspection.finding("unlabelled-images")
    assert unreadable is not None
    assert [file for file, _ in unreadable.files] == ["3/damaged.png"]
    assert unlabelled is not None
    assert unlabelled.files == (("cover.png", "not in a class folder"),)
    copies = inspection.finding("duplicates") or inspection.finding("duplicates-across-splits")
    assert copies is not None
    assert {image.file for image in copies.images} == {"4/again.png", "4/004.png"}


def test_unlabelled_and_unreadable_files_are_separate_whatever_the_reasons_say(planted: Planted) -> None:
    splits = replace(planted(), left_out=("a.png", "b.png"), reasons=("so", "not in a class folder"), unlabelled=("a.png",))
    inspection = gn.inspect(splits)
    found = {finding.name: finding.files for finding in inspection.findings}
    assert found == {"unlabelled-images": (("a.png", "so"),), "unreadable-images": (("b.png", "not in a class folder"),)}


def test_images_of_different_sizes(digits: tuple[Array, Array], tmp_path: Path) -> None:
    folder = folder_of(digits, tmp_path / "mine", 200)
    save(folder / "0" / "large.png", np.kron(digits[0][0], np.ones((2, 2, 1), np.uint8)))
    inspection = gn.inspect(folder)
    sizes = inspection.finding("mixed-sizes")
    assert sizes is not None
    assert "8 × 8 (200 images), 16 × 16 (1 image)" in sizes.evidence
    assert inspection.splits.train.shape == (64, 64, 1)
    assert gn.inspect(folder, size=16).finding("mixed-sizes") is None


def test_a_recipe_names_its_data(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(gn.load_recipe("digits").changed({"fractions": [0.5, 0.3, 0.2], "size": 12}).to_toml(), encoding="utf-8")
    parts = {part.name: part.images for part in gn.inspect(path).parts}
    assert parts == {"train": 899, "validation": 539, "test": 359}
    assert gn.inspect(path, fractions=(0.5, 0.5, 0.0), size=9).splits.train.shape == (9, 9, 1)


def test_data_in_memory_takes_no_options(planted: Planted) -> None:
    with pytest.raises(gn.InputError, match="Data in memory takes no options"):
        gn.inspect(planted(), size=4)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 14, 17])
def test_few_images(digits: tuple[Array, Array], count: int) -> None:
    assert gn.inspect(gn.Dataset(digits[0][:count], digits[1][:count])).finding("near-duplicates") is None


def test_rows_of_features_and_targets() -> None:
    rows = np.random.default_rng(0).random((50, 7), np.float32)
    rows[3] = rows[8]
    inspection = gn.inspect(gn.Dataset(rows, np.arange(50) % 2))
    assert "contradicting-duplicates" in names(inspection)
    assert "not checked: the data are not images" in str(inspection)


def test_nothing_but_blank_images() -> None:
    inspection = gn.inspect(gn.Dataset(np.zeros((40, 8, 8), np.uint8), np.arange(40) % 2))
    assert inspection.findings[0].name == "blank-images"
    assert len(inspection.findings[0].images) == 40


def test_long_tables_of_classes_are_shortened(digits: tuple[Array, Array]) -> None:
    """The first 38 of 45 and the last, with aligned columns for names in any script."""
    names = ("零", "一二", *(f"c{number}" for number in range(2, 45)))
    table = str(gn.inspect(gn.Dataset(digits[0][:90], np.arange(90) % 45, names))).splitlines()
    rows = [line for line in table if line.startswith(("  class ", "  …"))]
    assert [line.split()[1] for line in rows if "class" in line] == [*names[:38], "c44"]
    assert rows[-2].strip() == "…"
    ends = {len(line) + sum(letter in "零一二" for letter in line) for line in rows if "class" in line}
    assert len(ends) == 1  # a Chinese character takes two columns


# ------------------------------------------------------------------ worked by hand


def test_distances_are_relative_to_the_eleventh_neighbour() -> None:
    """A pair with a small pixel difference is a near duplicate only if its relative feature distance is small, too."""
    rng = np.random.default_rng(8)
    images = rng.integers(0, 256, (14, 16, 16, 1)).astype(np.float32)
    images[1] = images[0] + 22 * rng.standard_normal((16, 16, 1))
    nearest = np.array([[other for other in range(14) if other != place] for place in range(14)])
    ranks = np.ones((14, 13), np.float32)
    ranks[:, 10:] = 4
    for unit in (0.1, 1, 10):
        (group,) = near_groups(images, Neighbours(np.arange(14), nearest, unit * ranks))
        assert group.tolist() == [0, 1]
        assert near_groups(images, Neighbours(np.arange(14), nearest, unit * np.ones_like(ranks))) == []


def test_doubtful_labels_are_worst_first() -> None:
    """More votes first, then nearer neighbours."""
    labels = np.repeat([0, 1, 2], 20)
    ordinary = [[other for other in np.flatnonzero(labels == labels[place]) if other != place][:15] for place in range(60)]
    nearest, distances = np.array(ordinary), np.ones((60, 15), np.float32)
    nearest[0], distances[0] = [*range(20, 30), *range(40, 45)], 0.1
    nearest[1], nearest[2] = range(20, 35), range(20, 35)
    distances[2] = 0.5
    found = contradicted(Neighbours(np.arange(60), nearest, distances), labels, 3)
    assert found.indices is not None
    assert found.indices.tolist() == [2, 1, 0]
    assert found.suggested.tolist() == [1, 1, 1]
    assert found.votes.tolist() == [15, 15, 10]


def test_the_range_of_pixels() -> None:
    assert value_range(np.array([[[[0], [4]]], [[[4], [8]]]], np.uint8)) == Range(0.0, 8.0, 4.0, np.sqrt(8))
    assert value_range(np.full((3, 2, 2, 1), 7, np.uint8)) == Range(7.0, 7.0, 7.0, 0.0)


def test_brightness_is_that_of_the_readers() -> None:
    images = np.random.default_rng(1).integers(0, 256, (2, 5, 4, 3), dtype=np.uint8)
    wanted = [np.asarray(Image.fromarray(image).convert("L")) for image in images]
    np.testing.assert_allclose(grey(images), wanted, atol=1)
    np.testing.assert_allclose(
        grey(np.concatenate([images, images[..., :1]], axis=-1)),
        (images.sum(axis=-1, dtype=np.float64) + images[..., 0]) / 4,
        rtol=1e-6,
    )


def test_drawings_of_many_sizes_have_no_other_fault(tmp_path: Path) -> None:
    """Sixty shapes in dark ink on white: black borders would make two thirds of them light shapes on black."""
    rng = np.random.default_rng(0)
    for number in range(60):
        kind = ("ellipse", "rectangle", "polygon")[number % 3]
        width, height = (int(side) for side in rng.integers((48, 40), (64, 60)) * (1 + 2 * (number % 3 > 0), 1))
        picture = Image.new("L", (width, height), 255)
        left, top = int(rng.integers(3, width // 3)), int(rng.integers(3, height // 3))
        right, bottom = width - int(rng.integers(3, width // 3)), height - int(rng.integers(3, height // 3))
        corners = [((left + right) // 2, top), (left, bottom), (right, bottom)]
        draw = getattr(ImageDraw.Draw(picture), kind)
        draw(corners if kind == "polygon" else (left, top, right, bottom), outline=int(rng.integers(0, 90)), width=3)
        folder = tmp_path / kind
        folder.mkdir(exist_ok=True)
        picture.save(folder / f"{number}.png")
    assert [finding.name for finding in gn.inspect(tmp_path).findings] == ["mixed-sizes"]
    assert len(gn.inspect(tmp_path, size=64, fit="pad").findings) > 0


def test_of_many_images_a_sample_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts are of all images, and references name the image in its split."""
    monkeypatch.setattr(pool_module, "MOST", 1000)
    monkeypatch.setattr(pool_module, "SAMPLE", 400)
    splits = gn.load_dataset("digits")
    train = np.array(splits.train.images)
    train[::10] = 0
    changed = gn.Splits(gn.Dataset(train, splits.train.labels, splits.classes), splits.validation, splits.test)
    found = gn.inspect(changed)
    assert found.looked_at == found.as_dict()["looked_at"] == 400
    assert str(found).splitlines()[1] == "The pixels of a sample of 400 of 1,797 images were looked at."
    assert sum(part.images for part in found.parts) == 1797
    assert found.parts[0].counts is not None
    assert found.parts[0].counts.sum() == len(train)
    blank = locations(found, "blank-images")
    assert len(blank) > 10
    assert all(part == "train" and index % 10 == 0 for part, index in blank)
    monkeypatch.setattr(pool_module, "MOST", 10_000)
    assert gn.inspect(changed).looked_at == 1797
