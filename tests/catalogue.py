"""The Chinese messages: `python -m tests.catalogue` (make messages) brings the catalogue up to date with the code.

New messages come in with an empty msgstr, those that the code no longer has go, and what is filled in is compiled.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.jslexer import Token, tokenize, unquote_string
from babel.messages.mofile import write_mo
from babel.messages.pofile import normalize, read_po

from glassnet.support.i18n import LOCALE

SOURCE = Path(__file__).parents[1] / "src"
PO = LOCALE / "zh_CN" / "LC_MESSAGES" / "glassnet.po"
MO = PO.with_suffix(".mo")
IN_SCRIPTS = {"say": 0, "words": 0, "mark": 0, "label": 1}  # functions of js/text.js, and which argument is the text


def from_scripts(file: IO[bytes], keywords: Any, tags: Any, options: Any) -> Iterator[tuple[int, None, str, list[str]]]:
    """Messages of a JavaScript file; Babel's own extractor does not see a call inside the arguments of another."""
    tokens = [token for token in tokenize(file.read().decode(), jsx=False) if not token.type.endswith("comment")]
    for place, token in enumerate(tokens[:-1]):
        if token.type == "name" and token.value in IN_SCRIPTS and tokens[place + 1].value == "(":
            text = _literal(tokens[place + 2 :], IN_SCRIPTS[token.value])
            if text is not None:
                yield token.lineno, None, text, []


def _literal(tokens: list[Token], argument: int) -> str | None:
    """The text of that argument of a call, "…" or "…" + "…"; None if it is something else."""
    depth = 0
    while argument and tokens:
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(tokens[0].value, 0)
        argument -= depth == 0 and tokens[0].value == ","
        tokens = tokens[1:]
    texts = []
    while tokens and tokens[0].type == "string":
        texts.append(unquote_string(tokens[0].value))
        tokens = tokens[2 if len(tokens) > 1 and tokens[1].value == "+" else 1 :]
    return "".join(texts) if texts else None


METHODS = [("**.py", "python"), ("**.html", "jinja2"), ("glassnet/present/page/js/**.js", from_scripts)]
OPTIONS = {"**.html": {"silent": "false", "trim_blocks": "true", "lstrip_blocks": "true"}}
KEYWORDS = {"tr": None, "mark": None}
HEADER = r"""# The Chinese messages of glassnet. Edit the msgstr lines; `make messages` does the rest.
msgid ""
msgstr ""
"Project-Id-Version: glassnet\n"
"Language: zh_CN\n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=utf-8\n"
"Content-Transfer-Encoding: 8bit\n"
"""


def extracted() -> dict[str, list[str]]:
    """Each message of the code, and the files that have it."""
    found: dict[str, list[str]] = {}
    for file, _, message, _, _ in extract_from_dir(SOURCE, METHODS, OPTIONS, KEYWORDS):
        assert isinstance(message, str), (file, message)
        files = found.setdefault(message, [])
        if file not in files:
            files.append(file)
    return found


def read() -> Catalog:
    with PO.open("rb") as file:
        catalogue = read_po(file, locale="zh_CN", abort_invalid=True)
    catalogue.creation_date = catalogue.revision_date = datetime(2026, 1, 1, tzinfo=UTC)  # the same bytes at any time
    return catalogue


def compiled(catalogue: Catalog) -> bytes:
    buffer = io.BytesIO()
    write_mo(buffer, catalogue)
    return buffer.getvalue()


def update() -> None:
    known = {message.id: message.string for message in read()}
    entries = [HEADER]
    for message, files in extracted().items():
        lines = [*(f"#: {file}" for file in sorted(files)), f"msgid {normalize(message, width=120)}"]
        entries.append("\n".join([*lines, f"msgstr {normalize(known.get(message) or '', width=120)}", ""]))
    PO.write_text("\n".join(entries), encoding="utf-8")
    catalogue = read()
    MO.write_bytes(compiled(catalogue))
    for message in catalogue:
        if not message.string:
            print(f"{', '.join(file for file, _ in message.locations)}: {message.id}")


if __name__ == "__main__":
    update()
