"""Several networks that answer together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from glassnet.data import Dataset
from glassnet.errors import InputError
from glassnet.metrics import Evaluation, confusion_matrix
from glassnet.network import Network, as_dataset
from glassnet.reference import Array
from glassnet.training.loop import check_labels


class Ensemble:
    """The mean of the networks' probabilities, (p₁ + … + pₙ)/n: it is right more often than its members are on average.

    `networks`: at least one; all take pictures of one shape and know the same classes in the same order.
    Raises `InputError` where they do not. Hansen and Salamon, IEEE Transactions on Pattern Analysis 1990.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        self.networks = tuple(networks)
        if not self.networks:
            raise InputError("An ensemble needs networks.", where="Ensemble(networks)", expected="at least one", received=0)
        first = self.networks[0]
        for number, network in enumerate(self.networks[1:], 2):
            for what, mine, theirs in (
                ("classes", first.classes, network.classes),
                ("shape of pictures", first.input_shape, network.input_shape),
            ):
                if mine != theirs:
                    raise InputError(
                        f"The networks of an ensemble differ in their {what}.",
                        where=f"Ensemble(networks), network {number}",
                        expected=f"{_spell(mine)}, as the first network",
                        received=_spell(theirs),
                    )

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, which all networks share."""
        return self.networks[0].classes

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one picture."""
        return self.networks[0].input_shape

    def predict_proba(self, images: Array) -> Array:
        """Probabilities (N, classes), the mean over the networks; rows sum to 1."""
        return np.asarray(np.mean([network.predict_proba(images) for network in self.networks], axis=0))

    def predict(self, images: Array) -> NDArray[np.int64]:
        """Class indices (N,) of pictures (N, …), or of one picture: those of the largest mean probability."""
        return np.asarray(self.predict_proba(images).argmax(axis=1), dtype=np.int64)

    def evaluate(self, data: Dataset | tuple[Array, Array]) -> Evaluation:
        """Accuracy and confusion on pictures with class labels; the cost is the mean −ln p of the right class."""
        data = as_dataset(data, "evaluate(data)")
        if not data.is_classification:
            raise InputError(
                "An ensemble tells classes apart.",
                where="evaluate(data)",
                expected="labels (N,) of classes",
                received=f"targets {data.labels.shape}",
            )
        check_labels(self.networks[0], data, "evaluate(data)")
        return evaluate_probabilities(self.predict_proba(data.images), data.labels, self.classes)

    def __repr__(self) -> str:
        return f"Ensemble({len(self.networks)} networks)"


def evaluate_probabilities(probabilities: Array, labels: NDArray[np.int64], classes: tuple[str, ...]) -> Evaluation:
    """Accuracy, confusion and −ln p of the right class, out of probabilities (N, classes) and labels (N,)."""
    found = probabilities.argmax(axis=1)
    right = probabilities[np.arange(len(labels)), labels]
    loss = float(-np.log(np.maximum(right, np.finfo(np.float64).tiny)).mean())  # a p of 0 costs 708, not infinity
    confusion = confusion_matrix(labels, found, len(classes))
    return Evaluation(loss, int((found == labels).sum()), len(labels), confusion, classes)


def _spell(values: tuple[object, ...]) -> str:
    return ", ".join(map(str, values[:12])) + (" …" if len(values) > 12 else "")
