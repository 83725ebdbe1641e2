"""The machine: what it is, which processors are used, how much memory a process took."""

from __future__ import annotations

import os
import platform
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

PACKAGES = ("glassnet", "numpy", "numba", "llvmlite", "scipy", "scikit-learn", "torch", "jax")
CAN_PIN = hasattr(os, "sched_setaffinity")


def usable_cpus() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if CAN_PIN else os.cpu_count() or 1


@contextmanager
def pinned(count: int) -> Iterator[None]:
    """Keep this process, and those it starts meanwhile, on `count` processors; does nothing where that is impossible.

    The last ones are taken: the first is where most systems serve their interrupts.
    """
    if not CAN_PIN:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[-count:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def peak_memory() -> float:
    """The most memory this process has held, in MiB.

    Linux hands `ru_maxrss` down from the parent through fork and exec, hence its own high-water mark comes first.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held / 2**20 if sys.platform == "darwin" else held / 1024


def describe() -> dict[str, str | int | bool]:
    """The facts that a figure depends on."""
    facts: dict[str, str | int | bool] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu_name(),
        "cpus": os.cpu_count() or 1,
        "usable_cpus": usable_cpus(),
        "pinned": CAN_PIN,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    return facts | {name: _version(name) for name in PACKAGES}


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
