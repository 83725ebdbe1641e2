"""The board as a page: benchmarks/speedrun.md, from the results of all runs so far."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speedrun.boards import BOARDS

PAGE = Path(__file__).parents[1] / "speedrun.md"
TOP = """# Speedruns

Seconds of training until the test accuracy, as the mean over seeds, reaches the target:
`python -m benchmarks.speedrun BOARD --seeds 10 --peer`.
Each recipe has a fixed number of epochs, which was chosen, as all its settings, on validation images. It then trains on
training and validation images together, and the test images are looked at once. Time includes what is taken from the images
(whitening), not reading the files, compiling the kernels (once a machine) or the test. PyTorch trains the same network from
the same starting weights, in the channels-last layout, on the same images, with the same optimizer and learning rates;
where images are more than mirrored and shifted by whole pixels, it is given glassnet's augmentation. The ratio is of the
seeds that both have trained: in turn or, where a run was continued (`--only`, `--go-on`), hours apart on the same machine.

| board | recipe | seeds | glassnet: accuracy | seconds | seeds | PyTorch: accuracy | seconds | ratio |
|---|---|---|---|---|---|---|---|---|
"""
LOSSY = """
CIFAR-10 here is a copy whose images are JPEG files, which is lossy, with half of the test set: compare its accuracies with
each other, not with those of the original. Where GLASSNET_DATA has the original's binary files (`cifar-10-batches-bin`), the
same command takes those.
"""


def write_page(results: dict[str, dict[str, Any]]) -> None:
    rows, notes = [], []
    for name, result in results.items():
        board, machine = BOARDS[name.split(",")[0]], result["machine"]
        ours, theirs = (np.array(result["runs"].get(who, [])) for who in ("glassnet", "PyTorch"))
        both = min(len(ours), len(theirs))  # seeds
        ratio = f"{theirs[:both, 0].mean() / ours[:both, 0].mean():.2f}×" if both else "–"
        cells = [*_measured(ours), *_measured(theirs), ratio]
        what = board.what if result["precision"] == "float32" else f"{board.what}, {result['precision']}"
        recipe = f"`{result['recipe']}`, {_count(result['epochs'], 'epoch')}"
        rows.append(f"| {what} | {recipe} | {' | '.join(cells)} |\n")
        notes.append(
            f"- {what}: {result['images']:,} training images, {result['tested']:,} test images; {machine['cpu']}, "
            f"{_count(result['threads'], 'thread')} on {_count(machine['usable_cpus'], 'processor')}; "
            f"glassnet {machine['glassnet']}, PyTorch {machine['torch']}; {result['date'][:10]}\n"
        )
    lossy = LOSSY if any("jpeg" in str(result["data"]) for result in results.values()) else ""
    PAGE.write_text(TOP + "".join(rows) + "\n" + "".join(notes) + lossy, encoding="utf-8")


def _measured(runs: Any) -> list[str]:
    """The number of seeds, the accuracy and the seconds of training."""
    if not len(runs):
        return ["0", "–", "–"]
    spread = f" ± {runs[:, 1].std(ddof=1):.2f}" if len(runs) > 1 else ""
    return [str(len(runs)), f"{runs[:, 1].mean():.2f}{spread} %", f"{runs[:, 0].mean():.2f}"]


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
