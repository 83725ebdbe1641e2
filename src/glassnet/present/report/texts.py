"""All words of the report, in English and Chinese."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup, escape

from glassnet.support.i18n import Text

Both = tuple[str, str]

TEXTS: dict[str, Both] = {
    "report": ("Report of a training", "训练报告"),
    "contents": ("Contents", "目录"),
    "language": ("中文", "English"),
    "theme-auto": ("◐ auto", "◐ 自动"),
    "theme-light": ("☀ light", "☀ 浅色"),
    "theme-dark": ("☾ dark", "☾ 深色"),
    # what the report is about
    "about-validation": (
        "All images below come from the validation set: the network did not learn from them. The test set stays closed.",
        "下面的图片都来自验证集：网络没有用它们学习。测试集保持封存。",
    ),
    "about-test": (
        "All images below come from the test set, which was opened for this report; the look is noted in the ledger.",
        "下面的图片都来自测试集：为写这份报告打开了它，这次查看已记入账本。",
    ),
    "about-train": (
        "This data has no validation part. All below is about the data that the network learned from, and flatters it.",
        "这份数据没有验证部分。下面的结果都来自网络学习过的数据，因此偏乐观。",
    ),
    "views": (
        "Each answer is the mean over {views} views of the image.",
        "每个回答都是该图片 {views} 个变形视图的平均。",
    ),
    # cards
    "accuracy-validation": ("Validation accuracy", "验证准确率"),
    "accuracy-test": ("Test accuracy", "测试准确率"),
    "accuracy-train": ("Accuracy on training images", "训练图片上的准确率"),
    "sign-accuracy": ("Right signs", "符号正确率"),
    "interval": ("95 % interval {low}–{high} %", "95% 置信区间 {low}–{high}%"),
    "of-images": ("{correct} of {total}", "{total} 个中答对 {correct} 个"),
    "last-training": ("Training accuracy, last epoch", "训练准确率（最后一轮）"),
    "while-learning": ("measured while the weights moved", "在权重变化过程中测得"),
    "cost-card": ("Mean cost", "平均代价"),
    "on-train": ("on training data", "训练数据"),
    "on-validation": ("on validation data", "验证数据"),
    "on-test": ("on test data", "测试数据"),
    "epochs-card": ("Epochs", "训练轮数"),
    "took": ("{seconds} s of training", "训练用时 {seconds} 秒"),
    "parameters-card": ("Parameters", "参数个数"),
    "size": ("{kilobytes} kB as {dtype}", "{kilobytes} kB（{dtype}）"),
    "stopped": ("Training ended early: {reason}", "训练提前结束：{reason}"),
    # section: what
    "what": ("What was trained on what", "用什么训练了什么"),
    "recipe": ("Recipe", "配方"),
    "expected": ("Expected", "预期"),
    "data": ("Data", "数据"),
    "images-of": ("{count} images of {shape}", "{count} 张图片，大小 {shape}"),
    "rows-of": ("{count} examples of {shape} numbers", "{count} 个样本，每个 {shape} 个数"),
    "split-train": ("training", "训练"),
    "split-validation": ("validation", "验证"),
    "split-test": ("test", "测试"),
    "closed": ("(closed)", "（封存）"),
    "none": ("none", "无"),
    "classes": ("Classes", "类别"),
    "network": ("Network", "网络"),
    "cost": ("Cost", "代价函数"),
    "penalty": ("Penalty on weights", "权重惩罚"),
    "optimizer": ("Optimizer", "优化器"),
    "steps": ("Steps", "训练安排"),
    "steps-of": (
        "epochs: {epochs}; mini-batches of {batch}; seed {seed}",
        "{epochs} 轮，小批量 {batch}，随机种子 {seed}",
    ),
    "kept-best": (
        "kept: the weights of epoch {epoch}, the best on validation images (so the figure above flatters a little)",
        "保留第 {epoch} 轮的权重：它在验证图片上最好（因此上面的数字略偏乐观）",
    ),
    "kept-last": ("kept: the weights of the last epoch", "保留最后一轮的权重"),
    "augmentation": ("Augmentation", "数据增强"),
    "made-with": ("Made with", "环境"),
    "again": ("Run it again", "重新运行"),
    "again-how": (
        "The same recipe and seed give the same bits on the same machine. The whole recipe stands below.",
        "在同一台机器上，相同的配方和种子给出逐位相同的结果。完整的配方见下。",
    ),
    "whole-recipe": ("The whole recipe", "完整配方"),
    "layer-table": ("The layers", "各层"),
    "layer": ("layer", "层"),
    "output-shape": ("output", "输出"),
    "parameters": ("parameters", "参数"),
    "operations": ("operations", "运算次数"),
    "bytes": ("bytes", "字节"),
    "total": ("total", "合计"),
    # section: diagnosis
    "diagnosis": ("Diagnosis", "诊断"),
    "diagnosis-how": (
        "Rules that look for known faults in the figures of this run, the most likely cause first.",
        "用规则在本次训练的数字里查找已知毛病，最可能的原因在前。",
    ),
    "healthy": ("Nothing was found that needs a cure.", "没有发现需要处理的问题。"),
    "less-likely": ("Less likely, or a consequence:", "可能性较小，或只是后果："),
    "evidence": ("Evidence", "证据"),
    "cause": ("Cause", "原因"),
    "try": ("Try", "可以尝试"),
    # section: curves
    "curves": ("How it learned", "学习过程"),
    "curves-how": (
        "Cost should fall and accuracy rise. Where training goes on getting better and validation does not, the network "
        "learns its images by heart.",
        "代价应下降，准确率应上升。如果训练还在变好而验证不再变好，说明网络在死记训练图片。",
    ),
    "best-epoch": (
        "Best validation accuracy: {accuracy} % after epoch {epoch}.",
        "最高验证准确率：第 {epoch} 轮后 {accuracy}%。",
    ),
    # section: classes
    "per-class": ("Each class", "每个类别"),
    "per-class-how": (
        "Of the images of each class, the share that was called rightly. The thin lines are 95 % intervals: with few "
        "images they are wide, and differences smaller than they are mean little. The dashed line is the mean.",
        "每个类别的图片中答对的比例。细线是 95% 置信区间：图片少时很宽，比它小的差别说明不了什么。虚线是平均值。",
    ),
    "worst-bars": ("The 30 worst of {count} classes.", "共 {count} 个类别，这里是最差的 30 个。"),
    "numbers": ("The numbers", "具体数字"),
    "class": ("class", "类别"),
    "images": ("images", "图片数"),
    "right": ("right", "答对"),
    "recall": ("recall", "召回率"),
    "precision": ("precision", "精确率"),
    "interval-head": ("95 % interval", "95% 区间"),
    # section: confusion
    "confusion": ("What is taken for what", "混淆矩阵"),
    "confusion-how": (
        "Rows: what the image is. Columns: what the network called it. Blue is right, red is wrong. Click a number to see "
        "its images.",
        "行：图片实际是什么。列：网络说它是什么。蓝色正确，红色错误。点击数字可以看到对应的图片。",
    ),
    "confusion-pairs": (
        "With {count} classes a table would be too wide; these are the most frequent mistakes. Click one to see "
        "its images.",
        "有 {count} 个类别，表格会太宽；这里是最常见的错误。点击可以看到对应的图片。",
    ),
    "confusion-plain": (
        "Rows: what it is. Columns: what the network called it. Blue is right, red is wrong.",
        "行：实际是什么。列：网络说它是什么。蓝色正确，红色错误。",
    ),
    "is": ("is", "实际"),
    "called": ("was called", "被认作"),
    "close": ("close", "关闭"),
    "no-mistakes": ("There are no mistakes.", "没有错误。"),
    # section: mistakes and predictions
    "worst": ("The worst mistakes", "最严重的错误"),
    "worst-how": (
        "Wrong answers that the network was surest of. Look whether the label is right: some are not.",
        "网络最有把握却答错的图片。看看标签本身对不对：有些标签就是错的。",
    ),
    "worst-unsure": ("Some wrong answers.", "一些答错的图片。"),
    "random": ("Ten images drawn by chance", "随机抽取的十张图片"),
    "random-how": (
        "Not chosen: this is what the network is like on any day.",
        "没有挑选：这就是网络平常的样子。",
    ),
    "said-wrong": ("{said}, is {truth}", "{said}，实为 {truth}"),
    "outputs": ("Some answers", "一些回答"),
    "outputs-how": (
        "The first examples: what goes in, what is wanted, and what the network says.",
        "前几个样本：输入、目标和网络的输出。",
    ),
    "input": ("input", "输入"),
    "target": ("wanted", "目标"),
    "output": ("network", "网络输出"),
    # section: where it looks
    "looks": ("Where the network looks", "网络在看哪里"),
    "looks-how": (
        "For some mistakes and some right answers. Gradient: how much the score answers to a small change of each pixel. "
        "Occlusion: how much less sure the network is when a square around the pixel is covered. Bright is much; faint grey "
        "is the image itself.",
        "取一些错误和一些正确的回答。梯度：每个像素稍有变化时得分变多少。遮挡：盖住像素周围的方块后把握降低多少。"
        "越亮越重要；淡灰色是图片本身。",
    ),
    "image": ("image", "图片"),
    "gradient": ("gradient", "梯度"),
    "occluded": ("occlusion", "遮挡"),
    "nearest": (
        "most like it, of {count} training images (by {layer})",
        "{count} 张训练图片中最相似的（按 {layer} 层）",
    ),
    # section: inside
    "inside": ("Inside the network", "网络内部"),
    "weights-of": ("Weights of {layer}: {count} of {total}", "{layer} 的权重：{total} 个中的 {count} 个"),
    "weights-how": (
        "Each small image is one unit or filter. Red pixels push it up, blue ones push it down.",
        "每个小图是一个单元或卷积核。红色像素使它增大，蓝色像素使它减小。",
    ),
    "maps-of": (
        "What {layer} makes of one image: {count} of {total} maps",
        "{layer} 对一张图片的响应：{total} 个特征图中的 {count} 个",
    ),
    "maps-how": (
        "For the image at the left. Bright places answer strongly; where a map has signs, red is above 0 and blue below.",
        "针对左边的图片。越亮响应越强；有正负的图中，红色大于 0，蓝色小于 0。",
    ),
    "typical": ("What each class looks like to the network", "网络心目中每个类别的样子"),
    "typical-how": (
        "Images that were climbed, pixel by pixel, to the largest score of a class. They seldom look like the class: "
        "a network needs less than we do to be sure.",
        "从灰色出发，逐步改变像素，使某个类别的得分尽量大。它们往往不像那个类别：网络做判断所需的比我们少。",
    ),
    # section: calibration
    "calibration": ("Is it as sure as it may be?", "它的把握可信吗？"),
    "calibration-how": (
        "Images sorted by how sure the network was. On the dashed line, it is right as often as it says. Below: how many "
        "images there are; points of few images have wide intervals.",
        "把图片按网络的把握分组。落在虚线上，说明它说有多大把握就有多大概率答对。下方是每组的图片数；图片少的点区间很宽。",
    ),
    "over": (
        "On average it is {gap} points surer than it is right.",
        "平均而言，它的把握比实际正确率高 {gap} 个百分点。",
    ),
    "under": (
        "On average it is right {gap} points more often than it says.",
        "平均而言，它的实际正确率比把握高 {gap} 个百分点。",
    ),
    "calibration-error": ("Expected calibration error: {error} %.", "期望校准误差：{error}%。"),
    # section: health
    "health": ("Gradients, updates and activations", "梯度、更新与激活"),
    "health-how": (
        "At the last step of each epoch. Gradients of early layers far below those of late ones vanish; updates of about a "
        "thousandth of the weights are usual, far more shakes, far less stands still.",
        "取每轮的最后一步。前面各层的梯度远小于后面各层，就是梯度消失；更新约为权重的千分之一是常见的，大得多会震荡，小得多则停滞。",
    ),
    "activations-how": (
        "Outputs of each layer for a few examples of the training data, always the same ones.",
        "各层对固定的几个训练样本的输出。",
    ),
    # section: ledger
    "ledger": ("Looks at the test set", "查看测试集的记录"),
    "ledger-how": (
        "Every look is noted. The first is an honest measure; what is chosen after looking, the test set can't judge "
        "any more.",
        "每次查看都会记录。第一次是诚实的衡量；看过之后再做的选择，测试集就不能再评判了。",
    ),
    "never": (
        "The test set of this run was never opened. Open it once, when all choices are made:",
        "本次训练的测试集从未打开。做完所有选择之后，打开它一次：",
    ),
    "no-test": ("This data has no test set.", "这份数据没有测试集。"),
    "look": ("look", "次序"),
    "when": ("when (UTC)", "时间（UTC）"),
    "accuracy": ("accuracy", "准确率"),
    "mean-cost": ("mean cost", "平均代价"),
    "model": ("model", "模型"),
    "same-model": ("this one", "当前模型"),
    "other-model": ("another ({model})", "其他（{model}）"),
    "by-ensemble": ("in an ensemble of {count}", "{count} 个模型的集成"),
    "by-views": ("{count} views", "{count} 个视图"),
    "shown-here": ("← shown above", "← 上面所示"),
    "foot": (
        "Written by glassnet {version} on {date}. This page needs no network and sends nothing.",
        "由 glassnet {version} 于 {date} 生成。本页不需要网络，也不发送任何数据。",
    ),
}  # fmt: skip

IN_SCRIPT: dict[str, Both] = {  # {n} of {all} are put in by the page's script
    "cell": ("{n} images of {truth} that were called {said}", "{n} 张 {truth} 被认作 {said}"),
    "cell-one": ("1 image of {truth} that was called {said}", "1 张 {truth} 被认作 {said}"),
    "cell-right": ("{n} images of {truth}, called rightly", "{n} 张 {truth}，答对"),
    "shown": (" ({shown} shown)", "（显示 {shown} 张）"),
    "number": ("image {index}", "第 {index} 张"),
}


def both(key: str, **values: Any) -> Markup:
    """A text of the table in both languages, with values put in; a switch on the page shows one of them."""
    told = Text(*map(Markup, TEXTS[key])).format(**values)  # the table is ours, values are escaped
    return spans(told.en, told.zh)


def spans(english: object, chinese: object) -> Markup:
    """One thing said in two languages."""
    return Markup('<span class="en" lang="en">{}</span><span class="zh" lang="zh-Hans">{}</span>').format(
        escape(english), escape(chinese)
    )
