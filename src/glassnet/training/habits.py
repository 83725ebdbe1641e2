"""Calls as users of Keras and scikit-learn write them, and methods of networks that they expect."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from glassnet.data import Dataset, Splits
from glassnet.data.options import SplitOptions
from glassnet.data.splits import divide
from glassnet.errors import InputError, ShapeError
from glassnet.nn.architectures import default_loss
from glassnet.nn.losses import Quadratic
from glassnet.nn.stack import Stack
from glassnet.support.arrays import Array
from glassnet.support.checks import between
from glassnet.support.habits import check_call, unknown_attribute
from glassnet.support.i18n import tr
from glassnet.support.upwards import Shown
from glassnet.training.arguments import as_dataset

P = ParamSpec("P")
R = TypeVar("R")
Self = TypeVar("Self")


def familiar(method: Callable[Concatenate[Self, P], R]) -> Callable[Concatenate[Self, P], R]:
    """A method that takes (images, labels) as first argument: labels may follow as an argument of their own, as in fit(X, y).

    Of `fit`, `validation_data`, `validation_split` and `verbose` become `validation` and `progress`.
    Other calls that do not fit raise `InputError`, with how it is written here.
    """

    @functools.wraps(method)
    def call(self: Self, *given: Any, **options: Any) -> R:
        args = list(given)
        _join(args, options)
        if method.__name__ == "fit":
            _take_validation(self, args, options)
        try:
            return method(self, *args, **options)
        except TypeError:
            check_call(method, (self, *args), options)
            raise  # of something else

    return call  # type: ignore[return-value]  # its arguments are those of the method, and others


def _join(args: list[Any], options: dict[str, Any]) -> None:
    """`X, y` as one argument `(X, y)`, in place."""
    for name in ("X", "x"):
        if name in options and not args:
            args.append(options.pop(name))
    if args and "y" in options:
        args[0] = (args[0], options.pop("y"))
    elif len(args) > 1 and np.ndim(args[1]) > 0:
        args[:2] = [(args[0], args[1])]


def _take_validation(network: Any, args: list[Any], options: dict[str, Any]) -> None:
    """`validation_data`, `validation_split` and `verbose` as `validation` and `progress`, in place."""
    share = options.pop("validation_split", None) or None
    given = [name for name in ("validation", "validation_data") if options.get(name) is not None]
    if len(given) + (share is not None) > 1:
        raise InputError(
            tr("The validation images are given twice."),
            where="fit",
            expected=tr("one of validation, validation_data and validation_split"),
        )
    if "validation_data" in options:
        options["validation"] = options.pop("validation_data")
    if share is not None and args:
        if options.get("sample_weight") is not None:
            raise InputError(
                tr("validation_split can't be used with sample_weight."),
                where="fit(validation_split)",
                hint=tr("divide the images yourself: validation=(images, labels)"),
            )
        between(share, tr("The share of validation images must lie between 0 and 1."), "fit(validation_split)", "share")
        data = network.labelled(args[0], "fit(train)", learn=True)
        parts = divide(Splits(data), SplitOptions(fractions=(1 - share, share, 0.0), seed=options.get("seed") or 0))
        args[0], options["validation"] = parts.train, parts.validation
    if "verbose" in options:
        options.setdefault("progress", bool(options.pop("verbose")))


class Familiar(Shown, Stack):
    """Methods of networks by the names that Keras and scikit-learn give them."""

    classes: tuple[str, ...]
    _default_loss: bool  # none was given: it follows from the labels
    _predictor: Any

    @property
    def _unnamed(self) -> bool:
        """Whether the classes have only numbers."""
        return self.classes == tuple(map(str, range(len(self.classes))))

    def labelled(self, data: Dataset | tuple[Array, Any], where: str, *, learn: bool = False) -> Dataset:
        """A Dataset from (images, labels); labels that are names must be those of the classes, where these have names.

        A loss that was not given becomes the one that suits the labels.
        """
        found = as_dataset(data, where, self.classes, len(self.classes) if learn and self._unnamed else None)
        suited = default_loss(self.layers[-1]) if found.is_classification else Quadratic()
        if self._default_loss and self.loss != suited:
            self.loss, self._predictor = suited, None
        return found

    @familiar
    def score(self, data: Dataset | tuple[Array, Any]) -> float:
        """The accuracy on images with labels."""
        return float(self.evaluate(data).accuracy)  # type: ignore[attr-defined]  # of Network

    def get_weights(self) -> list[Array]:
        """Copies of the parameters, array by array, then of the layers' statistics."""
        return [array.copy() for array in self._arrays().values()]

    def set_weights(self, arrays: Sequence[Array]) -> None:
        """Set the arrays that `get_weights` gives. Raises `ShapeError` where they do not fit."""
        homes, arrays = self._arrays(), [np.asarray(array) for array in arrays]
        wanted, received = [home.shape for home in homes.values()], [array.shape for array in arrays]
        if wanted != received:
            raise ShapeError(
                tr("These are not the arrays of this network."), where="set_weights", expected=wanted, received=received
            )
        for home, array in zip(homes.values(), arrays, strict=True):
            home[...] = array
        for layer in self.layers:
            layer.adapted = True

    def _arrays(self) -> dict[str, Array]:
        """All parameters and statistics by name."""
        arrays = {slot.name: self.layers[slot.layer].parameters[slot.key] for slot in self.slots}
        for name, layer in zip(self.names, self.layers, strict=True):
            arrays.update({f"{name}.{key}": array for key, array in layer.statistics.items()})
        return arrays

    if not TYPE_CHECKING:  # a type checker would take any name

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):  # protocols of Python and of notebooks
                raise AttributeError(name)
            raise unknown_attribute(type(self).__name__, name, dir(self))
