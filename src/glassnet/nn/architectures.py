"""Well-known networks as lists of layers, from pixels to one logit for each class.

    Network(architectures.lenet(10), input_shape=(28, 28, 1), loss="SoftmaxCrossEntropy", seed=1)

The softmax is in the loss, SoftmaxCrossEntropy. Recipes name them: `architecture = { type = "vgg" }`.
The tutorial's shorthand, [784, 30, 10], ends in a sigmoid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from glassnet.errors import InputError
from glassnet.nn.activations import Sigmoid, Softmax
from glassnet.nn.branches import Residual
from glassnet.nn.conv import Conv2D
from glassnet.nn.dense import Dense
from glassnet.nn.dropout import Dropout
from glassnet.nn.initializers import Normal
from glassnet.nn.inputs import Flatten, Pixels, check_shape
from glassnet.nn.layer import Layer, Shape, as_layer
from glassnet.nn.losses import BinaryCrossEntropy, Loss, Quadratic, SoftmaxCrossEntropy
from glassnet.nn.norm import BatchNorm
from glassnet.nn.optimizers import SGD, Adam, Optimizer
from glassnet.nn.pooling import GlobalAveragePool2D, MaxPool2D
from glassnet.support.i18n import tr
from glassnet.support.registry import make_named, unknown

Activation = str | dict[str, Any]
CELLS = ("SimpleRNN", "GRU", "LSTM")


def shorthand(sizes: Sequence[int]) -> tuple[list[Layer], Shape]:
    """The layers of the tutorial's shorthand [784, 30, 10], and the shape of its images."""
    if len(sizes) < 2 or any(isinstance(size, bool) or size < 1 for size in sizes):
        raise InputError(
            tr("A list of sizes needs at least two numbers, all above 0."),
            where="Network(sizes)",
            expected=tr("for example [784, 30, 10]"),
            received=list(sizes),
        )
    layers: list[Layer] = [Flatten(), Pixels()]
    for size in sizes[1:]:
        layers += [Dense(size, initializer=Normal(), bias_initializer=Normal()), Sigmoid()]
    return layers, (int(sizes[0]),)


def as_chain(
    layers: Sequence[int] | Sequence[Layer | str | dict[str, Any]], input_shape: Sequence[int] | None
) -> tuple[list[Layer], Shape]:
    """Layers and the shape of an image, from the arguments of `Network`: sizes, layers, or their names or descriptions."""
    if not isinstance(layers, Sequence) or not layers:
        raise InputError(tr("A network needs layers."), where="Network(layers)", expected=tr("for example [784, 30, 10]"))
    sizes = [int(size) for size in layers if isinstance(size, (int, np.integer))]
    if len(sizes) == len(layers):
        return shorthand(sizes)
    made = [as_layer(layer, f"layer {i + 1}") for i, layer in enumerate(layers)]  # type: ignore[arg-type]  # as_layer refuses numbers
    if input_shape is None:
        raise InputError(
            tr("The shape of the images is missing."),
            where="Network(input_shape)",
            expected=tr("for example (28, 28, 1)"),
            received="None",
        )
    shape = tuple(int(size) for size in input_shape)
    check_shape(shape, "Network(input_shape)")
    return made, shape


def default_loss(last: Layer) -> Loss:
    """The loss that suits class labels after the last layer of a network."""
    if isinstance(last, Softmax) or (isinstance(last, Dense) and last.units > 1):
        return SoftmaxCrossEntropy()
    return BinaryCrossEntropy() if isinstance(last, Dense) else Quadratic()


def default_optimizer(layers: Sequence[Layer], loss: Loss) -> Optimizer:
    """Adam, or for the networks of `shorthand` the SGD of the tutorial."""
    tutorial = isinstance(loss, Quadratic) and all(type(layer) in (Flatten, Pixels, Dense, Sigmoid) for layer in layers)
    return SGD(3.0) if tutorial and isinstance(layers[-1], Sigmoid) else Adam()


def mlp(
    classes: int = 10,
    units: Sequence[int] = (512, 512),
    *,
    activation: Activation = "ReLU",
    batch_norm: bool = False,
    dropout: float = 0.0,
    input_dropout: float = 0.0,
) -> list[Layer]:
    """Dense layers of `units`, each followed by its activation; `dropout` after each, `input_dropout` of the pixels."""
    layers: list[Layer] = [Flatten(), Pixels(), *_dropout(input_dropout)]
    for width in units:
        dense = Dense(width, use_bias=not batch_norm, initializer=_start(activation))
        layers += [dense, *_norm(batch_norm), as_layer(activation, "mlp(activation)"), *_dropout(dropout)]
    return [*layers, Dense(classes)]


def lenet(
    classes: int = 10,
    filters: Sequence[int] = (20, 40),
    units: Sequence[int] = (100,),
    *,
    kernel_size: int = 5,
    padding: str = "valid",
    activation: Activation = "ReLU",
    dropout: float = 0.0,
) -> list[Layer]:
    """A convolution and a pool for each of `filters`, then dense layers of `units`; by default Nielsen's, chapter 6.

    Source: LeCun et al., "Gradient-based learning applied to document recognition", 1998.
    """
    layers: list[Layer] = [Pixels()]
    for count in filters:
        window = Conv2D(count, kernel_size, padding=padding, initializer=_start(activation))
        layers += [window, as_layer(activation, "lenet(activation)"), MaxPool2D(2)]
    layers.append(Flatten())
    for width in units:
        dense = Dense(width, initializer=_start(activation))
        layers += [dense, as_layer(activation, "lenet(activation)"), *_dropout(dropout)]
    return [*layers, Dense(classes)]


