"""Many mini-batches in one compiled call: a network, lowered to a program, is run over them.

Python is not entered between two layers or two mini-batches. Values lie in one flat workspace, parameters and gradient in
flat vectors of their own. Several threads may run the same program in lockstep: each does its share of every instruction and
waits for the others before the next.

An instruction is an opcode and the offset of the record with its operands (see records.py). Each operation is a function of
the context and of its record's address.
"""

from __future__ import annotations

from numba import int64, void

from glassnet.kernels import opcodes as op
from glassnet.kernels.activations import activation, activation_backward, softmax, softmax_backward
from glassnet.kernels.augmentation import augment_batch
from glassnet.kernels.barrier import barrier_wait, call_second, read_stop, stopped, take_step, wait_for_call
from glassnet.kernels.bfloat16 import bfloat16
from glassnet.kernels.branches import add, copy_channels
from glassnet.kernels.codegen.addresses import doubles_at, integers_at
from glassnet.kernels.codegen.denormals import ignore_denormals, restore
from glassnet.kernels.codegen.jit import called_at, compiled, outlined
from glassnet.kernels.conv.fused_block import fused_block
from glassnet.kernels.dense import dense, dense_db, dense_dw, dense_dx, dense_panels, dense_skinny, dense_transpose
from glassnet.kernels.dropout import dropout
from glassnet.kernels.inputs import affine, load
from glassnet.kernels.int8 import int8
from glassnet.kernels.layer_norm import layer_norm, layer_norm_dx, layer_norm_gradients
from glassnet.kernels.losses import losses, output
from glassnet.kernels.muon import muon
from glassnet.kernels.operands import context_at, set_images
from glassnet.kernels.optimizers import average_parameters, is_plain_sgd, look_ahead, update_parameters
from glassnet.kernels.ranks import exchange, sum_own_parts
from glassnet.kernels.recurrent import recurrent

# Groups of operations are units of their own, compiled when a program first has one of them.
call_fused_block, call_recurrent, call_muon, call_bfloat16, call_int8 = (
    called_at(unit.sig) for unit in (fused_block, recurrent, muon, bfloat16, int8)
)


@outlined(void(*[int64] * 2))
def execute(ctx_at, i):
    """This thread's share of instruction i."""
    ctx = context_at(ctx_at)
    line = integers_at(ctx.code + 16 * i, 2)
    opcode, at = line[0], ctx.records + line[1]
    if opcode == op.LOAD:
        load(ctx, at)
    elif opcode == op.AUGMENT:
        augment_batch(ctx, at)
    elif opcode == op.AFFINE:
        affine(ctx, at)
    elif opcode == op.DENSE:
        dense(ctx, at)
    elif opcode == op.DENSE_SKINNY:
        dense_skinny(ctx, at)
    elif opcode == op.DENSE_TRANSPOSE:
        dense_transpose(ctx, at)
    elif opcode == op.DENSE_PANELS:
        dense_panels(ctx, at)
    elif opcode == op.DENSE_DX:
        dense_dx(ctx, at)
    elif opcode == op.DENSE_DW:
        dense_dw(ctx, at, False)
    elif opcode == op.DENSE_DW_SKINNY:
        dense_dw(ctx, at, True)
    elif opcode == op.DENSE_DB:
        dense_db(ctx, at)
    elif opcode == op.ACTIVATION:
        activation(ctx, at)
    elif opcode == op.ACTIVATION_BACKWARD:
        activation_backward(ctx, at)
    elif opcode == op.SOFTMAX:
        softmax(ctx, at)
    elif opcode == op.SOFTMAX_BACKWARD:
        softmax_backward(ctx, at)
    elif opcode == op.DROPOUT:
        dropout(ctx, at)
    elif opcode == op.LAYER_NORM:
        layer_norm(ctx, at)
    elif opcode == op.LAYER_NORM_DX:
        layer_norm_dx(ctx, at)
    elif opcode == op.LAYER_NORM_GRADIENTS:
        layer_norm_gradients(ctx, at)
    elif opcode == op.ADD:
        add(ctx, at)
    elif opcode == op.COPY_CHANNELS:
        copy_channels(ctx, at)
    elif opcode == op.LOSS:
        losses(ctx_at, at)
    elif opcode == op.OUTPUT:
        output(ctx, at)
    elif opcode == op.SUM_OWN_PARTS:
        sum_own_parts(ctx, at)
    elif opcode == op.EXCHANGE:
        exchange(ctx, at)
    elif op.CONV <= opcode <= op.AVERAGE_POOL_BACKWARD:
        call_fused_block(ctx.fused_block, ctx_at, opcode, at)
    elif op.RECURRENT <= opcode <= op.RECURRENT_PAIRS:
        call_recurrent(ctx.recurrent, ctx_at, opcode, at)
    elif op.DENSE_BFLOAT16 <= opcode <= op.PAIR_PANELS:
        call_bfloat16(ctx.bfloat16, ctx_at, opcode, at)
    elif op.DENSE_INT8 <= opcode <= op.QUAD_WEIGHTS:
        call_int8(ctx.int8, ctx_at, opcode, at)


