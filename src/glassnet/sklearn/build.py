"""The network and the optimizer that the parameters of `NetworkClassifier` describe."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from glassnet.errors import InputError
from glassnet.network import Network
from glassnet.nn import Layer, Pixels
from glassnet.nn.activations import GELU, LeakyReLU, ReLU, Sigmoid, Swish, Tanh
from glassnet.nn.architectures import as_layers, mlp
from glassnet.nn.layer import Shape
from glassnet.nn.losses import Loss, Quadratic, as_loss
from glassnet.nn.optimizers import OPTIMIZERS, Optimizer, ScipyMinimize, as_optimizer
from glassnet.nn.penalties import L2
from glassnet.support.checks import not_negative
from glassnet.support.i18n import tr
from glassnet.support.registry import plain, unknown

ACTIVATIONS = {plain(kind.__name__): kind.__name__ for kind in (ReLU, LeakyReLU, Sigmoid, Tanh, GELU, Swish)}
ACTIVATIONS["logistic"] = "Sigmoid"  # scikit-learn's name
SOLVERS = {"lbfgs": "ScipyMinimize", **{plain(name): name for name in OPTIMIZERS}}

Layers = Sequence[Layer | str | dict[str, Any]] | str | dict[str, Any] | Callable[[Shape, int], list[Layer]]


def make_network(
    shape: Shape,
    names: Sequence[str],
    *,
    hidden_layer_sizes: int | Iterable[int],
    layers: Layers | None,
    activation: str | dict[str, Any],
    loss: Loss | str | dict[str, Any] | None,
    alpha: float,
    is_bytes: bool,
    seed: int,
) -> Network:
    """The untrained network for samples of `shape` and the classes of these names.

    `is_bytes`: they are pixels in 0…255, which it brings to 0…1 itself.

    Raises `InputError` for layers whose outputs are not one for each class.
    """
    classes = len(names)
    made: list[Any]
    if layers is None:
        loss = "log_loss" if loss is None else loss
        made = hidden_layers(hidden_layer_sizes, activation, classes, is_bytes)
        if isinstance(loss, str) and plain(loss) == "logloss":
            loss = None  # by default
        elif isinstance(chosen := as_loss(loss, "NetworkClassifier(loss)"), Quadratic):
            made.append(Sigmoid())  # the other losses have their own
            loss = chosen
    elif callable(layers):
        made = list(layers(shape, classes))
    elif isinstance(layers, (str, dict)):
        made = as_layers(layers, classes, "NetworkClassifier(layers)")
    else:
        made = copy.deepcopy(list(layers))  # the parameter itself is never trained
    penalty = L2(not_negative(alpha, tr("alpha can't be negative."), "NetworkClassifier(alpha)")) if alpha else None
    network = Network(made, loss=loss, input_shape=shape, regularizer=penalty, seed=seed)
    if max(2, network.outputs) != classes:
        raise InputError(
            tr("The network has not as many outputs as there are classes."),
            where="NetworkClassifier(layers)",
            expected=tr("{classes} outputs", classes=classes),
            received=f"{network.outputs}: {network.layers[-1]!r}",
            hint=f"Dense({classes})",
        )
    if len(set(names)) == classes:  # 1 and "1" have the same
        network.classes = tuple(names)
    return network


def hidden_layers(sizes: int | Iterable[int], activation: str | dict[str, Any], classes: int, is_bytes: bool) -> list[Layer]:
    """Dense layers of `sizes`, each followed by the activation, and one of as many units as there are classes."""
    name = ACTIVATIONS.get(plain(activation)) if isinstance(activation, str) else activation
    if name is None:
        raise unknown(tr("activation"), activation, ACTIVATIONS, "NetworkClassifier(activation)")
    units = [sizes] if isinstance(sizes, (int, np.integer)) else list(sizes)
    layers = mlp(classes, units, activation=name)
    return [layer for layer in layers if is_bytes or not isinstance(layer, Pixels)]  # other numbers are taken as they are


def make_optimizer(
    optimizer: Optimizer | ScipyMinimize | str | dict[str, Any], learning_rate: Any
) -> Optimizer | ScipyMinimize:
    """The optimizer by its name, description or itself, with the learning rate, unless that is None."""
    name = SOLVERS.get(plain(optimizer), optimizer) if isinstance(optimizer, str) else optimizer
    if isinstance(name, str) and name not in SOLVERS.values():
        raise unknown(tr("optimizer"), optimizer, SOLVERS, "NetworkClassifier(optimizer)")
    made = as_optimizer(name, "NetworkClassifier(optimizer)")
    if learning_rate is None or isinstance(made, ScipyMinimize):
        return made
    return replace(made, learning_rate=learning_rate)
