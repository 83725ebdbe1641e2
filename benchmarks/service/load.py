"""A load of requests: some connections that each send the next request when the last one is answered."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Load:
    """What came back: seconds of each request, statuses (0: the connection broke), and how long all took."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    duration: float = 0.0

    def milliseconds(self, percentile: float) -> float:
        return 1000 * float(np.percentile(self.seconds, percentile))

    @property
    def rate(self) -> float:
        return len(self.seconds) / self.duration

    @property
    def errors(self) -> int:
        return sum(count for status, count in self.statuses.items() if status != 200)


def request(port: int, body: bytes, kind: str) -> bytes:
    """The bytes of a request to classify `body`."""
    head = (
        f"POST /api/predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def run(port: int, requests: Iterator[bytes], connections: int, seconds: float) -> Load:
    """Send requests until there are none left, or the time is over."""
    load, start = Load(), time.perf_counter()
    await asyncio.gather(*(_connection(port, requests, load, start + seconds) for _ in range(connections)))
    load.duration = time.perf_counter() - start
    return load


async def _connection(port: int, requests: Iterator[bytes], load: Load, until: float) -> None:
    reader = writer = None
    for content in requests:
        if time.perf_counter() >= until:
            break
        if writer is None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert reader is not None
        start = time.perf_counter()
        try:
            writer.write(content)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]))
            status = int(head[9:12])
        except (OSError, asyncio.IncompleteReadError):
            status, head = 0, b"connection: close"
        load.seconds.append(time.perf_counter() - start)
        load.statuses[status] += 1
        if b"connection: close" in head.lower():
            writer.close()
            writer = None
    if writer is not None:
        writer.close()
