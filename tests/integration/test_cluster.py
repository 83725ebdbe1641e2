"""Predictions in other processes: on a Dask cluster, whole and with a worker killed, and through joblib."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from benchmarks.cluster import labels_of
from glassnet.network import Network

Array = np.ndarray[Any, Any]
ROOT = Path(__file__).parents[2]
KILL = """
import sys
from pathlib import Path
import numpy as np
import glassnet as gn
from benchmarks.cluster import on_cluster

folder = Path(sys.argv[1])
found, _, done = on_cluster(folder / "images.npy", gn.Network.load(folder / "net.safetensors"), 500, kill=True)
assert done >= 13, done  # of 40: the killed worker held some of their results
np.save(folder / "found.npy", found)
"""  # a process of its own: workers start by importing the main module, which here would be pytest
REASON = "Dask, whose cluster this is about, is not installed"


@pytest.fixture(scope="module")
def digits() -> tuple[Network, Array]:
    """A network, and 20,000 images: 40 blocks of 500."""
    splits = gn.load_dataset("digits")
    network = gn.Network([64, 30, 10], seed=1)
    network.fit(splits.train, epochs=2, seed=1, progress=False)
    return network, np.tile(splits.train.images, (16, 1, 1, 1))[:20_000]


def test_a_worker_killed_midway_loses_nothing(digits: tuple[Network, Array], tmp_path: Path) -> None:
    pytest.importorskip("dask.array", reason=REASON)
    pytest.importorskip("distributed", reason=REASON)
    network, images = digits
    np.save(tmp_path / "images.npy", images)
    network.save(tmp_path / "net.safetensors")
    subprocess.run([sys.executable, "-c", KILL, str(tmp_path)], cwd=ROOT, check=True, timeout=300)
    np.testing.assert_array_equal(np.load(tmp_path / "found.npy"), network.predict(images))


def test_threads_of_one_process_share_a_network(digits: tuple[Network, Array], tmp_path: Path) -> None:
    pytest.importorskip("dask.array", reason=REASON)
    network, images = digits
    np.save(tmp_path / "images.npy", images)
    found = labels_of(tmp_path / "images.npy", network, 300).compute(scheduler="threads", num_workers=4)
    np.testing.assert_array_equal(found, network.predict(images))


def test_joblib_in_processes_and_threads(digits: tuple[Network, Array]) -> None:
    joblib = pytest.importorskip("joblib", reason="joblib is not installed")
    network, images = digits
    blocks = np.array_split(images, 4)  # large enough for joblib to hand them over as read-only files
    for backend in ("loky", "threading"):
        found = joblib.Parallel(n_jobs=2, backend=backend)(joblib.delayed(network.predict_proba)(block) for block in blocks)
        np.testing.assert_array_equal(np.concatenate(found), network.predict_proba(images))
