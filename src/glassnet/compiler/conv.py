"""Fused blocks lowered: a convolution, batch normalisation, activation and max pooling become operations together."""

from __future__ import annotations

from math import prod
from typing import Any

from glassnet.compiler.algorithms import (
    partitions_of,
    prefers_pairs,
    prefers_scatter,
    prefers_sparse,
    prefers_winograd,
    sparse_rows,
)
from glassnet.compiler.fusion import Block
from glassnet.compiler.geometry import (
    as_image,
    conv_shape,
    list_floats,
    padded_dy,
    padded_x_floats,
    pairs_floats,
    pool_shape,
    row_floats,
    taps_floats,
    winograd_scratch_floats,
    y_floats,
)
from glassnet.compiler.norm import Normalisation
from glassnet.compiler.program_builder import Back, ProgramBuilder, Value
from glassnet.kernels import opcodes as op
from glassnet.kernels.records import EpilogueShape
from glassnet.kernels.sizes import PRODUCTS
from glassnet.nn import Conv2D, GlobalMaxPool2D
from glassnet.nn.layer import Shape

ENOUGH_PIXELS = 49  # of an image, for the weights' gradient by Winograd's algorithm: with fewer, its sums are bound by memory


def lower_block(block: Block, x: Value, out: ProgramBuilder) -> tuple[Value, Back]:
    """Emit a fused block forward; its output, and the function that emits it backward."""
    if block.conv is None:
        return _lower_epilogue(block, out.loaded(x), out)
    return _lower_conv(block, block.conv, x, out)


def _epilogue(block: Block, pool: Any, argmax_row: int) -> Any:
    return EpilogueShape.make(pool=pool, argmax_row=argmax_row, **block.activation_fields)[0]


def _output(block: Block, pool: Any, shape: Shape, out: ProgramBuilder) -> tuple[Value, int]:
    """The block's output, and where the argmax of its pooling lies."""
    if block.pool is not None:
        shape = (int(pool["out_height"]), int(pool["out_width"]), int(pool["channels"]))
    if isinstance(block.pool, GlobalMaxPool2D):
        shape = shape[2:]
    y = Value(out.rows(prod(shape)), shape)
    return y, out.rows(y.width) if block.pool is not None else -1


def _lower_epilogue(block: Block, x: Value, out: ProgramBuilder) -> tuple[Value, Back]:
    """A block without a convolution."""
    shape = as_image(x.shape)
    pool = pool_shape(block.pool, shape)
    epilogue = _epilogue(block, pool, pool["window_width"])
    y, argmax = _output(block, pool, x.shape, out)
    norm = Normalisation.of(block, shape, out)
    places = {"epilogue": epilogue, "y": x.at, "out": y.at, "argmax": argmax}
    if norm.learns:
        out.emit(op.IMAGE_STATISTICS, y=x.at, pixels=norm.pixels, channels=norm.channels, statistics=norm.statistics)
    norm.emit_forward(out)
    out.emit(op.EPILOGUE, **places, **norm.scaling)

    def back(dout: int, needs_dx: bool) -> int:
        scratch = out.scratch(row_scratch=row_floats(pool))
        coefficients = norm.emit_backward(out, dout=dout, **places, **scratch)
        if not needs_dx:
            return dout
        dy = out.rows(x.width)
        out.emit(op.EPILOGUE_BACKWARD, **places, dout=dout, coefficients=coefficients, dy=dy, **scratch)
        return dy

    return y, back


