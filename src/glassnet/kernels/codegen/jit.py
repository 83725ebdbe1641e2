"""How kernels are marked for compilation: `compiled` for those used inside others, `outlined` for those that stand alone."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numba
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

Function = TypeVar("Function", bound=Callable[..., Any])

# Products may fuse with sums; NaN, infinity and the order of sums keep their meaning.
OPTIONS: dict[str, Any] = {"fastmath": {"contract", "nsz"}, "error_model": "numpy"}


@dataclass(frozen=True)
class Unit:
    """A function of numbers and addresses that is compiled once, by itself, into an object file of its own."""

    symbol: str
    signature: Any
    function: Callable[..., Any]


UNITS: dict[str, Unit] = {}


def compiled(function: Function) -> Function:
    """`function` for use by other compiled functions, each with its own copy."""
    return numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)(function)


def inlined(function: Function) -> Function:
    """`function` for use by other compiled functions, whose own code it becomes: one array given twice is seen to be one."""
    return numba.njit(inline="always", no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)(function)


def called_at(signature: Any) -> Any:
    """A function of an address and a unit's arguments: it calls the unit there, which need not be loaded before."""

    def call(_typing: Any, *arguments: Any) -> Any:  # Numba's functions return a pointer; WebAssembly compares the types
        def codegen(context: Any, builder: ir.IRBuilder, _signature: Any, args: Sequence[ir.Value]) -> ir.Value:
            kind = ir.FunctionType(
                ir.IntType(8).as_pointer(), [context.get_value_type(argument) for argument in signature.args]
            )
            builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
            return context.get_dummy_value()

        return types.void(types.int64, *signature.args), codegen

    call.__signature__ = named_parameters(len(signature.args) + 2)  # type: ignore[attr-defined]  # functions have it at run time
    return intrinsic(call)


def named_parameters(count: int) -> inspect.Signature:
    """The signature of a function of so many positional arguments: Numba needs them one by one."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature([inspect.Parameter(f"argument{number}", kind) for number in range(count)])


def outlined(signature: Any, name: str | None = None) -> Callable[[Function], Any]:
    """Mark a function as a unit, by its name or another; in compiled code the name then means a call to its symbol.

    Numba optimises a copy of each callee again within each caller; for code as large as the tiles that takes seconds a level.
    """

    def decorate(function: Function) -> Any:
        unit = Unit(f"glassnet_{name or function.__name__}", signature, function)
        UNITS[unit.symbol] = unit
        return types.ExternalFunction(unit.symbol, signature)

    return decorate
