"""The nearest neighbours of every image, among all parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.analysis.inspection.features import edge_features
from glassnet.analysis.inspection.pool import Indices

MOST = 16


@dataclass(frozen=True)
class Neighbours:
    """For the images at `places` `(n,)` of a row: their neighbours' positions in `places` and distances, `(n, k)`."""

    places: Indices
    nearest: Indices
    distances: npt.NDArray[np.float32]

    @property
    def count(self) -> int:
        return int(self.nearest.shape[1])


def find_neighbours(images: npt.NDArray[Any], places: Indices) -> Neighbours:
    """The 16 nearest by `edge_features` (fewer where there are fewer), nearest first, by exact search.

    scikit-learn's brute force goes block by block through matrix products: O(n²), some 20 s for 70,000 images on two cores.
    """
    from sklearn.neighbors import NearestNeighbors

    features = edge_features(images[places] if len(places) < len(images) else images)
    count = min(MOST, len(places) - 1)
    search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(features)
    distances, nearest = search.kneighbors()
    return Neighbours(places, nearest.astype(np.intp), distances.astype(np.float32))
