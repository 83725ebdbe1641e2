"""A stage as instructions of the interpreter: forward, joined statistics, back, and the sums over its parts.

Pictures are dealt to the threads; sums over pictures are taken in `parts` of the mini-batch, a number that does not depend on
the threads, and joined in one order.
"""

from __future__ import annotations

import numpy as np
from numba import float32, int64, void

from glassnet.kernels.convolution import convolve, convolve_weights, pixel_sums, scatter_back, spread, turn_weights
from glassnet.kernels.epilogue import finish, gradient_sums, undo
from glassnet.kernels.jit import compiled, outlined
from glassnet.kernels.job_at import job_at_address
from glassnet.kernels.memory import floats_at, integers_at
from glassnet.kernels.normalisation import join_gradients, join_statistics, picture_statistics, running_gain
from glassnet.kernels.operations import (
    INPUT,
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
from glassnet.kernels.parts import join_parts, sum_parts
from glassnet.kernels.picked import picked_back
from glassnet.kernels.pointwise import average_pool
from glassnet.kernels.sizes import COLUMNS
from glassnet.kernels.stage_at import stage_at_address
from glassnet.kernels.tile import ADD, SET
from glassnet.kernels.winograd import transform_weights, winograd

F = np.float32


@compiled
def _clear(at, size):
    room = floats_at(at, size)
    for i in range(size):
        room[i] = F(0)


@compiled
def _at(job, place, size, picture):
    """The address of a picture's `size` floats in the workspace; 0 if they are not there."""
    return job.workspace + 4 * (place + picture * size) if place >= 0 else int64(0)


@compiled
def _in_place(job, stage):
    """Whether x may be read where it lies: floats of the workspace without zeros around them, not to be scaled."""
    return stage.x != INPUT and stage.scale == 1.0 and stage.padded_height * stage.padded_width == stage.height * stage.width


@compiled
def _framed(job, stage, first, picture, framed):
    """The address of x with zeros around it; copied to `framed` unless it can be read where it lies."""
    line = stage.width * stage.channels
    size = stage.height * line
    if _in_place(job, stage):
        return job.workspace + 4 * (stage.x + picture * size)
    padded = stage.padded_width * stage.channels
    inside = framed + 4 * (stage.top * padded + stage.left * stage.channels)
    if stage.x == INPUT:
        number = integers_at(job.order + 8 * (first + picture), 1)[0]
        source = job.pictures + (1 if job.is_bytes else 4) * number * size
        spread(source, job.is_bytes, F(stage.scale), stage.height, line, inside, padded)
    else:
        source = job.workspace + 4 * (stage.x + picture * size)
        spread(source, int64(0), F(stage.scale), stage.height, line, inside, padded)
    return framed


@compiled
def _forward(job, stage_at, first, low, high):
    stage = stage_at_address(stage_at)
    framed, filters = job.scratch + stage.x_room, stage.filters
    padded = stage.padded_width * stage.channels
    size_y, pixels = stage.out_height * stage.out_width * filters, stage.out_height * stage.out_width
    size_out = stage.pooled_height * stage.pooled_width * filters if stage.pool_height else size_y
    bias = job.parameters + 4 * stage.bias if stage.bias >= 0 else job.constants
    gain, shift = _at(job, stage.gain, 0, 0), _at(job, stage.shift, 0, 0)
    if not _in_place(job, stage):
        _clear(framed, stage.padded_height * padded)
    for picture in range(low, high):
        x = _framed(job, stage, first, picture, framed)
        out = _at(job, stage.out, size_out, picture)
        y = _at(job, stage.y, size_y, picture)
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
            picture_statistics(y, pixels, filters, _at(job, stage.statistics, 2 * filters, picture))
        else:
            finish(stage_at, y, out, _at(job, stage.chosen, size_out, picture), gain, shift)


@compiled
def _finish(job, stage_at, low, high):
    stage = stage_at_address(stage_at)
    size_y = stage.out_height * stage.out_width * stage.filters
    size_out = stage.pooled_height * stage.pooled_width * stage.filters if stage.pool_height else size_y
    gain, shift = _at(job, stage.gain, 0, 0), _at(job, stage.shift, 0, 0)
    for picture in range(low, high):
        y, out = _at(job, stage.y, size_y, picture), _at(job, stage.out, size_out, picture)
        finish(stage_at, y, out, _at(job, stage.chosen, size_out, picture), gain, shift)


@compiled
def _statistics(job, stage, low, high):
    """Of pictures whose y was not made by a convolution of this stage."""
    pixels, filters = stage.out_height * stage.out_width, stage.filters
    for picture in range(low, high):
        y = _at(job, stage.y, pixels * filters, picture)
        picture_statistics(y, pixels, filters, _at(job, stage.statistics, 2 * filters, picture))


@compiled
def _sums(job, stage_at, low, high):
    stage = stage_at_address(stage_at)
    filters = stage.filters
    size_y = stage.out_height * stage.out_width * filters
    size_out = stage.pooled_height * stage.pooled_width * filters if stage.pool_height else size_y
    for picture in range(low, high):
        gradient_sums(
            stage_at, _at(job, stage.dout, size_out, picture), _at(job, stage.out, size_out, picture),
            _at(job, stage.chosen, size_out, picture), _at(job, stage.y, size_y, picture), _at(job, stage.mean, 0, 0),
            _at(job, stage.inverse, 0, 0), job.scratch + stage.row_room, _at(job, stage.sums, 2 * filters, picture),
        )  # fmt: skip


@compiled
def _back(job, stage_at, first, m):
    """dy of each picture, from it the sums of the weights' gradients over this thread's parts, and dx."""
    stage = stage_at_address(stage_at)
    filters, convolves = stage.filters, stage.kernel_height > 0
    size_y = stage.out_height * stage.out_width * filters
    size_out = stage.pooled_height * stage.pooled_width * filters if stage.pool_height else size_y
    size_x = stage.height * stage.width * stage.channels
    padded, count = stage.padded_width * stage.channels, stage.kernel_width * stage.channels
    size_w = stage.kernel_height * count * filters
    framed, dy_room, g = job.scratch + stage.x_room, job.scratch + stage.dy_room, job.scratch + stage.row_room
    coefficients = _at(job, stage.coefficients, 0, 0)
    dy_line, inside, row, line = stage.out_width * filters, dy_room, filters, stage.out_width * filters
    if convolves:
        if not _in_place(job, stage):
            _clear(framed, stage.padded_height * padded)
        if stage.scatters:
            _clear(job.scratch + stage.taps_room, size_w // filters + COLUMNS)
        if stage.dx >= 0 and not stage.scatters and not stage.list_rows:
            dy_line = stage.back_width * filters
            inside = dy_room + 4 * (stage.back_top * dy_line + stage.back_left * filters)
            row, line = filters * stage.stride_x, dy_line * stage.stride_y
            _clear(dy_room, stage.back_height * dy_line)
    for part in range(stage.parts * job.thread // job.threads, stage.parts * (job.thread + 1) // job.threads):
        partial = job.workspace + 4 * (stage.partial + part * (size_w + filters))
        low, high = m * part // stage.parts, m * (part + 1) // stage.parts
        if stage.list_rows or (low == high and convolves):
            _clear(partial, size_w + filters)
        for picture in range(low, high):
            if stage.list_rows:
                picked_back(
                    stage_at, _at(job, stage.dout, size_out, picture), _at(job, stage.out, size_out, picture),
                    _at(job, stage.chosen, size_out, picture), _framed(job, stage, first, picture, framed),
                    _at(job, stage.transposed, 0, 0), _at(job, stage.dx, size_x, picture),
                    dy_room, partial, job.scratch + stage.list_room,
                )  # fmt: skip
                continue
            dy = inside if convolves else _at(job, stage.dx, size_x, picture)
            undo(
                stage_at, _at(job, stage.dout, size_out, picture), _at(job, stage.out, size_out, picture),
                _at(job, stage.chosen, size_out, picture), _at(job, stage.y, size_y, picture), coefficients, g, dy, dy_line,
            )  # fmt: skip
            if not convolves:
                continue
            x = _framed(job, stage, first, picture, framed)
            convolve_weights(
                x, padded, stage.stride_x * stage.channels, stage.stride_y, stage.kernel_height, count, dy, line, row,
                filters, partial, stage.out_height, stage.out_width, SET if picture == low else ADD, job.constants,
            )  # fmt: skip
            if stage.bias >= 0:
                pixel_sums(dy, line, row, stage.out_height, stage.out_width, filters, partial + 4 * size_w, picture == low)
            if stage.dx >= 0 and stage.scatters:
                scatter_back(
                    stage_at, dy, job.workspace + 4 * stage.transposed, _at(job, stage.dx, size_x, picture),
                    job.scratch + stage.taps_room,
                )  # fmt: skip
            elif stage.products_back >= 0:
                winograd(
                    dy_room, dy_line, filters, job.workspace + 4 * stage.products_back, stage.channels, job.constants,
                    _at(job, stage.dx, size_x, picture), stage.width * stage.channels, stage.height, stage.width,
                    job.constants, job.scratch + stage.winograd_room,
                )  # fmt: skip
            elif stage.dx >= 0:
                convolve(
                    dy_room, dy_line, filters, int64(1), stage.kernel_height, stage.kernel_width * filters,
                    job.workspace + 4 * stage.transposed, stage.channels, job.constants, _at(job, stage.dx, size_x, picture),
                    stage.width * stage.channels, stage.height, stage.width,
                )  # fmt: skip


@compiled
def _join(job, stage, rate, fused):
    """The gradients of the weights and biases, summed over the parts; where these come from lists, Wᵀ's gradient."""
    taps, filters, into = stage.kernel_height * stage.kernel_width * stage.channels, stage.filters, job.gradient
    if fused:
        into = job.parameters
    size, at = (taps + 1) * filters, job.workspace + 4 * stage.partial
    if stage.bias >= 0:
        join_parts(
            at + 4 * taps * filters, size, stage.parts, into + 4 * stage.bias, filters, job.thread, job.threads, rate, fused
        )
    if not stage.list_rows:
        join_parts(at, size, stage.parts, into + 4 * stage.weight, taps * filters, job.thread, job.threads, rate, fused)
        return
    left, right = filters * job.thread // job.threads, filters * (job.thread + 1) // job.threads
    total, target = (
        sum_parts(at, size, stage.parts, left * taps, right * taps),
        floats_at(into + 4 * stage.weight, taps * filters),
    )
    for tap in range(taps):
        for f in range(left, right):
            i, value = tap * filters + f, total[(f - left) * taps + tap]
            target[i] = target[i] - rate * value if fused else value


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
        _back(job, stage_at, first, m)
    elif operation == STAGE_WEIGHTS:
        _join(job, stage, rate, fused)
    elif operation in (STAGE_AVERAGE, STAGE_AVERAGE_BACK):
        back = int64(operation == STAGE_AVERAGE_BACK)
        size_y = stage.out_height * stage.out_width * stage.filters
        size_out = stage.pooled_height * stage.pooled_width * stage.filters
        y, out = (stage.dx, stage.dout) if back else (stage.y, stage.out)
        for picture in range(low, high):
            average_pool(stage_at, _at(job, y, size_y, picture), _at(job, out, size_out, picture), back)
