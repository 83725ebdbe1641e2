"""What happens between the products of a recurrent step: one image's gates, cell and state, forward and backward.

Plain loops over the units that LLVM turns into vectors; nn/recurrent.py has the equations.
"""

from __future__ import annotations

import numpy as np

from glassnet.kernels import kinds
from glassnet.kernels.activations import sigmoid
from glassnet.kernels.codegen.jit import compiled

F = np.float32
_0, _1, _BOUND = F(0), F(1), F(7.90531110763549805)  # beyond, tanh is ±1 in float32
# tanh x ≈ x·P(x²) / Q(x²), the minimax fit of Eigen's ptanh: within 4e-7 of its value, at half the work of an exponential.
_P0, _P1, _P2, _P3 = F(4.89352455891786e-3), F(6.37261928875436e-4), F(1.48572235717979e-5), F(5.12229709037114e-8)
_P4, _P5, _P6 = F(-8.60467152213735e-11), F(2.00018790482477e-13), F(-2.76076847742355e-16)
_Q0, _Q1, _Q2, _Q3 = F(4.89352518554385e-3), F(2.26843463243900e-3), F(1.18534705686654e-4), F(1.19825839466702e-6)


@compiled
def tanh(x):
    x = min(max(x, -_BOUND), _BOUND)
    s = x * x
    above = (((((_P6 * s + _P5) * s + _P4) * s + _P3) * s + _P2) * s + _P1) * s + _P0
    return x * above / (((_Q3 * s + _Q2) * s + _Q1) * s + _Q0)


@compiled
def lstm_cell(z, c_before, c, h, units):
    for k in range(units):
        i, f = F(sigmoid(z[k])), F(sigmoid(z[units + k]))
        g, o = F(tanh(z[2 * units + k])), F(sigmoid(z[3 * units + k]))
        z[k], z[units + k], z[2 * units + k], z[3 * units + k] = i, f, g, o
        cell = f * c_before[k] + i * g
        c[k] = cell
        h[k] = o * F(tanh(cell))


@compiled
def gru_cell(z, p, inner, inner_bias, h_before, h, units):
    for k in range(units):
        r, u = F(sigmoid(z[k] + p[k])), F(sigmoid(z[units + k] + p[units + k]))
        m = p[2 * units + k] + inner_bias[k]
        n = F(tanh(z[2 * units + k] + r * m))
        inner[k] = m
        z[k], z[units + k], z[2 * units + k] = r, u, n
        h[k] = (_1 - u) * n + u * h_before[k]


@compiled
def rnn_cell(kind, z, h, units):
    if kind == kinds.RNN_RELU:
        for k in range(units):
            h[k] = z[k] if z[k] > _0 else _0
    else:
        for k in range(units):
            h[k] = F(tanh(z[k]))


@compiled
def lstm_cell_backward(z, c_before, c, dh, dc, units):
    for k in range(units):
        i, f, g, o = z[k], z[units + k], z[2 * units + k], z[3 * units + k]
        bent = F(tanh(c[k]))
        d = dc[k] + dh[k] * o * (_1 - bent * bent)
        z[k] = d * g * i * (_1 - i)
        z[units + k] = d * c_before[k] * f * (_1 - f)
        z[2 * units + k] = d * i * (_1 - g * g)
        z[3 * units + k] = dh[k] * bent * o * (_1 - o)
        dc[k] = d * f


@compiled
def gru_cell_backward(z, inner, h_before, dp, dh, units):
    for k in range(units):
        r, u, n = z[k], z[units + k], z[2 * units + k]
        dn = dh[k] * (_1 - u) * (_1 - n * n)
        dr, du = dn * inner[k] * r * (_1 - r), dh[k] * (h_before[k] - n) * u * (_1 - u)
        dh[k] = dh[k] * u
        z[k], z[units + k], z[2 * units + k] = dr, du, dn
        dp[k], dp[units + k], dp[2 * units + k] = dr, du, dn * r


@compiled
def rnn_cell_backward(kind, z, h, dh, units):
    if kind == kinds.RNN_RELU:
        for k in range(units):
            z[k] = dh[k] if h[k] > _0 else _0
    else:
        for k in range(units):
            z[k] = dh[k] * (_1 - h[k] * h[k])
