"""Why a training may end before its last epoch. A history keeps the English words; these find the Chinese ones again."""

from __future__ import annotations

from glassnet.wording import Text, same

NOT_FINITE = Text(
    "the cost was no longer finite in epoch {epoch}, at step {step}: the weights grew without bound. "
    "The last good weights, from the start of an epoch, are kept. Try a smaller learning rate, or clip_norm=1.",
    "第 {epoch} 轮第 {step} 步，代价不再是有限数：权重无限增大。保留的是某一轮开始时最后一组正常的权重。"
    "请降低学习率，或设 clip_norm=1。",
)
NO_BETTER = Text(
    "no better for {since} epochs (early stopping, patience {patience})",
    "连续 {since} 轮没有改善（提前停止，耐心值 {patience}）",
)


def in_both(reason: str) -> Text:
    """A history's reason in both languages; what a callback or SciPy said in its own words stays as it is."""
    found = (template.read(reason) for template in (NOT_FINITE, NO_BETTER))
    return next((text for text in found if text is not None), same(reason))
