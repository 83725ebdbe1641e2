"""Figures as parts of the page: SVG whose words are in both languages and whose colours follow light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from markupsafe import Markup

from glassnet.present.figures.base import GREY, INK, LINE, PALE, SERIES, TRAIN, VALIDATION, WRONG, render
from glassnet.support.i18n import Message

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {INK: "ink", GREY: "muted", LINE: "line", TRAIN: "train", VALIDATION: "accent", WRONG: "bad", PALE: "pale"}
COLOURS |= {colour: f"series{number}" for number, colour in enumerate(SERIES) if colour not in COLOURS}
TEXT = re.compile(r"(<text [^>]*>)([^<]+)(</text>)")
NAMES = re.compile(r'(\bid="|href="#|url\(#)')


def inline_svg(figure: Figure, name: str, label: str) -> Markup:
    """The figure as an <svg> element; `name` sets its ids apart from those of the page's others, `label` is read aloud."""
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
    messages = {escape(message, quote=False): message for message in _messages(figure)}

    def both(found: re.Match[str]) -> str:
        opening, drawn, closing = found.groups()
        if drawn not in messages:
            return found[0]
        english, chinese = (escape(text, quote=False) for text in (messages[drawn].en, messages[drawn].zh))
        return f'{opening}<tspan class="en">{english}</tspan><tspan class="zh">{chinese}</tspan>{closing}'

    return Markup(TEXT.sub(both, text))


def _messages(figure: Figure) -> Iterator[Message]:
    """The figure's texts that are there in both languages."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        drawn = text.get_text() if isinstance(text, Text) else None
        if isinstance(drawn, Message):
            yield drawn
