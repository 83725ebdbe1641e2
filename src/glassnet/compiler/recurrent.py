"""Recurrent layers, lowered to instructions."""

from __future__ import annotations

from glassnet.compiler.chain import lower
from glassnet.compiler.partition import parts_of_sequences
from glassnet.compiler.program_builder import Assembler, Back, Places, Value
from glassnet.kernels import opcodes as op
from glassnet.kernels.stage import SEQUENCE
from glassnet.nn import GRU, LSTM, SimpleRNN
from glassnet.nn.recurrent import Recurrent


def _recurrence(kind: int, layer: Recurrent, x: Value, places: Places, out: Assembler) -> tuple[Value, Back]:
    steps, width = layer.sequence(x.shape)
    units, wide = layer.units, layer.gates * layer.units
    rows = steps * out.capacity
    out.longest = max(out.longest, rows)
    y = Value(
        out.rows(steps * units if layer.return_sequences else units), (steps, units) if layer.return_sequences else (units,)
    )
    parts = parts_of_sequences(out.capacity, (width + units) * wide, out.training)
    at, record = out.record(
        SEQUENCE, kind=kind, parts=parts, steps=steps, width=width, units=units, gates=layer.gates,
        all_states=int(layer.return_sequences), weight=places["weight"], recurrent=places["recurrent_weight"],
        bias=places["bias"], inner_bias=places.get("recurrent_bias", -1), x=x.at, scale=x.scale, order=out.room(2 * rows),
        z=out.room(rows * wide), states=out.room((rows + out.capacity) * units), out=y.at,
    )  # fmt: skip
    if kind == op.LSTM:
        record["cells"] = out.room((rows + out.capacity) * units)
    if kind == op.GRU:
        record["inner"], record["product"] = out.room(rows * units), out.rows(wide)
    out.emit(op.SEQUENCE_FORWARD, a=at)

    def back(dy: int, wanted: bool) -> int:
        record["dout"], record["dstate"], record["dcell"] = dy, out.rows(units), out.rows(units)
        record["transposed"] = turned = out.room(units * wide)
        if kind == op.GRU:
            record["dproduct"] = out.room(rows * wide)
        out.emit(op.DENSE_TRANSPOSE, 0, turned, units, wide, a=places["recurrent_weight"], b=units)
        dx = dy
        if wanted:
            record["weight_transposed"] = turned = out.room(width * wide)
            record["dsteps"], record["dx"] = out.room(rows * width), (dx := out.rows(steps * width))
            out.emit(op.DENSE_TRANSPOSE, 0, turned, width, wide, a=places["weight"], b=width)
        record["partial"] = out.room(parts * ((width + units + 1) * wide + units))
        out.emit(op.SEQUENCE_BACK, a=at)
        out.emit(op.SEQUENCE_WEIGHTS, a=at)
        return dx

    return y, back


@lower.register
def _(layer: SimpleRNN, x: Value, places: Places, out: Assembler) -> tuple[Value, Back]:
    return _recurrence(op.RNN_RELU if layer.activation == "relu" else op.RNN_TANH, layer, x, places, out)


@lower.register
def _(layer: LSTM, x: Value, places: Places, out: Assembler) -> tuple[Value, Back]:
    return _recurrence(op.LSTM, layer, x, places, out)


@lower.register
def _(layer: GRU, x: Value, places: Places, out: Assembler) -> tuple[Value, Back]:
    return _recurrence(op.GRU, layer, x, places, out)
