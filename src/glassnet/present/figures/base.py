"""What all figures share: colours, axes without ornament, letters of all scripts, and files."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import unicodedata
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from glassnet.support.arrays import Array
from glassnet.support.atomic import write_bytes
from glassnet.support.i18n import Message

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
)  # told apart on white and on black
EAST_ASIAN = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Micro Hei", "PingFang SC", "Heiti SC",
    "Hiragino Sans GB", "Microsoft YaHei", "SimHei", "Noto Sans CJK JP", "Noto Serif CJK SC", "Noto Serif CJK JP",
    "WenQuanYi Zen Hei",
)  # fmt: skip
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
FONT_FILES = ("cjk", "notosanssc", "sourcehan", "wqy", "pingfang", "heiti", "hiragino", "msyh", "simhei")  # in their names


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, that needs no screen."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def plain(axes: Axes, *, title: str = "", x: str = "", y: str = "", grid: Literal["x", "y", "both"] = "y") -> None:
    """Axes with two spines, a pale grid, and their title at the left."""
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
    """A number as it is read on an axis: 0.01 as it is, 1e-05 as 10⁻⁵."""
    digits, _, exponent = f"{value:g}".partition("e")
    if not exponent:
        return digits
    raised = str(int(exponent)).translate(RAISED)
    return f"10{raised}" if digits == "1" else f"{digits}·10{raised}"


def percent(share: float) -> str:
    """How sure, in short: never 100 % where there is doubt left."""
    return f"{100 * share:.0f} %" if share >= 0.99999 or share < 0.99 else "> 99 %"


def legend(axes: Axes, **options: Any) -> None:
    axes.legend(frameon=False, fontsize=9, labelcolor=GREY, **options)


def sheet(images: Array, columns: int, gap: int = 2) -> Array:
    """Images (N, H, W, C) side by side, as one of (…, 3) with white between them; floats from their least to their most."""
    if images.dtype.kind == "f":
        low, high = float(images.min()), float(images.max())
        images = (images - low) / (high - low if high > low else 1) * 255
    count, height, width, channels = images.shape
    rows = count // columns
    whole = np.full((rows, height + gap, columns, width + gap, channels), 255, dtype=np.uint8)
    whole[:, :height, :, :width] = images.reshape(rows, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    found = whole.reshape(rows * (height + gap), columns * (width + gap), channels)[:-gap, :-gap]
    return np.broadcast_to(found, (*found.shape[:2], 3))


@functools.lru_cache(maxsize=1)
def east_asian() -> str | None:
    """A font on this machine that has Chinese characters."""
    from matplotlib import font_manager

    def first() -> str | None:
        known = {font.name for font in font_manager.fontManager.ttflist}
        return next((name for name in EAST_ASIAN if name in known), None)

    if first() is None:  # matplotlib remembers the fonts of its first start: some may have come since
        for path in font_manager.findSystemFonts():
            if any(part in Path(path).name.lower() for part in FONT_FILES):
                with contextlib.suppress(OSError, RuntimeError):  # a file that is no font
                    font_manager.fontManager.addfont(path)
    return first()


def render(figure: Figure, kind: str, **options: Any) -> bytes:
    """The figure as the bytes of a file, its Chinese characters in a font of this machine.

    Without such a font messages are drawn in English, and other Chinese characters, such as class names, as boxes. An SVG
    whose text stays text is left to the fonts of its reader.
    """
    import matplotlib as mpl
    from matplotlib.text import Text

    chinese = [
        text
        for text in figure.findobj(Text)
        if isinstance(text, Text) and any(unicodedata.east_asian_width(letter) in "WF" for letter in text.get_text())
    ]
    for text in chinese:
        text.set_fontfamily(["DejaVu Sans", *filter(None, [east_asian()])])
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
    """Write the figure as a PNG file, or as SVG or PDF where the name ends so, in one step."""
    path = Path(path)
    kind = path.suffix.lower().lstrip(".")
    write_bytes(path, render(figure, kind, dpi=130) if kind in ("svg", "pdf") else render(figure, "png", dpi=130))
