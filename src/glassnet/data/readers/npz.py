"""NumPy's `.npz`: arrays by name, as Keras keeps MNIST and `np.savez` writes them. Nothing is unpickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.data.dataset import Splits
from glassnet.data.options import ImageOptions
from glassnet.data.readers.array_names import find_roles
from glassnet.data.readers.subprocess import reading
from glassnet.data.readers.tables import assemble
from glassnet.errors import DataError
from glassnet.support.i18n import tr
from glassnet.support.memory import require_memory_for_data


def read_npz(path: Path, options: ImageOptions) -> Splits:
    """The data set in a `.npz`, in the parts that it has; see `find_roles` for the names, `assemble` for the rest.

    Raises `DataError` for a file that is damaged, and for arrays of Python objects: these would have to be unpickled.
    """
    expected = tr("a whole file, as np.savez writes it")
    with reading(path, ".npz", expected), path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        roles = find_roles(stored.files, path)
        others = [name for name in stored.files if name not in roles.values()]
        sizes = [info.file_size for info in stored.zip.infolist() if info.filename.removesuffix(".npy") in roles.values()]
        require_memory_for_data(sum(sizes), tr("{count} arrays, unpacked", count=len(sizes)), path)
        arrays = {role: _read(stored, name, path) for role, name in roles.items()}
    return assemble(arrays, others, path, options)


def read_array(path: Path, name: str) -> npt.NDArray[Any]:
    """One array of a `.npz`. Raises `DataError` as `read_npz` does, and where it has no array of that name."""
    expected = tr("a whole file, as np.savez writes it")
    with reading(path, ".npz", expected), path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        if name not in stored.files:
            raise DataError(
                tr("The file has no array of this name."), where=path, expected=name, received=", ".join(stored.files[:8])
            )
        require_memory_for_data(stored.zip.getinfo(f"{name}.npy").file_size, tr("an array, unpacked"), path)
        return _read(stored, name, path)


def _read(stored: Any, name: str, path: Path) -> npt.NDArray[Any]:
    with stored.zip.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        holds_objects = header(file)[2].hasobject
    if holds_objects:
        raise DataError(
            tr("The array holds Python objects. Loading them would unpickle them, which can run any code."),
            where=f"{path}, {name}",
            expected=tr("numbers or texts"),
            received="dtype object",
            hint=tr("np.array(names, dtype=str) for texts, one array of numbers for images, then np.savez"),
        )
    return np.asarray(stored[name])
