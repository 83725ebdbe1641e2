"""The training of a `NetworkClassifier`'s network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray

from glassnet.data import Splits
from glassnet.data.augmentation import as_augmentation
from glassnet.errors import InputError
from glassnet.network import Network
from glassnet.nn.optimizers import Optimizer, ScipyMinimize
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr
from glassnet.training import Callback, EarlyStopping, History
from glassnet.training.arguments import Plan, check_fit, check_whole
from glassnet.training.display import default_display
from glassnet.training.loop import Training

AUTO = 200  # samples of a mini-batch at most, as in MLPClassifier

Before = tuple[History, Sequence[Array]]  # an earlier training: its history, and the moments of its optimizer


def threads(n_jobs: int | None) -> int | None:
    """Threads in glassnet's terms, where None is as many as make it faster, for scikit-learn's `n_jobs`."""
    count = int(effective_n_jobs(n_jobs))
    return None if n_jobs is not None and n_jobs < 0 and count > 1 else count


def train(
    network: Network,
    data: Splits,
    *,
    optimizer: Optimizer | ScipyMinimize,
    batch_size: Any,
    max_iter: int,
    patience: int | None,
    tol: float,
    weights: NDArray[np.float64] | None,
    augmentation: Any,
    threads: int | None,
    verbose: bool,
    seed: int,
    before: Before | None,
) -> Before:
    """Train for up to `max_iter` epochs, after those `before`; the history, and the moments of the optimizer."""
    where = "NetworkClassifier"
    batch = min(AUTO, len(data.train)) if isinstance(batch_size, str) and batch_size == "auto" else batch_size
    check_whole(max_iter, "max_iter", 1, where)
    check_whole(batch, "batch_size", 1, where)
    changes = as_augmentation(augmentation, f"{where}(augmentation)")
    callbacks: list[Callback] = default_display(verbose)
    if patience is not None:
        callbacks.append(EarlyStopping(patience, tol))
    if isinstance(optimizer, ScipyMinimize):
        if before is not None:
            raise InputError(
                tr("partial_fit needs an optimizer of mini-batches."), where=f"{where}(optimizer)", received=repr(optimizer)
            )
        found = network.fit(
            data.train,
            max_iter,
            optimizer=optimizer,
            validation=data.validation,
            sample_weight=weights,
            callbacks=callbacks,
            progress=False,
        )
        return found, ()
    check_fit(max_iter, batch, 0, "last", None, changes, optimizer)
    done = 0 if before is None else len(before[0])
    plan = Plan(
        train=data.train,
        validation=data.validation,
        epochs=done + max_iter,
        batch_size=min(int(batch), len(data.train)),
        shuffle_block=data.train.block,
        optimizer=optimizer,
        seed=seed,
        weights=weights,
        threads=threads,
        augmentation=changes,
        keep_best=data.validation is not None,
    )
    training = Training(network, plan, callbacks)
    if before is not None:
        training.go_on(*before)
    return training.run(), training.trainer.moments
