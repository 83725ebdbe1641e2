"""What exports need beside our own: `python -m benchmarks.exports --c RUN`, `python -m benchmarks.exports --onnx RUN…`.

--c: beside `Network.predict_proba` on one core, one image and up to 10,000 training images of the run. The C export is
compiled with -O3 -march=native. --onnx: onnxruntime beside `Network.predict`, one image and 10,000 in one call, on one thread
and on two; onnxruntime has the images in the batches that are quickest for it. All are asked in turn; the median counts.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import glassnet as gn
from glassnet.interop import c, onnx
from glassnet.interop.export import metadata_of, type_of
from glassnet.runtime import Predictor

MANY, ROUNDS = 10_000, 5
TIMED = """
#include "network.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Answers as many images of a file as asked, again and again; prints the seconds of each round. */
int main(int count, char **arguments)
{
    static %(type)s images[%(images)d][%(upper)s_INPUTS];
    float probabilities[%(upper)s_CLASSES], sum = 0.0f;
    int asked = atoi(arguments[2]), rounds = atoi(arguments[3]);
    FILE *file = fopen(arguments[1], "rb");
    if (count != 4 || !file || fread(images, sizeof images, 1, file) != 1)
        return 1;
    for (int r = 0; r < rounds; r++) {
        struct timespec begin, end;
        clock_gettime(CLOCK_MONOTONIC, &begin);
        for (int n = 0; n < asked; n++) {
            %(name)s_predict(images[(r * asked + n) %% %(images)d], probabilities);
            sum += probabilities[0];
        }
        clock_gettime(CLOCK_MONOTONIC, &end);
        printf("%%.9f\\n", (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec));
    }
    return sum < 0.0f;
}
"""


def c_seconds(content: bytes, images: Any, folder: Path) -> Callable[[int, int], list[float]]:
    """The function (images, rounds) → seconds of each round, of a C export that is compiled for this machine."""
    (folder / "network.h").write_bytes(content)
    found = {"name": "network", "upper": "NETWORK", "images": len(images)}
    found["type"] = "uint8_t" if images.dtype == np.uint8 else "float"
    (folder / "timed.c").write_text("#define _POSIX_C_SOURCE 199309L\n" + TIMED % found)
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-O3", "-march=native"]
    subprocess.run([*c.compiler(), *flags, "-o", "timed", "timed.c", "-lm"], cwd=folder, check=True)
    images.tofile(folder / "images")

    def seconds(asked: int, rounds: int) -> list[float]:
        command = [str(folder / "timed"), str(folder / "images"), str(asked), str(rounds)]
        return [float(line) for line in subprocess.run(command, capture_output=True, check=True).stdout.split()]

    return seconds


def own_seconds(network: gn.Network, images: Any) -> Callable[[int, int], list[float]]:
    """The same of `predict_proba` on one thread: one call for all the images."""
    network._predictor = Predictor(network, threads=1)

    def seconds(asked: int, rounds: int) -> list[float]:
        found = []
        for number in range(rounds):
            chosen = images[number % len(images)][None] if asked == 1 else images[:asked]
            begin = time.perf_counter()
            network.predict_proba(chosen)
            found.append(time.perf_counter() - begin)
        return found

    return seconds


def measure_c(run: gn.Run) -> None:
    network, images = run.network, run.splits.train.images[:MANY]
    metadata = {"file": "network.h", **metadata_of(network), "input_type": type_of(images)}
    content = c.encode(network, metadata, name="network")
    with tempfile.TemporaryDirectory() as folder:
        askers = {"C": c_seconds(content, images, Path(folder)), "predict_proba": own_seconds(network, images)}
        for asked, rounds in ((1, 200), (len(images), 1)):
            found: dict[str, list[float]] = {name: [] for name in askers}
            for _ in range(ROUNDS):
                for name, seconds in askers.items():
                    found[name].append(statistics.median(seconds(asked, rounds)))
            medians = {name: statistics.median(values) for name, values in found.items()}
            shown = ", ".join(f"{name} {1e6 * value / asked:.2f} µs an image" for name, value in medians.items())
            print(f"{asked:>6} images: {shown}; C takes {medians['C'] / medians['predict_proba']:.2f}× as long")
    print(f"header: {len(content) / 1e6:.2f} MB")


ALONE = 300
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


def by_glassnet(network: gn.Network, threads: int) -> Callable[[Any, int], object]:
    network._predictor = Predictor(network, threads=threads)
    return lambda images, batch: network.predict(images)


def seconds(ask: Callable[[Any, int], object], images: Any, batch: int) -> float:
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
    parser.add_argument("--c", metavar="RUN", help="the C export of this run beside predict_proba, on one core")
    parser.add_argument("--onnx", metavar="RUN", nargs="+", help="the ONNX export of these runs, and of a 784-512-512-10")
    chosen = parser.parse_args()
    if chosen.c:
        measure_c(gn.Run.load(chosen.c))
    if chosen.onnx:
        runs = [gn.Run.load(folder) for folder in chosen.onnx]
        for run in runs:
            measure_onnx(run.recipe.name, run.network, run.splits.train.images[:MANY])
        measure_onnx("784-512-512-10", wide(), runs[0].splits.train.images[:MANY].reshape(-1, 28, 28, 1))


if __name__ == "__main__":
    main()
