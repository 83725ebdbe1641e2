"""Small image files, made up; and no cache but the test's own."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Array = np.ndarray[Any, Any]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of kept images."""
    monkeypatch.setenv("GLASSNET_CACHE", str(tmp_path / ".cache"))
    return tmp_path / ".cache" / "data" / "images"


def pixels_of(number: int, shape: tuple[int, ...] = (6, 5)) -> Array:
    """An image all of one number: what was decoded says which file it was."""
    return np.full(shape, number, np.uint8)


@pytest.fixture
def images(tmp_path: Path) -> Callable[..., Path]:
    """Writes PNG files of these names, the n-th all of the colour n, into a folder, or a zip if it is called so."""

    def write(names: list[str], *, at: str = "images", shape: tuple[int, ...] = (6, 5)) -> Path:
        folder = tmp_path / at.removesuffix(".zip")
        for number, name in enumerate(names):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels_of(number, shape)).save(path, "png")
        if not at.endswith(".zip"):
            return folder
        with zipfile.ZipFile(tmp_path / at, "w") as target:
            for name in names:
                target.write(folder / name, name)
        return tmp_path / at

    return write
