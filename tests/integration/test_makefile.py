"""`make demo` and `make clean` remove nothing that they did not make."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CACHES = (".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".import_linter_cache")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in which a run, an environment and caches lie, and a glassnet that writes down how it was called."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("runs/demo", *CACHES, ".venv/bin"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_text("mine")
    program = tmp_path / ".venv" / "bin" / "glassnet"
    program.write_text('#!/bin/sh\necho "$@" >> called\nif [ "$1" = train ]; then mkdir "$4"; fi\n')
    program.chmod(0o755)
    (tmp_path / ".venv" / "installed").touch()
    os.utime(tmp_path / "pyproject.toml", (1, 1))
    return tmp_path


def make(folder: Path, *arguments: str, expected: int = 0, **environment: str) -> str:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "VENV"))}
    done = subprocess.run(
        ["make", *arguments], cwd=folder, env=kept | environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == expected, done.stderr
    return done.stdout


def test_demo_keeps_earlier_runs(checkout: Path) -> None:
    make(checkout, "demo")
    assert "Look at runs/demo-3/training.png" in make(checkout, "demo")
    assert (checkout / "runs" / "demo" / "file").read_text() == "mine"
    assert (checkout / "called").read_text().splitlines() == [
        "train digits --out runs/demo-2",
        "evaluate runs/demo-2",
        "train digits --out runs/demo-3",
        "evaluate runs/demo-3",
    ]


def test_clean_removes_an_environment_only_where_it_made_it(checkout: Path) -> None:
    make(checkout, "clean")
    assert not any((checkout / name).exists() for name in CACHES)
    assert (checkout / ".venv" / "bin" / "file").read_text() == "mine"
    assert (checkout / "runs" / "demo" / "file").read_text() == "mine"
    (checkout / ".venv" / "made-by-glassnet").touch()
    (checkout / "other").symlink_to(".venv")
    make(checkout, "clean", VENV="other")
    assert (checkout / ".venv" / "bin" / "file").read_text() == "mine"
    make(checkout, "clean")
    assert not (checkout / ".venv").exists()


def test_clean_elsewhere_removes_nothing(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / ".mypy_cache").mkdir()
    make(other, "-f", str(checkout / "Makefile"), "clean", expected=2)
    assert (other / ".mypy_cache").is_dir()


def test_an_environment_is_marked_where_it_is_made(checkout: Path) -> None:
    """An environment of the user's that `make` only fills is none of ours."""
    python, mark = checkout / "python", "made-by-glassnet"
    python.write_text('#!/bin/sh\nmkdir -p "$3/bin"\nprintf "#!/bin/sh\\n" > "$3/bin/python"\nchmod +x "$3/bin/python"\n')
    python.chmod(0o755)
    (checkout / ".venv" / "installed").unlink()
    make(checkout, ".venv/installed", f"PYTHON={python}")
    assert not (checkout / ".venv" / mark).exists()
    make(checkout, "new/installed", f"PYTHON={python}", VENV="new")
    assert (checkout / "new" / mark).exists()
