"""`glassnet export`: every form from the command line, with its proof, in the report too; and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import glassnet as gn
from glassnet.interop import export as exports, numpy as numpy_form

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

FILES = {"onnx": "net.onnx", "numpy": "net.py", "c": "net.h", "torch": "net.safetensors"}


@pytest.mark.parametrize("form", FILES)
def test_a_form_is_written_with_its_proof(cli: CommandLine, digits_run: Path, form: str) -> None:
    pytest.importorskip({"onnx": "onnxruntime", "torch": "torch"}.get(form, "numpy"))
    outcome = cli("export", digits_run, f"--{form}", FILES[form])
    run = gn.Run.load(digits_run)
    assert run.splits.validation is not None
    images = len(run.splits.validation)
    assert outcome.code == 0, outcome.err
    assert f"{images} of {images} validation images have the class that they have here" in outcome.out
    record = json.loads(Path(f"{FILES[form]}.json").read_text())
    assert (record["form"], record["images"], record["equal"], record["changed"]) == (form, images, images, 0)
    assert record["largest"] < 1e-5
    assert record["classes"] == list(run.network.classes)


def test_several_forms_at_once_stand_in_the_report(cli: CommandLine, digits_run: Path) -> None:
    gn.report(digits_run)
    assert cli("export", digits_run, "--numpy", "one.py", "--page", "one.html").code == 0
    assert Path("one.html").stat().st_size > 500_000
    assert "one.py" in (digits_run / "report.html").read_text(encoding="utf-8")


def test_a_changed_label_is_exit_1_and_leaves_no_file(
    cli: CommandLine, digits_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = numpy_form.predictor

    def wrong(content: bytes) -> exports.Predict:
        predict = right(content)
        return lambda images: predict(images)[:, ::-1]

    monkeypatch.setattr(numpy_form, "predictor", wrong)
    outcome = cli("export", digits_run, "--numpy", "net.py")
    assert outcome.code == 1
    assert "The export answers differently" in outcome.err
    assert [path.name for path in Path().iterdir()] == [digits_run.name]
    assert json.loads((digits_run / "exports.jsonl").read_text())["holds"] is False


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "Nothing says what to write."),
        (["--opset", "17", "--numpy", "net.py"], "An opset is for ONNX."),
        (["{run}", "--c", "net.h"], "Only a page holds several networks."),
        (["--numpy", "no/such/net.py"], "The export needs the name of a file in a folder that exists."),
        (["--c", "."], "The export needs the name of a file in a folder that exists."),
    ],
)
def test_wrong_options(cli: CommandLine, digits_run: Path, arguments: list[str], told: str) -> None:
    assert cli.wrong("export", digits_run, *(word.format(run=digits_run) for word in arguments))["what"] == told


@pytest.mark.parametrize(("option", "name", "told"), [("--onnx", "net.onnx", "17"), ("--torch", "net.pt", ".safetensors")])
def test_what_a_form_lacks(cli: CommandLine, digits_run: Path, option: str, name: str, told: str) -> None:
    pytest.importorskip({"--onnx": "onnxruntime", "--torch": "torch"}[option])
    more = ["--opset", "3"] if option == "--onnx" else []
    outcome = cli("export", digits_run, option, name, *more)
    assert outcome.code == 2
    assert told in outcome.err
    assert "Traceback" not in outcome.err
    assert [path.name for path in Path().iterdir()] == [digits_run.name]
