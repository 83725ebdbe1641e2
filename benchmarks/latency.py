"""One image at a time beside ONNX Runtime: `python -m benchmarks.latency [NETWORK…] [--threads 1 2] [--many] [--cpu]`.

Networks with random weights, exported to ONNX; both are asked in turn, in blocks of calls with one `uint8` image each, on as
many threads. p50 and p99 are of all calls, in microseconds; "first" is the median of the first calls of the blocks, which
find the other's data in the caches. `--many`: 10,000 images as well; ONNX Runtime has them in the batches that are quickest
for it. `--cpu`: by the processor time of the calling thread, on one thread: other processes' time does not count.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import glassnet as gn
from benchmarks.exports import BATCHES, MANY, by_glassnet, by_onnxruntime, seconds
from glassnet.interop import onnx
from glassnet.interop.export import metadata_of
from glassnet.nn.architectures import resnet, row_rnn, vgg

BLOCKS, BLOCK = 6, 1000  # of calls in turn; the first ones after the other has had the caches are few of them
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
    """Random bytes; of images like MNIST's, four fifths are 0: a margin, and more than half of the rest."""
    rng = np.random.default_rng(1)
    images = rng.integers(1, 256, (count, *shape), dtype=np.uint8)
    if shape == MNIST:
        images[:, :4], images[:, -4:], images[:, :, :4], images[:, :, -4:] = 0, 0, 0, 0
        images[rng.random(images.shape) < 0.6] = 0
    return images


def alone(ask: Callable[[Any, int], object], images: Any, clock: Callable[[], float]) -> list[float]:
    """The seconds of each call with one image."""
    found = []
    for number in range(len(images)):
        image = images[number : number + 1]
        begin = clock()
        ask(image, 1)
        found.append(clock() - begin)
    return found


def measure(name: str, threads: int, many: bool, clock: Callable[[], float]) -> None:
    layers, shape = NETWORKS[name]
    network = gn.Network(layers(), input_shape=shape, loss="SoftmaxCrossEntropy", seed=1)
    images = images_like(shape, MANY if many else BLOCK)
    content = onnx.encode(network, {**metadata_of(network), "input_type": "uint8"})
    asked = {"glassnet": by_glassnet(network, threads), "onnxruntime": by_onnxruntime(content, threads)}
    found: dict[str, list[float]] = {who: [] for who in asked}
    for block in range(-2, BLOCKS):  # the first two do not count
        at = BLOCK * (block % (len(images) // BLOCK))
        for who, ask in asked.items():
            times = alone(ask, images[at : at + BLOCK], clock)
            found[who] += times if block >= 0 else []
    figures: dict[str, Callable[[list[float]], Any]] = {
        "p50": np.median,
        "p99": lambda values: np.percentile(values, 99),
        "first": lambda values: np.median(values[::BLOCK]),
    }
    shown = []
    for figure, of in figures.items():
        own, peer = (1e6 * float(of(values)) for values in found.values())
        shown.append(f"{figure} {own:.1f} µs, onnxruntime {peer:.1f} µs ({peer / own:.2f}×)")
    print(f"{name}, {threads} threads, one image: {'; '.join(shown)}", flush=True)
    if many:
        ours, theirs = asked.values()
        best = min(BATCHES, key=lambda batch: min(seconds(theirs, images, batch) for _ in range(2)))
        seconds(ours, images, best)  # makes its program
        pairs = [(seconds(ours, images, best), seconds(theirs, images, best)) for _ in range(5)]
        own, peer = (1e6 * float(np.median(values)) / MANY for values in zip(*pairs, strict=True))
        beside = f"{own:.2f} µs an image, onnxruntime {peer:.2f} µs in batches of {best} ({peer / own:.2f}×)"
        print(f"{name}, {threads} threads, {MANY} images: {beside}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=", ".join(NETWORKS))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--many", action="store_true", help="10,000 images as well")
    parser.add_argument("--cpu", action="store_true", help="processor time, on one thread")
    chosen = parser.parse_args()
    for name in chosen.networks or NETWORKS:
        for threads in [1] if chosen.cpu else chosen.threads:
            measure(name, threads, chosen.many, time.thread_time if chosen.cpu else time.perf_counter)


if __name__ == "__main__":
    main()
