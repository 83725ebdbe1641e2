"""The operations in plain NumPy, one function for each of KINDS: their source is what exported files are made of.

Arguments are named as the arrays and settings of `Operation`. x (N, …) holds N images, channels last.
"""

import numpy as np


def affine(x, center=0, scale=1, offset=0):
    """y = (x − center)·scale + offset, each of them one number or an array over the last axes."""
    return (x - center) * scale + offset


def flatten(x):
    """y = x in one axis."""
    return x.reshape(len(x), int(np.prod(x.shape[1:])))


def dense(x, weight, bias=0):
    """y = x·weight + bias; weight (inputs, units)."""
    return x @ weight + bias


def windows(x, size, strides, margins, outside=0):
    """What each window sees, (N, rows, columns, channels, *size); margins top, bottom, left, right hold `outside`."""
    top, bottom, left, right = margins
    x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=outside)
    seen = np.lib.stride_tricks.sliding_window_view(x, size, axis=(1, 2))
    return seen[:, :: strides[0], :: strides[1]]


def conv(x, weight, bias=0, strides=(1, 1), margins=(0, 0, 0, 0)):
    """y = Σ window·weight + bias, for each filter; weight (rows, columns, channels, filters)."""
    seen = windows(x, weight.shape[:2], strides, margins)
    return np.tensordot(seen, weight, axes=([4, 5, 3], [0, 1, 2])) + bias


def max_pool(x, window, strides, margins=(0, 0, 0, 0)):
    """y = the largest value of each window, channel by channel."""
    return windows(x, window, strides, margins, -np.inf).max(axis=(4, 5))


def average_pool(x, window, strides, margins=(0, 0, 0, 0)):
    """y = the mean of each window, channel by channel, over what lies inside the image."""
    inside = np.ones((1, *x.shape[1:3], 1), dtype=x.dtype)
    counts = windows(inside, window, strides, margins).sum(axis=(4, 5))
    return windows(x, window, strides, margins).sum(axis=(4, 5)) / counts


def global_max(x):
    """y = the largest value of each channel."""
    return x.max(axis=(1, 2))


def global_average(x):
    """y = the mean of each channel."""
    return x.mean(axis=(1, 2))


def layer_norm(x, gamma, beta, epsilon):
    """y = γ·(x − mean)/√(variance + ε) + β, mean and variance over the last axis."""
    difference = x - x.mean(axis=-1, keepdims=True)
    variance = np.square(difference).mean(axis=-1, keepdims=True)
    return gamma * difference / np.sqrt(variance + epsilon) + beta


def relu(x, slope=0.0):
    """y = x for x > 0, else slope·x."""
    return np.where(x > 0, x, slope * x)


def sigmoid(x):
    """y = 1/(1 + e⁻ˣ), as ½·(1 + tanh ½x), which can't overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))


def tanh(x):
    """y = tanh x"""
    return np.tanh(x)


def gelu(x):
    """y = x·Φ(x), Φ the normal distribution: ½·(1 + erf(x/√2)).

    erf z ≈ 1 − (a₁t + … + a₅t⁵)·e^(−z²), t = 1/(1 + pz), z ≥ 0, is off by at most 1.5e-7: Abramowitz and Stegun, 7.1.26.
    """
    z = np.abs(x) * 0.7071067811865476
    t = 1 / (1 + 0.3275911 * z)
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return 0.5 * x * (1 + np.sign(x) * (1 - series * np.exp(-z * z)))


def swish(x):
    """y = x·σ(x)"""
    return x * sigmoid(x)


def softmax(x):
    """y = eˣ/Σ eˣ along the last axis; the largest x is taken off first, so that nothing overflows."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def add(x, other):
    """y = the sum of both."""
    return x + other


def concatenate(*inputs):
    """y = the inputs side by side along the last axis."""
    return np.concatenate(inputs, axis=-1)


def rnn(x, weight, recurrent_weight, bias, steps, activation="tanh", return_sequences=False):
    """hₜ = f(xₜ·W + hₜ₋₁·U + b), from h = 0; xₜ is row t of an image."""
    inputs = x.reshape(len(x), steps, -1) @ weight + bias
    h, states = np.zeros_like(inputs[:, 0]), []
    for t in range(steps):
        z = inputs[:, t] + h @ recurrent_weight
        h = np.tanh(z) if activation == "tanh" else np.maximum(z, 0)
        states.append(h)
    return np.stack(states, axis=1) if return_sequences else h


def lstm(x, weight, recurrent_weight, bias, steps, return_sequences=False):
    """i, f, o = σ(…), g = tanh(…) of xₜ·W + hₜ₋₁·U + b; cₜ = f·cₜ₋₁ + i·g; hₜ = o·tanh cₜ; from h = c = 0."""
    inputs, units = x.reshape(len(x), steps, -1) @ weight + bias, len(recurrent_weight)
    h, states = np.zeros_like(inputs[:, 0, :units]), []
    c = h
    for t in range(steps):
        i, f, g, o = np.split(inputs[:, t] + h @ recurrent_weight, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.stack(states, axis=1) if return_sequences else h


def gru(x, weight, recurrent_weight, bias, recurrent_bias, steps, return_sequences=False):
    """r, z = σ(xₜ·W + hₜ₋₁·U + b); n = tanh(xₜ·Wₙ + bₙ + r·(hₜ₋₁·Uₙ + b′)); hₜ = (1 − z)·n + z·hₜ₋₁; from h = 0."""
    inputs, units = x.reshape(len(x), steps, -1) @ weight + bias, len(recurrent_weight)
    h, states = np.zeros_like(inputs[:, 0, :units]), []
    for t in range(steps):
        r, z, n = np.split(inputs[:, t], 3, axis=-1)
        by_r, by_z, by_n = np.split(h @ recurrent_weight, 3, axis=-1)
        r, z = sigmoid(r + by_r), sigmoid(z + by_z)
        n = np.tanh(n + r * (by_n + recurrent_bias))
        h = (1 - z) * n + z * h
        states.append(h)
    return np.stack(states, axis=1) if return_sequences else h


def share(x):
    """y = x/Σ x along the last axis; where the sum is 0, each as much."""
    total = x.sum(axis=-1, keepdims=True)
    return np.where(total > 0, x / np.where(total > 0, total, 1), 1 / x.shape[-1])


def two_classes(x):
    """y = (1 − x, x), x being the probability of the second class."""
    return np.concatenate([1 - x, x], axis=-1)
