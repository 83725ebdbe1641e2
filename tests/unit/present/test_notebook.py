"""What a notebook shows: HTML that is whole by itself, escaped, in the user's language, with images."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import glassnet as gn
from glassnet.present.notebook import html
from glassnet.training import Epoch

RNG = np.random.default_rng(1)
EVIL = '<script>alert("1")</script>'
DATA = gn.Dataset((255 * RNG.random((30, 8, 6, 3))).astype(np.uint8), np.arange(30) % 3, classes=("a", EVIL, "c"))
EPOCHS = [Epoch(n, 1 / n, 0.3 * n, 1.5 / n, 0.25 * n, 7, 30, 0.1, 1.0) for n in (1, 2, 3)]
STOP = gn.Stop(gn.StopReason.NO_IMPROVEMENT, 3, since=2, patience=2)
FINDING = gn.Finding("dead units", f"half of them {EVIL}", "the rate is too high", ("a lower rate", "LeakyReLU"))


def network() -> gn.Network:
    return gn.Network([gn.Flatten(), gn.Pixels(), gn.Dense(3)], input_shape=(8, 6, 3), classes=DATA.classes, seed=1)


SHOWN = {
    "network": (network(), ["Dense(units=3", "435", "SoftmaxCrossEntropy"]),
    "history": (gn.History(EPOCHS), ["<svg", "3 epochs", "validation accuracy 75.00 %"]),
    "empty history": (gn.History(), ["no epochs"]),
    "evaluation": (network().evaluate(DATA), [" / 30 correct", "precision, %", "Rows: class; columns: predicted class"]),
    "stopped history": (gn.History(EPOCHS, stopped=STOP), ["<svg", "no better for 2 epochs"]),
    "run": (
        gn.Run(Path("runs/a"), gn.load_recipe("digits"), network(), gn.History(EPOCHS)),
        ["runs/a", "<svg", "Dense(units=3"],
    ),
    "diagnosis": (gn.Diagnosis((FINDING,)), ["<ol>", "the rate is too high", "<li>LeakyReLU</li>"]),
    "nothing wrong": (gn.Diagnosis(), ["Nothing wrong found."]),
    "dataset": (DATA, ["30 images of 8×6×3", "data:image/png;base64,"]),
    "rows": (gn.Dataset(np.zeros((4, 5)), [0, 1, 0, 1]), ["4 examples of 5 features"]),
    "targets": (gn.Dataset(np.zeros((4, 5, 5)), np.zeros((4, 1))), ["targets of 1", "data:image/png;base64,"]),
    "splits": (gn.Splits(DATA[:20], None, DATA[20:]), ["training", "test", "data:image/png;base64,"]),
}


class Balanced(HTMLParser):
    """Fails unless every element is closed in its place; collects what would be fetched from elsewhere."""

    VOID = ("img", "br", "path", "use")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href"):
                assert value is not None
                assert value.startswith(("data:", "#"))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.mark.parametrize("name", SHOWN)
def test_it_is_shown(name: str) -> None:
    thing, parts = SHOWN[name]
    text = thing._repr_html_()
    for part in parts:
        assert part in text
    page = Balanced()
    page.feed(text)
    assert not page.open
    assert "script" not in page.tags
    assert EVIL not in text


def test_the_confusion_matrix_is_shown_where_it_fits() -> None:
    counts = np.array([[3, 1], [0, 0]])
    text = html(gn.Evaluation(0.5, 3, 4, counts, ("a", "b")))
    cells = re.findall(r'<td style="background:rgb\(59 130 246 / ([\d.]+)\)">(\d*)</td>', text)
    assert cells == [("0.45", "3"), ("0.15", "1"), ("0.00", ""), ("0.00", "")]
    many = tuple(map(str, range(31)))
    assert "Rows: class" not in html(gn.Evaluation(0.5, 3, 4, np.zeros((31, 31), int), many))


def test_two_histories_share_no_ids() -> None:
    one, other = (set(re.findall(r'\bid="([^"]+)"', html(gn.History(EPOCHS)))) for _ in range(2))
    assert one
    assert not one & other


def test_images_are_those_of_the_data() -> None:
    found = re.findall(r'src="data:image/png;base64,([^"]+)" width="(\d+)" alt="([^"]*)"', html(DATA))
    assert len(found) == 10
    assert {"a", "c"} <= {name for *_, name in found}
    for encoded, width, _ in found:
        image = Image.open(io.BytesIO(base64.b64decode(encoded)))
        assert (image.size, width) == ((6, 8), "42")
    first = np.asarray(Image.open(io.BytesIO(base64.b64decode(found[0][0]))))
    np.testing.assert_array_equal(first, DATA.images[0])


def test_it_speaks_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    english = html(gn.History(EPOCHS))
    assert ".glassnet .zh { display: none }" in english
    monkeypatch.setenv("GLASSNET_LANG", "zh")
    assert ".glassnet .en { display: none }" in html(gn.History(EPOCHS))
    assert "精确率" in html(network().evaluate(DATA))


def test_other_objects_show_their_text() -> None:
    assert "<pre>&lt;b&gt;</pre>" in html("<b>")
