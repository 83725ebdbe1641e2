"""The images behind each cell of the confusion matrix: as many as the page can carry, evenly from all cells."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassnet.present.figures.base import percent
from glassnet.present.report.facts import Facts
from glassnet.present.report.sprites import LARGEST

MOST_PIXELS = 1_300_000  # of all images on the page together, under 1.5 MB even where they are noise
MOST_PICTURES = 1_500
EACH = 40  # images of one cell


def room(shape: tuple[int, ...]) -> int:
    """How many images of a shape the page may carry."""
    height, width = shape[0], shape[1]
    share = min(1.0, LARGEST / max(height, width))
    return int(min(MOST_PICTURES, MOST_PIXELS // max(1.0, height * share * width * share)))


def choose(facts: Facts, budget: int) -> dict[tuple[int, int], list[int]]:
    """Places of images for each cell (is, was called) within a budget, which all cells share evenly.

    Within a cell the most telling come first: of wrong answers the surest, of right ones the least sure.
    """
    assert facts.found is not None
    sure = facts.sureness if facts.sureness is not None else np.zeros(len(facts.data))
    truth, said = facts.data.labels, facts.found
    order = np.lexsort((np.arange(len(said)), np.where(truth == said, sure, -sure)))
    waiting: dict[tuple[int, int], list[int]] = {}
    for place in order:
        cell = waiting.setdefault((int(truth[place]), int(said[place])), [])
        if len(cell) < EACH:
            cell.append(int(place))
    chosen: dict[tuple[int, int], list[int]] = {cell: [] for cell in waiting}
    wrong = [cell for cell in waiting if cell[0] != cell[1]]
    right = [cell for cell in waiting if cell[0] == cell[1]]
    left = budget
    for kind, most in ((right, 8), (wrong, EACH), (right, EACH)):
        for turn in range(most):
            for pair in sorted(kind):
                if left and turn == len(chosen[pair]) < len(waiting[pair]):
                    chosen[pair].append(waiting[pair][turn])
                    left -= 1
    return {cell: places for cell, places in chosen.items() if places}


def for_script(facts: Facts, cells: dict[tuple[int, int], list[int]], styles: dict[int, str]) -> dict[str, Any]:
    """The cells as the page's script reads them: {"3,5": [[style, place, how sure, or None], …]}."""
    sure = facts.sureness
    return {
        f"{truth},{said}": [[styles[place], place, None if sure is None else percent(float(sure[place]))] for place in places]
        for (truth, said), places in cells.items()
    }
