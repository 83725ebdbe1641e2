"""How many planted faults the diagnosis finds, and how many false alarms it raises: `python -m benchmarks.diagnosis`.

`planted`: each fault of `benchmarks.faults` on the bundled digits, on part of MNIST and on part of the Chinese numerals, with
three seeds; the first finding must have its name. `differences`: comparisons of two runs. `healthy`: shortened versions of
the shipped recipes that are meant to work, with five seeds; there must be no finding. Arguments select among these, the data
sets and the recipes; `--seeds N` changes the number of seeds. Results are merged into results-diagnosis.json.
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
IMAGES, HELD_OUT = 3000, 1000  # of the larger data sets
RESULTS = Path(__file__).with_name("results-diagnosis.json")
SETS: dict[str, Callable[[], gn.Splits]] = {
    "digits": lambda: gn.load_dataset("digits"),
    "mnist": lambda: some_of(gn.load_dataset("mnist"), IMAGES, HELD_OUT),
    "numerals": lambda: some_of(gn.load_dataset("chinese-numerals", size=32), IMAGES, HELD_OUT),
}


def planted(name: str, seeds: int) -> dict[str, Any]:
    """Print a line for each fault in one data set, and count those whose first finding is right."""
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
        wrong = ", ".join(f"{other} {count}" for other, count in others.items())
        print(f"{name:<9} {fault.name:<24} {fault.how:<62} {found} of {seeds}   {wrong}", flush=True)
        right += found
    return {"right": right, "total": seeds * len(FAULTS), "misses": misses}


def differences(name: str, seeds: int) -> dict[str, Any]:
    """Two seeds of one training must not differ significantly; a network and one trained too briefly must."""
    splits = SETS[name]()
    too_short = next(fault for fault in FAULTS if fault.name == "too-few-steps")
    right = total = 0
    for seed in range(seeds):
        one, other = (healthy(splits, 10 * seed + number)[:2] for number in (0, 1))
        short = too_short.train(splits, seed)[:2]
        for first, second, expected in ((one, other, ("difference-within-noise",)), (one, short, ())):
            right += gn.diagnose([first[0], second[0]], [first[1], second[1]], splits).names == expected
            total += 1
    print(f"{name:<9} difference-within-noise: two seeds of one training, one against a shorter one   {right} of {total}")
    return {"right": right, "total": total}


def alarms(name: str, seeds: int) -> dict[str, Any]:
    """Count the runs of one healthy recipe with findings."""
    counts, accuracies, alarmed = Counter[str](), [], 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(seeds):
            run = train_short(name, seed, Path(folder))
            diagnosis = gn.diagnose(run.history, run.network, run.splits, learning_rate=run.learning_rate)
            if not diagnosis.healthy:
                print(f"{name}, seed {seed}: {diagnosis}\n", flush=True)
            counts.update(diagnosis.names)
            alarmed += not diagnosis.healthy
            epoch = run.history.epochs[-1]
            reached = epoch.train_accuracy if epoch.validation_accuracy is None else epoch.validation_accuracy
            accuracies += [] if reached is None else [round(100 * reached, 1)]
    findings = ", ".join(f"{finding} {count}" for finding, count in counts.items()) or "nothing"
    print(f"{name:<19} {HEALTHY[name].epochs:>3} epochs, {seeds} seeds: {findings:<30} accuracy {accuracies}", flush=True)
    return {"alarms": alarmed, "total": seeds, "found": dict(counts), "accuracies": accuracies}


def save(kind: str, name: str, result: dict[str, Any]) -> None:
    """Write one result to the file, replacing an older one."""
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    known.setdefault(kind, {})[name] = {**result, "version": gn.__version__}
    write_text(RESULTS, json.dumps(known, ensure_ascii=False, indent=1, sort_keys=True) + "\n")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.diagnosis", description=(__doc__ or "").splitlines()[0])
    kinds = {"planted": planted, "differences": differences, "healthy": alarms}
    parser.add_argument("names", nargs="*", help=f"default: all of {', '.join([*kinds, *SETS, *HEALTHY])}")
    parser.add_argument("--seeds", type=int, help="default: 3, and 5 for healthy runs")
    options = parser.parse_args(arguments)
    requested = set(options.names)
    if unknown := requested - {*kinds, *SETS, *HEALTHY}:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    for kind, measure in kinds.items():
        if requested & set(kinds) and kind not in requested:
            continue
        names = list(HEALTHY if kind == "healthy" else SETS)
        selected = requested & {*SETS, *HEALTHY}
        results = []
        for name in (name for name in names if not selected or name in selected):
            results.append(measure(name, options.seeds or (HEALTHY_SEEDS if kind == "healthy" else SEEDS)))
            save(kind, name, results[-1])
        count, total = (sum(each[key] for each in results) for key in ("alarms" if kind == "healthy" else "right", "total"))
        if total:
            what = "with an alarm" if kind == "healthy" else "named rightly"
            print(f"{kind}: {count} of {total} {what} ({100 * count / total:.1f} %)\n")


if __name__ == "__main__":
    main(sys.argv[1:])
