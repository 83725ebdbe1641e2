"""Operations of fused blocks: convolution, batch normalisation, activation and pooling, image by image in the cache.

Images are dealt to the threads. Sums over images are taken in partitions of the mini-batch, whose number does not depend on
the threads.
"""

from __future__ import annotations

from numba import int64, void

from glassnet.kernels import opcodes as op, records
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.codegen.record_at import record_at
from glassnet.kernels.conv.direct import convolve, rotate_weights
from glassnet.kernels.conv.epilogue import apply_epilogue, batch_norm_sums, epilogue, epilogue_backward, sizes_of
from glassnet.kernels.conv.frames import clear, image_at, in_place, padded_image
from glassnet.kernels.conv.fused_block_backward import conv_backward, conv_gradients
from glassnet.kernels.conv.winograd import winograd, winograd_rotated, winograd_weights
from glassnet.kernels.norm import (
    batch_norm_gradients,
    batch_norm_running,
    batch_norm_statistics,
    image_statistics,
    statistics_of,
)
from glassnet.kernels.operands import bias_at, context_at
from glassnet.kernels.pooling import average_pool, average_pool_backward

_conv_at = record_at(records.Conv)


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
    if not in_place(block):
        clear(padded_at, conv.padded_height * padded_row)
    for image in range(ctx.low, ctx.high):
        x = padded_image(ctx, block, image, padded_at)
        out, y = image_at(ctx, block.out, out_size, image), image_at(ctx, block.y, pixels * filters, image)
        if y == 0:
            y = ctx.scratch + block.y_scratch if block.epilogue.pool.window_height else out
        if block.winograd_weights >= 0:
            winograd(
                x, padded_row, conv.channels, ctx.workspace + 4 * block.winograd_weights, filters, bias, y, row,
                conv.out_height, conv.out_width, ctx.constants, ctx.scratch + block.winograd_scratch,
            )  # fmt: skip
        else:
            convolve(
                x, padded_row, conv.stride_x * conv.channels, conv.stride_y, conv.kernel_height,
                conv.kernel_width * conv.channels, ctx.parameters + 4 * block.weight, filters, bias, y, row, conv.out_height,
                conv.out_width,
            )  # fmt: skip
        if block.statistics >= 0:
            statistics_of(y, pixels, filters, image_at(ctx, block.statistics, 3 * filters, image))
        else:
            apply_epilogue(at, y, out, image_at(ctx, block.argmax, out_size, image), mean, gain, shift)


@outlined(void(*[int64] * 3))
def fused_block(ctx_at, opcode, at):
    """This thread's share of an operation."""
    ctx = context_at(ctx_at)
    if opcode == op.CONV:
        _conv(ctx, at)
    elif opcode == op.CONV_BACKWARD:
        conv_backward(ctx, at)
    elif opcode == op.CONV_GRADIENTS:
        conv_gradients(ctx, at)
    elif opcode == op.ROTATE_WEIGHTS:
        rotate_weights(ctx, at)
    elif opcode == op.WINOGRAD_WEIGHTS:
        winograd_weights(ctx, at)
    elif opcode == op.WINOGRAD_ROTATED:
        winograd_rotated(ctx, at)
    elif opcode == op.EPILOGUE:
        epilogue(ctx, at)
    elif opcode == op.EPILOGUE_BACKWARD:
        epilogue_backward(ctx, at)
    elif opcode == op.IMAGE_STATISTICS:
        image_statistics(ctx, at)
    elif opcode == op.BATCH_NORM_STATISTICS:
        batch_norm_statistics(ctx, at)
    elif opcode == op.BATCH_NORM_RUNNING:
        batch_norm_running(ctx, at)
    elif opcode == op.BATCH_NORM_SUMS:
        batch_norm_sums(ctx, at)
    elif opcode == op.BATCH_NORM_GRADIENTS:
        batch_norm_gradients(ctx, at)
    elif opcode == op.AVERAGE_POOL:
        average_pool(ctx, at)
    elif opcode == op.AVERAGE_POOL_BACKWARD:
        average_pool_backward(ctx, at)
