"""The images of the report: mistakes, a random sample, the cells of the confusion matrix, and explanations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.analysis.explain import nearest_training_images, occlusion, saliency
from glassnet.errors import InputError
from glassnet.nn.confusion import DRAWN, mistakes
from glassnet.present.figures.base import percent
from glassnet.present.figures.images import heat, stretched
from glassnet.present.report.facts import Facts
from glassnet.present.report.sprites import LARGEST, Sheet
from glassnet.support.i18n import Message, tr

WORST, RANDOM, LOOKS, NEAR = 12, 10, 6, 5
MOST_COLUMNS, MOST_PAIRS = 26, 40  # of the table; of the list that replaces it for more classes
NEAR_AMONG = 5_000  # training images searched for the nearest
MAX_PIXELS = 1_300_000  # of all images on the page together, under 1.5 MB even for noise
MAX_IMAGES = 1_500
EACH = 40  # images of one cell
SMALL = 24  # pixels of a side where there are many classes, so that nearly each has an image
MOST_MISTAKES = 6  # other classes that a class is said to be taken for


@dataclass(frozen=True)
class Tile:
    """One image of a sheet: its CSS class and position, and the caption."""

    sheet: str
    style: str
    caption: str = ""
    note: str = ""
    wrong: bool = False
    name: str = ""

    @property
    def label(self) -> Message:
        """What a screen reader says of the image: its name, else its caption."""
        return tr("image: {name}", name=self.name or self.caption)


def columns(count: int, most: int) -> int:
    """In how many columns, up to `most`, that many tiles stand so that the last row is full, or at least no tile is alone."""
    if count <= most:
        return max(1, count)
    return max(range(most, max(1, most // 2), -1), key=lambda wide: (count % wide == 0, count % wide > 1, wide))


@dataclass
class Shown:
    """The tiles of each section, their sheets, and the data of the page's script."""

    sheets: list[Sheet]
    worst: list[Tile]
    random: list[Tile]
    looks: list[dict[str, Any]]
    cells: dict[str, Any]
    near_layer: str = ""
    near_among: int = 0


