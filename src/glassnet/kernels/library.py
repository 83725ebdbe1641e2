"""The compiled kernels as functions that Python calls; compiled once a machine, then loaded without Numba in milliseconds.

Object files lie in the user's cache, in a folder named after a digest of all kernel sources, the compiler's versions and the
processor, so that an edit or an upgrade compiles anew and folders of several versions live side by side.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import importlib.metadata
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from shutil import get_terminal_size
from typing import Any

import llvmlite.binding as llvm

from glassnet.errors import GlassnetError
from glassnet.kernels.codegen import objects
from glassnet.kernels.codegen.host import UNIT
from glassnet.kernels.codegen.objects import KINDS, Compiled, deserialize
from glassnet.kernels.sources import digest_of_sources
from glassnet.support import cache
from glassnet.support.i18n import mark, tr
from glassnet.support.terminal import wrap

# Groups of units, each compiled when a program first asks for it. Of each: lists of about equal work, for two processes, with
# units in the order they are loaded, callees first.
GROUPS: dict[str, tuple[tuple[str, ...], ...]] = {
    mark("dense layers and training"): (
        (
            "glassnet_tile_row", "glassnet_strided_row", "glassnet_vector_row", "glassnet_multiply_rows",
            "glassnet_multiply_columns", "glassnet_dot_rows", "glassnet_activate", "glassnet_activate_backward",
            "glassnet_losses", "glassnet_keep", "glassnet_await_flag",
        ),
        (
            "glassnet_outer_columns", "glassnet_update", "glassnet_execute", "glassnet_run", "glassnet_lead",
            "glassnet_follow",
        ),
    ),
    mark("convolution"): (
        (
            "glassnet_convolve", "glassnet_convolve_weights", "glassnet_convolve_weights_packed", "glassnet_scatter_taps",
            "glassnet_average_windows", "glassnet_transform_weights", "glassnet_gather_weights",
            "glassnet_transform_inputs", "glassnet_spread_gradients", "glassnet_finish_outputs",
        ),
        (
            "glassnet_winograd", "glassnet_winograd_gradient", "glassnet_apply_epilogue", "glassnet_undo_epilogue",
            "glassnet_gradient_sums", "glassnet_gather_accumulate", "glassnet_sparse_conv_grad", "glassnet_fused_block",
        ),
    ),
    "recurrence": (("glassnet_multiply_panels", "glassnet_sum_products"), ("glassnet_recurrent",)),
    "bfloat16": (
        ("glassnet_pair_row", "glassnet_multiply_row_pairs", "glassnet_multiply_column_pairs", "glassnet_bfloat16"),
    ),
    mark("convolution in bfloat16"): (("glassnet_convolve_pairs",), ("glassnet_convolve_weight_pairs",)),
    "int8": (("glassnet_convolve_quads", "glassnet_convolve_quantized", "glassnet_int8"),),
    "augmentation": (("glassnet_augment",),),
    "Muon": (("glassnet_muon",),),
}  # fmt: skip
FIRST = next(iter(GROUPS))
# What Numba's error paths would call. Kernels raise nothing; without Numba these symbols must still be defined.
UNREACHED = (
    "numba_gil_ensure", "numba_gil_release", "numba_do_raise", "numba_unpickle", "numba_runtime_build_excinfo_struct",
    "NRT_Free", "NRT_MemInfo_call_dtor",
)  # fmt: skip


def _digest() -> str:
    versions = [importlib.metadata.version(name) for name in ("numba", "llvmlite")]
    made_with = versions, sys.version_info[:2], UNIT, llvm.get_host_cpu_name(), digest_of_sources()
    return hashlib.sha256(repr(made_with).encode()).hexdigest()[:16]


def cache_folder() -> Path:
    """Where this machine's kernels of these sources are kept: under $GLASSNET_CACHE or the user's cache."""
    return cache.root() / "kernels" / _digest()


def _compile(group: str) -> list[Compiled]:
    """The units of a group; its lists are compiled side by side, each in an interpreter of its own. No file is written."""
    source = str(Path(__file__).parents[2])
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")])))
    commands = [[sys.executable, "-P", "-m", "glassnet.kernels.codegen.build", *names] for names in GROUPS[group]]
    pipe = subprocess.PIPE
    workers: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            worker = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe)
            workers.append(worker)  # one by one: if the next can't be started, this one is ended
        outputs = [worker.communicate() for worker in workers]
    except OSError as error:
        raise _not_compiled(str(error)) from None
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.kill()
                worker.communicate()
    units = []
    for worker, (sent, complaint) in zip(workers, outputs, strict=True):
        if worker.returncode:
            raise _not_compiled(complaint.decode(errors="replace")[-2000:])
        units += deserialize(sent)
    return units


def _not_compiled(reason: str) -> GlassnetError:
    return GlassnetError(
        tr("The kernels could not be compiled."),
        where="glassnet.kernels.codegen.build",
        received=reason,
        hint=tr("GLASSNET_KERNELS=0 runs everything on plain NumPy"),
    )


class Library:
    """The units; `library["glassnet_run"]` is a function of integers and floats that runs without the interpreter's lock.

    A unit's group is loaded, and compiled if necessary, at the first use.
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
        self._require(symbol)
        return self._functions[symbol]

    def address(self, symbol: str) -> int:
        """Where a unit's code lies."""
        self._require(symbol)
        return self._addresses[symbol]

    def _require(self, symbol: str) -> None:
        with self._lock:
            if symbol in self._functions:
                return
            group = next(name for name, lists in GROUPS.items() if any(symbol in names for names in lists))
            if group != FIRST:  # which the others call
                self._require(GROUPS[FIRST][0][0])
            folder = cache_folder()
            units = objects.load(folder, [symbol for names in GROUPS[group] for symbol in names])
            if units is None or not self._load(units):
                self._load_new(group, folder)

    def _load_new(self, group: str, folder: Path) -> None:
        """Compile a group and keep it for the next process; say so on a terminal, and elsewhere unless in CI."""
        said = sys.stderr.isatty() or os.environ.get("CI") is None
        if said:
            what = tr("Compiling the kernels for {group} on this processor (once, a few seconds) …", group=tr(group))
            print(wrap(what, get_terminal_size().columns) if sys.stderr.isatty() else what, file=sys.stderr, flush=True)
        start = time.perf_counter()
        units = _compile(group)
        seconds = time.perf_counter() - start
        if not self._load(units):
            raise _not_compiled(tr("object files that can't be loaded"))
        try:
            objects.store(folder, units)
            done = tr("… compiled in {seconds:.1f} s, kept in {folder}", seconds=seconds, folder=folder)
        except OSError as error:
            cache.cannot_keep(error)
            done = tr("… compiled in {seconds:.1f} s", seconds=seconds)
        if said:
            print(done, file=sys.stderr, flush=True)

    def _load(self, units: list[Compiled]) -> bool:
        """Load the units of a group, callees first; False where one's code is no object file or lacks its entry."""
        engines, addresses = [], {}
        for unit in units:
            found = llvm.ObjectFileRef.from_data(unit.code)
            if not found:
                return False
            engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target_machine())
            engine.add_object_file(found)
            engine.finalize_object()
            address = engine.get_function_address(unit.entry)
            if address == 0:
                return False
            llvm.add_symbol(unit.symbol, address)
            engines.append(engine)  # which owns the code
            addresses[unit.symbol] = address
        self._engines += engines
        self._addresses |= addresses
        for unit in units:
            kinds = [KINDS[name] for name in unit.arguments]
            self._functions[unit.symbol] = ctypes.CFUNCTYPE(None, *kinds)(addresses[unit.symbol])
        return True


def _target_machine() -> Any:
    return llvm.Target.from_default_triple().create_target_machine(jit=True, codemodel="jitdefault")


@functools.cache
def library() -> Library:
    """The kernels of this process."""
    return Library()


def compile_all() -> None:
    """Load every group, and compile it if necessary."""
    for lists in GROUPS.values():
        library().address(lists[-1][-1])
