"""Files that are written beside and moved into place."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import glassnet as gn
from glassnet.support.atomic import sweep, write_text

DIES = """
import os, signal, sys
from pathlib import Path
from glassnet.support.atomic import replacing
with replacing(Path(sys.argv[1])) as file:
    file.write(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_while_it_wrote(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", DIES, str(path)], check=False, timeout=600)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.skipif(os.name == "nt", reason="kills by a signal")
@pytest.mark.parametrize("name", ["report.html", "training.png", "model.safetensors", "summary"])
def test_what_a_killed_process_left_is_swept_whatever_it_wrote(tmp_path: Path, name: str) -> None:
    killed_while_it_wrote(tmp_path / name)
    (left,) = tmp_path.iterdir()
    assert left.name != name
    write_text(tmp_path / name, "whole")
    sweep(tmp_path, older_than=3600)  # another process may be writing it
    assert left.exists()
    os.utime(left, (1, 1))
    sweep(tmp_path, older_than=3600)
    assert {path.name for path in tmp_path.iterdir()} == {name}


@pytest.mark.parametrize("old", [False, True])
def test_what_only_looks_like_it_stays(tmp_path: Path, old: bool) -> None:
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.write_text("of somebody else")
    for name in (
        ".part",
        ".mine.part",
        ".model.safetensors.part",
        ".model.safetensors.abcd1234.part",
        ".model.safetensors.glassnet.part",
        "model.safetensors.abcd1234.glassnet.part",
        ".model.safetensors.abcd1234.glassnet.partly",
        ".model.safetensors.abcd123.glassnet.part",
        ".model.safetensors.ABCD1234.glassnet.part",
        "..abcd1234.glassnet.part",
    ):
        (folder / name).write_text("of somebody else")
    (folder / ".a.abcd1234.glassnet.part").mkdir()
    (folder / ".b.abcd1234.glassnet.part").symlink_to(elsewhere)
    for path in folder.iterdir():
        os.utime(path, (1, 1), follow_symlinks=False)
    before = {path.name for path in folder.iterdir()}
    sweep(folder, older_than=10 if old else None)
    assert {path.name for path in folder.iterdir()} == before
    assert elsewhere.read_text() == "of somebody else"


@pytest.mark.skipif(os.name == "nt", reason="kills by a signal")
def test_a_run_goes_on_without_half_a_report(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    gn.train("digits", epochs=1, out=folder)
    whole = {path.name for path in folder.iterdir()}
    killed_while_it_wrote(folder / "report.html")
    killed_while_it_wrote(folder / "training.png")
    assert {path.name for path in folder.iterdir()} > whole
    gn.train(folder / "recipe.toml", out=folder, resume=True)
    assert {path.name for path in folder.iterdir()} == whole
