"""Back through a stage: dy of each image, what it gives to the weights' gradients, dx; and the sums over the parts."""

from __future__ import annotations

from numba import int64

from glassnet.kernels.codegen.addresses import floats_at
from glassnet.kernels.codegen.jit import compiled
from glassnet.kernels.conv.direct import convolve, convolve_weights, pixel_sums, scatter_back
from glassnet.kernels.conv.epilogue import undo
from glassnet.kernels.conv.frames import clear, framed_image, image_at, in_place
from glassnet.kernels.conv.sparse_conv_grad import picked_back
from glassnet.kernels.conv.winograd import gather_taps, winograd, winograd_weights
from glassnet.kernels.matmul.tile import ADD, SET
from glassnet.kernels.reduce import join_parts, sum_parts
from glassnet.kernels.sizes import COLUMNS, PRODUCTS
from glassnet.kernels.stage_at import stage_at_address


@compiled
def _partial_size(stage):
    """How many numbers the weights' gradient has before the parts are joined."""
    if stage.product_gradients:
        return PRODUCTS * stage.channels * stage.filters
    return stage.kernel_height * stage.kernel_width * stage.channels * stage.filters


@compiled
def _clear_frames(job, stage):
    """The zeros around the images in this thread's scratch."""
    if not in_place(job, stage):
        padded = stage.padded_width * stage.channels
        clear(job.scratch + stage.x_room, (stage.padded_height + 1) * padded + 2 * stage.channels)
    if stage.scatters:
        clear(job.scratch + stage.taps_room, stage.kernel_height * stage.kernel_width * stage.channels + COLUMNS)
    elif stage.dx >= 0 and not stage.list_rows:
        clear(job.scratch + stage.dy_room, stage.back_height * stage.back_width * stage.filters)


@compiled
def _listed(job, stage_at, image, x, partial):
    """What the pixels that the pooling chose give to the gradients."""
    stage = stage_at_address(stage_at)
    size_out, size_x = stage.pooled_height * stage.pooled_width * stage.filters, stage.height * stage.width * stage.channels
    picked_back(
        stage_at, image_at(job, stage.dout, size_out, image), image_at(job, stage.out, size_out, image),
        image_at(job, stage.chosen, size_out, image), x, image_at(job, stage.transposed, 0, 0),
        image_at(job, stage.dx, size_x, image), job.scratch + stage.dy_room, partial, job.scratch + stage.list_room,
    )  # fmt: skip


@compiled
def _undo(job, stage_at, image, dy, dy_line):
    stage = stage_at_address(stage_at)
    size_y = stage.out_height * stage.out_width * stage.filters
    size_out = stage.pooled_height * stage.pooled_width * stage.filters if stage.pool_height else size_y
    undo(
        stage_at, image_at(job, stage.dout, size_out, image), image_at(job, stage.out, size_out, image),
        image_at(job, stage.chosen, size_out, image), image_at(job, stage.y, size_y, image),
        image_at(job, stage.coefficients, 0, 0), job.scratch + stage.row_room, dy, dy_line,
    )  # fmt: skip


@compiled
def _weights(job, stage, x, dy, line, row, partial, mode):
    """What one image gives to the gradients of the weights and biases."""
    filters, padded, size = stage.filters, stage.padded_width * stage.channels, _partial_size(stage)
    if stage.product_gradients:
        winograd_weights(
            x, padded, stage.channels, dy, line, filters, partial, stage.out_height, stage.out_width, mode, job.constants,
            job.scratch + stage.winograd_room,
        )  # fmt: skip
    else:
        convolve_weights(
            x, padded, stage.stride_x * stage.channels, stage.stride_y, stage.kernel_height,
            stage.kernel_width * stage.channels, dy, line, row, filters, partial, stage.out_height, stage.out_width, mode,
            job.constants,
        )  # fmt: skip
    if stage.bias >= 0:
        pixel_sums(dy, line, row, stage.out_height, stage.out_width, filters, partial + 4 * size, mode == SET)


@compiled
def _data(job, stage_at, dy, image):
    """dx of one image; `dy` dense, or at the start of its frame."""
    stage = stage_at_address(stage_at)
    filters, line, width = stage.filters, stage.back_width * stage.filters, stage.width * stage.channels
    dx, turned = image_at(job, stage.dx, stage.height * width, image), image_at(job, stage.transposed, 0, 0)
    if stage.scatters:
        scatter_back(stage_at, dy, turned, dx, job.scratch + stage.taps_room)
    elif stage.products_back >= 0:
        winograd(
            dy, line, filters, job.workspace + 4 * stage.products_back, stage.channels, job.constants, dx, width,
            stage.height, stage.width, job.constants, job.scratch + stage.winograd_room,
        )  # fmt: skip
    else:
        convolve(
            dy, line, filters, int64(1), stage.kernel_height, stage.kernel_width * filters, turned, stage.channels,
            job.constants, dx, width, stage.height, stage.width,
        )  # fmt: skip


