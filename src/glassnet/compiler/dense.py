"""Dense layers, lowered."""

from __future__ import annotations

from glassnet.compiler.algorithms import prefers_bfloat16, prefers_int8, prefers_panels
from glassnet.compiler.int8 import emit_quads
from glassnet.compiler.program_builder import Back, ParamOffsets, ProgramBuilder, Value, lower
from glassnet.kernels import opcodes as op
from glassnet.kernels.sizes import DOT_OUTPUTS, SKINNY_INPUTS, SKINNY_WIDTH, dot_row, panel_floats
from glassnet.nn import Dense

SKINNY_BATCH = 64  # images for which the transposition of the weights pays
LOADED = 128  # numbers of an image, up to which images become floats before products: of larger ones, zeros are left out

LINE = 64  # bytes of a line of the cache
NEAR_BYTES = 1 << 18  # of inputs in int8 that stay in the second-level cache while all weights pass over them


@lower.register
def _(layer: Dense, x: Value, offsets: ParamOffsets, out: ProgramBuilder) -> tuple[Value, Back]:
    y = Value(out.rows(layer.units), (layer.units,))
    weight, bias = offsets["weight"], offsets.get("bias", -1)
    size = {"inputs": x.width, "outputs": y.width}
    skinny = out.training and y.width <= SKINNY_WIDTH and x.width >= SKINNY_INPUTS and out.capacity >= SKINNY_BATCH
    halves = out.bfloat16 and not skinny and prefers_bfloat16(x.width, y.width, out.capacity)
    if skinny:
        row = dot_row(x.width)
        weight_t = out.reserve(-(-y.width // DOT_OUTPUTS) * DOT_OUTPUTS * row)
        out.emit(op.DENSE_TRANSPOSE, **size, weight=weight, weight_t=weight_t, weight_t_row=row)
        out.emit(op.DENSE_SKINNY, x=x.at, y=y.at, **size, weight_t=weight_t, weight_t_row=row, bias=bias, scale=x.scale)
    elif (quantized := out.bytes_of(layer)) and prefers_int8(x.width, y.width, out.capacity):
        panels, fields = emit_quads(quantized, x.scale, (1, x.width, y.width), weight, bias, out)
        row = (-(-x.width // LINE) | 1) * LINE  # an odd number of lines: rows begin on different ones of the cache
        images = max(1, min(out.capacity, NEAR_BYTES // row))
        scratch = out.scratch(bytes_scratch=images * row // 4)
        out.emit(op.DENSE_INT8, x=x.at, y=y.at, **size, panels=panels, row=row, images=images, **fields, **scratch)
    elif halves:
        panels = -1
        if not out.training:
            panels = out.reserve(panel_floats((x.width + 1) // 2, y.width))
            out.emit(op.PAIR_PANELS, **size, weight=weight, panels=panels)
        out.emit(op.DENSE_BFLOAT16, x=x.at, y=y.at, **size, weight=weight, panels=panels, bias=bias, scale=x.scale)
    else:
        if out.training and x.width <= LOADED:
            x = out.loaded(x)
        panels = -1
        if out.many and prefers_panels(y.width):
            panels = out.reserve(panel_floats(x.width, y.width))
            out.emit(op.DENSE_PANELS, **size, weight=weight, panels=panels)
        out.emit(op.DENSE, x=x.at, y=y.at, **size, weight=weight, panels=panels, bias=bias, scale=x.scale)

    def back(dy: int, needs_dx: bool) -> int:
        dx = dy
        if needs_dx:  # before the weights change
            dx = out.rows(x.width)
            out.emit(op.DENSE_DX_BFLOAT16 if halves else op.DENSE_DX, dy=dy, dx=dx, **size, weight=weight)
        dw = op.DENSE_DW_SKINNY if skinny else op.DENSE_DW_BFLOAT16 if halves else op.DENSE_DW
        out.emit(dw, x=x.at, dy=dy, **size, weight=weight, scale=x.scale)
        if bias >= 0:
            out.emit(op.DENSE_DB, dy=dy, outputs=y.width, bias=bias, sums=out.reserve(y.width))
        return dx

    return y, back
