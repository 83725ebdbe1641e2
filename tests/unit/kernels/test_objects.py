"""The kernel cache: whatever is wrong in it is compiled anew, and nothing of anybody else's is removed from it."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import time
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba
import pytest

from glassnet.kernels import library, sources as sources_module
from glassnet.kernels.codegen import build, objects
from glassnet.kernels.codegen.jit import OPTIONS, UNITS as KERNELS
from glassnet.kernels.codegen.objects import Compiled
from glassnet.kernels.library import GROUPS, Library
from glassnet.kernels.matmul.vector import WIDEST
from glassnet.support import cache

GROUP = "augmentation"
(SYMBOL,) = GROUPS[GROUP][0]
UNITS = [
    Compiled("glassnet_one", "_one", ("int64", "float32"), b"\x7fELF one"),
    Compiled("glassnet_two", "_two", (), bytes(range(256))),
]
SYMBOLS = [unit.symbol for unit in UNITS]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A kernel folder with two units that are no code."""
    path = tmp_path / "kernels" / ("0" * 16)
    objects.store(path, UNITS)
    return path


def test_kept_and_read(folder: Path) -> None:
    assert objects.load(folder, SYMBOLS) == UNITS
    assert objects.load(folder, SYMBOLS[:1]) == UNITS[:1]
    assert objects.load(folder, ["glassnet_three"]) is None
    assert objects.load(folder.parent, SYMBOLS) is None
    assert {path.name for path in folder.iterdir()} == {f"{name}.{kind}" for name in SYMBOLS for kind in ("o", "json")}
    assert cache.is_ours(folder.parent)


def test_handed_over_by_a_process_that_talks() -> None:
    output = b"a compiler's word\n" + objects.serialize(UNITS).encode() + b"\n"
    assert objects.deserialize(output) == UNITS


# ------------------------------------------------------------------ damage


def note(**changes: Any) -> bytes:
    return json.dumps(json.loads(UNITS[0].note()) | changes).encode()


@pytest.mark.parametrize("damaged", [
    b"", b"{", b"null", b"7", b"[]", b'"text"', b"{}", b"\xff\xfe", b"[" * 100_000, UNITS[1].note(),
    note(entry=None), note(entry=7), note(entry="_two"), note(symbol="glassnet_two"), note(symbol=None),
    note(arguments=None), note(arguments="int64"), note(arguments=["int64"]), note(arguments=["int64", "int32"]),
    note(arguments=[["int64"], "float32"]), note(arguments={"int64": 1, "float32": 2}), note(arguments=7),
    note(sha256=None), note(sha256=""), note(sha256=hashlib.sha256(UNITS[0].code).hexdigest()), note(more=1),
], ids=lambda damaged: damaged[:40])  # fmt: skip
def test_a_damaged_note(folder: Path, damaged: bytes) -> None:
    (folder / "glassnet_one.json").write_bytes(damaged)
    assert objects.load(folder, SYMBOLS) is None
    objects.store(folder, UNITS)
    assert objects.load(folder, SYMBOLS) == UNITS


@pytest.mark.parametrize("unit", [
    Compiled("glassnet_one", "_one", ("int64", "int32"), b"code"), Compiled("glassnet_one", 7, (), b"code"),  # type: ignore[arg-type]
    Compiled("glassnet_one", "_one", (None,), b"code"),  # type: ignore[arg-type]
])  # fmt: skip
def test_a_note_of_another_shape_with_a_right_checksum(folder: Path, unit: Compiled) -> None:
    (folder / "glassnet_one.json").write_bytes(unit.note())
    (folder / "glassnet_one.o").write_bytes(unit.code)
    assert objects.load(folder, SYMBOLS) is None


def mangle(folder: Path, chance: random.Random) -> None:
    """One thing that may befall a folder of files."""
    path = chance.choice(sorted(folder.iterdir()))
    kind = chance.randrange(9)
    content = bytearray(path.read_bytes())
    if kind == 0:
        for _ in range(chance.randrange(1, 5)):
            content[chance.randrange(len(content))] = chance.randrange(256)
    elif kind == 1:
        del content[chance.randrange(len(content)) :]
    elif kind == 2:
        content[chance.randrange(len(content)) :] = chance.randbytes(chance.randrange(50))
    elif kind == 3:
        first, last = sorted(chance.sample(range(len(content)), 2))
        del content[first:last]
    if kind < 4:
        path.write_bytes(content)
        return
    path.unlink()
    if kind == 4:
        path.mkdir()
    elif kind == 5:
        path.symlink_to(path)
    elif kind == 6:
        path.symlink_to("/dev/zero")
    elif kind == 7 and hasattr(os, "mkfifo"):
        os.mkfifo(path)
    elif kind == 8:
        with path.open("wb") as file:
            file.truncate(objects.MOST_BYTES + 1)


