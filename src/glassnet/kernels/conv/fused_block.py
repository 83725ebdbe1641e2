"""A stage as instructions of the interpreter: forward, joined statistics, back, and the sums over its parts.

Images are dealt to the threads; sums over images are taken in `parts` of the mini-batch, a number that does not depend on
the threads, and joined in one order.
"""

from __future__ import annotations

import numpy as np
from numba import float32, int64, void

from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.conv.direct import convolve, turn_weights
from glassnet.kernels.conv.epilogue import finish, gradient_sums
from glassnet.kernels.conv.frames import clear, framed_image, image_at, in_place
from glassnet.kernels.conv.fused_block_backward import back_through, join_sums
from glassnet.kernels.conv.winograd import transform_weights, winograd
from glassnet.kernels.job_at import job_at_address
from glassnet.kernels.norm import image_statistics, join_gradients, join_statistics, running_gain
from glassnet.kernels.opcodes import (
    STAGE_AVERAGE,
    STAGE_AVERAGE_BACK,
    STAGE_BACK,
    STAGE_FINISH,
    STAGE_FORWARD,
    STAGE_GRADIENTS,
    STAGE_JOIN,
    STAGE_PRODUCTS,
    STAGE_PRODUCTS_BACK,
    STAGE_RUNNING,
    STAGE_SUMS,
    STAGE_TURN,
    STAGE_WEIGHTS,
)
from glassnet.kernels.pointwise import average_pool
from glassnet.kernels.stage_at import stage_at_address

F = np.float32


@compiled
def _forward(job, stage_at, first, low, high):
    stage = stage_at_address(stage_at)
    framed, filters = job.scratch + stage.x_room, stage.filters
    padded = stage.padded_width * stage.channels
    size_y, pixels = stage.out_height * stage.out_width * filters, stage.out_height * stage.out_width
    size_out = stage.pooled_height * stage.pooled_width * filters if stage.pool_height else size_y
    bias = job.parameters + 4 * stage.bias if stage.bias >= 0 else job.constants
    mean, gain = image_at(job, stage.mean, 0, 0), image_at(job, stage.gain, 0, 0)
    shift = image_at(job, stage.shift, 0, 0)
    if not in_place(job, stage):
        clear(framed, stage.padded_height * padded)
    for image in range(low, high):
        x = framed_image(job, stage, first, image, framed)
        out = image_at(job, stage.out, size_out, image)
        y = image_at(job, stage.y, size_y, image)
        if y == 0:
            y = job.scratch + stage.y_room if stage.pool_height else out
        if stage.products >= 0:
            winograd(
                x, padded, stage.channels, job.workspace + 4 * stage.products, filters, bias, y, stage.out_width * filters,
                stage.out_height, stage.out_width, job.constants, job.scratch + stage.winograd_room,
            )  # fmt: skip
        else:
            convolve(
                x, padded, stage.stride_x * stage.channels, stage.stride_y, stage.kernel_height,
                stage.kernel_width * stage.channels, job.parameters + 4 * stage.weight, filters, bias, y,
                stage.out_width * filters, stage.out_height, stage.out_width,
            )  # fmt: skip
        if stage.statistics >= 0:
            image_statistics(y, pixels, filters, image_at(job, stage.statistics, 3 * filters, image))
        else:
            finish(stage_at, y, out, image_at(job, stage.chosen, size_out, image), mean, gain, shift)


@compiled
def _finish(job, stage_at, low, high):
    stage = stage_at_address(stage_at)
    size_y = stage.out_height * stage.out_width * stage.filters
    size_out = stage.pooled_height * stage.pooled_width * stage.filters if stage.pool_height else size_y
    mean, gain = image_at(job, stage.mean, 0, 0), image_at(job, stage.gain, 0, 0)
    shift = image_at(job, stage.shift, 0, 0)
    for image in range(low, high):
        y, out = image_at(job, stage.y, size_y, image), image_at(job, stage.out, size_out, image)
        finish(stage_at, y, out, image_at(job, stage.chosen, size_out, image), mean, gain, shift)


