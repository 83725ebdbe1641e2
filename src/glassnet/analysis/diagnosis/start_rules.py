"""Rules about the network before its first step: starts from which nothing good can come, and units that say nothing."""

from __future__ import annotations

import numpy as np

from glassnet.analysis.diagnosis.facts import Facts
from glassnet.analysis.diagnosis.finding import Finding
from glassnet.analysis.diagnosis.phrases import CLIP, SMALLER_START, outcome, set_rate, whole
from glassnet.support.i18n import NOTHING, Text
from glassnet.training.statistics import Statistics

ALIKE = 1e-3  # relative difference between the weights of two units, above rounding and below what chance gives
LONG = 100.0  # length of the gradient: with scaled images and a usual start it is about 1, of deep networks about 10
GROWTH = 300.0  # from the last weights back to the first, or the other way round
SATURATED = 0.9  # of a layer's outputs; the tutorial's own start, N(0,1) weights, has up to 0.7 and learns
DEAD = 0.6  # of a layer's units; one in five is common in networks that learn well


BEFORE, AFTER = Text("before the first step", "在第一步之前"), Text("after training", "在训练结束后")


def symmetric_start(facts: Facts) -> Finding | None:
    """Units of a hidden layer that all have the same weights."""
    for slot in facts.weights[:-1]:
        weight = slot.part(facts.network.flat).reshape(-1, slot.shape[-1]).astype(np.float64)
        if not slot.key.endswith("weight") or weight.shape[1] < 2 or not np.isfinite(weight).all():
            continue
        size = float(np.abs(weight).max())
        apart = float(np.ptp(weight, axis=1).max())
        if apart <= ALIKE * size:
            layer = slot.name.rpartition(".")[0]
            alike = Text(", all zero.", "，全部为零。") if size == 0 else Text(
                ", to within {apart:.1g} of their size.", "，相差不超过其大小的 {apart:.1g}。"
            ).format(apart=apart / size)  # fmt: skip
            seen = Text("all {count} units of {layer} have the same weights", "{layer} 的 {count} 个单元权重全部相同")
            return Finding.told(
                "symmetric-start",
                seen.format(count=weight.shape[1], layer=layer) + alike + outcome(facts),
                Text(
                    "Units that start equal get equal gradients and stay equal for ever: the layer is as good as a single "
                    "unit.",
                    "起点相同的单元得到相同的梯度，永远相同：整层只相当于一个单元。",
                ),
                (
                    Text(
                        "let chance set the weights: initializer HeNormal before a ReLU, GlorotUniform before sigmoid or "
                        "tanh",
                        "用随机数初始化权重：ReLU 之前用 HeNormal，sigmoid 或 tanh 之前用 GlorotUniform",
                    ),
                    Text("zeros are right for biases only", "只有偏置可以从零开始"),
                ),
            )
    return None


def exploding_gradients(facts: Facts) -> Finding | None:
    """A gradient that is huge at the very first step, though the images are scaled."""
    length, found = facts.start_gradient, facts.start_gradients
    if not facts.falls_short or length is None or not found:
        return None
    if np.isfinite(length) and length < LONG:
        return None
    names = list(found)
    seen = Text(
        "at the first step the gradient of all weights has the length {length:.3g} (about 1 is usual); a typical one of "
        "{first} is {at_first:.3g}, of {last} {at_last:.3g}.",
        "第一步时全部权重的梯度长度为 {length:.3g}（通常约为 1）；"
        "{first} 的梯度一般为 {at_first:.3g}，{last} 的为 {at_last:.3g}。",
    ).format(length=length, first=names[0], at_first=found[names[0]], last=names[-1], at_last=found[names[-1]])
    return Finding.told(
        "exploding-gradients",
        seen + outcome(facts),
        Text(
            "On its way through the layers the signal is multiplied by weights that are too large, so that it, and the "
            "gradient, grow from layer to layer: each step throws the weights far off.",
            "信号经过各层时乘上了过大的权重，信号和梯度都逐层增大：每一步都把权重甩到很远的地方。",
        ),
        (
            SMALLER_START,
            CLIP,
            Text("put BatchNorm or LayerNorm between the layers", "在各层之间加入 BatchNorm 或 LayerNorm"),
        ),
    )


