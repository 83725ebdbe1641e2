"""Rules about the course of a training: its steps, too large, too small or too few."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

from glassnet.analysis.diagnosis.facts import Facts
from glassnet.analysis.diagnosis.finding import Finding
from glassnet.analysis.diagnosis.phrases import CLIP, FIND_RATE, at_rate, costs, outcome, set_rate, whole
from glassnet.support.i18n import FULL_STOP, NOTHING, Text
from glassnet.training.stop import NOT_FINITE_AT, StopReason

THROWN = 0.3  # of a weight matrix's length, changed in one step: useful steps change a hundredth or less, early ones a tenth
LONG = 0.1  # of it, changed in one step: early steps of a good training may, but then the cost falls
TINY = 1e-4  # of a weight matrix's length, changed in one step: ten thousand of them would be needed to replace it
USEFUL = 3e-3  # what a step may well change
FEW = 1000  # steps: networks of this kind take some thousands
FALLING = 0.01  # of the cost, that the last epoch still gained
PACE = 0.1  # or that it would have gained in `FEW` steps, as an epoch of a dozen steps gains little however well it goes


def non_finite_cost(facts: Facts) -> Finding | None:
    """A cost that became infinite or NaN."""
    if not facts.not_finite:
        return None
    where = Text("the cost of an epoch is not finite", "某一轮的代价不是有限数")
    stopped = facts.history.stopped
    if stopped is not None and stopped.reason is StopReason.NOT_FINITE:
        where = NOT_FINITE_AT.format(epoch=stopped.epoch, step=stopped.step)
    where += Text(", {count} whole epochs", "；完整训练了 {count} 轮").format(count=len(facts.history))
    if facts.rate is not None:
        where += Text(" at a learning rate of {rate:g}", "，学习率为 {rate:g}").format(rate=facts.rate)
    return Finding.told(
        "non-finite-cost",
        where + FULL_STOP,
        Text(
            "The weights grew without bound until numbers overflowed: each step went past the valley and up its other side, "
            "higher than it had been.",
            "权重无限增大，直到数值溢出：每一步都越过谷底，冲上另一侧，比原来的位置还高。",
        ),
        (
            Text("lower the learning rate tenfold", "把学习率降到十分之一") + set_rate(facts, 0.1),
            CLIP,
            Text(
                "check that the images are scaled to 0 … 1; find a good rate with glassnet find-rate",
                "检查像素是否缩放到 0 … 1；用 glassnet find-rate 寻找合适的学习率",
            ),
        ),
    )


def learning_rate_too_high(facts: Facts) -> Finding | None:
    """Steps that change the weights by a good part of themselves, and a network that is the worse for it."""
    change = max([facts.first_change or 0.0, *facts.changes])
    epochs = facts.history.train_cost
    did_harm = bool(facts.start_cost and epochs and epochs[-1] > facts.start_cost)  # all steps together
    if not facts.falls_short or (isfinite(change) and not change > (LONG if did_harm else THROWN)):
        return None
    course = NOTHING
    if facts.start_cost and epochs:
        course = Text(
            "; the cost was {start:.3g} before the first step and {last:.3g} in the last epoch",
            "；代价在第一步之前为 {start:.3g}，最后一轮为 {last:.3g}",
        ).format(start=facts.start_cost, last=epochs[-1])
    seen = Text(
        "a single step changed a weight matrix by {change} % of its length (1 % and less is usual{rate}){course}.",
        "单独一步就使一个权重矩阵改变了其长度的 {change}%（通常不超过 1%{rate}）{course}。",
    ).format(change=whole(change), rate=at_rate(facts), course=course)
    return Finding.told(
        "learning-rate-too-high",
        seen + outcome(facts),
        Text(
            "The steps are too long: instead of going down the valley of the cost they jump across it{flat}.",
            "步子太大：不是沿着代价的山谷向下走，而是从山谷上方跨了过去{flat}。",
        ).format(flat=_flat(facts)),
        (
            Text("lower the learning rate", "降低学习率") + set_rate(facts, min(0.1, 0.03 / change)),
            FIND_RATE,
            Text(
                "raise it slowly at first: WarmUp, or OneCycle over the whole training",
                "开始时让学习率慢慢升高：WarmUp，或在整个训练中使用 OneCycle",
            ),
        ),
    )


def _flat(facts: Facts) -> Text:
    """Where the first steps have thrown the units, if that shows."""
    places = {
        "saturated": Text("where its curve is flat", "曲线平坦的地方"),
        "dead": Text("where it gives zero for every image", "对任何图片都输出零的地方"),
    }
    for name, found in facts.end_activations.items():
        start = facts.start_activations.get(name, {})
        for what, place in places.items():
            if found.get(what, 0) > 0.8 and found[what] > start.get(what, 0) + 0.1:
                return Text(
                    ", and have thrown {share} % of {name} to {place}, so that nothing is learnt any more",
                    "，并把 {name} 的 {share}% 甩到了{place}，于是再也学不到东西",
                ).format(share=whole(found[what]), name=name, place=place)
    return NOTHING


def learning_rate_too_low(facts: Facts) -> Finding | None:
    """Steps that hardly change the weights, from first to last."""
    changes = [*([] if facts.first_change is None else [facts.first_change]), *facts.changes]
    if (
        not changes
        or not facts.falls_short
        or not 0 < max(changes) < TINY
        or facts.cost < 0.1 * (facts.start_cost or facts.cost)
    ):
        return None
    seen = Text(
        "no recorded step changed a weight matrix by more than {change:.1g} of its length (1e-3 to 1e-2 is usual{rate}), "
        "over {steps} steps{costs}.",
        "在 {steps} 步中，所记录的各步对权重矩阵的改变都不超过其长度的 {change:.1g}（通常为 1e-3 到 1e-2{rate}）{costs}。",
    ).format(change=max(changes), rate=at_rate(facts), steps=facts.steps, costs=costs(facts))
    return Finding.told(
        "learning-rate-too-low",
        seen + outcome(facts),
        Text(
            "The steps are so short that the training hardly leaves its start.",
            "步子太小，训练几乎没有离开起点。",
        ),
        (
            Text("raise the learning rate tenfold or more", "把学习率提高到十倍或更多")
            + set_rate(facts, min(1e4, max(10.0, USEFUL / max(changes)))),
            FIND_RATE,
        ),
    )


def too_few_steps(facts: Facts) -> Finding | None:
    """A cost that was still falling when the training ended, after few steps."""
    found = facts.history.train_cost
    if not found or not facts.steps or facts.steps >= FEW or not facts.falls_short:
        return None
    before, after = (found[-2], found[-1]) if len(found) > 1 else (facts.start_cost, facts.end_cost)
    if before is None or after >= before:
        return None
    gain = 1 - after / before
    if gain < FALLING and gain * FEW / (facts.steps / len(found)) < PACE:
        return None
    if facts.is_classification and facts.train_accuracy > facts.within_reach:
        return None
    seen = Text(
        "{steps} steps in all, in {epochs} epoch{s}; in the last one the cost still fell, from {before:.3g} to {after:.3g}.",
        "一共 {steps} 步，{epochs} 轮；最后一轮代价仍在下降，从 {before:.3g} 降到 {after:.3g}。",
    ).format(steps=facts.steps, epochs=len(found), s="s" if len(found) > 1 else "", before=before, after=after)
    return Finding.told(
        "too-few-steps",
        seen + outcome(facts),
        Text("The training ended while it was still learning.", "网络还在学习，训练就结束了。"),
        (
            Text("train for longer: {option}", "训练更久：{option}").format(option=f"--epochs {_more_epochs(facts)}"),
            Text(
                "take smaller mini-batches, which give more steps an epoch: --set training.batch_size=32",
                "用更小的小批量，每一轮就有更多步：--set training.batch_size=32",
            ),
        ),
    )


def _more_epochs(facts: Facts) -> int:
    each = max(1, facts.steps // len(facts.history))
    return max(3 * len(facts.history), -(-2 * FEW // each))


Rule = Callable[[Facts], Finding | None]
