"""Rules about what came of a training: one answer to everything, learnt by heart, or not learnt at all."""

from __future__ import annotations

from glassnet.analysis.diagnosis.course_rules import FEW
from glassnet.analysis.diagnosis.facts import Facts
from glassnet.analysis.diagnosis.finding import Finding
from glassnet.analysis.diagnosis.phrases import costs, percent, whole
from glassnet.support.i18n import NOTHING, Text

ONE_CLASS = 0.95  # of the answers
LARGEST = 0.6  # share of a class from which on answering it always is tempting
BEHIND = 0.12  # below what comparing pixels tells, on training images: unlucky starts that still learn stay within
LEVEL = 0.99  # of the cost of the epoch before: with less, the training is not at its end
GAP = 0.1  # between training and validation accuracy; large sets have a hundredth or two

UNEVEN = Text(
    "One class is so frequent that answering it always is nearly the lowest cost, and the accuracy looks good "
    "without anything being learnt.",
    "有一个类别太多，总是回答它几乎就能得到最低的代价；准确率看起来不错，其实什么也没有学到。",
)
EVEN = Text(
    "The network gives one answer to everything: it has found the shares of the classes, nothing in the images.",
    "网络对任何图片都给出同一个回答：它只学到了各类别的比例，没有从图片中学到任何东西。",
)
COUNT_RARE = (
    Text(
        "let rare classes count more: --set training.class_weight=balanced",
        "让少见的类别占更大的权重：--set training.class_weight=balanced",
    ),
    Text(
        "look at the accuracy of each class, not at the mean: glassnet evaluate tells it",
        "看每个类别的准确率，而不是平均值：glassnet evaluate 会列出",
    ),
    Text("collect more images of the rare classes", "为少见的类别收集更多图片"),
)
GET_GOING = (
    Text(
        "try another learning rate, ten times higher and ten times lower: glassnet find-rate suggests one",
        "换一个学习率，提高到十倍和降到十分之一都试试：glassnet find-rate 可给出建议",
    ),
    Text("lower penalties on the weights, which can hold them at zero", "减弱权重惩罚，它可能把权重压在零附近"),
    Text("hold the gradients against their definition: glassnet check", "用定义检验梯度：glassnet check"),
)


def majority_class_of_many(facts: Facts) -> Finding | None:
    """A network that always answers the class that most images have."""
    return _majority(facts) if facts.is_classification and facts.chance >= LARGEST else None


def majority_class(facts: Facts) -> Finding | None:
    """A network that always gives one answer, though the classes are balanced."""
    return _majority(facts) if facts.is_classification and facts.chance < LARGEST else None


def _majority(facts: Facts) -> Finding | None:
    found = facts.train_classes
    answers = [float((found == label).mean()) for label in range(len(facts.train.counts))]
    most = int(max(range(len(answers)), key=answers.__getitem__))
    if answers[most] < ONE_CLASS or (facts.train.counts > 0).sum() < 2 or facts.chance > ONE_CLASS + 0.04:
        return None
    largest = int(facts.train.counts.argmax())
    others = facts.learnt.labels != most
    recall = float((found[others] == facts.learnt.labels[others]).mean()) if others.any() else 1.0
    if recall > 0.3:  # it does tell the others apart: there are only few of them
        return None
    names = facts.train.classes or ()
    uneven = facts.chance >= LARGEST
    seen = Text(
        "{answers} % of the answers are class {most}; class {largest} makes up {share} % of the training images; of the "
        "other classes' images {recall} % are right.",
        "{answers}% 的回答是类别 {most}；类别 {largest} 占训练图片的 {share}%；其他类别的图片答对 {recall}%。",
    ).format(answers=whole(answers[most]), most=names[most], largest=names[largest], share=whole(facts.chance),
             recall=whole(recall))  # fmt: skip
    return Finding.told("majority-class", seen, UNEVEN if uneven else EVEN, COUNT_RARE if uneven else GET_GOING)


