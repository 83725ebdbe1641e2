"""A trace as one HTML page that needs nothing else: no server, no network."""

from __future__ import annotations

import base64
import html
import io
import re
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from glassnet.analysis.gradient_table import COLUMNS, rows
from glassnet.analysis.trace.document import Document, Grid, ImageView, Number, Parts, Source, Step, Symbol
from glassnet.analysis.trace.notation import figure, spoken
from glassnet.support.i18n import Message, mark, tr
from glassnet.support.pages import environment, label, spans

if TYPE_CHECKING:
    from jinja2 import Template


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
    found.filters.update(equation=_equation, line=_line, code=_code, image=_image, grid=_grid, number=_number)
    return found.get_template("trace.html")


def page(trace: Document) -> str:
    """The page."""
    phases: list[tuple[Message, list[tuple[int, Step]]]] = []
    last = ""
    for number, step in enumerate(trace.steps, 1):
        if step.phase != last:
            phases.append((tr(PHASES[step.phase]), []))
            last = step.phase
        phases[-1][1].append((number, step))
    return _template().render(
        trace=trace,
        phases=phases,
        table=[] if trace.table is None else rows(trace.table),
        heads=[tr(name) for name in COLUMNS],
        summary=_summary(trace),
    )


def _summary(trace: Document) -> list[tuple[Message, str]]:
    return [
        (tr("gradient by backpropagation"), _number(Number("gradient", trace.gradient))),
        (tr("numerical gradient"), _number(Number("numerical", trace.numerical, "", ".9f"))),
        (tr("the weight before"), _number(Number("w", trace.before, "", ".9g"))),
        (tr("the weight after"), _number(Number("w.after", trace.after, "", ".9g"))),
        (tr("loss before"), _number(Number("cost", trace.cost_before))),
        (tr("loss after"), _number(Number("cost.after", trace.cost_after))),
    ]  # fmt: skip


def _safe(text: str) -> str:
    from markupsafe import Markup

    return Markup(text)


def _marked(symbol: Symbol) -> str:
    english, chinese = html.escape(symbol.meaning.en), html.escape(symbol.meaning.zh)
    sign = _lowered(html.escape(symbol.sign))
    return f'<b class="s" tabindex="0" data-s="{symbol.key}" data-en="{english}" data-zh="{chinese}">{sign}</b>'


def _lowered(sign: str) -> str:
    """z_g with g as a subscript."""
    return re.sub(r"(?<=[A-Za-z])_(\w)(?!\w)", r"<sub>\1</sub>", sign)


def _equation(step: Step) -> str:
    """The equation with its symbols marked, each of its parts on a line of its own; ^ raises what follows."""
    by_key = {symbol.key: symbol for symbol in step.symbols}
    parts = []
    for piece in re.split(r"(\^?\{\w+\})", step.equation):
        key = piece.strip("^{}")
        shown = _marked(by_key[key]) if piece.endswith("}") and key in by_key else html.escape(piece)
        parts.append(f"<sup>{shown}</sup>" if piece.startswith("^") else shown)
    return _safe("<br>".join("".join(parts).split("   ")))


def _number(number: Number, text: str | None = None) -> str:
    key = f' data-s="{number.symbol}" tabindex="0"' if number.symbol else ""
    shown = figure(number) if text is None else text
    left, right = ("(", ")") if shown.startswith("(") else ("", "")
    body = shown[1:-1] if left else shown
    return _safe(f'{left}<span class="n" data-q="{html.escape(number.name)}"{key}>{html.escape(body)}</span>{right}')


def _line(parts: Parts) -> str:
    """A line of numbers, each marked as what its symbol stands for."""
    found = []
    for text, number in spoken(parts):
        if number is not None:
            found.append(_number(number, text))
        else:
            found.append(str(spans(text)) if isinstance(text, Message) else _lowered(html.escape(text)))
    return _safe("".join(found))


def _code(source: Source, symbols: tuple[Symbol, ...]) -> str:
    """A line of code in which the names of symbols are marked."""
    homes = {name: symbol.key for symbol in reversed(symbols) for name in symbol.code}
    pieces = []
    for piece in re.split(r"([A-Za-z_]\w*)", source.text):
        shown = html.escape(piece)
        pieces.append(f'<b class="s" data-s="{homes[piece]}" tabindex="0">{shown}</b>' if piece in homes else shown)
    return _safe("".join(pieces))


def _grid(grid: Grid) -> str:
    """A small array as a table, its cells tinted by their values."""
    values = [abs(number.value) for row in grid.cells for number in row if np.isfinite(number.value)]
    top = max(values, default=0) or 1
    lines = [f"<tr>{''.join(f'<th>{html.escape(head)}</th>' for head in grid.heads)}</tr>"] if grid.heads else []
    for i, row in enumerate(grid.cells):
        cells = []
        for j, number in enumerate(row):
            share = min(1.0, abs(number.value) / top)
            tint = f"rgba({'200,60,40' if number.value > 0 else '40,90,200'},{0.5 * share:.2f})"
            mark = ' class="mark"' if (i, j) == grid.mark else ""
            key = f' data-s="{number.symbol}"' if number.symbol else ""
            tint = "" if grid.heads else f' style="background:{tint}"'
            name = html.escape(number.name)
            cells.append(f'<td{mark}{key}{tint} tabindex="0"><span class="n" data-q="{name}">{figure(number)}</span></td>')
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return _safe(f'<table class="grid">{"".join(lines)}</table>')


def _image(image: ImageView) -> str:
    """An array as pixels, with a box around what matters."""
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
    data = base64.b64encode(file.getvalue()).decode()
    high, wide = values.shape[:2]
    box = ""
    if image.box is not None:
        row, column, rows, columns = image.box
        style = f"left:{100 * column / wide:.3f}%;top:{100 * row / high:.3f}%;width:{100 * columns / wide:.3f}%;"
        box = f'<i class="box" style="{style}height:{100 * rows / high:.3f}%"></i>'
    title = html.escape(label(image.title))
    return _safe(
        f'<div class="pixels" data-s="{image.symbol}" tabindex="0" style="aspect-ratio:{wide}/{high}">'
        f'<img alt="{title}" src="data:image/png;base64,{data}">{box}</div>'
    )
