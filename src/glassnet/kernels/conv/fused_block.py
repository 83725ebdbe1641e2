"""Operations of fused blocks: convolution, batch normalisation, activation and pooling, image by image in the cache.

Images are dealt to the threads. Sums over images are taken in partitions of the mini-batch, whose number does not depend on
the threads.
"""

from __future__ import annotations

import numpy as np
from numba import int64, void

from glassnet.kernels import norm, opcodes as op, records
from glassnet.kernels.barrier import barrier_wait
from glassnet.kernels.codegen.addresses import clear, floats_at, integers_at, record_at
from glassnet.kernels.codegen.jit import called_at, compiled, outlined
from glassnet.kernels.conv.bfloat16 import convolve_weight_pairs
from glassnet.kernels.conv.direct import (
    call_convolve_pairs,
    convolve,
    convolve_weights,
    pixel_sums,
    rotate_weights,
    scatter_taps,
)
from glassnet.kernels.conv.epilogue import apply_epilogue, batch_norm_sums, epilogue, epilogue_backward, sizes_of, undo_image
from glassnet.kernels.conv.sparse_conv_grad import sparse_conv_grad
from glassnet.kernels.conv.winograd import gather_weights, winograd, winograd_gradient, winograd_weights
from glassnet.kernels.inputs import copy_scaled
from glassnet.kernels.matmul.tile import ADD, SET
from glassnet.kernels.operands import bias_at, context_at, image_at, images_of, partitions_of, share_of, source
from glassnet.kernels.pooling import average_pool
from glassnet.kernels.records import INPUT
from glassnet.kernels.reduce import join_gradient, put_gradient_value, sum_parts
from glassnet.kernels.sizes import COLUMNS

call_convolve_weight_pairs = called_at(convolve_weight_pairs.sig)
_conv_at, _backward_at, _gradients_at = map(record_at, (records.Conv, records.ConvBackward, records.ConvGradients))


@compiled
def _in_place(block):
    """Whether x may be read where it lies: floats of the workspace without zeros around them, not to be scaled."""
    conv = block.conv
    return block.x != INPUT and block.scale == 1.0 and conv.padded_height * conv.padded_width == conv.height * conv.width


@compiled
def _padded_images(ctx, block, low, high, padded_at, top, bottom):
    """The address of some images' x with zeros around it; copied to `padded_at` unless it can be read where it lies.

    Of what is copied, the rows top … bottom with the zeros.
    """
    conv = block.conv
    row, padded_row = conv.width * conv.channels, conv.padded_width * conv.channels
    size = conv.height * row
    if _in_place(block):
        return ctx.workspace + 4 * (block.x + low * size)
    images, is_bytes, order, first = source(ctx, block.x)
    item, inside = 1 if is_bytes else 4, padded_at + 4 * (conv.top * padded_row + conv.left * conv.channels)
    for image in range(low, high):
        number = integers_at(order + 8 * (first + image), 1)[0]
        for i in range(max(0, top - conv.top), min(conv.height, bottom - conv.top)):
            target = floats_at(inside + 4 * i * padded_row, row)
            copy_scaled(images + item * (number * size + i * row), is_bytes, row, np.float32(block.scale), target)
        inside += 4 * conv.padded_height * padded_row
    return padded_at


