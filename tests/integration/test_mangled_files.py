"""Damaged files of every kind are read or refused, in our words; `python -m benchmarks.mangled_files` tries many more."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.mangled_kinds import KINDS, outcome
from benchmarks.mangling import TEXT, mangled

CRASHES = {"mat": (1, 217, 336), "h5-chunked": (68, 172)}
"""Files whose readers end the process that calls them."""
FEW = {"recipe.toml": 10, "history.jsonl": 20, "ledger.jsonl": 20, **dict.fromkeys(("mat", "mat-compressed", "mat-4"), 16),
       **dict.fromkeys(("mat-7.3", "h5", "h5-chunked"), 16)}  # fmt: skip
"""Of files that take longest to read; of others 40."""


@pytest.mark.parametrize("name", KINDS)
def test_damaged_files_are_read_or_refused(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    sample = kind.sample(tmp_path)
    found = [outcome(kind, sample, seed) for seed in (*range(FEW.get(name, 40)), *CRASHES.get(name, ()))]
    assert set(found) <= {"equal", "different", "refused"}
    if kind.sealed:
        assert set(found) == {"refused"}


def test_damage_is_damage_and_the_same_each_time() -> None:
    for content in (b"a", b"{}\n", b"one\ntwo\nthree\n", bytes(1000)):
        for text in (False, True):
            made = [mangled(content, seed, text=text) for seed in range(10 * len(TEXT))]
            assert content not in made
            assert made == [mangled(content, seed, text=text) for seed in range(10 * len(TEXT))]
            assert len(set(made)) > len(made) // 3 or len(content) == 1
