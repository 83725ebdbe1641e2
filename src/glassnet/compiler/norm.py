"""Layer normalisation and pooling by means, lowered to instructions."""

from __future__ import annotations

from math import prod

from glassnet.compiler.chain import lower
from glassnet.compiler.program_builder import Assembler, Back, Places, Value
from glassnet.kernels import opcodes as op
from glassnet.kernels.stage import STAGE
from glassnet.nn import AveragePool2D, GlobalAveragePool2D, LayerNorm
from glassnet.nn.layer import Shape


@lower.register
def _(layer: LayerNorm, x: Value, places: Places, out: Assembler) -> tuple[Value, Back]:
    x = out.loaded(x)
    width = x.shape[-1]
    y, normal = out.rows(x.width), out.rows(x.width + prod(x.shape[:-1]))
    operands = {"a": places["gamma"], "b": places["beta"], "c": normal, "number": layer.epsilon}
    out.emit(op.LAYER_NORM, x.at, y, x.width, width, **operands)  # type: ignore[arg-type]

    def back(dy: int, wanted: bool) -> int:
        dx = dy
        if wanted:  # before γ changes
            dx = out.rows(x.width)
            out.emit(op.LAYER_NORM_BACK, dy, dx, x.width, width, **operands)  # type: ignore[arg-type]
        out.emit(op.LAYER_NORM_WEIGHTS, dy, 0, x.width, width, **operands)  # type: ignore[arg-type]
        return dx

    return Value(y, x.shape), back


def _average(
    x: Value, window: Shape, strides: Shape, corner: Shape, places: Shape, shape: Shape, out: Assembler
) -> tuple[Value, Back]:
    """Means of windows that begin at `corner` of the padding and lie `strides` apart, at `places`."""
    x = out.loaded(x)
    width = prod(shape)
    y = out.rows(width)
    at, record = out.record(
        STAGE, y=x.at, out=y, out_height=x.shape[0], out_width=x.shape[1], filters=x.shape[2],
        pool_height=window[0], pool_width=window[1], pool_stride_y=strides[0], pool_stride_x=strides[1],
        pool_top=corner[0], pool_left=corner[1], pooled_height=places[0], pooled_width=places[1],
    )  # fmt: skip
    out.emit(op.STAGE_AVERAGE, a=at)

    def back(dy: int, wanted: bool) -> int:
        if not wanted:
            return dy
        record["dout"], record["dx"] = dy, (dx := out.rows(x.width))
        out.emit(op.STAGE_AVERAGE_BACK, a=at)
        return dx

    return Value(y, shape), back


@lower.register
def _(layer: AveragePool2D, x: Value, places: Places, out: Assembler) -> tuple[Value, Back]:
    top, _, left, _ = layer.margins(x.shape)
    spots = layer.places(x.shape)
    return _average(x, layer.window, layer.strides, (top, left), spots, (*spots, x.shape[2]), out)


@lower.register
def _(layer: GlobalAveragePool2D, x: Value, places: Places, out: Assembler) -> tuple[Value, Back]:
    return _average(x, x.shape[:2], x.shape[:2], (0, 0), (1, 1), x.shape[2:], out)
