"""Training on several ranks: `python -m benchmarks.ranks WHAT [--steps N] [--rounds N] [RECIPE…]`.

- `bits`: shortened recipes on 1, 2, 4 and 8 ranks of 1 and 2 threads; their weights must not differ in a bit.
- `speed`: a step on two ranks of one thread beside one process with two threads, and with one, in turn.
- `torch`: a step on two ranks beside PyTorch's DistributedDataParallel (gloo) on two processes of one thread, with the same
  network, optimizer and mini-batch, without augmentation; its batch normalisation takes the statistics of its own images.
- `model`: the constants of the cost model in benchmarks/scaling.py, and what it predicts for 2 … 256 ranks on three links.
- `namespaces`: two ranks of one thread in two network namespaces (benchmarks/namespaces.py; as root), for several delays and
  rates of the link: milliseconds a step, beside what the model predicts; the weights must be those of one process.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.namespaces import Machines

RECIPES = ("mnist-cnn", "chinese-cnn", "mnist-rnn")
EXCHANGED = 20  # times an exchange is measured
EPOCHS = 3  # timed: the median of their times


def prepared(recipe: str, steps: int, plain: bool, batch: int = 0) -> tuple[Any, Any, dict[str, Any]]:
    """The network, its first training images, and what `fit` is told; `plain`: without augmentation and moving average."""
    from glassnet.experiment.run import prepare

    chosen, splits = prepare(recipe, seed=1)
    training = chosen.training
    batch = batch or training.batch_size
    images = min(len(splits.train), steps * batch)
    options = {
        "batch_size": batch,
        "optimizer": chosen.make_optimizer(),
        "average": None if plain else training.average,
        "augmentation": None if plain else chosen.make_augmentation(),
    }
    return chosen.make_network(splits), splits.train[np.arange(images)], options


def work(recipe: str, steps: int, threads: int, plain: bool, alone: int = 0, batch: int = 0) -> None:
    """Train as one of the ranks that the launcher has started; rank 0 prints seconds a step and a checksum of the weights.

    `alone`: compute what one of so many ranks would, without any other.
    """
    from benchmarks.scaling import Alone
    from glassnet.runtime.ranks import Ranks, launched

    ranks: Any = Alone(alone) if alone > 1 else Ranks() if launched() > 1 and not alone else None
    network, train, options = prepared(recipe, steps, plain, batch)
    history = network.fit(
        train, EPOCHS, seed=1, threads=threads, ranks=ranks, plain_epochs=0 if plain else 1, statistics=False,
        progress=False, **options,
    )  # fmt: skip
    if ranks is None or ranks.writes:
        count = -(-len(train) // options["batch_size"])
        weights = hashlib.sha256(network.state.tobytes()).hexdigest()[:16]
        print(json.dumps({"weights": weights, "step": statistics.median(history.seconds) / count}))
    if isinstance(ranks, Ranks):
        ranks.leave()


def work_link() -> None:
    """As one of two ranks: seconds of exchanges of some sizes; rank 0 prints them."""
    from benchmarks.scaling import SIZES
    from glassnet.runtime.ranks import Ranks

    ranks, found = Ranks(), []
    for size in SIZES:
        count, taken = size // 4, []
        array = np.zeros(ranks.size * count, dtype=np.float32)
        request = ranks.gatherer(array, [count] * ranks.size, list(range(0, len(array), count)))
        for _ in range(EXCHANGED):
            ranks.everyone(0)
            start = time.perf_counter()
            request.Start()
            ranks.wait([request])
            taken.append(time.perf_counter() - start)
        found.append((size, statistics.quantiles(taken)[0]))  # few were waiting for a processor
    if ranks.writes:
        print(json.dumps({"link": found}))
    ranks.leave()


def work_torch(recipe: str, steps: int) -> None:
    """The same steps with DistributedDataParallel, without augmentation."""
    import torch
    import torch.distributed as distributed

    import glassnet as gn

    torch.set_num_threads(1)
    distributed.init_process_group("gloo")
    rank, size = distributed.get_rank(), distributed.get_world_size()
    network, train, options = prepared(recipe, steps, plain=True)
    batch = options["batch_size"]
    model: Any = torch.nn.parallel.DistributedDataParallel(gn.to_torch(network).train())
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    images, labels, taken = torch.from_numpy(train.images.astype(np.float32) / 255), torch.tensor(train.labels), []
    for _ in range(EPOCHS):
        order, start = torch.randperm(len(images), generator=torch.Generator().manual_seed(1)), time.perf_counter()
        for first in range(0, len(images), batch):
            own = order[first : first + batch].tensor_split(size)[rank]
            optimizer.zero_grad()
            loss: Any = torch.nn.functional.cross_entropy(model(images[own]), labels[own])
            loss.backward()
            optimizer.step()
        taken.append(time.perf_counter() - start)
    if rank == 0:
        print(json.dumps({"step": statistics.median(taken) / -(-len(images) // batch)}))
    distributed.destroy_process_group()


def ran(command: Sequence[str], ranks: int, machines: Machines | None = None) -> list[dict[str, Any]]:
    """What so many processes of this module printed, by MPI's launcher."""
    beside = Path(sys.executable).with_name("mpiexec")
    mpiexec = str(beside) if beside.exists() else "mpiexec"
    start = machines.mpiexec(mpiexec, ranks) if machines else [mpiexec, "-n", str(ranks)] if ranks > 1 else []
    environment = machines.environment if machines else None
    whole = [*start, sys.executable, "-m", "benchmarks.ranks", *command]
    output = subprocess.run(whole, stdout=subprocess.PIPE, text=True, check=True, env=environment).stdout
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def measure(
    recipe: str,
    steps: int,
    ranks: int,
    threads: int,
    *,
    plain: bool = False,
    peer: bool = False,
    machines: Machines | None = None,
) -> dict[str, Any]:
    """What rank 0 of so many processes found."""
    command = ["work", recipe, "--steps", str(steps), "--threads", str(threads), *["--plain"] * plain]
    if not peer:
        return ran(command, ranks, machines)[-1]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(ranks)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.ranks", *command, "--torch"],
            env={**shared, "RANK": str(rank)}, stdout=subprocess.PIPE, text=True,
        )
        for rank in range(ranks)
    ]  # fmt: skip
    output, *_ = [process.communicate()[0] for process in processes]
    return dict(json.loads(output.splitlines()[-1]))


