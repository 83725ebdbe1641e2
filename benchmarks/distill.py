"""Distillation on real data: `python -m benchmarks.distill [mnist|chinese] [--out FOLDER] [--seeds N]`.

An ensemble of convolutional networks, of short trainings, into a small network of dense layers: accuracies on validation
data, sizes, prediction times; then other temperatures and weights, and, for MNIST, students that see shifted copies too. The
same folder again goes on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import glassnet as gn
from glassnet.analysis.distillation import carry_out
from glassnet.experiment.distill import DISTILLED, LABELS, Arm, Distillation, Part, plan

SMALL = [
    "Flatten",
    "Pixels",
    {"type": "Dense", "units": 30, "initializer": "HeNormal"},
    "ReLU",
    {"type": "Dense", "units": 10},
]
ONE_CYCLE = {"type": "AdamW", "learning_rate": {"type": "OneCycle", "learning_rate": 0.005}}
STUDENT = {"loss": "SoftmaxCrossEntropy", "optimizer": ONE_CYCLE, "batch_size": 32, "epochs": 10, "snapshots": 0}
OTHERS = [(1.0, 0.9), (4.0, 0.9), (2.0, 0.5), (2.0, 1.0)]  # temperatures and weights, besides the defaults


def mnist() -> tuple[gn.Recipe, gn.Recipe]:
    """The recipes of the teachers and of the student."""
    teacher = gn.load_recipe("mnist-99").changed({"snapshots": 0})
    return teacher, teacher.changed({**STUDENT, "name": "784-30-10", "layers": SMALL})


def chinese() -> tuple[gn.Recipe, gn.Recipe]:
    layers = [*SMALL[:-1], {"type": "Dense", "units": 15}]
    blocks = {"architecture": {"type": "vgg", "blocks": [[16], [32], [64]], "dropout": 0.1}}
    teacher = gn.load_recipe("chinese-cnn").changed({"size": 32, "training.epochs": 6, "snapshots": 0, **blocks})
    plain = {"training.augmentation": None, "plain_epochs": 0, "average": None}
    return teacher, teacher.changed({**STUDENT, **plain, "epochs": 30, "name": "1024-30-15", "layers": layers})


def milliseconds(predict: Callable[[Any], Any], images: Any) -> float:
    """The median of seven predictions of 1,000 images."""
    times = []
    for _ in range(7):
        start = time.perf_counter()
        predict(images[:1000])
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


def students(job: Distillation, teachers: list[gn.Run], arm: Arm, name: str) -> None:
    """Train the students of one kind and print their accuracy and mean −ln p."""
    parts = [part for each, part in job.students(teachers) if each == arm]
    found = [part.finish(progress=False).network.evaluate(job.validation) for part in parts]
    accuracies = [100 * result.accuracy for result in found]
    loss = np.mean([result.loss for result in found])
    print(f"  {np.mean(accuracies):6.2f} ± {np.std(accuracies, ddof=1):.2f} %, loss {loss:.4f}   {name}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", choices=("mnist", "chinese"), nargs="?", default="mnist")
    parser.add_argument("--out", type=Path, default=Path("runs"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--teachers", type=int, default=5)
    given = parser.parse_args()
    teacher, recipe = {"mnist": mnist, "chinese": chinese}[given.data]()
    out = given.out / f"distill-{given.data}"
    teachers = [
        Part(teacher.changed({"training.seed": seed}), out / "teachers" / f"seed-{seed}").finish(progress=False)
        for seed in range(given.teachers)
    ]
    job = plan(teachers, recipe, seeds=given.seeds, out=out / recipe.name)
    result = carry_out(job, progress=False)
    ensemble, small = gn.Ensemble([run.network for run in teachers]), result.students[DISTILLED][0].network
    images = job.validation.images
    print(f"{given.data}, {job.validation}")
    print("  teachers: " + ", ".join(f"{100 * accuracy:.2f}" for accuracy in result.members.values) + " %")
    for name, accuracy, size, predict in (
        ("ensemble", result.ensemble.accuracy, result.sizes[0], ensemble.predict),
        (f"student {recipe.name}, distilled", result.distilled.mean, result.sizes[1], small.predict),
    ):
        took = milliseconds(predict, images)
        print(f"  {100 * accuracy:.2f} %   {name}: {size:,} parameters, {took:.2f} ms for 1,000 images")
    print(f"{result}", flush=True)
    runs = list(result.teachers)
    students(job, runs, LABELS, "labels alone")
    students(job, runs, DISTILLED, f"T = {job.temperature:g}, weight {job.weight:g}")
    for temperature, weight in OTHERS:
        other = replace(job, folder=out / f"T={temperature:g} w={weight:g}", temperature=temperature, weight=weight)
        students(other, runs, DISTILLED, f"T = {temperature:g}, weight {weight:g}")
    if given.data == "mnist":
        shifted = recipe.changed({"expand_shifts": 1, "training.epochs": 2})
        wide = replace(job, folder=out / "shifted", recipe=shifted)
        for arm, name in ((LABELS, "labels alone"), (DISTILLED, "distilled")):
            students(wide, runs, arm, f"{name}, with shifted copies in a fifth of the epochs")


if __name__ == "__main__":
    main()
