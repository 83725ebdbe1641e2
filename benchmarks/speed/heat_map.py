"""Draws the speed map: a panel for each family, in each cell the time of the best peer over glassnet's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.survey import Measured, Summary

TITLES = {
    "dense": "Training: dense networks, 784-…-10",
    "convolution": "Training: three convolutions, mini-batch 32",
    "recurrent": "Training: one recurrent layer over rows of 28, mini-batch 64",
    "networks": "Training: whole networks",
    "prediction": "Prediction",
}
PLACES = (("dense", "convolution"), ("networks", "recurrent"), ("prediction",))
"""Panels of each line of the picture."""
WIDTH, DPI = 14.5, 110
SPAN = 4.0
"""Ratios from 1/SPAN to SPAN are told apart by colour."""


def draw(cells: dict[str, Measured], machine: dict[str, Any], layer: str, path: Path) -> None:
    """Write the picture (.png or .svg); cells that were not measured are empty."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    lines = [found for line in PLACES if (found := [family for family in line if _of(cells, family)])]
    heights = [max(len(_rows(cells, family)) for family in line) + 3.2 for line in lines]
    figure = pyplot.figure(figsize=(WIDTH, 0.27 * sum(heights) + 1.1), dpi=DPI, facecolor="white", layout="constrained")
    figure.suptitle(_title(cells, machine, layer), fontsize=10, ha="left", x=0.01)
    grid = figure.add_gridspec(len(lines), 1, height_ratios=heights)
    for place, line in enumerate(lines):
        widths = [len(_columns(cells, family)) + 3 for family in line] + ([8] if len(line) == 1 else [])
        inner = grid[place].subgridspec(1, len(widths), width_ratios=widths)
        for number, family in enumerate(line):
            _panel(figure.add_subplot(inner[number]), cells, family)
        if len(line) == 1:
            _legend(figure.add_subplot(inner[1]))
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else {"Software": None})
    pyplot.close(figure)


def _title(cells: dict[str, Measured], machine: dict[str, Any], layer: str) -> str:
    found = Summary.of(cells)
    versions = ", ".join(
        f"{name} {machine[key]}"
        for name, key in (
            ("PyTorch", "torch"), ("JAX", "jax"), ("ONNX Runtime", "onnxruntime"), ("OpenVINO", "openvino"),
        )
        if machine.get(key, "not installed") != "not installed"
    )  # fmt: skip
    threads = max(cell["threads"] for cell in cells.values())
    return (
        f"glassnet {machine['glassnet']}, {layer}: time of the best of {versions}, over glassnet's; "
        "above 1, glassnet is quicker\n"
        f"{machine['cpu']}, {threads} threads unless noted, {machine['date'][:10]}. "
        f"{found.cells} cells, median {found.median:.2f}, worst {found.worst:.2f} ({found.worst_name}), "
        f"{found.below_one} below 1"
    )


def _of(cells: dict[str, Measured], family: str) -> list[Measured]:
    return [cell for cell in cells.values() if cell["family"] == family]


def _rows(cells: dict[str, Measured], family: str) -> list[str]:
    return list(dict.fromkeys(cell["row"] for cell in _of(cells, family)))


def _columns(cells: dict[str, Measured], family: str) -> list[str]:
    return list(dict.fromkeys(cell["column"] for cell in _of(cells, family)))


def _panel(axes: Any, cells: dict[str, Measured], family: str) -> None:
    rows, columns = _rows(cells, family), _columns(cells, family)
    ratios = np.full((len(rows), len(columns)), np.nan)
    for cell in _of(cells, family):
        if cell["ratio"] is not None:
            ratios[rows.index(cell["row"]), columns.index(cell["column"])] = cell["ratio"]
    shown = np.log(np.clip(ratios, 1 / SPAN, SPAN))
    axes.imshow(shown, cmap=_colours(), vmin=-np.log(SPAN), vmax=np.log(SPAN), aspect="auto")
    for (row, column), ratio in np.ndenumerate(ratios):
        if np.isfinite(ratio):
            dark = abs(shown[row, column]) > 0.62 * np.log(SPAN)
            losing = {"fontweight": "bold"} if ratio < 1 else {}
            text = f"{ratio:.2f}" if ratio < 9.995 else f"{ratio:.0f}"
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color="white" if dark else "black", **losing)
        else:
            axes.text(column, row, "·", ha="center", va="center", fontsize=8, color="0.5")
    axes.set_title(TITLES[family], fontsize=9.5, loc="left")
    axes.set_xticks(range(len(columns)), [_broken(column) for column in columns], fontsize=7)
    axes.set_yticks(range(len(rows)), rows, fontsize=7.5)
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(-0.5, len(columns)), minor=True)
    axes.set_yticks(np.arange(-0.5, len(rows)), minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _broken(words: str) -> str:
    """On a line each: what commas and "at" divide."""
    return words.replace(", ", "\n").replace(" at ", "\nat ")


def _colours() -> Any:
    """Red below 1 and blue above, with a step between: told apart without colour vision, and in grey by bold numbers."""
    from matplotlib.colors import LinearSegmentedColormap

    losing, winning = ["#67001f", "#b2182b", "#e8735c", "#fbc9b4"], ["#eaf2f9", "#86bbdd", "#3480b9", "#0d3a6b"]
    places = [*np.linspace(0, 0.5, len(losing)), *np.linspace(0.5, 1, len(winning))]
    return LinearSegmentedColormap.from_list("losing and winning", list(zip(places, losing + winning, strict=True)))


def _legend(axes: Any) -> None:
    values = np.geomspace(1 / SPAN, SPAN, 256)[None]
    axes.imshow(np.log(values), cmap=_colours(), vmin=-np.log(SPAN), vmax=np.log(SPAN), aspect="auto", extent=(-1, 1, 0, 1))
    ticks: Sequence[float] = (1 / 4, 1 / 2, 0.8, 1, 1.25, 2, 4)
    axes.set_xticks([np.log(tick) / np.log(SPAN) for tick in ticks], [f"{tick:g}" for tick in ticks], fontsize=8)
    axes.set_yticks([])
    axes.set_box_aspect(0.06)
    axes.set_title("a peer is quicker  (red, bold)      ·      glassnet is quicker  (blue)", fontsize=8)
