"""The speedrun board's page: each side's own seeds, and a ratio of the seeds that both have."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.speedrun import page


def test_each_side_has_its_own_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "PAGE", tmp_path / "speedrun.md")
    machine = {"cpu": "a processor", "usable_cpus": 2, "glassnet": "0.1.0", "torch": "2.13.0"}
    result = {
        "recipe": "mnist-speedrun", "images": 60, "tested": 10, "threads": 2, "precision": "float32", "epochs": 1,
        "data": "mnist", "machine": machine, "date": "2026-11-23T00:00:00",
        "runs": {"glassnet": [[2.0, 99.0], [4.0, 99.2], [9.0, 99.4]], "PyTorch": [[5.0, 99.1], [7.0, 99.1]]},
    }  # fmt: skip
    page.write_page({"mnist-99": result, "mnist-99.7": result | {"runs": {"PyTorch": [[5.0, 99.1]]}}})
    rows = [line.split("|")[3:-1] for line in page.PAGE.read_text().splitlines() if line.startswith("| MNIST")]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["3", "99.20 ± 0.20 %", "5.00", "2", "99.10 ± 0.00 %", "6.00", "2.00×"],
        ["0", "–", "–", "1", "99.10 %", "5.00", "–"],
    ]
