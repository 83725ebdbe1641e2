"""Rows of a history are what `History.rows` gives, or they are refused: whatever reads a history relies on it."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassnet.network import Network
from glassnet.support.strict_json import lines
from glassnet.training import Epoch, History
from glassnet.training.checkpoint import State
from glassnet.training.history_rows import FirstStep, Row

COLUMNS = [name for name, field in Row.model_fields.items() if field.is_required()]
LATER = [name for name in Row.model_fields if name not in COLUMNS]
FIRST = {"cost": 2.0, "activations": {"relu1": {"mean": 0.1}}, "gradient_norms": {"w": 1.0}, "update_norms": {"w": 0.1}}


def rows() -> list[dict[str, Any]]:
    epochs = [
        Epoch(number, 0.5, 0.9, 0.6, 0.8, 8, 10, 0.1, 0.01, {"w": 1.0}, {"w": 0.1}, 5, {"relu1": {"mean": 0.1, "dead": 0.0}},
              copy.deepcopy(FIRST) if number == 1 else {})
        for number in (1, 2, 3)
    ]  # fmt: skip
    return json.loads(json.dumps(History(epochs).rows()))  # type: ignore[no-any-return]


def test_every_column_of_an_epoch_has_a_check() -> None:
    assert [field.name for field in dataclasses.fields(Epoch)] == [*COLUMNS, *LATER]
    required = [field.name for field in dataclasses.fields(Epoch)
                if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING]  # fmt: skip
    assert required == COLUMNS
    assert FIRST.keys() == FirstStep.model_fields.keys()


def test_rows_that_are_right() -> None:
    assert History.from_rows(rows()).rows() == rows()
    assert History.from_rows([{name: row[name] for name in COLUMNS} for row in rows()]).gradient_norms == {}
    words = [
        row | {"train_cost": "NaN", "validation_cost": "-Infinity", "gradient_norms": {"w": "Infinity"}} for row in rows()
    ]
    assert History.from_rows(words).gradient_norms == {"w": [float("inf")] * 3}
    assert str(History.from_rows([*rows(), {"stopped": "enough"}]).stopped) == "enough"
    assert len(History.from_rows([])) == 0


def test_what_a_training_that_goes_on_does_without(tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).random((30, 4)), np.arange(30) % 3
    for place, options in enumerate(itertools.permutations([{"validation": (x, y)}, {}, {"statistics": False}])):
        path = tmp_path / f"{place}.safetensors"
        for epochs, option in enumerate(options, 2):
            history = Network([4, 3], seed=1).fit((x, y), epochs, seed=1, checkpoint=path, resume=epochs > 2, **option)
        assert len(history) == 4
        assert [cost is not None for cost in history.validation_cost[1:]] == ["validation" in option for option in options]
        assert history.scores() == [-cost for cost in history.train_cost]
        assert history.activations == {}
        assert len(history.gradient_norms["dense1.weight"]) == 4
        assert State.load(path).history.rows() == history.rows()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        *(({name: value}, f"line 2: {name}: expected") for name in COLUMNS for value in ("a", True, [], {}, -(2**63), [1.0])),
        *(({name: value}, f"line 2: {name}: expected") for name in LATER for value in ("a", True, [], None, -1)),
        *(({name: {"w": "a"}}, f"line 2: {name}.w: expected") for name in ("gradient_norms", "update_norms", "activations")),
        ({"steps": {"w": "a"}}, "line 2: steps: expected"),
        ({"first_step": {"w": "a"}}, "line 2: first_step.w is no column of a history"),
        *(({name: None}, f"line 2: {name}: expected") for name in ("epoch", "train_cost", "learning_rate", "seconds")),
        ({"train_accuracy": 1.01}, "line 2: train_accuracy: expected less than or equal to 1, received 1.01"),
        (
            {"validation_accuracy": float("nan")},
            "line 2: validation_accuracy: expected \\w+ than or equal to [01], received nan",
        ),
        ({"validation_correct": 2.0}, "line 2: validation_correct: expected a valid integer, received 2.0"),
        ({"seconds": -0.5}, "line 2: seconds: expected greater than or equal to 0, received -0.5"),
        ({"epoch": 1}, "line 2: epoch: expected 2, received 1"),
        ({"gradient_norms": {"v": 1.0}}, "line 2: gradient_norms: expected the names of the lines before, received v"),
        (
            {"update_norms": {"w": 0.1, "v": 0.1}},
            "line 2: update_norms: expected the names of the lines before, received w, v",
        ),
        ({"activations": {"relu1": {"mean": 0.1}}}, "line 2: activations: expected the names of the lines before"),
        ({"activations": {"relu1": 0.1}}, "line 2: activations.relu1: expected a valid dictionary, received 0.1"),
        ({"first_step": {"costs": 1.0}}, "line 2: first_step.costs is no column of a history"),
        (
            {"first_step": {"activations": {"relu1": 1.0}}},
            "line 2: first_step.activations.relu1: expected a valid dictionary",
        ),
        ({"more": 1}, "line 2: more is no column of a history"),
        ({"stopped": "why"}, "line 2: stopped is no column of a history"),
    ],
    ids=repr,
)
def test_rows_that_are_wrong(change: dict[str, Any], expected: str) -> None:
    wrong = rows()
    wrong[1] |= change
    with pytest.raises(ValueError, match=f"^{expected}"):
        History.from_rows(wrong)


def test_rows_that_are_none() -> None:
    for name in COLUMNS:
        wrong = rows()
        del wrong[2][name]
        with pytest.raises(ValueError, match=f"^line 3: {name} is missing"):
            History.from_rows(wrong)
    for row in (None, 5, "epoch", [1], {"stopped": 5}, {}):
        with pytest.raises(ValueError, match=r"^line 4: "):
            History.from_rows([*rows(), row])  # type: ignore[list-item]
    with pytest.raises(ValueError, match=r"^line 1: (stopped is no column|.* is missing)"):
        History.from_rows([{"stopped": "why"}, *rows()])


def test_lines_name_the_one_that_is_wrong() -> None:
    assert lines('{"a": "NaN"}\n[1]\n') != []
    assert lines("") == []
    assert lines("1\n2") == [1, 2]
    for text, number in (
        ("{", 1),
        ("1\n\n2\n", 2),
        ("1\n2\n\n", 3),
        ("1\x85\n", 1),
        ("1\n" + "[" * 10**5, 2),
        ("9" * 5000, 1),
    ):
        with pytest.raises(ValueError, match=f"^line {number}: not a complete JSON object"):
            lines(text)
