"""Lookahead: slow weights that follow those of an optimizer."""

from __future__ import annotations

from typing import Any

from glassnet.support.arrays import Array
from glassnet.support.checks import between, whole_number
from glassnet.support.habits import option_class
from glassnet.support.i18n import tr
from glassnet.support.registry import make_named


@option_class
class Lookahead:
    """After every `every` steps of an optimizer, φ ← φ + share·(w − φ), then w ← φ; φ starts as w. An option of optimizers.

    Source: Zhang, Lucas, Hinton, Ba, "Lookahead Optimizer: k steps forward, 1 step back", NeurIPS 2019.

        Adam(0.001, lookahead=Lookahead(every=5, share=0.5))
    """

    every: int = 5
    share: float = 0.5

    def __post_init__(self) -> None:
        what = tr("Lookahead needs a whole number of steps above 0.")
        whole_number(self.every, what, "Lookahead(every)", tr("{least} or more", least=1))
        between(self.share, tr("The share must lie between 0 and 1."), "Lookahead(share)", "share")

    def follow(self, slow: Array, w: Array, number: int) -> None:
        """Change both in place after step `number`, counted from 1."""
        if number % self.every == 0:
            slow += slow.dtype.type(self.share) * (w - slow)
            w[...] = slow


def as_lookahead(value: Lookahead | dict[str, Any] | None, where: str) -> Lookahead | None:
    """A Lookahead from itself or its options."""
    if value is None or isinstance(value, Lookahead):
        return value
    described = {"type": "Lookahead", **value} if isinstance(value, dict) else value
    return make_named(described, {"Lookahead": Lookahead}, "Lookahead", where)
