"""Full-batch training by scipy.optimize: an epoch is one iteration of the method.

The loss is a function of the parameters alone: dropout is off, and BatchNorm uses the statistics of the whole set. Its
running statistics converge to these, as each evaluation of the loss updates them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from glassnet.data import Dataset
from glassnet.nn import Dropout, walk
from glassnet.nn.optimizers import ScipyMinimize
from glassnet.nn.stack import Stack
from glassnet.runtime import Predictor
from glassnet.support.arrays import Array
from glassnet.support.registry import describe
from glassnet.training.arguments import network_settings
from glassnet.training.callbacks import Callback, Progress
from glassnet.training.history import Epoch, History
from glassnet.training.statistics import validate
from glassnet.training.stop import Stop, StopReason


class _StoppedError(Exception):
    """A callback has stopped the training."""


def minimize(
    stack: Stack,
    train: Dataset,
    soft_targets: Array | None,
    *,
    method: ScipyMinimize,
    epochs: int,
    validation: Dataset | None,
    weights: NDArray[np.float64] | None,
    callbacks: Sequence[Callback],
) -> History:
    """Optimize the network's parameters by `method`, in at most `epochs` iterations; arguments as in `Network.fit`."""
    from scipy.optimize import minimize as scipy_minimize

    stack.adapt(train.images)
    exact = stack.astype("float64")
    for layer in walk(exact.layers):
        if isinstance(layer, Dropout):
            layer.rate = 0.0
    targets = train.labels if soft_targets is None else soft_targets
    rng = np.random.default_rng(0)  # dropout of rate 0 needs one, too
    size, rows = stack.flat.size, exact.rows(train.images)
    held_out = None if validation is None else stack.rows(validation.images)
    settings = {**network_settings(stack), "optimizer": describe(method), "epochs": epochs, "images": len(train)}
    progress = Progress(stack, epochs, 1, History(), settings=settings)
    seen: dict[str, float] = {}
    start = time.perf_counter()

    def cost(values: Array) -> tuple[float, Array]:
        exact.parameters = values
        losses, raw, gradient = exact.losses_and_gradient(rows, targets, weights, training=True, rng=rng)
        penalty, more = exact.penalty_and_gradient()
        seen["cost"] = float(losses.mean())
        seen["accuracy"] = float((exact.decide(raw) == train.labels).mean()) if train.is_classification else np.nan
        seen["norm"] = float(np.linalg.norm(gradient + more))
        return seen["cost"] + penalty, gradient + more

    def after_iteration(values: Array) -> None:
        nonlocal start
        stack.flat[...] = values
        stack.state[size:] = exact.state[size:]
        progress.epoch, progress.step, progress.cost = len(progress.history) + 1, 1, seen["cost"]
        epoch = Epoch(
            epoch=progress.epoch,
            train_cost=seen["cost"],
            train_accuracy=seen["accuracy"] if train.is_classification else None,
            **validate(Predictor(stack), held_out, validation),
            learning_rate=0.0,
            seconds=time.perf_counter() - start,
            gradient_norms={"all": seen["norm"]},
        )
        start = time.perf_counter()
        progress.history.epochs.append(epoch)
        for callback in callbacks:
            callback.on_epoch_end(progress, epoch)
        if progress.reason is not None:
            raise _StoppedError

    for callback in callbacks:
        callback.on_train_begin(progress)
    try:
        result = scipy_minimize(
            cost,
            stack.parameters.astype(np.float64),
            jac=True,
            method=method.method,
            callback=after_iteration,
            options={"maxiter": epochs},
        )
        stack.flat[...] = result.x
        stack.state[size:] = exact.state[size:]
        if len(progress.history) < epochs:
            progress.history.stopped = Stop(StopReason.SOLVER, len(progress.history), words=str(result.message))
    except _StoppedError:
        progress.history.stopped = progress.reason
    except BaseException as error:
        progress.error = type(error)
        raise
    finally:
        for callback in callbacks:
            callback.on_train_end(progress)
    return progress.history
