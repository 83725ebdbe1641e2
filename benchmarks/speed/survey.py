"""Measures the cells of the speed map, one after the other; each is written as soon as it is known."""

from __future__ import annotations

import fnmatch
import inspect
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.speed.client import held_to_avx2
from benchmarks.speed.grid import Cell, Precision
from benchmarks.speed.images import images_for
from benchmarks.speed.machine import describe
from benchmarks.speed.results import cannot_write
from benchmarks.speed.timing import Pool, Say, measure
from glassnet.errors import InputError
from glassnet.support.atomic import write_text

ROUNDS = 5
NOT_HELD = ("onnxruntime", "openvino")
"""Peers whose products (MLAS in both) have no setting against wider vectors: left out where glassnet has AVX2 alone."""

Measured = dict[str, Any]
"""Of a cell: ours and each peer's seconds, the best peer, ratio (its seconds over ours), date, notes."""


def layer_name(precision: str) -> str:
    """Under which a map is kept: the precision, and the vectors where they are held to fewer."""
    return f"{precision}, AVX2" if held_to_avx2() else precision


def unavailable(precision: Precision) -> str | None:
    """Why glassnet has no such map."""
    import glassnet as gn

    if precision == "float32" or "precision" in inspect.signature(gn.Network.fit).parameters:
        return None
    return "Network.fit takes no precision: this glassnet trains in float32 alone"


@dataclass
class Map:
    """What has been measured: machine and cells by name, for each precision."""

    path: Path
    layers: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Map:
        """The file, or an empty map."""
        if not path.exists():
            return cls(path)
        try:
            return cls(path, json.loads(path.read_text(encoding="utf-8"))["maps"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                "The speed map can't be read.", where=path, expected="a file that `python -m benchmarks map` wrote",
                received=str(error), hint="--output map.json",
            ) from error  # fmt: skip

    def cells(self, layer: str) -> dict[str, Measured]:
        found: dict[str, Measured] = self.layers.get(layer, {}).get("cells", {})
        return found

    def add(self, layer: str, cell: Cell, measured: Measured) -> None:
        """Write the file anew with this cell."""
        kept = {name: value for name, value in self.cells(layer).items() if name != cell.name}
        self.layers[layer] = {"machine": describe(), "cells": {**kept, cell.name: measured}}
        self.save()

    def save(self) -> None:
        try:
            write_text(self.path, json.dumps({"maps": self.layers}, indent=1, ensure_ascii=False) + "\n", durable=True)
        except OSError as error:
            raise cannot_write(self.path, error.strerror) from error


def selected(cells: Sequence[Cell], families: Sequence[str] = (), pattern: str | None = None) -> list[Cell]:
    """The cells of these families (none: of all) whose name has the pattern: a part of it, or with * and ?."""
    known = sorted({cell.family for cell in cells})
    for family in families:
        if family not in known:
            raise InputError("There is no such family.", where="--only", expected=", ".join(known), received=family)
    found = [
        cell
        for cell in cells
        if (not families or cell.family in families)
        and (pattern is None or fnmatch.fnmatch(cell.name.lower(), f"*{pattern.lower()}*"))
    ]
    if not found:
        raise InputError("No cell has such a name.", where="--cells", expected=f"as in {cells[0].name!r}", received=pattern)
    return found


def survey(cells: Sequence[Cell], found: Map, layer: str, *, rounds: int, say: Say) -> None:
    """Measure those of the cells that the map lacks; all of them, if it lacks none."""
    there = found.cells(layer)
    missing = [cell for cell in cells if there.get(cell.name, {}).get("ours") is None] or list(cells)
    if len(missing) < len(cells):
        say(f"map: going on, {len(cells) - len(missing)} of {len(cells)} cells are measured")
    began = time.monotonic()
    missing.sort(key=lambda cell: -cell.threads)  # stable: the processes with the same number of threads stay
    with tempfile.TemporaryDirectory(prefix="glassnet-map-") as folder, ExitStack() as stack:
        pool = stack.enter_context(Pool(Path(folder)))
        for number, cell in enumerate(missing):
            if number and cell.threads != missing[number - 1].threads:
                pool.close()
            measured = _measured(cell, pool, Path(folder), rounds)
            found.add(layer, cell, measured)
            left = (time.monotonic() - began) / (number + 1) * (len(missing) - number - 1)
            say(f"map: {number + 1} of {len(missing)}, about {left / 60:.0f} min left. {cell.name}: {_told(measured)}")


def _measured(cell: Cell, pool: Pool, folder: Path, rounds: int) -> Measured:
    began = time.monotonic()
    peers = tuple(peer for peer in cell.peers if not (held_to_avx2() and peer in NOT_HELD))
    work = replace(cell.work, peers=peers)
    with tempfile.TemporaryDirectory(dir=folder) as inputs:
        rows = measure(
            work, images_for(work), Path(inputs), threads=cell.threads, rounds=rounds, say=lambda text: None, pool=pool
        )
    ours, *others = rows
    seconds = {row.peer: row.median for row in others if row.median is not None}
    best = min(seconds, key=lambda peer: seconds[peer]) if seconds else None
    return {
        "family": cell.family,
        "row": cell.row,
        "column": cell.column,
        "threads": cell.threads,
        "unit": ours.unit,
        "ours": ours.median,
        "peers": seconds,
        "best": best,
        "ratio": None if best is None or not ours.median else seconds[best] / ours.median,
        "gflops": None if not ours.median or work.kind == "predict" else work.flops / ours.median / 1e9,
        "differs": ours.disagreement,
        "notes": {row.peer: row.note for row in rows if row.median is None},
        "took": round(time.monotonic() - began, 1),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _told(measured: Measured) -> str:
    if measured["ratio"] is None:
        return "; ".join(f"{peer} {note}" for peer, note in measured["notes"].items()) or "no peer"
    failed = f" ({', '.join(measured['notes'])} failed)" if measured["notes"] else ""
    return f"{measured['ratio']:.2f} × beside {measured['best']}, {measured['took']:.0f} s{failed}"


@dataclass(frozen=True)
class Summary:
    """What a map claims."""

    cells: int
    median: float
    worst: float
    worst_name: str
    worst_peer: str
    below_one: int
    below_nine_tenths: int

    @classmethod
    def of(cls, cells: dict[str, Measured]) -> Summary:
        ratios = {name: float(cell["ratio"]) for name, cell in cells.items() if cell["ratio"] is not None}
        if not ratios:
            raise InputError("The map has no cell.", where="map", hint="python -m benchmarks map")
        worst = min(ratios, key=lambda name: ratios[name])
        values = list(ratios.values())
        return cls(
            len(values), statistics.median(values), ratios[worst], worst, str(cells[worst]["best"]),
            sum(value < 1 for value in values), sum(value < 0.9 for value in values),
        )  # fmt: skip

    def __str__(self) -> str:
        return (
            f"{self.cells} cells: median {self.median:.2f}; worst {self.worst:.2f} ({self.worst_name}, beside "
            f"{self.worst_peer}); {self.below_one} below 1 ({self.below_one / self.cells:.1%}), "
            f"{self.below_nine_tenths} below 0.9"
        )
