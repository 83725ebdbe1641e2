"""A small search that was really trained."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import glassnet as gn
from glassnet.experiment.recipe import load_recipe
from glassnet.experiment.search.records import SearchPlan, SearchResult, Trial
from glassnet.experiment.search.space import Parameter


def trained_search() -> SearchResult:
    """A grid of real trainings: units against learning rate, with two seeds."""
    splits = gn.load_dataset("digits")
    train, validation = (
        gn.Dataset(splits.train.images[part], splits.train.labels[part]) for part in (slice(300), slice(300, 500))
    )
    trials = []
    for number, (units, rate) in enumerate(itertools.product((5, 20, 40), (0.01, 0.1, 1.0, 10.0))):
        curves, seconds = [], time.perf_counter()
        for seed in range(2):
            network = gn.Network([64, units, 10], seed=seed)
            history = network.fit(
                train, epochs=4, batch_size=10, optimizer=gn.SGD(rate), validation=validation, seed=seed, progress=False
            )
            curves.append([float(value or 0.0) for value in history.validation_accuracy])
        trial = Trial(
            number=number, point=f"{number:x}", settings={"hidden": units, "learning_rate": rate}, state="complete",
            parts=tuple(curve[-1] for curve in curves), curve=tuple(curves[0]), seconds=time.perf_counter() - seconds,
        )  # fmt: skip
        trials.append(trial)
    space = (Parameter(key="hidden", values=(5, 20, 40)), Parameter(key="learning_rate", values=(0.01, 0.1, 1.0, 10.0)))
    plan = SearchPlan(recipe=load_recipe("digits"), space=space, method="grid", trials=12, seeds=2)
    return SearchResult(plan, tuple(trials), Path("searches/of mine"))
