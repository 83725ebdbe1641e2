"""The words of the report's figures in Chinese: figures themselves are drawn in English."""

from __future__ import annotations

IN_FIGURES: dict[str, str] = {
    "training": "训练",
    "validation": "验证",
    "epoch": "轮",
    "cost": "代价",
    "accuracy, %": "准确率，%",
    "accuracy of each class, %": "各类别准确率，%",
    "right, %": "答对，%",
    "images": "图片数",
    "how sure it is, %": "把握，%",
    "as sure as right": "把握与正确率相等",
    "this network": "本网络",
    "is": "实际",
    "was called": "被认作",
    "length of the gradient": "梯度的长度",
    "length of the last update / length of the weights": "最后一次更新的长度 / 权重的长度",
    "nothing finite was measured": "没有测到有限的数值",
    "mean output": "输出的平均值",
    "spread of the outputs": "输出的标准差",
    "share of saturated outputs": "饱和输出的比例",
    "share of dead units": "死亡单元的比例",
}

ABOUT: dict[str, str] = {  # which of these words says what a figure shows
    "cost": "cost",
    "accuracy": "accuracy, %",
    "classes": "accuracy of each class, %",
    "calibration": "as sure as right",
    "gradients": "length of the gradient",
    "updates": "length of the last update / length of the weights",
    "activations-mean": "mean output",
    "activations-spread": "spread of the outputs",
    "activations-saturated": "share of saturated outputs",
    "activations-dead": "share of dead units",
}
