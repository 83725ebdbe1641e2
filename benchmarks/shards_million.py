"""A million images drawn from fonts: sharding, one epoch, inspection, evaluation and report, each within 2 GiB.

    python -m benchmarks.shards million [--images 1000000] [--folder DIR]

Each command is one that a user would type. It runs in a memory cgroup of 2 GiB where one can be made (cgroup version 1 or 2,
as root); its peaks are those of all its processes together, sampled: memory that is its own (anonymous), and with the pages
of mapped files that it has looked at, which the system takes back when it needs them. DIR keeps the shards, the run and what
was measured, so that the next call goes on after the last command that ended well.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from glassnet.data.fonts import find_faces
from glassnet.data.readers.drawn import SETS
from glassnet.support.terminal import table

LIMIT = 2 * 2**30
CHARACTERS, SIZE = 500, 28
RECIPE = """
[data]
dataset = "digits"

[network]
loss = "SoftmaxCrossEntropy"
layers = [
    "Pixels",
    { type = "Conv2D", filters = 8, kernel_size = 5 },
    "ReLU",
    { type = "MaxPool2D", pool_size = 2 },
    "Flatten",
    { type = "Dense", units = 64 },
    "ReLU",
    { type = "Dense", units = 500 },
]

[training]
epochs = 1
batch_size = 64
optimizer = { type = "Adam", learning_rate = 0.001 }
seed = 1
"""


@dataclass(frozen=True)
class Measured:
    """One command: seconds, exit code, and the peaks of its memory in bytes."""

    code: int
    seconds: float
    own: int
    mapped: int


@contextlib.contextmanager
def cgroup(limit: int) -> Iterator[Path | None]:
    """A memory cgroup, removed at the end; None where none can be made."""
    for root, name in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        group = Path(root, f"glassnet-benchmark-{os.getpid()}")
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / name).write_text(str(limit))
        except OSError:
            group.rmdir()
            continue
        try:
            yield group
        finally:
            for _ in range(50):
                with contextlib.suppress(OSError):
                    group.rmdir()
                    break
                time.sleep(0.1)
        return
    yield None


def run(command: list[str], group: Path | None) -> Measured:
    """Run a command of glassnet in the cgroup, and look at its processes ten times a second."""
    before = time.perf_counter()
    first = [sys.executable, "-c", "import os,sys\nif sys.argv[1]: open(sys.argv[1],'w').write(str(os.getpid()))\n"
             "os.execv(sys.executable, [sys.executable, '-m', 'glassnet', *sys.argv[2:]])"]  # fmt: skip
    process = subprocess.Popen([*first, "" if group is None else str(group / "cgroup.procs"), *command])
    own = mapped = 0
    while process.poll() is None:
        anonymous, whole = memory(family(process.pid))
        own, mapped = max(own, anonymous), max(mapped, whole)
        time.sleep(0.1)
    return Measured(process.returncode, time.perf_counter() - before, own, mapped)


def family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def memory(pids: list[int]) -> tuple[int, int]:
    """Anonymous memory and all resident memory of processes."""
    sums = {"RssAnon": 0, "VmRSS": 0}
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                name, _, value = line.partition(":")
                if name in sums:
                    sums[name] += 1024 * int(value.split()[0])
    return sums["RssAnon"], sums["VmRSS"]


def measure(images: int, folder: Path) -> int:
    """Run all commands; 0 if all of them ended well."""
    text = SETS["hanzi"][:CHARACTERS]
    faces = find_faces(["system"], tuple(text)).faces
    copies = -(-images // (CHARACTERS * len(faces)))
    count = copies * CHARACTERS * len(faces)
    print(f"{count:,} images of {SIZE} × {SIZE}: {CHARACTERS} characters, {len(faces)} fonts, {copies} copies\n", flush=True)
    recipe, shards, trained = folder / "small.toml", folder / f"{count}.shards", folder / f"{count}.run"
    recipe.write_text(RECIPE, encoding="utf-8")
    fonts = [option for face in faces for option in ("--fonts", str(face.path))]
    commands = {
        "shard": ["shard", *fonts, "--characters", text, "--copies", str(copies), "--size", str(SIZE), str(shards)],
        "shard --check": ["shard", "--check", str(shards)],
        "train, 1 epoch": ["train", str(recipe), "--data", str(shards), "--out", str(trained)],
        "inspect": ["inspect", str(shards)],
        "diagnose": ["diagnose", str(trained)],
        "evaluate": ["evaluate", str(trained)],
        "report": ["report", str(trained)],
    }
    rows = [["command", "time", "own memory", "with mapped files", "exit code"]]
    notes = folder / f"{count}.measured.json"
    known = json.loads(notes.read_text()) if notes.exists() else {}
    with cgroup(LIMIT) as group:
        for name, command in commands.items():
            if name not in known:
                print(f"--- glassnet {name}", flush=True)
                known[name] = asdict(run(command, group))
                notes.write_text(json.dumps(known))
            found = Measured(**known[name])
            rows.append([
                name, f"{found.seconds:.0f} s", f"{found.own / 2**20:,.0f} MiB", f"{found.mapped / 2**20:,.0f} MiB",
                str(found.code),
            ])  # fmt: skip
            if found.code:
                del known[name]
                break
    notes.write_text(json.dumps(known))
    print(f"\n{count:,} images; " + ("each command in 2 GiB" if group else "no cgroup could be made: memory was not limited"))
    print("\n".join(table(rows)))
    return int(any(row[-1] != "0" for row in rows[1:]))


def million(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shards million")
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        folder = options.folder or Path(place)
        folder.mkdir(parents=True, exist_ok=True)
        return measure(options.images, folder)
