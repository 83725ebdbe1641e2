"""What callers of `NetworkClassifier` give: samples, labels, classes and weights, checked as scikit-learn checks them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import assert_all_finite, column_or_1d, validate_data

from glassnet.errors import InputError, ShapeError
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr


def check_samples(estimator: Any, X: Any, *, reset: bool) -> Array:
    """X as an array of bytes or floats: rows (n, features), or images (n, H, W, C).

    With `reset`, sets `n_features_in_` and `feature_names_in_`, else compares with them.
    """
    kind = getattr(X, "dtype", None)
    whole = isinstance(kind, np.dtype) and kind.kind in "biu"  # a network for pixels takes all integers in 0…255 for them
    is_bytes = kind == np.uint8 if reset else whole and estimator.network_.takes_pixels
    dtype = kind if is_bytes else np.float32
    axes = np.ndim(X) if isinstance(X, (list, tuple)) else getattr(X, "ndim", 2)
    if axes <= 2:
        return np.asarray(validate_data(estimator, X, reset=reset, dtype=dtype, order="C"))
    images = np.asarray(check_array(X, dtype=dtype, order="C", allow_nd=True, estimator=estimator, input_name="X"))
    images = images[..., None] if images.ndim == 3 else images
    if reset:
        estimator.n_features_in_ = int(np.prod(images.shape[1:]))
        vars(estimator).pop("feature_names_in_", None)
    elif images.shape[1:] != estimator.network_.input_shape:
        raise ShapeError(
            tr("The samples do not have the shape of those in fit."),
            where="NetworkClassifier(X)",
            expected=f"(n, {', '.join(map(str, estimator.network_.input_shape))})",
            received=images.shape,
        )
    return images


def check_labels(y: Any, X: Array, where: str) -> Array:
    """The labels (n,), one for each sample."""
    if y is None:
        raise InputError(
            tr("NetworkClassifier requires y to be passed, but the target y is None."),
            where=where,
            expected=tr("one class for each sample"),
        )
    labels = column_or_1d(y, warn=True)
    assert_all_finite(labels, input_name="y")
    check_classification_targets(labels)
    if len(labels) != len(X):
        raise InputError(
            tr("There are not as many {name} as images.", name="labels"),
            where=where,
            expected=tr("{images} {name}, one for each image", images=len(X), name="labels"),
            received=f"{len(labels)} labels",
        )
    return np.asarray(labels)


def check_early_stopping(value: Any) -> bool | None:
    """True, False, or None for "auto"."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if not isinstance(value, str) or value != "auto":
        where, expected = "NetworkClassifier(early_stopping)", "True | False | 'auto'"
        raise InputError(tr("Unknown choice."), where=where, expected=expected, received=repr(value))
    return None


def indices(labels: Array, classes: Array, where: str) -> NDArray[np.int64]:
    """The index of each label among the sorted classes."""
    wrong = np.setdiff1d(labels, classes)
    if len(wrong):
        raise InputError(
            tr("There are labels of other classes."), where=where, expected=_some(classes), received=_some(wrong)
        )
    return np.searchsorted(classes, labels).astype(np.int64)


def all_classes(given: Any, known: Array | None) -> Array:
    """The classes of `partial_fit`: those `given` at its first call, which are `known` in the next."""
    where = "NetworkClassifier.partial_fit(classes)"
    if known is None and given is None:
        raise InputError(tr("classes must be passed on the first call to partial_fit."), where=where)
    found = known if given is None else np.asarray(unique_labels(given))
    assert found is not None
    if known is not None and not np.array_equal(known, found):
        raise InputError(
            tr("The classes are not the same as on the last call."), where=where, expected=_some(known), received=_some(found)
        )
    require_two(found, where)
    return found


def require_two(classes: Array, where: str) -> None:
    """Refuse a single class."""
    if len(classes) < 2:
        raise InputError(
            tr("A classifier needs samples of at least two classes."),
            where=where,
            expected=tr("two classes or more, with samples whose weight is not 0"),
            received=tr("one class: {name}", name=_some(classes)),
        )


def class_weights(
    class_weight: Any, classes: Array, labels: NDArray[np.int64], weights: NDArray[np.float64] | None
) -> NDArray[np.float64] | None:
    """The weights of samples with these class indices, times those of their classes; None where all are 1."""
    if class_weight is None:
        return weights
    if isinstance(class_weight, dict):
        table = compute_class_weight(class_weight, classes=classes, y=classes)
    else:
        present = np.unique(labels)
        table = np.ones(len(classes))
        table[present] = compute_class_weight(class_weight, classes=present, y=labels, sample_weight=weights)
    return np.asarray(table[labels] if weights is None else weights * table[labels], dtype=np.float64)


def _some(classes: Array) -> str:
    return ", ".join([*map(str, classes[:12]), *(["…"] if len(classes) > 12 else [])])
