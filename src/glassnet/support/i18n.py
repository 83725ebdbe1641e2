"""The same words in English and in Chinese, with the same figures in both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Text:
    """One thing said in two languages."""

    en: str
    zh: str

    def format(self, **figures: object) -> Text:
        """Both, with `figures` in place of their {names}; a figure that is a Text goes in by its language."""
        english, chinese = (
            {name: getattr(figure, language) if isinstance(figure, Text) else figure for name, figure in figures.items()}
            for language in ("en", "zh")
        )
        return Text(self.en.format(**english), self.zh.format(**chinese))

    def __add__(self, other: Text) -> Text:
        return Text(self.en + other.en, self.zh + other.zh)


NOTHING = Text("", "")
FULL_STOP = Text(".", "。")


def same(text: str) -> Text:
    """What is written alike in both languages."""
    return Text(text, text)


def clauses(texts: Iterable[Text]) -> Text:
    """Clauses in a row."""
    parts = list(texts)
    return Text("; ".join(part.en for part in parts), "；".join(part.zh for part in parts))
