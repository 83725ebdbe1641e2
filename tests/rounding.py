"""How far a float32 result may lie from the exact one, as follows from the operation: nothing here is tuned to what was seen.

A sum of products, added in whatever order and with or without fused multiply-adds, differs from the exact one by at most

    γₙ · Σ|terms|,    γₙ = n·u / (1 − n·u),    u = 2⁻²⁴,

where n counts the roundings on the way of one term into the result: its factors, its products, and the sums it passes.
Source: Higham, "Accuracy and Stability of Numerical Algorithms", 2nd edition, 2002, lemma 3.1 and sections 3.1 and 4.2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
U = 2.0**-24  # half the distance from 1 to the next float32
TINY = 2.0**-126  # smaller results may be flushed to zero


def gamma(roundings: int) -> float:
    """γₙ."""
    return roundings * U / (1 - roundings * U)


def check_within(found: Array, wanted: Array, bound: Array | float) -> None:
    """Fail where found is further from wanted than the bound, or is not a number."""
    assert np.shape(found) == np.shape(wanted)
    error, limit = np.abs(np.asarray(found, np.float64) - wanted), np.broadcast_to(bound, np.shape(wanted))
    wrong = ~(error <= limit)
    if wrong.any():
        worst = np.unravel_index(np.argmax(np.where(wrong, np.where(np.isnan(error), np.inf, error), -1)), error.shape)
        raise AssertionError(
            f"{wrong.sum()} of {wrong.size} values are beyond their bounds; the worst at {[int(i) for i in worst]}: "
            f"found {found[worst]}, wanted {wanted[worst]}, error {error[worst]:.3g}, bound {limit[worst]:.3g}"
        )


def check_sum(found: Array, wanted: Array, sizes: Array, roundings: int) -> None:
    """Fail unless |found − wanted| ≤ γₙ · sizes; `sizes`: Σ|terms|, which is `wanted` of the inputs' absolute values."""
    check_within(found, wanted, gamma(roundings) * sizes + roundings * TINY)


PROMISE = 2e-7  # what kernels/activations.py promises of tanh and erf; exp: two units in the last place, 4u at most


def tanh_error(y: Array) -> Array:
    """Of the kernels' tanh where it is y: what is promised, and as small a share of small y (it is 0.55 where they begin)."""
    return PROMISE * np.minimum(1, np.abs(y) / 0.55) + TINY


def sigmoid_error(y: Array) -> Array:
    """Of the kernels' σ(x) = 1 / (1 + e⁻ˣ) where it is y: 4u of e⁻ˣ, the sum, the quotient; and the reference's own."""
    return gamma(4 + 2) * y + TINY + 2.0**-52
