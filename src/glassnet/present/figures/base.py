"""What all figures share: colours, axes, fonts for Chinese, and files."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from glassnet.support.atomic import write_bytes
from glassnet.support.i18n import Message, tr

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

TRAIN, VALIDATION, WRONG, GREY = "#8a8f98", "#1f6feb", "#d1242f", "#57606a"
INK, LINE, PALE = "#24292f", "#d0d7de", "#8cbcff"
SERIES = (
    "#1f6feb",
    "#d97706",
    "#15803d",
    "#a21caf",
    "#0e7490",
    "#b91c1c",
    "#4d7c0f",
    "#6d28d9",
)  # distinct on white and black
SHADES = ("#e06a2b", "#d14f6c", "#b83289", "#8f0da4", "#5b02a3", "#0d0887")  # of a value, from the worst to the best
PAPER = "#fffffe"  # behind texts that lines run through
EAST_ASIAN = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Micro Hei", "PingFang SC", "Heiti SC",
    "Hiragino Sans GB", "Microsoft YaHei", "SimHei", "Noto Sans CJK JP", "Noto Serif CJK SC", "Noto Serif CJK JP",
    "WenQuanYi Zen Hei",
)  # fmt: skip
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
FONT_FILES = ("cjk", "notosanssc", "sourcehan", "wqy", "pingfang", "heiti", "hiragino", "msyh", "simhei")  # in their names


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, without a window."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def new_axes(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of one plot."""
    figure = new_figure(width, height)
    return figure, figure.subplots()


def chart(
    width: float, height: float, *, rows: Sequence[float] = (1,), left: float = 0.54, share: bool = True
) -> tuple[Figure, list[Axes]]:
    """A figure of plots one above the other, `rows` their relative heights, with fixed margins; `left`: inches for its ticks.

    `share`: whether they have the same x axis.

    To fit the margins to the texts instead, as `new_figure` does, takes longer than all the rest of the drawing.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    figure.subplots_adjust(left / width, 0.47 / height, 1 - 0.15 / width, 1 - 0.26 / height, hspace=0.25)
    return figure, list(figure.subplots(len(rows), 1, sharex=share, squeeze=False, height_ratios=rows)[:, 0])


def width_of(text: str, size: float = 9) -> float:
    """About how wide a text of so many points is, in inches; of a message, in its wider language."""
    texts = (text.en, text.zh) if isinstance(text, Message) else (text,)
    widths = [sum(1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.62 for letter in each) for each in texts]
    return max(widths) * size / 72


def plain(axes: Axes, *, title: str = "", x: str = "", y: str = "", grid: Literal["x", "y", "both"] = "y") -> None:
    """Axes with two spines, a pale grid, and the title on the left."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LINE)
    axes.tick_params(which="both", colors=GREY, labelsize=9)
    axes.set_axisbelow(True)
    axes.grid(axis=grid, color=LINE, linewidth=0.6)
    axes.set_title(title, fontsize=10, loc="left", color=INK)
    axes.set_xlabel(x, fontsize=9, color=GREY)
    axes.set_ylabel(y, fontsize=9, color=GREY)


def logarithmic(axes: Axes) -> None:
    """A logarithmic y axis with plain numbers: powers of ten, and 2 and 5 between them where the axis is short."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 30 * low else (1,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: power(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())


def power(value: float) -> str:
    """A number on an axis: 0.01 stays, 1e-05 becomes 10⁻⁵."""
    digits, _, exponent = f"{value:g}".partition("e")
    if not exponent:
        return digits
    raised = str(int(exponent)).translate(RAISED)
    return f"10{raised}" if digits == "1" else f"{digits}·10{raised}"


def percent(probability: float) -> Message:
    """A probability in per cent; 100 % only if it is 1 to five digits."""
    return tr("{share} %", share="> 99" if 0.99 <= probability < 0.99999 else f"{100 * probability:.0f}")


def evenly(names: Sequence[str], most: int) -> list[str]:
    """At most `most` of the names, evenly spaced, with the first and the last."""
    places = np.unique(np.linspace(0, len(names) - 1, min(len(names), most)).round().astype(int))
    return [names[place] for place in places]


def label_lines(axes: Axes, *, gap: float = 0.085) -> None:
    """The label of each line to the right of its end, joined to it by a thin line and clear of the other labels.

    `gap`: the least distance between labels, in heights of the axes. The axes are those of a `chart`, whose right margin
    becomes as wide as the labels.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    widest = max((width_of(_label(line)) for line in axes.lines), default=0.0)
    whole, left = figure.get_figwidth(), figure.subplotpars.left
    figure.subplots_adjust(right=max(left + 0.3, left + (1 - left - (widest + 0.05) / whole) / 1.06))
    axes.autoscale_view()  # the transform does not wait for the limits
    to_axes = axes.transData + axes.transAxes.inverted()
    ends = []
    for line in axes.lines:
        values = np.asarray(line.get_xydata(), dtype=float)
        values = values[np.isfinite(values).all(axis=1)]
        if len(values):
            x, y = to_axes.transform(values[-1])
            ends.append((float(np.clip(y, 0, 1)), float(x), line))
    ends.sort(key=lambda end: end[0])
    places = np.array([y for y, _, _ in ends])
    for number in range(1, len(places)):  # upwards from the lowest, then down again from the top
        places[number] = max(places[number], places[number - 1] + gap)
    for number in range(len(places) - 1, -1, -1):
        most = 1.0 if number == len(places) - 1 else places[number + 1] - gap
        places[number] = min(places[number], most)
    for place, (y, x, line) in zip(places, ends, strict=True):
        axes.annotate(
            _label(line), (x, y), (1.06, place), xycoords="axes fraction", textcoords="axes fraction", va="center",
            fontsize=9, color=INK, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": line.get_color(), "linewidth": 1, "shrinkA": 1, "shrinkB": 0,
                        "relpos": (0, 0.5)},
        )  # fmt: skip


