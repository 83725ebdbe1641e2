"""How much each image counts in the cost."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from glassnet.data import Dataset
from glassnet.errors import InputError
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr


def image_weights(
    data: Dataset, class_weight: Mapping[int, float] | str | None, sample_weight: Array | None
) -> NDArray[np.float64] | None:
    """The weight of each image: its own times its class's; None where all are 1."""
    if class_weight is None and sample_weight is None:
        return None
    weights = np.ones(len(data)) if sample_weight is None else np.array(sample_weight, dtype=np.float64)
    if class_weight is not None:
        counts = data.counts
        if isinstance(class_weight, str):
            if class_weight != "balanced":
                raise InputError(
                    tr("Unknown class weights."),
                    where="fit(class_weight)",
                    expected=tr("'balanced', or {weights}", weights="{class: weight}"),
                    received=repr(class_weight),
                )
            table = len(data) / (np.count_nonzero(counts) * np.maximum(counts, 1))
        else:
            table = np.ones(len(counts))
            for label, weight in class_weight.items():
                if not 0 <= int(label) < len(counts):
                    raise InputError(
                        tr("There is no such class."),
                        where="fit(class_weight)",
                        expected=f"0 … {len(counts) - 1}",
                        received=label,
                    )
                table[int(label)] = weight
        weights = weights * table[data.labels]
    if weights.shape != (len(data),) or not np.isfinite(weights).all() or weights.min() < 0:
        raise InputError(
            tr("Weights are one number of at least 0 for each image."),
            where="fit(sample_weight)",
            expected=tr("({count},), finite, none negative", count=len(data)),
            received=tr("shape {shape}", shape=weights.shape),
        )
    return weights
