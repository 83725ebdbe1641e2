"""The gradient of some images as the kernels compute it, outside training, in the precision that a training would have."""

from __future__ import annotations

import numpy as np

from glassnet.compiler import assemble
from glassnet.kernels.sizes import aligned_zeros
from glassnet.nn.stack import Stack
from glassnet.runtime.executor import Executor, label_arrays
from glassnet.support.arrays import Array

MINI_BATCH = 64  # for which algorithms and precision are chosen, should there be fewer images


def kernel_gradient(stack: Stack, rows: Array, labels: Array, precision: str) -> Array:
    """The gradient of the mean loss by all parameters, without penalty and dropout, BatchNorm with running statistics."""
    count, gradient = len(rows), aligned_zeros(stack.flat.size)
    is_bytes, capacity = rows.dtype == np.uint8, max(count, MINI_BATCH)
    executor = Executor(stack, assemble(stack, capacity, is_bytes=is_bytes, purpose="show", precision=precision), 1)
    executor.bind(
        images=rows, **label_arrays(labels), order=np.arange(count), losses=np.zeros(count),
        classes=np.zeros(count, dtype=np.int64), gradient=gradient,
    )  # fmt: skip
    executor.set(is_bytes=int(is_bytes), images_in_order=count, batch_size=capacity)
    executor.run(0, 1)
    return gradient
