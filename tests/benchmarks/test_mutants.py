"""Mutants are applied where they fit, killed or not by tests, and drawn from code that computes."""

from __future__ import annotations

import ast
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.mutants import ROOT, Mutant, listed, select, survives
from benchmarks.mutate import changes, drawn
from glassnet.errors import DataError

SUM = '''
def total(values, start=0):
    """The sum + the start."""
    if not values:
        raise ValueError("nothing + nothing")
    return start + (sum(values) * 2)
'''


def test_a_mutant_fits_the_source_or_is_refused(tmp_path: Path) -> None:
    mutant = Mutant(7, "planted", "sum.py", "start + (", "start - (")
    assert mutant.planted(SUM) == SUM.replace("start + (", "start - (")
    for before, after in (("start * (", "x"), ("nothing", "x"), ("values", "values")):
        with pytest.raises(DataError, match="does not fit the source any more") as caught:
            replace(mutant, before=before, after=after).planted(SUM)
        assert caught.value.where == "mutants.toml, mutant 7, sum.py"
    assert [each.number for each in select([mutant, replace(mutant, number=17)], ["7"])] == [7]
    assert select([mutant], ["drawn"]) == []


@pytest.mark.parametrize(
    ("code", "output", "survived", "line"),
    [
        (0, "..\n2 passed in 0.1s", True, "2 passed in 0.1s"),
        (1, "F\nFAILED test_sum.py::test_sum\n1 failed", False, "FAILED test_sum.py::test_sum"),
        (-11, "Segmentation fault", False, "Segmentation fault"),
        (2, "ERROR test_sum.py\n1 error", False, "ERROR test_sum.py"),
        (None, "", False, "timed out after 1800 s"),
    ],
)
@pytest.mark.parametrize("file", ["sum.py", "kernels/sum.py"])
def test_a_mutant_is_killed_or_survives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, code: int | None, output: str, survived: bool, line: str
) -> None:
    source = tmp_path / "checkout" / "src" / "glassnet" / file
    source.parent.mkdir(parents=True)
    source.write_text(SUM, encoding="utf-8")

    def run(command: list[str], *, env: dict[str, str], cwd: Path, timeout: float, **_: Any) -> Any:
        assert "start - (" in source.read_text(encoding="utf-8")
        assert env["PYTHONPATH"] == str(cwd / "src") == str(tmp_path / "checkout" / "src")
        assert (env.get("GLASSNET_CACHE") == str(tmp_path / "cache")) == file.startswith("kernels/")  # not the user's
        assert command[-1] == "test_sum.py"
        if code is None:
            raise subprocess.TimeoutExpired(command, timeout)
        return subprocess.CompletedProcess(command, code, output, "")

    monkeypatch.setattr(subprocess, "run", run)
    mutant = Mutant(1, "planted", file, "start + (", "start - (")
    assert survives(mutant, tmp_path / "checkout", ["test_sum.py"]) == (survived, line)
    assert source.read_text(encoding="utf-8") == SUM


def test_missing_tests_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "src" / "glassnet").mkdir(parents=True)
    (tmp_path / "src" / "glassnet" / "sum.py").write_text(SUM, encoding="utf-8")
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 4, "", "no such file"))
    with pytest.raises(DataError, match="can't be run") as caught:
        survives(Mutant(1, "planted", "sum.py", "start + (", "0 + ("), tmp_path, ["test_sum.py"])
    assert caught.value.received == "no such file"


def test_every_mutant_is_complete() -> None:
    mutants = listed()
    assert {mutant.kind for mutant in mutants} == {"planted", "drawn"}
    for mutant in mutants:
        assert mutant.kind in ("planted", "drawn")
        assert mutant.before != mutant.after
        assert all((ROOT / test.partition("::")[0]).exists() for test in mutant.tests), mutant.tests


def test_mutants_are_drawn_from_code_that_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not from texts and errors; each is valid Python and fits the source."""
    function = ast.parse(SUM).body[0]
    assert isinstance(function, ast.FunctionDef)
    found = [change.description for change in changes(function, SUM.encode())]
    assert found == [
        "0 becomes 1", "without not", "condition reversed", "+ becomes -", "sum becomes mean", "* becomes +", "2 becomes 3"
    ]  # fmt: skip
    monkeypatch.setattr("benchmarks.mutate.ROOT", tmp_path)
    (tmp_path / "src" / "glassnet").mkdir(parents=True)
    (tmp_path / "src" / "glassnet" / "sum.py").write_text(SUM, encoding="utf-8")
    for seed in range(12):
        (tmp_path / "mutants.toml").write_text("\n".join(drawn(1, seed)), encoding="utf-8")
        (mutant,) = listed(tmp_path / "mutants.toml")
        assert mutant.kind == "drawn"
        ast.parse(mutant.planted(SUM))