def _lower_conv(block: Block, layer: Conv2D, x: Value, out: ProgramBuilder) -> tuple[Value, Back]:
    conv = conv_shape(layer, x.shape)
    shape = (*layer.positions(x.shape), layer.filters)
    pool, weight, bias = pool_shape(block.pool, shape), block.conv_offsets["weight"], block.conv_offsets.get("bias", -1)
    pooled_alone = block.norm is None and block.pool is not None and layer.strides == (1, 1)
    sparse = sparse_rows(pool) if pooled_alone and prefers_sparse(conv, pool) else 0
    epilogue = _epilogue(block, pool, conv["padded_width"] if sparse else pool["window_width"])
    y, argmax = _output(block, pool, shape, out)
    weights, channels, filters = prod(layer.kernel_size) * x.shape[2] * layer.filters, x.shape[2], layer.filters
    winograd = -1
    if prefers_winograd(layer, x.shape, shape):
        winograd = out.reserve(PRODUCTS * channels * filters)
        out.emit(op.WINOGRAD_WEIGHTS, weight=weight, channels=channels, filters=filters, transformed=winograd)
    halves, pairs = out.bfloat16 and prefers_pairs(channels, filters), -1
    if halves and winograd < 0:
        pairs = _emit_pairs(op.PAIR_WEIGHTS, weight, weights // filters, filters, out)
    norm = Normalisation.of(block, shape, out)
    kept = out.rows(prod(shape)) if norm.learns else -1
    places = {"epilogue": epilogue, "y": kept, "out": y.at, "argmax": argmax}
    if not norm.learns:
        norm.emit_forward(out)
    out.emit(
        op.CONV, **places, conv=conv, x=x.at, scale=x.scale, weight=weight, bias=bias, winograd_weights=winograd,
        weight_pairs=pairs,
        statistics=norm.statistics, **norm.scaling,
        **out.scratch(
            x_scratch=padded_x_floats(conv),
            y_scratch=y_floats(conv),
            winograd_scratch=winograd_scratch_floats(conv) if winograd >= 0 else 0,
            pairs_scratch=padded_x_floats(conv) // 2 if pairs >= 0 else 0,
        ),
    )  # fmt: skip
    if norm.learns:
        norm.emit_forward(out)
        out.emit(op.EPILOGUE, **places, **norm.scaling)

    def back(dout: int, needs_dx: bool) -> int:
        scatter = not sparse and prefers_scatter(layer, x.shape, shape[:2])
        winograd_gradient = winograd >= 0 and shape[0] * shape[1] >= ENOUGH_PIXELS and not sparse
        partial = PRODUCTS * channels * filters if winograd_gradient else weights
        partitions = partitions_of(out.capacity, weights)
        partials = out.reserve(partitions * (partial + filters))
        row_scratch = out.scratch(row_scratch=row_floats(pool))
        coefficients = norm.emit_backward(out, dout=dout, **places, **row_scratch)
        pair_gradient, rotated_pairs = halves and not winograd_gradient and not sparse, -1
        dx, weight_t, rotated, zeros = -1, -1, -1, dict.fromkeys(("dy_top", "dy_left", "dy_height", "dy_width"), 0)
        if needs_dx:  # before the weights change
            dx, weight_t = out.rows(x.width), out.reserve(weights)
            if scatter or sparse:
                taps = weights // filters
                out.emit(
                    op.DENSE_TRANSPOSE, inputs=taps, outputs=filters, weight=weight, weight_t=weight_t, weight_t_row=taps
                )
                if halves and scatter:
                    rotated_pairs = _emit_pairs(op.PAIR_ROTATED, weight_t, filters, taps, out)
            else:
                zeros = padded_dy(conv)
                rotated = _emit_rotated(layer, weight, weight_t, x.shape, shape, out)
                if halves and rotated < 0:
                    rotated_pairs = _emit_pairs(op.PAIR_ROTATED, weight_t, weights // channels, channels, out)
        dy_floats = zeros["dy_height"] * zeros["dy_width"] * filters or y_floats(conv)
        out.emit(
            op.CONV_BACKWARD, **places, conv=conv, x=x.at, scale=x.scale, dout=dout, coefficients=coefficients, dx=dx,
            has_bias=bias >= 0, weight_t=weight_t, winograd_rotated=rotated, rotated_pairs=rotated_pairs,
            pair_gradient=pair_gradient, scatter=scatter, sparse_rows=sparse,
            winograd_gradient=winograd_gradient, **zeros, partial=partials, partitions=partitions,
            **out.scratch(
                row_scratch=row_floats(pool),
                x_scratch=padded_x_floats(conv),
                dy_scratch=padded_x_floats(conv) if sparse else int(dy_floats),
                taps_scratch=taps_floats(conv) if scatter else 0,
                list_scratch=list_floats(conv, pool, int(epilogue["argmax_row"]), sparse) if sparse else 0,
                winograd_scratch=winograd_scratch_floats(conv) if winograd_gradient or rotated >= 0 else 0,
                pairs_scratch=pairs_floats(conv, int(dy_floats)) if halves else 0,
            ),
        )  # fmt: skip
        out.emit(
            op.CONV_GRADIENTS, kernel_height=layer.kernel_size[0], kernel_width=layer.kernel_size[1], channels=channels,
            filters=filters, weight=weight, bias=bias, winograd_gradient=winograd_gradient, transposed=bool(sparse),
            partial=partials, partitions=partitions,
        )  # fmt: skip
        return dx if needs_dx else dout

    return y, back


def _emit_pairs(opcode: int, weight: int, rows: int, columns: int, out: ProgramBuilder) -> int:
    """Where the weights lie in pairs of bfloat16."""
    pairs = out.reserve(rows * columns // 2)
    out.emit(opcode, weight=weight, rows=rows, columns=columns, pairs=pairs)
    return pairs


def _emit_rotated(layer: Conv2D, weight: int, rotated: int, given: Shape, made: Shape, out: ProgramBuilder) -> int:
    """The rotated weights; where they lie as Winograd's convolution takes them, or −1 where dx does not go that way."""
    channels, filters = given[2], layer.filters
    out.emit(
        op.ROTATE_WEIGHTS, kernel_height=layer.kernel_size[0], kernel_width=layer.kernel_size[1], channels=channels,
        filters=filters, weight=weight, rotated=rotated,
    )  # fmt: skip
    if not prefers_winograd(layer, made, given):
        return -1
    transformed = out.reserve(PRODUCTS * channels * filters)
    out.emit(op.WINOGRAD_ROTATED, weight=rotated, channels=filters, filters=channels, transformed=transformed)
    return transformed
