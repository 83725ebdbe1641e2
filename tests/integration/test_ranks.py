"""Training on several ranks gives the bits of one process, and ends as a whole."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.runtime.ranks import TIMEOUT
from glassnet.training.checkpoint import State
from tests.integration.ranks_worker import cases, train
from tests.waiting import until

MPIEXEC = Path(sys.executable).with_name("mpiexec")
pytestmark = pytest.mark.skipif(not MPIEXEC.exists(), reason="there is no mpiexec beside Python: the extra `mpi` brings one")

RECIPE = """
[data]
dataset = "digits"

[network]
architecture = { type = "vgg", blocks = [[16], [32]], dropout = 0.2 }
loss = "SoftmaxCrossEntropy"

[training]
epochs = 400
batch_size = 64
average = 0.9
optimizer = { type = "AdamW", learning_rate = 0.003 }
augmentation = { shift = 1, rotation = 5 }
"""
HANGS = 120  # seconds after which a command counts as hung


def mpiexec(*parts: Sequence[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run parts of a job, each given by its number of ranks and what they run."""
    command = [str(MPIEXEC)]
    for number, (count, *program) in enumerate(parts):
        command += [":"] * bool(number) + ["-n", count, sys.executable, *program]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=HANGS, check=False
    )


@pytest.fixture(scope="module")
def one_process() -> dict[str, Any]:
    return {name: train(name, None, 1) for name in cases()}


@pytest.mark.parametrize(("ranks", "threads"), [(2, 1), (4, 1), (3, 2)])
def test_the_number_of_ranks_changes_no_bit(tmp_path: Path, one_process: dict[str, Any], ranks: int, threads: int) -> None:
    """With augmentation, dropout, batch and layer normalisation, moving averages, and smaller last mini-batches."""
    file = tmp_path / "found.npz"
    done = mpiexec([str(ranks), "-m", "tests.integration.ranks_worker", str(file), str(threads)])
    assert done.returncode == 0, done.stderr
    found = np.load(file)
    for name, (state, figures) in one_process.items():
        assert np.array_equal(found[name], state), name
        assert np.array_equal(found[f"{name}, figures"], figures), name


