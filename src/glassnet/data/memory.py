"""How much memory there is for data: what would not fit is refused before anything is allocated."""

from __future__ import annotations

import os

from glassnet.errors import DataError

SHARE = 0.6  # of the machine's memory, that a data set may take


def memory_there() -> int | None:
    """Bytes that a data set may take on this machine; None where that is not known."""
    try:
        return int(SHARE * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):  # not on Windows
        return None


def check_memory(needed: int, where: object, what: str, hint: str | None = None) -> None:
    """Raise `DataError` where `needed` bytes for `what` are more than that."""
    there = memory_there()
    if there is not None and needed > there:
        raise DataError(
            "The pictures would not fit into memory.",
            where=where,
            expected=f"at most {there / 2**30:.1f} GiB",
            received=f"{what}: {needed / 2**30:.1f} GiB",
            hint=hint,
        )
