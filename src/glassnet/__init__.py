"""glassnet: a neural network you can see through.

import glassnet as gn

splits = gn.load_dataset("digits")
net = gn.Network([64, 30, 10], seed=1)
net.fit(splits.train, epochs=30, batch_size=10, optimizer=gn.SGD(3.0), validation=splits.validation, seed=1)
print(net.evaluate(splits.test))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glassnet.data import Dataset, Splits, list_datasets, load_dataset
    from glassnet.ensemble import Ensemble
    from glassnet.errors import (
        DataError,
        GlassnetError,
        InputError,
        ModelFileError,
        RecipeError,
        RunError,
        ShapeError,
    )
    from glassnet.gradient_check import check_gradients
    from glassnet.initializers import (
        GlorotNormal,
        GlorotUniform,
        HeNormal,
        HeUniform,
        LecunNormal,
        Normal,
        Uniform,
        Zeros,
    )
    from glassnet.layers import (
        GELU,
        Dense,
        Dropout,
        Flatten,
        Layer,
        LeakyReLU,
        Pixels,
        ReLU,
        Scale,
        Sigmoid,
        Softmax,
        Standardize,
        Tanh,
    )
    from glassnet.losses import BinaryCrossEntropy, Quadratic, SoftmaxCrossEntropy
    from glassnet.metrics import Evaluation
    from glassnet.network import Network
    from glassnet.optimizers import SGD, Adam, AdamW, RMSprop, ScipyMinimize
    from glassnet.recipe import Recipe, list_recipes, load_recipe
    from glassnet.regularizers import L1, L1L2, L2
    from glassnet.run import Run, train
    from glassnet.schedules import Constant, CosineDecay, OneCycle, StepDecay, WarmUp
    from glassnet.training import Callback, EarlyStopping, History, TrainingWarning

__version__ = "0.1.0"

# Where each public name lives. It is imported at its first use, so that `import glassnet` costs next to nothing.
_HOMES = {
    "data": ("Dataset", "Splits", "list_datasets", "load_dataset"),
    "ensemble": ("Ensemble",),
    "errors": (
        "DataError", "GlassnetError", "InputError", "ModelFileError", "RecipeError", "RunError", "ShapeError",
    ),
    "gradient_check": ("check_gradients",),
    "initializers": (
        "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "Normal", "Uniform", "Zeros",
    ),
    "layers": (
        "GELU", "Dense", "Dropout", "Flatten", "Layer", "LeakyReLU", "Pixels", "ReLU", "Scale", "Sigmoid", "Softmax",
        "Standardize", "Tanh",
    ),
    "losses": ("BinaryCrossEntropy", "Quadratic", "SoftmaxCrossEntropy"),
    "metrics": ("Evaluation",),
    "network": ("Network",),
    "optimizers": ("SGD", "Adam", "AdamW", "RMSprop", "ScipyMinimize"),
    "recipe": ("Recipe", "list_recipes", "load_recipe"),
    "regularizers": ("L1", "L1L2", "L2"),
    "run": ("Run", "train"),
    "schedules": ("Constant", "CosineDecay", "OneCycle", "StepDecay", "WarmUp"),
    "training": ("Callback", "EarlyStopping", "History", "TrainingWarning"),
}  # fmt: skip
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "GELU",
    "L1",
    "L1L2",
    "L2",
    "SGD",
    "Adam",
    "AdamW",
    "BinaryCrossEntropy",
    "Callback",
    "Constant",
    "CosineDecay",
    "DataError",
    "Dataset",
    "Dense",
    "Dropout",
    "EarlyStopping",
    "Ensemble",
    "Evaluation",
    "Flatten",
    "GlassnetError",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "History",
    "InputError",
    "Layer",
    "LeakyReLU",
    "LecunNormal",
    "ModelFileError",
    "Network",
    "Normal",
    "OneCycle",
    "Pixels",
    "Quadratic",
    "RMSprop",
    "ReLU",
    "Recipe",
    "RecipeError",
    "Run",
    "RunError",
    "Scale",
    "ScipyMinimize",
    "ShapeError",
    "Sigmoid",
    "Softmax",
    "SoftmaxCrossEntropy",
    "Splits",
    "Standardize",
    "StepDecay",
    "Tanh",
    "TrainingWarning",
    "Uniform",
    "WarmUp",
    "Zeros",
    "__version__",
    "check_gradients",
    "list_datasets",
    "list_recipes",
    "load_dataset",
    "load_recipe",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'glassnet' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"glassnet.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
