"""The machine: description, pinning to processors, memory of a process."""

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

PACKAGES = ("glassnet", "numpy", "numba", "llvmlite", "scipy", "scikit-learn", "torch", "jax", "onnxruntime", "openvino")
CAN_PIN = hasattr(os, "sched_setaffinity")


def usable_cpus() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if CAN_PIN else os.cpu_count() or 1


@contextmanager
def pinned(count: int) -> Iterator[None]:
    """Pin this process, and those it starts meanwhile, to the last `count` processors; does nothing if unsupported.

    Most systems handle interrupts on the first processor.
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
    """Peak memory of this process in MiB.

    On Linux `ru_maxrss` is inherited through fork and exec, so VmHWM is preferred.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held / 2**20 if sys.platform == "darwin" else held / 1024


def describe() -> dict[str, str | int | bool]:
    """The properties of the machine that results depend on."""
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
