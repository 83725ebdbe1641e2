"""What runs glassnet's ONNX export: ONNX Runtime and OpenVINO, given the images as bytes."""

from __future__ import annotations

import importlib
import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.speed import layered
from benchmarks.speed.images import Bytes, Images
from benchmarks.speed.peers.base import Peer, Predictor
from benchmarks.speed.weights import Weights
from benchmarks.speed.workloads import LayeredWorkload, Order

PARTS = (1000, 100, 20)
"""Images in a call, where many are given at once: the quickest counts."""

Asker = Callable[[Bytes], Any]
"""From images to their classes."""


class Exported(Peer[LayeredWorkload]):
    """Prediction alone."""

    def prepare(self, images: Images) -> None:
        self.images = images.images

    def set_weights(self, weights: Weights) -> None:
        from glassnet.interop import onnx
        from glassnet.interop.export import metadata_of

        network = self.work.network()
        network.parameters = layered.flatten(weights)
        self.content = onnx.encode(network, {**metadata_of(network), "input_type": "uint8"})

    def weights(self) -> Weights:
        raise NotImplementedError("It predicts only.")

    def train(self, order: Order) -> None:
        raise NotImplementedError("It predicts only.")

    @abstractmethod
    def ways(self, batch: int) -> list[Predictor]:
        """Ways to predict all the images in calls of `batch`."""

    def predictor(self) -> Predictor:
        """The quickest way."""
        asked, held = self.work.batch, len(self.images)
        batches = [part for part in PARTS if part <= asked and held % part == 0] or [asked]
        ways = [way for batch in batches for way in self.ways(batch)]
        return min(ways, key=_seconds) if len(ways) > 1 else ways[0]

    def parts(self, batch: int) -> list[Bytes]:
        return [self.images[at : at + batch] for at in range(0, len(self.images), batch)]


def _seconds(predict: Predictor) -> float:
    predict()
    taken = []
    for _ in range(2):
        start = time.perf_counter()
        predict()
        taken.append(time.perf_counter() - start)
    return min(taken)


class OnnxRuntime(Exported):
    """onnxruntime on its CPU provider, which has no bfloat16."""

    def ways(self, batch: int) -> list[Predictor]:
        from glassnet.interop.onnx import IMAGE, LABEL

        if self.work.precision != "float32":
            raise NotImplementedError("ONNX Runtime's CPU provider computes in float32.")
        runtime: Any = importlib.import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        session = runtime.InferenceSession(self.content, options, providers=["CPUExecutionProvider"])
        parts = self.parts(batch)
        return [lambda: np.concatenate([session.run([LABEL], {IMAGE: part})[0] for part in parts])]


class OpenVino(Exported):
    """OpenVINO's CPU plugin: one call after the other, and, for many images, several at once as its guide advises."""

    def ways(self, batch: int) -> list[Predictor]:
        from glassnet.interop.onnx import LABEL

        openvino: Any = importlib.import_module("openvino")
        precision = "f32" if self.work.precision == "float32" else "bf16"
        core = openvino.Core()
        parts = self.parts(batch)

        def compiled(hint: str) -> Any:
            model = core.read_model(self.content)
            model.reshape({0: [batch, *self.work.shape]})
            settings = {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": precision}
            return core.compile_model(model, "CPU", {**settings, "INFERENCE_NUM_THREADS": self.threads})

        one = compiled("LATENCY").create_infer_request()

        def in_turn() -> Any:
            return np.concatenate([one.infer(part, share_inputs=True)[LABEL].copy() for part in parts])

        if self.work.batch == 1 or len(parts) == 1:
            return [in_turn]
        queue = openvino.AsyncInferQueue(compiled("THROUGHPUT"))
        found: list[Any] = [None] * len(parts)
        queue.set_callback(lambda request, number: found.__setitem__(number, request.get_tensor(LABEL).data.copy()))

        def at_once() -> Any:
            for number, part in enumerate(parts):
                queue.start_async(part, number, share_inputs=True)
            queue.wait_all()
            return np.concatenate(found)

        return [in_turn, at_once]
