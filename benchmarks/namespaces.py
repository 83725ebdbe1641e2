"""Two network namespaces joined by a link of a given delay and rate: a stand-in for two machines. Linux, as root.

Each namespace has a TUN device; a process of real-time priority carries their packets to each other, each one `size / rate`
after the one before it and `delay` later. (Many kernels lack `netem`.) The namespaces and devices
have no names: they go when that process ends, which it does when whoever started it does, however that ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import shlex
import struct
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ADDRESSES = ("10.83.0.1", "10.83.0.2")
PACKET = 65520  # bytes at most: few packets, so that carrying them takes little of the processors' time
CLONE_NEWNET = 0x40000000  # <linux/sched.h>
TUNSETIFF, TUN, NO_PACKET_INFO = 0x400454CA, 0x0001, 0x1000  # <linux/if_tun.h>


@dataclass(frozen=True)
class Machines:
    """Two namespaces, as paths that `nsenter --net=` takes."""

    paths: tuple[str, str]
    shell: Path  # takes the place of ssh

    def mpiexec(self, mpiexec: str, ranks: int) -> list[str]:
        """The start of a command that runs so many ranks, half of them on each machine."""
        return [
            "nsenter", f"--net={self.paths[0]}", mpiexec, "-localhost", ADDRESSES[0], "-hosts", ",".join(ADDRESSES),
            "-launcher", "ssh", "-launcher-exec", str(self.shell), "-ppn", str(-(-ranks // 2)), "-n", str(ranks),
        ]  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which MPICH uses TCP: nothing else tells these machines apart from one."""
        return {**os.environ, "MPIR_CVAR_CH4_NETMOD": "ofi", "FI_PROVIDER": "tcp", "FI_TCP_IFACE": "machine"}


@contextlib.contextmanager
def two_machines(delay: float, rate: float) -> Iterator[Machines]:
    """Two namespaces; packets take `delay` seconds each way, and `rate` bits a second pass."""
    command = [sys.executable, "-m", "benchmarks.namespaces", str(delay), str(rate)]
    with tempfile.TemporaryDirectory() as folder:
        wire = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0)
        try:
            assert wire.stdout is not None
            if not (said := wire.stdout.readline().split()):
                raise SystemExit("Network namespaces need Linux, /dev/net/tun, iproute2 and root.")
            paths = (said[0], said[1])
            shell = Path(folder) / "shell"
            script = ["#!/bin/sh", 'while [ "${1#-}" != "$1" ]; do shift; done', "host=$1; shift", "case $host in"]
            for host, path in zip(ADDRESSES, paths, strict=True):
                script.append(f'{host}) exec nsenter --net={path} sh -c "$*";;')
            shell.write_text("\n".join([*script, "esac", ""]))
            shell.chmod(0o700)
            yield Machines(paths, shell)
        finally:
            wire.communicate()  # its input ends, so it does


def _machine(address: str) -> tuple[int, str]:
    """A new namespace, in which this process then is: its TUN device, and the path of the namespace."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise SystemExit(os.strerror(ctypes.get_errno()))
    kept = os.open("/proc/self/ns/net", os.O_RDONLY)
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH14x", b"machine", TUN | NO_PACKET_INFO))
    for arguments in (f"addr add {address}/24 dev machine", f"link set machine mtu {PACKET} up", "link set lo up"):
        subprocess.run(["ip", *shlex.split(arguments)], check=True)
    return device, f"/proc/{os.getpid()}/fd/{kept}"


def carry(delay: float, rate: float) -> None:
    """Make two namespaces, print their paths, and carry packets between them until the standard input ends."""
    made = [_machine(address) for address in ADDRESSES]
    print(*(path for _, path in made), flush=True)
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    devices = [device for device, _ in made]
    others = dict(zip(devices, reversed(devices), strict=True))
    free = dict.fromkeys(devices, 0.0)  # when the last packet from a device has left
    under_way: dict[int, deque[tuple[float, bytes]]] = {device: deque() for device in devices}
    while True:
        due = min((queue[0][0] for queue in under_way.values() if queue), default=None)
        ready, _, _ = select.select(
            [sys.stdin, *devices], [], [], None if due is None else max(0.0, due - time.perf_counter())
        )
        if sys.stdin in ready:
            return
        now = time.perf_counter()
        for device in devices:
            if device in ready:
                packet = os.read(device, PACKET)
                free[device] = max(now, free[device]) + 8 * len(packet) / rate
                under_way[device].append((free[device] + delay, packet))
            queue = under_way[device]
            while queue and queue[0][0] <= now:
                with contextlib.suppress(BlockingIOError):  # a packet lost
                    os.write(others[device], queue[0][1])
                queue.popleft()


if __name__ == "__main__":
    carry(*map(float, sys.argv[1:]))
