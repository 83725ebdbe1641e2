"""Images with what was found on them, beside what the network saw, and its answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from glassnet.data.prepare import Prepared
from glassnet.present.figures.base import GREY, INK, new_figure
from glassnet.present.figures.images import as_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ACROSS = 5  # images that the network saw, side by side
BOX = "#1f6feb"


@dataclass(frozen=True)
class ShownImage:
    """An image (H, W, 1 or 3), what was found on it, and an answer to each."""

    name: str
    pixels: NDArray[Any]
    found: Sequence[Prepared]
    answers: Sequence[str]


def prepared_figure(shown: Sequence[ShownImage]) -> Figure:
    """A row for each image: the image with a box around each find and the answer to it; and what the network saw."""
    height = [max(2.4, min(7.0, 1.1 * -(-len(image.found) // _ACROSS))) for image in shown]
    figure = new_figure(10.0, sum(height) + 0.3)
    rows = figure.subplots(len(shown), 2, squeeze=False, gridspec_kw={"width_ratios": [1.2, 1], "height_ratios": height})
    for image, (left, right) in zip(shown, rows, strict=True):
        left.imshow(as_colours(image.pixels))
        left.set_title(image.name, fontsize=9, loc="left", color=GREY)
        left.axis("off")
        for made, answer in zip(image.found, image.answers, strict=True):
            _draw_box(left, made, answer if len(image.found) > 1 else "")
        _draw_inputs(right, image)
    return figure


def _draw_box(axes: Axes, made: Prepared, answer: str) -> None:
    from matplotlib.patches import Rectangle

    if made.box is None:
        return
    left, top, right, bottom = made.box
    axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=BOX, linewidth=1.2))
    label = {"boxstyle": "square,pad=0.1", "facecolor": BOX, "edgecolor": "none"}
    if answer:
        axes.text(left, top, answer, fontsize=8, color="white", va="bottom", ha="left", bbox=label)


def _draw_inputs(axes: Axes, image: ShownImage) -> None:
    """What the network saw, in rows of five, each below its answer."""
    axes.axis("off")
    across = min(_ACROSS, max(2, len(image.found)))
    down = -(-len(image.found) // across)
    for number, (made, answer) in enumerate(zip(image.found, image.answers, strict=True)):
        row, column = divmod(number, across)
        axes.imshow(as_colours(made.pixels), extent=(column, column + 0.9, 1.15 * row + 1.12, 1.15 * row + 0.22))
        axes.text(column, 1.15 * row + 0.17, answer, fontsize=9, color=INK, va="bottom", ha="left")
    axes.set_xlim(0, across)
    axes.set_ylim(1.15 * max(down, 1), 0)
    axes.set_aspect("equal", anchor="W")
