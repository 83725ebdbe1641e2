"""Checks of numbers: each returns the number, or raises `InputError` with the caller's sentence."""

from __future__ import annotations

from math import isfinite
from numbers import Integral, Real
from typing import Any, TypeGuard

from glassnet.errors import InputError
from glassnet.support.i18n import tr


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a value is an integer of Python or NumPy, and not a boolean."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a finite real number, and not a boolean."""
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def whole_number(value: Any, what: str, where: str, expected: str | None = None, least: int = 1) -> int:
    """An int of at least `least`."""
    if not is_whole(value) or value < least:
        raise InputError(what, where=where, expected=expected or tr("a whole number above 0"), received=repr(value))
    return int(value)


def positive(value: Any, what: str, where: str) -> float:
    """A finite number above 0, not a boolean."""
    if not is_number(value) or value <= 0:
        raise InputError(what, where=where, expected=tr("a number above 0"), received=value)
    return float(value)


def not_negative(value: Any, what: str, where: str) -> float:
    """A finite number of at least 0."""
    if not (isfinite(value) and value >= 0):
        raise InputError(what, where=where, expected=tr("a number of at least 0"), received=value)
    return float(value)


def below_one(value: Any, what: str, where: str, name: str) -> float:
    """A number in [0, 1); `name` stands for it in the message."""
    if not 0 <= value < 1:
        raise InputError(what, where=where, expected=f"0 ≤ {name} < 1", received=value)
    return float(value)


def between(value: Any, what: str, where: str, name: str) -> float:
    """A number in (0, 1)."""
    if not 0 < value < 1:
        raise InputError(what, where=where, expected=f"0 < {name} < 1", received=value)
    return float(value)
