"""Compile kernels and print their object code: `python -m glassnet.kernels.codegen.build SYMBOL…`, started by `library`."""

from __future__ import annotations

import ctypes
import os
import sys

from glassnet.kernels.codegen.host import target

CPU, FEATURES = target()
if __name__ == "__main__":
    os.environ |= {"NUMBA_CPU_NAME": CPU, "NUMBA_CPU_FEATURES": FEATURES}  # before Numba reads them

import llvmlite.binding as llvm
import numba

import glassnet.kernels.interpreter
import glassnet.kernels.kept  # noqa: F401  importing the kernels fills UNITS
from glassnet.kernels.codegen.jit import OPTIONS, UNITS, Unit
from glassnet.kernels.codegen.objects import Compiled, serialize


def _object_code(assembly: str) -> bytes:
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=CPU, features=FEATURES, opt=3, jit=True, codemodel="jitdefault"
    )
    return machine.emit_object(llvm.parse_assembly(assembly))


def build(unit: Unit) -> Compiled:
    """The unit, compiled for this processor."""
    function = numba.cfunc(unit.signature, **OPTIONS)(unit.function)
    kinds = tuple(str(kind) for kind in unit.signature.args)
    return Compiled(unit.symbol, function.native_name, kinds, _object_code(function.inspect_llvm()))


def main(symbols: list[str]) -> None:
    nowhere = ctypes.cast(ctypes.pythonapi.Py_DecRef, ctypes.c_void_p).value
    for symbol in UNITS:  # units call each other; while compiling, any address will do
        llvm.add_symbol(symbol, nowhere)
    print(serialize([build(UNITS[symbol]) for symbol in symbols]))


if __name__ == "__main__":
    main(sys.argv[1:])
