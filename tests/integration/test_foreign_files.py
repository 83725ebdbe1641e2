"""Caches that can't be used, and one that is somebody else's: training works, and only glassnet's files change."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from glassnet.kernels import library

SOURCE = Path(__file__).parents[2] / "src"
# The command line, with kernels that were compiled already: in an empty cache this alone would take most of the time.
PROGRAM = """
import sys
from pathlib import Path
from glassnet.cli.console import run_app
from glassnet.cli.main import app
from glassnet.kernels import library
from glassnet.kernels.codegen import objects

def compiled(group):
    return objects.load(Path(sys.argv[1]), [symbol for names in library.GROUPS[group] for symbol in names])

library._compile = compiled
sys.exit(run_app(app, sys.argv[2:]))
"""
DIGEST, NAME = "0123456789abcdef", "0123456789" * 4


@pytest.fixture(scope="module", autouse=True)
def warm() -> Path:
    library.compile_all()
    return library.cache_folder()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from PIL import Image

    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(80):
        path = folder / str(number % 10) / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(path)
    return folder


def populate(folder: Path) -> None:
    """Files and folders of somebody else, old and new, some of which look like ours."""
    for name in (
        f"{DIGEST}/glassnet_run.o",
        "ffff000011112222/glassnet_run.json",
        "tmpabcd123/x",
        f"kernels/{DIGEST}/glassnet_run.o",
        *(f"kernels/{number:016x}/glassnet_run.o" for number in range(8)),
        "kernels/notes.txt",
        f"data/images/{NAME}.npz",
        "data/images/mine.npz",
        "data/images/.half.part",
        "data/mnist/train-images-idx3-ubyte.gz",
        f"images/{NAME}.npz",
        f".{NAME}.npz.abcd1234.glassnet.part",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("of somebody else")
        os.utime(path, (1, 1))
    for path in folder.rglob("*"):
        os.utime(path, (1, 1))


def tree(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def train(warm: Path, folder: Path, data: Path, **environment: str) -> list[str]:
    """Train on images, to the report; what was said on stderr."""
    kept = {key: value for key, value in os.environ.items() if key not in ("GLASSNET_CACHE", "XDG_CACHE_HOME")}
    kept |= {"PYTHONPATH": os.pathsep.join([str(SOURCE), *sys.path]), "CI": "1", "MPLCONFIGDIR": str(folder / "matplotlib")}
    arguments = ["train", "digits", "--epochs", "1", "--data", str(data), "--out", str(folder / "run")]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(warm), *arguments],
        env=kept | environment, capture_output=True, text=True, timeout=300, check=False, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (folder / "run" / "report.html").exists()
    return done.stderr.splitlines()


@pytest.mark.parametrize("where", ["/proc/x", "file", "unwritable home"])
def test_a_cache_that_can_not_be_written(where: str, warm: Path, tmp_path: Path, photos: Path) -> None:
    if where.startswith("/proc") and not Path("/proc").is_dir():
        pytest.skip("there is no /proc on this system")
    (tmp_path / "file").touch()
    sandbox = tmp_path / "temporary"
    populate(sandbox)
    before = tree(sandbox)
    chosen = {"HOME": str(tmp_path / "file")} if where == "unwritable home" else {"GLASSNET_CACHE": where}
    said = train(warm, tmp_path, photos, TMPDIR=str(sandbox), **chosen)
    assert len(said) == 1
    assert said[0].startswith("glassnet: the cache can't be written (")
    assert tree(sandbox) == before


def test_a_cache_that_holds_somebody_elses_files(warm: Path, tmp_path: Path, photos: Path) -> None:
    sandbox, theirs = tmp_path / "temporary", tmp_path / "theirs"
    populate(sandbox)
    populate(theirs)
    before = tree(sandbox)
    assert train(warm, tmp_path, photos, TMPDIR=str(sandbox), GLASSNET_CACHE=str(theirs)) == []
    assert tree(sandbox) == before
    there = {str(path.relative_to(theirs)) for path in theirs.rglob("*") if path.is_file()}
    assert all((theirs / name).read_text() == text for name, text in before.items())
    added = sorted(there - before.keys())
    assert {name.split("/")[0] for name in added} == {"kernels", "data"}
    assert not any("CACHEDIR.TAG" in name for name in added)


def test_a_full_disk(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the midst of a file: what was begun goes, and the rest is as it was."""
    from glassnet.data import load_dataset
    from glassnet.support import atomic, cache

    theirs = tmp_path / "theirs"
    populate(theirs)
    monkeypatch.setenv("GLASSNET_CACHE", str(theirs))
    monkeypatch.setenv("CI", "1")
    real = os.fdopen

    def full(handle: int, mode: str) -> object:
        file = real(handle, mode)
        file.write(b"begun")
        file.close()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic.os, "fdopen", full)
    cache._WARNED.clear()
    before = tree(theirs)
    assert len(load_dataset(photos).train)
    units = library.objects.load(library.cache_folder(), ["glassnet_run"])
    assert units is None
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        library.objects.store(library.cache_folder(), [library.Compiled("glassnet_run", "_run", (), b"code")])
    assert tree(theirs) == before
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"glassnet: the cache can't be written ({os.strerror(errno.ENOSPC)}")
