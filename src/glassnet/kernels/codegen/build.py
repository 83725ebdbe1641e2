"""Compile kernels and print their object code: `python -m glassnet.kernels.codegen.build SYMBOL…`, started by `library`."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from typing import Any

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


def joined(assembly: str, entry: str, machine: Any) -> Any:
    """The module of a kernel whose entry only calls another function, with the body of that in its place.

    A call of one kernel by another would else pass all its arguments twice.
    """
    body = entry.removeprefix("cfunc.")
    module = llvm.parse_assembly(re.sub(rf"(= call i32 @{re.escape(body)}\(.*\)) #\d+", r"\1", assembly))  # #n: noinline
    function = module.get_function(body)
    function.linkage = "internal"
    function.add_function_attribute("alwaysinline")
    passes = llvm.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    for _ in range(2):  # what is never reached, then what only that needed
        passes.add_sroa_pass()
        passes.add_simplify_cfg_pass()
        passes.add_instruction_combine_pass()
    passes.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=0)))
    return module


def build(unit: Unit) -> Compiled:
    """The unit, compiled for this processor."""
    function = numba.cfunc(unit.signature, **OPTIONS)(unit.function)
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=CPU, features=FEATURES, opt=3, jit=True, codemodel="jitdefault"
    )
    code = machine.emit_object(joined(function.inspect_llvm(), function.native_name, machine))
    return Compiled(unit.symbol, function.native_name, tuple(map(str, unit.signature.args)), code)


def main(symbols: list[str]) -> None:
    nowhere = ctypes.cast(ctypes.pythonapi.Py_DecRef, ctypes.c_void_p).value
    for symbol in UNITS:  # units call each other; while compiling, any address will do
        llvm.add_symbol(symbol, nowhere)
    print(serialize([build(UNITS[symbol]) for symbol in symbols]))


if __name__ == "__main__":
    main(sys.argv[1:])