def test_mangled_in_many_ways(folder: Path) -> None:
    """What is read is what was kept, or nothing; and what is kept then can be read."""
    damaged = 0
    for seed in range(300):
        chance = random.Random(seed)
        for _ in range(chance.randrange(1, 3)):
            if all(path.is_file() and not path.is_symlink() for path in folder.iterdir()):
                mangle(folder, chance)
        found = objects.load(folder, SYMBOLS)
        assert found in (None, UNITS), seed
        damaged += found is None
        objects.store(folder, UNITS)
        assert objects.load(folder, SYMBOLS) == UNITS, seed
    assert damaged > 270
    assert len(list(folder.iterdir())) == 4


def test_a_folder_in_place_of_a_file_that_is_not_empty(folder: Path) -> None:
    place = folder / "glassnet_one.o"
    place.unlink()
    place.mkdir()
    (place / "file").write_text("of somebody else")
    assert objects.load(folder, SYMBOLS) is None
    with pytest.raises(OSError, match=r"glassnet_one\.o"):
        objects.store(folder, UNITS)
    assert (place / "file").read_text() == "of somebody else"


# ------------------------------------------------------------------ what is removed


def age(path: Path, days: float) -> None:
    os.utime(path, (time.time() - 86_400 * days,) * 2)


def make(folder: Path, *names: str, days: float) -> Path:
    """A kernel folder with files of such names, last used some days ago."""
    folder.mkdir()
    for name in names:
        (folder / name).write_text(name)
    age(folder, days)
    return folder


def test_folders_of_older_kernels_go(folder: Path) -> None:
    kernels = folder.parent
    names = ("glassnet_one.o", "glassnet_one.json", "glassnet_tile_row.o", ".glassnet_one.o.abcd1234.glassnet.part")
    old = [make(kernels / f"{number:016x}", *names, days=number) for number in range(10, 17)]
    recent = [make(kernels / f"{number:016x}", *names, days=0.9) for number in range(20, 27)]
    objects.store(folder, UNITS)
    assert sorted(kernels.iterdir()) == sorted([folder, kernels / cache.TAG, *recent])
    age(folder, 100)
    for path in recent:
        age(path, 3)
    assert objects.load(folder, SYMBOLS) == UNITS  # it is used
    objects._forget_older(kernels)
    assert folder.is_dir()
    assert len([path for path in recent if path.is_dir()]) == 3
    assert not any(path.exists() for path in old)


@pytest.mark.parametrize("ours", [True, False])
def test_what_is_not_ours_stays(tmp_path: Path, ours: bool) -> None:
    """A folder that was there with files in it is not ours: nothing goes. In ours, only what is named as we name it."""
    kernels, elsewhere = tmp_path / "kernels", make(tmp_path / "elsewhere", "glassnet_one.o", days=50)
    if ours:
        cache.make_folder(kernels)
    kernels.mkdir(exist_ok=True)
    number = iter(range(10**15, 10**16))
    make(kernels / "0123456789abcde", "glassnet_one.o", days=50)
    make(kernels / "0123456789abcdef0", "glassnet_one.o", days=50)
    make(kernels / "0123456789ABCDEF", "glassnet_one.o", days=50)
    make(kernels / "thesis", "glassnet_one.o", days=50)
    for name in ("thesis.tex", "one.o", "glassnet_.o", "glassnet_one.o.bak", "glassnet_one.c", "Glassnet_one.o", ".keep"):
        make(kernels / str(next(number)), "glassnet_one.o", name, days=50)
    (make(kernels / str(next(number)), "glassnet_one.json", days=50) / "glassnet_two.o").mkdir()
    (make(kernels / str(next(number)), "glassnet_one.json", days=50) / "glassnet_two.o").symlink_to(elsewhere)
    (kernels / str(next(number))).symlink_to(elsewhere)
    (kernels / str(next(number))).write_text("a file")
    if not ours:
        for days in range(10, 20):
            make(kernels / str(next(number)), "glassnet_one.o", "glassnet_one.json", days=days)
    for path in kernels.rglob("*"):
        os.utime(path, (1, 1), follow_symlinks=False)
    before = set(kernels.rglob("*"))
    for digit in "abcdef":
        objects.store(kernels / (digit * 16), UNITS)
    assert before <= set(kernels.rglob("*"))
    assert (elsewhere / "glassnet_one.o").read_text() == "glassnet_one.o"
    assert cache.is_ours(kernels) == ours


