"""Two questions about long vectors, answered without overflow on the way."""

from __future__ import annotations

import numpy as np

from glassnet.support.arrays import Array


def length(vector: Array) -> float:
    """‖v‖, which does not overflow on the way."""
    with np.errstate(over="ignore"):
        found = float(np.linalg.norm(vector))
    if np.isfinite(found):
        return found
    highest = float(np.abs(vector).max(initial=0))
    return highest * float(np.linalg.norm(vector / highest)) if highest > 0 else 0.0


def all_finite(vector: Array) -> bool:
    """Whether no number is infinite or NaN; their sum tells, unless it overflows itself."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(vector.sum())) or bool(np.isfinite(vector).all())
