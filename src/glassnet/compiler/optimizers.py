"""The optimizers that the kernels know, and what they need."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from glassnet.kernels import kinds
from glassnet.kernels.context import OptimizerOptions
from glassnet.nn.optimizers import SGD, Adam, AdamW, Muon, Optimizer, RMSprop

OPTIMIZER_KINDS: dict[type[Optimizer], int] = {
    SGD: kinds.SGD,
    RMSprop: kinds.RMSPROP,
    Adam: kinds.ADAM,
    AdamW: kinds.ADAM,
    Muon: kinds.SGD,  # but for matrices
}


def optimizer_options(optimizer: Optimizer) -> NDArray[Any]:
    """The record of an optimizer's options, 0 for those that it does not have."""
    options = {name: getattr(optimizer, name, 0) for name in OptimizerOptions.dtype.names or ()}
    if isinstance(optimizer, Muon):
        options |= {"momentum": optimizer.sgd_momentum, "muon_momentum": optimizer.momentum}
    return OptimizerOptions.make(**options)
