"""Operations of fused blocks: convolution, batch normalisation, activation and pooling, image by image in the cache.

Images are dealt to the threads. Sums over images are taken in partitions of the mini-batch, whose number does not depend on
the threads.
"""

from __future__ import annotations

import numpy as np
from numba import int64, void

from glassnet.kernels import norm, opcodes as op, records
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
from glassnet.kernels.conv.winograd import gather_taps, winograd, winograd_gradient, winograd_weights
from glassnet.kernels.inputs import copy_scaled
from glassnet.kernels.matmul.tile import ADD, SET
from glassnet.kernels.operands import bias_at, context_at, image_at, images_of, partitions_of, share_of, source
from glassnet.kernels.pooling import average_pool
from glassnet.kernels.records import INPUT
from glassnet.kernels.reduce import join_gradient, put_gradient, put_gradient_value, sum_parts
from glassnet.kernels.sizes import COLUMNS, PRODUCTS

call_convolve_weight_pairs = called_at(convolve_weight_pairs.sig)
_conv_at, _backward_at, _gradients_at = map(record_at, (records.Conv, records.ConvBackward, records.ConvGradients))


@compiled
def _in_place(block):
    """Whether x may be read where it lies: floats of the workspace without zeros around them, not to be scaled."""
    conv = block.conv
    return block.x != INPUT and block.scale == 1.0 and conv.padded_height * conv.padded_width == conv.height * conv.width


@compiled
def _padded_image(ctx, block, image, padded_at):
    """The address of x with zeros around it; copied to `padded_at` unless it can be read where it lies."""
    conv = block.conv
    row, padded_row = conv.width * conv.channels, conv.padded_width * conv.channels
    size = conv.height * row
    if _in_place(block):
        return ctx.workspace + 4 * (block.x + image * size)
    images, is_bytes, order, first = source(ctx, block.x)
    number, item = integers_at(order + 8 * (first + image), 1)[0], 1 if is_bytes else 4
    inside = padded_at + 4 * (conv.top * padded_row + conv.left * conv.channels)
    for i in range(conv.height):
        target = floats_at(inside + 4 * i * padded_row, row)
        copy_scaled(images + item * (number * size + i * row), is_bytes, row, np.float32(block.scale), target)
    return padded_at


@compiled
def _conv(ctx, at):
    """Convolution of each image, then its statistics for the normalisation, or the epilogue."""
    block = _conv_at(at)
    conv = block.conv
    padded_at, padded_row = ctx.scratch + block.x_scratch, conv.padded_width * conv.channels
    filters, bias = conv.filters, bias_at(ctx, block.bias)
    pixels, row = conv.out_height * conv.out_width, conv.out_width * filters
    _, out_size = sizes_of(block.epilogue)
    mean, gain, shift = image_at(ctx, block.mean, 0, 0), image_at(ctx, block.gain, 0, 0), image_at(ctx, block.shift, 0, 0)
    if not _in_place(block):
        clear(padded_at, conv.padded_height * padded_row)
    for image in range(ctx.low, ctx.high):
        x = _padded_image(ctx, block, image, padded_at)
        out, y = image_at(ctx, block.out, out_size, image), image_at(ctx, block.y, pixels * filters, image)
        if y == 0:
            y = ctx.scratch + block.y_scratch if block.epilogue.pool.window_height else out
        if block.winograd_weights >= 0:
            winograd(
                x, padded_row, conv.channels, ctx.workspace + 4 * block.winograd_weights, filters, bias, y, row,
                conv.out_height, conv.out_width, ctx.constants, ctx.scratch + block.winograd_scratch,
            )  # fmt: skip
        elif block.weight_pairs >= 0:
            call_convolve_pairs(
                ctx.convolve_pairs, x, conv.padded_height, padded_row, conv.stride_x * conv.channels, conv.stride_y,
                conv.kernel_height, conv.kernel_width * conv.channels, ctx.workspace + 4 * block.weight_pairs, filters, bias,
                y, row, conv.out_height, conv.out_width, ctx.scratch + block.pairs_scratch,
            )  # fmt: skip
        else:
            convolve(
                x, padded_row, conv.stride_x * conv.channels, conv.stride_y, conv.kernel_height,
                conv.kernel_width * conv.channels, ctx.parameters + 4 * block.weight, filters, bias, y, row, conv.out_height,
                conv.out_width,
            )  # fmt: skip
        if block.statistics >= 0:
            norm.statistics_of(y, pixels, filters, image_at(ctx, block.statistics, 3 * filters, image))
        else:
            apply_epilogue(at, y, out, image_at(ctx, block.argmax, out_size, image), mean, gain, shift)


@compiled
def _partial_size(kernel, channels, filters, winograd):
    """How many numbers a partial sum of dW has; `kernel`: pixels of the kernel."""
    return (PRODUCTS if winograd else kernel) * channels * filters