def vgg(
    classes: int = 10,
    blocks: Sequence[Sequence[int]] = ((32, 32), (64, 64), (128,)),
    *,
    batch_norm: bool = True,
    activation: Activation = "ReLU",
    dropout: float = 0.0,
    block_dropout: float = 0.0,
) -> list[Layer]:
    """Blocks of 3×3 convolutions, pooled between them; the mean of each channel; a Dense layer.

    `blocks`: the filters of each convolution. `block_dropout` acts after each pool, `dropout` before the last layer.
    Source: Simonyan and Zisserman, arXiv 1409.1556; batch norm and the mean came later.
    """
    layers: list[Layer] = [Pixels()]
    for number, block in enumerate(blocks):
        if number:
            layers += [MaxPool2D(2), *_dropout(block_dropout)]
        for count in block:
            layers += _convolution(count, 1, batch_norm, activation, "vgg(activation)")
    return [*layers, GlobalAveragePool2D(), *_dropout(dropout), Dense(classes)]


def resnet(
    classes: int = 10,
    filters: Sequence[int] = (16, 32, 64),
    blocks: Sequence[int] = (2, 2, 2),
    *,
    batch_norm: bool = True,
    activation: Activation = "ReLU",
    dropout: float = 0.0,
) -> list[Layer]:
    """Stages of residual blocks of two 3×3 convolutions; all stages but the first begin by halving the image.

    `filters` and `blocks`: of each stage. Source: He et al., arXiv 1512.03385.
    """
    if len(filters) != len(blocks):
        raise InputError(
            tr("filters and blocks must have the same length."),
            where="resnet(filters, blocks)",
            expected=tr("{count} numbers of blocks", count=len(filters)),
            received=list(blocks),
        )
    where = "resnet(activation)"
    layers: list[Layer] = [Pixels(), *_convolution(filters[0], 1, batch_norm, activation, where)]
    for stage, (count, repeats) in enumerate(zip(filters, blocks, strict=True)):
        for block in range(repeats):
            strides = 2 if stage and not block else 1
            inside = _convolution(count, strides, batch_norm, activation, where)
            inside += _convolution(count, 1, batch_norm, activation, where)[:-1]  # the last activation acts on the sum
            layers += [Residual(inside), as_layer(activation, where)]
    return [*layers, GlobalAveragePool2D(), *_dropout(dropout), Dense(classes)]


def row_rnn(classes: int = 10, units: Sequence[int] = (128,), *, cell: str = "LSTM", dropout: float = 0.0) -> list[Layer]:
    """Images read row by row by recurrent layers of `units`; the last state; a Dense layer.

    `cell`: "SimpleRNN", "GRU" or "LSTM". `dropout` acts after each of them.
    """
    if cell not in CELLS:
        raise unknown(tr("cell"), cell, CELLS, "row_rnn(cell)")
    if not units:
        raise InputError(
            tr("row_rnn needs at least one recurrent layer."), where="row_rnn(units)", expected=tr("for example [128]")
        )
    layers: list[Layer] = [Pixels()]
    for number, width in enumerate(units, 1):
        recurrent = as_layer({"type": cell, "units": width, "return_sequences": number < len(units)}, "row_rnn(units)")
        layers += [recurrent, *_dropout(dropout)]
    return [*layers, Dense(classes)]


ARCHITECTURES: dict[str, Callable[..., list[Layer]]] = {
    "mlp": mlp,
    "lenet": lenet,
    "vgg": vgg,
    "resnet": resnet,
    "row_rnn": row_rnn,
}


def as_layers(description: str | dict[str, Any], classes: int, where: str) -> list[Layer]:
    """The layers of an architecture from its name or {"type": name, option: value}; `classes`, unless it says so itself."""
    return make_named(description, ARCHITECTURES, tr("architecture"), where, defaults={"classes": classes})


def _convolution(filters: int, strides: int, batch_norm: bool, activation: Activation, where: str) -> list[Layer]:
    window = Conv2D(
        filters, 3, strides=strides, padding="same", use_bias=not batch_norm, initializer=_start(activation)
    )  # the normalisation cancels a bias
    return [window, *_norm(batch_norm), as_layer(activation, where)]


def _norm(batch_norm: bool) -> list[Layer]:
    return [BatchNorm()] if batch_norm else []


def _dropout(rate: float) -> list[Layer]:
    return [Dropout(rate)] if rate else []


def _start(activation: Activation) -> str:
    """The initializer of weights before an activation: He's for the ReLU family, else Glorot's."""
    name = activation.get("type") if isinstance(activation, dict) else activation
    return "HeNormal" if name in ("ReLU", "LeakyReLU", "GELU", "Swish") else "GlorotUniform"


__all__ = ["ARCHITECTURES", "as_layers", "lenet", "mlp", "resnet", "row_rnn", "shorthand", "vgg"]
