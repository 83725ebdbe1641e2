"""Quick to begin: what is not needed is not imported, and kernels are compiled once a machine.

Times are measured by the benchmarks. Here stands what makes them what they are, which no busy machine can blur.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import glassnet as gn
from glassnet.cli.preload import Preload

HEAVY = ("numba", "scipy", "sklearn", "matplotlib", "pydantic", "PIL", "torch", "pandas", "pooch", "rich")


def python(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**os.environ, **environment},
    )


def imported(code: str) -> set[str]:
    """The top-level packages that are there after some code."""
    done = python(f"{code}\nimport json, sys\nprint(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))")
    assert (done.returncode, done.stderr) == (0, "")
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_glassnet_imports_next_to_nothing() -> None:
    found = imported("import glassnet; glassnet.__version__; dir(glassnet)")
    assert not found & {*HEAVY, "numpy", "typer", "llvmlite", "safetensors"}


def test_help_needs_no_arrays() -> None:
    code = """
from glassnet.cli.console import run_app
from glassnet.cli.main import app
assert run_app(app, ["--help"]) == 0
assert run_app(app, ["--version"]) == 0
"""
    assert not imported(code) & {*HEAVY, "numpy", "llvmlite", "safetensors"} - {"pydantic", "rich"}  # Typer's own needs


def test_a_usage_error_needs_no_arrays() -> None:
    code = "import contextlib, io\nfrom glassnet.cli.console import run_app\nfrom glassnet.cli.main import app\n"
    code += "with contextlib.redirect_stderr(io.StringIO()):\n    assert run_app(app, ['nothing']) == 2\n"
    assert "numpy" not in imported(code)


def test_what_is_preloaded_is_there_when_training_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads that import scipy's parts at once may see half of a module."""
    ended = threading.Event()
    monkeypatch.setattr("glassnet.cli.preload._load", lambda: time.sleep(0.2) or ended.set())
    network = gn.Network([4, 3, 2], seed=1)
    network.fit((np.zeros((4, 4)), np.array([0, 1, 0, 1])), 1, callbacks=[Preload()])
    assert ended.is_set()


@pytest.fixture(scope="module")
def warm_kernels() -> None:
    from glassnet.kernels.library import compile_all

    compile_all()


TRAIN = """
import glassnet as gn
splits = gn.load_dataset("digits")
network = gn.Network([64, 30, 10], seed=1)
network.fit(splits.train[:100], 1, optimizer=gn.SGD(3.0), validation=splits.validation, seed=1)
network.predict(splits.validation.images)
"""


@pytest.mark.usefixtures("warm_kernels")
def test_training_onwarm_kernels_imports_no_compiler() -> None:
    found = imported(TRAIN)
    assert "numpy" in found
    assert not found & set(HEAVY)


@pytest.mark.usefixtures("warm_kernels")
def test_predicting_with_a_saved_model_imports_no_compiler(tmp_path: Path) -> None:
    import glassnet as gn

    path = tmp_path / "model.safetensors"
    gn.Network([64, 30, 10], seed=1).save(path)
    code = f"import glassnet as gn, numpy as np\ngn.Network.load({str(path)!r}).predict(np.zeros((2, 64)))"
    assert not imported(code) & set(HEAVY)


def test_kernels_compile_once_on_a_new_machine_with_a_word_about_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)  # where nobody reads along, nothing is said
    cache = tmp_path / "cache"
    first = python(TRAIN, GLASSNET_CACHE=str(cache))
    assert first.returncode == 0, first.stderr
    before, after = first.stderr.splitlines()
    what = "dense layers and training"  # those of convolution wait until they are asked for
    assert before == f"Compiling the kernels for {what} on this processor (once, a few seconds) …"
    assert after.startswith("… compiled in ")
    assert f"kept in {cache / 'kernels'}" in after
    second = python(TRAIN, GLASSNET_CACHE=str(cache))
    assert (second.returncode, second.stderr) == (0, "")


def test_without_kernels_everything_runs_in_numpy(tmp_path: Path) -> None:
    done = python(TRAIN, GLASSNET_KERNELS="0", GLASSNET_CACHE=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []
