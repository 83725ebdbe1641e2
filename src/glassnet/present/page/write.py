"""The page as one HTML text: its template, the JavaScript modules joined into one script, and their texts in Chinese."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

from glassnet import __version__
from glassnet.errors import InputError
from glassnet.support.i18n import Message, listing, same, tr
from glassnet.support.pages import environment, sealed

if TYPE_CHECKING:
    from jinja2 import Template

MODULES = Path(__file__).parent / "js"
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w.-]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|let|class)\b)", re.MULTILINE)
_NAME = re.compile(r"^(?:async )?(?:function\*?|const|let|class) +(\w+)", re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b.*|\bimport\(.*", re.MULTILINE)
_LITERAL = r'"(?:[^"\\\n]|\\.)*"'
_TEXT = re.compile(rf"{_LITERAL}(?:\s*\+\s*{_LITERAL})*")


def page_of(
    title: str, bundle: str, texts: Iterable[Message] = (), *, entry: str = "app.js", template: str = "page.html"
) -> str:
    """The page as HTML text: the JavaScript module `entry`, the modules that it imports, and the data `bundle` in base64.

    `texts`: messages of which the bundle holds the English, and the script shows both languages.

        page_of("mnist-cnn", bundle)
    """
    script = joined(entry)
    page = _template(template).render(
        name=title if isinstance(title, Message) else same(title),
        parts=[],
        script=script,
        texts=json.dumps(chinese(script) | {text.en: text.zh for text in texts}, ensure_ascii=False).replace("<", r"\u003c"),
        bundle=bundle,
        version=__version__,
    )
    return sealed(page)


def joined(entry: str, folder: Path = MODULES) -> str:
    """A module and all that it imports as one script, each after those it imports.

    Raises `InputError` if one is missing or written in another form, if they import each other in a circle, or if a name is
    declared at the top of two.
    """
    sources: dict[str, str] = {}
    imports: dict[str, list[str]] = {}
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        if name not in sources:
            sources[name] = _read(folder / name)
            imports[name] = _IMPORT.findall(sources[name])
            waiting += imports[name]
    try:
        order = list(TopologicalSorter(imports).static_order())
    except CycleError as error:
        circle = listing(error.args[1])
        raise InputError(tr("JavaScript modules import each other in a circle."), where=folder, received=circle) from None
    homes: dict[str, str] = {}
    parts = []
    for name in order:
        part = _EXPORT.sub("", _IMPORT.sub("", sources[name]))
        for other in _OTHER.findall(part):
            raise InputError(
                tr("This form of import or export can't be joined into one script."),
                where=folder / name,
                expected=tr("imports of names, each on a line of its own; export only before a declaration"),
                received=other,
            )
        for declared in _NAME.findall(part):
            if declared in homes:
                files = listing([homes[declared], name])
                raise InputError(tr("Two modules declare the name {name}.", name=declared), where=folder, received=files)
            homes[declared] = name
        parts.append(f"// {name}\n{part.strip()}\n")
    return "\n".join(parts)


def _read(path: Path) -> str:
    try:
        source = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(tr("A JavaScript module of the page can't be read."), where=path, received=str(error)) from None
    if "</script" in source or "<!--" in source:  # would end the script, or change how the rest of it is read
        raise InputError(tr("A JavaScript module may not contain </script or <!--."), where=path)
    return source


def chinese(script: str) -> dict[str, str]:
    """The Chinese of each text of the script that is in the catalogue, by its English."""
    said = {"".join(map(_unquoted, re.findall(_LITERAL, text))) for text in _TEXT.findall(script)}
    found = {text: tr(text).zh for text in sorted(said) if text}
    return {text: translated for text, translated in found.items() if translated != text}


def _unquoted(literal: str) -> str:
    try:
        return str(json.loads(literal))
    except ValueError:  # an escape that only JavaScript has
        return ""


@functools.lru_cache
def _template(name: str) -> Template:
    return environment("glassnet.present", "page").get_template(name)
