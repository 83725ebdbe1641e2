"""The learning-rate range test: the cost over steps at exponentially rising rates."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from glassnet.data import Dataset
from glassnet.errors import InputError
from glassnet.network import Network
from glassnet.nn.optimizers import SGD, Optimizer, ScipyMinimize
from glassnet.runtime import StepPlan, make_trainer
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr
from glassnet.training.arguments import DROPOUT, ORDER, as_dataset, check_labels, check_seed, check_whole, epoch_generator

EXPLODED = 4.0  # the test ends at this multiple of the lowest cost so far
FALLEN = 0.9  # a rate is suggested if the lowest cost is below this fraction of the first
WIDTH = 0.03  # standard deviation of the Gaussian that smooths the costs, as a fraction of the steps
LEAST = 10  # steps
MARGIN = 3  # the suggested rate is a third of that with the lowest cost, beyond which the cost rises


@dataclass(frozen=True)
class RateTest:
    """`costs` are those of the mini-batches at each of the `rates`, smoothed; `raw` as they were. Arrays of one length.

    `suggested` is a third of the rate at which the cost was lowest, or None where the cost did not fall; `reason` says why.
    """

    rates: NDArray[np.float64]
    costs: NDArray[np.float64]
    raw: NDArray[np.float64]
    suggested: float | None
    reason: str

    def __str__(self) -> str:
        if self.suggested is None:
            return tr("No learning rate to suggest: {reason}", reason=self.reason)
        return tr("Suggested learning rate: {rate:.2g}: {reason}", rate=self.suggested, reason=self.reason)


def find_learning_rate(
    network: Network,
    train: Dataset | tuple[Array, Array],
    *,
    optimizer: Optimizer | None = None,
    batch_size: int = 32,
    low: float = 1e-5,
    high: float = 10.0,
    steps: int = 100,
    seed: int = 0,
    threads: int | None = None,
) -> RateTest:
    """Train a copy of the network for `steps` steps at rates from `low` up to `high`, each a constant factor above the last.

    It ends early where the cost explodes. The `optimizer`'s own rate and schedule do not count; the network stays as it is.
    Raises `InputError` for a range that is none. Smith, Cyclical Learning Rates for Training Neural Networks, 2015.
    """
    data, chosen = as_dataset(train, "find_learning_rate(train)"), SGD() if optimizer is None else optimizer
    _check(chosen, batch_size, low, high, steps)
    check_labels(network, data, "find_learning_rate(train)")
    twin = network.astype(str(network.dtype))
    twin.adapt(data.images)
    rates = np.geomspace(low, high, steps)
    raw = _costs(twin, data, chosen, rates, min(batch_size, len(data)), check_seed(seed), threads)
    if not len(raw):
        raise InputError(
            tr("The loss is not finite even at the lowest rate."),
            where="find_learning_rate(low)",
            expected=tr("a rate at which the network can take a step"),
            received=low,
            hint=tr("scale the images, for example by Pixels or Standardize, or choose a lower one"),
        )
    costs = _smooth(np.minimum(raw, EXPLODED * np.median(raw)), WIDTH * steps)
    return RateTest(rates[: len(raw)], costs, raw, *_suggestion(rates, costs))


def _costs(
    network: Network,
    data: Dataset,
    optimizer: Optimizer,
    rates: NDArray[np.float64],
    batch: int,
    seed: int,
    threads: int | None,
) -> NDArray[np.float64]:
    """The mean cost of each mini-batch before its step, until it is not finite or explodes."""
    rows, steps = network.rows(data.images), -(-len(data) // batch)
    trainer = make_trainer(
        network, rows, data.labels, StepPlan(batch_size=batch, optimizer=optimizer, threads=threads)
    )  # fmt: skip
    found: list[float] = []
    running, lowest = 0.0, float("inf")
    with closing(trainer):
        for number, rate in enumerate(rates):
            epoch, step = divmod(number, steps)
            if step == 0:
                order = epoch_generator(seed, epoch + 1, ORDER).permutation(len(data))
                trainer.begin_epoch(order, rates[number : number + steps], epoch_generator(seed, epoch + 1, DROPOUT))
            trainer.run(step, step + 1, number - step)
            cost = float(trainer.losses[step * batch : (step + 1) * batch].mean())
            if not isfinite(cost) or not isfinite(rate):
                break
            found.append(cost)
            running = 0.9 * running + 0.1 * cost
            mean = running / (1 - 0.9 ** len(found))
            lowest = min(lowest, mean)
            if len(found) > LEAST and mean > EXPLODED * lowest:
                break
    return np.array(found)


def _smooth(values: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Means with Gaussian weights of standard deviation `width`, truncated and renormalized at the ends."""
    reach = np.arange(len(values))
    weights = np.exp(-0.5 * ((reach[:, None] - reach) / width) ** 2)
    return np.asarray(weights @ values / weights.sum(axis=1))


def _suggestion(rates: NDArray[np.float64], costs: NDArray[np.float64]) -> tuple[float | None, str]:
    best = int(costs.argmin())
    if costs[best] > FALLEN * costs[0]:
        low, high = rates[0], rates[len(costs) - 1]
        return None, tr("the loss did not fall clearly between the rates {low:.2g} and {high:.2g}.", low=low, high=high)
    reason = tr(
        "a third of {rate:.2g}, where the loss was lowest ({first:.3g} at first, {lowest:.3g} there).",
        rate=rates[best],
        first=costs[0],
        lowest=costs[best],
    )
    if best == len(rates) - 1:
        reason += tr(" It was still falling at the highest rate; higher ones may do.")
    return float(rates[best]) / MARGIN, reason


def _check(optimizer: object, batch_size: int, low: float, high: float, steps: int) -> None:
    if isinstance(optimizer, ScipyMinimize) or not isinstance(optimizer, Optimizer):
        raise InputError(
            tr("This optimizer has no learning rate."),
            where="find_learning_rate(optimizer)",
            expected=tr("SGD, RMSprop, Adam or AdamW"),
            received=repr(optimizer),
        )
    for name, value, least in (("batch_size", batch_size, 1), ("steps", steps, LEAST)):
        check_whole(value, name, least, "find_learning_rate")
    if not (isfinite(low) and isfinite(high) and 0 < low < high):
        raise InputError(
            tr("The rates must rise."),
            where="find_learning_rate(low, high)",
            expected=tr("0 < low < high, finite"),
            received=f"{low}, {high}",
        )
