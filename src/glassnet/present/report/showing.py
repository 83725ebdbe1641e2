"""The images of the report: mistakes, chance draws, the cells of the confusion matrix, and where the network looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.analysis.explain import nearest_training_images, occlusion, saliency
from glassnet.errors import InputError
from glassnet.present.figures.base import percent
from glassnet.present.figures.images import heat
from glassnet.present.report.cells import choose, for_script, room
from glassnet.present.report.facts import Facts
from glassnet.present.report.sprites import Sheet
from glassnet.support.i18n import tr

WORST, RANDOM, LOOKS, NEAR = 12, 10, 6, 5
MOST_COLUMNS, MOST_PAIRS = 26, 40  # of the table; of the list that stands for it where there are more classes
NEAR_AMONG = 5_000  # training images looked through for the nearest


@dataclass(frozen=True)
class Tile:
    """One image of a sheet: its class and position in CSS, and the words under it."""

    sheet: str
    style: str
    caption: str = ""
    note: str = ""
    wrong: bool = False


@dataclass
class Shown:
    """The tiles of each section, the sheets they lie on, and what the script needs."""

    sheets: list[Sheet]
    worst: list[Tile]
    random: list[Tile]
    looks: list[dict[str, Any]]
    cells: dict[str, Any]
    near_layer: str = ""
    near_among: int = 0


def show(facts: Facts) -> Shown | None:
    """All of it, or None where there are no images or no classes."""
    if not facts.has_images or facts.found is None:
        return None
    worst, random = facts.mistakes[:WORST], facts.drawn(RANDOM)
    cells = choose(facts, room(facts.data.shape))
    places = list(dict.fromkeys([*worst.tolist(), *random.tolist(), *(place for cell in cells.values() for place in cell)]))
    sheet = Sheet("images", [facts.data.images[place] for place in places])
    styles = {place: sheet.style(number) for number, place in enumerate(places)}
    shown = Shown(
        [sheet],
        [_tile(facts, place, styles[place]) for place in worst.tolist()],
        [_tile(facts, place, styles[place]) for place in random.tolist()],
        [],
        for_script(facts, cells, styles),
    )
    if facts.is_finite:
        _look(facts, shown)
    return shown


def _tile(facts: Facts, place: int, style: str) -> Tile:
    assert facts.found is not None
    said, truth = facts.classes[facts.found[place]], facts.classes[facts.data.labels[place]]
    wrong = said != truth
    caption = tr("{said}, is {truth}", said=said, truth=truth) if wrong else said
    note = "" if facts.sureness is None else percent(float(facts.sureness[place]))
    return Tile("images", style, caption, note, wrong)


def _look(facts: Facts, shown: Shown) -> None:
    """Half mistakes, half right answers: the image, its two maps, and what the network finds most like it."""
    assert facts.found is not None
    network, data = facts.run.network, facts.data
    wrong = facts.mistakes[: LOOKS // 2]
    drawn = facts.drawn(50)
    right = drawn[facts.found[drawn] == data.labels[drawn]][: LOOKS - len(wrong)]
    chosen: NDArray[np.int64] = np.concatenate([wrong, right]).astype(np.int64)
    if not len(chosen):
        return
    images, said = data.images[chosen], facts.found[chosen]
    maps = [saliency(network, images, said), occlusion(network, images, said)]
    panels = [*images, *(heat(values, image) for kind in maps for values, image in zip(kind, images, strict=True))]
    train = facts.run.splits.train.head(NEAR_AMONG)
    near: NDArray[np.int64] = np.zeros((len(chosen), 0), dtype=np.int64)
    try:
        found = nearest_training_images(network, images, train, count=min(NEAR, len(train)))
        near, shown.near_layer, shown.near_among = found.indices, found.layer, len(train)
    except InputError:  # no hidden layer: there is nothing to be alike in but the pixels
        pass
    sheet = Sheet("looks", [*panels, *(train.images[place] for place in near.ravel())])
    shown.sheets.append(sheet)
    count = len(chosen)
    for number, place in enumerate(chosen.tolist()):
        whole = _tile(facts, place, sheet.style(number))
        shown.looks.append(
            {
                "image": Tile("looks", whole.style, whole.caption, whole.note, whole.wrong),
                "gradient": Tile("looks", sheet.style(count + number)),
                "occlusion": Tile("looks", sheet.style(2 * count + number)),
                "near": [
                    Tile("looks", sheet.style(3 * count + number * near.shape[1] + turn), facts.classes[train.labels[index]])
                    for turn, index in enumerate(near[number])
                ],
            }
        )


def table(facts: Facts) -> dict[str, Any] | None:
    """The confusion matrix as rows of (count, share of its row's worst, right?), or a list of the most frequent mistakes."""
    if facts.result is None or not facts.data.is_classification:
        return None
    confusion, classes = facts.result.confusion, facts.result.classes
    wrong = np.where(np.eye(len(classes), dtype=bool), 0, confusion)
    if len(classes) > MOST_COLUMNS:
        order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]
        pairs = [tuple(map(int, divmod(int(place), len(classes)))) for place in order if wrong.flat[place]]
        return {"pairs": [(i, j, classes[i], classes[j], int(confusion[i, j])) for i, j in pairs]}
    worst, best = float(wrong.max()) or 1.0, float(np.diag(confusion).max()) or 1.0
    rows = []
    for i, name in enumerate(classes):
        cells = [(int(n), float(n / best if i == j else n / worst) ** 0.5, i == j) for j, n in enumerate(confusion[i])]
        rows.append((name, cells))
    return {"rows": rows, "classes": classes}
