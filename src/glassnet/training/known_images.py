"""What a network knows of the images it was trained on: what they look like, and how unlike them others are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.data import Dataset
from glassnet.data.style import ImageStyle
from glassnet.errors import InputError
from glassnet.nn.stack import Stack
from glassnet.runtime.features import HiddenFeatures, feature_width, hidden_depths
from glassnet.runtime.novelty import Novelty
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr
from glassnet.training.arguments import as_dataset, check_novelty
from glassnet.training.habits import Familiar

PREFIX = "novelty."  # of the arrays in a model file that are not a layer's


class KnowsImages(Familiar):
    """Novelty and the style of images: both hold for the weights and images of one training, and are saved with them."""

    image_style: ImageStyle | None = None
    _features: HiddenFeatures | None = None
    _novelty: Novelty | None = None

    def __getstate__(self) -> dict[str, Any]:
        """All but machine code and addresses, which are of this process alone."""
        return super().__getstate__() | {"_features": None}

    def forget_images(self) -> None:
        """Forget what is known of the images trained on, as `fit` does and whatever else sets the weights."""
        self._features = self._novelty = self.image_style = None

    @property
    def parameters(self) -> Array:
        """All parameters as one vector: a copy; assign to set them, which forgets the images that were trained on."""
        return self.flat.copy()

    @parameters.setter
    def parameters(self, values: Array) -> None:
        Stack.parameters.__set__(self, values)  # type: ignore[attr-defined]  # a property's
        self.forget_images()

    def set_weights(self, arrays: Sequence[Array]) -> None:
        """Set the arrays that `get_weights` gives, and forget the images that were trained on.

        Raises `ShapeError` where they do not fit.
        """
        super().set_weights(arrays)
        self.forget_images()

    def fit_novelty(
        self,
        train: Dataset | tuple[Array, Array],
        validation: Dataset | tuple[Array, Array] | None = None,
        *,
        threads: int | None = None,
    ) -> None:
        """Remember what the training images look like in the hidden layers, for `novelty` and `is_novel`.

        At most 10,000 images are kept, as up to 256 bytes each, and saved with the network. The limit of `is_novel` is set so
        that a new image like the validation images exceeds it with a probability of 1 %; without these, each training image
        is compared with the others. `glassnet.train` has done this; after `fit`, call it, as training makes it void.
        Raises `InputError` for targets that are not classes, and for a network without a hidden layer.
        """
        data = as_dataset(train, "fit_novelty(train)")
        held_out = None if validation is None else as_dataset(validation, "fit_novelty(validation)")
        check_novelty(data)
        rows = self.rows(data.images), None if held_out is None else self.rows(held_out.images)
        self._novelty = Novelty.fit(HiddenFeatures(self, hidden_depths(self), threads), *rows)

    def _hidden(self) -> HiddenFeatures:
        if self._features is None:
            self._features = HiddenFeatures(self, hidden_depths(self))
        return self._features

    @property
    def fitted_novelty(self) -> Novelty | None:
        """What `fit_novelty` has found: its limit was set on `.validated` images, of which `.alarms` exceed it."""
        return self._novelty

    def novelty(self, images: Array) -> NDArray[np.float64]:
        """How unlike the training images each image is, (N,): the distance in the hidden layers to the nearest, by its limit.

            novelty = min ‖z − zᵢ‖ / limit over the training images i

        z are principal components of the last hidden layer's outputs, and of those halfway to it. Above 1, `is_novel`.
        """
        hidden, rows = self._hidden(), self.rows(images)
        if self._novelty is None:
            raise InputError(
                tr("This network does not know yet what its training images look like."),
                where="novelty",
                expected=tr("a network from glassnet.train, or one that fit_novelty was called for after its training"),
                hint="net.fit_novelty(splits.train, splits.validation)",
            )
        return self._novelty.of(hidden(rows))

    def is_novel(self, images: Array) -> NDArray[np.bool_]:
        """Whether each image is none of what the network was trained on, (N,): its novelty exceeds 1.

        Of images like the training images, 1 % are called novel. An image of something else is not always: a letter O is a 0.
        """
        return np.asarray(self.novelty(images) > 1)

    def _known(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """What is known, as the arrays and the header of a model file."""
        arrays: dict[str, Array] = {}
        header: dict[str, Any] = {}
        if self._novelty is not None:
            arrays = {PREFIX + name: array for name, array in self._novelty.arrays().items()}
            header["novelty"] = self._novelty.figures()
        if self.image_style is not None:
            header["image_style"] = self.image_style.describe()
        return arrays, header

    def _remember_style(self, header: dict[str, Any]) -> None:
        """As in the header of a model file, checked; those of earlier versions have none."""
        if "image_style" in header:
            self.image_style = ImageStyle.from_description(header["image_style"])

    def _remember_novelty(self, arrays: dict[str, Array], header: dict[str, Any], path: Path) -> None:
        """As `_known` gave it, checked."""
        if arrays or "novelty" in header:
            found = {name.removeprefix(PREFIX): array for name, array in arrays.items()}
            self._novelty = Novelty.restore(found, header.get("novelty"), feature_width(self), path)
