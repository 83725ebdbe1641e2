"""Progress in a notebook: a real one is run, its one output read; the curves that are drawn; histories as data frames."""

from __future__ import annotations

import re
import sys
import types
from math import isnan, nan
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import glassnet as gn
from glassnet.training import Epoch, Progress
from glassnet.training.display import default_display
from glassnet.training.notebook import NotebookCurves, chart, in_notebook

TRAINING = """
import glassnet as gn, time
splits = gn.load_dataset("digits")
net = gn.Network([64, 12, 10], seed=1)
slow = lambda progress, epoch: time.sleep(0.35)
history = net.fit(splits.train[:300], 8, optimizer=gn.Adam(0.01), validation=splits.validation, seed=1, callbacks=slow)
print(history.validation_accuracy[-1])
"""
SILENT = "net.fit(splits.train[:300], 2, progress=False);"
RUN = "gn.train('digits', out='runs/a', epochs=2)"


def test_a_real_notebook(tmp_path: Path) -> None:
    """Eight epochs of 0.35 s: the output is made once and updated about each second; what is left has all epochs."""
    nbformat = pytest.importorskip("nbformat", reason="nbclient is not installed: pip install nbclient ipykernel")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed: pip install nbclient ipykernel")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed: pip install ipykernel")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in (TRAINING, SILENT, RUN)])
    updates: list[str] = []

    class Client(nbclient.NotebookClient):  # type: ignore[misc, name-defined]
        def process_message(self, message: Any, cell: Any, index: int) -> Any:
            if message["msg_type"] in ("display_data", "update_display_data"):
                updates.append(message["msg_type"])
            return super().process_message(message, cell, index)

    Client(notebook, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    training, silent, run = ([found for found in cell.outputs if found.get("name") != "stderr"] for cell in notebook.cells)
    shown, printed = training
    assert updates.count("display_data") == 2  # of the first cell and the last
    assert 3 <= updates.count("update_display_data") <= 8
    assert printed.output_type == "stream"
    html = shown.data["text/html"]
    assert html.count("<svg") == 2
    assert [line.count(",") for line in re.findall(r'points="([^"]+)"', html)] == [8, 8, 8, 8]
    accuracy = float(printed.text)
    assert "epoch 8/8 · loss" in shown.data["text/plain"]
    assert f"validation {100 * accuracy:.2f} %" in shown.data["text/plain"]
    assert silent == []
    assert [found.output_type for found in run] == ["display_data", "execute_result"]
    assert "runs/a" in run[1].data["text/html"]


class ZMQInteractiveShell:
    pass


class Shell(ZMQInteractiveShell):
    """Colab's."""


@pytest.mark.parametrize(
    ("shell", "found"), [(ZMQInteractiveShell(), True), (Shell(), True), (object(), False), (None, False)]
)
def test_a_notebook_is_recognised(shell: object, found: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: shell  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    assert in_notebook() is found
    assert [type(each) for each in default_display(None)] == ([NotebookCurves] if found else [])
    assert default_display(False) == []


def test_without_ipython_there_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not in_notebook()


def places(svg: str) -> list[tuple[float, float]]:
    (line,) = (part.get("points", "") for part in ElementTree.fromstring(svg).iter("polyline"))
    return [tuple(map(float, pair.split(","))) for pair in line.split()]  # type: ignore[misc]


def ticks(svg: str) -> list[str]:
    return [str(part.text) for part in ElementTree.fromstring(svg).iter("text")]


def test_a_chart_by_hand() -> None:
    svg = chart("a < b", {"red": [1.0, 3.0, nan, 2.0]})
    assert places(svg) == [(44.0, 158.0), (146.7, 10.0), (352.0, 84.0)]
    assert ticks(svg) == ["a < b", "1", "1.67", "2.33", "3", "1", "4"]
    steep = chart("loss", {"red": [1.0, 0.1, 0.01]}, logarithmic=True)
    assert [y for _, y in places(steep)] == [10.0, 84.0, 158.0]
    assert ticks(steep)[1:5] == ["0.01", "0.0464", "0.215", "1"]
    assert places(chart("one", {"red": [5.0]})) == [(198.0, 84.0)]
    assert ticks(chart("narrow", {"red": [1.3001, 1.3004]}))[1:5] == ["1.3001", "1.3002", "1.3003", "1.3004"]
    assert chart("nothing", {"red": [None, nan], "blue": []}) == ""
    assert len(places(chart("many", {"red": [float(i % 7) for i in range(10_000)]}))) <= 302


def test_how_it_ended_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    handle = types.SimpleNamespace(update=lambda bundle, raw: shown.append(bundle["text/plain"]))
    display = pytest.importorskip("IPython.display", reason="IPython is not installed: pip install ipython")
    monkeypatch.setattr(display, "display", lambda bundle, raw, display_id: handle)
    net, data = gn.Network([64, 10], seed=1), gn.load_dataset("digits").train[:50]

    def interrupt(progress: Progress, epoch: Epoch) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        net.fit(data, 3, seed=1, callbacks=[NotebookCurves(), interrupt])
    net.fit(data, 3, seed=1, callbacks=[NotebookCurves(), gn.EarlyStopping(1, min_delta=9)])
    assert shown[-2].startswith("epoch 1/3")
    assert shown[-2].endswith("KeyboardInterrupt")
    assert shown[-1].endswith("no better for 1 epochs (early stopping, patience 1)")
    assert "left" not in shown[-1]


# ------------------------------------------------------------------ histories as data frames


def test_a_history_as_a_frame() -> None:
    pytest.importorskip("pandas", reason="pandas is not installed: pip install pandas")
    epochs = [Epoch(n, 1 / n, None, 1.5, 0.25 * n, 7, 30, 0.1, 1.0, {"w": 1.0}, steps=4) for n in (1, 2)]
    frame = gn.History(epochs).frame()
    assert frame.index.name == "epoch"
    assert list(frame.index) == [1, 2]
    assert list(frame.columns) == [
        *("train_cost", "train_accuracy", "validation_cost", "validation_accuracy", "validation_correct"),
        *("validation_total", "learning_rate", "seconds", "steps"),
    ]
    assert list(frame["train_cost"]) == [1.0, 0.5]
    assert list(frame["validation_accuracy"]) == [0.25, 0.5]
    assert all(map(isnan, frame["train_accuracy"]))
    assert frame["steps"].dtype == "int64"
    assert gn.History().frame().empty


def test_a_frame_needs_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(gn.InputError, match="pip install pandas"):
        gn.History().frame()
