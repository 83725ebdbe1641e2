"""The space of a search: the values of each key, as in `--over hidden=10,30,100` or `--over learning_rate=log:0.001:10`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A key of a recipe and its `values`; or a range from `low` to `high`, of whole numbers, or `log`arithmic."""

    key: str
    values: tuple[Any, ...] | None = None
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False

    @property
    def is_range(self) -> bool:
        return self.values is None
