"""The bar for long reading: on a terminal only, on stderr, after a moment, and gone at the end."""

from __future__ import annotations

import io
import sys

import pytest

from glassnet.data import decode_many as module


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, patience: float) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(module, "PATIENCE", patience)
    monkeypatch.setenv("TERM", "xterm")
    with module.progress("reading images", 10) as advance:
        advance(4)
        advance(6)
    return stream.getvalue()


def test_where_a_bar_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, io.StringIO(), -1) == ""
    assert shown(monkeypatch, Terminal(), 100) == ""
    bar = shown(monkeypatch, Terminal(), -1)
    assert "reading images" in bar
    assert "10/10" in bar
