"""Data sets of image files that have a name: the Chinese numerals, and cats among other things."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path

from glassnet.data.dataset import Splits
from glassnet.data.fetch import data_folders
from glassnet.data.options import Fractions, ReadOptions
from glassnet.data.readers.folder import Folder
from glassnet.data.readers.image_files import read_image_files
from glassnet.data.readers.zip_file import Zip
from glassnet.data.splits import divide
from glassnet.errors import DataError
from glassnet.support.i18n import tr
from glassnet.support.paths import is_dir, is_file

FRACTIONS: Fractions = (0.7, 0.1, 0.2)
NUMERALS, CATS = "chinese-numerals", "cats"
_CATS_SIZE = (64, 64)  # photographs of many sizes; a recipe says otherwise


def find_images(name: str) -> Path | None:
    """`name`.zip or the folder `name`, in `$GLASSNET_DATA`, else in the folder of downloads; or None."""
    for folder in data_folders():
        if is_file(folder / f"{name}.zip"):
            return folder / f"{name}.zip"
        if is_dir(folder / name):
            return folder / name
    return None


def how_to_get(name: str) -> str:
    """What to do where it is not on this machine."""
    return tr("set GLASSNET_DATA to a folder that has {name}.zip, or a folder {name}, in it", name=name)


def read_numerals(options: ReadOptions) -> Splits:
    """The 15 Chinese numerals, 15,000 grey images of 64 × 64 by 100 writers; by default split 70 : 10 : 20 by writer.

    Raises `DataError` where they are not on this machine.
    Source: K. Nazarpour and M. Chen, "Handwritten Chinese Numbers", Newcastle University, 2017.
    """
    return _read(NUMERALS, options)


def read_cats(options: ReadOptions) -> Splits:
    """852 photographs with cats and 800 without, 64 × 64 unless another size is asked for; by default split 70 : 10 : 20.

    Raises `DataError` where they are not on this machine.
    Source: Asirra cats and dogs; P. Arbeláez et al., "Berkeley Segmentation Data Set 500", 2011.
    """
    if options.size is None:
        options = replace(options, size=_CATS_SIZE)
    return _read(CATS, options)


def _read(name: str, options: ReadOptions) -> Splits:
    path = find_images(name)
    if path is None:
        raise DataError(
            tr("The data set {name} is not on this machine.", name=name),
            where=f"GLASSNET_DATA={os.environ.get('GLASSNET_DATA', '')}",
            expected=tr("{name}.zip or a folder {name}", name=name),
            received=tr("neither"),
            hint=how_to_get(name),
        )
    return read_path(path, options, FRACTIONS)


def read_path(path: Path, options: ReadOptions, default: Fractions) -> Splits:
    """The images in a folder or a zip, divided as asked for."""
    if path.is_dir():
        found = read_image_files(Folder(path), options, options.pattern)
    else:
        with contextlib.closing(Zip(path)) as files:
            found = read_image_files(files, options, options.pattern)
    return divide(found, options, default)
