"""Weight penalties, added to the loss; biases are not penalised."""

from __future__ import annotations

from typing import Any

from glassnet.support.checks import not_negative
from glassnet.support.habits import option_class
from glassnet.support.i18n import tr
from glassnet.support.registry import find_named


@option_class
class Regularizer:
    """Σ over all weights of l1·|w| + ½·l2·w², added to the mean loss of a mini-batch."""

    def __post_init__(self) -> None:
        for rate in self.rates:
            not_negative(rate, tr("The rate of a penalty can't be negative."), type(self).__name__)

    @property
    def rates(self) -> tuple[float, float]:
        """(l1, l2)"""
        return 0.0, 0.0


@option_class
class L2(Regularizer):
    """½·rate·Σ w²: its gradient is rate·w. The tutorials' λ/n is this rate."""

    rate: float = 1e-4

    @property
    def rates(self) -> tuple[float, float]:
        return 0.0, self.rate


@option_class
class L1(Regularizer):
    """rate·Σ |w|: its gradient is rate·sign(w), 0 at 0; it drives small weights to zero."""

    rate: float = 1e-5

    @property
    def rates(self) -> tuple[float, float]:
        return self.rate, 0.0


@option_class
class L1L2(Regularizer):
    """l1·Σ |w| + ½·l2·Σ w²."""

    l1: float = 1e-5
    l2: float = 1e-4

    @property
    def rates(self) -> tuple[float, float]:
        return self.l1, self.l2


REGULARIZERS: dict[str, type[Regularizer]] = {kind.__name__: kind for kind in (L1, L2, L1L2)}


def as_regularizer(value: Regularizer | str | dict[str, Any] | None, where: str) -> Regularizer:
    """A penalty from itself, its name, or {"type": name, option: value}; None is no penalty."""
    return Regularizer() if value is None else find_named(value, Regularizer, REGULARIZERS, where)
