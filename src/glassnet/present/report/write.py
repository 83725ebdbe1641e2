"""`report`: a run as one HTML file."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassnet import __version__
from glassnet.analysis.diagnosis import Diagnosis
from glassnet.analysis.diagnosis.rules import diagnose_run
from glassnet.errors import GlassnetError, RunError, WriteError, spell
from glassnet.experiment.run import Run
from glassnet.experiment.run_folder import REPORT
from glassnet.nn import summary
from glassnet.present.figures.base import render
from glassnet.present.figures.quality import MOST_BARS
from glassnet.present.report import overview
from glassnet.present.report.charts import ABOUT, ACTIVITY, drawings, inline_svg
from glassnet.present.report.facts import Facts, gather
from glassnet.present.report.inside import look_inside
from glassnet.present.report.showing import class_rows, columns, show, table
from glassnet.support.atomic import write_bytes
from glassnet.support.i18n import mark, tr
from glassnet.support.pages import environment, label, sealed

if TYPE_CHECKING:
    from jinja2 import Template
    from matplotlib.figure import Figure

IN_SCRIPT = {  # the page's script fills in the {names}
    "cell": mark("{n} images of {truth} classified as {said}"),
    "cell-one": mark("1 image of {truth} classified as {said}"),
    "cell-right": mark("{n} images of {truth}, classified correctly"),
    "shown": mark(" ({shown} shown)"),
    "number": mark("image {index}"),
    "found": mark("{shown} of {count} classes"),
}
EXAMPLES = 12  # rows shown for targets that are not classes


def report(
    run: Run | str | Path,
    path: str | Path | None = None,
    *,
    test: bool = False,
    figures: str | Path | None = None,
    diagnosis: Diagnosis | None = None,
) -> Path:
    """Write the report of a run as one HTML file, by default report.html in its folder; the path.

    It is about the validation images, or with `test` about the test set, which is recorded in the run's ledger. The file
    works offline, in English and Chinese, light and dark. `figures`: a folder for its charts as SVG files. `diagnosis`: the
    result of `glassnet.diagnose` for this run, if already computed.
    """
    chosen = run if isinstance(run, Run) else Run.load(run)
    target = chosen.folder / REPORT if path is None else Path(path)
    if not target.parent.is_dir():
        raise RunError(
            tr("There is no such folder for the report."), where=target.parent, expected=tr("a folder that exists")
        )
    facts = gather(chosen, test=test)
    files: dict[Path, bytes] = {}
    with _drawing(chosen.folder):
        charts = drawings(facts)
        if figures is not None:
            files = {Path(figures) / f"{name}.svg": render(figure, "svg", dpi=130) for name, figure in charts.items()}
        files[target] = page(facts, charts, diagnose_run(chosen) if diagnosis is None else diagnosis).encode()
    for file, content in files.items():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(file, content)
        except OSError as error:
            raise WriteError.of(error, file, tr("The report can't be written.")) from None
    return target


@contextlib.contextmanager
def _drawing(folder: Path) -> Iterator[None]:
    """Any other error, such as a missing font or too little memory, becomes the cause of a `RunError`."""
    try:
        yield
    except GlassnetError:
        raise
    except Exception as error:
        raise RunError(
            tr("The report can't be made. The run itself is complete."),
            where=folder,
            received=spell(error),
            hint=tr("for the traceback: python -c \"import glassnet; glassnet.report('{folder}')\"", folder=folder),
        ) from error


def page(facts: Facts, charts: dict[str, Figure], diagnosis: Diagnosis) -> str:
    """The report as HTML text."""
    shown, inside, rows = show(facts), look_inside(facts), class_rows(facts)
    sheets = [*(shown.sheets if shown else []), *inside.sheets]
    recipe, heading, network = facts.run.recipe, facts.run.recipe.heading, facts.run.network
    labels = {name: f"{recipe.name}: {label(tr(ABOUT[name]))}" for name in charts}
    text = template().render(
        facts=facts,
        run=facts.run,
        result=facts.result,
        overview=overview,
        name=heading,
        about=recipe.message("about"),
        layer_columns=summary.COLUMNS,
        layer_rows=summary.rows(network.layers, network.shapes, network.dtype.itemsize),
        most_bars=MOST_BARS,
        confusion=table(facts, shown),
        many=rows is not None,
        shown=shown,
        inside=inside,
        sheets=sheets,
        svgs={name: inline_svg(figure, name, labels[name]) for name, figure in charts.items()},
        calibration=facts.calibration,
        diagnosis=diagnosis,
        activity=[name for name in charts if name.startswith(ACTIVITY)],
        examples=_examples(facts),
        script_data={
            "cells": shown.cells if shown else {},
            "classes": list(facts.classes),
            "rows": rows or [],
            "texts": {key: [tr(text).en, tr(text).zh] for key, text in IN_SCRIPT.items()},
        },
        version=__version__,
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
    )
    return sealed(text)


def _examples(facts: Facts) -> list[tuple[str, str, str]]:
    """(input, target, output) of the first rows, for targets that are not classes."""
    data = facts.data
    if data.is_classification:
        return []
    outputs = facts.run.network(data.images[:EXAMPLES])

    def spell(values: Any) -> str:
        flat = values.ravel()
        return ", ".join(f"{value:.4g}" for value in flat[:6]) + (" …" if flat.size > 6 else "")

    return [(spell(x), spell(y), spell(out)) for x, y, out in zip(data.images[:EXAMPLES], data.labels, outputs, strict=False)]


@functools.lru_cache(maxsize=1)
def template() -> Template:
    """The report's template, compiled at the first call."""
    found = environment("glassnet.present.report", "page")
    found.filters["columns"] = columns
    return found.get_template("report.html")
