"""How well the diagnosis knows planted faults, and how seldom it alarms without one: `python -m benchmarks.diagnosis`.

Each fault of `glassnet.diagnosis.faults` on the bundled digits and on some of MNIST's pictures, with three seeds: has the
first finding its name? Then the shipped recipes that are meant to work, five seeds each, short: is anything found at all?
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

import glassnet as gn
from glassnet.diagnosis.faults import FAULTS, healthy

SEEDS = 3
HEALTHY_SEEDS = 5
PICTURES, HELD_OUT = 3000, 1000  # of MNIST
HEALTHY = {"digits": 20, "nielsen-30": 4, "nielsen-100": 6, "mnist-mlp": 2, "chain": 160}  # epochs


def some_of(splits: gn.Splits, seed: int) -> gn.Splits:
    """A few pictures of a large set, drawn by `seed`."""
    rng = np.random.default_rng(seed)
    assert splits.validation is not None
    train, validation = (
        part[np.sort(rng.permutation(len(part))[:count])]
        for part, count in ((splits.train, PICTURES), (splits.validation, HELD_OUT))
    )
    return gn.Splits(train, validation)


def planted(sets: dict[str, gn.Splits]) -> tuple[int, int]:
    """A line for each fault; how many were named rightly, of how many."""
    right = total = 0
    print(f"{'planted':<24} {'how':<62} " + " ".join(f"{name:>8}" for name in sets) + "   else named")
    for fault in FAULTS:
        cells, others = [], Counter[str]()
        for splits in sets.values():
            found = 0
            for seed in range(SEEDS):
                history, network, data = fault.train(splits, seed)
                names = gn.diagnose(history, network, data).names
                first = names[0] if names else "nothing"
                found += first == fault.name
                others[first] += first != fault.name
            cells.append(f"{found} of {SEEDS}")
            right, total = right + found, total + SEEDS
        told = ", ".join(f"{name} {count}" for name, count in others.items() if count)
        print(f"{fault.name:<24} {fault.how:<62} " + " ".join(f"{cell:>8}" for cell in cells) + f"   {told}", flush=True)
    return right, total


def differences(sets: dict[str, gn.Splits]) -> tuple[int, int]:
    """Two seeds of one training are no difference; a network and one that has learnt nothing are one."""
    right = total = 0
    for name, splits in sets.items():
        assert splits.validation is not None
        for seed in range(SEEDS):
            one, other = (healthy(splits, 10 * seed + number)[:2] for number in (0, 1))
            short = next(fault for fault in FAULTS if fault.name == "too-few-steps").train(splits, seed)[:2]
            for first, second, wanted in ((one, other, ("difference-within-noise",)), (one, short, ())):
                diagnosis = gn.diagnose([first[0], second[0]], [first[1], second[1]], splits)
                right += diagnosis.names == wanted
                total += 1
        print(f"{'difference-within-noise':<24} two seeds of one training; one against a shorter one; {name}", flush=True)
    return right, total


def alarms() -> tuple[int, int]:
    """A line for each recipe; in how many healthy runs something was found, of how many."""
    found = total = 0
    for name, epochs in HEALTHY.items():
        told, accuracies = Counter[str](), []
        for seed in range(HEALTHY_SEEDS):
            with tempfile.TemporaryDirectory() as folder:
                run = gn.train(name, seed=seed, epochs=epochs, out=Path(folder) / "run", progress=False)
                diagnosis = gn.diagnose(run.history, run.network, run.splits, learning_rate=run.learning_rate)
            told.update(diagnosis.names)
            found, total = found + (not diagnosis.healthy), total + 1
            accuracies.append(run.history.validation_accuracy[-1])
        reached = "" if accuracies[0] is None else " ".join(f"{100 * accuracy:.1f}" for accuracy in accuracies)
        said = ", ".join(f"{what} {count}" for what, count in told.items()) or "nothing"
        print(f"{name:<14} {epochs:>3} epochs, {HEALTHY_SEEDS} seeds: {said:<30} validation {reached}", flush=True)
    return found, total


def main(wanted: list[str]) -> None:
    start = time.perf_counter()
    sets = {"digits": gn.load_dataset("digits"), "mnist": some_of(gn.load_dataset("mnist"), 0)}
    if not wanted or "planted" in wanted:
        for what, (right, total) in (("planted faults", planted(sets)), ("differences", differences(sets))):
            print(f"{what}: {right} of {total} named rightly ({100 * right / total:.1f} %)\n")
    if not wanted or "healthy" in wanted:
        found, total = alarms()
        print(f"healthy runs: {found} of {total} with an alarm ({100 * found / total:.1f} %)")
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
