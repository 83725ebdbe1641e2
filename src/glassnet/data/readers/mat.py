"""MATLAB's `.mat`: classic files with SciPy, those of version 7.3 with h5py."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from glassnet.data.dataset import Splits
from glassnet.data.options import ImageOptions
from glassnet.data.readers.array_names import find_roles
from glassnet.data.readers.hdf5 import MAGIC, read_hdf5_arrays
from glassnet.data.readers.subprocess import Named, read_in_subprocess, reading
from glassnet.data.readers.tables import assemble
from glassnet.support.i18n import tr

MAPPING = "dataset/mapping"  # EMNIST's: rows of a label and the codes of its characters


def read_mat(path: Path, options: ImageOptions) -> Splits:
    """The data set in a `.mat`, in the parts that it has; see `find_roles` for the names, `assemble` for the rest.

    MATLAB's arrays are column-major: flattened images are transposed, and images `(H, W, C, N)` become `(N, H, W, C)`.
    Labels from 1 become 0-based; the classes keep the labels of the file as their names (in Andrew
    Ng's ex3data1 and ex4data1 the label 10 stands for the digit 0). Structs are searched too.
    SciPy reads it in a process of its own, which a damaged file may crash.
    Raises `DataError` for a file that is damaged, and without h5py for one of version 7.3.
    """
    with path.open("rb") as file:
        head = file.read(520)
    if head.startswith(MAGIC) or head[512:] == MAGIC:
        found = read_hdf5_arrays(path, matlab=True)
    else:
        found = read_in_subprocess("glassnet.data.readers.mat:read_named", path, ".mat")
    return assemble(*found, path, options, matlab=True)


def read_named(path: Path) -> Named:
    """The arrays of a classic `.mat` by their roles, and descriptions of all others."""
    from scipy.io import loadmat

    with reading(path, ".mat", tr("a whole file, as MATLAB's save writes it")), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy warns of names that occur twice, and of what it can't read
        found = dict(_flat(loadmat(path, simplify_cells=True)))
    if MAPPING in found and (names := _mapped(found[MAPPING])) is not None:
        found["class_names"] = names
    roles = find_roles(found, path)
    others = [f"{name}: {array.shape}" for name, array in found.items() if name not in roles.values()]
    return {role: found[name] for role, name in roles.items()}, others


def _mapped(mapping: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
    """The first character of each class; None unless the labels are 0, 1, … or 1, 2, … and characters follow them."""
    if mapping.ndim != 2 or mapping.shape[1] < 2 or mapping.dtype.kind not in "iuf":
        return None
    labels, codes = mapping[:, 0], mapping[:, 1]
    if labels[0] not in (0, 1) or not np.array_equal(labels, labels[0] + np.arange(len(labels))):
        return None
    return np.array([chr(int(code)) for code in codes]) if ((codes >= 32) & (codes < 0xD800)).all() else None


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """All arrays with names, those inside structs with the structs' names before them; lists of texts as arrays."""
    for name, value in values.items():
        if name.startswith("__"):
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}/")
            continue
        array = np.asarray(value)
        if array.dtype.kind == "O" and array.size and all(isinstance(item, str) for item in array.flat):
            array = array.astype(np.str_)
        if array.dtype.kind in "iufbU":
            yield f"{prefix}{name}", array
