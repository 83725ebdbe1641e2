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
    import glassnet.architectures as architectures
    import glassnet.explain as explain
    import glassnet.figures as figures
    from glassnet.augmentation import Augmentation
    from glassnet.data import Dataset, Splits, expand_by_shifts, list_datasets, load_dataset
    from glassnet.diagnosis import Diagnosis, Difference, Finding, diagnose, diagnose_difference
    from glassnet.ensemble import Ensemble
    from glassnet.errors import (
        DataError,
        DataWarning,
        GlassnetError,
        InputError,
        ModelFileError,
        ModelFileWarning,
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
        Orthogonal,
        Uniform,
        Zeros,
    )
    from glassnet.inspection import inspect
    from glassnet.layers import (
        GELU,
        GRU,
        LSTM,
        AveragePool2D,
        BatchNorm,
        Concatenate,
        Conv2D,
        Dense,
        Dropout,
        Flatten,
        GlobalAveragePool2D,
        GlobalMaxPool2D,
        Layer,
        LayerNorm,
        LeakyReLU,
        MaxPool2D,
        Pixels,
        ReLU,
        Residual,
        Scale,
        Sigmoid,
        SimpleRNN,
        Softmax,
        Standardize,
        Swish,
        Tanh,
    )
    from glassnet.losses import BinaryCrossEntropy, Quadratic, SoftmaxCrossEntropy
    from glassnet.metrics import Evaluation
    from glassnet.microscope import Trace, trace
    from glassnet.network import Network
    from glassnet.optimizers import SGD, Adam, AdamW, RMSprop, ScipyMinimize
    from glassnet.rate_test import RateTest, find_learning_rate
    from glassnet.recipe import Recipe, list_recipes, load_recipe
    from glassnet.regularizers import L1, L1L2, L2
    from glassnet.reporting import report
    from glassnet.run import Run, train
    from glassnet.schedules import Constant, CosineDecay, OneCycle, StepDecay, WarmUp
    from glassnet.training import Callback, EarlyStopping, History, Stop, StopReason, TrainingWarning

__version__ = "0.1.0"

# Where each public name lives. It is imported at its first use, so that `import glassnet` costs next to nothing.
_HOMES = {
    "augmentation": ("Augmentation",),
    "data": ("Dataset", "Splits", "expand_by_shifts", "list_datasets", "load_dataset"),
    "diagnosis": ("Diagnosis", "Difference", "Finding", "diagnose", "diagnose_difference"),
    "ensemble": ("Ensemble",),
    "errors": (
        "DataError", "DataWarning", "GlassnetError", "InputError", "ModelFileError",
        "ModelFileWarning", "RecipeError", "RunError", "ShapeError",
    ),
    "gradient_check": ("check_gradients",),
    "initializers": (
        "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "Normal",
        "Orthogonal", "Uniform", "Zeros",
    ),
    "inspection": ("inspect",),
    "layers": (
        "GELU", "GRU", "LSTM", "AveragePool2D", "BatchNorm", "Concatenate", "Conv2D", "Dense", "Dropout", "Flatten",
        "GlobalAveragePool2D", "GlobalMaxPool2D", "Layer", "LayerNorm", "LeakyReLU", "MaxPool2D", "Pixels", "ReLU",
        "Residual", "Scale", "Sigmoid", "SimpleRNN", "Softmax", "Standardize", "Swish", "Tanh",
    ),
    "losses": ("BinaryCrossEntropy", "Quadratic", "SoftmaxCrossEntropy"),
    "metrics": ("Evaluation",),
    "microscope": ("Trace", "trace"),
    "network": ("Network",),
    "optimizers": ("SGD", "Adam", "AdamW", "RMSprop", "ScipyMinimize"),
    "rate_test": ("RateTest", "find_learning_rate"),
    "recipe": ("Recipe", "list_recipes", "load_recipe"),
    "regularizers": ("L1", "L1L2", "L2"),
    "reporting": ("report",),
    "run": ("Run", "train"),
    "schedules": ("Constant", "CosineDecay", "OneCycle", "StepDecay", "WarmUp"),
    "training": ("Callback", "EarlyStopping", "History", "Stop", "StopReason", "TrainingWarning"),
}  # fmt: skip
_MODULES = ("architectures", "explain", "figures")
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "GELU",
    "GRU",
    "L1",
    "L1L2",
    "L2",
    "LSTM",
    "SGD",
    "Adam",
    "AdamW",
    "Augmentation",
    "AveragePool2D",
    "BatchNorm",
    "BinaryCrossEntropy",
    "Callback",
    "Concatenate",
    "Constant",
    "Conv2D",
    "CosineDecay",
    "DataError",
    "DataWarning",
    "Dataset",
    "Dense",
    "Diagnosis",
    "Difference",
    "Dropout",
    "EarlyStopping",
    "Ensemble",
    "Evaluation",
    "Finding",
    "Flatten",
    "GlassnetError",
    "GlobalAveragePool2D",
    "GlobalMaxPool2D",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "History",
    "InputError",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "LecunNormal",
    "MaxPool2D",
    "ModelFileError",
    "ModelFileWarning",
    "Network",
    "Normal",
    "OneCycle",
    "Orthogonal",
    "Pixels",
    "Quadratic",
    "RMSprop",
    "RateTest",
    "ReLU",
    "Recipe",
    "RecipeError",
    "Residual",
    "Run",
    "RunError",
    "Scale",
    "ScipyMinimize",
    "ShapeError",
    "Sigmoid",
    "SimpleRNN",
    "Softmax",
    "SoftmaxCrossEntropy",
    "Splits",
    "Standardize",
    "StepDecay",
    "Stop",
    "StopReason",
    "Swish",
    "Tanh",
    "Trace",
    "TrainingWarning",
    "Uniform",
    "WarmUp",
    "Zeros",
    "__version__",
    "architectures",
    "check_gradients",
    "diagnose",
    "diagnose_difference",
    "expand_by_shifts",
    "explain",
    "figures",
    "find_learning_rate",
    "inspect",
    "list_datasets",
    "list_recipes",
    "load_dataset",
    "load_recipe",
    "report",
    "trace",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"glassnet.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'glassnet' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"glassnet.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, *_MODULES})
