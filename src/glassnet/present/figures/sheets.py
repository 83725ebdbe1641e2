"""Contact sheets: the images of a class or of a finding side by side; and the files of an inspection."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from glassnet.analysis.inspection import Finding, ImageReference, Inspection
from glassnet.analysis.inspection.label_scores import DOUBTED_BY, LabelScores
from glassnet.data import Dataset, Splits
from glassnet.errors import InputError
from glassnet.nn.confusion import DRAWN
from glassnet.present.figures.base import GREY, families, save_figure
from glassnet.present.figures.images import check_drawable, drawable
from glassnet.support.atomic import write_text
from glassnet.support.i18n import mark, tr
from glassnet.support.strict_json import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Pixels = npt.NDArray[np.uint8]
LINE, GROUND = "#afb8c1", "#eaeef2"
SHEETS, ONE_EACH = 20, 240  # classes that have a sheet, and images of as many, where there are more than `DRAWN`
LABELS_PER_SHEET, LEAST_LABELS, MOST_LABELS = 60, 120, 600
_COLUMNS, _ROWS, _INCH, _LARGE_INCH = 12, 10, 0.72, 1.35


def contact_sheet_figure(splits: Splits, index: int, *, seed: int = 0) -> Figure:
    """Up to 120 random images of one class from all splits; `InputError` if there is no such class or no images."""
    check_drawable(splits.train.shape, "contact_sheet_figure(splits)")
    if splits.classes is None or not 0 <= index < len(splits.classes):
        raise InputError(
            tr("There is no such class."),
            where="contact_sheet_figure(index)",
            expected=tr("0 to {last}", last=len(splits.classes) - 1) if splits.classes else tr("data with classes"),
            received=index,
        )
    parts = [part for part in (splits.train, splits.validation, splits.test) if part is not None]
    members = [(part, place) for part in parts for place in np.flatnonzero(part.labels == index)]
    rng = np.random.default_rng(seed)
    chosen = [members[at] for at in np.sort(rng.permutation(len(members))[: _COLUMNS * _ROWS])]
    limits = _limits(splits.train)
    tiles = [_tile(part.images[place], limits) for part, place in chosen]
    text = mark("{shown} of {count:,}, at random") if len(tiles) < len(members) else mark("all {count:,}")
    shown = tr(text, shown=len(tiles), count=len(members))
    figure, axes = _canvas(max(len(tiles), 1), _COLUMNS, 0.0, _INCH)
    _title(axes, tr("{name}: {shown}", name=legible(splits.classes[index]), shown=shown))
    if tiles:
        _draw(axes, tiles, _COLUMNS, _INCH)
    return figure


def finding_figure(splits: Splits, finding: Finding, *, most: int = 30) -> Figure:
    """The images of a finding, each with its index, label and note, each group in a frame.

    Up to `most` groups of up to four images. Raises `InputError` for a finding without images.
    """
    check_drawable(splits.train.shape, "finding_figure(splits)")
    if not finding.groups:
        raise InputError(
            tr("This finding has no images."),
            where="finding_figure(finding)",
            expected=tr("a finding with groups"),
            received=finding.name,
        )
    groups = [group[:4] for group in finding.groups[:most]]
    wide = max(map(len, groups))
    across = max(1, 6 // wide)
    columns = across * wide
    cells = [image for group in groups for image in (*group, *[None] * (wide - len(group)))]
    captions = [None if cell is None else _caption(cell) for cell in cells]
    title, shown, count = finding.title, len(groups), len(finding.groups)
    if shown < count:
        title = tr("{title} ({shown} of {count:,} shown)", title=title, shown=shown, count=count)
    limits = _limits(splits.train)
    tiles = [None if cell is None else _tile(getattr(splits, cell.part).images[cell.index], limits) for cell in cells]
    figure, axes, below = _captioned(tiles, captions, title, columns)
    if wide > 1:
        _frames(axes, groups, wide, across, below)
    return figure


def label_sheet_figure(scores: LabelScores, page: int = 0) -> Figure:
    """60 images by doubt: given label → suggested label with its probability, file or index, and who doubts the label.

    `page` 0 has those most in doubt. `InputError` for a page that there is not, and for data that are no images.
    """
    pool = scores.pool
    check_drawable(pool.images.shape[1:], "label_sheet_figure(scores)")
    pages = -(-len(pool) // LABELS_PER_SHEET)
    if not 0 <= page < pages:
        raise InputError(
            tr("There is no such page."),
            where="label_sheet_figure(page)",
            expected=tr("0 to {last}", last=pages - 1),
            received=page,
        )
    first = page * LABELS_PER_SHEET
    shown = scores.order[first : first + LABELS_PER_SHEET].tolist()
    limits = _limits(pool.parts["train"])
    title = tr("labels by doubt, {first:,} to {last:,} of {count:,}; likely wrong: {wrong:,}",
               first=first + 1, last=first + len(shown), count=len(pool), wrong=int(scores.likely_wrong.sum()))  # fmt: skip
    tiles = [_tile(pool.images[index], limits) for index in shown]
    return _captioned(tiles, [_doubt(scores, index) for index in shown], title, 10)[0]


def write_inspection(inspection: Inspection, folder: Path) -> list[Path]:
    """Write inspection.json, inspection.txt and a PNG sheet for each class and each finding with images; the files.

    Of more than 60 classes the 20 with the fewest training images have sheets, and classes.png an image of each of the first.
    With a second opinion on labels also labels.csv, all labels by doubt, and sheets labels-01.png, … of the first.
    The folder is created. Raises OSError if something can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / "inspection.json", folder / "inspection.txt"]
    write_text(written[0], json.dumps(plain(inspection.as_dict()), indent=1, allow_nan=False) + "\n")
    write_text(written[1], str(inspection).encode("utf-8", "backslashreplace").decode() + "\n")
    splits, scores = inspection.splits, inspection.label_scores
    if scores is not None:
        written.append(folder / "labels.csv")
        write_text(written[-1], scores.csv())
    if not drawable(splits.train.shape):
        return written
    sheets: dict[str, tuple[Callable[[Splits, Any], Figure], Any]] = {
        f"finding-{finding.name}.png": (finding_figure, finding) for finding in inspection.findings if finding.groups
    }
    if scores is not None:
        sheets.pop("finding-likely-wrong-labels.png", None)  # which the sheets of labels show
        for page in range(label_pages(scores)):
            save_figure(label_sheet_figure(scores, page), folder / f"labels-{page + 1:02}.png")
            written.append(folder / f"labels-{page + 1:02}.png")
    classes = splits.classes or ()
    chosen = range(len(classes))
    if len(classes) > DRAWN:
        chosen = np.sort(np.argsort(splits.train.counts, kind="stable")[:SHEETS]).tolist()
        sheets["classes.png"] = (one_each_figure, None)
    for index in chosen:
        name = classes[index]
        number = str(index).zfill(len(str(len(classes) - 1)))
        safe = re.sub(r"[^\w.-]+", "_", name)[:60]
        sheets[f"class-{number}-{safe}.png"] = (contact_sheet_figure, index)
    for file, (draw, what) in sheets.items():
        save_figure(draw(splits, what), folder / file)
        written.append(folder / file)
    return written


