"""Readers in a process of their own: what they give and what they refuse arrives here; that they crash or hang does not."""

from __future__ import annotations

import ctypes
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassnet.data.readers import subprocess as apart
from glassnet.data.readers.subprocess import Named, read_in_subprocess
from glassnet.errors import DataError

ARRAYS = {
    ("train", "images"): np.arange(24, dtype=">f8").reshape(2, 3, 4),
    ("train", "labels"): np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
    ("", "classes"): np.array(["猫", "dog", "\0\ud800"]),
    ("test", "images"): np.arange(20, dtype=np.uint8).reshape(4, 5)[:, ::2],
    ("test", "labels"): np.zeros((0, 3)),
    ("test", "groups"): np.array(3),
    ("validation", "labels"): np.array([b"a", b"bc"]),
}

# What the new process calls


def give(path: Path, *, add: str = "") -> Named:
    print("a library that talks")
    return dict(ARRAYS), [path.read_text(), add]


def refuse(path: Path) -> Named:
    raise DataError("No.", where=path, expected=(1, 2), hint="go away")


def give_objects(path: Path) -> Named:
    return {("train", "images"): np.array([None])}, []


def fail(path: Path) -> Named:
    raise KeyError("something unforeseen")


def crash(path: Path) -> Named:
    ctypes.string_at(0)
    return {}, []


def sleep(path: Path) -> Named:
    time.sleep(600)
    return {}, []


def take_too_much(path: Path) -> Named:
    return {("train", "images"): np.empty(3 * 2**30, np.uint8)}, []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "file é").write_text("content")
    return tmp_path / "file é"


def call(name: str, path: Path, **options: Any) -> Named:
    return read_in_subprocess(f"tests.unit.data.test_subprocess:{name}", path, "file", **options)


def test_arrays_come_back_as_they_were(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arrays, others = call("give", path, add="零")
    assert others == ["content", "零"]
    assert list(arrays) == list(ARRAYS)
    for role, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[role], array)
        assert (arrays[role].dtype, arrays[role].shape) == (array.dtype, array.shape)
        assert arrays[role].flags.f_contiguous or not array.flags.f_contiguous
    assert capfd.readouterr() == ("", "")


def test_what_it_refuses_is_refused_here(path: Path) -> None:
    with pytest.raises(DataError) as caught:
        call("refuse", path)
    error = caught.value
    assert (error.what, error.where, error.expected, error.received, error.hint) == ("No.", path, "(1, 2)", None, "go away")
    with pytest.raises(DataError, match=r"(?s)neither numbers nor texts.*images.*dtype object"):
        call("give_objects", path)


def test_a_crash_is_an_error(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match=r"(?s)The file can't be read: it is damaged.*crashed, exit code -\d+") as caught:
        call("crash", path)
    assert caught.value.where == path
    with pytest.raises(DataError, match=r"crashed, exit code 1: KeyError: 'something unforeseen'"):
        call("fail", path)
    assert capfd.readouterr() == ("", "")


def test_what_never_ends_is_ended(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "SECONDS", 0.2)
    with pytest.raises(DataError, match="the reader did not finish within 0 s"):
        call("sleep", path)


def test_an_interrupt_ends_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object) -> Named:
        raise KeyboardInterrupt

    monkeypatch.setattr(apart, "_received", interrupt)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        call("sleep", path)
    assert time.monotonic() - start < 300  # it would sleep for twice as long


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to its limit of memory")
def test_memory_is_bounded_by_the_size_of_the_file(path: Path) -> None:
    with pytest.raises(DataError, match=r"crashed, exit code 1: .*MemoryError"):
        call("take_too_much", path)


def test_files_in_the_working_folder_are_not_imported(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    (path.parent / "numpy.py").write_text("raise SystemExit('not this one')")
    (path.parent / "json.py").write_text("raise SystemExit('not this one')")
    assert call("give", Path(path.name))[1] == ["content", ""]
