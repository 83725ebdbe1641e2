"""A network of convolutions as an ONNX graph, and a `Served` that onnxruntime answers for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import InputError
from glassnet.network import Network
from glassnet.nn import BatchNorm, Conv2D, Dense, Dropout, Flatten, GlobalAveragePool2D, Layer, MaxPool2D, Pixels, ReLU
from glassnet.server.served import Served

Array = NDArray[Any]


class Graph:
    """ONNX nodes in a row, channels first; weights are constants."""

    def __init__(self, network: Network) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.name = "images"
        height, width, channels = network.input_shape
        if channels == 1:
            self.add("Reshape", np.array([-1, 1, height, width]))
        else:
            self.add("Transpose", perm=[0, 3, 1, 2])
        for layer, shape in zip(network.layers, network.shapes, strict=False):
            self.layer(layer, shape)

    def add(self, kind: str, *constants: Array, **options: Any) -> None:
        from onnx import helper, numpy_helper

        names = []
        for array in constants:
            names.append(f"c{len(self.constants)}")
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), names[-1]))
        out = f"x{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, [self.name, *names], [out], **options))
        self.name = out

    def layer(self, layer: Layer, shape: tuple[int, ...]) -> None:
        p, s = layer.parameters, layer.statistics
        if isinstance(layer, Pixels):
            self.add("Cast", to=1)
            self.add("Mul", np.full((), 1 / 255, np.float32))
        elif isinstance(layer, Conv2D):
            pad = "SAME_UPPER" if layer.padding == "same" else "VALID"
            bias = [p["bias"]] if "bias" in p else []
            self.add("Conv", p["weight"].transpose(3, 2, 0, 1), *bias, auto_pad=pad, strides=list(_pair(layer.strides)))
        elif isinstance(layer, BatchNorm):
            known = p["gamma"], p["beta"], s["mean"], s["variance"]
            self.add("BatchNormalization", *known, epsilon=layer.epsilon)
        elif isinstance(layer, ReLU):
            self.add("Relu")
        elif isinstance(layer, MaxPool2D):
            self.add("MaxPool", kernel_shape=list(_pair(layer.pool_size)), strides=list(_pair(layer.strides)))
        elif isinstance(layer, GlobalAveragePool2D):
            self.add("GlobalAveragePool")
            self.add("Flatten")
        elif isinstance(layer, Flatten):
            if len(shape) == 3:
                self.add("Transpose", perm=[0, 2, 3, 1])
            self.add("Flatten")
        elif isinstance(layer, Dense):
            self.add("Gemm", p["weight"], p["bias"])
        elif not isinstance(layer, Dropout):
            raise InputError(
                "The benchmark has no ONNX node for this layer.", where="benchmarks.service", received=repr(layer)
            )

    def model(self) -> bytes:
        from onnx import TensorProto, helper

        shape = ["N", None, None, None]
        graph = helper.make_graph(
            self.nodes,
            "network",
            [helper.make_tensor_value_info("images", TensorProto.UINT8, shape)],
            [helper.make_tensor_value_info(self.name, TensorProto.FLOAT, ["N", None])],
            self.constants,
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        return bytes(made.SerializeToString())


@dataclass(frozen=True)
class OnnxServed(Served):
    """The same run, whose raw outputs onnxruntime computes; images are prepared and answers written as for any other."""

    threads: int = 1

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        return onnxruntime.InferenceSession(Graph(self.network).model(), options, providers=["CPUExecutionProvider"])

    def probabilities(self, batch: Array) -> Array:
        return self.network.probabilities(self._session.run(None, {"images": batch})[0])


def _pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])
