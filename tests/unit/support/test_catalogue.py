"""The catalogue of Chinese messages holds what the code says, all of it and nothing else, and is compiled."""

from __future__ import annotations

import ast
import io
import re
import string

import pytest
from babel.messages.mofile import read_mo

from tests import catalogue

CHINESE = re.compile(r"[一-鿿]")
NUMERALS = {"data/catalog.py", "data/readers/filename_labels.py"}  # the classes of a data set
UPDATE = "run `make messages` and fill in what it lists"
ENTRIES = {message.id: message for message in catalogue.read() if message.id}


def test_every_message_is_translated_and_none_is_left_over() -> None:
    known = {message for message, entry in ENTRIES.items() if entry.string}
    said = set(catalogue.extracted())
    assert said - known == set(), f"without a translation: {UPDATE}"
    assert set(ENTRIES) - said == set(), f"no longer in the code: {UPDATE}"
    assert [message for message, entry in ENTRIES.items() if entry.fuzzy] == []
    assert catalogue.read().obsolete == {}


def _fields(text: str) -> list[tuple[str, str | None, str | None]]:
    return sorted((name, form, how) for _, name, form, how in string.Formatter().parse(text) if name is not None)


def test_placeholders_are_the_same_in_both_languages() -> None:
    for message, entry in ENTRIES.items():
        assert _fields(message) == _fields(entry.string), message
        words = re.sub(r"\{\w*[^}]*\}", "", entry.string)
        assert CHINESE.search(words) or not re.search("[A-Za-z]{3,}", words), message
        assert all(name.isidentifier() for name, _, _ in _fields(message)), message


def test_what_is_compiled_is_what_is_written() -> None:
    compiled = {message.id: message.string for message in read_mo(io.BytesIO(catalogue.MO.read_bytes())) if message.id}
    assert compiled == {message: entry.string for message, entry in ENTRIES.items()}, UPDATE


def test_no_chinese_in_the_code() -> None:
    found = {
        path.relative_to(catalogue.SOURCE / "glassnet").as_posix()
        for path in (*catalogue.SOURCE.rglob("*.py"), *catalogue.SOURCE.rglob("*.js"))
        if CHINESE.search(path.read_text(encoding="utf-8"))
    }
    assert found == NUMERALS


def _called_at_import(tree: ast.AST) -> list[int]:
    """Lines on which `tr` is called outside functions."""
    found = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "tr":
            found.append(node.lineno)
        found += _called_at_import(node)
    return found


@pytest.mark.parametrize("path", sorted((catalogue.SOURCE / "glassnet").rglob("*.py")), ids=lambda path: path.name)
def test_no_language_is_chosen_at_import(path: object) -> None:
    """Constants hold `mark("…")`, and `tr` is called where they are used."""
    tree = ast.parse(path.read_text(encoding="utf-8"))  # type: ignore[attr-defined]
    assert _called_at_import(tree) == [] or path.name == "i18n.py"  # type: ignore[attr-defined]
