"""Backward pass of a convolution and what follows it: dy of each image, its share of dW and db, and dx."""

from __future__ import annotations

from numba import int64

from glassnet.kernels import records
from glassnet.kernels.codegen.addresses import floats_at
from glassnet.kernels.codegen.jit import compiled
from glassnet.kernels.codegen.record_at import record_at
from glassnet.kernels.conv.direct import convolve, convolve_weights, pixel_sums, scatter_taps
from glassnet.kernels.conv.epilogue import sizes_of, undo_image
from glassnet.kernels.conv.frames import clear, image_at, in_place, padded_image
from glassnet.kernels.conv.sparse_conv_grad import sparse_conv_grad
from glassnet.kernels.conv.winograd import gather_taps, winograd, winograd_gradient
from glassnet.kernels.matmul.tile import ADD, SET
from glassnet.kernels.operands import share_of
from glassnet.kernels.reduce import join_gradient, put_gradient, put_gradient_value, sum_parts
from glassnet.kernels.sizes import COLUMNS, PRODUCTS

_backward_at, _gradients_at = record_at(records.ConvBackward), record_at(records.ConvGradients)


@compiled
def _partial_size(kernel, channels, filters, winograd):
    """How many numbers a partial sum of dW has; `kernel`: pixels of the kernel."""
    return (PRODUCTS if winograd else kernel) * channels * filters


@compiled
def _clear_scratch(ctx, block):
    """The zeros around the images in this thread's scratch."""
    conv = block.conv
    if not in_place(block):
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
        scatter_taps(at, dy, weight_t, dx, ctx.scratch + block.taps_scratch)
    elif block.winograd_rotated >= 0:
        winograd(
            dy, line, filters, ctx.workspace + 4 * block.winograd_rotated, conv.channels, ctx.constants, dx, row,
            conv.height, conv.width, ctx.constants, ctx.scratch + block.winograd_scratch,
        )  # fmt: skip
    else:
        convolve(
            dy, line, filters, int64(1), conv.kernel_height, conv.kernel_width * filters, weight_t, conv.channels,
            ctx.constants, dx, row, conv.height, conv.width,
        )  # fmt: skip


@compiled
def conv_backward(ctx, at):
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
    first, last = share_of(ctx, block.partitions)
    for part in range(first, last):
        partial = ctx.workspace + 4 * (block.partial + part * (size + filters))
        low = ctx.images_in_batch * part // block.partitions
        high = ctx.images_in_batch * (part + 1) // block.partitions
        if block.sparse_rows or low == high:
            clear(partial, size + filters)
        for image in range(low, high):
            x = padded_image(ctx, block, image, padded_at)
            if block.sparse_rows:
                _sparse(ctx, at, block, image, x, partial)
                continue
            undo_image(ctx, at, block, image, inside, line, pixel)
            _weights(ctx, block, x, inside, line, pixel, partial, size, SET if image == low else ADD)
            if block.dx >= 0:
                _dx(ctx, at, block, dy_at, image)


@compiled
def _join_winograd(ctx, op, partial, apart):
    """dW from the partial sums of Winograd's products: this thread's share of the channels."""
    channels, filters = op.channels, op.filters
    low, high = share_of(ctx, channels)
    for product in range(PRODUCTS):
        sum_parts(partial, apart, op.partitions, (product * channels + low) * filters, (product * channels + high) * filters)
    for c in range(low, high):
        gather_taps(partial + 4 * c * filters, channels * filters, filters, ctx.scratch, filters)
        for tap in range(9):
            gradient = floats_at(ctx.scratch + 4 * tap * filters, filters)
            put_gradient(ctx, op.weight + (tap * channels + c) * filters, gradient)


@compiled
def _join_transposed(ctx, op, partial, apart, taps):
    """dW from the partial sums of that of Wᵀ: this thread's share of the filters."""
    low, high = share_of(ctx, op.filters)
    total = sum_parts(partial, apart, op.partitions, low * taps, high * taps)
    for tap in range(taps):
        for f in range(low, high):
            put_gradient_value(ctx, op.weight + tap * op.filters + f, total[(f - low) * taps + tap])


@compiled
def conv_gradients(ctx, at):
    """dW and db from their partial sums."""
    op = _gradients_at(at)
    kernel, filters, partial = op.kernel_height * op.kernel_width, op.filters, ctx.workspace + 4 * op.partial
    size = _partial_size(kernel, op.channels, filters, op.winograd_gradient)
    if op.bias >= 0:
        join_gradient(ctx, partial + 4 * size, size + filters, op.partitions, op.bias, filters)
    if op.winograd_gradient:
        _join_winograd(ctx, op, partial, size + filters)
    elif op.transposed:
        _join_transposed(ctx, op, partial, size + filters, kernel * op.channels)
    else:
        join_gradient(ctx, partial, size + filters, op.partitions, op.weight, size)
