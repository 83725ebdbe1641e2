"""Train each board's recipe over several seeds, beside PyTorch: `python -m benchmarks.speedrun [BOARD…] --seeds 10 --peer`.

Ours and the peer train in turn, in one process, on the same images; `--only` trains one of them alone. After each seed the
results go to benchmarks/results-speedrun.json and, as a table, to benchmarks/speedrun.md; `--go-on` trains only seeds not yet
there.
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


def measure(name: str, arguments: argparse.Namespace) -> None:
    """Train ours and the peer, seed by seed, and write what is known after each seed."""
    board, written = BOARDS[name], not (arguments.validate or arguments.images or arguments.set)
    settings = {key: value_of(value) for key, _, value in (each.partition("=") for each in arguments.set)}
    recipe = board.load().changed(settings) if settings else board.load()
    images = Images.of(recipe, validate=arguments.validate, limit=arguments.images)
    key = name if arguments.precision == "float32" else f"{name}, {arguments.precision}"
    machine = describe()
    result = {
        "recipe": board.recipe, "images": len(images.train), "tested": len(images.test), "threads": arguments.threads,
        "precision": arguments.precision, "epochs": recipe.training.epochs, "data": location(recipe),
        "machine": {key: machine[key] for key in ("cpu", "usable_cpus", "glassnet", "torch")},
    }  # fmt: skip
    earlier = known().get(key, {}) if arguments.go_on else {}
    if any(earlier.get(each) != value for each, value in result.items() if earlier):
        raise SystemExit(f"the earlier seeds of {key} are of another recipe or machine: leave out --go-on")
    found: dict[str, list[tuple[float, float]]] = earlier.get("runs", {})
    ours.warm_up(recipe, images)
    trainers: dict[str, Any] = {"glassnet": ours.train}
    if arguments.peer:
        from benchmarks.speedrun import peer

        trainers["PyTorch"] = peer.train
    for seed in range(arguments.seeds):
        for who, train in trainers.items():
            wanted = arguments.seeds if who == "glassnet" else arguments.peer_seeds
            if arguments.only in (who, None) and len(found.get(who, [])) <= seed < wanted:
                run = train(recipe.changed({"seed": seed}), images, arguments.threads, arguments.precision)
                found.setdefault(who, []).append(run)
                print(f"{name}, seed {seed}, {who}: {run[0]:.2f} s, {run[1]:.2f} %", flush=True)
        if written:
            write(key, result | {"runs": found, "date": describe()["date"]})
    for who, runs in found.items():
        print(f"{name}, {who}: {summary(runs)}", flush=True)


def known() -> dict[str, Any]:
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def write(key: str, result: dict[str, Any]) -> None:
    results = known() | {key: result}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    write_page(results)


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
    parser.add_argument("--go-on", action="store_true", help="keep the seeds that are known, and train the others")
    parser.add_argument("--peer", action="store_true", help="the same recipe in PyTorch, in turn")
    parser.add_argument("--peer-seeds", type=int, default=10, help="at most so many seeds of the peer")
    parser.add_argument("--only", choices=("glassnet", "PyTorch"), help="with --peer: train this one alone")
    parser.add_argument("--threads", type=int, default=usable_cpus())
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--validate", action="store_true", help="measure on validation images; nothing is written")
    parser.add_argument("--images", type=int, help="train on so many images; nothing is written")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the recipe; nothing is written")
    arguments = parser.parse_args()
    if unknown := set(arguments.boards) - set(BOARDS):
        parser.error(f"unknown board {', '.join(sorted(unknown))}; known: {', '.join(BOARDS)}")
    for name in arguments.boards or BOARDS:
        measure(name, arguments)


if __name__ == "__main__":
    main()