def _label(line: Any) -> str:
    label = line.get_label()
    return label if isinstance(label, str) else str(label)


def zoom(low: float, high: float) -> tuple[float, float]:
    """Ends of an axis in per cent that shows the differences between `low` and `high`, at round numbers."""
    step = next((step for step in (0.1, 0.2, 0.5, 1, 2, 5, 10) if high - low <= 5 * step), 20)
    return max(0.0, step * np.floor(low / step)), min(100.0, step * np.ceil(high / step))


def legend(axes: Axes, **options: Any) -> None:
    axes.legend(frameon=False, fontsize=9, labelcolor=GREY, **options)


@functools.lru_cache(maxsize=1)
def east_asian() -> str | None:
    """A font on this machine with Chinese characters."""
    from matplotlib import font_manager

    def first() -> str | None:
        known = {font.name for font in font_manager.fontManager.ttflist}
        return next((name for name in EAST_ASIAN if name in known), None)

    if first() is None:  # matplotlib caches the fonts of its first start: some may have been installed since
        for path in font_manager.findSystemFonts():
            if any(part in Path(path).name.lower() for part in FONT_FILES):
                with contextlib.suppress(OSError, RuntimeError):  # not a font
                    font_manager.fontManager.addfont(path)
    return first()


def find_fonts() -> None:
    """Load the fonts of figures, which the first text of a process waits for."""
    from matplotlib import font_manager

    font_manager.get_font(font_manager.findfont("DejaVu Sans"))


def families() -> list[str]:
    """matplotlib's own font, and one with Chinese characters if there is one."""
    return ["DejaVu Sans", *filter(None, [east_asian()])]


def texts_of(figure: Figure) -> Iterator[Text]:
    """All texts of a figure but numbers at ticks, which `figure.findobj` would make one by one."""
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import FigureBase
    from matplotlib.legend import Legend
    from matplotlib.text import Text
    from matplotlib.ticker import FixedLocator

    def of(part: object) -> Iterator[Text]:
        if isinstance(part, Text):
            yield part
        elif isinstance(part, FigureBase):
            for child in [*part.texts, *part.legends, *part.subfigs, *getattr(part, "axes", [])]:
                yield from of(child)
        elif isinstance(part, Legend):
            yield from (part.get_title(), *part.get_texts())
        elif isinstance(part, Axis):
            yield part.label
            if isinstance(part.get_major_locator(), FixedLocator):  # names
                yield from part.get_ticklabels()
        elif isinstance(part, Axes):
            for child in part.get_children():
                yield from of(child)

    seen: dict[int, Text] = {id(text): text for text in of(figure)}
    yield from seen.values()


def render(figure: Figure, kind: str, **options: Any) -> bytes:
    """The figure as the bytes of a file, its Chinese characters in a font of this machine.

    Without such a font messages are drawn in English, and other Chinese characters, such as class names, as boxes; an SVG
    whose text stays text uses the fonts of the viewer.
    """
    import matplotlib as mpl

    chinese = [
        text for text in texts_of(figure) if any(unicodedata.east_asian_width(letter) in "WF" for letter in text.get_text())
    ]
    for text in chinese:
        text.set_fontfamily(families())
    stays_text = kind == "svg" and mpl.rcParams["svg.fonttype"] == "none"
    messages = [] if stays_text or (chinese and east_asian()) else [(text, text.get_text()) for text in chinese]
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        for text, message in messages:
            text.set_text(message.en if isinstance(message, Message) else message)
        figure.savefig(buffer, format=kind, **options)
        for text, message in messages:
            text.set_text(message)
    return buffer.getvalue()


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write the figure atomically, as SVG or PDF if the name ends so, else as PNG."""
    path = Path(path)
    kind = path.suffix.lower().lstrip(".")
    write_bytes(path, render(figure, kind if kind in ("svg", "pdf") else "png", dpi=130))
