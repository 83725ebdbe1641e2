"""Data sets that are always there: scikit-learn's 1,797 scanned digits, and the two numbers of the chain."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.data.dataset import Dataset, Splits
from glassnet.data.options import SplitOptions
from glassnet.data.splits import divide
from glassnet.errors import DataError
from glassnet.support.i18n import tr


def read_digits(options: SplitOptions | None = None) -> Splits:
    """The bundled digits (`all_digits`) in splits, by default 70 : 15 : 15 by class."""
    return divide(Splits(all_digits()), options or SplitOptions())


def all_digits() -> Dataset:
    """The bundled digits as `uint8` images `(N, 8, 8, 1)`, 0…16 scaled to 0…255.

    Raises `DataError` where scikit-learn, or its copy of them, is not there.
    Source: E. Alpaydin, C. Kaynak, "Optical recognition of handwritten digits", UCI Machine Learning Repository, 1998.
    """
    rows = _rows()
    pixels = np.rint(rows[:, :64] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    classes = tuple(str(digit) for digit in range(10))
    return Dataset(pixels, rows[:, 64].astype(np.int64), classes)


def _rows() -> npt.NDArray[np.float64]:
    """One row an image `(1797, 65)`: 64 pixels of 0…16, then the digit."""
    # Importing sklearn.datasets takes 1.3 s or more (it brings SciPy and pandas with it); its file reads in 0.01 s.
    # `find_spec` imports nothing. Should scikit-learn ever keep the file elsewhere, its own function finds it.
    package = importlib.util.find_spec("sklearn")
    for folder in (package.submodule_search_locations or ()) if package else ():
        file = Path(folder, "datasets", "data", "digits.csv.gz")
        if file.is_file():
            return np.loadtxt(file, delimiter=",", dtype=np.float64)
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        what = tr("The digits come with scikit-learn, which is not installed.")
        raise DataError(what, where="digits", received=str(error), hint="pip install scikit-learn") from error
    bundled: Any = load_digits()
    return np.column_stack([bundled.data, bundled.target])


def make_chain() -> Splits:
    """Inputs 1 and −1, `float32` of shape `(2, 1)`, with targets −1 and 1, `float64` of shape `(2, 1)`.

    The same two are the test part: three weights in a row, without activation, can learn e = −x exactly.
    """
    inputs = np.array([[1.0], [-1.0]], dtype=np.float32)
    pair = Dataset(inputs, -inputs.astype(np.float64))
    return Splits(train=pair, validation=None, test=pair)
