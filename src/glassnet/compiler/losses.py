"""The losses that the kernels know."""

from __future__ import annotations

from glassnet.kernels import kinds
from glassnet.nn.losses import BinaryCrossEntropy, Loss, Quadratic, SoftmaxCrossEntropy

LOSS_KINDS: dict[type[Loss], int] = {
    Quadratic: kinds.QUADRATIC,
    BinaryCrossEntropy: kinds.BINARY_CROSS_ENTROPY,
    SoftmaxCrossEntropy: kinds.SOFTMAX_CROSS_ENTROPY,
}


def loss_kind(loss: Loss) -> int:
    """The number by which the kernels know a loss; LookupError if they don't."""
    if type(loss) not in LOSS_KINDS:
        raise LookupError(f"The kernels do not know {type(loss).__name__}.")
    return LOSS_KINDS[type(loss)]
