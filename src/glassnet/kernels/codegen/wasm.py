"""All kernels as one WebAssembly module: `make wasm`, or `GLASSNET_SIMD=wasm python -m glassnet.kernels.codegen.wasm FILE`.

Addresses are 64-bit integers in the kernels; `inttoptr` cuts them to the 32 bits of wasm32. The module ends in a custom
section, "glassnet", by which a test sees that it is stale.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba

import glassnet.kernels.interpreter  # noqa: F401  importing the kernels fills UNITS
from glassnet.kernels.codegen.host import IS_WASM
from glassnet.kernels.codegen.jit import OPTIONS, UNITS, Unit
from glassnet.kernels.sources import digest_of_sources
from glassnet.support.atomic import write_bytes

TRIPLE = "wasm32-unknown-unknown"
FEATURES = "+simd128,+bulk-memory,+nontrapping-fptoint,+sign-ext,+mutable-globals"
EXPORTS = ("glassnet_run", "glassnet_fused_block", "glassnet_recurrent", "glassnet_augment", "__heap_base")
PAGE = 65536  # bytes of WebAssembly's memory


def _assembly(unit: Unit, layout: str) -> str:
    """The LLVM code that Numba makes for this machine, rewritten for the other."""
    function = numba.cfunc(unit.signature, **OPTIONS)(unit.function)
    text = function.inspect_llvm()
    text = re.sub(r'target triple = ".*"', f'target triple = "{TRIPLE}"', text)
    text = re.sub(r'target datalayout = ".*"', f'target datalayout = "{layout}"', text)
    text = re.sub(r'"target-(cpu|features)"="[^"]*"', "", text)
    # Counting of references, in error paths that are never reached.
    text = re.sub(r"= (tail )?call i8 @llvm\.x86\.atomic\.sub\.cc\.i64\([^)]*\)[^\n]*", "= add i8 0, 1", text)
    return text.replace(function.native_name, unit.symbol)


def _object_code(unit: Unit, machine: Any) -> bytes:
    module = llvm.parse_assembly(_assembly(unit, str(machine.target_data)))
    module.verify()
    for part in (*module.functions, *module.global_variables):
        if not part.is_declaration and part.name != unit.symbol:
            part.linkage = "internal"  # swept unless the unit uses it
    passes = llvm.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    passes.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3)))
    return bytes(machine.emit_object(module))


def _linked(folder: Path) -> bytes:
    options = ["--no-entry", "--allow-undefined", "--strip-all", "--export-table", "--growable-table"]
    options += ["-z", "stack-size=131072", f"--initial-memory={16 * PAGE}", f"--max-memory={2**31}"]
    files = [*(f"--export={name}" for name in EXPORTS), "-o", "glassnet.wasm", *(f"{symbol}.o" for symbol in UNITS)]
    command = [sys.executable, "-m", "ziglang", "wasm-ld", *options, *files]
    subprocess.run(command, cwd=folder, check=True)
    return (folder / "glassnet.wasm").read_bytes()


def versions() -> str:
    """Those of what makes the module: with the same, the same sources give the same bytes."""
    return " ".join(f"{name} {importlib.metadata.version(name)}" for name in ("numba", "llvmlite", "ziglang"))


def section(made_with: str) -> bytes:
    """The custom section "glassnet", at the module's end: the versions, and the digest of the kernels' sources."""
    body = bytes([8]) + b"glassnet" + f"{made_with} sources {digest_of_sources()}".encode()
    return bytes([0, len(body)]) + body  # of fewer than 128 bytes


def main(path: Path) -> None:
    if not IS_WASM:
        raise SystemExit("GLASSNET_SIMD=wasm python -m glassnet.kernels.codegen.wasm FILE")
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    nowhere = ctypes.cast(ctypes.pythonapi.Py_DecRef, ctypes.c_void_p).value
    for symbol in UNITS:  # units call each other; while compiling for this machine, any address will do
        llvm.add_symbol(symbol, nowhere)
    target = llvm.Target.from_triple(TRIPLE)
    machine = target.create_target_machine(cpu="generic", features=FEATURES, opt=3, reloc="static")
    with tempfile.TemporaryDirectory(prefix="glassnet-wasm-") as folder:
        for symbol, unit in UNITS.items():
            (Path(folder) / f"{symbol}.o").write_bytes(_object_code(unit, machine))
        write_bytes(path, _linked(Path(folder)) + section(versions()))
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
