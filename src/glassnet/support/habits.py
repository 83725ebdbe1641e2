"""Names from Keras, PyTorch and scikit-learn that glassnet writes otherwise: each is answered with how it is written here.

`answered` checks calls, `unknown_attribute` names. Both look into the tables below, then for the nearest known name.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import Any, ParamSpec, TypeVar, dataclass_transform

from glassnet.errors import InputError, UnknownAttributeError
from glassnet.support.i18n import mark, tr
from glassnet.support.registry import did_you_mean, nearest

P = ParamSpec("P")
R = TypeVar("R")
Kind = TypeVar("Kind")

OWN_LAYER = mark("an activation is a layer of its own: [Dense(30), ReLU()]")
INPUT_SHAPE = mark("the network takes the shape of one image: Network(layers, input_shape=(28, 28, 1))")
PENALTY = mark("one penalty for all weights: Network(layers, regularizer=L2(0.0001))")
LOSS = mark("the network has the loss: Network(layers, loss='SoftmaxCrossEntropy')")
MEASURED = mark("nothing to do: the history that fit returns has loss and accuracy of each epoch")
OPTIMIZER = "net.fit(images, labels, optimizer=Adam(learning_rate=0.001))"
SCHEDULE = mark("the learning rate can be a schedule: Adam(learning_rate=CosineDecay(0.001))")
NETWORK = mark("a network is a list of layers: Network([Flatten(), Pixels(), Dense(10)], input_shape=(28, 28, 1))")
LOAD = "Network.load('model.safetensors')"
SAVE = "net.save('model.safetensors')"
LOAD_DATA = mark("load_dataset('mnist'), or a folder, .zip, .npz, .mat or .h5")
BEST = mark("net.fit(…, validation=…, keep='best') keeps the weights of the best epoch")
WEIGHTS = mark("net.layers[i].weight and .bias, net.get_weights(), or all in one vector: net.parameters")
FOLLOWED = mark("nothing to do: it follows the validation accuracy, or the loss where there are no validation images")
TOP_LEVEL = mark("all public names are in glassnet itself: gn.Dense, gn.Adam, gn.SoftmaxCrossEntropy, gn.EarlyStopping")
ON_CPU = mark("nothing to do: glassnet runs on the CPU, on as many threads as make it faster")
BY_FIT = mark("nothing to do: fit does the forward pass, the backward pass and the update")

# The same thing under another name: the first of these that the function takes. Below, only sentences are translated.
RENAMED: dict[str, tuple[str, ...]] = {
    "lr": ("learning_rate",),
    **dict.fromkeys(("epoch", "n_epochs", "nb_epoch", "num_epochs", "max_iter"), ("epochs",)),
    "batchsize": ("batch_size",),
    "random_state": ("seed",),
    "n_jobs": ("threads",),
    "kernel_initializer": ("initializer",),
    "kernel_regularizer": ("regularizer",),
    "beta_1": ("beta1",),
    "beta_2": ("beta2",),
    "betas": ("beta1",),
    "eps": ("epsilon",),
    "clipnorm": ("clip_norm",),
    "p": ("rate",),
    "alpha": ("slope",),
    "negative_slope": ("slope",),
    "out_features": ("units",),
    "out_channels": ("filters",),
    "stride": ("strides",),
    "size": ("pool_size",),
    "bias": ("use_bias",),
    "X": ("train", "data", "images"),
    "x": ("train", "data", "images"),
    "y": ("labels",),
    "class_names": ("classes",),
}
KEYWORDS: dict[str, str] = {
    "activation": OWN_LAYER,
    **dict.fromkeys(("input_dim", "input_shape", "batch_input_shape", "in_features", "in_channels"), INPUT_SHAPE),
    **dict.fromkeys(("kernel_regularizer", "bias_regularizer", "alpha"), PENALTY),
    "weight_decay": mark("AdamW(weight_decay=0.01), or Network(layers, regularizer=L2(0.0001))"),
    "loss": LOSS,
    "criterion": LOSS,
    "metrics": MEASURED,
    **dict.fromkeys(("optimizer", "lr", "learning_rate", "learning_rate_init", "solver", "momentum"), OPTIMIZER),
    "decay": SCHEDULE,
    "shuffle": mark("nothing to do: fit shuffles the images in every epoch"),
    "initial_epoch": mark("net.fit(…, checkpoint='file', resume=True) goes on from a checkpoint"),
    "steps_per_epoch": mark("an epoch is all training images once; batch_size= sets the number of steps"),
    "early_stopping": "net.fit(…, callbacks=EarlyStopping(10))",
    "hidden_layer_sizes": mark("all sizes in one list, from pixels to classes: Network([784, 100, 10])"),
    "device": ON_CPU,
    "data_format": mark("nothing to do: images are always (rows, columns, channels)"),
    "from_logits": mark("nothing to do: the loss takes the logits, whether or not the network ends in Softmax"),
    "amsgrad": mark("Adam(), or AdamW() with weight decay"),
    "novelty": "net.novelty(images), net.is_novel(images)",
    "monitor": FOLLOWED,
    "mode": FOLLOWED,
    "restore_best_weights": BEST,
    "save_best_only": BEST,
}
NAMES: dict[str, str] = {
    **dict.fromkeys(("Sequential", "Model", "Module", "MLPClassifier", "models", "add", "pop"), NETWORK),
    **dict.fromkeys(("Input", "InputLayer"), INPUT_SHAPE),
    "Activation": OWN_LAYER,
    "Linear": "Dense(units)",
    "Rescaling": mark("Pixels() for 0…255, or Scale(1 / 255)"),
    "Normalization": "Standardize()",
    **dict.fromkeys(("layers", "optimizers", "losses", "callbacks", "nn", "optim"), TOP_LEVEL),
    **dict.fromkeys(("datasets", "load_data"), LOAD_DATA),
    **dict.fromkeys(("load_model", "load_weights", "load_state_dict"), LOAD),
    **dict.fromkeys(("save_model", "save_weights", "dump"), SAVE),
    "to_categorical": mark("nothing to do: fit takes class indices, names or one-hot rows"),
    "train_test_split": mark("load_dataset(…) gives .train, .validation and .test"),
    "ModelCheckpoint": mark("net.fit(…, checkpoint='file') keeps the state after each epoch, keep='best' the best weights"),
    **dict.fromkeys(("ReduceLROnPlateau", "LearningRateScheduler"), SCHEDULE),
    **dict.fromkeys(("CrossEntropyLoss", "NLLLoss", "CategoricalCrossentropy"), "SoftmaxCrossEntropy()"),
    **dict.fromkeys(("MSELoss", "MeanSquaredError"), "Quadratic()"),
    "compile": mark("nothing to compile: Network(layers, loss=…), then net.fit(images, labels, optimizer=…)"),
    "predict_classes": mark("net.predict(images) gives class indices; net.classes has their names"),
    "classes_": "net.classes",
    **dict.fromkeys(("coef_", "coefs_", "intercept_", "intercepts_", "weights", "trainable_weights"), WEIGHTS),
    **dict.fromkeys(("state_dict", "kernel", "variables"), WEIGHTS),
    "train": "net.fit(images, labels)",
    "train_on_batch": "net.fit(images, labels, epochs=1, batch_size=len(images))",
    "fit_generator": "net.fit(images, labels, augmentation=Augmentation(shift=2))",
    "partial_fit": mark("net.fit(images, labels, epochs=1): it goes on from the weights that the network has"),
    "get_layer": mark("net.layers[i]; net.names has their names"),
    "count_params": "net.parameters.size",
    **dict.fromkeys(("to", "cuda"), ON_CPU),
    "eval": mark("nothing to do: dropout acts in fit alone"),
    **dict.fromkeys(("backward", "zero_grad", "step"), BY_FIT),
}
LOSSES = {  # of Keras
    "categoricalcrossentropy": "SoftmaxCrossEntropy",
    "sparsecategoricalcrossentropy": "SoftmaxCrossEntropy",
    "crossentropy": "SoftmaxCrossEntropy",
    "mse": "Quadratic",
    "meansquarederror": "Quadratic",
}


def answered(function: Callable[P, R]) -> Callable[P, R]:
    """The function; a call that does not fit it raises `InputError` with how it is written here, not `TypeError`."""

    @functools.wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> R:
        try:
            return function(*args, **options)
        except TypeError:
            check_call(function, args, options)
            raise  # of something else

    return call


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def option_class(kind: type[Kind]) -> type[Kind]:
    """A frozen dataclass whose wrong options are answered, and whose repr leaves out what is None or empty."""
    made = dataclass(frozen=True, repr=False)(kind)
    made.__init__ = answered(made.__init__)  # type: ignore[method-assign]  # the one that dataclass has just made
    made.__repr__ = _shown  # type: ignore[method-assign]
    return made


def _shown(options: Any) -> str:
    named = {field.name: getattr(options, field.name) for field in fields(options)}
    given = (f"{name}={value!r}" for name, value in named.items() if value is not None and value != {})
    return f"{type(options).__qualname__}({', '.join(given)})"


def check_call(function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> None:
    """Raise `InputError` if a function does not take these arguments."""
    signature = inspect.signature(function)
    owner, _, name = function.__qualname__.rpartition(".")
    name = owner if name == "__init__" else name
    own = [key for key in signature.parameters if key != "self"]
    foreign = next((key for key in options if key not in own), None)
    if foreign is not None:
        raise InputError(
            tr("{name} takes no {option}.", name=name, option=foreign),
            where=name,
            expected=", ".join(own) or tr("nothing"),
            received=f"{foreign}={options[foreign]!r:.60}",
            hint=_keyword(foreign, own),
        )
    try:
        signature.bind(*args, **options)
    except TypeError as error:
        raise InputError(
            tr("{name} is not called like this.", name=name), where=name, expected=", ".join(own), received=str(error)
        ) from None


def _keyword(foreign: str, own: list[str]) -> str | None:
    """How an option is written here."""
    renamed = next((name for name in RENAMED.get(foreign, ()) if name in own), None)
    if renamed is not None:
        return f"{renamed}=…"
    return tr(KEYWORDS[foreign]) if foreign in KEYWORDS else did_you_mean(nearest(foreign, own))


def unknown_attribute(owner: str, name: str, known: Iterable[str]) -> UnknownAttributeError:
    """The error for a name that `owner` does not have: how it is written here, or the nearest known one."""
    public = [other for other in known if not other.startswith("_")]
    hint = tr(NAMES[name]) if name in NAMES else did_you_mean(nearest(name, public))
    return UnknownAttributeError(tr("{owner} has no {name}.", owner=owner, name=name), hint=hint)
