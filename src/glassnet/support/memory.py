"""Refuse what does not fit into memory before it is allocated: the system may promise it, and kill the process later."""

from __future__ import annotations

import os
import shutil
from math import inf
from pathlib import Path

from glassnet.errors import DataError, GlassnetError, InputError
from glassnet.support.i18n import tr

SMALL = 1 << 28  # bytes that are never refused
DATA_FRACTION = 0.6  # of the memory available, that a data set may take
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of a container: versions 2 and 1


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def available() -> float:
    """Bytes that this process can still allocate; infinity where the system does not report it."""
    known = dict(line.split(":", 1) for line in _read("/proc/meminfo").splitlines())
    if "MemAvailable" in known:
        free = 1024.0 * sum(int(known.get(name, "0 kB").split()[0]) for name in ("MemAvailable", "SwapFree"))
    else:
        try:
            free = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        except (AttributeError, ValueError, OSError):
            free = inf
    return min(free, *(float(limit) if limit.isdigit() else inf for limit in (_read(path).strip() for path in LIMITS)))


def _require(size: int, share: float, error: type[GlassnetError], what: str, where: object, hint: str | None) -> None:
    if size > SMALL and size > (most := share * available()):
        raise error(
            tr("This needs more memory than there is."),
            where=where,
            expected=tr("at most {size:,.1f} GB", size=most / 1e9),
            received=tr("{size:,.1f} GB for {what}", size=size / 1e9, what=what),
            hint=hint,
        )


def require_memory(size: int, what: str, where: object, hint: str) -> None:
    """Raise `InputError` if `size` bytes for `what` are more than there are."""
    _require(size, 1, InputError, what, where, hint)


def require_activations(size: int, images: int) -> None:
    """Raise `InputError` if `size` bytes, for the outputs of all layers for so many images at once, are too many."""
    if size <= SMALL:  # most are: without the sentences, which take as long as a small training step
        return
    what = tr("the outputs of all layers for {images:,} images at once", images=images)
    require_memory(size, what, tr("the network"), tr("a smaller batch_size, smaller images, or fewer filters"))


def require_memory_for_data(size: int, what: str, where: object, hint: str | None = None) -> None:
    """Raise `DataError` if `size` bytes for `what` are more than a data set may take."""
    _require(size, DATA_FRACTION, DataError, what, where, hint)


def require_room(folder: Path, size: int) -> None:
    """Raise `DataError` if so many bytes do not fit on the disk of a folder, which need not exist."""
    place = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(place).free
    if size > free:
        raise DataError(
            tr("There is not enough room on the disk."),
            where=folder,
            expected=tr("{size:,.1f} GB", size=size / 1e9),
            received=tr("{size:,.1f} GB free", size=free / 1e9),
            hint=tr("make room, choose another disk, or smaller images: size = 32"),
        )
