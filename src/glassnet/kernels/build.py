"""Compile kernels to object files: `python -m glassnet.kernels.build FOLDER SYMBOL…`, a process that `library` starts."""

from __future__ import annotations

import ctypes
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba

import glassnet.kernels.interpreter  # noqa: F401  importing the kernels fills UNITS
from glassnet.atomic import write_bytes
from glassnet.kernels.jit import OPTIONS, UNITS, Unit


def _object_code(assembly: str) -> bytes:
    target = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        jit=True,
        codemodel="jitdefault",
    )
    module = llvm.parse_assembly(assembly)
    return target.emit_object(module)


def build(unit: Unit, folder: Path) -> dict[str, Any]:
    """Write the unit's object file and, after it, a note that says what it holds."""
    function = numba.cfunc(unit.signature, **OPTIONS)(unit.function)
    code = _object_code(function.inspect_llvm())
    write_bytes(folder / f"{unit.symbol}.o", code)
    note = {
        "symbol": unit.symbol,
        "entry": function.native_name,
        "arguments": [str(kind) for kind in unit.signature.args],
        "sha256": hashlib.sha256(code).hexdigest(),
    }
    write_bytes(folder / f"{unit.symbol}.json", json.dumps(note).encode())
    return note


def main(arguments: list[str]) -> None:
    folder, symbols = Path(arguments[0]), arguments[1:]
    nowhere = ctypes.cast(ctypes.pythonapi.Py_DecRef, ctypes.c_void_p).value
    for symbol in UNITS:  # units call each other; while compiling, any address will do
        llvm.add_symbol(symbol, nowhere)
    for symbol in symbols:
        build(UNITS[symbol], folder)


if __name__ == "__main__":
    main(sys.argv[1:])
