"""Checkpoints: the exact state after an epoch, as one file; training resumes from it with the same bits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glassnet.errors import ModelFileError
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr
from glassnet.support.storage import read_tensors, write_tensors
from glassnet.support.strict_json import plain
from glassnet.training.history import History

ARRAYS = ("parameters", "first", "second", "best", "previous", "average", "slow")
STATISTICS = "statistics."


@dataclass
class State:
    """After an epoch: parameters, moments, best and average so far, history. Random numbers follow from the seed.

    `arrays`: those of ARRAYS; `previous` is the result an epoch earlier; `average` and `slow`, the weights of a Lookahead,
    are empty where there are none. All but `slow` and the moments end in the network's running statistics, if it has any;
    `statistics` are those that training does not change.
    """

    arrays: dict[str, Array]
    statistics: dict[str, Array]
    history: History
    settings: dict[str, Any]  # what must agree for the bits to agree

    def save(self, path: Path) -> None:
        """Write the state to `path` in one step, and wait until the disk has it."""
        tensors = {
            **self.arrays,
            **{STATISTICS + name: array for name, array in self.statistics.items()},
        }
        header = {
            "kind": "checkpoint",
            "epoch": len(self.history),
            "seed": self.history.seed,
            "settings": self.settings,
            "history": plain(self.history.rows()),
        }
        write_tensors(path, tensors, header, durable=True)

    @classmethod
    def load(cls, path: Path) -> State:
        tensors, header = read_tensors(path, "checkpoint")
        try:
            tensors.setdefault("previous", tensors["best"])  # format 1 has none
            tensors.setdefault("slow", np.zeros(0, tensors["best"].dtype))  # before there was Lookahead
            history = History.from_rows(header["history"], seed=header["seed"])
            if (
                header["epoch"] != len(history)
                or not isinstance(header["seed"], int)
                or not isinstance(header["settings"], dict)
            ):
                raise ValueError("epoch, seed or settings")
            return cls(
                arrays={name: tensors[name] for name in ARRAYS},
                statistics={name[len(STATISTICS) :]: array for name, array in tensors.items() if name.startswith(STATISTICS)},
                history=history,
                settings=header["settings"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(
                tr("The checkpoint is incomplete or damaged."),
                where=path,
                received=tr("missing or wrong: {error}", error=error),
            ) from None

    def check(self, settings: dict[str, Any], sizes: dict[str, int], path: Path) -> None:
        """Refuse to resume with another network, batch size, optimizer or seed than the checkpoint's."""
        for name, value in settings.items():
            if self.settings.get(name) != value:
                raise ModelFileError(
                    tr("The checkpoint belongs to another training."),
                    where=f"{path}, {name}",
                    expected=value,
                    received=self.settings.get(name),
                    hint=tr("resume with the same settings, or start a new run in another folder"),
                )
        for name, size in sizes.items():
            array = self.arrays[name]
            if array.shape != (size,) or not np.isfinite(array).all():
                raise ModelFileError(
                    tr("An array of the checkpoint does not fit the network."),
                    where=f"{path}, {name}",
                    expected=tr("{size} finite numbers", size=size),
                    received=tr("shape {shape}", shape=array.shape),
                )