@compiled
def _execute_all(ctx_at, first, last):
    """The instructions first … last, each by all threads before the next."""
    ctx = context_at(ctx_at)
    for i in range(first, last):
        execute(ctx_at, i)
        barrier_wait(ctx.signals, ctx.threads)


@outlined(void(int64))
def run(ctx_at):
    """Run the steps first_step ≤ step < last_step of `order`; with `training`, update the parameters after each.

    Steps that are `dealt` are counted from 0, and this thread runs those that it comes to take.
    Ends early, after a whole step, when STOP is set in `signals`.
    """
    ctx = context_at(ctx_at)
    ctx.fused_update = int64(ctx.training and is_plain_sgd(ctx))
    before = ignore_denormals()
    if not ctx.is_prepared:
        _execute_all(ctx_at, 0, ctx.prepared)
    step = take_step(ctx.signals) if ctx.dealt else ctx.first_step
    while step < ctx.last_step:
        ctx.step, ctx.first = step, step * ctx.batch_size
        ctx.images_in_batch = min(ctx.batch_size, ctx.images_in_order - ctx.first)
        set_images(ctx)
        ctx.rate = doubles_at(ctx.rates + 8 * step, 1)[0] if ctx.training else 0.0
        if ctx.thread == 0:
            read_stop(ctx.signals, step)
        _execute_all(ctx_at, ctx.prepared, ctx.instructions)
        if ctx.training and not ctx.fused_update:
            scale = update_parameters(ctx, ctx.past_steps + step + 1)
            barrier_wait(ctx.signals, ctx.threads)
            if ctx.muon != 0:
                call_muon(ctx.muon, ctx_at, scale)
        if ctx.training and ctx.lookahead_every > 0 and (ctx.past_steps + step + 1) % ctx.lookahead_every == 0:
            look_ahead(ctx)
            barrier_wait(ctx.signals, ctx.threads)
        if ctx.training and ctx.averaged > 0:
            average_parameters(ctx, ctx.past_steps + step)
            barrier_wait(ctx.signals, ctx.threads)
        if stopped(ctx.signals, step):
            break
        step = take_step(ctx.signals) if ctx.dealt else step + 1
    restore(before)


@outlined(void(int64))
def lead(ctx_at):
    """Run the program, together with the second thread if it waits for that."""
    ctx = context_at(ctx_at)
    ctx.threads = 2 if call_second(ctx.signals) else 1
    run(ctx_at)


@outlined(void(int64))
def follow(ctx_at):
    """As the second thread, run the program whenever it is called, until no call has come for a while."""
    while wait_for_call(context_at(ctx_at).signals):
        run(ctx_at)
