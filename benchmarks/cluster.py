"""`python -m benchmarks.cluster --run RUN`: MNIST's 60,000 training images on a Dask cluster of two worker processes.

The labels must be those of `Network.predict` in one process: first on the whole cluster, then where one worker is killed
(SIGKILL) once a third of the blocks is done. The images are read by the workers, from a memory-mapped file.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import glassnet as gn
from glassnet.network import Network

Array = np.ndarray[Any, Any]


def read(path: str, block_info: Any = None) -> Array:
    """The images of one block."""
    first, last = block_info[None]["array-location"][0]
    return np.asarray(np.load(path, mmap_mode="r")[first:last])


def predict(images: Array, network: Network) -> Array:
    return network.predict(images)


def labels_of(path: Path, network: Network, block: int) -> Any:
    """A Dask array of the labels of all images in an .npy file, `block` of them a task."""
    import dask
    import dask.array as da

    stored = np.load(path, mmap_mode="r")
    chunks = da.core.normalize_chunks((block, -1, -1, -1), stored.shape)
    images = da.map_blocks(read, str(path), chunks=chunks, dtype=stored.dtype, meta=stored[:0])
    travels_once = dask.delayed(network)
    return images.map_blocks(predict, network=travels_once, drop_axis=(1, 2, 3), dtype=np.int64, meta=np.empty(0, np.int64))


def on_cluster(path: Path, network: Network, block: int, *, kill: bool) -> tuple[Array, float, int]:
    """The labels, seconds, and with `kill` how many blocks were done when a worker was killed."""
    from dask.distributed import Client, LocalCluster, as_completed, futures_of

    own = {"GLASSNET_THREADS": "1"}  # of each worker process: there is one for each core
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, env=own, dashboard_address=":0", silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        pids = list(client.run(os.getpid).values())
        start, done = time.perf_counter(), 0
        labels = client.persist(labels_of(path, network, block))
        blocks = futures_of(labels)
        if kill:
            for _, _ in zip(range(len(blocks) // 3), as_completed(blocks), strict=False):
                pass
            os.kill(pids[0], signal.SIGKILL)
            done = sum(future.done() for future in blocks)
        found = np.asarray(labels.compute())
        return found, time.perf_counter() - start, done


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="a run folder of a network for MNIST")
    parser.add_argument("--block", type=int, default=250, help="images a task")
    options = parser.parse_args()
    network = gn.Run.load(options.run).network
    images = gn.load_dataset("mnist", fractions=(1, 0, 0)).train.images
    network.predict(images[:1000])
    start = time.perf_counter()
    wanted = network.predict(images)
    alone, wrong = time.perf_counter() - start, 0
    print(f"{len(images):,} images in one process: {alone:.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npy"
        np.save(path, images)
        for kill in (False, True):
            found, seconds, done = on_cluster(path, network, options.block, kill=kill)
            equal = int((found == wanted).sum()) if found.shape == wanted.shape else 0
            killed = f", one killed when {done} of {-(-len(images) // options.block)} blocks were done" if kill else ""
            print(f"two workers{killed}: {seconds:.2f} s, {equal:,} labels equal")
            wrong += len(wanted) - equal
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
