"""The training loop: epochs of mini-batches, validation after each, and everything that may end it early."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from glassnet.compiler.costs import costs_of_machine
from glassnet.data.augmentation import image_shape
from glassnet.errors import TrainingWarning
from glassnet.nn import Conv2D, walk
from glassnet.nn.stack import Stack
from glassnet.runtime import Predictor, Trainer, make_trainer
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr
from glassnet.support.registry import describe
from glassnet.training.arguments import AUGMENTATION, DROPOUT, ORDER, Plan, check_length, epoch_generator, network_settings
from glassnet.training.callbacks import Callback, Progress
from glassnet.training.checkpoint import State
from glassnet.training.history import Epoch, History
from glassnet.training.order import EpochOrder
from glassnet.training.ranks import begin_alike
from glassnet.training.read_ahead import ReadAhead
from glassnet.training.statistics import Statistics, Watch, all_finite, norms, validate
from glassnet.training.stop import Stop, StopReason

Result = TypeVar("Result")
STRETCH = 0.1  # seconds of compiled steps between two checks of the clock, the keyboard and the loss
FASTER = 200  # times as many steps, at the most, as in the stretch before
CHECKPOINT_EVERY = 1.0  # seconds between two checkpoints, at the least


class Training:
    """One training of one network: `run()`."""

    def __init__(self, stack: Stack, plan: Plan, callbacks: Sequence[Callback]) -> None:
        if plan.augmentation is not None:
            plan = replace(plan, image_shape=image_shape([plan.train.shape, stack.input_shape], "fit(augmentation)"))
        self.stack, self.plan, self.callbacks = stack, plan, callbacks
        stack.adapt(plan.train.images)
        self.rows = stack.rows(plan.train.images)
        self.trainer: Trainer = make_trainer(stack, self.rows, plan.targets, plan)
        self.read_ahead = ReadAhead.of(plan.train, self.rows)
        threads = plan.threads if plan.ranks is None else plan.ranks.threads(plan.threads)
        self.predictor = None if plan.validation is None else Predictor(stack, threads)
        self.held_out = None if plan.validation is None else stack.rows(plan.validation.images)
        self.watch = Watch(stack, plan.train, plan.targets, threads) if plan.statistics else None
        self.progress = Progress(
            stack,
            plan.epochs,
            plan.steps_per_epoch,
            History(seed=plan.seed),
            settings=network_settings(stack) | plan.shown() | {"ranks": self.trainer.shares} if callbacks else {},
            checkpoint=plan.checkpoint,
        )
        self.best: Array = stack.state.copy()  # parameters and running statistics, as in what follows
        # The result after the last whole epoch, and after the one before it; the state before the last step.
        self._last_epoch, self._previous_epoch, self._before_last_step = self.best.copy(), self.best.copy(), self.best.copy()
        self._raw = self.trainer.average.copy()
        self._stretch = 1
        self._saved = time.monotonic()
        self._state: State | None = None

    def run(self) -> History:
        """Train. After an error or Ctrl-C the network has the weights of the last whole epoch, which are saved."""
        plan, history = self.plan, self.progress.history
        if plan.resume and plan.checkpoint is not None and plan.checkpoint.exists():
            self._restore(State.load(plan.checkpoint), plan.checkpoint)
        if plan.ranks is not None:
            begin_alike(plan.ranks, self._arrays(), history)
            self._last_epoch[...] = self.kept
        self.progress.epoch = len(history)
        try:
            for callback in self.callbacks:
                callback.on_train_begin(self.progress)
            with nullcontext() if plan.ranks is None else plan.ranks.noting_interrupts():
                for epoch in range(len(history) + 1, plan.epochs + 1):
                    if self._stopped():
                        break
                    self._epoch(epoch)
            self._last_epoch[...] = self.kept
        except BaseException as error:
            self.progress.error = type(error)
            raise
        finally:
            self._end()
        history.stopped = self.progress.reason
        if plan.keep_best and history.epochs:
            self.stack.state[...] = self.best
        return history

    def go_on(self, history: History, moments: Sequence[Array]) -> None:
        """Go on from an earlier training of the network, on other images: its history, and the moments of its optimizer."""
        self.progress.history.epochs.extend(history.epochs)
        for own, earlier in zip(self.trainer.moments, moments, strict=True):
            own[...] = earlier

    def _end(self) -> None:
        self.stack.state[...] = self._last_epoch
        for each in (self.trainer, self.predictor, self.watch, self.read_ahead):
            if each is not None:
                each.close()
        try:
            self._save_state()
        finally:
            for callback in self.callbacks:
                callback.on_train_end(self.progress)

    @property
    def kept(self) -> Array:
        """The moving average of the state, if there is one, else the state."""
        return self.stack.state if self.plan.averaging is None else self.trainer.average

    def _with_kept(self, work: Callable[[], Result]) -> Result:
        """Call `work` while the network has the weights that are kept, and return its result.

        Not a generator-based context manager: one that Ctrl-C leaves suspended restores the old weights when it is collected.
        """
        if self.plan.averaging is None:
            return work()
        self._raw[...] = self.stack.state
        self.stack.state[...] = self.trainer.average
        try:
            return work()
        finally:
            self.stack.state[...] = self._raw

    def _stopped(self) -> bool:
        """Whether to end; with several ranks, whether any of them does. They also take rank 0's stretch of steps."""
        if self.plan.ranks is not None:
            self._stretch, stopped = self.plan.ranks.agree(self._stretch, self.progress.reason is not None)
            if stopped:
                self.progress.stop(tr("stopped on another rank"))
        return self.progress.reason is not None

    def _epoch(self, number: int) -> None:
        plan, progress = self.plan, self.progress
        start = time.perf_counter()
        progress.epoch, progress.step = number, 0
        steps, past = plan.steps_per_epoch, (number - 1) * plan.steps_per_epoch
        rates = plan.optimizer.schedule.rates(past, past + steps, plan.epochs * steps)
        rng = epoch_generator(plan.seed, number, ORDER)
        self.order = EpochOrder.draw(rng, len(plan.train), plan.shuffle_block, plan.train.images[:1].nbytes)
        order = self.order.images
        if self.read_ahead is not None:
            self.read_ahead.begin(self.order)
        plain = plan.augmentation is None or number > plan.epochs - plan.plain_epochs
        changes = None if plain else epoch_generator(plan.seed, number, AUGMENTATION)
        flips = 0 if plain else 2 * int(epoch_generator(plan.seed, 0, AUGMENTATION).integers(2**62)) + number % 2
        dropout = epoch_generator(plan.seed, number, DROPOUT) if self.trainer.draws else None
        self.trainer.begin_epoch(order, rates, dropout, changes, flips)
        first = self._first_step() if number == 1 and self.watch is not None else {}
        self._steps(progress.step, steps - 1, past)
        self._before_last_step[...] = self.stack.state
        self._steps(max(steps - 1, progress.step), steps, past, keep_gradient=True)
        finite = all_finite(self.stack.state) and (plan.averaging is None or all_finite(self.kept))
        if progress.step == steps and not finite:  # after the last loss
            self._give_up(steps + 1)
        if progress.step < steps:
            return
        validated, activations = self._with_kept(self._look)
        epoch = Epoch(
            epoch=number,
            train_cost=float(self.trainer.losses.mean()),
            train_accuracy=self._accuracy(plan.train.labels[order]),
            learning_rate=float(rates[-1]),
            seconds=time.perf_counter() - start,
            **validated,
            steps=steps,
            activations=activations,
            first_step=first,
            **norms(self.stack, self.trainer.gradient, self._before_last_step),
        )
        self._previous_epoch[...] = self.kept
        progress.history.epochs.append(epoch)
        self._last_epoch, self._previous_epoch = self._previous_epoch, self._last_epoch
        if (plan.keep_best or plan.checkpoint) and progress.history.best_epoch == number:
            self.best[...] = self.kept
        self._keep_state()  # before the callbacks, during which Ctrl-C may come
        self._with_kept(lambda: self._call_back(epoch))
        if time.monotonic() - self._saved > CHECKPOINT_EVERY:
            self._save_state()

    def _look(self) -> tuple[dict[str, Any], Statistics]:
        """Results on the validation data, and statistics of the layers' outputs, maybe those of an earlier epoch."""
        if (held_out := self.plan.validation) is not None and held_out.verify is not None:
            held_out.verify(0, len(held_out))
        validated = validate(self.predictor, self.held_out, self.plan.validation, self.plan.ranks)
        if self.watch is None:
            return validated, {}
        number, epochs = self.progress.epoch, self.progress.history.epochs
        if not self.watch.due(number, self.plan.epochs) and (before := epochs[-1].activations):
            return validated, before
        return validated, self.watch.look()[0]

    def _call_back(self, epoch: Epoch) -> None:
        for callback in self.callbacks:
            callback.on_epoch_end(self.progress, epoch)

    def _first_step(self) -> dict[str, Any]:
        """Take the first step, unless it is the last of its epoch; its statistics, as `Epoch.first_step`."""
        assert self.watch is not None
        activations, cost = self.watch.look()
        if self.plan.steps_per_epoch == 1:
            return {"cost": cost, "activations": activations}
        self._before_last_step[...] = self.stack.state
        self._steps(0, 1, 0, keep_gradient=True)
        return {"cost": cost, "activations": activations, **norms(self.stack, self.trainer.gradient, self._before_last_step)}

    def _steps(self, first: int, last: int, past: int, *, keep_gradient: bool = False) -> None:
        """Run steps in stretches, so that Ctrl-C, callbacks and an overflowing loss take effect soon."""
        progress, trainer, batch = self.progress, self.trainer, self.plan.batch_size
        while first < last:
            brought = self._bring(first)
            if self._stopped():  # which waits for the other ranks: in the steps, none has to wait for what one brings
                return
            until = min([last, first + self._stretch, brought, *(
                (first // every + 1) * every for callback in self.callbacks if (every := callback.every_steps)
            )])  # fmt: skip
            start = time.perf_counter()
            trainer.run(first, until, past, keep_gradient=keep_gradient)
            took = time.perf_counter() - start
            if took < STRETCH / 2 and until == first + self._stretch:
                self._stretch *= max(2, min(FASTER, int(STRETCH / 2 / took)))
            elif took > 2 * STRETCH:
                self._stretch = max(1, self._stretch // 2)
            losses = trainer.losses[: until * batch]
            if not np.isfinite(losses[first * batch :]).all():
                self._give_up(int(np.flatnonzero(~np.isfinite(losses[first * batch :]))[0]) // batch + first + 1)
                return
            first = progress.step = until
            if self.callbacks:
                progress.cost = float(losses.mean())
                for callback in self.callbacks:
                    if callback.every_steps is None or (callback.every_steps and first % callback.every_steps == 0):
                        callback.on_step_end(progress)

    def _bring(self, first: int) -> int:
        """Wait for the images of a step; before which step others are needed. The same for all ranks, wherever images are."""
        batch, order = self.plan.batch_size, self.order
        start, end = first * batch, min((first + 1) * batch, len(order.images))
        last = order.window(end - 1)
        if self.read_ahead is not None:
            self.read_ahead.need(order.window(start), last)
        return max(first + 1, order.ends[last] // batch) if last < len(order.ends) - 1 else self.plan.steps_per_epoch

    def _give_up(self, step: int) -> None:
        """Stop because the loss of `step` was not finite, with weights that do not depend on the timing of steps."""
        self.kept[...] = self._previous_epoch if step == 1 else self._last_epoch
        progress = self.progress
        reason = Stop(StopReason.NOT_FINITE, progress.epoch, min(step, progress.steps_per_epoch))
        progress.step = 0
        progress.stop(reason)
        warnings.warn(str(reason), TrainingWarning, stacklevel=7)  # the line that called fit

    def _accuracy(self, labels: Array) -> float | None:
        return float((self.trainer.classes == labels).mean()) if labels.ndim == 1 else None

    def _settings(self) -> dict[str, Any]:
        plan = self.plan
        settings = {
            "layers": len(self.stack.layers),
            **{f"layer {number}": layer.describe() for number, layer in enumerate(self.stack.layers, 1)},
            "loss": describe(self.stack.loss),
            "regularizer": describe(self.stack.regularizer),
            "seed": plan.seed,
            "batch_size": plan.batch_size,
            "pictures": len(plan.train),
            "optimizer": describe(plan.optimizer),
            "average": plan.averaging,
            "augmentation": None if plan.augmentation is None else describe(plan.augmentation),
            "plain_epochs": plan.plain_epochs or None,
            "shuffle_block": plan.shuffle_block,
            "precision": None if plan.precision == "float32" else plan.precision,
            "glassnet tune": costs_of_machine()[1] if any(type(one) is Conv2D for one in walk(self.stack.layers)) else None,
        }
        return dict(json.loads(json.dumps(settings)))  # lists for tuples, as in the file

    def _arrays(self) -> dict[str, Array]:
        """The arrays of a `State`."""
        first, second = self.trainer.moments
        return {
            "parameters": self.stack.state,
            "first": first,
            "second": second,
            "best": self.best,
            "previous": self._previous_epoch,
            "average": self.trainer.average,
            "slow": self.trainer.slow,
        }

    def _keep_state(self) -> None:
        """Copy the state after an epoch, to be written later."""
        if self.plan.checkpoint is None:
            return
        self._state = State(
            arrays={name: array.copy() for name, array in self._arrays().items()},
            statistics={
                f"{self.stack.names[i]}.{name}": array
                for i, layer in enumerate(self.stack.layers)
                for name, array in layer.statistics.items()
                if name not in layer.running
            },
            history=History(self.progress.history.epochs, seed=self.plan.seed),
            settings={**self._settings(), "epochs": self.plan.epochs},
        )

    def _save_state(self) -> None:
        """Write the last copied state, unless it is on the disk already."""
        if self._state is not None and self.plan.checkpoint is not None:
            self._state.save(self.plan.checkpoint)
            self._saved, self._state = time.monotonic(), None

    def _restore(self, state: State, path: Path) -> None:
        arrays = self._arrays()
        state.check(self._settings(), {name: array.size for name, array in arrays.items()}, path)
        check_length(self.plan, state.settings.get("epochs"), len(state.history), f"{path}, epochs")
        for name, array in arrays.items():
            array[...] = state.arrays[name]
        self._last_epoch[...] = self.kept
        self.progress.history.epochs.extend(state.history.epochs)
