"""The nearest orthogonal matrix, by Newton and Schulz's iteration: what Muon makes of its steps."""

from __future__ import annotations

import numpy as np

from glassnet.kernels.sizes import MUON_A, MUON_B, MUON_C, MUON_EPSILON
from glassnet.support.arrays import Array


def orthogonal(g: Array, iterations: int) -> Array:
    """About U·Vᵀ of G = U·S·Vᵀ, (rows, columns): X ← G / ‖G‖, then `iterations` times X ← X·(a + b·A + c·A²), A = Xᵀ·X.

    Singular values of X all come to lie between 0.7 and 1.2; those of G below about ‖G‖/1000 need more than 5 iterations. Of
    G and Gᵀ the one with fewer columns is taken. Source: Jordan et al., "Muon: an optimizer for hidden layers", 2024.
    """
    wide = g.shape[0] < g.shape[1]
    x = g.T if wide else g
    x = (x / (np.sqrt(np.square(x, dtype=np.float64).sum()) + MUON_EPSILON)).astype(g.dtype)
    for _ in range(iterations):
        a = x.T @ x
        x = x @ (MUON_A * np.eye(len(a), dtype=g.dtype) + MUON_B * a + MUON_C * (a @ a))
    return x.T if wide else x