def overfitting(facts: Facts) -> Finding | None:
    """A network that knows its training images much better than new ones."""
    if not facts.is_classification or facts.validation_accuracy is None or facts.not_finite:
        return None
    gap = facts.train_accuracy - facts.validation_accuracy
    if gap < GAP + 2 * facts.uncertainty:
        return None
    found = [cost for cost in facts.history.validation_cost if cost is not None]
    low = min(range(len(found)), key=found.__getitem__) if found else 0
    course = NOTHING
    if found and found[-1] > 1.05 * found[low]:
        course = Text(
            "; the validation cost was lowest after epoch {epoch} ({low:.3g}) and ended at {last:.3g}",
            "；验证代价在第 {epoch} 轮后最低（{low:.3g}），结束时为 {last:.3g}",
        ).format(epoch=low + 1, low=found[low], last=found[-1])
    seen = Text(
        "{train} % of the training images are right and {validation} % of the validation images{course}; "
        "{parameters:,} parameters, {images:,} training images.",
        "训练图片答对 {train}%，验证图片答对 {validation}%{course}；参数 {parameters:,} 个，训练图片 {images:,} 张。",
    ).format(train=percent(facts.train_accuracy), validation=percent(facts.validation_accuracy), course=course,
             parameters=facts.network.flat.size, images=len(facts.train))  # fmt: skip
    return Finding.told(
        "overfitting",
        seen,
        Text(
            "The network has learnt its training images by heart, more than what they have in common.",
            "网络死记了训练图片本身，而没有学到它们的共同之处。",
        ),
        (
            Text(
                "more images, or changed copies of these: --set training.augmentation.shift=2",
                "更多图片，或对现有图片做数据增强：--set training.augmentation.shift=2",
            ),
            Text(
                "stop at the best epoch: --set training.keep=best --set training.patience=5",
                "停在最好的一轮：--set training.keep=best --set training.patience=5",
            ),
            Text(
                "a penalty on the weights (--set network.regularizer.l2=1e-4), Dropout, or a smaller network",
                "加上权重惩罚（--set network.regularizer.l2=1e-4）、Dropout，或换更小的网络",
            ),
        ),
    )


def underfitting(facts: Facts) -> Finding | None:
    """A network that can't do, even for its training images, what comparing pixels can."""
    if not facts.is_classification or facts.not_finite or not facts.falls_short:
        return None
    found = facts.history.train_cost
    if len(found) < 2 and facts.steps < FEW:  # nothing tells that it is at its end
        return None
    if facts.train_accuracy > facts.within_reach - BEHIND or (len(found) > 1 and found[-1] < LEVEL * found[-2]):
        return None
    seen = Text(
        "only {train} % of the training images are right, though comparing pixels with {images} of them gets {near} % of "
        "new ones{costs}; {parameters:,} parameters.",
        "训练图片只答对 {train}%，而与其中 {images} 张比较像素就能答对 {near}% 的新图片{costs}；参数 {parameters:,} 个。",
    ).format(train=percent(facts.train_accuracy), images=facts.neighbours.images,
             near=percent(facts.neighbours.accuracy), costs=costs(facts),
             parameters=facts.network.flat.size)  # fmt: skip
    return Finding.told(
        "underfitting",
        seen,
        Text(
            "The network does not learn what is there to be learnt: it is too small for it, or held back by penalties or "
            "dropout.",
            "网络没有学会本来可以学到的东西：它太小，或者受到惩罚项或 Dropout 的过多限制。",
        ),
        (
            Text("give it more units or layers", "增加单元或层数"),
            Text("lower penalties and dropout", "减弱惩罚和 Dropout"),
            Text(
                "train for longer, at another learning rate (glassnet find-rate): {option}",
                "换一个学习率（glassnet find-rate），训练更久：{option}",
            ).format(option=f"--epochs {3 * max(1, len(facts.history))}"),
        ),
    )
