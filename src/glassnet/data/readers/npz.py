"""NumPy's `.npz`: arrays by name, as Keras keeps MNIST and `np.savez` writes them. Nothing is unpickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.data.dataset import Splits
from glassnet.data.options import ImageOptions
from glassnet.data.readers.array_names import Role, find_roles
from glassnet.data.readers.subprocess import unreadable
from glassnet.data.readers.tables import assemble
from glassnet.errors import DataError, reason
from glassnet.support.i18n import tr
from glassnet.support.memory import require_memory_for_data


def read_npz(path: Path, options: ImageOptions) -> Splits:
    """The data set in a `.npz`, in the parts that it has; see `find_roles` for the names, `assemble` for the rest.

    Raises `DataError` for a file that is damaged, and for arrays of Python objects: these would have to be unpickled.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            names = list(stored.files)
            roles = find_roles(names, path)
            members = [info for info in stored.zip.infolist() if info.filename.removesuffix(".npy") in roles.values()]
            require_memory_for_data(
                sum(info.file_size for info in members), tr("{count} arrays, unpacked", count=len(members)), path
            )
            arrays: dict[Role, npt.NDArray[Any]] = {role: _read(stored, name, path) for role, name in roles.items()}
    except DataError:
        raise
    except Exception as error:  # NumPy and zipfile fail in many ways on damaged files
        raise unreadable(path, ".npz", reason(error), tr("a whole file, as np.savez writes it")) from None
    return assemble(arrays, [name for name in names if name not in roles.values()], path, options)


def _read(stored: Any, name: str, path: Path) -> npt.NDArray[Any]:
    if _holds_objects(stored, name):
        raise DataError(
            tr("The array holds Python objects, which would have to be unpickled: that can run any program."),
            where=f"{path}, {name}",
            expected=tr("numbers or texts"),
            received="dtype object",
            hint=tr("np.array(names, dtype=str) for texts, one array of numbers for images, then np.savez"),
        )
    return np.asarray(stored[name])


def _holds_objects(stored: Any, name: str) -> bool:
    """Whether the header of an array says so."""
    with stored.zip.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        return bool(header(file)[2].hasobject)
