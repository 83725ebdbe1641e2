"""The environment variables that glassnet reads, with a check of their names and values; and the cores it may use."""

from __future__ import annotations

import os
from collections.abc import Callable

from glassnet.errors import InputError
from glassnet.support.i18n import VARIABLES, mark, tr
from glassnet.support.registry import did_you_mean, nearest

PREFIX = "GLASSNET_"
UNITS = ("avx512", "avx2", "neon", "sse", "wasm", "scalar")  # vector units that the kernels are written for


def _is_language(value: str) -> bool:
    return value.lower().startswith(("en", "zh"))


def _is_count(value: str) -> bool:
    return value.isascii() and value.isdigit() and int(value) > 0


KNOWN: dict[str, tuple[Callable[[str], bool], str]] = {  # which values are possible, and how that is said
    "GLASSNET_DATA": (lambda value: True, mark("a folder")),
    "GLASSNET_CACHE": (lambda value: True, mark("a folder")),
    "GLASSNET_LANG": (_is_language, "en | zh"),
    "GLASSNET_THREADS": (_is_count, mark("a whole number above 0")),
    "GLASSNET_RANK_TIMEOUT": (_is_count, mark("a whole number above 0")),
    "GLASSNET_KERNELS": (lambda value: value in ("0", "1"), "0 | 1"),
    "GLASSNET_TOKEN": (lambda value: True, mark("a text that clients of `glassnet serve` have to know")),
    "GLASSNET_SIMD": (lambda value: value.lower() in UNITS, " | ".join(UNITS)),
}
assert VARIABLES[0] in KNOWN


def available_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_environment() -> None:
    """Raise `InputError` for a variable with an impossible value, or whose name is a misspelling of a known one."""
    for name in sorted(os.environ):
        if not name.upper().startswith(PREFIX) or not os.environ[name]:
            continue
        if name in KNOWN:
            check_variable(name)
        elif close := nearest(name[len(PREFIX) :], [known[len(PREFIX) :] for known in KNOWN]):
            raise InputError(
                tr("glassnet has no such environment variable."),
                where=name,
                expected=" | ".join(KNOWN),
                received=f"{name}={os.environ[name]}",
                hint=did_you_mean(PREFIX + close),
            )


def check_variable(name: str) -> str:
    """The value of a variable, empty if it is not set; `InputError` if it is impossible."""
    value = os.environ.get(name, "")
    is_possible, expected = KNOWN[name]
    if value and not is_possible(value):
        raise InputError(
            tr("An environment variable has a value that it can't have."),
            where=name,
            expected=expected if "|" in expected else tr(expected),
            received=repr(value),
        )
    return value
