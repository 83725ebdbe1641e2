"""The command line in Chinese: help, what commands print, what is wrong with an input, figures and pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from matplotlib.figure import Figure

import glassnet as gn
from glassnet.analysis.diagnosis import Diagnosis
from glassnet.errors import DataError
from glassnet.present.figures import base, training_figure
from glassnet.support.i18n import Message, tr
from tests.catalogue import read
from tests.cli.test_commands import COMMANDS

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

CHINESE = re.compile(r"[一-鿿]")
SENTENCES = [entry.id for entry in read() if entry.id and re.search(r"[a-z]{3,} [a-z]{2,} [a-z]{2,}", entry.id)]


@pytest.fixture
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSNET_LANG", "zh")


def english_in(text: str) -> list[str]:
    """The messages that are there in English."""
    flat = " ".join(text.split())
    return [message for message in SENTENCES if " ".join(message.split()) in flat]


@pytest.mark.usefixtures("chinese")
@pytest.mark.parametrize("arguments", [(), *((name,) for name in COMMANDS)], ids=str)
def test_help(cli: CommandLine, arguments: tuple[str, ...]) -> None:
    told = cli.good(*arguments, "--help").out
    assert told.startswith("用法：glassnet ")
    assert "显示本帮助并退出。" in told
    assert english_in(told) == []
    assert len(CHINESE.findall(told)) > 30


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nothing",), "没有 'nothing' 这个命令。"),
        (("train", "--nothing"), "没有这个选项：--nothing"),
        (("check",), "缺少 RECIPE|RUN。"),
        (("train", "digits", "--epochs", "x"), "--epochs 的值无效："),
    ],
)
def test_wrong_usage(cli: CommandLine, chinese: None, arguments: tuple[str, ...], told: str) -> None:
    outcome = cli(*arguments)
    assert outcome.code == 2
    assert "' 查看帮助。\n\n错误：" + told in outcome.err


@pytest.mark.usefixtures("chinese")
def test_a_training(cli: CommandLine) -> None:
    told = cli.good("train", "digits", "--epochs", 1, "--out", "a")
    assert re.search(r"^第 1 轮：\d+ / 270$", told.out, re.MULTILINE)
    assert re.search(r"^第 1 轮后验证准确率 \d+\.\d\d%，保存的就是它。$", told.out, re.MULTILINE)
    assert "下一步：" in told.lines
    assert english_in(told.out) == []
    assert english_in(cli.good("evaluate", "a").out) == []
    assert english_in(cli.good("inspect", "digits").out) == []
    assert english_in(cli.good("trace", "a").out) == []
    assert "梯度检验：通过" in cli.good("check", "digits").lines


@pytest.mark.usefixtures("chinese")
def test_wrong_input(cli: CommandLine) -> None:
    told = cli("train", "digit").err.splitlines()
    assert told[0] == "glassnet: 没有这样的配方、文件或文件夹。"
    assert [re.split("：", line)[0] for line in told[1:]] == ["  期望", "  实际", "  建议"]
    assert told[-1].endswith("是不是想用 'digits'？")
    error = DataError(tr("There is no such file."), where="a", expected=tr("a file"))
    assert str(error).split() == ["没有这个文件。", "位置：", "a", "期望：", "文件"]
    assert isinstance(error.what, Message)
    assert error.what.en == "There is no such file."


@pytest.mark.usefixtures("chinese")
def test_a_diagnosis() -> None:
    assert str(Diagnosis()) == "没有发现问题。"
    finding = gn.Finding("overfitting", tr("training"), tr("validation"), (tr("test"),))
    assert str(finding).split() == ["过拟合（overfitting）", "现象：", "训练", "原因：", "验证", "建议：", "1.", "测试"]


def test_a_figure(digits_run: Path, chinese: None) -> None:
    run = gn.Run.load(digits_run)
    figure = training_figure(run.history, run.network, run.splits.validation, run.recipe.heading)
    left, right, *_ = figure.axes
    assert (left.get_title(loc="left"), right.get_title(loc="left")) == ("损失", "准确率，%")
    assert left.get_xlabel() == "轮"
    assert all(text.get_text().startswith(("训练，最终 ", "验证，最终 ")) for text in left.get_legend().get_texts())


def test_pages_have_both_languages_whatever_the_users(digits_run: Path, chinese: None) -> None:
    page = gn.report(digits_run, digits_run.parent / "zh.html").read_text(encoding="utf-8")
    assert '<tspan class="en">training</tspan><tspan class="zh">训练</tspan>' in page
    assert '<span class="en" lang="en">Training setup</span><span class="zh" lang="zh-Hans">' in page
    trace = gn.trace(gn.Run.load(digits_run), 0).html()
    assert '<span class="en" lang="en">The loss</span><span class="zh" lang="zh-Hans">' in trace


@pytest.mark.parametrize("font", [None, "DejaVu Sans"])
def test_a_figure_without_a_chinese_font_is_drawn_in_english(
    font: str | None, chinese: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []

    def savefig(figure: Figure, *arguments: object, **options: object) -> None:
        drawn.append(figure.axes[0].get_title(loc="left"))

    monkeypatch.setattr(base, "east_asian", lambda: font)
    monkeypatch.setattr(Figure, "savefig", savefig)
    figure = base.new_figure(3, 2)
    base.plain(figure.subplots(), title=tr("loss"))
    base.render(figure, "png")
    assert drawn == ["loss" if font is None else "损失"]
    assert figure.axes[0].get_title(loc="left") == "损失"
