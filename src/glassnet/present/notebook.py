"""How objects look in a notebook: HTML without scripts, in the notebook's own colours, light or dark."""

from __future__ import annotations

import base64
import io
import secrets
from collections.abc import Iterable, Sequence
from functools import singledispatch
from math import isnan

import numpy as np
from markupsafe import Markup, escape

from glassnet.analysis.diagnosis import Diagnosis
from glassnet.data import Dataset, Splits
from glassnet.experiment.run import Run
from glassnet.network import Network
from glassnet.nn import summary
from glassnet.nn.confusion import DRAWN
from glassnet.nn.metrics import Evaluation
from glassnet.present.figures.curves import history_figure
from glassnet.present.figures.images import as_colours, drawable
from glassnet.present.report.charts import inline_svg
from glassnet.support.arrays import Array
from glassnet.support.i18n import language, tr
from glassnet.training import History

IMAGES = 10  # of a data set
CLASSES = 30  # of a confusion matrix that is shown, at most
WORST = 10  # classes and mistakes that are shown of more than `DRAWN` classes
LEAST_SIDE = 56  # pixels on the page
STYLE = Markup("""<style>
.glassnet { --ink: currentColor; --muted: currentColor; --line: rgb(128 128 128 / .35); --train: #8a8f98; --accent: #3b82f6 }
.glassnet table { border-collapse: collapse; margin: .4em 0 }
.glassnet :is(td, th) { padding: .15em .7em; text-align: right; border-bottom: 1px solid var(--line); background: none }
.glassnet :is(td, th):is(:first-child, .name) { text-align: left }
.glassnet caption { text-align: left; font-size: .85em }
.glassnet figure { display: inline-block; margin: 0 .5em .5em 0; text-align: center; font-size: .85em }
.glassnet figure img { display: block; margin: 0 auto; image-rendering: pixelated }
</style>""")


@singledispatch
def html(thing: object) -> Markup:
    """An object as HTML: its text, unless it is of a kind below."""
    return _framed(Markup("<pre>{}</pre>").format(thing))


@html.register
def _(thing: Network) -> Markup:
    rows = summary.rows(thing.layers, thing.shapes, thing.dtype.itemsize)
    return _framed(_table(["", *map(tr, summary.COLUMNS)], rows, names=2), _line(tr("loss"), repr(thing.loss)))


@html.register
def _(thing: History) -> Markup:
    if not thing.epochs:
        return _framed(_line(repr(thing)))
    stopped = [] if thing.stopped is None else [_line(thing.stopped.text)]
    return _framed(_line(repr(thing)), *stopped, _curves(thing))


@html.register
def _(thing: Evaluation) -> Markup:
    heads = [tr("class"), tr("images"), tr("correct"), tr("precision, %"), tr("recall, %")]
    reports, note = thing.per_class, []
    if len(reports) > DRAWN:
        reports = sorted((one for one in reports if one.total), key=lambda one: (one.recall, -one.total))[:WORST]
        note = [_line(tr("The {count} classes with the lowest recall, of {total:,}", count=WORST, total=len(thing.classes)))]
    rows = [(one.name, one.total, one.correct, _percent(one.precision), _percent(one.recall)) for one in reports]
    return _framed(_line(str(thing)), *note, _table(heads, rows), _confusion(thing))


@html.register
def _(thing: Run) -> Markup:
    name = _line(thing.recipe.heading, str(thing.folder))
    drawn = _curves(thing.history) if thing.history.epochs else Markup()
    rows = summary.rows(thing.network.layers, thing.network.shapes, thing.network.dtype.itemsize)
    table = _table(["", *map(tr, summary.COLUMNS)], rows, names=2)
    return _framed(name, _line(repr(thing.history)), drawn, table)


@html.register
def _(thing: Diagnosis) -> Markup:
    if thing.healthy:
        return _framed(*map(_line, str(thing).splitlines()))
    return _framed(
        Markup("<ol>"),
        *(
            Markup("<li><b>{}</b><br>{}<br>{} {}<ul>{}</ul></li>").format(
                one.title,
                one.evidence,
                tr("why:"),
                one.cause,
                Markup().join(Markup("<li>{}</li>").format(step) for step in one.try_next),
            )
            for one in thing
        ),
        Markup("</ol>"),
    )


