"""The report's table of contents: its sections by names short enough for all of them to stand in one row."""

from __future__ import annotations

from markupsafe import Markup

from glassnet.present.report.texts import Both, spans

SHORT: dict[str, Both] = {
    "what": ("Training", "训练"),
    "diagnosis": ("Diagnosis", "诊断"),
    "curves": ("Curves", "曲线"),
    "per-class": ("Classes", "类别"),
    "confusion": ("Confusion", "混淆"),
    "worst": ("Mistakes", "错误"),
    "random": ("By chance", "随机"),
    "looks": ("Looks at", "关注"),
    "inside": ("Inside", "内部"),
    "calibration": ("Sureness", "把握"),
    "health": ("Gradients", "梯度"),
    "outputs": ("Answers", "回答"),
    "ledger": ("Test set", "测试集"),
}


def short(section: str) -> Markup:
    """The short name of a section, in both languages."""
    return spans(*SHORT[section])
