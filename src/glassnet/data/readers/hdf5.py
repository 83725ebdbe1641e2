"""HDF5 files (`.h5`), read with h5py, an optional dependency; and MATLAB's files of version 7.3, which are HDF5 files."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.data.dataset import Splits
from glassnet.data.options import ImageOptions
from glassnet.data.readers.array_names import Role, find_roles, part_of
from glassnet.data.readers.subprocess import Named, read_in_subprocess, reading
from glassnet.data.readers.tables import assemble
from glassnet.errors import DataError
from glassnet.support.i18n import tr

MAGIC = b"\x89HDF\r\n\x1a\n"
ENDINGS = (".h5", ".hdf5", ".hdf")


def read_hdf5(path: Path, options: ImageOptions) -> Splits:
    """The data set in an HDF5 file, in the parts that it has; see `find_roles` for the names, `assemble` for the rest.

    Raises `DataError` for a file that is damaged, and without h5py.
    """
    return assemble(*read_hdf5_arrays(path), path, options)


def hdf5_files(folder: Path) -> list[Path]:
    """The HDF5 files in a folder, sorted by name, without hidden ones."""
    files = (path for path in folder.iterdir() if path.suffix.lower() in ENDINGS and not path.name.startswith("."))
    return sorted(path for path in files if path.is_file())


def read_hdf5_folder(folder: Path, options: ImageOptions) -> Splits:
    """The data set in the HDF5 files of a folder, one for each part, as train_catvnoncat.h5 and test_catvnoncat.h5.

    An array whose name contains no part belongs to the part in its file's name.
    Raises `DataError` where two files hold the same, or differ in their class names.
    """
    arrays: dict[Role, npt.NDArray[Any]] = {}
    others: list[str] = []
    homes: dict[Role, Path] = {}
    for path in hdf5_files(folder):
        found, rest = read_hdf5_arrays(path, part=part_of(path.stem))
        others += rest
        for role, array in found.items():
            if role in homes and not (role[1] == "classes" and np.array_equal(array, arrays[role])):
                what = tr("Two files hold the same part.")
                expected = tr("the {part} {role} in one file", part=role[0], role=role[1])
                if role[1] == "classes":
                    what, expected = tr("Two files differ in their class names."), tr("the same classes in both")
                raise DataError(
                    what,
                    where=folder,
                    expected=expected,
                    received=tr("{first} and {second}", first=homes[role].name, second=path.name),
                    hint=tr("give the path of one file, or say train and test in their names or in their arrays' names"),
                )
            arrays[role], homes[role] = array, path
    return assemble(arrays, others, folder, options)


def read_hdf5_arrays(path: Path, **options: Any) -> Named:
    """`read_named` in a process of its own, which a damaged file may crash. Raises `DataError` where there is no h5py."""
    if importlib.util.find_spec("h5py") is None:
        what = tr("Reading this file needs h5py, which is not installed.")
        raise DataError(
            what, where=path, expected=tr("the package h5py"), hint=f"{shlex.quote(sys.executable)} -m pip install h5py"
        )
    return read_in_subprocess("glassnet.data.readers.hdf5:read_named", path, "HDF5 file", **options)


def read_named(path: Path, *, matlab: bool = False, part: str = "train") -> Named:
    """The arrays of an HDF5 file by their roles, and the names of others; with `matlab` their axes as MATLAB has them.

    `part`: of arrays whose names do not say.
    """
    import h5py

    with reading(path, "HDF5 file"), h5py.File(path, "r") as file:
        found: dict[str, Any] = dict(_datasets(h5py, file))
        roles = find_roles(found, path, part)
        arrays = {role: _values(h5py, file, found[name], matlab=matlab) for role, name in roles.items()}
        return arrays, [f"{name}: {dataset.shape}" for name, dataset in found.items() if name not in roles.values()]


def _datasets(h5py: Any, group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All data sets in a group and below; links to other files are not followed, nor what MATLAB keeps for itself."""
    for name in group:
        if name.startswith("#") or not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from _datasets(h5py, item, f"{prefix}{name}/")
        elif isinstance(item, h5py.Dataset):
            yield f"{prefix}{name}", item


def _values(h5py: Any, file: Any, dataset: Any, *, matlab: bool) -> npt.NDArray[Any]:
    if h5py.check_string_dtype(dataset.dtype) is not None:
        return np.array(dataset.asstr(errors="replace")[()], dtype=np.str_)
    kind = dataset.attrs.get("MATLAB_class")
    if matlab and kind == b"cell":  # class names: a list of references to texts
        texts = [_text(file[reference][()]) for reference in np.ravel(dataset[()])]
        return np.array(texts, dtype=np.str_)
    if matlab and kind == b"char":
        rows = np.atleast_2d(dataset[()].T)
        return np.array([_text(row).rstrip() for row in rows], dtype=np.str_)
    values: npt.NDArray[Any] = np.asarray(dataset[()])
    return values.T if matlab else values  # HDF5 counts its axes from the other end


def _text(codes: npt.NDArray[Any]) -> str:
    return "".join(chr(int(code)) for code in np.ravel(codes.T))
