"""`glassnet train --ranks` where it can't be."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from glassnet.cli import ranks as cli_ranks
from glassnet.errors import InputError
from glassnet.runtime import Ranks, StepPlan, make_trainer
from glassnet.runtime.ranks import SIZES, launched


@pytest.fixture(autouse=True)
def not_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SIZES:
        monkeypatch.delenv(name, raising=False)


def test_without_a_launcher(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError) as caught:
        cli_ranks.launch(2, None)
    for part in ("needs MPI", "mpiexec, beside Python or on the path", 'pip install "glassnet[mpi]"'):
        assert part in str(caught.value)


def test_without_mpi4py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(InputError) as caught:
        Ranks()
    for part in ("Training on several ranks needs MPI.", "mpi4py and an MPI library", 'pip install "glassnet[mpi]"'):
        assert part in str(caught.value)


def test_another_number_than_mpi_has_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PMI_SIZE", "4")
    assert launched() == 4
    with pytest.raises(InputError, match="another number of ranks"), cli_ranks.member(2):
        pass


def test_one_process_is_no_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    with cli_ranks.member(None) as alone:
        assert alone is None
    monkeypatch.setenv("PMI_SIZE", "1")
    with cli_ranks.member(None) as alone:
        assert alone is None


def test_the_launchers_own_lines_are_left_out() -> None:
    banner = """
===================================================================================
=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES
=   PID 21 RUNNING AT somewhere
=   EXIT CODE: 9
=   CLEANING UP REMAINING PROCESSES
=   YOU CAN IGNORE THE BELOW CLEANUP MESSAGES
===================================================================================
YOUR APPLICATION TERMINATED WITH THE EXIT STRING: Killed (signal 9)
This typically refers to a problem with your application.
Please see the FAQ page for debugging suggestions
Abort(1) on node 0 (rank 0 in comm 0): application called MPI_Abort(MPI_COMM_WORLD, 1) - process 0
[mpiexec@somewhere] Sending Ctrl-C to processes as requested
""".strip()
    assert all(cli_ranks.BANNER.match(line) for line in banner.splitlines())
    for line in ("glassnet: rank 2: A rank has not answered", "Epoch 3: 9302 / 10000", "Abort", "  where:    rank 1"):
        assert not cli_ranks.BANNER.match(line)


def test_networks_without_kernels_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    import glassnet as gn

    monkeypatch.setenv("GLASSNET_KERNELS", "0")
    ranks: Any = object()
    plan = StepPlan(batch_size=4, optimizer=gn.SGD(0.1), ranks=ranks)
    with pytest.raises(InputError, match="Only networks that run on the compiled kernels"):
        make_trainer(gn.Network([4, 2], seed=1), np.zeros((8, 4), np.float32), np.zeros(8, np.int64), plan)
