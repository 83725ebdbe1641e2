"""Training steps over a data set, on the kernels or in NumPy."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from glassnet.compiler import assemble
from glassnet.data.augmentation import Augmentation, augment
from glassnet.kernels.sizes import UPDATE_BLOCK, aligned_zeros
from glassnet.nn.optimizers import Optimizer, average
from glassnet.nn.stack import Stack
from glassnet.runtime.executor import Machine, thread_count, use_kernels
from glassnet.support.arrays import Array
from glassnet.support.memory import require_activations, require_memory

COPIES = 5  # vectors of all parameters in a training: the gradient, and four that the training loop keeps


class Trainer(Protocol):
    """Runs training steps over a data set in the order of `begin_epoch`; results lie in place of that order.

    `changes` is the chance that augments the images of an epoch; without it, they are taken as they are. When `run` raises
    (KeyboardInterrupt, for instance), parameters and moments may be those of an unfinished step. `close` ends the threads.
    """

    costs: NDArray[np.float64]
    classes: NDArray[np.int64]
    gradient: Array
    moments: tuple[Array, Array]
    average: Array  # the moving average of the state; empty where there is none

    def begin_epoch(
        self,
        order: NDArray[np.int64],
        rates: NDArray[np.float64],
        rng: np.random.Generator,
        changes: np.random.Generator | None = None,
    ) -> None: ...

    def run(self, first_step: int, last_step: int, past_steps: int, *, keep_gradient: bool = False) -> None: ...

    def close(self) -> None: ...


class CompiledTrainer:
    """Training steps on the kernels."""

    def __init__(
        self,
        stack: Stack,
        rows: Array,
        labels: Array,
        *,
        batch_size: int,
        optimizer: Optimizer,
        weights: NDArray[np.float64] | None,
        threads: int | None,
        averaging: float | None = None,
        augmentation: Augmentation | None = None,
        shape: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        batch, is_bytes = min(batch_size, len(rows)), rows.dtype == np.uint8
        program = assemble(stack, batch, is_bytes=is_bytes, purpose="train", augmentation=augmentation, shape=shape)
        machine = Machine(stack, program, thread_count(threads, 3 * batch * sum(stack.operations())))
        size, n = stack.flat.size, len(rows)
        segments = stack.segments(optimizer.decay)
        self.costs, self.classes = np.zeros(n), np.zeros(n, dtype=np.int64)
        self.gradient = aligned_zeros(size)
        first, second = (aligned_zeros(size if optimizer.moments > i else 0) for i in (0, 1))
        self.moments: tuple[Array, Array] = (first, second)
        self.average = aligned_zeros(0 if averaging is None else stack.state.size)
        self.average[...] = stack.state[: len(self.average)]
        floating = labels.dtype.kind == "f"
        machine.bind(
            images=rows,
            labels=None if floating else np.ascontiguousarray(labels, dtype=np.int64),
            targets=np.ascontiguousarray(labels, dtype=np.float32) if floating else None,
            weights=weights,
            gradient=self.gradient,
            first_moment=self.moments[0],
            second_moment=self.moments[1],
            average=self.average,
            segments=segments,
            options=np.array(optimizer.options),
            sums=np.zeros(sum(int(row[1]) // UPDATE_BLOCK + 1 for row in segments) + 1),
            costs=self.costs,
            classes=self.classes,
        )
        machine.set(
            is_bytes=int(is_bytes),
            images_in_order=n,
            batch_size=batch,
            segment_count=len(segments),
            optimizer=optimizer.code,
            training=1,
            averaged=len(self.average),
        )
        machine.set_float("clip", optimizer.clip_norm)
        machine.set_float("averaging", averaging or 0.0)
        self._machine = machine

    def begin_epoch(
        self,
        order: NDArray[np.int64],
        rates: NDArray[np.float64],
        rng: np.random.Generator,
        changes: np.random.Generator | None = None,
    ) -> None:
        program, steps = self._machine.program, len(rates)
        keys = np.zeros((steps, max(1, program.dropouts)), dtype=np.uint64)
        dropouts = program.dropouts - program.augmented
        if dropouts:
            keys[:, program.augmented :] = rng.integers(0, 2**64, size=(steps, dropouts), dtype=np.uint64)
        if program.augmented and changes is not None:
            keys[:, 0] = changes.integers(0, 2**64, size=steps, dtype=np.uint64)
        self._machine.set(plain=int(changes is None))
        self._machine.bind(order=np.ascontiguousarray(order), rates=np.ascontiguousarray(rates), keys=keys)

    def run(self, first_step: int, last_step: int, past_steps: int, *, keep_gradient: bool = False) -> None:
        self._machine.set(past_steps=past_steps, keep_gradient=int(keep_gradient))
        self._machine.run(first_step, last_step)

    def close(self) -> None:
        self._machine.close()


class ReferenceTrainer:
    """Training steps in NumPy, layer by layer."""

    def __init__(
        self,
        stack: Stack,
        rows: Array,
        labels: Array,
        *,
        batch_size: int,
        optimizer: Optimizer,
        weights: NDArray[np.float64] | None,
        threads: int | None,
        averaging: float | None = None,
        augmentation: Augmentation | None = None,
        shape: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        self._options, self._shape = None if augmentation is None else augmentation.numbers, shape
        self._stack, self._rows, self._labels, self._weights = stack, rows, labels, weights
        self._batch, self._optimizer = min(batch_size, len(rows)), optimizer
        self.costs, self.classes = np.zeros(len(rows)), np.zeros(len(rows), dtype=np.int64)
        self.gradient = np.zeros_like(stack.flat)
        first, second = (np.zeros(stack.flat.size if optimizer.moments > i else 0, stack.dtype) for i in (0, 1))
        self.moments: tuple[Array, Array] = (first, second)
        self._averaging, self.average = averaging, stack.state[: 0 if averaging is None else None].copy()

    def begin_epoch(
        self,
        order: NDArray[np.int64],
        rates: NDArray[np.float64],
        rng: np.random.Generator,
        changes: np.random.Generator | None = None,
    ) -> None:
        self._order, self._rates, self._rng, self._changes = order, rates, rng, changes

    @np.errstate(over="ignore", invalid="ignore")  # the training loop looks for costs that are not finite
    def run(self, first_step: int, last_step: int, past_steps: int, *, keep_gradient: bool = False) -> None:
        for step in range(first_step, last_step):
            places = slice(step * self._batch, (step + 1) * self._batch)
            chosen = self._order[places]
            costs, raw, gradient = self._stack.costs_and_gradient(
                self._images(chosen),
                self._labels[chosen],
                None if self._weights is None else self._weights[chosen],
                training=True,
                rng=self._rng,
            )
            self.costs[places], self.classes[places] = costs, self._stack.decide(raw)
            gradient += self._stack.penalty_and_gradient()[1]
            norm = float(np.linalg.norm(gradient.astype(np.float64)))
            scale = self._optimizer.clip_norm / norm if 0 < self._optimizer.clip_norm < norm else 1.0
            self.gradient[...] = gradient  # as it is before clipping
            self._update(float(self._rates[step]), scale, past_steps + step + 1)
            if self._averaging is not None:
                average(self.average, self._stack.state, self._averaging, past_steps + step)

    def close(self) -> None:
        """There are no threads to end."""

    def _images(self, chosen: NDArray[np.int64]) -> Array:
        """The rows of a mini-batch, augmented in an epoch that is not plain."""
        rows = self._rows[chosen]
        if self._options is None or self._changes is None:
            return rows
        key = self._changes.integers(0, 2**64, dtype=np.uint64)
        found = augment(rows.reshape(-1, *self._shape), self._options, key, self._stack.dtype).reshape(rows.shape)
        return found / found.dtype.type(255) if rows.dtype == np.uint8 and self._stack.takes_pixels else found

    def _update(self, rate: float, scale: float, number: int) -> None:
        w, (first, second) = self._stack.flat, self.moments
        for slot in self._stack.slots:
            part = slice(slot.offset, slot.offset + slot.size)
            decay = self._optimizer.decay if slot.penalised else 0.0
            g = self.gradient[part] * self.gradient.dtype.type(scale)
            self._optimizer.step(w[part], g, first[part], second[part], rate, number, decay)


def make_trainer(stack: Stack, rows: Array, labels: Array, **options: Any) -> Trainer:
    """A trainer on the kernels where they know the network, else in NumPy."""
    vectors = COPIES + options["optimizer"].moments + (options.get("averaging") is not None)
    require_memory(
        stack.dtype.itemsize * vectors * stack.state.size,
        f"{vectors} copies of {stack.state.size:,} parameters: gradient, moments, and what training goes back to",
        "fit",
        "fewer units or filters, or an optimizer without moments",
    )
    if use_kernels(stack):
        return CompiledTrainer(stack, rows, labels, **options)
    batch = min(options["batch_size"], len(rows))
    require_activations(batch * stack.bytes_per_image, batch)
    return ReferenceTrainer(stack, rows, labels, **options)
