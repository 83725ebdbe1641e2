"""ONNX operators on sequences: recurrent layers and their last states."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from glassnet.interop.from_onnx_node import Given, Node
from glassnet.interop.from_onnx_values import (
    append,
)
from glassnet.nn import (
    GRU,
    LSTM,
    SimpleRNN,
)
from glassnet.nn.recurrent import Recurrent
from glassnet.support.i18n import tr


def gather(node: Node) -> Given:
    """The last step of a sequence of states."""
    value, at = node.value(), node.weight(1)
    axis, step = node.axis(node.options.get("axis", 0), value), value.step
    layer = step.layer
    is_last = at.size == 1 and int(at.item()) in (-1, value.sizes()[axis] - 1)
    if not (isinstance(layer, Recurrent) and step.before is not None and is_last and value.axes[axis] == (1,)):
        raise node.refused(f"axis={axis}, {at.ravel().tolist()}", tr("the last states of a recurrent layer"))
    axes = [tuple(a if a == 0 else 1 for a in group) for group in value.axes]
    axes[axis : axis + 1] = [()] * at.ndim
    options: dict[str, Any] = {"activation": layer.activation} if isinstance(layer, SimpleRNN) else {}
    made = type(layer)(layer.units, **options)
    return {0: append(replace(value, step=step.before), made, str(node), step.arrays, tuple(axes))}


GATES = {"RNN": (0,), "LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2)}  # where ours stand in ONNX: i, o, f, g; z, r, n


def recurrent(node: Node) -> Given:
    value, options, units, order = node.value(), node.options, node.options["hidden_size"], GATES[node.kind]
    wanted = {"direction": b"forward", "layout": 0, "clip": None, "input_forget": 0}
    wanted |= {"linear_before_reset": 1} if node.kind == "GRU" else {}
    for key, needed in wanted.items():
        found = options.get(key, 0 if key == "linear_before_reset" else needed)
        if found != needed:
            raise node.refused(f"{key}={found}", f"{key}={needed}")
    usual = {"RNN": ["Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"]}[node.kind]
    used = [name.decode() for name in options.get("activations", [])] or usual
    if used != usual and not (node.kind == "RNN" and used == ["Relu"]):
        raise node.refused(f"activations={used}", usual)
    rank = len(value.shape)
    if rank < 2 or not value.fits(((1,), (0,), tuple(range(2, rank + 1)))):
        raise node.refused(value.sizes(), tr("a sequence: (steps, images, features)"))
    steps = node.constant(4)
    starts = [node.constant(number) for number in (5, 6, 7)]
    if any(start is not None and start.any() for start in starts) or (steps is not None and (steps != value.shape[0]).any()):
        raise node.refused(tr("a start or a length of its own"), tr("sequences of one length that start at 0"))
    blocks = [np.split(node.weight(number)[0], len(order)) for number in (1, 2)]
    bias = node.constant(3)
    halves = np.zeros((2, len(order), units)) if bias is None else bias[0].reshape(2, len(order), units)
    input_bias, inner = halves[:, list(order)]
    arrays = {
        name: np.concatenate([parts[at] for at in order]).T
        for name, parts in zip(("weight", "recurrent_weight"), blocks, strict=True)
    }
    if node.kind == "GRU":
        arrays["recurrent_bias"] = inner[2]
        inner = np.concatenate([inner[:2], np.zeros((1, units))])
    arrays["bias"] = (input_bias + inner).ravel()

    def made(sequences: bool) -> Recurrent:
        if node.kind == "RNN":
            return SimpleRNN(units, activation=used[0].lower(), return_sequences=sequences)
        return (LSTM if node.kind == "LSTM" else GRU)(units, return_sequences=sequences)

    return {
        0: append(value, made(True), str(node), arrays, ((1,), (), (0,), (2,))),
        1: append(value, made(False), str(node), arrays, ((), (0,), (1,))),
    }
