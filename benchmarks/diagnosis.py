"""How well the diagnosis knows planted faults, and how seldom it alarms without one: `python -m benchmarks.diagnosis`.

Each fault of `benchmarks.faults` on the bundled digits, on some of MNIST's images and on some of the Chinese
numerals, with three seeds: has the first finding its name? Then the shipped recipes that are meant to work, short, five seeds
each: is anything found at all? `planted`, `differences` and `healthy` choose one of these; names of data sets and recipes
choose among them; `--seeds N` takes more or fewer seeds. What was measured goes into results-diagnosis.json, beside what
stands there already.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import glassnet as gn
from benchmarks.faults import FAULTS, healthy
from benchmarks.short_recipes import HEALTHY, some_of, train_short
from glassnet.support.atomic import write_text

SEEDS, HEALTHY_SEEDS = 3, 5
PICTURES, HELD_OUT = 3000, 1000  # of each large set
RESULTS = Path(__file__).with_name("results-diagnosis.json")
SETS: dict[str, Callable[[], gn.Splits]] = {
    "digits": lambda: gn.load_dataset("digits"),
    "mnist": lambda: some_of(gn.load_dataset("mnist"), PICTURES, HELD_OUT),
    "numerals": lambda: some_of(gn.load_dataset("chinese-numerals", size=32), PICTURES, HELD_OUT),
}


def planted(name: str, seeds: int) -> dict[str, Any]:
    """The faults in one data set: a line for each, and how many were named rightly, of how many."""
    splits = SETS[name]()
    right, misses = 0, []
    for fault in FAULTS:
        found, others = 0, Counter[str]()
        for seed in range(seeds):
            names = gn.diagnose(*fault.train(splits, seed)).names
            found += names[:1] == (fault.name,)
            if names[:1] != (fault.name,):
                others[names[0] if names else "nothing"] += 1
                misses.append({"fault": fault.name, "how": fault.how, "seed": seed, "found": list(names)})
        told = ", ".join(f"{other} {count}" for other, count in others.items())
        print(f"{name:<9} {fault.name:<24} {fault.how:<62} {found} of {seeds}   {told}", flush=True)
        right += found
    return {"right": right, "total": seeds * len(FAULTS), "misses": misses}


def differences(name: str, seeds: int) -> dict[str, Any]:
    """Two seeds of one training are no difference; a network and one that has learnt little are one."""
    splits = SETS[name]()
    too_short = next(fault for fault in FAULTS if fault.name == "too-few-steps")
    right = total = 0
    for seed in range(seeds):
        one, other = (healthy(splits, 10 * seed + number)[:2] for number in (0, 1))
        short = too_short.train(splits, seed)[:2]
        for first, second, wanted in ((one, other, ("difference-within-noise",)), (one, short, ())):
            right += gn.diagnose([first[0], second[0]], [first[1], second[1]], splits).names == wanted
            total += 1
    print(f"{name:<9} difference-within-noise: two seeds of one training, one against a shorter one   {right} of {total}")
    return {"right": right, "total": total}


def alarms(name: str, seeds: int) -> dict[str, Any]:
    """One recipe, healthy: in how many runs something was found, of how many."""
    told, accuracies, found = Counter[str](), [], 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(seeds):
            run = train_short(name, seed, Path(folder))
            diagnosis = gn.diagnose(run.history, run.network, run.splits, learning_rate=run.learning_rate)
            if not diagnosis.healthy:
                print(f"{name}, seed {seed}: {diagnosis}\n", flush=True)
            told.update(diagnosis.names)
            found += not diagnosis.healthy
            epoch = run.history.epochs[-1]
            reached = epoch.train_accuracy if epoch.validation_accuracy is None else epoch.validation_accuracy
            accuracies += [] if reached is None else [round(100 * reached, 1)]
    said = ", ".join(f"{what} {count}" for what, count in told.items()) or "nothing"
    print(f"{name:<19} {HEALTHY[name].epochs:>3} epochs, {seeds} seeds: {said:<30} accuracy {accuracies}", flush=True)
    return {"alarms": found, "total": seeds, "found": dict(told), "accuracies": accuracies}


def keep(kind: str, name: str, result: dict[str, Any]) -> None:
    """Write one result into the file, in place of what it said of this before."""
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    known.setdefault(kind, {})[name] = {**result, "version": gn.__version__}
    write_text(RESULTS, json.dumps(known, ensure_ascii=False, indent=1, sort_keys=True) + "\n")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.diagnosis", description=(__doc__ or "").splitlines()[0])
    kinds = {"planted": planted, "differences": differences, "healthy": alarms}
    parser.add_argument("wanted", nargs="*", help=f"by default everything, of: {', '.join([*kinds, *SETS, *HEALTHY])}")
    parser.add_argument("--seeds", type=int, help="instead of three, and of five for healthy runs")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.wanted) - {*kinds, *SETS, *HEALTHY}:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    for kind, measure in kinds.items():
        if set(chosen.wanted) & set(kinds) and kind not in chosen.wanted:
            continue
        names = list(HEALTHY if kind == "healthy" else SETS)
        among = set(chosen.wanted) & {*SETS, *HEALTHY}
        results = []
        for name in (name for name in names if not among or name in among):
            results.append(measure(name, chosen.seeds or (HEALTHY_SEEDS if kind == "healthy" else SEEDS)))
            keep(kind, name, results[-1])
        count, total = (sum(each[key] for each in results) for key in ("alarms" if kind == "healthy" else "right", "total"))
        if total:
            what = "with an alarm" if kind == "healthy" else "named rightly"
            print(f"{kind}: {count} of {total} {what} ({100 * count / total:.1f} %)\n")


if __name__ == "__main__":
    main(sys.argv[1:])