@html.register
def _(thing: Dataset) -> Markup:
    return _framed(_line(repr(thing)), _images(thing))


@html.register
def _(thing: Splits) -> Markup:
    parts = {tr("training"): thing.train, tr("validation"): thing.validation, tr("test"): thing.test}
    rows = [(name, f"{len(part):,}") for name, part in parts.items() if part is not None]
    return _framed(_line(repr(thing.train)), _table([tr("part"), tr("images")], rows), _images(thing.train))


def _framed(*parts: str) -> Markup:
    hidden = "zh" if language() == "en" else "en"  # of the texts in charts
    rule = Markup("<style>.glassnet .{} {{ display: none }}</style>").format(hidden)
    return Markup('<div class="glassnet">{}</div>').format(Markup().join([STYLE, rule, *parts]))


def _curves(history: History) -> Markup:
    drawn = inline_svg(history_figure(history), f"history-{secrets.token_hex(4)}", tr("Loss and accuracy over the epochs"))
    key = Markup('<span style="color:var({})">━</span> {} &nbsp; ')
    return key.format("--train", tr("training")) + key.format("--accent", tr("validation")) + drawn


def _confusion(result: Evaluation) -> Markup:
    """The confusion matrix, where it fits: a darker cell is a larger share of the images of its class."""
    count = len(result.classes)
    if count > DRAWN:
        pairs = [(f"{one.truth} → {one.predicted}", one.count) for one in result.most_confused(WORST)]
        return _table([tr("The most frequent mistakes"), tr("images")], pairs) if pairs else Markup()
    if count > CLASSES:
        return Markup()
    cell = Markup('<td style="background:rgb(59 130 246 / {:.2f})">{}</td>')
    rows = [
        Markup("<tr><th>{}</th>{}</tr>").format(
            name, Markup().join(cell.format(0.6 * number / max(1, row.sum()), number or "") for number in row)
        )
        for name, row in zip(result.classes, np.asarray(result.confusion), strict=True)
    ]
    heads = Markup().join(Markup("<th>{}</th>").format(name) for name in result.classes)
    return Markup("<table><caption>{}</caption><tr><th></th>{}</tr>{}</table>").format(
        tr("Rows: class; columns: predicted class"), heads, Markup().join(rows)
    )


def _line(*words: str) -> Markup:
    return Markup("<div>{}</div>").format(": ".join(words))


def _percent(share: float | None) -> str:
    return "–" if share is None or isnan(share) else f"{100 * share:.1f}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]], names: int = 1) -> Markup:
    """A table whose first columns are names, the others numbers."""

    def row(cells: Sequence[object], tag: str) -> Markup:
        marked = (
            Markup('<{0} class="name">{1}</{0}>' if place < names else "<{0}>{1}</{0}>").format(Markup(tag), cell)
            for place, cell in enumerate(cells)
        )
        return Markup("<tr>{}</tr>").format(Markup().join(marked))

    return Markup("<table>{}{}</table>").format(row(heads, "th"), Markup().join(row(cells, "td") for cells in rows))


def _images(data: Dataset) -> Markup:
    """A few images, spread over the classes, with their labels."""
    if not drawable(data.shape):
        return Markup()
    labels = data.labels if data.is_classification else np.zeros(len(data), dtype=int)
    first = np.unique(labels, return_index=True)[1]
    others = np.setdiff1d(np.arange(min(len(data), 2 * IMAGES)), first)
    chosen = np.concatenate([first, others])[:IMAGES]
    names = [data.classes[labels[place]] if data.classes else "" for place in chosen]
    return Markup().join(_image(data.images[place], name) for place, name in zip(chosen, names, strict=True))


def _image(image: Array, name: str) -> Markup:
    from PIL import Image

    file, side = io.BytesIO(), max(image.shape[:2])
    shown = Image.fromarray(as_colours(image))
    shown.thumbnail((2 * LEAST_SIDE, 2 * LEAST_SIDE))
    shown.save(file, "PNG", optimize=True)
    width = round(max(1.0, LEAST_SIDE / side) * shown.width)
    url = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    return Markup('<figure><img src="{0}" width="{1}" alt="{2}">{2}</figure>').format(url, width, escape(name))