def show(facts: Facts) -> Shown | None:
    """The images of the page; None if there are no images or no classes."""
    if not facts.has_images or facts.predicted is None:
        return None
    worst, random = facts.mistakes[:WORST], facts.drawn(RANDOM)
    height, width = facts.data.shape[:2]
    many = len(facts.classes) > DRAWN
    largest, pixels, most = (SMALL, 2 * MAX_PIXELS, 3 * MAX_IMAGES) if many else (LARGEST, MAX_PIXELS, MAX_IMAGES)
    scale = min(1.0, largest / max(height, width))
    cells = choose(facts, int(min(most, pixels // max(1.0, height * scale * width * scale))))
    places = list(dict.fromkeys([*worst.tolist(), *random.tolist(), *(place for cell in cells.values() for place in cell)]))
    sheet = Sheet("images", [stretched(facts.data.images[place]) for place in places], largest=largest)
    styles = {place: sheet.style(number) for number, place in enumerate(places)}
    shown = Shown(
        [sheet],
        [_tile(facts, place, styles[place]) for place in worst.tolist()],
        [_tile(facts, place, styles[place]) for place in random.tolist()],
        [],
        _for_script(facts, cells, styles),
    )
    if facts.is_finite:
        _look(facts, shown)
    return shown


def _tile(facts: Facts, place: int, style: str) -> Tile:
    assert facts.predicted is not None
    said, truth = facts.classes[facts.predicted[place]], facts.classes[facts.data.labels[place]]
    wrong = said != truth
    caption = tr("{said}, is {truth}", said=said, truth=truth) if wrong else said
    note = "" if facts.confidence is None else percent(float(facts.confidence[place]))
    return Tile("images", style, caption, note, wrong)


def _look(facts: Facts, shown: Shown) -> None:
    """Half mistakes, half correct: each image, its two maps, and the nearest training images."""
    assert facts.predicted is not None
    network, data = facts.run.network, facts.data
    wrong = facts.mistakes[: LOOKS // 2]
    drawn = facts.drawn(50)
    right = drawn[facts.predicted[drawn] == data.labels[drawn]][: LOOKS - len(wrong)]
    chosen: NDArray[np.int64] = np.concatenate([wrong, right]).astype(np.int64)
    if not len(chosen):
        return
    images, said = data.images[chosen], facts.predicted[chosen]
    maps = [saliency(network, images, said), occlusion(network, images, said)]
    panels = [
        *map(stretched, images),
        *(heat(values, image) for kind in maps for values, image in zip(kind, images, strict=True)),
    ]
    train = facts.run.splits.train.head(NEAR_AMONG)
    near: NDArray[np.int64] = np.zeros((len(chosen), 0), dtype=np.int64)
    try:
        found = nearest_training_images(network, images, train, count=min(NEAR, len(train)))
        near, shown.near_layer, shown.near_among = found.indices, found.layer, len(train)
    except InputError:  # no hidden layer in which to compare
        pass
    sheet = Sheet("looks", [*panels, *(stretched(train.images[place]) for place in near.ravel())])
    shown.sheets.append(sheet)
    count = len(chosen)
    for number, place in enumerate(chosen.tolist()):
        shown.looks.append(
            {
                "image": replace(_tile(facts, place, sheet.style(number)), sheet="looks"),
                "gradient": Tile("looks", sheet.style(count + number), name=tr("gradient")),
                "occlusion": Tile("looks", sheet.style(2 * count + number), name=tr("occlusion")),
                "near": [
                    Tile("looks", sheet.style(3 * count + number * near.shape[1] + turn), facts.classes[train.labels[index]])
                    for turn, index in enumerate(near[number])
                ],
            }
        )


def table(facts: Facts, shown: Shown | None = None) -> dict[str, Any] | None:
    """The confusion matrix as rows of (count, colour intensity, right?), or a list of the most frequent mistakes.

    A mistake is (truth, predicted, their names, count, tile of such an image, tile of one of the predicted class).
    """
    if facts.result is None or not facts.data.is_classification:
        return None
    classes = facts.result.classes
    if len(classes) > MOST_COLUMNS:
        found = [(*one.index, one.truth, one.predicted, one.count) for one in facts.result.most_confused(MOST_PAIRS)]
        known = shown.cells if shown is not None else {}
        first = {cell: Tile("images", tiles[0][0]) for cell, tiles in known.items()}
        of_class = {int(cell.partition(",")[0]): tile for cell, tile in first.items()}
        of_class |= {i: first[f"{i},{i}"] for i in of_class if f"{i},{i}" in first}
        return {"pairs": [(*one, first.get(f"{one[0]},{one[1]}"), of_class.get(one[1])) for one in found]}
    confusion = np.asarray(facts.result.confusion)
    wrong = np.where(np.eye(len(classes), dtype=bool), 0, confusion)
    worst, best = float(wrong.max()) or 1.0, float(np.diag(confusion).max()) or 1.0
    rows = []
    for i, name in enumerate(classes):
        cells = [(int(n), float(n / best if i == j else n / worst) ** 0.5, i == j) for j, n in enumerate(confusion[i])]
        rows.append((name, cells))
    return {"rows": rows, "classes": classes}


def class_rows(facts: Facts) -> list[list[Any]] | None:
    """[images, right, times predicted, [[predicted class, count], …]] of each class, where there are more than `DRAWN`.

    The last are its most frequent mistakes. The page's script makes a table of it.
    """
    if facts.result is None or not facts.data.is_classification or len(facts.result.classes) <= DRAWN:
        return None
    confusion = facts.result.confusion
    counts = (confusion.sum(axis=1), confusion.diagonal(), confusion.sum(axis=0))
    rows: list[list[Any]] = [[*map(int, row), []] for row in zip(*counts, strict=True)]
    for truth, said, count in zip(*(values.tolist() for values in mistakes(confusion)), strict=True):
        if len(rows[truth][3]) < MOST_MISTAKES:
            rows[truth][3].append([said, count])
    return rows


def choose(facts: Facts, budget: int) -> dict[tuple[int, int], list[int]]:
    """Indices of images for each cell (truth, predicted), up to a total that is shared evenly among the cells.

    Mistakes are ordered by falling, correct predictions by rising confidence. Of more than `DRAWN` classes the most frequent
    mistakes come first, then one correct prediction and one mistake of each class.
    """
    assert facts.predicted is not None
    sure = facts.confidence if facts.confidence is not None else np.zeros(len(facts.data))
    truth, said = facts.data.labels, facts.predicted
    order = np.lexsort((np.arange(len(said)), np.where(truth == said, sure, -sure)))
    waiting: dict[tuple[int, int], list[int]] = {}
    for place in order:
        cell = waiting.setdefault((int(truth[place]), int(said[place])), [])
        if len(cell) < EACH:
            cell.append(int(place))
    wrong, right = (sorted(cell for cell in waiting if (cell[0] == cell[1]) is is_right) for is_right in (False, True))
    rounds = [(right, 8), (wrong, EACH), (right, EACH)]
    if len(facts.classes) > DRAWN and facts.result is not None:
        frequent = sorted(wrong, key=lambda cell: -len(waiting[cell]))
        one_each = sorted({cell[0]: cell for cell in reversed(frequent)}.values())
        answers = [(said, said) for _, said in frequent[:MOST_PAIRS] if (said, said) in waiting]
        rounds = [(frequent[:MOST_PAIRS], 6), (answers, 1), (right, 1), (one_each, 1), (frequent, EACH), (right, EACH)]
    chosen: dict[tuple[int, int], list[int]] = {cell: [] for cell in waiting}
    left = budget
    for cells, most in rounds:
        for turn in range(most if left else 0):
            for pair in cells:
                if left and turn == len(chosen[pair]) < len(waiting[pair]):
                    chosen[pair].append(waiting[pair][turn])
                    left -= 1
    return {cell: places for cell, places in chosen.items() if places}


def _for_script(facts: Facts, cells: dict[tuple[int, int], list[int]], styles: dict[int, str]) -> dict[str, Any]:
    """The cells as the page's script reads them: {"3,5": [[style, place, confidence or None], …]}."""
    sure = facts.confidence
    return {
        f"{truth},{said}": [
            [styles[place], place, None if sure is None else percent(float(sure[place])).en] for place in places
        ]
        for (truth, said), places in cells.items()
    }