def ranks_of(folder: Path) -> dict[int, int]:
    """The processes of the ranks that train into a folder, by rank."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        except OSError:
            continue
        rank = re.search(rb"\0PMI_RANK=(\d+)", environment)
        if rank and str(folder).encode() in command and b"mpiexec" not in command.split(b"\0")[0]:
            found[int(rank[1])] = int(process.name)
    return found


@pytest.fixture
def job(tmp_path: Path, start: Any) -> Any:
    """A training on three ranks, into tmp_path/run, that has written a checkpoint."""
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE, encoding="utf-8")
    environment = {"GLASSNET_RANK_TIMEOUT": "4", "TEST_FOLDER": str(tmp_path)}
    child = start(["train", str(recipe), "--out", str(tmp_path / "run"), "--ranks", "3"], **environment)
    until(lambda: (tmp_path / "run" / "checkpoint.safetensors").exists() or child._process.poll() is not None)
    assert len(ranks_of(tmp_path / "run")) == 3, child.err
    return child


def test_a_killed_rank_ends_the_others_and_any_number_goes_on(tmp_path: Path, job: Any, start: Any) -> None:
    run = tmp_path / "run"
    os.kill(ranks_of(run)[1], signal.SIGKILL)
    assert job.end(HANGS) == 1
    assert job.err.count("glassnet:") == 1
    assert "glassnet: a rank was ended by signal 9 (SIGKILL), so the others were ended, too." in job.err
    assert f"train --resume {run}" in job.err
    assert not ranks_of(run)
    epochs = len(State.load(run / "checkpoint.safetensors").history) + 2
    going_on = start(["train", "--resume", str(run), "--ranks", "2", "--epochs", str(epochs)])
    assert going_on.end(HANGS) == 0, going_on.err
    assert "2 ranks share each mini-batch: 32, 32 images" in going_on.lines
    once = gn.train(tmp_path / "recipe.toml", epochs=epochs, out=tmp_path / "once")
    assert (run / "model.safetensors").read_bytes() == (once.folder / "model.safetensors").read_bytes()


def marked(folder: Path) -> dict[str, list[int]]:
    """The processes of a job, by what they run: those with the folder in their environment."""
    found: dict[str, list[int]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        except OSError:
            continue
        if command and b"TEST_FOLDER=" + str(folder).encode() in environment.split(b"\0"):
            program = Path(command.split(b"\0")[0].decode()).name
            found.setdefault(program if b"PMI_RANK=" not in environment else "rank", []).append(int(process.name))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="processes are told that their parent has ended only on Linux")
@pytest.mark.parametrize("killed", ["mpiexec", "hydra_pmi_proxy", Path(sys.executable).name])
def test_whatever_is_killed_no_process_is_left(tmp_path: Path, job: Any, killed: str) -> None:
    """MPI's launcher, its process on a machine, and glassnet's own, which cannot say anything then."""
    os.kill(marked(tmp_path)[killed][0], signal.SIGKILL)
    job.end(HANGS)
    until(lambda: not marked(tmp_path), 10)
    if killed in ("mpiexec", "hydra_pmi_proxy"):
        assert job._process.returncode == 1
        assert job.err.count("glassnet: mpiexec ") == 1
        assert f"train --resume {tmp_path / 'run'}" in job.err


@pytest.mark.parametrize("rank", [0, 2])
def test_a_rank_that_hangs_ends_the_others(tmp_path: Path, job: Any, rank: int) -> None:
    os.kill(ranks_of(tmp_path / "run")[rank], signal.SIGSTOP)
    assert job.end(HANGS) == 1
    assert job.err.count("glassnet: rank") == 1
    assert "A rank has not answered for 4 s." in job.err
    assert f"train --resume {tmp_path / 'run'}" in job.err
    assert not ranks_of(tmp_path / "run")


def test_a_rank_that_hangs_in_a_step_is_noticed_without_a_setting() -> None:
    """And told once, though the launcher takes its time to end the ranks."""
    began = time.monotonic()
    done = mpiexec(["3", "-m", "tests.integration.ranks_worker", "hang", "1"])
    assert done.returncode == 1
    assert done.stderr.count("glassnet: rank") == 1
    told = re.search(r"A rank has not answered for ([\d.]+) s\.", done.stderr)
    assert told, done.stderr
    assert 4 <= float(told[1]) < TIMEOUT / 2
    assert time.monotonic() - began < TIMEOUT


def test_ctrl_c_ends_all_ranks_and_keeps_the_last_epoch(tmp_path: Path, job: Any) -> None:
    job.send(signal.SIGINT)
    assert job.end(HANGS) == 130
    assert job.err.count("glassnet: interrupted") == 1
    assert "The last whole epoch is kept." in job.err
    assert not ranks_of(tmp_path / "run")


def test_an_exception_on_one_rank_ends_all() -> None:
    done = mpiexec(["3", "-m", "tests.integration.ranks_worker", "fail", "2"])
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1
    assert "glassnet: rank 2: Traceback" in done.stderr
    assert "ValueError: broken on purpose" in done.stderr


def test_wrong_input_is_told_once(tmp_path: Path, start: Any) -> None:
    """What all ranks find wrong, and what only one of them does; nothing is written."""
    child = start(["train", "no-such-recipe", "--ranks", "2", "--out", str(tmp_path / "run")])
    assert child.end(HANGS) == 2
    assert child.err.count("glassnet: There is no such recipe, file or folder.") == 1
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE, encoding="utf-8")
    program = ["1", "-m", "glassnet", "train", str(recipe), "--out", str(tmp_path / "run")]
    done = mpiexec(program, [*program, "--set", "training.batch_size=32"])
    assert done.returncode == 2
    assert done.stderr.count("glassnet:") == 1
    for part in ("The ranks have different recipes.", "rank 1, training.batch_size", "64, as on rank 0"):
        assert part in done.stderr
    assert not (tmp_path / "run").exists()


def test_several_seeds_at_once(tmp_path: Path, start: Any) -> None:
    shared = start(
        ["train", "digits", "--epochs", "2", "--seeds", "3", "--ranks", "2", "--out", str(tmp_path / "ranks")],
    )
    assert shared.end(HANGS) == 0, shared.err
    alone = gn.train("digits", epochs=2, seed=1, out=tmp_path / "alone")
    assert sorted(folder.name for folder in (tmp_path / "ranks").iterdir()) == ["seed-0", "seed-1", "seed-2"]
    model = (tmp_path / "ranks" / "seed-1" / "model.safetensors").read_bytes()
    assert model == (alone.folder / "model.safetensors").read_bytes()
