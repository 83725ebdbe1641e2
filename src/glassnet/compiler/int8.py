"""The weights of layers that run in int8, and their inputs as bytes."""

from __future__ import annotations

from typing import Any

from glassnet.compiler.program_builder import ProgramBuilder
from glassnet.kernels import opcodes as op
from glassnet.kernels.sizes import COLUMNS, quad_panel


def emit_quads(
    quantized: tuple[float, int], factor: float, shape: tuple[int, int, int], weight: int, bias: int, out: ProgramBuilder
) -> tuple[int, dict[str, Any]]:
    """Where weights (groups, taps, columns) lie in quads, and the fields that make bytes of the inputs times `factor`.

    `quantized`: scale and zero of these bytes.
    """
    (scale, zero), (groups, taps, columns) = quantized, shape
    panels = out.reserve(-(-columns // COLUMNS) * quad_panel(groups, taps))
    out.emit(
        op.QUAD_WEIGHTS, groups=groups, taps=taps, columns=columns, weight=weight, bias=bias, scale=scale, zero=zero,
        panels=panels,
    )  # fmt: skip
    return panels, {"factor": factor / scale, "zero": zero}
