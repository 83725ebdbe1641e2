"""Networks from Keras's models, with their weights."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet.errors import InputError
from glassnet.interop.importer import Before, Importer
from glassnet.network import Network
from glassnet.nn import (
    GELU,
    GRU,
    LSTM,
    AveragePool2D,
    BatchNorm,
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
    ReLU,
    Scale,
    Sigmoid,
    SimpleRNN,
    Softmax,
    Standardize,
    Swish,
    Tanh,
)
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

if TYPE_CHECKING:
    import keras

_ACTIVATIONS: dict[str, Callable[[], Layer] | None] = {
    "linear": None,
    "relu": ReLU,
    "leaky_relu": lambda: LeakyReLU(0.2),
    "gelu": GELU,
    "silu": Swish,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "softmax": Softmax,
}


def from_keras(model: keras.Model, *, before: Before = ()) -> Network:
    """A network with the layers and weights of a Keras 3 model, Sequential or Functional, whose layers stand in a row.

    It takes the same images, (N, rows, columns, channels), and `network(images)` equals `model.predict(images)`.
    `before`: layers that stand in front, such as [Pixels()] where the model was fed bytes divided by 255, so that the network
    takes the bytes. Raises `InputError` for a layer, activation or option that glassnet lacks, for branches, and for a model
    that has not been built.

        net = gn.from_keras(model, before=[gn.Pixels()])
    """
    library = sys.modules.get("keras")  # whoever has a model has imported it
    if library is None or not isinstance(model, library.Model):
        what, expected = tr("This is not a model of Keras 3."), "keras.Model"
        raise InputError(what, where="from_keras", expected=expected, received=type(model).__qualname__)
    importer = Importer("from_keras", _input_shape(model), before)
    _read(importer, model, library)
    return importer.network()


def _input_shape(model: Any) -> tuple[int, ...]:
    shape = getattr(model, "input_shape", None) if model.built and len(getattr(model, "inputs", ())) == 1 else None
    if not isinstance(shape, tuple) or None in shape[1:]:
        raise InputError(
            tr("The model does not know the shape of its images."),
            where="from_keras",
            expected=tr("a model with one input of known shape"),
            received=repr(shape),
            hint="keras.Input((28, 28, 1)), model.build((None, 28, 28, 1))",
        )
    return shape[1:]


def _read(importer: Importer, model: Any, library: Any) -> None:
    if not type(model).__module__.startswith("keras."):  # a class of one's own may compute anything
        importer.unknown(model, ("Sequential", "Functional"))
    layers = [layer for layer in model.layers if not isinstance(layer, library.layers.InputLayer)]
    if not isinstance(model, library.Sequential):
        _require_row(importer, model, layers)
    for layer in layers:
        importer.where = f"{layer.name}, {type(layer).__name__}"
        if isinstance(layer, library.Sequential):
            _read(importer, layer, library)
            continue
        name = type(layer).__name__
        if getattr(library.layers, name, None) is not type(layer) or name not in _LAYERS:
            importer.unknown(layer, _LAYERS)
        _LAYERS[name](importer, layer)


def _require_row(importer: Importer, model: Any, layers: list[Any]) -> None:
    """Refuse a model of functions unless each layer takes what the one before it gives."""
    value = model.inputs[0]
    for layer in layers:
        importer.where = f"{layer.name}, {type(layer).__name__}"
        try:
            taken = layer.input
        except (AttributeError, ValueError):  # of a layer that is called several times
            taken = None
        if taken is not value:
            importer.refuse(
                tr("The layers of the model do not stand in a row."), tr("a layer that takes what the one before it gives")
            )
        value = layer.output
    if len(model.outputs) != 1 or model.outputs[0] is not value:
        importer.where = "from_keras"
        importer.refuse(tr("The layers of the model do not stand in a row."), tr("one output, that of the last layer"))


def _array(variable: Any) -> Array:
    import keras

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)  # Keras's own, on PyTorch
        found: Array = np.asarray(keras.ops.convert_to_numpy(variable))
    return found if found.dtype in (np.float32, np.float64) else found.astype(np.float32)


def _arrays(**variables: Any) -> dict[str, Array]:
    return {name: _array(variable) for name, variable in variables.items() if variable is not None}


def _backend() -> str:
    import keras

    return str(keras.backend.backend())


def _name(function: Any) -> str:
    """What Keras calls an activation."""
    import keras

    known = (name for name in _ACTIVATIONS if getattr(keras.activations, name, None) is function)
    return next(known, None) or str(getattr(function, "__name__", function))


def _activation(importer: Importer, layer: Any) -> None:
    name = _name(layer.activation)
    if name not in _ACTIVATIONS:
        importer.refuse(tr("glassnet does not have this activation."), " | ".join(_ACTIVATIONS), repr(name))
    make = _ACTIVATIONS[name]
    if make is not None:
        importer.add(make())


def _dense(importer: Importer, layer: Any) -> None:
    arrays = _arrays(weight=layer.kernel, bias=layer.bias if layer.use_bias else None)
    importer.add(Dense(layer.units, use_bias=layer.use_bias), **arrays)
    _activation(importer, layer)


def _conv(importer: Importer, layer: Any) -> None:
    importer.only(layer, groups=1, dilation_rate=1, data_format="channels_last")
    options = {"strides": layer.strides, "padding": layer.padding, "use_bias": layer.use_bias}
    arrays = _arrays(weight=layer.kernel, bias=layer.bias if layer.use_bias else None)
    importer.add(Conv2D(layer.filters, layer.kernel_size, **options), **arrays)
    _activation(importer, layer)


def _pool(kind: type[MaxPool2D] | type[AveragePool2D]) -> Callable[[Importer, Any], None]:
    def read(importer: Importer, layer: Any) -> None:
        importer.only(layer, data_format="channels_last")
        made, before = kind(layer.pool_size, layer.strides, layer.padding), importer.shape
        importer.add(made)
        top, bottom, left, right = made.margins(before)
        if kind is AveragePool2D and (top, left) != (bottom, right) and _backend() == "torch":
            what = tr(
                "Keras on PyTorch counts an image's edge twice where its padding is not symmetric; other backends do not."
            )
            importer.refuse(what, "padding='valid'", f"padding={(top, bottom, left, right)}")

    return read


def _global_pool(kind: type[Layer]) -> Callable[[Importer, Any], None]:
    def read(importer: Importer, layer: Any) -> None:
        importer.only(layer, data_format="channels_last", keepdims=False)
        importer.add(kind())

    return read


def _flatten(importer: Importer, layer: Any) -> None:
    importer.only(layer, data_format="channels_last")
    importer.add(Flatten())


def _last_axis(importer: Importer, layer: Any) -> None:
    """Refuse an axis that is not the last."""
    axis, last = layer.axis, len(importer.shape)
    if axis not in (-1, last, [-1], (-1,), [last], (last,)):
        importer.refuse(tr("glassnet does not have this option of the layer."), "axis=-1", f"axis={axis!r}")


def _batch_norm(importer: Importer, layer: Any) -> None:
    _last_axis(importer, layer)
    arrays = _arrays(gamma=layer.gamma, beta=layer.beta, mean=layer.moving_mean, variance=layer.moving_variance)
    importer.add(BatchNorm(layer.momentum, layer.epsilon), **arrays)


def _layer_norm(importer: Importer, layer: Any) -> None:
    _last_axis(importer, layer)
    importer.only(layer, rms_scaling=False)
    importer.add(LayerNorm(layer.epsilon), **_arrays(gamma=layer.gamma, beta=layer.beta))


def _softmax(importer: Importer, layer: Any) -> None:
    _last_axis(importer, layer)
    importer.add(Softmax())


def _relu(importer: Importer, layer: Any) -> None:
    importer.only(layer, max_value=None, threshold=0)
    importer.add(LeakyReLU(float(layer.negative_slope)) if layer.negative_slope else ReLU())


def _rescaling(importer: Importer, layer: Any) -> None:
    if np.size(layer.scale) != 1 or np.size(layer.offset) != 1:
        importer.refuse(tr("Scale takes one factor and one offset."), received=f"scale={layer.scale}, offset={layer.offset}")
    importer.add(Scale(float(np.squeeze(layer.scale)), float(np.squeeze(layer.offset))))


def _normalization(importer: Importer, layer: Any) -> None:
    importer.only(layer, invert=False)
    mean, variance = _array(layer.mean)[0], _array(layer.variance)[0]
    importer.add(Standardize(mean, np.maximum(np.sqrt(variance), 1e-7)))  # Keras's own least std


def _recurrent(kind: Any) -> Callable[[Importer, Any], None]:
    def read(importer: Importer, layer: Any) -> None:
        importer.only(layer, go_backwards=False, return_state=False)
        options: dict[str, Any] = {"return_sequences": layer.return_sequences}
        if kind is SimpleRNN:
            options["activation"] = _name(layer.activation)
        else:
            gates = _name(layer.activation), _name(layer.recurrent_activation)
            if gates != ("tanh", "sigmoid"):
                importer.refuse(tr("glassnet does not have this activation."), "tanh, sigmoid", ", ".join(gates))
        cell, units = layer.cell, layer.units
        arrays = _arrays(weight=cell.kernel, recurrent_weight=cell.recurrent_kernel)
        if kind is GRU:
            importer.only(layer, reset_after=True)
            both = _array(cell.bias) if layer.use_bias else np.zeros((2, 3 * units), dtype=np.float32)
            arrays["recurrent_bias"] = both[1, 2 * units :]
            arrays["bias"] = both[0] + np.concatenate([both[1, : 2 * units], np.zeros_like(both[1, 2 * units :])])
            for name in ("weight", "recurrent_weight", "bias"):  # z, r, n there; r, z, n here
                z, r, n = np.split(arrays[name], 3, axis=-1)
                arrays[name] = np.concatenate([r, z, n], axis=-1)
        else:
            arrays["bias"] = _array(cell.bias) if layer.use_bias else np.zeros(kind.gates * units, dtype=np.float32)
        importer.add(kind(units, **options), **arrays)

    return read


_LAYERS: dict[str, Callable[[Importer, Any], None]] = {
    "Dense": _dense,
    "Conv2D": _conv,
    "MaxPooling2D": _pool(MaxPool2D),
    "AveragePooling2D": _pool(AveragePool2D),
    "GlobalMaxPooling2D": _global_pool(GlobalMaxPool2D),
    "GlobalAveragePooling2D": _global_pool(GlobalAveragePool2D),
    "Flatten": _flatten,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "Dropout": lambda importer, layer: importer.add(Dropout(layer.rate)),
    "Activation": _activation,
    "ReLU": _relu,
    "LeakyReLU": lambda importer, layer: importer.add(LeakyReLU(float(layer.negative_slope))),
    "Softmax": _softmax,
    "Rescaling": _rescaling,
    "Normalization": _normalization,
    "SimpleRNN": _recurrent(SimpleRNN),
    "LSTM": _recurrent(LSTM),
    "GRU": _recurrent(GRU),
}
