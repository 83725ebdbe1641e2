"""Training steps over a data set, on the kernels or in NumPy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from glassnet.compiler import FLOAT32, OPTIMIZER_KINDS, assemble, optimizer_options, share
from glassnet.data.augment import augment
from glassnet.data.augmentation import Augmentation
from glassnet.errors import InputError
from glassnet.kernels.context import ParamGroup
from glassnet.kernels.sizes import UPDATE_BLOCK, aligned_zeros, muon_layout
from glassnet.nn.optimizers import Muon, Optimizer, average
from glassnet.nn.stack import Stack
from glassnet.runtime.exchange import Exchanges, check_worth
from glassnet.runtime.executor import Executor, label_arrays, thread_count, use_kernels
from glassnet.runtime.precision import check_precision
from glassnet.runtime.ranks import Ranks
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr
from glassnet.support.memory import require_activations, require_memory
from glassnet.support.registry import unknown

COPIES = 5  # vectors of all parameters in a training: the gradient, and four that the training loop keeps


@dataclass(frozen=True, kw_only=True)
class StepPlan:
    """What training steps depend on, besides the network and the data set."""

    batch_size: int
    optimizer: Optimizer
    weights: NDArray[np.float64] | None = None  # of the images
    threads: int | None = None
    precision: str = FLOAT32  # of products
    averaging: float | None = None  # β of the moving average
    augmentation: Augmentation | None = None
    image_shape: tuple[int, int, int] = (0, 0, 0)  # (H, W, C), for the augmentation
    ranks: Ranks | None = None  # that share each mini-batch


class Trainer(ABC):
    """Runs training steps over a data set. `losses[i]` and `classes[i]` belong to image `order[i]` of the current epoch."""

    draws = True  # whether the steps take random numbers, as dropout does

    def __init__(self, stack: Stack, rows: Array, plan: StepPlan) -> None:
        self.losses: NDArray[np.float64] = np.zeros(len(rows))
        self.classes: NDArray[np.int64] = np.zeros(len(rows), dtype=np.int64)
        self.gradient: Array = aligned_zeros(stack.flat.size, stack.dtype)
        # The optimizer's moments m and v, and the moving average of the state: empty where there are none.
        sizes = (stack.flat.size if plan.optimizer.moments > number else 0 for number in range(2))
        self.moments: list[Array] = [aligned_zeros(size, stack.dtype) for size in sizes]
        self.average: Array = aligned_zeros(0 if plan.averaging is None else stack.state.size, stack.dtype)
        self.average[...] = stack.state[: len(self.average)]
        # The slow weights of a Lookahead: empty where there is none.
        self.slow: Array = aligned_zeros(0 if plan.optimizer.lookahead is None else stack.flat.size, stack.dtype)
        self.slow[...] = stack.flat[: len(self.slow)]

    @abstractmethod
    def begin_epoch(
        self,
        order: NDArray[np.int64],
        rates: NDArray[np.float64],
        rng: Generator | None,
        changes: Generator | None = None,
        flips: int = 0,
    ) -> None:
        """`rng` is needed where the trainer `draws`. With a generator `changes` the images of the epoch are augmented.

        `flips`: which images are mirrored where they are in turn, see `in_turn` of data/augment.py.
        """

    @abstractmethod
    def run(self, first_step: int, last_step: int, past_steps: int, *, keep_gradient: bool = False) -> None:
        """Run the steps. When it raises (KeyboardInterrupt, for instance), a step may be unfinished."""

    @property
    def shares(self) -> list[int] | None:
        """How many images of a mini-batch each rank has, where there are several."""
        return None

    @abstractmethod
    def close(self) -> None:
        """End the threads."""


class CompiledTrainer(Trainer):
    """Training steps on the kernels."""

    def __init__(self, stack: Stack, rows: Array, labels: Array, plan: StepPlan) -> None:
        super().__init__(stack, rows, plan)
        batch, is_bytes, optimizer, n = min(plan.batch_size, len(rows)), rows.dtype == np.uint8, plan.optimizer, len(rows)
        program = assemble(
            stack, batch, is_bytes=is_bytes, purpose="train", precision=plan.precision, augmentation=plan.augmentation,
            image_shape=plan.image_shape,
        )  # fmt: skip
        ranks, work = plan.ranks, 3 * batch * sum(stack.operations())
        shared = None if ranks is None else share(program)
        if ranks is None or shared is None:
            executor = Executor(stack, program, thread_count(plan.threads, work))
        else:
            threads = thread_count(plan.threads, work / ranks.size, ranks.on_this_machine)
            executor = Executor(stack, shared.program, threads)
        groups = param_groups(stack, optimizer)
        _bind_matrices(executor, groups)
        executor.bind(
            images=rows,
            **label_arrays(labels),
            weights=plan.weights,
            gradient=self.gradient,
            m=self.moments[0],
            v=self.moments[1],
            average=self.average,
            slow=self.slow,
            param_groups=np.array(groups, dtype=ParamGroup.dtype),
            options_at=optimizer_options(optimizer),
            square_sums=np.zeros(sum(size // UPDATE_BLOCK + 1 for _, size, *_ in groups) + 1),
            losses=self.losses,
            classes=self.classes,
        )
        executor.set(
            is_bytes=is_bytes,
            images_in_order=n,
            batch_size=batch,
            param_group_count=len(groups),
            optimizer=OPTIMIZER_KINDS[type(optimizer)],
            training=1,
            averaged=len(self.average),
            clip_norm=optimizer.clip_norm,
            averaging=plan.averaging or 0.0,
            lookahead_every=0 if optimizer.lookahead is None else optimizer.lookahead.every,
            lookahead_share=0.0 if optimizer.lookahead is None else optimizer.lookahead.share,
        )
        self._executor, self.draws = executor, program.keys > program.augmented
        self._exchanges: Exchanges | None = None
        if ranks is not None and shared is not None:
            check_worth(shared, work)
            self._exchanges = Exchanges(ranks, shared, executor, batch, self.losses, self.classes)

    def begin_epoch(
        self,
        order: NDArray[np.int64],
        rates: NDArray[np.float64],
        rng: Generator | None,
        changes: Generator | None = None,
        flips: int = 0,
    ) -> None:
        program, steps = self._executor.program, len(rates)
        keys = np.zeros((steps, max(1, program.keys)), dtype=np.uint64)
        if self.draws:
            assert rng is not None
            size = steps, program.keys - program.augmented
            keys[:, program.augmented :] = rng.integers(0, 2**64, size=size, dtype=np.uint64)
        if program.augmented and changes is not None:
            keys[:, 0] = changes.integers(0, 2**64, size=steps, dtype=np.uint64)
        self._executor.set(plain=int(changes is None), flips=flips)
        self._executor.bind(order=np.ascontiguousarray(order), rates=np.ascontiguousarray(rates), keys=keys)

    def run(self, first_step: int, last_step: int, past_steps: int, *, keep_gradient: bool = False) -> None:
        self._executor.set(past_steps=past_steps, keep_gradient=int(keep_gradient))
        self._executor.run(first_step, last_step)
        if self._exchanges is not None:
            self._exchanges.check()

    @property
    def shares(self) -> list[int] | None:
        return None if self._exchanges is None else self._exchanges.shares

    def close(self) -> None:
        self._executor.close()
        if self._exchanges is not None:
            self._exchanges.close()


class ReferenceTrainer(Trainer):
    """Training steps in NumPy, layer by layer."""

    def __init__(self, stack: Stack, rows: Array, labels: Array, plan: StepPlan) -> None:
        super().__init__(stack, rows, plan)
        self._stack, self._rows, self._labels, self._plan = stack, rows, labels, plan
        self._batch = min(plan.batch_size, len(rows))

    def begin_epoch(
        self,
        order: NDArray[np.int64],
        rates: NDArray[np.float64],
        rng: Generator | None,
        changes: Generator | None = None,
        flips: int = 0,
    ) -> None:
        self._order, self._rates, self._rng, self._changes, self._flips = order, rates, rng, changes, np.uint64(flips)

    @np.errstate(over="ignore", invalid="ignore")  # the training loop looks for losses that are not finite
    def run(self, first_step: int, last_step: int, past_steps: int, *, keep_gradient: bool = False) -> None:
        optimizer, weights = self._plan.optimizer, self._plan.weights
        for step in range(first_step, last_step):
            places = slice(step * self._batch, (step + 1) * self._batch)
            chosen = self._order[places]
            losses, raw, gradient = self._stack.losses_and_gradient(
                self._images(chosen),
                self._labels[chosen],
                None if weights is None else weights[chosen],
                training=True,
                rng=self._rng,
            )
            self.losses[places], self.classes[places] = losses, self._stack.decide(raw)
            gradient += self._stack.penalty_and_gradient()[1]
            norm = float(np.linalg.norm(gradient.astype(np.float64)))
            scale = optimizer.clip_norm / norm if 0 < optimizer.clip_norm < norm else 1.0
            self.gradient[...] = gradient  # as it is before clipping
            scaled, number = self.gradient * self.gradient.dtype.type(scale), past_steps + step + 1
            take_step(self._stack, optimizer, self._stack.flat, scaled, self.moments, float(self._rates[step]), number)
            if optimizer.lookahead is not None:
                optimizer.lookahead.follow(self.slow, self._stack.flat, number)
            if self._plan.averaging is not None:
                average(self.average, self._stack.state, self._plan.averaging, past_steps + step)

    def close(self) -> None:
        """There are no threads to end."""

    def _images(self, chosen: NDArray[np.int64]) -> Array:
        """The rows of a mini-batch, augmented in an epoch that is not plain."""
        rows, augmentation = self._rows[chosen], self._plan.augmentation
        if augmentation is None or self._changes is None:
            return rows
        key = self._changes.integers(0, 2**64, dtype=np.uint64)
        images = rows.reshape(-1, *self._plan.image_shape)
        mirrored = augmentation.mirrored(self._flips, chosen)
        found = augment(images, augmentation.record, key, self._stack.dtype, mirrored=mirrored).reshape(rows.shape)
        return found / found.dtype.type(255) if rows.dtype == np.uint8 and self._stack.takes_pixels else found


Group = tuple[int, int, float, float, float, float, int, int]


def param_groups(stack: Stack, optimizer: Optimizer) -> list[Group]:
    """Of each parameter array: offset, size, l1, l2, decoupled weight decay, factor of the learning rate, rows, columns.

    Rows and columns are 0 where the optimizer takes the array number by number.
    """
    groups = []
    for slot in stack.slots:
        l1, l2 = stack.regularizer.rates if slot.penalised else (0.0, 0.0)
        decay, columns = optimizer.decay_of(slot.name, slot.shape, slot.penalised), slot.shape[-1]
        matrix = (slot.size // columns, columns) if optimizer.takes_matrix(slot.name, slot.shape) else (0, 0)
        groups.append((slot.offset, slot.size, l1, l2, decay, optimizer.factor(slot.name), *matrix))
    return groups


def check_names(stack: Stack, optimizer: Optimizer) -> None:
    """Refuse an optimizer that names parameters which the network does not have."""
    names = [slot.name for slot in stack.slots]
    given = {"rates": optimizer.rates, "sgd": optimizer.sgd if isinstance(optimizer, Muon) else ()}
    for option, patterns in given.items():
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise unknown(tr("parameter"), pattern, names, f"{type(optimizer).__name__}({option})")


def take_step(
    stack: Stack, optimizer: Optimizer, w: Array, gradient: Array, moments: Sequence[Array], rate: float, number: int
) -> None:
    """Change the flat vectors w, of the network's parameters, and `moments` in place; `number` counts steps from 1."""
    for slot in stack.slots:
        factor, decay = optimizer.factor(slot.name), optimizer.decay_of(slot.name, slot.shape, slot.penalised)
        if factor:
            shape = slot.shape if optimizer.takes_matrix(slot.name, slot.shape) else (slot.size,)
            parts = (slot.part(flat) for flat in (w, gradient, *moments))
            a, g, m, v = (part.reshape(shape) if part.size else part for part in parts)
            optimizer.step(a, g, m, v, rate * factor, number, decay)


