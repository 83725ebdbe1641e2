"""`python -m benchmarks.service --run RUN`: the service under load, beside onnxruntime served by the same app.

Each server is a process of its own; they are asked in turn, round by round, by a third one. `--mangled N` sends N damaged
images instead, and counts what comes back.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import itertools
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import glassnet as gn
from benchmarks.mangling import mangled
from benchmarks.service import load
from benchmarks.service.onnx_network import OnnxServed
from glassnet.errors import InputError

KINDS = ("glassnet", "onnxruntime")
DIFFERENCE = 1e-4  # at most, between the probabilities of the two
WARM = 3.0  # seconds


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="a run folder of a network for MNIST")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--mangled", type=int, default=0, metavar="N", help="send N damaged images instead")
    parser.add_argument("--serve", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--socket", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve is not None:
        return serve(options.serve, options.run, options.socket)
    return measure_mangled(options) if options.mangled else measure(options)


def serve(kind: str, run: Path, descriptor: int) -> int:
    """The process of a server, with as many threads for the network as `glassnet serve` gives it."""
    from glassnet.server.app import make_app
    from glassnet.server.listen import serve as listen
    from glassnet.server.served import load as load_runs

    threads = max(1, (os.cpu_count() or 2) - 1)
    os.environ["GLASSNET_THREADS"] = str(threads)
    served = load_runs([run])
    if kind == "onnxruntime":
        served = {name: OnnxServed(name, one.like, threads) for name, one in served.items()}
        for one in served.values():
            one.get_ready()
    try:
        listen(make_app(served, quiet=True), socket.socket(fileno=descriptor))
    except KeyboardInterrupt:
        return 0
    return 0


class Server:
    """A server in a process of its own."""

    def __init__(self, kind: str, run: Path) -> None:
        self.kind = kind
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
            self.port = listening.getsockname()[1]
            command = [sys.executable, "-m", "benchmarks.service", "--run", str(run), "--serve", kind]
            command += ["--socket", str(listening.fileno())]
            self.process = subprocess.Popen(command, pass_fds=[listening.fileno()])

    def memory(self) -> float:
        """Resident MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def close(self) -> None:
        self.process.send_signal(2)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


@contextmanager
def servers(run: Path, kinds: Sequence[str]) -> Iterator[list[Server]]:
    started = [Server(kind, run) for kind in kinds]
    try:
        yield started
    finally:
        for one in started:
            one.close()


def pictures(count: int) -> list[bytes]:
    """Test images of MNIST as PNG files."""
    from PIL import Image

    test = gn.load_dataset("mnist").test
    assert test is not None
    found = []
    for image in test.images[:count]:
        file = io.BytesIO()
        Image.fromarray(image[:, :, 0]).save(file, "png")
        found.append(file.getvalue())
    return found


def check(run: Path) -> None:
    """Raise unless onnxruntime gives the same probabilities."""
    from glassnet.server.served import load as load_runs

    (ours,) = load_runs([run]).values()
    theirs = OnnxServed(ours.name, ours.like)
    test = gn.load_dataset("mnist").test
    assert test is not None
    worst = float(np.abs(ours.probabilities(test.images[:500]) - theirs.probabilities(test.images[:500])).max())
    print(f"largest difference between their probabilities for 500 images: {worst:.1e}")
    if worst > DIFFERENCE:
        raise InputError("The ONNX graph computes something else.", received=worst)


def measure(options: argparse.Namespace) -> int:
    check(options.run)
    images, found = pictures(1000), {kind: load.Load() for kind in KINDS}
    memory: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with servers(options.run, KINDS) as started:
        for number in range(options.rounds + 1):
            for one in started if number % 2 == 0 else started[::-1]:
                requests = itertools.cycle([load.request(one.port, image, "image/png") for image in images])
                seconds = options.seconds if number else WARM
                result = asyncio.run(load.run(one.port, requests, options.connections, seconds))
                memory[one.kind].append(one.memory())
                if number:
                    total = found[one.kind]
                    total.seconds += result.seconds
                    total.statuses += result.statuses
                    total.duration += result.duration
    columns = "requests/s", "p50 ms", "p99 ms", "largest ms", "errors", "MiB after each round"
    print(f"{'':12}" + "".join(f"{name:>12}" for name in columns))
    for kind, result in found.items():
        times = [result.milliseconds(p) for p in (50, 99, 100)]
        cells = [f"{result.rate:.0f}", *(f"{value:.1f}" for value in times), str(result.errors)]
        print(f"{kind:12}" + "".join(f"{cell:>12}" for cell in cells) + "   " + " ".join(f"{m:.0f}" for m in memory[kind]))
    ratio = found[KINDS[0]].milliseconds(99) / found[KINDS[1]].milliseconds(99)
    print(f"p99: {ratio:.2f} × onnxruntime's ({options.connections} connections, {options.rounds} × {options.seconds:g} s)")
    return 1 if sum(result.errors for result in found.values()) else 0


def measure_mangled(options: argparse.Namespace) -> int:
    """Damaged PNG and JPEG files, of digits and of photographs' size, one after the other on 8 connections."""
    from PIL import Image

    files = []
    for number, content in enumerate(pictures(40)):
        image = Image.open(io.BytesIO(content)).resize((28, 28) if number % 4 else (400, 300))
        for kind, mime in (("png", "image/png"), ("jpeg", "image/jpeg")):
            file = io.BytesIO()
            image.convert("RGB" if number % 3 == 0 else "L").save(file, kind)
            files.append((file.getvalue(), mime))
    statuses: Counter[int] = Counter()
    with servers(options.run, KINDS[:1]) as (server,):
        warm = iter([load.request(server.port, *one) for one in files])
        asyncio.run(load.run(server.port, warm, 8, 120))
        before, start = server.memory(), time.perf_counter()
        damaged = (
            load.request(server.port, mangled(c, seed), m)
            for seed, (c, m) in zip(range(options.mangled), itertools.cycle(files))
        )
        statuses += asyncio.run(load.run(server.port, damaged, 8, 1e9)).statuses
        seconds, after = time.perf_counter() - start, server.memory()
        alive = server.process.poll() is None
    told = ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))
    print(f"{options.mangled} damaged images in {seconds:.0f} s: {told}; {before:.0f} MiB before, {after:.0f} MiB after")
    bad = sum(count for status, count in statuses.items() if status >= 500 or not status)
    return 1 if bad or not alive else 0


if __name__ == "__main__":
    sys.exit(main())