@compiled
def _rows_of_y(ctx, block):
    """This thread's rows of y: all of its images' rows, but of one image that the threads share, some."""
    height, together = block.conv.out_height, block.rows_together
    if together == 0:
        return 0, height
    first, last = share_of(ctx, (height + together - 1) // together)
    return min(height, together * first), min(height, together * last)


@compiled
def _filters_of_y(ctx, block):
    """This thread's filters: all, but of one image whose filters the threads share, some."""
    filters = block.conv.filters
    if not block.by_filters:
        return 0, filters
    first, last = share_of(ctx, (filters + COLUMNS - 1) // COLUMNS)
    return min(filters, COLUMNS * first), min(filters, COLUMNS * last)


@compiled
def _conv(ctx, at):
    """Convolution of the images, some at a time, then of each its statistics for the normalisation, or the epilogue."""
    block = _conv_at(at)
    conv, pool = block.conv, block.epilogue.pool
    padded_at, padded_row = ctx.scratch + block.x_scratch, conv.padded_width * conv.channels
    filters, bias = conv.filters, bias_at(ctx, block.bias)
    low, high = (ctx.own_low, ctx.own_high) if block.rows_together else (ctx.low, ctx.high)
    top, bottom = _rows_of_y(ctx, block)
    out_top, out_bottom = top // pool.stride_y, pool.out_height if bottom == conv.out_height else bottom // pool.stride_y
    left, right = _filters_of_y(ctx, block)
    if block.by_filters:
        top, bottom = 0, conv.out_height
    x_top, x_bottom = top * conv.stride_y, conv.padded_height
    if bottom < conv.out_height:
        x_bottom = (bottom - 1) * conv.stride_y + conv.kernel_height
    row = conv.out_width * filters
    size, x_size = conv.out_height * row, conv.padded_height * padded_row
    _, out_size = sizes_of(block.epilogue)
    mean, gain, shift = image_at(ctx, block.mean, 0, 0), image_at(ctx, block.gain, 0, 0), image_at(ctx, block.shift, 0, 0)
    if not _in_place(block):
        clear(padded_at + 4 * x_top * padded_row, (block.images - 1) * x_size + (x_bottom - x_top) * padded_row)
    for first in range(low, high, block.images):
        last = min(first + block.images, high)
        x = _padded_images(ctx, block, first, last, padded_at, x_top, x_bottom) + 4 * x_top * padded_row
        y = image_at(ctx, block.y, size, first)
        if y == 0:
            pooled = block.epilogue.pool.window_height
            y = ctx.scratch + block.y_scratch if pooled else image_at(ctx, block.out, size, first)
        if block.outputs:
            products = (block.outputs + conv.kernel_height - 1) ** 2
            winograd(
                block.outputs, conv.kernel_height, last - first, x, x_size, padded_row, conv.channels,
                ctx.workspace + 4 * (block.winograd_weights + products * conv.channels * left), right - left, bias + 4 * left,
                y + 4 * (top * row + left), size, row, filters, bottom - top, conv.out_width, ctx.constants,
                ctx.scratch + block.winograd_scratch,
            )  # fmt: skip
            if block.by_filters:
                barrier_wait(ctx.signals, ctx.threads)
        for image in range(first, last):
            x_at, y_at = x + 4 * (image - first) * x_size, y + 4 * (image - first) * size
            if not block.outputs and block.weight_pairs >= 0:
                call_convolve_pairs(
                    ctx.convolve_pairs, x_at, conv.padded_height, padded_row, conv.stride_x * conv.channels, conv.stride_y,
                    conv.kernel_height, conv.kernel_width * conv.channels, ctx.workspace + 4 * block.weight_pairs, filters,
                    bias, y_at, row, conv.out_height, conv.out_width, ctx.scratch + block.pairs_scratch,
                )  # fmt: skip
            elif not block.outputs:
                convolve(
                    x_at, padded_row, conv.stride_x * conv.channels, conv.stride_y, conv.kernel_height,
                    conv.kernel_width * conv.channels, ctx.parameters + 4 * block.weight, filters, bias,
                    y_at + 4 * top * row, row, bottom - top, conv.out_width,
                )  # fmt: skip
            if block.statistics >= 0:
                norm.statistics_of(y_at, size // filters, filters, image_at(ctx, block.statistics, 3 * filters, image))
            else:
                out, argmax = image_at(ctx, block.out, out_size, image), image_at(ctx, block.argmax, out_size, image)
                apply_epilogue(at, y_at, out, argmax, mean, gain, shift, out_top, out_bottom)


@compiled
def _clear_scratch(ctx, block):
    """The zeros around the images in this thread's scratch."""
    conv = block.conv
    if not _in_place(block):
        clear(ctx.scratch + block.x_scratch, block.images * conv.padded_height * conv.padded_width * conv.channels)
    if block.scatter:
        clear(ctx.scratch + block.taps_scratch, conv.kernel_height * conv.kernel_width * conv.channels + COLUMNS)
    clear(ctx.scratch + block.dy_scratch, block.images * block.dy_height * block.dy_width * conv.filters)


@compiled
def _sparse(ctx, at, block, image, x, partial):
    """dW, db and dx from the argmax pixels of the pooling alone."""
    conv = block.conv
    _, out_size = sizes_of(block.epilogue)
    sparse_conv_grad(
        at, image_at(ctx, block.dout, out_size, image), image_at(ctx, block.out, out_size, image),
        image_at(ctx, block.argmax, out_size, image), x, image_at(ctx, block.weight_t, 0, 0),
        image_at(ctx, block.dx, conv.height * conv.width * conv.channels, image), ctx.scratch + block.dy_scratch, partial,
        ctx.scratch + block.list_scratch,
    )  # fmt: skip


@compiled
def _weights(ctx, block, images, x, dy, dy_size, line, pixel, partial, mode):
    """What some images add to the sums of dW; rows of dy lie `line`, pixels `pixel` floats apart."""
    conv = block.conv
    padded_row, filters = conv.padded_width * conv.channels, conv.filters
    x_size = conv.padded_height * padded_row
    if block.dw_outputs:
        winograd_gradient(
            block.dw_outputs, conv.kernel_height, images, x, x_size, padded_row, conv.channels, dy, dy_size, line, filters,
            ctx.scratch + block.products_scratch, conv.out_height, conv.out_width, mode, ctx.constants,
            ctx.scratch + block.winograd_scratch,
        )  # fmt: skip
        return
    for image in range(images):
        here, there = x + 4 * image * x_size, dy + 4 * image * dy_size
        added = mode if image == 0 else ADD
        if block.pair_gradient:
            call_convolve_weight_pairs(
                ctx.convolve_weight_pairs, here, conv.padded_height, padded_row, conv.stride_x * conv.channels, conv.stride_y,
                conv.kernel_height, conv.kernel_width * conv.channels, there, line, pixel, filters, partial, conv.out_height,
                conv.out_width, added, ctx.constants, ctx.scratch + block.pairs_scratch,
            )  # fmt: skip
        else:
            convolve_weights(
                here, padded_row, conv.stride_x * conv.channels, conv.stride_y, conv.kernel_height,
                conv.kernel_width * conv.channels, there, line, pixel, filters, partial, conv.out_height, conv.out_width,
                added, ctx.constants,
            )  # fmt: skip


@compiled
def _dx(ctx, at, block, dy, dy_size, first, last):
    """dx of some images; `dy` dense, or from its zeros on."""
    conv = block.conv
    filters, row = conv.filters, conv.width * conv.channels
    lines, line = max(block.dy_height, conv.out_height), max(block.dy_width, conv.out_width) * filters  # 0: none around dy
    size, weight_t = conv.height * row, image_at(ctx, block.weight_t, 0, 0)
    dx = image_at(ctx, block.dx, size, first)
    if block.dx_outputs:
        winograd(
            block.dx_outputs, conv.kernel_height, last - first, dy, dy_size, line, filters,
            ctx.workspace + 4 * block.winograd_rotated, conv.channels, ctx.constants, dx, size, row, conv.channels,
            conv.height, conv.width,
            ctx.constants, ctx.scratch + block.winograd_scratch,
        )  # fmt: skip
        return
    pairs, pairs_at = image_at(ctx, block.rotated_pairs, 0, 0), ctx.scratch + block.pairs_scratch
    for image in range(last - first):
        here, target = dy + 4 * image * dy_size, dx + 4 * image * size
        if block.scatter:
            scatter_taps(at, here, weight_t, target, ctx.scratch + block.taps_scratch, pairs, ctx.convolve_pairs, pairs_at)
        elif pairs != 0:
            call_convolve_pairs(
                ctx.convolve_pairs, here, lines, line, filters, int64(1), conv.kernel_height,
                conv.kernel_width * filters, pairs, conv.channels, ctx.constants, target, row, conv.height, conv.width,
                pairs_at,
            )  # fmt: skip
        else:
            convolve(
                here, line, filters, int64(1), conv.kernel_height, conv.kernel_width * filters, weight_t, conv.channels,
                ctx.constants, target, row, conv.height, conv.width,
            )  # fmt: skip


@compiled
def _conv_backward(ctx, at):
    """dy of the images, some at a time, from it the partial sums of dW and db of this thread's partitions, and dx."""
    block = _backward_at(at)
    conv = block.conv
    filters = conv.filters
    weights = conv.kernel_height * conv.kernel_width * conv.channels * filters
    padded_at, dy_at = ctx.scratch + block.x_scratch, ctx.scratch + block.dy_scratch
    inside, line, pixel, dy_size = (
        dy_at,
        block.epilogue.pool.width * filters,
        filters,
        conv.out_height * conv.out_width * filters,
    )
    _clear_scratch(ctx, block)
    if block.dy_height:
        inside = dy_at + 4 * (block.dy_top * block.dy_width + block.dy_left) * filters
        line, pixel = block.dy_width * filters * conv.stride_y, filters * conv.stride_x
        dy_size = block.dy_height * block.dy_width * filters
    first_part, last_part = partitions_of(ctx, block.partitions)
    for part in range(first_part, last_part):
        partial = ctx.workspace + 4 * (block.partial + part * (weights + filters))
        low, high = images_of(ctx, block.partitions, part)
        if block.sparse_rows or low == high:
            clear(partial, weights + filters)
        for first in range(low, high, block.images):
            last = min(first + block.images, high)
            x = _padded_images(ctx, block, first, last, padded_at, 0, conv.padded_height)
            if block.sparse_rows:
                _sparse(ctx, at, block, first, x, partial)
                continue
            for image in range(first, last):
                dy = inside + 4 * (image - first) * dy_size
                undo_image(ctx, at, block, image, dy, line, pixel)
                if block.has_bias:
                    pixel_sums(dy, line, pixel, conv.out_height, conv.out_width, filters, partial + 4 * weights, image == low)
            mode = SET if first == low else ADD
            _weights(ctx, block, last - first, x, inside, dy_size, line, pixel, partial, mode)
            if block.dx >= 0:
                _dx(ctx, at, block, dy_at, dy_size, first, last)
        if block.dw_outputs and low < high:
            products = ctx.scratch + block.products_scratch
            gather_weights(block.dw_outputs, conv.kernel_height, products, conv.channels, filters, partial)


@compiled
def _join_transposed(ctx, layer, partial, apart, taps):
    """dW from the partial sums of that of Wᵀ: this thread's share of the filters."""
    low, high = share_of(ctx, layer.filters)
    total = sum_parts(ctx, partial, apart, layer.partitions, low * taps, high * taps)
    for tap in range(taps):
        for f in range(low, high):
            put_gradient_value(ctx, layer.weight + tap * layer.filters + f, total[(f - low) * taps + tap])


@compiled
def _conv_gradients(ctx, at):
    """dW and db from their partial sums."""
    layer = _gradients_at(at)
    filters, partial = layer.filters, ctx.workspace + 4 * layer.partial
    taps = layer.kernel_height * layer.kernel_width * layer.channels
    size = taps * filters
    if layer.bias >= 0:
        join_gradient(ctx, partial + 4 * size, size + filters, layer.partitions, layer.bias, filters)
    if layer.transposed:
        _join_transposed(ctx, layer, partial, size + filters, taps)
    else:
        join_gradient(ctx, partial, size + filters, layer.partitions, layer.weight, size)


@outlined(void(*[int64] * 3))
def fused_block(ctx_at, opcode, at):
    """This thread's share of an operation."""
    ctx = context_at(ctx_at)
    if opcode == op.CONV:
        _conv(ctx, at)
    elif opcode == op.CONV_BACKWARD:
        _conv_backward(ctx, at)
    elif opcode == op.CONV_GRADIENTS:
        _conv_gradients(ctx, at)
    elif opcode == op.ROTATE_WEIGHTS:
        rotate_weights(ctx, at)
    elif opcode == op.WINOGRAD_WEIGHTS:
        winograd_weights(ctx, at, ctx.parameters)
    elif opcode == op.WINOGRAD_ROTATED:
        winograd_weights(ctx, at, ctx.workspace)
    elif opcode == op.EPILOGUE:
        epilogue(ctx, at)
    elif opcode == op.EPILOGUE_BACKWARD:
        epilogue_backward(ctx, at)
    elif opcode == op.IMAGE_STATISTICS:
        norm.image_statistics(ctx, at)
    elif opcode == op.BATCH_NORM_STATISTICS:
        norm.batch_norm_statistics(ctx, at)
    elif opcode == op.BATCH_NORM_RUNNING:
        norm.batch_norm_running(ctx, at)
    elif opcode == op.BATCH_NORM_SUMS:
        batch_norm_sums(ctx, at)
    elif opcode == op.BATCH_NORM_GRADIENTS:
        norm.batch_norm_gradients(ctx, at)
    elif opcode == op.AVERAGE_POOL:
        average_pool(ctx, at, False)
    elif opcode == op.AVERAGE_POOL_BACKWARD:
        average_pool(ctx, at, True)
