"""The interface of a peer."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.speed.images import Images
from benchmarks.speed.weights import Weights
from benchmarks.speed.workloads import Order, Workload

Work = TypeVar("Work", bound=Workload)
Predictor = Callable[[], NDArray[np.generic]]
"""Predicts all the images, `batch` in a call: classes (N,) or outputs (N, classes), as a NumPy array or the peer's own."""


class Peer(ABC, Generic[Work]):
    """An implementation of workloads of one kind."""

    note: str = ""
    same_loss: bool = True
    """Whether it minimises the workload's loss, so that its weights can be compared."""

    def __init__(self, work: Work, images: Images, start: Weights, threads: int) -> None:
        self.work, self.threads = work, threads
        self.prepare(images)
        self.set_weights(start)

    @abstractmethod
    def prepare(self, images: Images) -> None:
        """Convert the images to the peer's own format."""

    @abstractmethod
    def set_weights(self, weights: Weights) -> None:
        """Start from these weights."""

    @abstractmethod
    def weights(self) -> Weights:
        """The current weights, in float64."""

    @abstractmethod
    def train(self, order: Order) -> None:
        """One SGD step for each row of `order`; returns when the last is done."""

    def timed(self, order: Order) -> None:
        """The timed training."""
        self.train(order)

    def seconds(self, order: Order) -> float:
        """How long the timed training takes."""
        start = time.perf_counter()
        self.timed(order)
        return time.perf_counter() - start

    def predictor(self) -> Predictor:
        """The timed prediction."""
        raise NotImplementedError(f"{type(self).__name__} does not predict.")
