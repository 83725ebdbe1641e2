"""One epoch on memory-mapped images of ten times the memory that the process may use, beside the same images in memory.

`python -m benchmarks.shards capped [--gigabytes 3] [--megabytes 300] [--rounds 2] [--folder DIR] [dense|strided|lenet …]`

The images are those of chinese-numerals (64×64), over and over. The memory is limited by a control group of Linux, to which
the system's cache of the file counts, too; making one needs root. Before each of these trainings the file is dropped from
the cache.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

GROUPS = Path("/sys/fs/cgroup")
BATCHES = {"dense": 10, "strided": 64, "lenet": 64}
CHUNK = 1 << 22


def write_images(folder: Path, size: int) -> int:
    """Write about `size` bytes of images and their labels; the number of images."""
    import glassnet as gn

    data = gn.load_dataset("chinese-numerals", size=64).train
    times = max(1, round(size / data.images.nbytes))
    shape = (times * len(data), *data.shape)
    images = np.lib.format.open_memmap(folder / "images.npy", mode="w+", dtype=np.uint8, shape=shape)
    rng = np.random.default_rng(0)
    labels = []
    for time_ in range(times):  # each time in another order
        order = rng.permutation(len(data))
        images[time_ * len(data) : (time_ + 1) * len(data)] = data.images[order]
        labels.append(data.labels[order])
    images.flush()
    np.save(folder / "labels.npy", np.concatenate(labels))
    return shape[0]


def forget(path: Path) -> None:
    """Drop a file from the system's cache."""
    file = os.open(path, os.O_RDONLY)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)


def disk_speed(path: Path, most: int = 1 << 30) -> float:
    """Bytes a second of reading the file in a row, not from the cache."""
    forget(path)
    with path.open("rb", buffering=0) as file:
        start, total = time.perf_counter(), 0
        while total < most and (read := len(file.read(CHUNK))):
            total += read
    return total / (time.perf_counter() - start)


def network(kind: str) -> Any:
    """4096-30-15 with sigmoids; one convolution with stride 4; or two convolutions, about as LeNet."""
    import glassnet as gn

    if kind == "dense":
        dense = [gn.Flatten(), gn.Pixels(), gn.Dense(30), gn.Sigmoid(), gn.Dense(15), gn.Sigmoid()]
        return gn.Network(dense, input_shape=(64, 64, 1), loss="Quadratic", seed=1)
    block = [gn.Conv2D(8, 5, strides=4), gn.ReLU(), gn.MaxPool2D(2)]
    if kind == "lenet":
        block = [gn.Conv2D(8, 5, strides=2), gn.ReLU(), gn.MaxPool2D(2), gn.Conv2D(16, 5), gn.ReLU(), gn.MaxPool2D(2)]
    layers = [gn.Pixels(), *block, gn.Flatten(), gn.Dense(15)]
    return gn.Network(layers, input_shape=(64, 64, 1), loss="SoftmaxCrossEntropy", seed=1)


def work(kind: str, folder: Path, threads: int, *, inside: bool) -> None:
    """Train one epoch, and print the seconds, a checksum of the weights, and what was read and held."""
    import glassnet as gn

    images, labels = np.load(folder / "images.npy", mmap_mode=None if inside else "r"), np.load(folder / "labels.npy")
    data = gn.Dataset(images, labels)
    block = gn.Dataset(np.load(folder / "images.npy", mmap_mode="r"), labels).block
    options: dict[str, Any] = {"batch_size": BATCHES[kind], "optimizer": gn.SGD(0.1), "seed": 1, "threads": threads}
    options |= {"progress": False, "shuffle_block": block}
    network(kind).fit(gn.Dataset(images[:500], labels[:500], data.classes), 1, **options)  # compiles
    made, start = network(kind), time.process_time()
    history = made.fit(data, 1, **options)
    counts = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    print(json.dumps({
        "seconds": history.seconds[0],
        "processor": time.process_time() - start,
        "weights": hashlib.sha256(made.state.tobytes()).hexdigest()[:16],
        "resident": 1024 * int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]),
        "read": int(counts["read_bytes"]),
    }))  # fmt: skip


