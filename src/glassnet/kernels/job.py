"""What the interpreter is told: one record of addresses and numbers for each thread."""

from __future__ import annotations

import numpy as np

ADDRESSES = (
    "code", "numbers",  # the program: (instructions, 8) int64, (instructions, 2) float64
    "records",  # of stages and recurrences
    "parameters", "gradient", "first_moment", "second_moment",  # flat float32; moments 0 where the optimizer has none
    "average",  # flat float32: the moving average of the parameters, or 0
    "workspace", "constants",  # float32; constants begin with zeros enough for any bias that is not there
    "images", "order", "identity",  # uint8 or float32; int64 image numbers; int64 0, 1, 2, …
    "labels", "targets", "weights",  # int64; float32 rows, or 0; float64 per image, or 0
    "costs", "classes", "outputs",  # per place in `order`: float64; int64; float32 rows, or 0
    "rates", "keys",  # per step: float64; (steps, dropouts) uint64
    "segments", "options", "sums",  # (segments, 5) float64: offset, size, l1, l2, decay; float64; float64 per block
    "scratch", "signals",  # this thread's; all threads'
    "stages", "sequences", "augment",  # where the units of these names lie, or 0 where the program does not ask for them
)  # fmt: skip
COUNTS = (
    "instructions", "is_bytes", "images_in_order", "batch_size", "first_step", "last_step", "past_steps",
    "dropouts", "segment_count", "optimizer", "training", "keep_gradient", "averaged", "thread", "threads",
    "plain",  # whether images are taken as they are, though the program augments them
)  # fmt: skip
NUMBERS = ("smoothing", "threshold", "clip", "averaging")

JOB = np.dtype([(name, np.int64) for name in ADDRESSES + COUNTS] + [(name, np.float64) for name in NUMBERS], align=True)

# Places in `signals` (int64), in cache lines of their own. The barrier counts at place 0; the caller sets STOP to end the
# program; the first thread copies STOP to one of DECISIONS at the start of an even or an odd step.
STOP, DECISIONS, SIGNALS = 8, (16, 17), 24