def one_each_figure(splits: Splits, _: None = None) -> Figure:
    """A training image of each class, of the first 240 that have any."""
    labels, classes = splits.train.labels, splits.classes or ()
    present, first = np.unique(labels, return_index=True)
    places, names = first[:ONE_EACH], [legible(classes[label])[:12] for label in present[:ONE_EACH]]
    images = splits.train.images[places]
    limits = _limits(splits.train)
    title = tr("an image of each class, {shown:,} of {count:,}", shown=len(places), count=len(classes))
    return _captioned([_tile(image, limits) for image in images], names, title, 20)[0]


def label_pages(scores: LabelScores) -> int:
    """The sheets that `write_inspection` writes: for the first 120 images, or all that are likely wrong; at most ten."""
    least = max(LEAST_LABELS, int(scores.likely_wrong.sum()))
    return -(-min(least, len(scores.pool), MOST_LABELS) // LABELS_PER_SHEET)


def legible(text: str) -> str:
    """The text, with code points such as U+4E03 for letters that no font on this machine has."""
    plain_text = text.encode("utf-8", "backslashreplace").decode()
    return "".join(letter if ord(letter) in _letters() else f"U+{ord(letter):04X}" for letter in plain_text)


@cache
def _letters() -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font

    return frozenset(code for family in families() for code in get_font(findfont(family)).get_charmap())


def _limits(data: Dataset) -> tuple[float, float]:
    if data.images.dtype == np.uint8:
        return 0.0, 255.0
    return float(data.images.min()), float(data.images.max())


def _tile(pixels: npt.NDArray[Any], limits: tuple[float, float]) -> Pixels:
    """One image as `(H, W, 3)` bytes, small ones enlarged by repeating pixels."""
    low, high = limits
    if pixels.dtype != np.uint8:
        pixels = np.clip((pixels - low) / (high - low if high > low else 1), 0, 1) * 255
    times = max(1, 128 // max(pixels.shape[:2]))
    larger = pixels.astype(np.uint8).repeat(times, axis=0).repeat(times, axis=1)
    return np.broadcast_to(larger, (*larger.shape[:2], 3))


def _canvas(count: int, columns: int, below: float, inch: float) -> tuple[Figure, Axes]:
    """A figure whose axes count in tiles of an `inch`, with space `below` each, in tiles, for a caption."""
    from matplotlib.figure import Figure

    rows, columns = -(-count // columns), min(columns, count)
    wide, high = max(columns * inch, 4.2), rows * (1 + below) * inch
    figure = Figure(figsize=(wide + 0.3, high + 0.55), facecolor=GROUND)
    axes = figure.add_axes((0.15 / (wide + 0.3), 0.1 / (high + 0.55), wide / (wide + 0.3), high / (high + 0.55)))
    axes.set_axis_off()
    return figure, axes


def _captioned(
    tiles: Sequence[Pixels | None], captions: Sequence[str | None], title: str, columns: int
) -> tuple[Figure, Axes, float]:
    """The tiles in rows with a caption below each; and the height of that space, in tiles."""
    below = 0.1 + 0.085 * max(1 + caption.count("\n") for caption in captions if caption is not None)
    figure, axes = _canvas(len(tiles), columns, below, _LARGE_INCH)
    _title(axes, title)
    _draw(axes, tiles, columns, _LARGE_INCH, below)
    for number, caption in enumerate(captions):
        if caption is not None:
            row, column = divmod(number, columns)
            axes.text(
                column + 0.03, row * (1 + below) + 1, caption, fontsize=6.5, va="top", color=GREY, linespacing=1.15,
                family=families(), parse_math=False,
            )  # fmt: skip
    return figure, axes, below


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, fontsize=11, loc="left", family=families(), parse_math=False)


def _draw(axes: Axes, tiles: Sequence[Pixels | None], columns: int, inch: float, below: float = 0.0) -> None:
    """All tiles as one image, which is much faster than one each."""
    size = next(tile.shape for tile in tiles if tile is not None)
    side = round(max(size[:2]) / 0.94)
    step = round(side * (1 + below))
    rows, columns = -(-len(tiles) // columns), min(columns, len(tiles))
    sheet = np.empty((rows * step, columns * side, 3), np.uint8)
    sheet[:] = tuple(bytes.fromhex(GROUND[1:]))
    for number, tile in enumerate(tiles):
        if tile is not None:
            row, column = divmod(number, columns)
            top, left = row * step + (side - size[0]) // 2, column * side + (side - size[1]) // 2
            sheet[top : top + size[0], left : left + size[1]] = tile
    axes.imshow(sheet, extent=(0, columns, rows * (1 + below), 0), aspect="auto")
    axes.set_xlim(0, max(columns, 4.2 / inch))
    axes.set_ylim(rows * (1 + below), 0)


def _frames(axes: Axes, groups: Sequence[Sequence[ImageReference]], wide: int, across: int, below: float) -> None:
    from matplotlib.patches import Rectangle

    for number, group in enumerate(groups):
        row, column = divmod(number, across)
        box = (column * wide + 0.005, row * (1 + below) + 0.01), len(group) - 0.01, 1 + below - 0.04
        axes.add_patch(Rectangle(*box, fill=False, edgecolor=LINE, linewidth=0.8))


def _caption(image: ImageReference, width: int = 24) -> str:
    """Index and label, file, and note."""
    lines = [f"{image.part} {image.index}"]
    if image.label is not None:
        lines[0] += f": {legible(image.label)}"
    if image.file:
        lines.append(_shortened(image.file, width))
    if image.note:
        lines.append(legible(image.note.replace(" neighbours say ", " say ")))
    return "\n".join(lines)


def _shortened(file: str, width: int = 24) -> str:
    name = legible(file.rpartition("/")[2])
    return name if len(name) <= width else f"{name[: width - 12]}…{name[-11:]}"


def _doubt(scores: LabelScores, index: int) -> str:
    """Given and suggested label, file or index, and who doubts the label."""
    image, classes, suggested = scores.pool.reference(index), scores.pool.classes, scores.suggested[index]
    share = 100 * scores.probabilities[index, suggested]
    given, other = (legible(classes[label])[:12] for label in (scores.given[index], suggested))
    lines = [f"{given} → {other}  {share:.0f} %", _shortened(image.file) if image.file else f"{image.part} {image.index}"]
    if by := scores.doubted_by(index):
        lines.append(tr(DOUBTED_BY[by]))
    return "\n".join(lines)
