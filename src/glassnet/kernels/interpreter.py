"""Whole epochs in one compiled call: a network, lowered to a table of instructions, is run over its mini-batches.

Python need not be entered between two layers or two mini-batches, which is what other frameworks spend most of their time on
in small networks. Values lie in one flat workspace, parameters and gradient in flat vectors of their own. Several threads may
run the same program in lockstep: each does its share of every instruction and waits for the others before the next.

An instruction is a row of eight integers: operation, source, target, width of source, width of target, three operands; and
two floats beside it. Sources and targets are offsets into the workspace; a source of INPUT is the mini-batch of images
itself, bytes or floats, read where it lies in the data set. Which operand means what stands with the operations below.
"""

from __future__ import annotations

import numpy as np
from numba import float32, int64, void

from glassnet.kernels.activations import activate, activate_back, dropout, softmax_row, softmax_row_back
from glassnet.kernels.augmentation import augment
from glassnet.kernels.barrier import meet, read_stop, stopped
from glassnet.kernels.codegen.addresses import bytes_at, doubles_at, floats_at, integers_at, keys_at
from glassnet.kernels.codegen.denormals import ignore_denormals, restore
from glassnet.kernels.codegen.jit import called_at, compiled, outlined
from glassnet.kernels.conv.fused_block import stages
from glassnet.kernels.job_at import job_at_address
from glassnet.kernels.losses import aim, cost_row, decide
from glassnet.kernels.matmul.gemm import multiply_columns, multiply_rows
from glassnet.kernels.matmul.skinny_gemm import dot_rows, outer_columns
from glassnet.kernels.matmul.tile import ADD, SET
from glassnet.kernels.opcodes import (
    ACTIVATE,
    ACTIVATE_BACK,
    ADD_VALUES,
    AFFINE,
    AUGMENT,
    COPY_CHANNELS,
    COST,
    DENSE,
    DENSE_BIAS,
    DENSE_INPUT,
    DENSE_NARROW,
    DENSE_NARROW_WEIGHT,
    DENSE_TRANSPOSE,
    DENSE_WEIGHT,
    DROPOUT,
    INPUT,
    LAYER_NORM,
    LAYER_NORM_BACK,
    LAYER_NORM_WEIGHTS,
    LOAD,
    OUTPUT,
    SEQUENCE_FORWARD,
    SEQUENCE_WEIGHTS,
    SOFTMAX,
    SOFTMAX_BACK,
    STAGE_FORWARD,
    STAGE_PRODUCTS_BACK,
)
from glassnet.kernels.optimizers import average_parameters, is_plain_sgd, update_parameters
from glassnet.kernels.pointwise import add, copy_channels, layer_norm, layer_norm_back, layer_norm_sums
from glassnet.kernels.recurrent import sequences

F = np.float32

# Whole groups of operations are units of their own, compiled when a program first has them.
call_stages, call_sequences, call_augment = called_at(stages.sig), called_at(sequences.sig), called_at(augment.sig)


@compiled
def _rows(base, offset, width, low, high):
    """The floats of the rows low … high of a value of `width` columns."""
    return floats_at(base + 4 * (offset + low * width), (high - low) * width)


@compiled
def _load(source, is_bytes, order, workspace, target, width, scale, first, low, high):
    for r in range(low, high):
        row = _rows(workspace, target, width, r, r + 1)
        at = integers_at(order + 8 * (first + r), 1)[0] * width
        if is_bytes:
            pixels = bytes_at(source + at, width)
            for j in range(width):
                row[j] = scale * F(pixels[j])
        else:
            values = floats_at(source + 4 * at, width)
            for j in range(width):
                row[j] = scale * values[j]


