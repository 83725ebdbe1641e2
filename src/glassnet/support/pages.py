"""HTML pages in both languages: each message is in the page twice, and a switch shows one language."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

from glassnet.support.i18n import Message, tr

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

# What {{ scripts }} and {{ styles }} leave in a page's Content-Security-Policy until `sealed` knows the hashes.
SCRIPTS, STYLES = "'hashes of scripts'", "'hashes of styles'"
_INLINE = re.compile(r"<(script|style)\b([^>]*)>(.*?)</\1>", re.DOTALL)


def spans(text: object) -> object:
    """A message as an element for each language; anything else as it is."""
    if not isinstance(text, Message):
        return text
    if text.en == text.zh:
        return text.en
    from markupsafe import Markup

    return Markup('<span class="en" lang="en">{}</span><span class="zh" lang="zh-Hans">{}</span>').format(text.en, text.zh)


def markup(template: str, *parts: object) -> Markup:
    """HTML with its {} filled: messages as elements for each language, other texts escaped."""
    from markupsafe import Markup

    return Markup(template).format(*map(spans, parts))


def label(message: Message) -> str:
    """Both languages in one text, for attributes."""
    return f"{message.en} · {message.zh}"


def sealed(page: str) -> str:
    """The page with the SHA-256 of each inline script and style in its Content-Security-Policy: nothing else can run."""
    hashes: dict[str, list[str]] = {"script": [], "style": []}
    for tag, attributes, content in _INLINE.findall(page):
        if "type=" not in attributes or 'type="module"' in attributes:  # others are data
            hashes[tag].append(f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'")
    for place, kind in ((SCRIPTS, "script"), (STYLES, "style")):
        page = page.replace(place, " ".join(hashes[kind]), 1)
    return page


def environment(package: str, *folders: str) -> Environment:
    """Templates of these folders of a package, in which {{ tr("…") }}, and any other message, appears in both languages.

    They extend `page/base.html`, which has the header, colours, type and spacing of all pages; `sealed` completes what is
    rendered from them.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=ChoiceLoader(
            [*(PackageLoader(package, folder) for folder in folders), PackageLoader("glassnet.support", "page")]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=spans,
    )
    found.globals |= {"tr": tr, "scripts": markup(SCRIPTS), "styles": markup(STYLES)}
    found.filters["label"] = label
    return found
