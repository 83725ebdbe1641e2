"""The diagnosis in Chinese: for each finding its name, its cause and what to try; its evidence stays as it was measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wording:
    """One finding in Chinese."""

    title: str
    cause: str
    try_next: tuple[str, ...]


CHINESE: dict[str, Wording] = {
    "non-finite-cost": Wording(
        "代价不再是有限数",
        "某一步之后权重无限增大，数值溢出。",
        ("把学习率降到十分之一", "限制梯度长度：--set optimizer.clip_norm=1"),
    ),
    "learning-rate-too-high": Wording(
        "学习率过高",
        "每一步都跨过了最低点，权重被甩到很远的地方，单元停在斜率几乎为零的位置。",
        ("把学习率降到十分之一", "用 glassnet find-rate 寻找合适的学习率"),
    ),
    "learning-rate-too-low": Wording(
        "学习率过低",
        "每一步都太小：代价稳步下降，但在给定的轮数里走不远。",
        ("把学习率提高到十倍", "用 glassnet find-rate 寻找合适的学习率"),
    ),
    "saturated-units": Wording(
        "单元饱和",
        "S 形函数的输出停在边界上，那里斜率几乎为零，梯度传不过去。",
        ("从更小的权重开始：GlorotUniform", "改用交叉熵代价，或在隐藏层用 ReLU"),
    ),
    "dead-relus": Wording(
        "ReLU 死亡",
        "许多 ReLU 单元对任何图片都输出零，得不到梯度，再也学不到东西。",
        ("降低学习率", "从 HeNormal 初始化开始", "改用 LeakyReLU"),
    ),
    "vanishing-gradients": Wording(
        "梯度消失",
        "梯度在向前面各层传播时一层层变小，前面的层几乎不动。",
        ("在隐藏层用 ReLU 和 HeNormal 初始化", "在层间加入 BatchNorm 或 LayerNorm", "减少层数"),
    ),
    "exploding-gradients": Wording(
        "梯度爆炸",
        "信号在各层被过大的权重放大，梯度也随之增大，每一步都把权重甩到很远。",
        (
            "从更小的权重开始：HeNormal 或 GlorotUniform",
            "限制梯度长度：--set optimizer.clip_norm=1",
            "加入 BatchNorm 或 LayerNorm",
        ),
    ),
    "symmetric-start": Wording(
        "对称的初始权重",
        "初始权重相同的单元得到相同的梯度，永远相同：整层只相当于一个单元。",
        ("让权重从随机值开始：HeNormal 或 GlorotUniform", "只有偏置可以从零开始"),
    ),
    "unscaled-inputs": Wording(
        "像素没有缩放",
        "输入的数值过大，第一层的输出和梯度也随之过大。",
        ("用 Pixels 或 Scale(1/255) 作为第一层",),
    ),
    "overfitting": Wording(
        "过拟合",
        "网络在死记训练图片：训练继续变好，验证却不再变好。",
        ("数据增强", "Dropout 或 L2 惩罚", "更多图片，或更小的网络", "提前停止：--set patience=5"),
    ),
    "underfitting": Wording(
        "欠拟合",
        "网络连训练图片都学不会：它太小，或惩罚太强。",
        ("更多单元或更多层", "减弱惩罚和 Dropout", "训练更久"),
    ),
    "majority-class": Wording(
        "停留在最大类别的比例",
        "网络几乎总是回答同一个类别，准确率正好是它所占的比例。",
        ("检查标签和像素缩放", "平衡各类别：--set class_weight=balanced", "调整学习率"),
    ),
    "noisy-labels": Wording(
        "标签有误",
        "部分标签与图片不符，或被打乱：网络只能死记它们。",
        ("查看报告里最严重的错误，核对标签", "重新读取数据，检查图片与标签的对应关系"),
    ),
    "validation-mismatch": Wording(
        "验证数据与训练数据不同",
        "验证图片与训练图片来源不同或处理方式不同。",
        ("检查两部分的大小、明暗和极性", "重新随机划分数据"),
    ),
    "missing-classes": Wording(
        "某些类别缺失",
        "数据的某一部分缺少某些类别，网络学不到或测不到它们。",
        ("按类别分层划分：--set split=stratified", "补充缺少的图片"),
    ),
    "too-few-steps": Wording(
        "训练步数太少",
        "代价还在快速下降，训练就结束了。",
        ("训练更多轮：--epochs", "更小的批量，每轮就有更多步"),
    ),
    "difference-within-noise": Wording(
        "差别小于噪声",
        "比较的结果之差小于它们的置信区间或不同种子之间的差别。",
        ("用更多种子训练：--seeds 5", "用更多验证图片比较"),
    ),
}  # fmt: skip
