"""Errors as JSON: the parts of a `GlassnetError`."""

from __future__ import annotations

import json
from collections.abc import Mapping

from glassnet.errors import GlassnetError

PARTS = ("what", "where", "expected", "received", "hint")
LONGEST = 500  # characters of a part: what a client has sent is not sent back whole


class Refused(GlassnetError):
    """A request that is not answered as asked; `status` is that of HTTP."""

    def __init__(
        self,
        status: int,
        what: str,
        *,
        where: object = None,
        expected: object = None,
        received: object = None,
        hint: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(what, where=where, expected=expected, received=received, hint=hint)
        self.status, self.headers = status, dict(headers or {})


def problem(error: GlassnetError) -> dict[str, str | None]:
    """What is wrong, and where known: where, expected, received, hint."""
    values = ((name, getattr(error, name)) for name in PARTS)
    return {name: None if value is None else str(value)[:LONGEST] for name, value in values}


def problem_bytes(error: GlassnetError) -> bytes:
    return json.dumps(problem(error), ensure_ascii=False).encode("utf-8", "replace")