def bits(recipes: Sequence[str], steps: int) -> bool:
    """Whether the weights are the same for all numbers of ranks and threads; a line for each."""
    same = True
    for recipe in recipes:
        wanted = None
        for ranks in (1, 2, 4, 8):
            for threads in (1, 2):
                found = measure(recipe, steps, ranks, threads)["weights"]
                wanted = wanted or found
                same &= found == wanted
                print(f"{recipe:12} {ranks} ranks × {threads} threads  {found}  {'same' if found == wanted else 'DIFFERS'}")
    return same


def compare(recipes: Sequence[str], steps: int, rounds: int, others: Sequence[dict[str, Any]], plain: bool) -> None:
    """Two ranks of one thread beside others, in turn; medians of milliseconds a step, and their ratios."""
    kinds = [{"ranks": 2, "threads": 1}, *others]
    for recipe in recipes:
        found = [[1e3 * measure(recipe, steps, plain=plain, **kind)["step"] for kind in kinds] for _ in range(rounds)]
        first = [row[0] for row in found]
        for number, kind in enumerate(kinds):
            times = [row[number] for row in found]
            ratio = statistics.median(mine / other for mine, other in zip(first, times, strict=True))
            name = f"{kind['ranks']} {'processes, PyTorch DDP' if kind.get('peer') else 'ranks'} × {kind['threads']} threads"
            print(f"{recipe:12} {name:40} {statistics.median(times):8.2f} ms a step   2 ranks take {ratio:.3f} of it")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranks", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("bits", "speed", "torch", "model", "namespaces", "work", "link"))
    parser.add_argument("recipes", nargs="*", metavar="RECIPE")
    parser.add_argument("--steps", type=int, default=20, help="steps of an epoch (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=0, help="images of a mini-batch, instead of the recipe's")
    parser.add_argument("--alone", type=int, default=0, help="what one of so many ranks computes")
    parser.add_argument("--link", action="append", metavar="MS,GBIT", help="delay each way and rate, for namespaces")
    parser.add_argument("--plain", action="store_true", help="without augmentation and moving average")
    parser.add_argument("--torch", action="store_true")
    options = parser.parse_args()
    if options.what == "link":
        work_link()
        return 0
    if options.what == "work":
        (recipe,) = options.recipes
        if options.torch:
            work_torch(recipe, options.steps)
        else:
            work(recipe, options.steps, options.threads, options.plain, options.alone, options.batch)
        return 0
    recipes = options.recipes or (RECIPES[:1] if options.what in ("speed", "torch") else RECIPES)
    if options.what == "bits":
        return 0 if bits(recipes, options.steps) else 1
    if options.what in ("model", "namespaces"):
        from benchmarks import planning

        links = [(delay, rate) for delay, rate in (map(float, text.split(",")) for text in options.link or ())]
        if options.what == "model":
            planning.model(recipes, options.steps)
            return 0
        return 0 if planning.namespaces(recipes, options.steps, links or planning.LINKS) else 1
    one = {"ranks": 1, "threads": 1}
    others = [{"ranks": 1, "threads": 2}, one] if options.what == "speed" else [{"ranks": 2, "threads": 1, "peer": True}]
    compare(recipes, options.steps, options.rounds, others, options.plain or options.what == "torch")
    return 0


if __name__ == "__main__":
    sys.exit(main())
