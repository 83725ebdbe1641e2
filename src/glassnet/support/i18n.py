"""Messages in the user's language: English in the code, Chinese in the catalogue `locale/zh_CN/LC_MESSAGES/glassnet.po`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from gettext import NullTranslations

Language = Literal["en", "zh"]
VARIABLES = ("GLASSNET_LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")  # the first that is set decides
LOCALE = Path(__file__).parents[1] / "locale"


def language() -> Language:
    """The user's language: Chinese if the environment asks for any zh, otherwise English."""
    chosen = next(filter(None, map(os.environ.get, VARIABLES)), "")
    known = (name for name in chosen.lower().split(":") if name.startswith(("en", "zh")))
    return "zh" if next(known, "en").startswith("zh") else "en"


class Message(str):
    """A text in the user's language that can be rendered in each language: `message.en`, `message.zh`.

    `msgid` is the English text, `figures` the values of its {names}; a figure that is a message is rendered in the same
    language. `chinese` is the Chinese text where it is not looked up in the catalogue.
    """

    __slots__ = ("chinese", "figures", "msgid")

    msgid: str
    figures: dict[str, Any]
    chinese: str | None

    def __new__(cls, msgid: str, figures: Mapping[str, object] | None = None, chinese: str | None = None) -> Message:
        kept = {name: value if isinstance(value, (str, Number)) else str(value) for name, value in (figures or {}).items()}
        message = super().__new__(cls, _render(language(), msgid, kept, chinese))
        message.msgid, message.figures, message.chinese = msgid, kept, chinese
        return message

    def in_language(self, language: Language) -> str:
        return _render(language, self.msgid, self.figures, self.chinese)

    @property
    def en(self) -> str:
        return self.in_language("en")

    @property
    def zh(self) -> str:
        return self.in_language("zh")

    def join(self, parts: Iterable[str]) -> Message:
        """The parts with this message between them, in each language."""
        figures: dict[str, str] = {}
        for number, part in enumerate(parts):
            figures |= {f"between{number}": self, f"part{number}": part} if number else {"part0": part}
        template = "".join(f"{{{name}}}" for name in figures)
        return Message(template, figures, template)

    def __add__(self, other: str) -> Message:
        return same("").join([self, other])

    def __radd__(self, other: str) -> Message:
        return same("").join([other, self])

    def __str__(self) -> str:
        return self  # so that what calls str(), such as a text of matplotlib, keeps the other language

    def __reduce__(self) -> tuple[Any, ...]:
        return Message, (self.msgid, self.figures, self.chinese)


def tr(message: str, /, **figures: object) -> Message:
    """The message of the catalogue, its {names} filled with `figures` by `str.format`."""
    return Message(message, figures)


def mark(message: str) -> str:
    """The English text itself, marked for the catalogue; `tr` translates it where it is used."""
    return message


def same(text: str) -> Message:
    """A text that is the same in both languages."""
    return Message(text, chinese=text)


def clauses(texts: Iterable[str]) -> Message:
    return tr("; ").join(texts)


def listing(names: Iterable[str]) -> Message:
    return tr(", ").join(names)


def first_of(names: Sequence[str], separator: str = "", most: int = 12) -> Message:
    """The names, or of more than `most` the first of them and how many there are."""
    between = same(separator) if separator else tr(", ")
    if len(names) <= most:
        return between.join(names)
    return tr("{names}, … ({count:,} in all)", names=between.join(names[:most]), count=len(names))


def _render(language: Language, msgid: str, figures: Mapping[str, Any], chinese: str | None) -> str:
    if language == "zh" and chinese is None:
        chinese = _catalogue().gettext(msgid) if msgid else ""  # that of an empty one is the catalogue's header
    text = msgid if language == "en" else chinese or ""
    if not figures:
        return text
    return text.format_map({n: f.in_language(language) if isinstance(f, Message) else f for n, f in figures.items()})


@cache
def _catalogue() -> NullTranslations:
    import gettext

    return gettext.translation("glassnet", LOCALE, languages=["zh_CN"])


NOTHING = same("")
FULL_STOP = tr(".")
