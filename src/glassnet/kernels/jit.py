"""Compilation by Numba, with a cache on disk that notices an edit in any kernel file.

Numba's own cache watches only the file of the function it keeps, not those it calls; here the folder's name is a digest of
all kernel sources, of the vector unit and of Numba's version, and folders of older digests are removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import llvmlite.binding as llvm
import numba
import platformdirs
from numba.core import config, types

from glassnet.kernels.host import UNIT

Function = TypeVar("Function", bound=Callable[..., Any])

KEEP_ALIVE: list[Any] = []  # compiled code goes when its last owner goes

FAST = {"contract", "nsz"}  # products may fuse with sums; NaN, infinity and the order of sums keep their meaning


def _digest() -> str:
    digest = hashlib.sha256(f"{numba.__version__} {UNIT}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _cache_root() -> Path:
    chosen = os.environ.get("GLASSNET_CACHE")
    return (Path(chosen) if chosen else Path(platformdirs.user_cache_dir("glassnet"))) / "kernels"


CACHE_FOLDER = _cache_root() / _digest()


def is_cached() -> bool:
    """Whether this machine has compiled kernels of these sources before."""
    return any(CACHE_FOLDER.rglob("*.nbi"))


def forget_older(keep: int = 4) -> None:
    """Remove all but the newest `keep` digests (several vector units or versions may be in use side by side)."""
    with contextlib.suppress(OSError):
        folders = sorted(CACHE_FOLDER.parent.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in folders[keep:]:
            shutil.rmtree(path, ignore_errors=True)


def _kept(decorate: Callable[..., Callable[[Function], Any]], function: Function) -> Any:
    """Apply a Numba decorator with its disk cache in our folder; without one where the folder can't be written."""
    saved = config.CACHE_DIR
    try:
        CACHE_FOLDER.mkdir(parents=True, exist_ok=True)
        config.CACHE_DIR = str(CACHE_FOLDER)
        return decorate(cache=True)(function)
    except (OSError, RuntimeError):
        return decorate(cache=False)(function)
    finally:
        config.CACHE_DIR = saved


def compiled(function: Function) -> Function:
    """`function` for use by other compiled functions, each of which takes in a copy of it."""
    return numba.njit(nogil=True, fastmath=FAST, error_model="numpy", no_cpython_wrapper=True)(function)  # type: ignore[no-any-return]


def entry(signature: Any) -> Callable[[Function], Function]:
    """A function that Python calls: compiled for one signature, kept on disk, run without the interpreter's lock."""

    def decorate(function: Function) -> Function:
        options = {"nogil": True, "fastmath": FAST, "error_model": "numpy"}
        return _kept(lambda cache: numba.njit(signature, cache=cache, **options), function)  # type: ignore[no-any-return]

    return decorate


def outlined(signature: Any) -> Callable[[Function], Any]:
    """A function of numbers and addresses, compiled once by itself; callers jump to its symbol.

    Numba optimises a copy of each callee again within each caller: for the tiles that costs seconds a level.
    """

    def decorate(function: Function) -> Any:
        pointer = _kept(lambda cache: numba.cfunc(signature, cache=cache, fastmath=FAST, error_model="numpy"), function)
        symbol = f"glassnet{function.__name__}"
        llvm.add_symbol(symbol, pointer.address)
        KEEP_ALIVE.append(pointer)
        return types.ExternalFunction(symbol, signature)

    return decorate
