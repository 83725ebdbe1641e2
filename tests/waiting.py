"""Waiting for something that another process, thread or page does."""

from __future__ import annotations

import time
from collections.abc import Callable

SOON = 60.0  # seconds, on a busy machine


def until(condition: Callable[[], object], seconds: float = SOON) -> None:
    """Return once the condition holds.

    For pages too: playwright's `wait_for_function` needs eval where it asks twice, which a page's policy forbids.
    """
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {seconds:.0f} s"
        time.sleep(0.02)
