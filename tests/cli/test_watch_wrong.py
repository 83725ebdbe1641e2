"""`glassnet train --watch` where it can't be done: said before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from glassnet.cli.console import run_app
from glassnet.cli.main import app
from glassnet.server import watch


def test_several_seeds_have_no_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(app, ["train", "digits", "--watch", "--seeds", "2", "--out", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "glassnet: The page shows one training.",
        "  where:    glassnet train --watch",
        "  expected: no --seeds",
        "  received: --seeds 2",
    ]
    assert not (tmp_path / "run").exists()


def test_packages_that_are_not_installed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "EXTRA", ("starlette", "no_such_server"))
    assert run_app(app, ["train", "digits", "--watch", "--out", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "glassnet: The page of a training needs packages that are not installed.",
        "  where:    glassnet train --watch",
        "  expected: starlette, no_such_server",
        "  received: no no_such_server",
        '  try:      pip install "glassnet[serve]"',
    ]
    assert not (tmp_path / "run").exists()
