"""Train each board's recipe over several seeds, beside PyTorch: `python -m benchmarks.speedrun [BOARD…] --seeds 10 --peer`.

Ours and the peer train in turn, in one process, on the same images. The results go to benchmarks/results-speedrun.json and,
as a table, to benchmarks/speedrun.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import glassnet as gn
from benchmarks.speed.machine import describe, usable_cpus
from benchmarks.speedrun import ours
from benchmarks.speedrun.boards import BOARDS, Images
from benchmarks.speedrun.page import write_page
from glassnet.experiment.overrides import value_of

RESULTS = Path(__file__).parents[1] / "results-speedrun.json"


def measure(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds and accuracies of ours and the peer, seed by seed."""
    board = BOARDS[name]
    settings = {key: value_of(value) for key, _, value in (each.partition("=") for each in arguments.set)}
    recipe = board.load().changed(settings) if settings else board.load()
    images = Images.of(recipe, validate=arguments.validate, limit=arguments.images)
    ours.warm_up(recipe, images)
    trainers: dict[str, Any] = {"glassnet": ours.train}
    if arguments.peer:
        from benchmarks.speedrun import peer

        trainers["PyTorch"] = peer.train
    found: dict[str, list[tuple[float, float]]] = {who: [] for who in trainers}
    for seed in range(arguments.seeds):
        for who, train in trainers.items():
            if who != "glassnet" and seed >= arguments.peer_seeds:
                continue
            result = train(recipe.changed({"seed": seed}), images, arguments.threads, arguments.precision)
            found[who].append(result)
            print(f"{name}, seed {seed}, {who}: {result[0]:.2f} s, {result[1]:.2f} %", flush=True)
    machine = describe()
    return {
        "recipe": board.recipe, "images": len(images.train), "tested": len(images.test), "threads": arguments.threads,
        "precision": arguments.precision, "epochs": recipe.training.epochs, "data": location(recipe), "runs": found,
        "machine": {key: machine[key] for key in ("date", "cpu", "usable_cpus", "glassnet", "torch")},
    }  # fmt: skip


def location(recipe: gn.Recipe) -> str:
    """Where the images lie: the file's name says whether they are a lossy copy."""
    known = {info.name: info.location for info in gn.list_datasets()}
    return Path(known.get(recipe.data.source, recipe.data.source)).name


def summary(runs: list[tuple[float, float]]) -> str:
    seconds, accuracies = np.array(runs).T
    spread = f" ± {accuracies.std(ddof=1):.2f}" if len(runs) > 1 else ""
    return f"{accuracies.mean():.2f}{spread} %, {seconds.mean():.2f} s of training ({len(runs)} seeds)"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speedrun", description=__doc__)
    parser.add_argument("boards", nargs="*", metavar="BOARD", help=f"of {', '.join(BOARDS)}; by default all")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--peer", action="store_true", help="the same recipe in PyTorch, in turn")
    parser.add_argument("--peer-seeds", type=int, default=10, help="at most so many seeds of the peer")
    parser.add_argument("--threads", type=int, default=usable_cpus())
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--validate", action="store_true", help="measure on validation images; nothing is written")
    parser.add_argument("--images", type=int, help="train on so many images; nothing is written")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the recipe; nothing is written")
    arguments = parser.parse_args()
    if unknown := set(arguments.boards) - set(BOARDS):
        parser.error(f"unknown board {', '.join(sorted(unknown))}; known: {', '.join(BOARDS)}")
    for name in arguments.boards or BOARDS:
        result = measure(name, arguments)
        for who, runs in result["runs"].items():
            print(f"{name}, {who}: {summary(runs)}", flush=True)
        if not (arguments.validate or arguments.images or arguments.set):
            key = name if arguments.precision == "float32" else f"{name}, {arguments.precision}"
            known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
            RESULTS.write_text(json.dumps(known | {key: result}, indent=1) + "\n", encoding="utf-8")
            write_page(known | {key: result})


if __name__ == "__main__":
    main()
