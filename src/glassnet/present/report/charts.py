"""The charts of the report, and their SVG with text in both languages and the colours of the theme."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from markupsafe import Markup

from glassnet.present.figures import (
    accuracy_figure,
    activation_statistics_figure,
    calibration_figure,
    class_accuracy_figure,
    cost_figure,
    gradients_figure,
    updates_figure,
)
from glassnet.present.figures.base import (
    GREY,
    INK,
    LINE,
    PALE,
    PAPER,
    SERIES,
    SHADES,
    TRAIN,
    VALIDATION,
    WRONG,
    render,
    texts_of,
)
from glassnet.present.figures.curves import STATISTICS
from glassnet.present.report.facts import Facts
from glassnet.support.i18n import Message, mark

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACTIVITY = "activations-"  # prefix of the names of charts of activations
ABOUT = {  # the label of each chart
    "cost": mark("loss"),
    "accuracy": mark("accuracy, %"),
    "classes": mark("accuracy of each class, %"),
    "calibration": mark("Calibration of the probabilities"),
    "gradients": mark("gradient norm"),
    "updates": mark("norm of the last update / norm of the weights"),
    **{ACTIVITY + statistic: text for statistic, text in STATISTICS.items()},
}

COLOURS = {
    INK: "ink",
    GREY: "muted",
    LINE: "line",
    TRAIN: "train",
    VALIDATION: "accent",
    WRONG: "bad",
    PALE: "pale",
    PAPER: "paper",
}
COLOURS |= {colour: f"series{number}" for number, colour in enumerate(SERIES) if colour not in COLOURS}
COLOURS |= {colour: f"shade{number}" for number, colour in enumerate(SHADES)}
TEXT = re.compile(r"(<text [^>]*>)([^<]+)(</text>)")
NAMES = re.compile(r'(\bid="|href="#|url\(#)')


def drawings(facts: Facts) -> dict[str, Figure]:
    """The charts of a run by name."""
    history, found = facts.run.history, {}
    if history.epochs:
        found["cost"] = cost_figure(history)
        if any(value is not None for value in [*history.train_accuracy, *history.validation_accuracy]):
            found["accuracy"] = accuracy_figure(history)
        if any(history.gradient_norms.values()):
            found["gradients"] = gradients_figure(history)
        if any(history.update_norms.values()):
            found["updates"] = updates_figure(history)
        for statistic in STATISTICS:
            if any(statistic in layer for layer in history.activations.values()):
                found[ACTIVITY + statistic] = activation_statistics_figure(history.activations, statistic)
    if facts.result is not None and facts.data.is_classification:
        found["classes"] = class_accuracy_figure(facts.result)
    if facts.calibration is not None:
        found["calibration"] = calibration_figure(facts.calibration)
    return found


def inline_svg(figure: Figure, name: str, label: str) -> Markup:
    """The figure as an <svg> element, its ids prefixed with `name`, with `label` for screen readers."""
    import matplotlib as mpl

    figure.patch.set_alpha(0)
    for axes in figure.axes:
        axes.patch.set_alpha(0)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        text = render(figure, "svg", metadata={"Date": None, "Creator": None}).decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"\s*<!--.*?-->", "", text, flags=re.DOTALL)
    width, height = figure.get_size_inches() * 72
    text = re.sub(
        r"<svg [^>]*>",
        f'<svg class="figure" xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {width:g} {height:g}" style="max-width:{1.42 * width:.0f}px" role="img" aria-label="{escape(label)}">',
        text,
        count=1,
    )
    text = NAMES.sub(rf"\g<1>{name}-", text)
    for colour, variable in COLOURS.items():
        text = text.replace(colour, f"var(--{variable})")
    drawn_texts = [text.get_text() for text in texts_of(figure)]
    messages = {escape(text, quote=False): text for text in drawn_texts if isinstance(text, Message)}

    def both(found: re.Match[str]) -> str:
        opening, drawn, closing = found.groups()
        if drawn not in messages:
            return found[0]
        english, chinese = (escape(text, quote=False) for text in (messages[drawn].en, messages[drawn].zh))
        return f'{opening}<tspan class="en">{english}</tspan><tspan class="zh">{chinese}</tspan>{closing}'

    return Markup(TEXT.sub(both, text))
