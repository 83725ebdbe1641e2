"""Operations of fused blocks: convolution, batch normalisation, activation and pooling, image by image in the cache.

Images are dealt to the threads. Sums over images are taken in partitions of the mini-batch, whose number does not depend on
the threads.
"""

from __future__ import annotations

from numba import int64, void

from glassnet.kernels import norm, opcodes as op, records
from glassnet.kernels.codegen.addresses import clear, record_at
from glassnet.kernels.codegen.jit import called_at, compiled, outlined
from glassnet.kernels.conv.bfloat16 import convolve_weight_pairs
from glassnet.kernels.conv.direct import (
    call_convolve_pairs,
    convolve,
    convolve_weights,
    convolve_weights_packed,
    pixel_sums,
    rotate_weights,
    scatter_taps,
)
from glassnet.kernels.conv.epilogue import batch_norm_sums, epilogue, epilogue_backward, sizes_of, undo_image
from glassnet.kernels.conv.forward import conv_forward, in_place, padded_images
from glassnet.kernels.conv.sparse_conv_grad import sparse_conv_grad
from glassnet.kernels.conv.winograd import gather_weights, winograd, winograd_gradient, winograd_weights
from glassnet.kernels.matmul.tile import ADD, SET
from glassnet.kernels.operands import context_at, image_at, images_of, partitions_of, share_of
from glassnet.kernels.pooling import average_pool
from glassnet.kernels.reduce import join_gradient, put_gradient_value, sum_parts
from glassnet.kernels.sizes import COLUMNS

call_convolve_weight_pairs = called_at(convolve_weight_pairs.sig)
_backward_at, _gradients_at = record_at(records.ConvBackward), record_at(records.ConvGradients)


@compiled
def _clear_scratch(ctx, block):
    """The zeros around the images in this thread's scratch."""
    conv = block.conv
    if not in_place(block):
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
    if block.packs:
        convolve_weights_packed(
            images, x, x_size, padded_row, conv.stride_x * conv.channels, conv.stride_y, conv.kernel_height,
            conv.kernel_width * conv.channels, dy, dy_size, line, pixel, filters, partial, conv.out_height, conv.out_width,
            mode, ctx.constants, ctx.scratch + block.panels_scratch,
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
            x = padded_images(ctx, block, first, last, padded_at, 0, conv.padded_height)
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
        conv_forward(ctx, at)
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