@compiled
def back_through(job, stage_at, first, m):
    """dy of each image, from it the sums of the weights' gradients over this thread's parts, and dx."""
    stage = stage_at_address(stage_at)
    filters, convolves = stage.filters, stage.kernel_height > 0
    size_x, size = stage.height * stage.width * stage.channels, _partial_size(stage)
    framed, dy_room = job.scratch + stage.x_room, job.scratch + stage.dy_room
    dy_line, inside, row, line = stage.out_width * filters, dy_room, filters, stage.out_width * filters
    if convolves:
        _clear_frames(job, stage)
        if stage.dx >= 0 and not stage.scatters and not stage.list_rows:
            dy_line = stage.back_width * filters
            inside = dy_room + 4 * (stage.back_top * dy_line + stage.back_left * filters)
            row, line = filters * stage.stride_x, dy_line * stage.stride_y
    for part in range(stage.parts * job.thread // job.threads, stage.parts * (job.thread + 1) // job.threads):
        partial = job.workspace + 4 * (stage.partial + part * (size + filters))
        low, high = m * part // stage.parts, m * (part + 1) // stage.parts
        if stage.list_rows or (low == high and convolves):
            clear(partial, size + filters)
        for image in range(low, high):
            if not convolves:
                _undo(job, stage_at, image, image_at(job, stage.dx, size_x, image), dy_line)
                continue
            x = framed_image(job, stage, first, image, framed)
            if stage.list_rows:
                _listed(job, stage_at, image, x, partial)
                continue
            _undo(job, stage_at, image, inside, dy_line)
            _weights(job, stage, x, inside, line, row, partial, SET if image == low else ADD)
            if stage.dx >= 0:
                _data(job, stage_at, dy_room, image)


@compiled
def _step(into, place, count, values, rate, fused):
    """A gradient's numbers, or the step along them."""
    target, found = floats_at(into + 4 * place, count), floats_at(values, count)
    for i in range(count):
        target[i] = target[i] - rate * found[i] if fused else found[i]


@compiled
def _join_products(job, stage, at, into, rate, fused):
    """From the sums of Winograd's products, this thread's share of the channels."""
    channels, filters, size = stage.channels, stage.filters, _partial_size(stage)
    left, right = channels * job.thread // job.threads, channels * (job.thread + 1) // job.threads
    for product in range(PRODUCTS):
        sum_parts(
            at, size + filters, stage.parts, (product * channels + left) * filters, (product * channels + right) * filters
        )
    for c in range(left, right):
        gather_taps(at + 4 * c * filters, channels * filters, filters, job.scratch, filters)
        for tap in range(9):
            place = stage.weight + (tap * channels + c) * filters
            _step(into, place, filters, job.scratch + 4 * tap * filters, rate, fused)


@compiled
def _join_listed(job, stage, at, into, rate, fused):
    """From the sums over lists, which are those of Wᵀ, this thread's share of the filters."""
    filters, size = stage.filters, _partial_size(stage)
    taps = size // filters
    left, right = filters * job.thread // job.threads, filters * (job.thread + 1) // job.threads
    total = sum_parts(at, size + filters, stage.parts, left * taps, right * taps)
    target = floats_at(into + 4 * stage.weight, size)
    for tap in range(taps):
        for f in range(left, right):
            i, value = tap * filters + f, total[(f - left) * taps + tap]
            target[i] = target[i] - rate * value if fused else value


@compiled
def join_sums(job, stage, rate, fused):
    """The gradients of the weights and biases, summed over the parts; `fused`: the step along them."""
    into, at = job.parameters if fused else job.gradient, job.workspace + 4 * stage.partial
    filters, size = stage.filters, _partial_size(stage)
    if stage.bias >= 0:
        biases = at + 4 * size
        join_parts(biases, size + filters, stage.parts, into + 4 * stage.bias, filters, job.thread, job.threads, rate, fused)
    if stage.product_gradients:
        _join_products(job, stage, at, into, rate, fused)
    elif stage.list_rows:
        _join_listed(job, stage, at, into, rate, fused)
    else:
        join_parts(at, size + filters, stage.parts, into + 4 * stage.weight, size, job.thread, job.threads, rate, fused)
