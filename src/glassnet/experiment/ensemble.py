"""Ensembles: the mean of several networks' probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.data import Dataset
from glassnet.data.augmentation import Views
from glassnet.errors import InputError
from glassnet.network import Network
from glassnet.nn.metrics import Evaluation, evaluate_probabilities
from glassnet.support.arrays import Array, mean_of
from glassnet.support.i18n import first_of, mark, tr
from glassnet.training.arguments import check_labels


class Ensemble:
    """The mean of the networks' probabilities, (p₁ + … + pₙ)/n, which is on average more accurate than its members.

    All must have the same input shape and the same classes in the same order, else `InputError` is raised.
    Hansen and Salamon, IEEE Transactions on Pattern Analysis 1990.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        self.networks = tuple(networks)
        if not self.networks:
            raise InputError(
                tr("An ensemble needs networks."), where="Ensemble(networks)", expected=tr("at least one"), received=0
            )
        first = self.networks[0]
        for number, network in enumerate(self.networks[1:], 2):
            for what, attribute in ((mark("classes"), "classes"), (mark("input shape"), "input_shape")):
                mine, theirs = getattr(first, attribute), getattr(network, attribute)
                if mine != theirs:
                    raise InputError(
                        tr("The networks of an ensemble differ in their {what}.", what=tr(what)),
                        where=f"Ensemble(networks), network {number}",
                        expected=tr("{mine}, as the first network", mine=first_of(list(map(str, mine)))),
                        received=first_of(list(map(str, theirs))),
                    )

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, which all networks share."""
        return self.networks[0].classes

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one image."""
        return self.networks[0].input_shape

    def predict_proba(
        self,
        images: Array,
        *,
        augmentation: Views = None,
        views: int | None = None,
        seed: int = 0,
    ) -> Array:
        """Probabilities (N, classes), the mean over the networks and, as in `Network.predict_proba`, over views."""
        options: dict[str, Any] = {"augmentation": augmentation, "views": views, "seed": seed}
        return self.mean_proba(images, [options] * len(self.networks))

    def mean_proba(self, images: Array, options: Sequence[dict[str, Any]]) -> Array:
        """`predict_proba` with options of its own for each network."""
        pairs = zip(self.networks, options, strict=True)
        return mean_of(network.predict_proba(images, **each) for network, each in pairs)

    def predict(self, images: Array) -> NDArray[np.int64]:
        """Class indices (N,) of images (N, …), or of one image: those of the largest mean probability."""
        return np.asarray(self.predict_proba(images).argmax(axis=1), dtype=np.int64)

    def evaluate(
        self,
        data: Dataset | tuple[Array, Array],
        *,
        augmentation: Views = None,
        views: int | None = None,
        seed: int = 0,
        top_k: int | None = None,
    ) -> Evaluation:
        """Accuracy and confusion on images with class labels; the loss is the mean −ln p of the right class.

        `top_k` as in `Network.evaluate`.
        """
        data = self.networks[0].labelled(data, "evaluate(data)")
        check_labels(self.networks[0], data, "evaluate(data)")
        probabilities = self.predict_proba(data.images, augmentation=augmentation, views=views, seed=seed)
        return evaluate_probabilities(probabilities, data.labels, self.classes, top_k)

    def __repr__(self) -> str:
        return f"Ensemble({len(self.networks)} networks)"