# ------------------------------------------------------------------ with real code

LOADED: list[Library] = []  # loading names the code to the linker: it must not go away


class Machine:
    """A cache of its own with the units of a group in it, and how often one was compiled."""

    def __init__(self, units: list[Compiled], folder: Path) -> None:
        self.units, self.folder, self.compiled = units, folder, 0

    def compile(self, group: str) -> list[Compiled]:
        assert group == GROUP
        self.compiled += 1
        return self.units

    def load(self) -> int:
        """What a new process does."""
        LOADED.append(Library())
        LOADED[-1]._functions |= dict.fromkeys(GROUPS[library.FIRST][0], print)  # type: ignore[arg-type]
        return LOADED[-1].address(SYMBOL)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    library.library().address(SYMBOL)
    units = objects.load(library.cache_folder(), [SYMBOL])
    assert units is not None
    machine = Machine(units, tmp_path / "kernels" / ("0" * 16))
    monkeypatch.setattr(library, "_compile", machine.compile)
    monkeypatch.setattr(library, "cache_folder", lambda: machine.folder)
    monkeypatch.setenv("CI", "1")
    cache._WARNED.clear()
    assert machine.load()
    assert machine.load()
    assert machine.compiled == 1
    return machine


def forged(machine: Machine, **changes: Any) -> None:
    """Files that agree with each other, and are nonetheless no unit."""
    (unit,) = machine.units
    objects.store(machine.folder, [Compiled(**{**vars(unit), **changes})])


def test_object_files_that_can_not_be_loaded(machine: Machine) -> None:
    (unit,) = machine.units
    changes: list[dict[str, Any]] = [{"code": b""}, {"code": b"no object file"}, {"entry": "_nothing"}]
    for count, change in enumerate([*changes, {"code": unit.code[:40]}, {"code": unit.code[:-1]}], 2):
        forged(machine, **change)
        assert machine.load()
        assert machine.load()
        assert machine.compiled == count, change
    assert objects.load(machine.folder, [SYMBOL]) == [unit]


def test_compiled_anew_and_kept_whatever_was_wrong(machine: Machine) -> None:
    for seed in range(40):
        machine.compiled = 0
        mangle(machine.folder, random.Random(seed))
        damaged = objects.load(machine.folder, [SYMBOL]) is None
        assert machine.load()
        assert machine.load()
        assert machine.compiled == damaged, seed


def test_what_can_not_be_kept_is_compiled_for_this_process(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(machine.folder)
    machine.folder.write_text("of somebody else")
    assert machine.load()
    assert machine.load()
    assert machine.compiled == 3
    assert machine.folder.read_text() == "of somebody else"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("glassnet: the cache can't be written (")


@pytest.mark.parametrize("file", ["interpreter.py", "codegen/simd.py", "conv/winograd.py"])
def test_an_edit_of_any_kernel_compiles_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    sources = tmp_path / "kernels"
    shutil.copytree(Path(library.__file__).parent, sources, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(sources_module, "__file__", str(sources / "sources.py"))
    before = library.cache_folder()
    with (sources / file).open("a", encoding="utf-8") as source:
        source.write("# edited\n")
    assert library.cache_folder() != before


def test_a_kernel_is_one_function_and_its_innermost_loop_is_not_unrolled() -> None:
    unit = KERNELS["glassnet_vector_row"]
    function = numba.cfunc(unit.signature, **OPTIONS)(unit.function)
    machine = llvm.Target.from_default_triple().create_target_machine(cpu=build.CPU, features=build.FEATURES, opt=3)
    module = build.joined(function.inspect_llvm(), function.native_name, machine)
    defined = {one.name for one in module.functions if not one.is_declaration}
    assert function.native_name in defined
    assert function.native_name.removeprefix("cfunc.") not in defined
    products = len(re.findall(r"call .*@llvm\.fmuladd\.", str(module)))
    assert products == WIDEST * (WIDEST + 1) // 2  # of one row of B, for each number of registers
