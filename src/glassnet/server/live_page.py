"""The page of a training as HTML text."""

from __future__ import annotations

import json

from glassnet.present.page.write import chinese, joined
from glassnet.support.i18n import Message
from glassnet.support.pages import environment, sealed


def live_page(heading: Message, folder: str) -> str:
    """The page; all that it shows comes from /events."""
    script = joined("live.js")
    texts = json.dumps(chinese(script), ensure_ascii=False).replace("<", r"\u003c")
    template = environment("glassnet.present", "page").get_template("live.html")
    return sealed(template.render(name=heading, folder=folder, script=script, texts=texts))
