"""How objects of lower packages are shown by `present`, which lies above them: it is looked up by name when it is needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def present(module: str) -> Any:
    """A module of `glassnet.present`."""
    return import_module(f"glassnet.present.{module}")


class Shown:
    """A notebook shows it as `present.notebook` draws it."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return str(present("notebook").html(self))
