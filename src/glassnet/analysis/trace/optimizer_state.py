"""Where a run's optimizer stands: its moments, its steps so far, and the rate of the next one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from glassnet.analysis.trace.update import Stand
from glassnet.experiment.run import Run
from glassnet.experiment.run_folder import CHECKPOINT
from glassnet.network import Network
from glassnet.nn.optimizers import SGD, Optimizer, ScipyMinimize, as_optimizer
from glassnet.nn.schedules import Constant
from glassnet.support.i18n import tr
from glassnet.training.checkpoint import State


def stand_of(run: Run | None, network: Network, wanted: Any) -> tuple[Optimizer, Stand]:
    """The optimizer, and its moments and rate: from the run's checkpoint where they belong to these weights."""
    chosen = wanted if wanted is not None else SGD() if run is None else run.recipe.make_optimizer()
    made = as_optimizer(chosen, "trace(optimizer)")
    fresh = tr("A first step: nothing is left of earlier ones.")
    if isinstance(made, ScipyMinimize):
        made = SGD()
        fresh = tr("ScipyMinimize learns from the whole training set at once; shown is a plain step of SGD(0.01) instead.")
        run = None
    size = network.flat.size
    first, second = (np.zeros(size if made.moments > number else 0) for number in (0, 1))
    state = _state(run, network) if run is not None and wanted is None else None
    steps, total, note = 0, 1, fresh
    if run is not None and state is not None:
        a_epoch = math.ceil(state.settings["pictures"] / state.settings["batch_size"])
        steps, total = len(state.history) * a_epoch, max(len(state.history), int(state.settings.get("epochs") or 0)) * a_epoch
        if state.arrays["first"].size == first.size and state.arrays["second"].size == second.size:
            first, second = state.arrays["first"].astype(np.float64), state.arrays["second"].astype(np.float64)
        note = tr(
            "The step that would follow the {steps} steps of the training, with what the optimizer has kept.", steps=steps
        )
    schedule = made.schedule
    rate = schedule.rate(0, 1) if isinstance(schedule, Constant) else schedule.rate(total // 2, total)
    if not isinstance(schedule, Constant):
        note += tr(
            " The rate follows {schedule}; here it is that of half-way through the training.",
            schedule=type(schedule).__name__,
        )
    return made, Stand(first, second, steps, float(rate), note)


def _state(run: Run, network: Network) -> State | None:
    """The run's checkpoint, if the weights that were kept are those it ends in."""
    path = run.folder / CHECKPOINT
    if not path.exists():
        return None
    state = State.load(path)
    size = network.flat.size
    same = state.arrays["parameters"].size >= size and np.array_equal(state.arrays["parameters"][:size], network.flat)
    return state if same else None
