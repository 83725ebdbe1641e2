"""Files that are written beside and moved into place."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import glassnet as gn
from glassnet.atomic import sweep, write_text

DIES = """
import os, signal, sys
from pathlib import Path
from glassnet.atomic import replacing
with replacing(Path(sys.argv[1])) as file:
    file.write(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_while_it_wrote(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", DIES, str(path)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.skipif(os.name == "nt", reason="kills by a signal")
@pytest.mark.parametrize("name", ["report.html", "training.png", "model.safetensors", "summary"])
def test_what_a_killed_process_left_is_swept_whatever_it_wrote(tmp_path: Path, name: str) -> None:
    killed_while_it_wrote(tmp_path / name)
    (left,) = tmp_path.iterdir()
    assert left.name != name
    others = [
        ".part",
        ".mine.part",
        f".{name}.part",
        f"{name}.abcd1234.part",
        f".{name}.abcd1234.partly",
        f".{name}.abcd123.part",
    ]
    for other in others:
        (tmp_path / other).write_text("of somebody else")
    write_text(tmp_path / name, "whole")
    sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {name, *others}


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
