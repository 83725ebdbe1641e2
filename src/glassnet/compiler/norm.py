"""Batch normalisation, as part of a fused block, and layer normalisation, lowered."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from glassnet.compiler.fusion import Block
from glassnet.compiler.program_builder import Back, ParamOffsets, ProgramBuilder, Value, lower
from glassnet.kernels import opcodes as op
from glassnet.nn import BatchNorm, LayerNorm
from glassnet.nn.layer import Shape


@dataclass(frozen=True)
class Normalisation:
    """The normalisation of a block, or none, and where what belongs to it lies in the workspace."""

    layer: BatchNorm | None
    offsets: ParamOffsets
    pixels: int
    channels: int
    statistics: int = -1  # of each image, where those of the mini-batch are needed
    mean: int = -1
    mean_error: int = -1
    inverse: int = -1
    gain: int = -1
    shift: int = -1

    @classmethod
    def of(cls, block: Block, shape: Shape, out: ProgramBuilder) -> Normalisation:
        """That of images of `shape` (rows, columns, channels)."""
        layer, pixels, channels = block.norm, shape[0] * shape[1], shape[2]
        if layer is None:
            return cls(layer, {}, pixels, channels)
        statistics = out.rows(3 * channels) if out.training else -1
        return cls(layer, block.norm_offsets, pixels, channels, statistics, *(out.reserve(channels) for _ in range(5)))

    @property
    def learns(self) -> bool:
        """Whether it normalises by the statistics of the mini-batch."""
        return self.statistics >= 0

    @property
    def scaling(self) -> dict[str, int]:
        return {"mean": self.mean, "gain": self.gain, "shift": self.shift}

    def emit_forward(self, out: ProgramBuilder) -> None:
        """Mean, gain and shift of each channel, from the images' statistics or the running ones."""
        if self.layer is None:
            return
        fields: dict[str, Any] = {
            "channels": self.channels, "gamma": self.offsets["gamma"], "beta": self.offsets["beta"],
            "running_mean": self.offsets["mean"], "running_variance": self.offsets["variance"],
            "mean_error": self.mean_error, "inverse": self.inverse, "epsilon": self.layer.epsilon, **self.scaling,
        }  # fmt: skip
        if not self.learns:
            out.emit(op.BATCH_NORM_RUNNING, **fields)
            return
        out.emit(
            op.BATCH_NORM_STATISTICS, **fields, pixels=self.pixels, statistics=self.statistics, momentum=self.layer.momentum,
        )  # fmt: skip

    def emit_backward(self, out: ProgramBuilder, /, **places: Any) -> int:
        """dγ and dβ; where the coefficients of dy lie."""
        if self.layer is None:
            return -1
        sums, coefficients = out.rows(2 * self.channels), out.reserve(5 * self.channels)
        out.emit(op.BATCH_NORM_SUMS, **places, mean=self.mean, inverse=self.inverse, sums=sums)
        out.emit(
            op.BATCH_NORM_GRADIENTS, pixels=self.pixels, channels=self.channels,
            pooled=int(places["epilogue"]["pool"]["window_height"] > 0), running=not self.learns, sums=sums,
            gamma=self.offsets["gamma"], beta=self.offsets["beta"], mean=self.mean, mean_error=self.mean_error,
            inverse=self.inverse, gain=self.gain, coefficients=coefficients,
        )  # fmt: skip
        return coefficients


@lower.register
def _(layer: LayerNorm, x: Value, offsets: ParamOffsets, out: ProgramBuilder) -> tuple[Value, Back]:
    x = out.loaded(x)
    y, rows = out.rows(x.width), prod(x.shape[:-1])
    kept = {"normal": -1, "inverse": -1} if out.forward_only else {"normal": out.rows(x.width), "inverse": out.rows(rows)}
    common = {"rows": rows, "width": x.shape[-1], **kept, **offsets}
    out.emit(op.LAYER_NORM, x=x.at, y=y, **common, epsilon=layer.epsilon)

    def back(dy: int, needs_dx: bool) -> int:
        dx = out.rows(x.width) if needs_dx else dy
        if needs_dx:  # before γ changes
            out.emit(op.LAYER_NORM_DX, dy=dy, dx=dx, **common)
        out.emit(op.LAYER_NORM_GRADIENTS, dy=dy, dx=dx, **common)
        return dx

    return Value(y, x.shape), back