def vanishing_gradients(facts: Facts) -> Finding | None:
    """A gradient of which next to nothing arrives at the first weights."""
    found = facts.start_gradients
    if not facts.is_stuck or len(found) < 3:
        return None
    names = list(found)
    first, last = found[names[0]], found[names[-1]]
    if not last > 0 or first * GROWTH > last:
        return None
    seen = Text(
        "at the first step a typical gradient of {last}, the last weights, is {at_last:.2g}, and of {first}, the first, "
        "{at_first:.2g}: {times:.3g} times less, over {count} layers.",
        "第一步时，最后的权重 {last} 的梯度一般为 {at_last:.2g}，最前面的 {first} 只有 {at_first:.2g}：隔着 {count} 层，"
        "小到 {times:.3g} 分之一。",
    ).format(last=names[-1], at_last=last, first=names[0], at_first=first, times=last / first if first else np.inf,
             count=len(names))  # fmt: skip
    return Finding.told(
        "vanishing-gradients",
        seen + outcome(facts),
        Text(
            "Each layer passes on only a part of the gradient (a sigmoid a quarter at most), so that over many layers "
            "nothing is left of it, and the first layers stay as they were.",
            "每一层只传回梯度的一部分（sigmoid 至多四分之一），经过许多层便所剩无几，前面的层几乎不动。",
        ),
        (
            Text(
                "use ReLU with initializer HeNormal instead of sigmoid or tanh between the layers",
                "各层之间用 ReLU 和 HeNormal 初始化，代替 sigmoid 或 tanh",
            ),
            Text(
                "take fewer layers, or Residual ones, whose short cut passes the gradient on whole",
                "减少层数，或用 Residual 层，它的捷径能把梯度完整地传回去",
            ),
            Text("put BatchNorm between the layers", "在各层之间加入 BatchNorm"),
        ),
    )


def saturated_at_start(facts: Facts) -> Finding | None:
    return _saturated(facts, facts.start_activations, BEFORE)


def saturated_now(facts: Facts) -> Finding | None:
    return _saturated(facts, facts.end_activations, AFTER)


def dead_at_start(facts: Facts) -> Finding | None:
    return _dead(facts, facts.start_activations, BEFORE)


def dead_now(facts: Facts) -> Finding | None:
    return _dead(facts, facts.end_activations, AFTER)


def _saturated(facts: Facts, activations: Statistics, when: Text) -> Finding | None:
    """Sigmoids or tanhs of a hidden layer that nearly all lie at their bounds."""
    layer, share = _worst(facts, activations, "saturated")
    if share < SATURATED or not facts.falls_short:
        return None
    seen = Text(
        "{share} % of the outputs of {layer} lie within a hundredth of their bounds {when}{then}.",
        "{when}，{layer} 的输出有 {share}% 落在离边界百分之一以内的地方{then}。",
    ).format(share=whole(share), layer=layer, when=when, then=_then(facts, layer, "saturated"))
    return Finding.told(
        "saturated-units",
        seen + outcome(facts),
        Text(
            "There the curve is flat: a change of the weights changes nothing, so the gradient is almost zero and the layer "
            "learns almost nothing. The sums that reach these units are too large.",
            "那里的曲线是平的：权重改变，输出却不变，所以梯度几乎为零，这一层几乎学不到东西。送入这些单元的加权和太大了。",
        ),
        (
            Text(
                "start with smaller weights: initializer GlorotUniform, which takes the number of inputs into account",
                "从更小的权重开始：用 GlorotUniform 初始化，它会考虑输入的个数",
            ),
            Text("check that the images are scaled to 0 … 1", "检查像素是否缩放到 0 … 1"),
            Text(
                "use ReLU with initializer HeNormal between the layers, and a cross-entropy cost at the end",
                "各层之间用 ReLU 和 HeNormal 初始化，最后用交叉熵代价",
            ),
        ),
    )


def _dead(facts: Facts, activations: Statistics, when: Text) -> Finding | None:
    """ReLUs of a hidden layer of which most give zero for every image."""
    layer, share = _worst(facts, activations, "dead")
    if share < DEAD or not facts.falls_short:
        return None
    seen = Text(
        "{share} % of the units of {layer} give zero for every image looked at {when}{then}.",
        "{when}，{layer} 有 {share}% 的单元对所查看的每张图片都输出零{then}。",
    ).format(share=whole(share), layer=layer, when=when, then=_then(facts, layer, "dead"))
    return Finding.told(
        "dead-relus",
        seen + outcome(facts),
        Text(
            "A ReLU that gives zero for every image has no slope, gets no gradient, and never comes back.",
            "对每张图片都输出零的 ReLU 斜率为零，得不到梯度，再也恢复不了。",
        ),
        (
            Text("start with initializer HeNormal and biases of zero", "用 HeNormal 初始化，偏置从零开始"),
            Text("lower the learning rate", "降低学习率") + set_rate(facts, 0.1),
            Text("use LeakyReLU or GELU, which keep a slope below zero", "改用 LeakyReLU 或 GELU，它们在零以下也有斜率"),
        ),
    )


def _worst(facts: Facts, activations: Statistics, what: str) -> tuple[str, float]:
    """The hidden layer with the largest share."""
    last = facts.network.names[-1]
    return max(((name, found[what]) for name, found in activations.items() if what in found and name != last),
               key=lambda pair: pair[1], default=("", 0.0))  # fmt: skip


def _then(facts: Facts, layer: str, what: str) -> Text:
    start, end = facts.start_activations.get(layer, {}).get(what), facts.end_activations.get(layer, {}).get(what)
    if start is None or end is None:
        return NOTHING
    told = Text(" ({start} % at first, {end} % at last)", "（起初 {start}%，最后 {end}%）")
    return told.format(start=whole(start), end=whole(end))
