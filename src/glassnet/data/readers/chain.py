"""The smallest data set there is: two numbers, each to be turned into its opposite."""

from __future__ import annotations

import numpy as np

from glassnet.data.dataset import Dataset, Splits


def make_chain() -> Splits:
    """Inputs 1 and −1, `float32` of shape `(2, 1)`, with targets −1 and 1, `float64` of shape `(2, 1)`.

    The same two are the test part: three weights in a row, without activation, can learn e = −x exactly.
    """
    inputs = np.array([[1.0], [-1.0]], dtype=np.float32)
    pair = Dataset(inputs, -inputs.astype(np.float64))
    return Splits(train=pair, validation=None, test=pair)
