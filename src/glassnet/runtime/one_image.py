"""One image through a network with as little around it as possible."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.compiler import assemble
from glassnet.nn.stack import Stack
from glassnet.runtime.executor import Executor
from glassnet.support.arrays import Array


class OneImage:
    """A program for one image, on one thread; what it reads and writes stays in one place, so a call only copies.

    On the processors measured, a second thread costs more than it saves (docs/speed.md).
    """

    def __init__(self, stack: Stack, purpose: str, dtype: np.dtype[Any]) -> None:
        is_bytes = dtype == np.uint8
        self._image = np.zeros((1, stack.features), dtype)
        self._outputs, self._classes = np.zeros((1, stack.outputs), np.float32), np.zeros(1, np.int64)
        self._executor = Executor(stack, assemble(stack, 1, is_bytes=is_bytes, purpose=purpose), 1)
        self._executor.bind(images=self._image, outputs=self._outputs, classes=self._classes, order=np.zeros(1, np.int64))
        self._executor.set(is_bytes=int(is_bytes), batch_size=1, images_in_order=1, first_step=0, last_step=1)

    def __call__(self, row: Array) -> tuple[Array, NDArray[np.int64]]:
        """The outputs (1, outputs) and the class (1,) of an image (1, features) of this type."""
        self._image[...] = row
        self._executor.repeat()
        return self._outputs.copy(), self._classes.copy()