@compiled
def _statistics(job, stage, low, high):
    """Of images whose y was not made by a convolution of this stage."""
    pixels, filters = stage.out_height * stage.out_width, stage.filters
    for image in range(low, high):
        y = image_at(job, stage.y, pixels * filters, image)
        image_statistics(y, pixels, filters, image_at(job, stage.statistics, 3 * filters, image))


@compiled
def _sums(job, stage_at, low, high):
    stage = stage_at_address(stage_at)
    filters = stage.filters
    size_y = stage.out_height * stage.out_width * filters
    size_out = stage.pooled_height * stage.pooled_width * filters if stage.pool_height else size_y
    for image in range(low, high):
        gradient_sums(
            stage_at, image_at(job, stage.dout, size_out, image), image_at(job, stage.out, size_out, image),
            image_at(job, stage.chosen, size_out, image), image_at(job, stage.y, size_y, image),
            image_at(job, stage.mean, 0, 0), image_at(job, stage.inverse, 0, 0), job.scratch + stage.row_room,
            image_at(job, stage.sums, 2 * filters, image),
        )  # fmt: skip


@outlined(void(*[int64] * 6, float32))
def stages(job_at, operation, stage_at, first, m, fused, rate):
    """This thread's share of an instruction about a stage."""
    job, stage = job_at_address(job_at), stage_at_address(stage_at)
    low, high = m * job.thread // job.threads, m * (job.thread + 1) // job.threads
    left, right = stage.filters * job.thread // job.threads, stage.filters * (job.thread + 1) // job.threads
    if operation == STAGE_FORWARD and stage.kernel_height:
        _forward(job, stage_at, first, low, high)
    elif operation == STAGE_FORWARD:
        _statistics(job, stage, low, high)
    elif operation == STAGE_JOIN:
        join_statistics(stage, m, job.parameters, job.workspace, left, right)
    elif operation == STAGE_RUNNING:
        running_gain(stage, job.parameters, job.workspace, left, right)
    elif operation == STAGE_FINISH:
        _finish(job, stage_at, low, high)
    elif operation == STAGE_SUMS:
        _sums(job, stage_at, low, high)
    elif operation == STAGE_GRADIENTS:
        join_gradients(stage, m, job.parameters, job.gradient, job.workspace, left, right, rate, fused)
    elif operation == STAGE_TURN:
        taps = stage.kernel_height * stage.kernel_width
        turn_weights(
            job.parameters + 4 * stage.weight, job.workspace + 4 * stage.transposed, stage.kernel_height, stage.kernel_width,
            stage.channels, stage.filters, taps * job.thread // job.threads, taps * (job.thread + 1) // job.threads,
        )  # fmt: skip
    elif operation == STAGE_PRODUCTS:
        channels = stage.channels
        transform_weights(
            job.parameters + 4 * stage.weight, channels, stage.filters, job.workspace + 4 * stage.products,
            channels * job.thread // job.threads, channels * (job.thread + 1) // job.threads,
        )  # fmt: skip
    elif operation == STAGE_PRODUCTS_BACK:
        transform_weights(
            job.workspace + 4 * stage.transposed, stage.filters, stage.channels, job.workspace + 4 * stage.products_back,
            left, right,
        )  # fmt: skip
    elif operation == STAGE_BACK:
        back_through(job, stage_at, first, m)
    elif operation == STAGE_WEIGHTS:
        join_sums(job, stage, rate, fused)
    elif operation in (STAGE_AVERAGE, STAGE_AVERAGE_BACK):
        back = int64(operation == STAGE_AVERAGE_BACK)
        size_y = stage.out_height * stage.out_width * stage.filters
        size_out = stage.pooled_height * stage.pooled_width * stage.filters
        y, out = (stage.dx, stage.dout) if back else (stage.y, stage.out)
        for image in range(low, high):
            average_pool(stage_at, image_at(job, y, size_y, image), image_at(job, out, size_out, image), back)
