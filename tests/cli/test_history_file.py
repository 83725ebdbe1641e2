"""history.jsonl is written about once a second, not once an epoch: thousands of quick epochs must not pay for it."""

from __future__ import annotations

from pathlib import Path

import pytest

import glassnet as gn
from glassnet.experiment import keeping


def test_many_quick_epochs_write_the_history_a_few_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    original = keeping.write_text

    def counted(path: Path, text: str, **options: bool) -> None:
        if path.name == "history.jsonl":
            written.append(text)
        original(path, text, **options)

    monkeypatch.setattr(keeping, "write_text", counted)
    done = gn.train("chain", out=tmp_path / "run", epochs=300, settings={"training.show_gradients": False}, progress=False)
    assert len(done.history) == 300
    assert 2 <= len(written) < 30
    assert len(written[-1].splitlines()) == 300
    assert len(gn.Run.load(tmp_path / "run").history) == 300
