"""Contact sheets show the images they name; the files of an inspection are complete."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import glassnet as gn
from glassnet.analysis.inspection import Finding
from glassnet.present.figures.sheets import legible, write_inspection

Array = np.ndarray[Any, Any]


def test_a_class_sheet_shows_only_its_class(planted: Callable[..., gn.Splits]) -> None:
    def change(images: Array, labels: Array) -> None:
        images[:] = np.where(labels[:, np.newaxis, np.newaxis, np.newaxis] == 3, 200, 20)

    splits = planted(change)
    figure = gn.figures.contact_sheet_figure(splits, 3)
    (axes,) = figure.axes
    sheet = np.asarray(axes.images[0].get_array())
    count = int((splits.train.labels == 3).sum() + (splits.test.labels == 3).sum())  # type: ignore[union-attr]
    assert axes.get_title(loc="left") == f"3: all {count}"
    assert (sheet == 200).all(axis=2).sum() == count * 128 * 128
    assert not (sheet == 20).any()


def test_an_inspection_on_disk(planted: Callable[..., gn.Splits], tmp_path: Path) -> None:
    def change(images: Array, labels: Array) -> None:
        images[[3, 403]] = 0
        images[10], labels[10] = images[420], labels[420]

    inspection = gn.inspect(planted(change))
    written = write_inspection(inspection, tmp_path / "a" / "b")
    assert sorted(path.name for path in written) == sorted(
        ["inspection.json", "inspection.txt", "finding-blank-images.png", "finding-duplicates-across-splits.png"]
        + [f"class-{digit}-{digit}.png" for digit in range(10)]
    )
    for path in written[2:]:
        with Image.open(path) as image:
            assert image.format == "PNG"
    kept = json.loads(written[0].read_text(encoding="utf-8"))
    assert kept["findings"][0]["groups"] == [
        [{"part": "train", "index": 10, "label": kept["findings"][0]["groups"][0][0]["label"]},
         {"part": "test", "index": 20, "label": kept["findings"][0]["groups"][0][1]["label"]}]
    ]  # fmt: skip
    assert kept == inspection.as_dict()
    assert written[1].read_text(encoding="utf-8") == f"{inspection}\n"
    assert not list(tmp_path.rglob("*.part"))


def test_letters_without_a_font_are_numbers() -> None:
    assert legible("a7ü") == "a7ü"
    assert legible("\U00012000") == "U+12000"  # cuneiform
    assert legible("\udcff") == r"\udcff"


def test_what_has_no_sheet(planted: Callable[..., gn.Splits]) -> None:
    splits = planted()
    with pytest.raises(gn.InputError, match="no such class"):
        gn.figures.contact_sheet_figure(splits, 10)
    with pytest.raises(gn.InputError, match="has no images"):
        gn.figures.finding_figure(splits, Finding("mixed-sizes", "", "", ()))
    with pytest.raises(gn.InputError, match="Only images can be drawn"):
        gn.figures.contact_sheet_figure(gn.load_dataset("chain"), 0)
