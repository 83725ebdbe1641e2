"""Recurrences over sequences x (N, T, D): states h (N, T, units), and back through time.

W (D, k·units), U (units, k·units) and b (k·units,) hold k gates side by side. Every state starts at zero.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from glassnet.reference.arrays import Array
from glassnet.reference.pointwise import leaky_relu, leaky_relu_backward, sigmoid, sigmoid_backward, tanh_backward

Gradients = tuple[Array, ...]

# name → (y of x, dx of dy and y): the derivative follows from the output alone
RECURRENT_ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array, Array], Array]]] = {
    "tanh": (np.tanh, tanh_backward),
    "relu": (lambda x: leaky_relu(x, 0.0), lambda dy, y: leaky_relu_backward(dy, y, 0.0)),
}


def _inputs(x: Array, weight: Array, bias: Array) -> Array:
    """x·W + b of all steps at once, (T, N, k·units)."""
    n, steps, width = x.shape
    return (x.transpose(1, 0, 2).reshape(steps * n, width) @ weight + bias).reshape(steps, n, len(bias))


def _inputs_backward(dgates: Array, x: Array, weight: Array) -> tuple[Array, Array, Array]:
    """dx (N, T, D), dW and db from the gradient of x·W + b, (T, N, k·units)."""
    steps, n, width = dgates.shape
    flat = dgates.reshape(steps * n, width)
    dx = (flat @ weight.T).reshape(steps, n, len(weight)).transpose(1, 0, 2)
    return dx, x.transpose(1, 0, 2).reshape(steps * n, len(weight)).T @ flat, flat.sum(axis=0)


def _before(states: Array) -> Array:
    """The state that each step starts from: (T, N, units), zeros first."""
    return np.concatenate([np.zeros_like(states[:1]), states[:-1]])


def _product(a: Array, b: Array) -> Array:
    """Σ aᵀ·b over steps and pictures."""
    return a.reshape(-1, a.shape[-1]).T @ b.reshape(-1, b.shape[-1])


def simple_rnn(x: Array, weight: Array, recurrent: Array, bias: Array, activation: str) -> Array:
    """hₜ = f(xₜ·W + hₜ₋₁·U + b), (N, T, units)."""
    f = RECURRENT_ACTIVATIONS[activation][0]
    gates = _inputs(x, weight, bias)
    h = np.zeros_like(gates[0])
    states = np.empty_like(gates)
    for t, gate in enumerate(gates):
        h = states[t] = f(gate + h @ recurrent)
    return states.transpose(1, 0, 2)


def simple_rnn_through_time(dy: Array, h: Array, recurrent: Array, activation: str) -> tuple[Array, Array]:
    """The gradients by what goes into f and by the states, (T, N, units) each, with all that later steps add."""
    back = RECURRENT_ACTIVATIONS[activation][1]
    states, dstates = h.transpose(1, 0, 2), dy.transpose(1, 0, 2)
    dgates, dh, by_state = np.empty_like(states), np.zeros_like(states[0]), np.empty_like(states)
    for t in reversed(range(len(states))):
        by_state[t] = dstates[t] + dh
        dgates[t] = back(by_state[t], states[t])
        dh = dgates[t] @ recurrent.T
    return dgates, by_state


def simple_rnn_backward(dy: Array, x: Array, h: Array, weight: Array, recurrent: Array, activation: str) -> Gradients:
    """(dx, dW, dU, db) from dy (N, T, units), the gradient by every state."""
    states = h.transpose(1, 0, 2)
    dgates, _ = simple_rnn_through_time(dy, h, recurrent, activation)
    dx, dweight, dbias = _inputs_backward(dgates, x, weight)
    return dx, dweight, _product(_before(states), dgates), dbias


def lstm(x: Array, weight: Array, recurrent: Array, bias: Array) -> tuple[Array, Array, Array]:
    """States h (N, T, units); with them the cells c and the gates i, f, g, o, as (T, N, …), which backward needs.

        i, f, o = σ(…),  g = tanh(…)  of  xₜ·W + hₜ₋₁·U + b        cₜ = f·cₜ₋₁ + i·g        hₜ = o·tanh cₜ

    Source: Hochreiter and Schmidhuber, 1997; the forget gate: Gers, Schmidhuber, Cummins, 2000.
    """
    gates, units = _inputs(x, weight, bias), recurrent.shape[0]
    h = c = np.zeros_like(gates[0][:, :units])
    states, cells = np.empty_like(gates[..., :units]), np.empty_like(gates[..., :units])
    for t, gate in enumerate(gates):
        gate += h @ recurrent
        i, f, g, o = np.split(gate, 4, axis=-1)  # views
        i[...], f[...], g[...], o[...] = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c = cells[t] = f * c + i * g
        h = states[t] = o * np.tanh(c)
    return states.transpose(1, 0, 2), cells, gates


def lstm_through_time(dy: Array, cells: Array, gates: Array, recurrent: Array) -> tuple[Array, Array, Array]:
    """The gradients by what goes into the gates, by the states and by the cells, (T, N, …), with all that later steps add."""
    dstates, earlier = dy.transpose(1, 0, 2), _before(cells)
    dgates, by_state, by_cell = np.empty_like(gates), np.empty_like(cells), np.empty_like(cells)
    dh = dc = np.zeros_like(cells[0])
    for t in reversed(range(len(cells))):
        i, f, g, o = np.split(gates[t], 4, axis=-1)
        bent = np.tanh(cells[t])
        dh = by_state[t] = dstates[t] + dh
        dc = by_cell[t] = dc + tanh_backward(dh * o, bent)
        parts = (
            sigmoid_backward(dc * g, i),
            sigmoid_backward(dc * earlier[t], f),
            tanh_backward(dc * i, g),
            sigmoid_backward(dh * bent, o),
        )
        dgates[t] = np.concatenate(parts, axis=-1)
        dc = dc * f
        dh = dgates[t] @ recurrent.T
    return dgates, by_state, by_cell


def lstm_backward(dy: Array, x: Array, h: Array, cells: Array, gates: Array, weight: Array, recurrent: Array) -> Gradients:
    """(dx, dW, dU, db) from dy (N, T, units), the gradient by every state."""
    states = h.transpose(1, 0, 2)
    dgates, _, _ = lstm_through_time(dy, cells, gates, recurrent)
    dx, dweight, dbias = _inputs_backward(dgates, x, weight)
    return dx, dweight, _product(_before(states), dgates), dbias


def gru(x: Array, weight: Array, recurrent: Array, bias: Array, recurrent_bias: Array) -> tuple[Array, Array, Array]:
    """States h (N, T, units); with them the gates r, z, n and the inner product m, as (T, N, …), which backward needs.

        r, z = σ(xₜ·W + hₜ₋₁·U + b)    m = hₜ₋₁·Uₙ + b′    n = tanh(xₜ·Wₙ + bₙ + r·m)    hₜ = (1 − z)·n + z·hₜ₋₁

    The reset gate acts after the product, as in cuDNN. Source: Cho et al., arXiv 1406.1078, version 1.
    """
    gates, units = _inputs(x, weight, bias), recurrent.shape[0]
    h = np.zeros_like(gates[0][:, :units])
    states, inner = np.empty_like(gates[..., :units]), np.empty_like(gates[..., :units])
    for t, gate in enumerate(gates):
        step = h @ recurrent
        r, z, n = np.split(gate, 3, axis=-1)  # views
        r[...], z[...] = sigmoid(r + step[:, :units]), sigmoid(z + step[:, units : 2 * units])
        inner[t] = step[:, 2 * units :] + recurrent_bias
        n[...] = np.tanh(n + r * inner[t])
        h = states[t] = (1 - z) * n + z * h
    return states.transpose(1, 0, 2), gates, inner


def gru_through_time(dy: Array, h: Array, gates: Array, inner: Array, recurrent: Array) -> tuple[Array, Array, Array]:
    """The gradients by xₜ·W + b, by hₜ₋₁·U and by the states, (T, N, …), with all that later steps add."""
    states, dstates = h.transpose(1, 0, 2), dy.transpose(1, 0, 2)
    earlier = _before(states)
    dgates, dsteps, by_state = np.empty_like(gates), np.empty_like(gates), np.empty_like(states)
    dh = np.zeros_like(states[0])
    for t in reversed(range(len(states))):
        r, z, n = np.split(gates[t], 3, axis=-1)
        dh = by_state[t] = dstates[t] + dh
        dn = tanh_backward(dh * (1 - z), n)
        dr, dz = sigmoid_backward(dn * inner[t], r), sigmoid_backward(dh * (earlier[t] - n), z)
        dgates[t], dsteps[t] = np.concatenate([dr, dz, dn], axis=-1), np.concatenate([dr, dz, dn * r], axis=-1)
        dh = dh * z + dsteps[t] @ recurrent.T
    return dgates, dsteps, by_state


def gru_backward(dy: Array, x: Array, h: Array, gates: Array, inner: Array, weight: Array, recurrent: Array) -> Gradients:
    """(dx, dW, dU, db, db′) from dy (N, T, units), the gradient by every state."""
    earlier = _before(h.transpose(1, 0, 2))
    dgates, dsteps, _ = gru_through_time(dy, h, gates, inner, recurrent)
    dx, dweight, dbias = _inputs_backward(dgates, x, weight)
    units = recurrent.shape[0]
    return dx, dweight, _product(earlier, dsteps), dbias, dsteps[..., 2 * units :].sum(axis=(0, 1))
