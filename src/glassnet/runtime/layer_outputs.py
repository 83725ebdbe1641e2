"""The output of every layer for some images, part by part: on the kernels, each layer by itself, or in NumPy."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from math import prod

import numpy as np
from threadpoolctl import ThreadpoolController

from glassnet.compiler import assemble
from glassnet.nn import Layer
from glassnet.nn.chain import forward_chain
from glassnet.nn.stack import Stack
from glassnet.runtime.executor import Executor, thread_count, use_kernels
from glassnet.support.arrays import Array

PART_FLOATS = 1 << 22  # of all layers' outputs for the images of a part
ALL_BYTES = np.array([0, 255], dtype=np.uint8)
BEFORE_LOSS = -1  # the key of the outputs that the loss takes


@functools.cache
def _libraries() -> ThreadpoolController:
    """NumPy's BLAS: one thread is quicker for products this small."""
    return ThreadpoolController()


class LayerOutputs:
    """The outputs of a network's layers for rows of images, with the weights that it has at the time."""

    def __init__(self, stack: Stack, rows: Array, threads: int | None = None) -> None:
        self._stack, self._rows = stack, rows
        self._executor: Executor | None = None
        if use_kernels(stack):
            width = sum(map(prod, stack.shapes[1:]))
            self._capacity = max(1, min(len(rows), PART_FLOATS // width))
            program = assemble(stack, self._capacity, is_bytes=rows.dtype == np.uint8, purpose="layers")
            work = self._capacity * sum(stack.operations())
            self._executor = Executor(stack, program, min(thread_count(threads, work), thread_count(None, work)))
            places = {id(layer): number for number, layer in enumerate(stack.layers)}
            seen = [one for one in program.seen if id(one.layer) in places and not one.value.is_images]
            self._seen = [(places[id(one.layer)], one.value) for one in seen]
            self._executor.bind(images=rows, order=np.arange(len(rows)), classes=np.empty(len(rows), dtype=np.int64))
            self._executor.set(is_bytes=int(rows.dtype == np.uint8), batch_size=self._capacity, images_in_order=len(rows))

    def parts(self, first: int = 0) -> Iterator[dict[int, Array]]:
        """Of one part of the images after the other: the outputs (n, …) of the layers from `first` on, by their numbers.

        They are views, overwritten by the next part. `BEFORE_LOSS`: what the loss takes.
        """
        stack, executor = self._stack, self._executor
        if executor is None or first >= stack.layers_before_loss:
            yield self._by_numpy(first)
            return
        for images in self._steps(executor):
            count = len(images)
            found = {
                number: executor.workspace[value.at : value.at + count * value.width].reshape(count, *value.shape)
                for number, value in self._seen
                if number >= first
            }
            x = found[BEFORE_LOSS] = found[max(found)]
            for number in range(stack.layers_before_loss, len(stack.layers)):
                x = found[number] = forward_chain([stack.layers[number]], x, stack.dtype)[0]
            yield found

    def inputs(self) -> Iterator[tuple[Layer, Array]]:
        """On the kernels, of one part of the images after the other: each layer before the loss, and its inputs.

        Those inside others, too. Bytes of images are named by the least and the largest that there are.
        """
        executor = self._executor
        assert executor is not None  # callers have asked whether there are kernels
        for images in self._steps(executor):
            for one in executor.program.seen:
                x = one.given
                if x.is_images:
                    yield one.layer, (ALL_BYTES if images.dtype == np.uint8 else images) * np.float32(x.scale)
                else:
                    yield one.layer, executor.workspace[x.at : x.at + len(images) * x.width]

    def _steps(self, executor: Executor) -> Iterator[Array]:
        """The images of each part, after their run."""
        for step in range(-(-len(self._rows) // self._capacity)):
            executor.run(step, step + 1)
            yield self._rows[step * self._capacity : (step + 1) * self._capacity]

    def _by_numpy(self, first: int) -> dict[int, Array]:
        stack = self._stack
        x: Array = self._rows.reshape(len(self._rows), *stack.input_shape)
        with _libraries().limit(limits=1):
            x = forward_chain(stack.layers[:first], x, stack.dtype)[0]
            found = {BEFORE_LOSS: x}
            for number, layer in enumerate(stack.layers[first:], first):
                x = found[number] = forward_chain([layer], x, stack.dtype)[0]
                if number < stack.layers_before_loss:
                    found[BEFORE_LOSS] = x
        return found

    def close(self) -> None:
        """End the threads."""
        if self._executor is not None:
            self._executor.close()
