"""The bundled digits, and splits of them with planted faults; a cache of its own for each test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.data.readers.builtin import all_digits

Array = np.ndarray[Any, Any]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassnet.data.decode_many.cache_folder", lambda: tmp_path / "cache")


@pytest.fixture(scope="session")
def digits() -> tuple[Array, Array]:
    """600 digits."""
    data = all_digits()
    return np.array(data.images[:600]), np.array(data.labels[:600])


@pytest.fixture
def planted(digits: tuple[Array, Array]) -> Callable[..., gn.Splits]:
    """Digits in train (400) and test (200) after `change(images, labels)` altered copies of both arrays."""

    def make(change: Callable[[Array, Array], None] | None = None, groups: Array | None = None) -> gn.Splits:
        images, labels = digits[0].copy(), digits[1].copy()
        if change is not None:
            change(images, labels)
        dataset = gn.Dataset(images, labels, groups=groups)
        return gn.Splits(dataset[:400], None, dataset[400:])

    return make
