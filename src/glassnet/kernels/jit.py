"""How kernels are marked for compilation: `compiled` for those used inside others, `outlined` for those that stand alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numba
from numba.core import types

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
    """`function` for use by other compiled functions, each of which takes in a copy of it."""
    return numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)(function)


def outlined(signature: Any) -> Callable[[Function], Any]:
    """Mark a function as a unit; in compiled code the name then means a call to its symbol.

    Numba optimises a copy of each callee again within each caller; for code as large as the tiles that costs seconds a level.
    """

    def decorate(function: Function) -> Any:
        unit = Unit(f"glassnet_{function.__name__}", signature, function)
        UNITS[unit.symbol] = unit
        return types.ExternalFunction(unit.symbol, signature)

    return decorate
