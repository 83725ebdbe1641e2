"""`search_page`: a finished search as one HTML file."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from glassnet import __version__
from glassnet.analysis.search import flattery_of, importance_of, scale_of, scored
from glassnet.errors import writing
from glassnet.experiment.search.records import SearchResult
from glassnet.present.figures import (
    best_curve_figure,
    importance_figure,
    parallel_coordinates_figure,
    progress_figure,
    ranking_figure,
    slices_figure,
)
from glassnet.present.figures.search import MOST_CURVES, MOST_RANKED, value_title
from glassnet.present.report.charts import inline_svg
from glassnet.present.search import overview
from glassnet.present.search.table import value_table
from glassnet.support.atomic import write_text
from glassnet.support.i18n import Message, mark, tr
from glassnet.support.pages import environment, label, sealed

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup
    from matplotlib.figure import Figure

FOLDED = 50  # more trials are folded
ABOUT = {  # the label of each chart
    "ranking": mark("The best trials"),
    "best": mark("Validation curves of the best trials"),
    "progress": mark("The value of each trial"),
    "importance": mark("Importance of the parameters"),
    "parallel": mark("Settings and value of each trial"),
}


def search_page(result: SearchResult, path: str | Path) -> Path:
    """Write the page of a finished search as one HTML file; the path.

    It works offline, in English and Chinese, light and dark, and sends nothing. The same result gives the same bytes.
    """
    target = Path(path)
    text = page(result)
    with writing(target):
        write_text(target, text)
    return target


def page(result: SearchResult) -> str:
    """The page as HTML text."""
    trials, importance, flattery = scored(result), importance_of(result), flattery_of(result)
    scales = [scale_of(result, parameter) for parameter in result.plan.space]
    figures: dict[str, Figure] = {}
    if trials:
        figures = {"ranking": ranking_figure(result), "progress": progress_figure(result)}
        if any(trial.curve for trial in trials[:MOST_CURVES]):
            figures["best"] = best_curve_figure(result)
        if len(scales) > 1:
            figures["parallel"] = parallel_coordinates_figure(result)
        if importance is not None:
            figures["importance"] = importance_figure(result, importance)
    slices = [_slice(result, number) for number, scale in enumerate(scales) if trials and scale.varies]
    text = template().render(
        result=result,
        plan=result.plan,
        name=tr("Search: {recipe}", recipe=result.plan.recipe.heading),
        best=next(iter(trials), None),
        ranked=[overview.row(result, scales, trial) for trial in trials[:MOST_RANKED]],
        rows=[overview.row(result, scales, trial) for trial in result.trials],
        scales=scales,
        overview=overview,
        counts=overview.counted(result),
        flattery=flattery,
        importance=importance,
        table=value_table(result, importance),
        title=value_title(result.plan),
        unit=tr("accuracy, %") if result.plan.maximise else tr("loss"),
        svgs={key: inline_svg(figure, key, label(tr(ABOUT[key]))) for key, figure in figures.items()},
        slices=slices,
        folded=FOLDED,
        version=__version__,
    )
    return sealed(text)


def _slice(result: SearchResult, number: int) -> Markup:
    key = result.plan.space[number].key
    about: Message = tr("The value against {parameter}", parameter=key)
    return inline_svg(slices_figure(result, [key]), f"slice{number}", label(about))


@functools.lru_cache(maxsize=1)
def template() -> Template:
    """The page's template, compiled at the first call."""
    return environment("glassnet.present", "search/page", "report/page").get_template("search.html")
