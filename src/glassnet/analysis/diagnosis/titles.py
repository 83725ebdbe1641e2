"""What each finding is called in Chinese."""

from __future__ import annotations

TITLES = {
    "missing-classes": "某些类别缺失",
    "unscaled-inputs": "像素没有缩放",
    "symmetric-start": "对称的初始权重",
    "exploding-gradients": "梯度爆炸",
    "vanishing-gradients": "梯度消失",
    "saturated-units": "单元饱和",
    "dead-relus": "ReLU 死亡",
    "validation-mismatch": "验证数据与训练数据不同",
    "noisy-labels": "标签有误",
    "non-finite-cost": "代价不再是有限数",
    "learning-rate-too-high": "学习率过高",
    "learning-rate-too-low": "学习率过低",
    "majority-class": "只回答一个类别",
    "too-few-steps": "训练步数太少",
    "overfitting": "过拟合",
    "underfitting": "欠拟合",
    "difference-within-noise": "差别小于噪声",
}
