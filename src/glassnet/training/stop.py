"""Why a training may end before its last epoch: a reason and its figures, in English and in Chinese."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from glassnet.support.i18n import Message, mark, same, tr

NOT_FINITE_AT = mark("the loss was no longer finite in epoch {epoch}, at step {step}")
GREW = mark(
    "{what}: the weights grew without bound. The last good weights, from the start of an epoch, are kept. Try a smaller "
    "learning rate, or clip_norm=1."
)
NO_BETTER = mark("no better for {since} epochs (early stopping, patience {patience})")
REQUESTED = mark("stopped after epoch {epoch}, as requested on its page")


class StopReason(Enum):
    """Why a training ended early; the values are those of history.jsonl."""

    NOT_FINITE = "not-finite"  # the loss became infinite or NaN
    NO_IMPROVEMENT = "no-improvement"  # early stopping
    REQUEST = "request"  # of whoever watches it
    CALLBACK = "callback"  # ended by a callback, with its own text
    SOLVER = "solver"  # SciPy's method converged or failed, with its own text


@dataclass(frozen=True)
class Stop:
    """The reason, with the figures or `words` that belong to it; `str` gives the text in the user's language."""

    reason: StopReason
    epoch: int | None = None
    step: int | None = None
    since: int | None = None  # epochs without a better score
    patience: int | None = None
    words: str | None = None

    def __post_init__(self) -> None:
        values = vars(self)
        if not all(values[name] is None or type(values[name]) is kind for name, kind in _KINDS.items()):
            raise TypeError(f"not the figures of a training's end: {values}")
        if lacking := [name for name in _REQUIRED[self.reason] if values[name] is None]:
            raise ValueError(f"{self.reason} needs {', '.join(lacking)}")

    @property
    def text(self) -> Message:
        """Both languages; what a callback or SciPy said in its own words stays as it is."""
        if self.reason is StopReason.NOT_FINITE:
            return tr(GREW, what=tr(NOT_FINITE_AT, epoch=self.epoch, step=self.step))
        if self.reason is StopReason.NO_IMPROVEMENT:
            return tr(NO_BETTER, since=self.since, patience=self.patience)
        if self.reason is StopReason.REQUEST:
            return tr(REQUESTED, epoch=self.epoch)
        return same(str(self.words))

    def __str__(self) -> str:
        return self.text

    def as_dict(self) -> dict[str, Any]:
        """As it stands in history.jsonl: the reason, and the figures that there are."""
        found = asdict(self) | {"reason": self.reason.value}
        return {name: value for name, value in found.items() if value is not None}

    @classmethod
    def of(cls, value: Any) -> Stop:
        """What `as_dict` gave, or the sentence that histories held before. Raises `ValueError` or `TypeError` for others."""
        if isinstance(value, str):
            return _of_sentence(value)
        if not isinstance(value, dict):
            raise TypeError(f"not a reason with figures: {value!r}")
        return cls(**{**value, "reason": StopReason(value.get("reason"))})


_KINDS = {"epoch": int, "step": int, "since": int, "patience": int, "words": str}
_REQUIRED = {  # what the text of each contains
    StopReason.NOT_FINITE: ("epoch", "step"),
    StopReason.NO_IMPROVEMENT: ("since", "patience"),
    StopReason.REQUEST: ("epoch",),
    StopReason.CALLBACK: ("words",),
    StopReason.SOLVER: ("words",),
}

# The sentences of older histories, word for word: they do not change when the texts above do.
_SENTENCES = {
    StopReason.NOT_FINITE: re.compile(
        r"the cost was no longer finite in epoch (?P<epoch>\d+), at step (?P<step>\d+): the weights grew without bound\. "
        r"The last good weights, from the start of an epoch, are kept\. Try a smaller learning rate, or clip_norm=1\."
    ),
    StopReason.NO_IMPROVEMENT: re.compile(
        r"no better for (?P<since>\d+) epochs \(early stopping, patience (?P<patience>\d+)\)"
    ),
}


def _of_sentence(sentence: str) -> Stop:
    for reason, pattern in _SENTENCES.items():
        if found := pattern.fullmatch(sentence):
            return Stop.of({"reason": reason, **{name: int(figure) for name, figure in found.groupdict().items()}})
    return Stop(StopReason.CALLBACK, words=sentence)
