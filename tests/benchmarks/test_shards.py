"""`python -m benchmarks.shards`: the control group of the capped training."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks import shards_capped


def test_only_the_group_that_was_made_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards_capped, "GROUPS", tmp_path)
    other = tmp_path / f"glassnet-capped-{os.getpid()}"
    other.mkdir()
    with pytest.raises(FileExistsError), shards_capped.limited(1000):
        raise AssertionError
    assert other.is_dir()
    other.rename(tmp_path / "another")
    with shards_capped.limited(1000) as procs:
        assert (procs.parent / "memory.max").read_text() == "1000"
        (procs.parent / "memory.max").unlink()  # in the real file system it goes with the group
    assert [path.name for path in tmp_path.iterdir()] == ["another"]
