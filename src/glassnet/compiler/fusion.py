"""Which layers join into a fused block: convolution, batch normalisation, activation and max pooling.

At most one of each kind. The activations never decrease, so max pooling may come before or after them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from glassnet.compiler.activations import ACTIVATION_KINDS
from glassnet.compiler.program_builder import ParamOffsets
from glassnet.kernels import kinds
from glassnet.nn import BatchNorm, Conv2D, GlobalMaxPool2D, Layer, LeakyReLU, MaxPool2D, ReLU, Sigmoid, Tanh

ACTIVATIONS = (ReLU, LeakyReLU, Sigmoid, Tanh)
Pool = MaxPool2D | GlobalMaxPool2D
BLOCK_LAYERS = (Conv2D, BatchNorm, MaxPool2D, GlobalMaxPool2D)  # themselves, not subclasses, which may do something else


@dataclass
class Block:
    """The layers of a fused block."""

    length: int = 0  # layers
    conv: Conv2D | None = None
    norm: BatchNorm | None = None
    activation: Layer | None = None
    pool: Pool | None = None
    conv_offsets: ParamOffsets = field(default_factory=dict)
    norm_offsets: ParamOffsets = field(default_factory=dict)

    @property
    def activation_fields(self) -> dict[str, float]:
        """The kind of the activation, and its slope."""
        if self.activation is None:
            return {"activation": kinds.NO_ACTIVATION, "slope": 0.0}
        return {"activation": ACTIVATION_KINDS[type(self.activation)], "slope": _slope(self.activation)}


def starts_block(layer: Layer) -> bool:
    """Whether a fused block may begin with the layer."""
    return type(layer) in BLOCK_LAYERS


def _slope(layer: Layer) -> float:
    """The slope of a LeakyReLU below zero."""
    return layer.slope if isinstance(layer, LeakyReLU) else 0.0


def _never_decreases(layer: Layer) -> bool:
    """Whether it is a non-decreasing activation whose derivative follows from its output."""
    return type(layer) in ACTIVATIONS and _slope(layer) >= 0


def find_block(layers: Sequence[Layer], offsets: Sequence[ParamOffsets]) -> Block:
    """The fused block that the first layers make up; of length 0 where the first belongs to none."""
    block = Block()
    for layer, places in zip(layers, offsets, strict=False):
        if not (starts_block(layer) or _never_decreases(layer)):
            break
        if isinstance(layer, Conv2D) and block.length == 0:
            block.conv, block.conv_offsets = layer, places
        elif isinstance(layer, BatchNorm) and block.length == int(block.conv is not None):
            block.norm, block.norm_offsets = layer, places
        elif isinstance(layer, (MaxPool2D, GlobalMaxPool2D)) and block.pool is None:
            block.pool = layer
        elif _never_decreases(layer) and block.activation is None and block.length:
            block.activation = layer
        else:
            break
        block.length += 1
    return block
