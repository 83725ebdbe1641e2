"""docs/architecture.md names the files of a training step: they exist, they are few, and nothing else is executed."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from types import FrameType

import numpy as np
import pytest

import glassnet as gn
from glassnet.runtime import make_trainer
from glassnet.runtime.trainer import StepPlan

SOURCE = Path(str(gn.__file__)).parent
PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
CALLERS = {"network.py", "training/loop.py"}  # which hand the step on to the trainer
AROUND = re.compile(
    r"kernels/(codegen/|library|sources|sizes|barrier)|support/|nn/|errors"
)  # read to understand something else


def listed(heading: str) -> list[str]:
    """The files of the numbered list under a heading."""
    part = re.split(rf"^## {heading}$", PAGE.read_text(encoding="utf-8"), flags=re.M)[1]
    lines = re.findall(r"^\d+\. (.*)$", re.split(r"^## ", part, flags=re.M)[0], flags=re.M)
    return [match[1] for line in lines if (match := re.match(r"`([\w/]+\.py)`", line))]


def executed() -> set[str]:
    """The files of glassnet in which a function is called during one step of 784-30-10, from the trainer on."""
    rng = np.random.default_rng(0)
    net = gn.Network([784, 30, 10], seed=1)
    rows, labels = net.rows(rng.integers(0, 256, (20, 28, 28), dtype=np.uint8)), rng.integers(0, 10, 20)
    plan = StepPlan(batch_size=10, optimizer=gn.SGD(3.0), threads=1)
    seen: set[str] = set()

    def profile(frame: FrameType, event: str, argument: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(SOURCE):
            seen.add(path.relative_to(SOURCE).as_posix())

    sys.setprofile(profile)
    try:
        trainer = make_trainer(net, rows, labels, plan)
        trainer.begin_epoch(np.arange(20), np.full(2, 3.0), rng)
        trainer.run(0, 1, 0)
    finally:
        sys.setprofile(None)
    return seen


@pytest.mark.parametrize(("heading", "most"), [("The NumPy path", 11), ("The kernel path", 25)])
def test_files_of_a_step(heading: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    files = listed(heading)
    assert len(set(files)) == len(files) <= most
    assert [file for file in files if not (SOURCE / file).is_file()] == []
    if heading == "The NumPy path":
        monkeypatch.setenv("GLASSNET_KERNELS", "0")
        around = {
            "kernels/codegen/host.py",
            "kernels/sizes.py",
            "runtime/executor.py",
            "runtime/precision.py",
        }  # which path to take
        around |= {"support/environment.py", "support/i18n.py", "support/memory.py"}  # checks before the first step
        assert executed() - around == set(files) - CALLERS
    else:
        if os.environ.get("GLASSNET_KERNELS") == "0":
            pytest.skip("GLASSNET_KERNELS=0: there is no kernel path")
        python = {file for file in executed() if not AROUND.match(file)}
        assert python <= set(files)


def test_the_page_names_files_that_exist() -> None:
    named = set(re.findall(r"`((?:\w+/)+\w+\.py)`", PAGE.read_text(encoding="utf-8")))
    roots = (SOURCE, PAGE.parents[1])
    assert sorted(name for name in named if not any((root / name).is_file() for root in roots)) == []
