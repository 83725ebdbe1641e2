"""All kernels as one WebAssembly module: `make wasm`, or `GLASSNET_SIMD=wasm python -m glassnet.kernels.codegen.wasm FILE`.

There are two: one with SIMD of 128 bits, and one for browsers without it, which takes the same programs.

Addresses are 64-bit integers in the kernels; `inttoptr` cuts them to the 32 bits of wasm32. The module ends in a custom
section, "glassnet", by which a test sees that it is stale.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SCALAR = "glassnet-scalar.wasm"
GENERIC = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}  # not what this processor has
SMALL = {"NUMBA_OPT": "1", "NUMBA_LOOP_VECTORIZE": "0", "NUMBA_SLP_VECTORIZE": "0"}  # each page carries it, few need it
if __name__ == "__main__":
    os.environ |= GENERIC | (SMALL if sys.argv[-1].endswith(SCALAR) else {})  # before Numba reads them

import llvmlite.binding as llvm
import numba

import glassnet.kernels.interpreter  # noqa: F401  importing the kernels fills UNITS
from glassnet.kernels.codegen.host import IS_WASM
from glassnet.kernels.codegen.jit import OPTIONS, UNITS, Unit
from glassnet.kernels.sources import digest_of_sources
from glassnet.support.atomic import write_bytes

TRIPLE = "wasm32-unknown-unknown"
FEATURES = "+bulk-memory,+nontrapping-fptoint,+sign-ext,+mutable-globals"
MODULES = {"glassnet.wasm": f"+simd128,{FEATURES}", SCALAR: FEATURES}
EXPORTS = ("glassnet_run", "glassnet_fused_block", "glassnet_recurrent", "glassnet_augment", "glassnet_muon", "__heap_base")
PAGE = 65536  # bytes of WebAssembly's memory


def _assembly(unit: Unit, layout: str) -> str:
    """The LLVM code that Numba makes for this machine, rewritten for the other."""
    function = numba.cfunc(unit.signature, **OPTIONS)(unit.function)
    text = function.inspect_llvm()
    text = re.sub(r'target triple = ".*"', f'target triple = "{TRIPLE}"', text)
    text = re.sub(r'target datalayout = ".*"', f'target datalayout = "{layout}"', text)
    text = re.sub(r'"target-(cpu|features)"="[^"]*"', "", text)
    # Pickled exceptions, with paths of this machine, and counting of references, in error paths that are never reached.
    text = re.sub(r'(@\.const\.pickledata\S* = [^\n\[]*)\[\d+ x i8\] c"[^"\n]*"', r"\1[1 x i8] zeroinitializer", text)
    text = re.sub(r"(@\.const\.picklebuf\S* = [^\n]*?, i32) \d+", r"\1 0", text)
    text = re.sub(r"= (tail )?call i8 @llvm\.x86\.atomic\.sub\.cc\.i64\([^)]*\)[^\n]*", "= add i8 0, 1", text)
    return text.replace(function.native_name, unit.symbol)


def _object_code(unit: Unit, machine: Any, level: int) -> bytes:
    module = llvm.parse_assembly(_assembly(unit, str(machine.target_data)))
    module.verify()
    for part in (*module.functions, *module.global_variables):
        if not part.is_declaration and part.name != unit.symbol:
            part.linkage = "internal"  # swept unless the unit uses it
    passes = llvm.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    options = llvm.create_pipeline_tuning_options(speed_level=level)
    options.loop_unrolling = options.loop_interleaving = level > 1
    options.loop_vectorization = options.slp_vectorization = level > 1
    passes.run(module, llvm.create_pass_builder(machine, options))
    return bytes(machine.emit_object(module))


def _linked(folder: Path) -> bytes:
    options = ["--no-entry", "--allow-undefined", "--strip-all", "--export-table", "--growable-table"]
    options += ["-z", "stack-size=131072", f"--initial-memory={16 * PAGE}", f"--max-memory={2**31}"]
    files = [*(f"--export={name}" for name in EXPORTS), "-o", "glassnet.wasm", *(f"{symbol}.o" for symbol in UNITS)]
    command = [sys.executable, "-m", "ziglang", "wasm-ld", *options, *files]
    subprocess.run(command, cwd=folder, check=True)
    return (folder / "glassnet.wasm").read_bytes()


def versions() -> str:
    """Those of what makes the modules: with the same, the same sources give the same bytes."""
    found = " ".join(f"{name} {importlib.metadata.version(name)}" for name in ("numba", "llvmlite", "ziglang"))
    return f"{platform.machine()} {found}"


def section(made_with: str) -> bytes:
    """The custom section "glassnet", at the module's end: the versions, and the digest of the kernels' sources."""
    body = bytes([8]) + b"glassnet" + f"{made_with} sources {digest_of_sources()}".encode()
    return bytes([0, len(body)]) + body  # of fewer than 128 bytes


def main(path: Path) -> None:
    if not IS_WASM or path.name not in MODULES:
        raise SystemExit(f"GLASSNET_SIMD=wasm python -m glassnet.kernels.codegen.wasm FOLDER/{{{','.join(MODULES)}}}")
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    nowhere = ctypes.cast(ctypes.pythonapi.Py_DecRef, ctypes.c_void_p).value
    for symbol in UNITS:  # units call each other; while compiling for this machine, any address will do
        llvm.add_symbol(symbol, nowhere)
    target, level = llvm.Target.from_triple(TRIPLE), 1 if path.name == SCALAR else 3
    machine = target.create_target_machine(cpu="generic", features=MODULES[path.name], opt=3, reloc="static")
    with tempfile.TemporaryDirectory(prefix="glassnet-wasm-") as folder:
        for symbol, unit in UNITS.items():
            (Path(folder) / f"{symbol}.o").write_bytes(_object_code(unit, machine, level))
        write_bytes(path, _linked(Path(folder)) + section(versions()))
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
