"""The optimizers that the kernels know, and what they need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.kernels import kinds
from glassnet.kernels.context import OptimizerOptions, ParamGroup
from glassnet.nn.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop

OPTIMIZER_KINDS: dict[type[Optimizer], int] = {
    SGD: kinds.SGD,
    RMSprop: kinds.RMSPROP,
    Adam: kinds.ADAM,
    AdamW: kinds.ADAM,
}


def knows_optimizer(optimizer: Optimizer) -> bool:
    return type(optimizer) in OPTIMIZER_KINDS


def optimizer_kind(optimizer: Optimizer) -> int:
    """The number by which the kernels know an optimizer; LookupError if they don't."""
    if not knows_optimizer(optimizer):
        raise LookupError(f"The kernels do not know {type(optimizer).__name__}.")
    return OPTIMIZER_KINDS[type(optimizer)]


def optimizer_options(optimizer: Optimizer) -> NDArray[Any]:
    """The record of an optimizer's options, 0 for those that it does not have."""
    return OptimizerOptions.make(**{name: getattr(optimizer, name, 0) for name in OptimizerOptions.dtype.names or ()})


def param_group_records(groups: Sequence[tuple[int, int, float, float, float]]) -> NDArray[Any]:
    """The records of a network's parameter groups."""
    return np.array(groups, dtype=ParamGroup.dtype)
