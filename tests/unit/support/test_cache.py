"""The cache folder: which folders are glassnet's own, and that nothing is removed from any other."""

from __future__ import annotations

import ast
import errno
from pathlib import Path

import pytest

from glassnet.support import cache

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def unsaid() -> None:
    cache._WARNED.clear()


def test_a_new_or_empty_folder_is_marked(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "new/deep"):
        cache.make_folder(tmp_path / name)
        assert [path.name for path in (tmp_path / name).iterdir()] == ["CACHEDIR.TAG"]
        assert cache.is_ours(tmp_path / name)
        cache.make_folder(tmp_path / name)
        assert cache.is_ours(tmp_path / name)
    assert (tmp_path / "empty" / "CACHEDIR.TAG").read_bytes().startswith(b"Signature: 8a477f597d28d172789f06886806bc55\n")
    assert not cache.is_ours(tmp_path / "new")  # only what is asked for, not what is around it


def test_a_folder_with_anything_in_it_is_not_marked(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "file").touch()
    cache.make_folder(tmp_path / "theirs")
    assert [path.name for path in (tmp_path / "theirs").iterdir()] == ["file"]
    assert not cache.is_ours(tmp_path / "theirs")


def test_marks_that_are_none(tmp_path: Path) -> None:
    cache.make_folder(tmp_path / "ours")
    tag = tmp_path / "theirs" / cache.TAG
    tag.parent.mkdir()
    assert not cache.is_ours(tmp_path / "missing")
    assert not cache.is_ours(tag.parent)
    tag.write_bytes(b"Signature: 8a477f597d28d172789f06886806bc55\n# of another program\n")
    assert not cache.is_ours(tag.parent)
    tag.write_bytes(cache.MARK[:-1])
    assert not cache.is_ours(tag.parent)
    tag.unlink()
    tag.mkdir()
    assert not cache.is_ours(tag.parent)
    tag.rmdir()
    tag.symlink_to(tmp_path / "ours" / cache.TAG)
    assert not cache.is_ours(tag.parent)


def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GLASSNET_CACHE", "~/mine")
    assert cache.root() == tmp_path / "mine"
    monkeypatch.delenv("GLASSNET_CACHE")
    assert cache.root().name == "glassnet"

    def no_home(*_: object) -> str:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr("platformdirs.user_cache_dir", no_home)
    assert not cache.root().exists()
    with pytest.raises(OSError, match=r"."):
        cache.make_folder(cache.root() / "kernels")


def test_it_is_said_once_that_nothing_can_be_kept(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        cache.cannot_keep(OSError(errno.EROFS, "Read-only file system", "/cache/kernels"))
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "glassnet: the cache can't be written (Read-only file system: /cache/kernels), "
        "so each process compiles or decodes anew; set GLASSNET_CACHE to a folder that can\n"
    )


REMOVING = {"unlink", "rmdir", "rmtree", "removedirs", "os.remove"}
KNOWN = {
    ("src/glassnet/support/atomic.py", "unlink"),  # its own temporary file; `sweep`: test_atomic.py
    ("src/glassnet/data/decode_many.py", "unlink"),  # data/test_image_files.py
    ("src/glassnet/kernels/codegen/objects.py", "unlink"),  # kernels/test_objects.py
    ("src/glassnet/kernels/codegen/objects.py", "rmdir"),
    ("src/glassnet/experiment/live.py", "unlink"),  # two fixed names, experiment/test_live.py
    ("src/glassnet/experiment/snapshots.py", "unlink"),  # experiment/test_snapshots.py
    ("src/glassnet/experiment/run_folder.py", "rmdir"),  # cli/test_wrong_input.py
    ("src/glassnet/data/shards/write.py", "unlink"),  # the plan of shards, data/test_shards.py
    ("src/glassnet/data/shards/write.py", "rmdir"),
    ("src/glassnet/data/shards/fetch.py", "unlink"),  # data/test_remote.py
    ("src/glassnet/data/shards/fetch.py", "rmdir"),
    ("benchmarks/shards_million.py", "rmdir"),  # the cgroup that it made
    ("benchmarks/shards_capped.py", "rmdir"),  # a control group, benchmarks/test_shards.py
}


def test_every_place_that_removes_anything_is_known() -> None:
    """A new one belongs into this list when there is a test that other people's files survive it."""
    found = set()
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_bytes())):
            name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
            full = ast.unparse(node) if name == "remove" else name  # a list's `remove` is another thing
            if full in REMOVING:
                found.add((path.relative_to(ROOT).as_posix(), full))
    assert found == KNOWN