def _bind_matrices(executor: Executor, groups: Sequence[Group]) -> None:
    """What the steps of whole matrices need: their code, room for the largest, and as many row numbers as it has."""
    shapes = [(rows, columns) for *_, rows, columns in groups if rows]
    if shapes:
        from glassnet.kernels.library import library

        room = aligned_zeros(max(muon_layout(*shape)[-1] for shape in shapes))
        executor.bind(room=room, identity=np.arange(max(executor.program.rows, *map(max, shapes))))
        executor.set(muon=library().address("glassnet_muon"))


def make_trainer(stack: Stack, rows: Array, labels: Array, plan: StepPlan) -> Trainer:
    """A trainer on the kernels where they know the network and the optimizer, else in NumPy."""
    check_names(stack, plan.optimizer)
    optimizer = plan.optimizer
    vectors = COPIES + optimizer.moments + (plan.averaging is not None) + (optimizer.lookahead is not None)
    require_memory(
        stack.dtype.itemsize * vectors * stack.state.size,
        f"{vectors} copies of {stack.state.size:,} parameters: gradient, moments, and what training goes back to",
        "fit",
        "fewer units or filters, or an optimizer without moments",
    )
    if use_kernels(stack) and type(plan.optimizer) in OPTIMIZER_KINDS:
        return CompiledTrainer(stack, rows, labels, plan)
    check_precision(plan.precision, stack, "fit(precision)", has_kernels=False)
    if plan.ranks is not None:
        raise InputError(
            tr("Only networks that run on the compiled kernels can be trained on several ranks."),
            where="fit(ranks)",
            expected=tr("float32, layers, loss and optimizer with kernels, GLASSNET_KERNELS not 0"),
            received=repr(stack),
            hint=tr("train it in one process"),
        )
    batch = min(plan.batch_size, len(rows))
    require_activations(batch * stack.bytes_per_image, batch)
    return ReferenceTrainer(stack, rows, labels, plan)
