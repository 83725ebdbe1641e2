"""What operations have in common: the context, where their operands lie, and a thread's share of the work."""

from __future__ import annotations

from numba import int64

from glassnet.kernels.codegen.addresses import floats_at, integers_at, record_at
from glassnet.kernels.codegen.jit import compiled
from glassnet.kernels.context import Context
from glassnet.kernels.records import INPUT

context_at = record_at(Context)


@compiled
def source(ctx, x):
    """Of an operand x, row by row: its address, whether it is bytes, the numbers of its rows, and the first of these."""
    if x == INPUT:
        return ctx.images, ctx.is_bytes, ctx.order, ctx.first
    return ctx.workspace + 4 * x, int64(0), ctx.identity, int64(0)


@compiled
def rows_of(ctx, place, width, low, high):
    """The floats of the images low … high at a place of the workspace."""
    return floats_at(ctx.workspace + 4 * (place + low * width), (high - low) * width)


@compiled
def share_of(ctx, count):
    """This thread's share of `count` things: the first, and the end."""
    return count * ctx.thread // ctx.threads, count * (ctx.thread + 1) // ctx.threads


@compiled
def numbers_of(ctx, width):
    """This thread's numbers of a value with `width` an image, the first and the end: its images', or its share of one's."""
    if ctx.own_high - ctx.own_low != 1:
        return ctx.low * width, ctx.high * width
    low, high = share_of(ctx, width)
    return ctx.own_low * width + low, ctx.own_low * width + high


@compiled
def rank_cut(ctx, rank):
    """The first image of a rank in the mini-batch; of the rank behind the last one, the end."""
    cuts = integers_at(ctx.cuts, 2 * (ctx.ranks + 1))
    return cuts[rank if ctx.images_in_batch == ctx.batch_size else ctx.ranks + 1 + rank]


@compiled
def set_images(ctx):
    """This rank's images, and this thread's."""
    ctx.own_low, ctx.own_high = 0, ctx.images_in_batch
    if ctx.ranks > 1:
        ctx.own_low, ctx.own_high = rank_cut(ctx, ctx.rank), rank_cut(ctx, ctx.rank + 1)
    low, high = share_of(ctx, ctx.own_high - ctx.own_low)
    ctx.low, ctx.high = ctx.own_low + low, ctx.own_low + high


@compiled
def partition_at(ctx, partitions, image):
    """The partition that begins with an image; a rank's images are whole partitions."""
    return (image * partitions + ctx.images_in_batch - 1) // ctx.images_in_batch


@compiled
def own_partitions(ctx, partitions):
    """This rank's partitions of the mini-batch: the first, and the end."""
    return partition_at(ctx, partitions, ctx.own_low), partition_at(ctx, partitions, ctx.own_high)


@compiled
def partitions_of(ctx, partitions):
    """This thread's share of them."""
    first, last = own_partitions(ctx, partitions)
    low, high = share_of(ctx, last - first)
    return first + low, first + high


@compiled
def images_of(ctx, partitions, part):
    """The images of a partition of the mini-batch: the first, and the end."""
    return ctx.images_in_batch * part // partitions, ctx.images_in_batch * (part + 1) // partitions


@compiled
def bias_at(ctx, bias):
    """The address of a bias; of zeros where there is none."""
    return ctx.parameters + 4 * bias if bias >= 0 else ctx.constants


@compiled
def image_at(ctx, place, size, image):
    """The address of an image's `size` floats in the workspace; 0 if they are not there."""
    return ctx.workspace + 4 * (place + image * size) if place >= 0 else int64(0)
