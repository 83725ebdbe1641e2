"""HDF5 files (`.h5`), by way of h5py, which is an extra; and MATLAB's files of version 7.3, which are HDF5 inside."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.data.dataset import Splits
from glassnet.data.options import PictureOptions
from glassnet.data.roles import Role, find_roles
from glassnet.data.tables import assemble
from glassnet.errors import DataError

MAGIC = b"\x89HDF\r\n\x1a\n"


def read_hdf5(path: Path, options: PictureOptions) -> Splits:
    """The data set in an HDF5 file, in the parts that it has; see `find_roles` for the names, `assemble` for the rest.

    Raises `DataError` for a file that is damaged, and without h5py.
    """
    return assemble(*read_named(path, matlab=False), path, options)


def read_named(path: Path, *, matlab: bool) -> tuple[dict[Role, npt.NDArray[Any]], list[str]]:
    """The arrays of an HDF5 file by their roles, and the names of others; with `matlab` their axes as MATLAB has them."""
    h5py = _h5py(path)
    try:
        with h5py.File(path, "r") as file:
            found: dict[str, Any] = dict(_datasets(h5py, file))
            roles = find_roles(found, path)
            arrays = {role: _values(h5py, file, found[name], matlab=matlab) for role, name in roles.items()}
            others = [f"{name}: {dataset.shape}" for name, dataset in found.items() if name not in roles.values()]
    except DataError:
        raise
    except Exception as error:  # HDF5's own library fails in many ways on damaged files
        raise DataError(
            "The HDF5 file can't be read: it is damaged, cut off or none at all.",
            where=path,
            expected="a whole file",
            received=(str(error) or type(error).__name__).splitlines()[0],
            hint="get the file again",
        ) from None
    return arrays, others


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


def _h5py(path: Path) -> Any:
    with contextlib.suppress(ImportError):
        import h5py

        return h5py
    raise DataError(
        "Reading this file needs h5py, which is not installed.",
        where=path,
        expected="the package h5py",
        received="no such package",
        hint="pip install 'glassnet[hdf5]'",
    )
