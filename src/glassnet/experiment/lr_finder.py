"""The learning-rate range test: the loss over steps at exponentially rising rates."""

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
from glassnet.support.i18n import mark, tr
from glassnet.training.arguments import DROPOUT, ORDER, check_labels, check_seed, check_whole, epoch_generator

EXPLODED = 4.0  # the test ends at this multiple of the lowest loss so far
FALLEN = 0.9  # a rate is suggested if the lowest loss is below this fraction of the first
WIDTH = 0.03  # standard deviation of the Gaussian that smooths the losses, as a fraction of the steps
LEAST = 10  # steps
MARGIN = 3  # the suggested rate is a third of the one with the lowest loss


@dataclass(frozen=True)
class RateTest:
    """`costs`: the loss of the mini-batch at each of the `rates`, smoothed; `raw`: unsmoothed.

    `suggested`: a third of the rate with the lowest loss, or None if the loss did not fall; `reason` says why.
    """

    rates: NDArray[np.float64]
    costs: NDArray[np.float64]
    raw: NDArray[np.float64]
    suggested: float | None
    reason: str

    def __str__(self) -> str:
        if self.suggested is None:
            return tr("No learning rate can be suggested: {reason}", reason=self.reason)
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

    It ends early if the loss explodes. The `optimizer`'s own rate and schedule are ignored; the network is not changed.
    Raises `InputError` for an invalid range. Smith, Cyclical Learning Rates for Training Neural Networks, 2015.
    """
    twin = network.astype(str(network.dtype))
    data, chosen = twin.labelled(train, "find_learning_rate(train)"), SGD() if optimizer is None else optimizer
    _check(chosen, batch_size, low, high, steps)
    check_labels(twin, data, "find_learning_rate(train)")
    twin.adapt(data.images)
    rates = np.geomspace(low, high, steps)
    plan = StepPlan(batch_size=min(batch_size, len(data)), optimizer=chosen, threads=threads)
    raw = _losses(twin, data, plan, rates, check_seed(seed))
    if not len(raw):
        raise InputError(
            tr("The loss is not finite even at the lowest rate."),
            where="find_learning_rate(low)",
            expected=tr("a rate at which the loss stays finite"),
            received=low,
            hint=tr("scale the images, for example by Pixels or Standardize, or choose a lower rate"),
        )
    reach = np.arange(len(raw))
    weights = np.exp(-0.5 * ((reach[:, None] - reach) / (WIDTH * steps)) ** 2)  # truncated and renormalized at the ends
    costs = np.asarray(weights @ np.minimum(raw, EXPLODED * np.median(raw)) / weights.sum(axis=1))
    return RateTest(rates[: len(raw)], costs, raw, *_suggestion(rates, costs))


def _losses(network: Network, data: Dataset, plan: StepPlan, rates: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """The mean loss of each mini-batch before its step, until it is not finite or explodes."""
    batch = plan.batch_size
    steps = -(-len(data) // batch)
    found: list[float] = []
    running, lowest = 0.0, float("inf")
    with closing(make_trainer(network, network.rows(data.images), data.labels, plan)) as trainer:
        for number, rate in enumerate(rates):
            epoch, step = divmod(number, steps)
            if step == 0:
                order = epoch_generator(seed, epoch + 1, ORDER).permutation(len(data))
                trainer.begin_epoch(order, rates[number : number + steps], epoch_generator(seed, epoch + 1, DROPOUT))
            trainer.run(step, step + 1, number - step)
            loss = float(trainer.losses[step * batch : (step + 1) * batch].mean())
            if not isfinite(loss) or not isfinite(rate):
                break
            found.append(loss)
            running = 0.9 * running + 0.1 * loss
            mean = running / (1 - 0.9 ** len(found))
            lowest = min(lowest, mean)
            if len(found) > LEAST and mean > EXPLODED * lowest:
                break
    return np.array(found)


def _suggestion(rates: NDArray[np.float64], costs: NDArray[np.float64]) -> tuple[float | None, str]:
    best = int(costs.argmin())
    if costs[best] > FALLEN * costs[0]:
        low, high = rates[0], rates[len(costs) - 1]
        return None, tr("the loss did not fall clearly between the rates {low:.2g} and {high:.2g}.", low=low, high=high)
    text = mark("a third of {rate:.2g}, where the loss was lowest ({first:.3g} at first, {lowest:.3g} there).")
    reason = tr(text, rate=rates[best], first=costs[0], lowest=costs[best])
    if best == len(rates) - 1:
        reason += tr(" It was still falling at the highest rate; a higher one may work.")
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
            tr("The lowest rate must be below the highest."),
            where="find_learning_rate(low, high)",
            expected=tr("0 < low < high, finite"),
            received=f"{low}, {high}",
        )
