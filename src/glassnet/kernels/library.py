"""The compiled kernels as functions that Python calls; compiled once a machine, then loaded without Numba in milliseconds.

Object files lie in the user's cache, in a folder named after a digest of all kernel sources, the compiler's versions and the
processor, so that an edit or an upgrade compiles anew and folders of several versions live side by side.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import platformdirs

from glassnet.errors import GlassnetError
from glassnet.kernels.host import UNIT

# Groups of units, each compiled when a program first asks for it. Of each: lists of about equal work, for two processes, with
# units in the order they are loaded, callees first.
GROUPS: dict[str, tuple[tuple[str, ...], ...]] = {
    "dense layers and training": (
        (
            "glassnet_tile_row",
            "glassnet_multiply_rows",
            "glassnet_multiply_columns",
            "glassnet_dot_rows",
            "glassnet_outer_columns",
        ),
        (
            "glassnet_activate",
            "glassnet_activate_back",
            "glassnet_costs",
            "glassnet_update",
            "glassnet_execute",
            "glassnet_run",
        ),
    ),
    "convolution": (
        (
            "glassnet_convolve",
            "glassnet_convolve_weights",
            "glassnet_scatter_back",
            "glassnet_winograd",
            "glassnet_winograd_weights",
            "glassnet_average_pool",
        ),
        (
            "glassnet_finish",
            "glassnet_undo",
            "glassnet_gradient_sums",
            "glassnet_add_listed",
            "glassnet_picked_back",
            "glassnet_stages",
        ),
    ),
    "recurrence": (("glassnet_sequences",),),
    "augmentation": (("glassnet_augment",),),
}
FIRST = next(iter(GROUPS))
# What Numba's error paths would call. Kernels raise nothing; without Numba these names must still lead somewhere.
UNREACHED = (
    "numba_gil_ensure", "numba_gil_release", "numba_do_raise", "numba_unpickle", "numba_runtime_build_excinfo_struct",
    "NRT_Free", "NRT_MemInfo_call_dtor",
)  # fmt: skip
KINDS: dict[str, Any] = {"int64": ctypes.c_int64, "float32": ctypes.c_float, "float64": ctypes.c_double}


def _digest() -> str:
    versions = [importlib.metadata.version(name) for name in ("numba", "llvmlite")]
    digest = hashlib.sha256(repr((versions, sys.version_info[:2], UNIT, llvm.get_host_cpu_name())).encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Where this machine's kernels of these sources are kept: under $GLASSNET_CACHE or the user's cache."""
    chosen = os.environ.get("GLASSNET_CACHE")
    return (Path(chosen) if chosen else Path(platformdirs.user_cache_dir("glassnet"))) / "kernels" / _digest()


def _notes(folder: Path, group: str) -> list[tuple[dict[str, Any], bytes]] | None:
    """The notes and codes of a group's units, or None where one is missing or damaged."""
    found = []
    try:
        for symbol in (symbol for names in GROUPS[group] for symbol in names):
            note = json.loads((folder / f"{symbol}.json").read_bytes())
            code = (folder / f"{symbol}.o").read_bytes()
            if hashlib.sha256(code).hexdigest() != note["sha256"]:
                return None
            found.append((note, code))
    except (OSError, ValueError, KeyError):
        return None
    return found


def _compile(folder: Path, group: str) -> None:
    """Build the lists of a group side by side, each in an interpreter of its own."""
    said = sys.stderr.isatty() or os.environ.get("CI") is None
    if said:
        what = f"glassnet compiles its kernels of {group} for this processor: once, some seconds …"
        print(what, file=sys.stderr, flush=True)
    start = time.perf_counter()
    source = str(Path(__file__).parents[2])
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")])))
    commands = [[sys.executable, "-m", "glassnet.kernels.build", str(folder), *names] for names in GROUPS[group]]
    workers = [
        subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) for command in commands
    ]
    complaints = [worker.communicate()[1].decode(errors="replace") for worker in workers]
    if any(worker.returncode for worker in workers):
        raise GlassnetError(
            "The kernels could not be compiled.",
            where=folder,
            received=next(text for worker, text in zip(workers, complaints, strict=True) if worker.returncode)[-2000:],
            hint="GLASSNET_KERNELS=0 runs everything on plain NumPy",
        )
    if said:
        print(f"… compiled in {time.perf_counter() - start:.1f} s, kept in {folder}", file=sys.stderr, flush=True)
    _forget_older(folder)


def _forget_older(folder: Path, keep: int = 4) -> None:
    others = sorted(folder.parent.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in others[keep:]:
        shutil.rmtree(path, ignore_errors=True)


class Library:
    """The units; `library["glassnet_run"]` is a function of integers and floats that runs without the interpreter's lock.

    A unit's group is loaded, and if need be compiled, when it is first asked for.
    """

    def __init__(self) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        abort = ctypes.cast(ctypes.CDLL(None).abort, ctypes.c_void_p).value if os.name == "posix" else 0
        for name in UNREACHED:
            if llvm.address_of_symbol(name) is None:
                llvm.add_symbol(name, abort)
        self._engines: list[Any] = []
        self._functions: dict[str, Callable[..., None]] = {}
        self._addresses: dict[str, int] = {}
        self._lock = threading.RLock()

    def __getitem__(self, symbol: str) -> Callable[..., None]:
        self._need(symbol)
        return self._functions[symbol]

    def address(self, symbol: str) -> int:
        """Where a unit's code lies."""
        self._need(symbol)
        return self._addresses[symbol]

    def _need(self, symbol: str) -> None:
        with self._lock:
            if symbol in self._functions:
                return
            group = next(name for name, lists in GROUPS.items() if any(symbol in names for names in lists))
            if group != FIRST:  # which the others call
                self._need(GROUPS[FIRST][0][0])
            for note, code in _units(group):
                self._load(note, code)

    def _load(self, note: dict[str, Any], code: bytes) -> None:
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
        address = engine.get_function_address(note["entry"])
        llvm.add_symbol(note["symbol"], address)
        self._engines.append(engine)  # the code goes when its engine goes
        kinds = [KINDS[name] for name in note["arguments"]]
        self._functions[note["symbol"]] = ctypes.CFUNCTYPE(None, *kinds)(address)
        self._addresses[note["symbol"]] = address


def _machine() -> Any:
    return llvm.Target.from_default_triple().create_target_machine(jit=True, codemodel="jitdefault")


def _units(group: str) -> list[tuple[dict[str, Any], bytes]]:
    """The units of a group, compiled first if this machine has not done so yet."""
    folder = cache_folder()
    units = _notes(folder, group)
    if units is None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _compile(folder, group)
            units = _notes(folder, group)
        except OSError:  # a cache that can't be written: compile for this process alone
            with tempfile.TemporaryDirectory() as temporary:
                _compile(Path(temporary), group)
                units = _notes(Path(temporary), group)
    if units is None:
        raise GlassnetError("The compiled kernels can't be read back.", where=folder, hint="remove that folder")
    return units


@functools.cache
def library() -> Library:
    """The kernels of this process."""
    return Library()


def compile_all() -> None:
    """Load, and if need be compile, every group."""
    for lists in GROUPS.values():
        library().address(lists[-1][-1])
