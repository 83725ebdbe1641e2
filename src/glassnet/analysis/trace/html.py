"""A trace as one HTML page without external files."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from glassnet import __version__
from glassnet.analysis.gradient_check import COLUMNS, rows
from glassnet.analysis.trace.document import Document, Grid, ImageView, Number, Parts, Source, Step, Symbol
from glassnet.analysis.trace.notation import figure, spoken
from glassnet.support.i18n import Message, mark, tr
from glassnet.support.pages import environment, markup, sealed, spans

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup


PARTS = {  # short names, for the header
    "forward": mark("Forward"),
    "cost": mark("Loss"),
    "backward": mark("Backward"),
    "check": mark("Definition"),
    "update": mark("Update"),
}
TAGS = {  # the tutorials' four equations in plain words
    "BP1": mark("BP1, the error of the output"),
    "BP2": mark("BP2, the error passed back"),
    "BP3": mark("BP3, the gradient of a bias"),
    "BP4": mark("BP4, the gradient of a weight"),
}
PHASES = {
    "forward": mark("Forward: from the input to the answer"),
    "cost": mark("The loss"),
    "backward": mark("Backward: from the loss to the weight"),
    "check": mark("The gradient compared with its definition"),
    "update": mark("The update"),
}


@lru_cache(maxsize=1)
def _template() -> Template:
    found = environment("glassnet.analysis.trace", "templates")
    found.filters.update(
        equation=_equation,
        line=_line,
        code=_code,
        pixels=_pixels,
        tint=_tint,
        figure=figure,
        tagged=lambda tag: tr(TAGS[tag]),
    )
    return found.get_template("trace.html")


def page(trace: Document) -> str:
    """The page."""
    numbered = [(phase, list(steps)) for phase, steps in groupby(enumerate(trace.steps, 1), key=lambda step: step[1].phase)]
    parts = [(phase, tr(PARTS[phase])) for phase, _ in numbered]
    text = _template().render(
        trace=trace,
        name=tr("Trace of one weight: {weight}", weight=trace.weight),
        version=__version__,
        parts=[*parts, ("all", tr("All gradients"))] if trace.table else parts,
        phases=[(phase, tr(PHASES[phase]), steps) for phase, steps in numbered],
        table=[] if trace.table is None else rows(trace.table),
        heads=[tr(name) for name in COLUMNS],
        summary=_summary(trace),
    )
    return sealed(text)


def _summary(trace: Document) -> list[tuple[Message, Markup]]:
    return [
        (tr("gradient by backpropagation"), _number(Number("gradient", trace.gradient))),
        (tr("numerical gradient"), _number(Number("numerical", trace.numerical, "", ".9f"))),
        (tr("the weight before"), _number(Number("w", trace.before, "", ".9g"))),
        (tr("the weight after"), _number(Number("w.after", trace.after, "", ".9g"))),
        (tr("loss before"), _number(Number("cost", trace.cost_before))),
        (tr("loss after"), _number(Number("cost.after", trace.cost_after))),
    ]  # fmt: skip


def _lowered(text: str) -> Markup:
    """The text escaped, z_g with g as a subscript."""
    pieces = re.split(r"(?<=[A-Za-z])_(\w)(?!\w)", text)
    return markup("{}<sub>{}</sub>" * (len(pieces) // 2) + "{}", *pieces)


def _equation(step: Step) -> Markup:
    """The equation with its symbols marked, each of its parts on a line of its own; ^ raises what follows."""
    by_key = {symbol.key: symbol for symbol in step.symbols}
    parts = []
    for piece in re.split(r"(\^?\{\w+\})", step.equation):
        symbol = by_key.get(piece.strip("^{}")) if piece.endswith("}") else None
        shown: object = piece
        if symbol is not None:
            sign = '<b class="s" tabindex="0" data-s="{}" data-en="{}" data-zh="{}">{}</b>'
            shown = markup(sign, symbol.key, symbol.meaning.en, symbol.meaning.zh, _lowered(symbol.sign))
        parts.append(markup("<sup>{}</sup>" if piece.startswith("^") else "{}", shown))
    return markup("<br>").join(markup("").join(parts).split("   "))


def _number(number: Number, text: str | None = None) -> Markup:
    key = markup(' data-s="{}" tabindex="0"', number.symbol) if number.symbol else ""
    left, shown, right = re.fullmatch(r"(\(?)(.*?)(\)?)", text or figure(number)).groups()  # type: ignore[union-attr]  # fits any line
    return markup('{}<span class="n" data-q="{}"{}>{}</span>{}', left, number.name, key, shown, right)


def _line(parts: Parts) -> Markup:
    """A line of numbers, each marked as what its symbol stands for."""
    found = []
    for text, number in spoken(parts):
        plain = spans(text) if isinstance(text, Message) else _lowered(text)
        found.append(plain if number is None else _number(number, text))
    return markup("{}" * len(found), *found)


def _code(source: Source, symbols: tuple[Symbol, ...]) -> Markup:
    """A line of code in which the names of symbols are marked."""
    homes = {name: symbol.key for symbol in reversed(symbols) for name in symbol.code}
    pieces = [
        markup('<b class="s" data-s="{}" tabindex="0">{}</b>', homes[piece], piece) if piece in homes else piece
        for piece in re.split(r"([A-Za-z_]\w*)", source.text)
    ]
    return markup("{}" * len(pieces), *pieces)


def _tint(grid: Grid) -> Callable[[Number], str]:
    """The background of a grid's cell, red above zero and blue below; none in a table with headings."""
    values = [abs(number.value) for row in grid.cells for number in row if np.isfinite(number.value)]
    top = max(values, default=0) or 1

    def tint(number: Number) -> str:
        colour = "200,60,40" if number.value > 0 else "40,90,200"
        return "" if grid.heads else f"background:rgba({colour},{0.5 * min(1.0, abs(number.value) / top):.2f})"

    return tint


def _pixels(image: ImageView) -> str:
    """An array as the URL of a PNG."""
    from PIL import Image

    values = np.asarray(image.values, dtype=float)
    if values.ndim == 3 or values.min() >= 0:
        top = values.max() or 1
        pixels = np.clip(255 * values / (255 if top > 1 and values.ndim == 3 else top), 0, 255).astype(np.uint8)
    else:  # red above zero, blue below
        share = values / (np.abs(values).max() or 1)
        fade = 1 - np.abs(share)
        red, blue = np.where(share > 0, 1, fade), np.where(share < 0, 1, fade)
        pixels = (255 * np.stack([red, fade, blue], axis=-1)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
