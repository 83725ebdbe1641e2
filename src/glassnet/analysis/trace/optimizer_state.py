"""The state of a run's optimizer: its moments, its steps so far, and the learning rate of the next one."""

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


def stand_of(run: Run | None, network: Network, given: Any) -> tuple[Optimizer, Stand]:
    """The optimizer and its state: from the run's checkpoint, if that belongs to these weights."""
    chosen = given if given is not None else SGD() if run is None else run.recipe.make_optimizer()
    made = as_optimizer(chosen, "trace(optimizer)")
    fresh = tr("The optimizer's first step: its moments are 0.")
    if isinstance(made, ScipyMinimize):
        made = SGD()
        fresh = tr("ScipyMinimize takes the whole training set at once; a step of SGD(0.01) is shown instead.")
        run = None
    size = network.flat.size
    first, second = (np.zeros(size if made.moments > number else 0) for number in (0, 1))
    state = _state(run, network) if run is not None and given is None else None
    steps, total, note = 0, 1, fresh
    if run is not None and state is not None:
        a_epoch = math.ceil(state.settings["pictures"] / state.settings["batch_size"])
        steps, total = len(state.history) * a_epoch, max(len(state.history), int(state.settings.get("epochs") or 0)) * a_epoch
        if state.arrays["first"].size == first.size and state.arrays["second"].size == second.size:
            first, second = state.arrays["first"].astype(np.float64), state.arrays["second"].astype(np.float64)
        note = tr("The next step after the {steps} steps of training, with the optimizer's saved moments.", steps=steps)
    schedule = made.schedule
    rate = schedule.rate(0, 1) if isinstance(schedule, Constant) else schedule.rate(total // 2, total)
    if not isinstance(schedule, Constant):
        note += tr(
            " The learning rate follows {schedule}; its value halfway through training is used here.",
            schedule=type(schedule).__name__,
        )
    return made, Stand(first, second, steps, float(rate), note)


def _state(run: Run, network: Network) -> State | None:
    """The run's checkpoint, if the run's weights are its last ones, not the best ones."""
    path = run.folder / CHECKPOINT
    if not path.exists():
        return None
    state = State.load(path)
    size = network.flat.size
    same = state.arrays["parameters"].size >= size and np.array_equal(state.arrays["parameters"][:size], network.flat)
    return state if same else None
