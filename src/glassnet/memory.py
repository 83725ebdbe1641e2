"""Refuse what does not fit into memory before it is asked for: the system may promise it, and end the process later."""

from __future__ import annotations

import os
from math import inf
from pathlib import Path

from glassnet.errors import InputError

SMALL = 1 << 28  # bytes that are not worth a look
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of a container: versions 2 and 1


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def available() -> float:
    """Bytes that this process may still have; infinitely many where the system does not tell."""
    known = dict(line.split(":", 1) for line in _read("/proc/meminfo").splitlines())
    if "MemAvailable" in known:
        free = 1024.0 * sum(int(known.get(name, "0 kB").split()[0]) for name in ("MemAvailable", "SwapFree"))
    else:
        try:
            free = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        except (AttributeError, ValueError, OSError):
            free = inf
    return min(free, *(float(limit) if limit.isdigit() else inf for limit in (_read(path).strip() for path in LIMITS)))


def require_memory(size: int, what: str, where: object, hint: str) -> None:
    """Raise `InputError` where `size` bytes for `what` are more than there are."""
    if size > SMALL and size > (free := available()):
        raise InputError(
            "This needs more memory than there is.",
            where=where,
            expected=f"at most {free / 1e9:,.1f} GB",
            received=f"{size / 1e9:,.1f} GB for {what}",
            hint=hint,
        )
