"""What exported networks need beside `Network.predict`: `python -m benchmarks.exports --onnx RUN…`.

One image, and 10,000 images in one call, on one thread and on two. Both are asked in turn, several times; the median counts.
onnxruntime has the images in the batches that are quickest for it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import glassnet as gn
from glassnet.interop import onnx
from glassnet.interop.export import metadata_of, type_of
from glassnet.runtime import Predictor

MANY, ROUNDS, ALONE = 10_000, 7, 300
BATCHES = (MANY, 1000, 100)


def by_onnxruntime(content: bytes, threads: int) -> Callable[[Any, int], None]:
    """The function (images, batch) that asks onnxruntime for their classes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def ask(images: Any, batch: int) -> None:
        for at in range(0, len(images), batch):
            session.run([onnx.LABEL], {onnx.IMAGE: images[at : at + batch]})

    return ask


def by_glassnet(network: gn.Network, threads: int) -> Callable[[Any, int], None]:
    network._predictor = Predictor(network, threads=threads)
    return lambda images, batch: np.testing.assert_equal(len(network.predict(images)), len(images))


def seconds(ask: Callable[[Any, int], None], images: Any, batch: int) -> float:
    """Of one call for all the images, or the median of many for one image each."""
    found = []
    for number in range(ALONE if batch == 1 else 1):
        chosen = images[number : number + 1] if batch == 1 else images
        begin = time.perf_counter()
        ask(chosen, batch)
        found.append(time.perf_counter() - begin)
    return statistics.median(found)


def measure_onnx(name: str, network: gn.Network, images: Any) -> None:
    content = onnx.encode(network, {**metadata_of(network), "input_type": type_of(images)})
    for threads in (2, 1):
        theirs, ours = by_onnxruntime(content, threads), by_glassnet(network, threads)
        best = min(BATCHES, key=lambda batch: min(seconds(theirs, images, batch) for _ in range(2)))
        for asked, batch in ((MANY, best), (1, 1)):
            found: dict[str, list[float]] = {"onnxruntime": [], "glassnet": []}
            seconds(ours, images, batch)
            for _ in range(ROUNDS):
                found["onnxruntime"].append(seconds(theirs, images, batch))
                found["glassnet"].append(seconds(ours, images, batch))
            medians = {who: 1000 * statistics.median(values) for who, values in found.items()}
            shown = ", ".join(f"{who} {value:.4g} ms" for who, value in medians.items())
            ratio = medians["onnxruntime"] / medians["glassnet"]
            batches = f" in batches of {batch}" if asked > 1 else ""
            print(
                f"{name}, {threads} threads, {asked} images{batches}: {shown}; glassnet is {ratio:.2f}× as quick", flush=True
            )


def wide() -> gn.Network:
    """784-512-512-10, not trained."""
    layers = [gn.Flatten(), gn.Pixels(), gn.Dense(512), gn.ReLU(), gn.Dense(512), gn.ReLU(), gn.Dense(10)]
    return gn.Network(layers, input_shape=(28, 28, 1), loss="SoftmaxCrossEntropy", seed=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--onnx", metavar="RUN", nargs="+", help="the ONNX export of these runs, and of a 784-512-512-10")
    chosen = parser.parse_args()
    if chosen.onnx:
        runs = [gn.Run.load(folder) for folder in chosen.onnx]
        for run in runs:
            measure_onnx(run.recipe.name, run.network, run.splits.train.images[:MANY])
        measure_onnx("784-512-512-10", wide(), runs[0].splits.train.images[:MANY].reshape(-1, 28, 28, 1))


if __name__ == "__main__":
    main()
