"""What the algorithms of a convolution cost on this machine: as `glassnet tune` measured, else figures of an AVX-512 server.

A cost is a sum over three kinds of work on registers of `LANES` floats, in nanoseconds each:

- products: multiplications with additions of a register
- transforms: registers of Winograd's transforms, of x and of y
- passes: registers of weights, or of their gradient, that are fetched for each image, of the gradient for each strip of tiles
"""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import asdict, dataclass
from math import ceil, isfinite, prod
from pathlib import Path
from typing import Literal

from glassnet.errors import writing
from glassnet.kernels.codegen.host import UNIT
from glassnet.kernels.library import cache_folder
from glassnet.kernels.sizes import gradient_tiles
from glassnet.nn.layer import Shape
from glassnet.support import cache
from glassnet.support.atomic import write_bytes

Direction = Literal["convolve", "gradient"]
"""The convolution itself, which is that of dx, too; and the gradient of its weights."""
DIRECTIONS: tuple[Direction, ...] = ("convolve", "gradient")
FILE = "glassnet_tune.json"
WINOGRAD = {3: (2, 4), 5: (2,)}  # m of Winograd's algorithms F(m×m, r×r), by r


@dataclass(frozen=True)
class Cost:
    """Nanoseconds a register of products, transforms and passes."""

    products: float
    transforms: float
    passes: float

    def of(self, work: tuple[float, float, float]) -> float:
        return self.products * work[0] + self.transforms * work[1] + self.passes * work[2]


def key(direction: Direction, outputs: int, taps: int) -> str:
    """The name of an algorithm in the file."""
    return f"{direction} F({outputs}, {taps})" if outputs else f"{direction} direct"


KEYS = tuple(key(direction, *kind) for direction in DIRECTIONS for kind in ((0, 0), (2, 3), (4, 3), (2, 5)))
MEASURED = (
    (0.297, 0.0, 0.0), (0.285, 2.621, 0.0), (0.262, 3.433, 0.0), (0.323, 1.835, 0.0),
    (0.300, 0.0, 1.154), (0.281, 1.782, 2.656), (0.234, 3.053, 2.384), (0.3, 1.9, 2.0),
)  # fmt: skip
DEFAULTS = {name: Cost(*numbers) for name, numbers in zip(KEYS, MEASURED, strict=True)}


def work(
    direction: Direction, outputs: int, window: tuple[int, int], given: Shape, made: Shape, images: int
) -> tuple[float, float, float]:
    """Products, transforms and passes of so many images of shape `given` to `made`, whose gradients are summed."""
    wide, out_wide = (ceil(shape[2] / UNIT.lanes) for shape in (given, made))
    if not outputs:
        weights = prod(window) * given[2] * out_wide
        return float(images * prod(made[:2]) * weights), 0.0, float(images * weights)
    products = (outputs + window[0] - 1) ** 2
    tiles = images * ceil(made[0] / outputs) * ceil(made[1] / outputs)
    weights = products * given[2] * out_wide
    strips = ceil(tiles / gradient_tiles(given[2], made[2])) + 1 if direction == "gradient" else 0  # else they are full
    return float(tiles * weights), float(tiles * products * (wide + out_wide)), float(strips * weights)


def store(costs: dict[str, Cost]) -> Path:
    """Keep measured costs beside the kernels; where they are."""
    path = cache_folder() / FILE
    with writing(path):
        cache.make_folder(path.parent.parent)
        path.parent.mkdir(exist_ok=True)
        write_bytes(path, json.dumps({name: asdict(cost) for name, cost in costs.items()}, indent=1).encode())
    costs_of_machine.cache_clear()
    return path


@functools.cache
def costs_of_machine() -> tuple[dict[str, Cost], str | None]:
    """The costs, and the name of what was measured on this machine; None: the defaults. A damaged file counts as none."""
    try:
        content = (cache_folder() / FILE).read_bytes()
        costs = {name: Cost(**fields) for name, fields in json.loads(content).items()}
        numbers = [number for cost in costs.values() for number in asdict(cost).values()]
        if set(costs) == set(KEYS) and all(isfinite(number) and number >= 0 for number in numbers):
            return costs, None if costs == DEFAULTS else hashlib.sha256(content).hexdigest()[:16]
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        pass
    return DEFAULTS, None