@compiled
def _transpose(w, rows, columns, target, apart, thread, threads):
    """target (columns, rows) = wᵀ, in squares that stay in the first-level cache."""
    squares = (columns + 15) // 16
    for j0 in range(16 * (squares * thread // threads), min(columns, 16 * (squares * (thread + 1) // threads)), 16):
        for i0 in range(0, rows, 16):
            for j in range(j0, min(columns, j0 + 16)):
                line = floats_at(target + 4 * j * apart, rows)
                for i in range(i0, min(rows, i0 + 16)):
                    line[i] = floats_at(w + 4 * (i * columns + j), 1)[0]


@compiled
def _column_sums(job, source, width, into, total_at, m, rate, fused):
    """The bias's gradient, for this thread's share of the columns."""
    left, right = width * job.thread // job.threads, width * (job.thread + 1) // job.threads
    size = right - left
    total = floats_at(job.workspace + 4 * (total_at + left), size)
    for j in range(size):
        total[j] = F(0)
    for r in range(m):
        dy = floats_at(job.workspace + 4 * (source + r * width + left), size)
        for j in range(size):
            total[j] += dy[j]
    result = floats_at((job.parameters if fused else job.gradient) + 4 * (into + left), size)
    for j in range(size):
        result[j] = result[j] - rate * total[j] if fused else total[j]


@outlined(void(*[int64] * 10))
def costs(job_at, kind, source, delta, target, width, first, m, low, high):
    """Cost, class and delta of the images low … high of a mini-batch."""
    job = job_at_address(job_at)
    n = job.images_in_order
    order, found, classes = integers_at(job.order, n), doubles_at(job.costs, n), integers_at(job.classes, n)
    for r in range(low, high):
        image = order[first + r]
        z, wanted = _rows(job.workspace, source, width, r, r + 1), _rows(job.workspace, target, width, r, r + 1)
        if job.targets:
            given = floats_at(job.targets + 4 * image * width, width)
            for j in range(width):
                wanted[j] = given[j]
        else:
            aim(wanted, integers_at(job.labels + 8 * image, 1)[0], job.smoothing)
        weight = doubles_at(job.weights + 8 * image, 1)[0] if job.weights else 1.0
        cost = cost_row(kind, z, wanted, _rows(job.workspace, delta, width, r, r + 1), F(weight / m))
        found[first + r] = weight * cost
        classes[first + r] = decide(z, job.threshold)


@compiled
def _outputs(job, source, width, first, low, high):
    classes = integers_at(job.classes, job.images_in_order)
    for r in range(low, high):
        z = _rows(job.workspace, source, width, r, r + 1)
        classes[first + r] = decide(z, job.threshold)
        if job.outputs:
            kept = floats_at(job.outputs + 4 * (first + r) * width, width)
            for j in range(width):
                kept[j] = z[j]


@outlined(void(*[int64] * 6, float32))
def execute(job_at, i, first, m, step, fused, rate):
    """This thread's share of instruction i; `fused`: gradients go straight into the weights, at `rate`."""
    job = job_at_address(job_at)
    line, numbers = integers_at(job.code + 64 * i, 8), doubles_at(job.numbers + 16 * i, 2)
    operation, source, target, width, width_out = line[0], line[1], line[2], line[3], line[4]
    low, high = m * job.thread // job.threads, m * (job.thread + 1) // job.threads
    base, number = job.workspace, F(numbers[0])
    address, is_bytes, order, skip = base + 4 * source, int64(0), job.identity, int64(0)
    if source == INPUT:
        address, is_bytes, order, skip = job.images, job.is_bytes, job.order, first
    if operation == LOAD:
        _load(address, is_bytes, order, base, target, width, number, skip, low, high)
    elif operation == AUGMENT:
        if job.plain:
            _load(address, is_bytes, order, base, target, width, F(1), skip, low, high)
        else:
            height, channels = width // width_out, int64(number)
            call_augment(
                job.augment, job.constants + 4 * line[5], address, is_bytes, order, skip, low, high, height,
                width_out // channels, channels, keys_at(job.keys + 8 * (job.dropouts * step + line[6]), 1)[0],
                base + 4 * target, job.scratch,
            )  # fmt: skip
    elif operation == AFFINE:
        scale, shift = floats_at(job.constants + 4 * line[5], width), floats_at(job.constants + 4 * line[6], width)
        middle = floats_at(job.constants + 4 * line[7], width)
        for r in range(low, high):
            x, y = _rows(base, source, width, r, r + 1), _rows(base, target, width, r, r + 1)
            for j in range(width):
                y[j] = (x[j] - middle[j]) * scale[j] + shift[j]
    elif operation == DENSE:
        bias = job.parameters + 4 * line[6] if line[6] >= 0 else job.constants
        multiply_rows(
            address, is_bytes, width, number, order, skip, m, width, job.parameters + 4 * line[5], width_out, bias,
            base + 4 * target, SET, job.scratch, job.thread, job.threads,
        )  # fmt: skip
    elif operation == DENSE_NARROW:
        bias = job.parameters + 4 * line[5] if line[5] >= 0 else job.constants
        dot_rows(
            address, is_bytes, width, number, order, skip, m, base + 4 * line[6], line[7], width_out, bias, base + 4 * target,
            job.scratch, job.thread, job.threads,
        )  # fmt: skip
    elif operation == DENSE_NARROW_WEIGHT:
        into, mode, factor = (job.parameters, ADD, -rate) if fused else (job.gradient, SET, F(1))
        outer_columns(
            address, is_bytes, width, number, order, skip, m, base + 4 * line[5], width_out, job.constants,
            into + 4 * line[6], factor, mode, job.scratch, job.thread, job.threads,
        )  # fmt: skip
    elif operation == DENSE_BIAS:
        _column_sums(job, source, width, line[5], target, m, rate, fused)
    elif operation == DENSE_TRANSPOSE:
        _transpose(job.parameters + 4 * line[5], width, width_out, base + 4 * target, line[6], job.thread, job.threads)
    elif operation == DENSE_INPUT:
        multiply_rows(
            address, int64(0), width, F(1), order, skip, m, width, base + 4 * line[5], width_out, job.constants,
            base + 4 * target, SET, job.scratch, job.thread, job.threads,
        )  # fmt: skip
    elif operation == DENSE_WEIGHT:
        into, mode, factor = (job.parameters, ADD, -rate) if fused else (job.gradient, SET, F(1))
        multiply_columns(
            address, is_bytes, width, number, order, skip, m, width, base + 4 * line[5], width_out, job.constants,
            into + 4 * line[6], mode, factor, job.scratch, job.thread, job.threads,
        )  # fmt: skip
    elif operation == ACTIVATE:
        at = low * width
        activate(line[5], (high - low) * width, base + 4 * (source + at), base + 4 * (target + at), number)
    elif operation == ACTIVATE_BACK:
        at = low * width
        activate_back(
            line[5], (high - low) * width, base + 4 * (source + at), base + 4 * (line[6] + at),
            base + 4 * (line[7] + at), base + 4 * (target + at), number,
        )  # fmt: skip
    elif operation == SOFTMAX:
        for r in range(low, high):
            softmax_row(_rows(base, source, width, r, r + 1), _rows(base, target, width, r, r + 1))
    elif operation == SOFTMAX_BACK:
        for r in range(low, high):
            y, dy = _rows(base, line[6], width, r, r + 1), _rows(base, line[7], width, r, r + 1)
            softmax_row_back(y, dy, _rows(base, target, width, r, r + 1))
    elif operation == DROPOUT:
        x, y = _rows(base, source, width, low, high), _rows(base, target, width, low, high)
        dropout(x, y, keys_at(job.keys + 8 * (job.dropouts * step + line[5]), 1)[0], low * width, numbers[0])
    elif operation == COST:
        costs(job_at, line[5], source, target, line[6], width, first, m, low, high)
    elif operation == OUTPUT:
        _outputs(job, source, width, first, low, high)
    elif operation == ADD_VALUES:
        at, size = 4 * low * width, (high - low) * width
        add(base + 4 * source + at, base + 4 * line[5] + at, base + 4 * target + at, size)
    elif operation == COPY_CHANNELS:
        step, rows = 4 * low * line[5], (high - low) * line[5]
        copy_channels(rows, base + 4 * source + step * width, width, base + 4 * target + step * width_out, width_out, line[6])
    elif operation in (LAYER_NORM, LAYER_NORM_BACK):
        rows = width // width_out
        normal, inverse = base + 4 * (line[7] + low * width), base + 4 * (line[7] + m * width + low * rows)
        here, there = base + 4 * (source + low * width), base + 4 * (target + low * width)
        gamma, beta, rows = job.parameters + 4 * line[5], job.parameters + 4 * line[6], rows * (high - low)
        if operation == LAYER_NORM:
            layer_norm(rows, width_out, here, normal, inverse, there, gamma, beta, numbers[0])
        else:
            layer_norm_back(rows, width_out, here, normal, inverse, there, gamma)
    elif operation == LAYER_NORM_WEIGHTS:
        into = job.parameters if fused else job.gradient
        left, right = width_out * job.thread // job.threads, width_out * (job.thread + 1) // job.threads
        rows = m * (width // width_out)
        layer_norm_sums(
            rows, width_out, address, base + 4 * line[7], into + 4 * line[5], into + 4 * line[6], left, right, rate, fused
        )
    elif STAGE_FORWARD <= operation <= STAGE_PRODUCTS_BACK:
        call_stages(job.stages, job_at, operation, job.records + line[5], first, m, fused, rate)
    elif SEQUENCE_FORWARD <= operation <= SEQUENCE_WEIGHTS:
        call_sequences(job.sequences, job_at, operation, job.records + line[5], first, m, fused, rate)


@outlined(void(int64))
def run(job_at):
    """Run the program over the mini-batches first_step … last_step of `order`; with `training`, update after each.

    Ends early, after a whole step, when STOP is set in `signals`.
    """
    job = job_at_address(job_at)
    fused = job.training and is_plain_sgd(job)
    before = ignore_denormals()
    for step in range(job.first_step, job.last_step):
        first = step * job.batch_size
        m = min(job.batch_size, job.images_in_order - first)
        rate = doubles_at(job.rates + 8 * step, 1)[0] if job.training else 0.0
        if job.thread == 0:
            read_stop(job.signals, step)
        for i in range(job.instructions):
            execute(job_at, i, first, m, step, fused, F(rate))
            meet(job.signals, job.threads)
        if job.training and not fused:
            update_parameters(job, rate, job.past_steps + step + 1)
            meet(job.signals, job.threads)
        if job.training and job.averaged > 0:
            average_parameters(job, job.past_steps + step)
            meet(job.signals, job.threads)
        if stopped(job.signals, step):
            break
    restore(before)
