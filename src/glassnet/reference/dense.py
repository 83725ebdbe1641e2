"""Dense products."""

from __future__ import annotations

from glassnet.reference.arrays import Array


def dense(x: Array, weight: Array, bias: Array | None) -> Array:
    """y = x·W + b, with x (N, inputs), W (inputs, outputs), b (outputs,)."""
    y = x @ weight
    return y if bias is None else y + bias


def dense_backward(dy: Array, x: Array, weight: Array) -> tuple[Array, Array, Array]:
    """dx = dy·Wᵀ, dW = xᵀ·dy, db = Σ dy over the pictures."""
    return dy @ weight.T, x.T @ dy, dy.sum(axis=0)
