"""Fused blocks lowered: a convolution, batch normalisation, activation and max pooling become operations together."""

from __future__ import annotations

from math import ceil, prod
from typing import Any

from glassnet.compiler.algorithms import (
    beats_winograd,
    gradient_outputs,
    partitions_of,
    prefers_pairs,
    prefers_quads,
    prefers_scatter,
    prefers_sparse,
    rows_together,
    shares_filters,
    sparse_rows,
    winograd_outputs,
)
from glassnet.compiler.fusion import Block
from glassnet.compiler.geometry import (
    as_image,
    conv_shape,
    gradient_scratch_floats,
    images_together,
    in_one_row,
    list_floats,
    packs_gradient,
    padded_dy,
    padded_x_floats,
    pairs_floats,
    panels_floats,
    pool_shape,
    products_of,
    row_floats,
    taps_floats,
    winograd_scratch_floats,
    y_floats,
)
from glassnet.compiler.int8 import emit_quads
from glassnet.compiler.norm import Normalisation
from glassnet.compiler.program_builder import Back, ProgramBuilder, Value
from glassnet.kernels import opcodes as op
from glassnet.kernels.records import EpilogueShape
from glassnet.kernels.sizes import GRADIENT_PIXELS, WINOGRAD_TILES, gradient_tiles
from glassnet.nn import Conv2D, GlobalMaxPool2D, ReLU
from glassnet.nn.layer import Shape


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
    weights, channels, filters = prod(layer.kernel_size) * x.shape[2] * layer.filters, x.shape[2], layer.filters
    partitions = partitions_of(out.capacity, weights)
    share, zeros = ceil(out.capacity / partitions), isinstance(block.activation, ReLU)  # images of a partition
    sparse = 0
    if pooled_alone and prefers_sparse(conv, pool) and beats_winograd(layer, conv, pool, x.shape, shape, zeros, share):
        sparse = sparse_rows(pool)
    epilogue = _epilogue(block, pool, conv["padded_width"] if sparse else pool["window_width"])
    y, argmax = _output(block, pool, shape, out)
    quantized = out.bytes_of(layer)
    quantized = quantized if quantized and prefers_quads(layer, x.shape, shape) else None
    outputs = 0 if quantized else winograd_outputs(layer, x.shape, shape)
    transformed = _emit_transformed(op.WINOGRAD_WEIGHTS, layer, weight, channels, filters, outputs, out)
    halves, pairs = out.bfloat16 and prefers_pairs(channels, filters), -1
    if halves and not outputs:
        pairs = _emit_pairs(op.PAIR_WEIGHTS, weight, weights // filters, filters, out)
    quads, fields = -1, {"factor": 1.0, "zero": 0}
    if quantized:
        taps = layer.kernel_size[0], layer.kernel_size[1] * channels, filters
        quads, fields = emit_quads(quantized, 1.0, taps, weight, bias, out)
    conv = in_one_row(conv_shape(layer, x.shape, outputs))
    together = images_together(shape, outputs, WINOGRAD_TILES, out.capacity)
    norm = Normalisation.of(block, shape, out)
    shared = out.capacity == 1 and not out.training and pairs < 0 and quads < 0  # one image, which the threads share
    by_filters = shared and shares_filters(conv, outputs)
    kept = out.rows(prod(shape)) if norm.learns or by_filters else -1
    places = {"epilogue": epilogue, "y": kept, "out": y.at, "argmax": argmax}
    if not norm.learns:
        norm.emit_forward(out)
    out.emit(
        op.CONV, **places, conv=conv, x=x.at, scale=x.scale, weight=weight, bias=bias, outputs=outputs,
        winograd_weights=transformed, weight_pairs=pairs, weight_quads=quads, **fields, images=together,
        rows_together=rows_together(pool, outputs) if shared else 0, by_filters=by_filters, statistics=norm.statistics,
        **norm.scaling,
        **out.scratch(
            x_scratch=together * padded_x_floats(conv),
            y_scratch=together * y_floats(conv),
            winograd_scratch=winograd_scratch_floats(conv, outputs, channels),
            pairs_scratch=padded_x_floats(conv) // 2 if pairs >= 0 or quads >= 0 else 0,
        ),
    )  # fmt: skip
    if norm.learns:
        norm.emit_forward(out)
        out.emit(op.EPILOGUE, **places, **norm.scaling)

    def back(dout: int, needs_dx: bool) -> int:
        scatter = not sparse and prefers_scatter(layer, x.shape, shape)
        direct = bool(sparse or scatter)
        dx_outputs = winograd_outputs(layer, shape, x.shape) if needs_dx and not direct else 0
        dw_outputs = 0 if direct else gradient_outputs(layer, x.shape, shape, share)
        conv = conv_shape(layer, x.shape, dw_outputs)
        conv = conv if sparse else in_one_row(conv)
        tiles, of = (gradient_tiles(channels, filters), shape) if dw_outputs else (WINOGRAD_TILES, x.shape)
        packs = not (dw_outputs or sparse or halves) and packs_gradient(weights, filters)
        together = images_together(of, dw_outputs or dx_outputs, tiles, share)
        if packs and not dx_outputs:
            together = max(1, min(share, GRADIENT_PIXELS // prod(shape[:2])))
        partials = out.reserve(partitions * (weights + filters))
        row_scratch = out.scratch(row_scratch=row_floats(pool))
        coefficients = norm.emit_backward(out, dout=dout, **places, **row_scratch)
        frame = padded_dy(conv, needs_dx and not direct, dx_outputs, dw_outputs)
        dx, weight_t, rotated, rotated_pairs = -1, -1, -1, -1
        if needs_dx:  # before the weights change
            dx, weight_t = out.rows(x.width), out.reserve(weights)
            if direct:
                taps = weights // filters
                out.emit(
                    op.DENSE_TRANSPOSE, inputs=taps, outputs=filters, weight=weight, weight_t=weight_t, weight_t_row=taps
                )
                if halves and scatter:
                    rotated_pairs = _emit_pairs(op.PAIR_ROTATED, weight_t, filters, taps, out)
            else:
                out.emit(
                    op.ROTATE_WEIGHTS, kernel_height=layer.kernel_size[0], kernel_width=layer.kernel_size[1],
                    channels=channels, filters=filters, weight=weight, rotated=weight_t,
                )  # fmt: skip
                rotated = _emit_transformed(op.WINOGRAD_ROTATED, layer, weight_t, filters, channels, dx_outputs, out)
                if halves and not dx_outputs:
                    rotated_pairs = _emit_pairs(op.PAIR_ROTATED, weight_t, weights // channels, channels, out)
        # The kernels of pairs are loaded for programs with weights in pairs.
        pair_gradient = halves and not dw_outputs and not sparse and max(pairs, rotated_pairs) >= 0
        dy_floats = frame["dy_height"] * frame["dy_width"] * filters or y_floats(conv)
        winograd_scratch = max(winograd_scratch_floats(conv, dx_outputs, filters), gradient_scratch_floats(conv, dw_outputs))
        out.emit(
            op.CONV_BACKWARD, **places, conv=conv, x=x.at, scale=x.scale, dout=dout, coefficients=coefficients, dx=dx,
            has_bias=bias >= 0, weight_t=weight_t, dx_outputs=dx_outputs, winograd_rotated=rotated,
            rotated_pairs=rotated_pairs, dw_outputs=dw_outputs, pair_gradient=pair_gradient, images=together, scatter=scatter,
            sparse_rows=sparse, packs=packs, **frame, partial=partials, partitions=partitions,
            **out.scratch(
                row_scratch=row_floats(pool),
                x_scratch=together * padded_x_floats(conv),
                dy_scratch=padded_x_floats(conv) if sparse else together * dy_floats,
                taps_scratch=taps_floats(conv) if scatter else 0,
                list_scratch=list_floats(conv, pool, int(epilogue["argmax_row"]), sparse) if sparse else 0,
                winograd_scratch=winograd_scratch,
                products_scratch=products_of(conv, dw_outputs) * channels * filters,
                pairs_scratch=pairs_floats(conv, int(dy_floats)) if halves else 0,
                panels_scratch=panels_floats(conv, together) if packs else 0,
            ),
        )  # fmt: skip
        out.emit(
            op.CONV_GRADIENTS, kernel_height=layer.kernel_size[0], kernel_width=layer.kernel_size[1], channels=channels,
            filters=filters, weight=weight, bias=bias, transposed=bool(sparse), partial=partials, partitions=partitions,
        )  # fmt: skip
        return dx if needs_dx else dout

    return y, back


def _emit_pairs(opcode: int, weight: int, rows: int, columns: int, out: ProgramBuilder) -> int:
    """Where the weights lie in pairs of bfloat16."""
    pairs = out.reserve(rows * columns // 2)
    out.emit(opcode, weight=weight, rows=rows, columns=columns, pairs=pairs)
    return pairs


def _emit_transformed(
    opcode: int, layer: Conv2D, weight: int, channels: int, filters: int, outputs: int, out: ProgramBuilder
) -> int:
    """Where weights lie as Winograd's algorithm takes them; −1 without `outputs`."""
    if not outputs:
        return -1
    taps = layer.kernel_size[0]
    transformed = out.reserve((outputs + taps - 1) ** 2 * channels * filters)
    out.emit(opcode, outputs=outputs, taps=taps, weight=weight, channels=channels, filters=filters, transformed=transformed)
    return transformed
