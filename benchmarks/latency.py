"""One image at a time beside ONNX Runtime: `python -m benchmarks.latency [NETWORK…] [--threads 1 2]`.

Networks with random weights, exported to ONNX; both are asked in turn, one image of uint8 a call, in blocks, and each has as
many threads. p50 and p99 are of all calls, in microseconds; with `--many`, 10,000 images as well.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import glassnet as gn
from benchmarks.exports import BATCHES, MANY, by_onnxruntime, seconds
from glassnet.interop import onnx
from glassnet.interop.export import metadata_of
from glassnet.nn.architectures import resnet, row_rnn, vgg
from glassnet.runtime import Predictor

BLOCKS, BLOCK = 40, 50
MNIST, CIFAR = (28, 28, 1), (32, 32, 3)


def dense(*sizes: int) -> list[gn.Layer]:
    hidden = [layer for size in sizes[:-1] for layer in (gn.Dense(size), gn.ReLU())]
    return [gn.Flatten(), gn.Pixels(), *hidden, gn.Dense(sizes[-1])]


NETWORKS: dict[str, tuple[Callable[[], list[gn.Layer]], tuple[int, ...]]] = {
    "784-30-10": (lambda: dense(30, 10), MNIST),
    "784-512-512-10": (lambda: dense(512, 512, 10), MNIST),
    "784-1000-1000-10": (lambda: dense(1000, 1000, 10), MNIST),
    "784-256-256-10": (lambda: dense(256, 256, 10), MNIST),
    "784-2048-2048-10": (lambda: dense(2048, 2048, 10), MNIST),
    "mnist-cnn": (lambda: vgg(10, blocks=[[32], [64, 64], [128, 128]], dropout=0.2), MNIST),
    "resnet": (lambda: resnet(10), CIFAR),
    "lstm": (lambda: row_rnn(10), MNIST),
}


def images_like(shape: tuple[int, ...], count: int) -> Any:
    """Random images of bytes, four fifths of whose pixels are 0 where they are grey, as in MNIST: strokes, not noise."""
    rng = np.random.default_rng(1)
    images = rng.integers(1, 256, (count, *shape), dtype=np.uint8)
    if shape == MNIST:
        images[:, :4], images[:, -4:], images[:, :, :4], images[:, :, -4:] = 0, 0, 0, 0
        images[rng.random(images.shape) < 0.6] = 0
    return images


def alone(ask: Callable[[Any, int], Any], images: Any, found: list[float]) -> None:
    """The seconds of calls with one image."""
    clock = time.perf_counter
    for number in range(BLOCK):
        image = images[number : number + 1]
        begin = clock()
        ask(image, 1)
        found.append(clock() - begin)


def measure(name: str, threads: int, many: bool) -> None:
    layers, shape = NETWORKS[name]
    network = gn.Network(layers(), input_shape=shape, loss="SoftmaxCrossEntropy", seed=1)
    images = images_like(shape, MANY if many else 500)
    content = onnx.encode(network, {**metadata_of(network), "input_type": "uint8"})
    network._predictor = Predictor(network, threads=threads)
    asked: dict[str, Callable[[Any, int], Any]] = {
        "onnxruntime": by_onnxruntime(content, threads),
        "glassnet": lambda images, batch: network.predict(images),
    }
    found: dict[str, list[float]] = {who: [] for who in asked}
    for block in range(-2, BLOCKS):
        if block == 0:
            found = {who: [] for who in asked}
        for who, ask in asked.items():
            at = BLOCK * (block % (len(images) // BLOCK))
            alone(ask, images[at : at + BLOCK], found[who])
    p50, p99 = ({who: 1e6 * np.percentile(values, p) for who, values in found.items()} for p in (50, 99))
    print(
        f"{name}, {threads} thread(s), one image: "
        + "; ".join(
            f"{label} {figures['glassnet']:.1f} µs, onnxruntime {figures['onnxruntime']:.1f} µs"
            f" ({figures['onnxruntime'] / figures['glassnet']:.2f}×)"
            for label, figures in (("p50", p50), ("p99", p99))
        ),
        flush=True,
    )
    if many:
        theirs, ours = asked["onnxruntime"], asked["glassnet"]
        best = min(BATCHES, key=lambda batch: min(seconds(theirs, images, batch) for _ in range(2)))
        times = [(seconds(theirs, images, best), seconds(ours, images, best)) for _ in range(5)]
        peer, own = (1e6 * float(np.median(values)) / MANY for values in zip(*times, strict=True))
        shown = f"{own:.2f} µs an image, onnxruntime {peer:.2f} µs in batches of {best} ({peer / own:.2f}×)"
        print(f"{name}, {threads} thread(s), {MANY} images: {shown}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", help=", ".join(NETWORKS))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--many", action="store_true", help="10,000 images as well")
    chosen = parser.parse_args()
    for name in chosen.networks or NETWORKS:
        for threads in chosen.threads:
            measure(name, threads, chosen.many)


if __name__ == "__main__":
    main()
