"""The precision of products: float32, bfloat16 with sums in float32, or int8 in prediction. All else is float32."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from glassnet.compiler import BFLOAT16, FLOAT32, INT8, PRECISIONS
from glassnet.errors import InputError, PrecisionWarning
from glassnet.kernels.codegen.host import HAS_BFLOAT16, HAS_INT8
from glassnet.nn.stack import Stack
from glassnet.runtime.executor import use_kernels
from glassnet.support.i18n import tr


def check_precision(
    precision: str, stack: Stack, where: str, *, has_kernels: bool = True, known: Sequence[str] = PRECISIONS
) -> str:
    """The precision, if it is known, and float32 or the kernels can run the network (`has_kernels`: and the rest)."""
    if precision == INT8:
        raise InputError(
            tr("Networks are trained in float32 or bfloat16; int8 is for prediction."), where=where,
            expected=" | ".join(PRECISIONS), received=repr(precision), hint="net.calibrate(splits.validation.images)",
        )  # fmt: skip
    if precision not in PRECISIONS:
        raise InputError(tr("There is no such precision."), where=where, expected=" | ".join(known), received=repr(precision))
    if precision != FLOAT32 and not (has_kernels and use_kernels(stack)):
        raise needs_kernels(precision, stack, where)
    return precision


def needs_kernels(precision: str, stack: Stack, where: str) -> InputError:
    """What is raised for a network that runs in NumPy."""
    return InputError(
        tr("Only the compiled kernels compute in {precision}.", precision=precision),
        where=where,
        expected=tr("float32, layers, loss and optimizer with kernels, GLASSNET_KERNELS not 0"),
        received=repr(stack),
        hint=f'precision="{FLOAT32}"',
    )


def warn_emulated(precision: str, stacklevel: int) -> None:
    """Say that this processor has no instructions for the precision."""
    if not {BFLOAT16: HAS_BFLOAT16, INT8: HAS_INT8}.get(precision, True):
        text = tr(
            "This processor has no instructions for {precision} that glassnet uses: it is emulated, slower than float32.",
            precision=precision,
        )
        warnings.warn(str(text), PrecisionWarning, stacklevel=stacklevel + 1)