@contextmanager
def limited(size: int) -> Iterator[Path]:
    """A control group whose processes, with their cache, may use so many bytes; the file that takes their numbers."""
    old = GROUPS / "memory"
    group = (old if old.is_dir() else GROUPS) / f"glassnet-capped-{os.getpid()}"
    group.mkdir()
    try:
        (group / ("memory.limit_in_bytes" if old.is_dir() else "memory.max")).write_text(str(size))
        yield group / "cgroup.procs"
    finally:
        group.rmdir()


def most_used(procs: Path) -> int:
    """The most bytes that a group has used, its cache among them."""
    files = [procs.with_name(name) for name in ("memory.max_usage_in_bytes", "memory.peak")]
    return next((int(file.read_text()) for file in files if file.exists()), 0)


def measure(kind: str, folder: Path, threads: int, cap: int | None) -> dict[str, Any]:
    """What the training in a process of its own printed; with a `cap`, on the file, else in memory."""
    command = [sys.executable, "-m", "benchmarks.shards_capped", "work", kind, str(folder), str(threads)]
    if cap is None:
        output = subprocess.run([*command, "inside"], stdout=subprocess.PIPE, text=True, check=True).stdout
        return dict(json.loads(output.splitlines()[-1]))
    forget(folder / "images.npy")
    with limited(cap) as procs:
        joined = ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(procs), *command]
        output = subprocess.run(joined, stdout=subprocess.PIPE, text=True, check=True).stdout
        return {**json.loads(output.splitlines()[-1]), "used": most_used(procs)}


def capped(arguments: list[str]) -> int:
    """Compare, and print a line for each training; 1 if bits differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shards capped", description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", choices=(*BATCHES, []), metavar="dense|strided|lenet")
    parser.add_argument("--gigabytes", type=float, default=3.0, help="of images (%(default)s)")
    parser.add_argument("--megabytes", type=float, default=300.0, help="of memory, with the cache (%(default)s)")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where the images are written, and removed afterwards")
    options = parser.parse_args(arguments)
    same = True
    with tempfile.TemporaryDirectory(prefix="glassnet-capped-", dir=options.folder) as name:
        folder = Path(name)
        count = write_images(folder, int(options.gigabytes * 1e9))
        size = (folder / "images.npy").stat().st_size
        print(f"{count:,} images, {size / 1e9:.2f} GB; memory limited to {options.megabytes:.0f} MB")
        for kind in options.kinds or BATCHES:
            for _ in range(options.rounds):
                disk = disk_speed(folder / "images.npy")
                stored = measure(kind, folder, options.threads, int(options.megabytes * 1e6))
                inside = measure(kind, folder, options.threads, None)
                same &= stored["weights"] == inside["weights"]
                print(
                    f"{kind:6} in memory {inside['seconds']:6.1f} s = {size / inside['seconds'] / 1e6:5.0f} MB/s   "
                    f"limited {stored['seconds']:6.1f} s = {size / stored['seconds'] / 1e6:5.0f} MB/s: "
                    f"{inside['seconds'] / stored['seconds']:6.1%} of the speed   "
                    f"processor {inside['processor']:.1f} and {stored['processor']:.1f} s   "
                    f"bits {'same' if stored['weights'] == inside['weights'] else 'DIFFER'}   disk {disk / 1e6:.0f} MB/s, "
                    f"read {stored['read'] / 1e9:.2f} GB   most resident {stored['resident'] / 1e6:.0f} MB, "
                    f"with the cache {stored['used'] / 1e6:.0f} MB",
                    flush=True,
                )
    return 0 if same else 1


if __name__ == "__main__":
    work(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), inside=sys.argv[5:] == ["inside"])
