"""Where the images of a stage lie: in the workspace, or in a frame of zeros in a thread's scratch."""

from __future__ import annotations

import numpy as np
from numba import int64

from glassnet.kernels.codegen.addresses import floats_at, integers_at
from glassnet.kernels.codegen.jit import compiled
from glassnet.kernels.conv.direct import spread
from glassnet.kernels.opcodes import INPUT

F = np.float32


@compiled
def clear(at, size):
    room = floats_at(at, size)
    for i in range(size):
        room[i] = F(0)


@compiled
def image_at(job, place, size, image):
    """The address of an image's `size` floats in the workspace; 0 if they are not there."""
    return job.workspace + 4 * (place + image * size) if place >= 0 else int64(0)


@compiled
def in_place(job, stage):
    """Whether x may be read where it lies: floats of the workspace without zeros around them, not to be scaled."""
    return stage.x != INPUT and stage.scale == 1.0 and stage.padded_height * stage.padded_width == stage.height * stage.width


@compiled
def framed_image(job, stage, first, image, framed):
    """The address of x with zeros around it; copied to `framed` unless it can be read where it lies."""
    line = stage.width * stage.channels
    size = stage.height * line
    if in_place(job, stage):
        return job.workspace + 4 * (stage.x + image * size)
    padded = stage.padded_width * stage.channels
    inside = framed + 4 * (stage.top * padded + stage.left * stage.channels)
    if stage.x == INPUT:
        number = integers_at(job.order + 8 * (first + image), 1)[0]
        source = job.images + (1 if job.is_bytes else 4) * number * size
        spread(source, job.is_bytes, F(stage.scale), stage.height, line, inside, padded)
    else:
        source = job.workspace + 4 * (stage.x + image * size)
        spread(source, int64(0), F(stage.scale), stage.height, line, inside, padded)
    return framed
