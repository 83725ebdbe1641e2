"""A network as an ONNX file: `encode` writes it, `predictor` asks onnxruntime.

Values lie channels last, as in glassnet, or channels first, as ONNX's convolutions and pools have them: each operation takes
what it needs, and a Dense behind a convolution has its weights in the order of the values, so that few are transposed.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from glassnet import __version__
from glassnet.errors import InputError
from glassnet.interop.export import Predict
from glassnet.interop.onnx_graph import Graph, Value
from glassnet.interop.onnx_operators import OPERATORS
from glassnet.interop.operations import operations_of
from glassnet.network import Network
from glassnet.nn.layer import Shape
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

OPSETS = tuple(range(17, 27))  # from LayerNormalization's first to the last one that onnxruntime supports
OPSET = 17
BATCH = 1000  # images asked about at once
IMAGE, PROBABILITIES, LABEL = "image", "probabilities", "label"


def encode(network: Network, metadata: dict[str, Any], opset: int | None = None) -> bytes:
    """The file's content; `metadata["input_type"]`, "uint8" or "float32", is the type of the images."""
    onnx = require()[0]
    opset = OPSET if opset is None else opset
    if opset not in OPSETS:
        expected = " | ".join(map(str, OPSETS))
        raise InputError(tr("Unknown opset."), where="opset", expected=expected, received=repr(opset))
    takes_bytes = metadata.get("input_type", "uint8") == "uint8"
    operations = operations_of(network, takes_bytes=takes_bytes)
    graph = Graph(opset)
    start = graph.node("image", "Cast", IMAGE, to=onnx.TensorProto.FLOAT) if takes_bytes else IMAGE
    values = [Value(start, network.input_shape)]
    for operation, after in zip(operations, [*operations[1:], None], strict=True):
        if operation.kind not in OPERATORS:
            raise InputError(
                tr("This layer can't be exported."),
                where=operation.name,
                expected=" | ".join(OPERATORS),
                received=operation.kind,
            )
        graph.layer, graph.exact = operation.name, after is not None and after.kind in ("share", "two_classes")
        values.append(OPERATORS[operation.kind](graph, operation, [values[number] for number in operation.inputs]))
    graph.layer = PROBABILITIES
    graph.node("Identity", "Identity", graph.last(values[-1]).name, output=PROBABILITIES)
    graph.node("ArgMax", "ArgMax", PROBABILITIES, output=LABEL, axis=1, keepdims=0)
    return _model(graph, network.input_shape, takes_bytes, len(network.classes) or operations[-1].shape[0], metadata)


def predictor(content: bytes) -> Predict:
    """The file checked, its shapes inferred, and onnxruntime's probabilities on the CPU."""
    onnx, onnxruntime = require()
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    taken = np.dtype(session.get_inputs()[0].type.removeprefix("tensor(").removesuffix(")").replace("float", "float32"))

    def predict(images: Array) -> Array:
        if images.dtype != taken and not (images.dtype == np.uint8 or taken == np.float32):
            raise InputError(tr("This file takes bytes."), where="images", expected="uint8", received=images.dtype)
        parts = [images[at : at + BATCH].astype(taken) for at in range(0, max(len(images), 1), BATCH)]
        return np.concatenate([session.run([PROBABILITIES], {IMAGE: part})[0] for part in parts])

    return predict


def require() -> tuple[Any, Any]:
    """onnx and onnxruntime, or the error that says how they are installed."""
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise InputError(
            tr("ONNX files need packages that are not installed."),
            where="ONNX",
            received=str(error),
            hint='pip install "glassnet[onnx]"',
        ) from None
    return onnx, onnxruntime


def _model(graph: Graph, shape: Shape, takes_bytes: bool, classes: int, metadata: dict[str, Any]) -> bytes:
    from onnx import TensorProto, helper

    kind = TensorProto.UINT8 if takes_bytes else TensorProto.FLOAT
    made = helper.make_graph(
        graph.nodes,
        "glassnet",
        [helper.make_tensor_value_info(IMAGE, kind, ["N", *shape])],
        [
            helper.make_tensor_value_info(PROBABILITIES, TensorProto.FLOAT, ["N", classes]),
            helper.make_tensor_value_info(LABEL, TensorProto.INT64, ["N"]),
        ],
        graph.constants,
    )
    versions = [helper.make_opsetid("", graph.opset)]
    model = helper.make_model(
        made,
        opset_imports=versions,
        ir_version=helper.find_min_ir_version_for(versions),
        producer_name="glassnet",
        producer_version=__version__,
    )
    texts = {
        key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for key, value in metadata.items()
    }
    helper.set_model_props(model, texts)
    return bytes(model.SerializeToString())