@compiled
def _clear_scratch(ctx, block):
    """The zeros around the images in this thread's scratch."""
    conv = block.conv
    if not _in_place(block):
        padded_row = conv.padded_width * conv.channels
        clear(ctx.scratch + block.x_scratch, (conv.padded_height + 1) * padded_row + 2 * conv.channels)
    if block.scatter:
        clear(ctx.scratch + block.taps_scratch, conv.kernel_height * conv.kernel_width * conv.channels + COLUMNS)
    elif block.dx >= 0 and not block.sparse_rows:
        clear(ctx.scratch + block.dy_scratch, block.dy_height * block.dy_width * conv.filters)


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
def _weights(ctx, block, x, dy, line, pixel, partial, size, mode):
    """What one image adds to the partial sums of dW and db; rows of dy lie `line`, pixels `pixel` floats apart."""
    conv = block.conv
    padded_row, filters = conv.padded_width * conv.channels, conv.filters
    if block.winograd_gradient:
        winograd_gradient(
            x, padded_row, conv.channels, dy, line, filters, partial, conv.out_height, conv.out_width, mode, ctx.constants,
            ctx.scratch + block.winograd_scratch,
        )  # fmt: skip
    elif block.pair_gradient:
        call_convolve_weight_pairs(
            ctx.convolve_weight_pairs, x, conv.padded_height, padded_row, conv.stride_x * conv.channels, conv.stride_y,
            conv.kernel_height, conv.kernel_width * conv.channels, dy, line, pixel, filters, partial, conv.out_height,
            conv.out_width, mode, ctx.constants, ctx.scratch + block.pairs_scratch,
        )  # fmt: skip
    else:
        convolve_weights(
            x, padded_row, conv.stride_x * conv.channels, conv.stride_y, conv.kernel_height,
            conv.kernel_width * conv.channels, dy, line, pixel, filters, partial, conv.out_height, conv.out_width, mode,
            ctx.constants,
        )  # fmt: skip
    if block.has_bias:
        pixel_sums(dy, line, pixel, conv.out_height, conv.out_width, filters, partial + 4 * size, mode == SET)


@compiled
def _dx(ctx, at, block, dy, image):
    """dx of one image; `dy` dense, or from its zeros on."""
    conv = block.conv
    filters, line, row = conv.filters, block.dy_width * conv.filters, conv.width * conv.channels
    dx, weight_t = image_at(ctx, block.dx, conv.height * row, image), image_at(ctx, block.weight_t, 0, 0)
    if block.scatter:
        scatter_taps(
            at, dy, weight_t, dx, ctx.scratch + block.taps_scratch, image_at(ctx, block.rotated_pairs, 0, 0),
            ctx.convolve_pairs, ctx.scratch + block.pairs_scratch,
        )  # fmt: skip
    elif block.winograd_rotated >= 0:
        winograd(
            dy, line, filters, ctx.workspace + 4 * block.winograd_rotated, conv.channels, ctx.constants, dx, row,
            conv.height, conv.width, ctx.constants, ctx.scratch + block.winograd_scratch,
        )  # fmt: skip
    elif block.rotated_pairs >= 0:
        call_convolve_pairs(
            ctx.convolve_pairs, dy, block.dy_height, line, filters, int64(1), conv.kernel_height, conv.kernel_width * filters,
            ctx.workspace + 4 * block.rotated_pairs, conv.channels, ctx.constants, dx, row, conv.height, conv.width,
            ctx.scratch + block.pairs_scratch,
        )  # fmt: skip
    else:
        convolve(
            dy, line, filters, int64(1), conv.kernel_height, conv.kernel_width * filters, weight_t, conv.channels,
            ctx.constants, dx, row, conv.height, conv.width,
        )  # fmt: skip


@compiled
def _conv_backward(ctx, at):
    """dy of each image, from it the partial sums of dW and db of this thread's partitions, and dx."""
    block = _backward_at(at)
    conv = block.conv
    filters = conv.filters
    size = _partial_size(conv.kernel_height * conv.kernel_width, conv.channels, filters, block.winograd_gradient)
    padded_at, dy_at = ctx.scratch + block.x_scratch, ctx.scratch + block.dy_scratch
    inside, line, pixel = dy_at, conv.out_width * filters, filters
    _clear_scratch(ctx, block)
    if block.dx >= 0 and not block.scatter and not block.sparse_rows:
        inside = dy_at + 4 * (block.dy_top * block.dy_width + block.dy_left) * filters
        line, pixel = block.dy_width * filters * conv.stride_y, filters * conv.stride_x
    first, last = partitions_of(ctx, block.partitions)
    for part in range(first, last):
        partial = ctx.workspace + 4 * (block.partial + part * (size + filters))
        low, high = images_of(ctx, block.partitions, part)
        if block.sparse_rows or low == high:
            clear(partial, size + filters)
        for image in range(low, high):
            x = _padded_image(ctx, block, image, padded_at)
            if block.sparse_rows:
                _sparse(ctx, at, block, image, x, partial)
                continue
            undo_image(ctx, at, block, image, inside, line, pixel)
            _weights(ctx, block, x, inside, line, pixel, partial, size, SET if image == low else ADD)
            if block.dx >= 0:
                _dx(ctx, at, block, dy_at, image)


@compiled
def _join_winograd(ctx, layer, partial, apart):
    """dW from the partial sums of Winograd's products: this thread's share of the channels."""
    channels, filters = layer.channels, layer.filters
    low, high = share_of(ctx, channels)
    for product in range(PRODUCTS):
        sum_parts(
            ctx, partial, apart, layer.partitions, (product * channels + low) * filters, (product * channels + high) * filters
        )
    for c in range(low, high):
        gather_taps(partial + 4 * c * filters, channels * filters, filters, ctx.scratch, filters)
        for tap in range(9):
            gradient = floats_at(ctx.scratch + 4 * tap * filters, filters)
            put_gradient(ctx, layer.weight + (tap * channels + c) * filters, gradient)


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
    kernel, filters, partial = layer.kernel_height * layer.kernel_width, layer.filters, ctx.workspace + 4 * layer.partial
    size = _partial_size(kernel, layer.channels, filters, layer.winograd_gradient)
    if layer.bias >= 0:
        join_gradient(ctx, partial + 4 * size, size + filters, layer.partitions, layer.bias, filters)
    if layer.winograd_gradient:
        _join_winograd(ctx, layer, partial, size + filters)
    elif layer.transposed:
        _join_transposed(ctx, layer, partial, size + filters, kernel * layer.channels)
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
