"""Activations and their derivatives over contiguous float32 arrays, in plain loops that LLVM turns into vectors.

`exp` and `erf` are polynomials: those of the C library are called element by element. Errors stay within two units in the
last place for exp, 2e-7 absolute for the others.
"""

from __future__ import annotations

import math

import numpy as np
from numba import float32, int64, void

from glassnet.kernels import kinds, records
from glassnet.kernels.codegen.addresses import floats_at, record_at
from glassnet.kernels.codegen.jit import compiled, inlined, outlined
from glassnet.kernels.operands import numbers_of, rows_of

F = np.float32
_LOG2_E, _LN2_HIGH, _LN2_LOW = F(1.44269504), F(0.693359375), F(-2.12194440e-4)
_LOWEST, _HIGHEST = F(-87.0), F(88.0)
_E0, _E1, _E2 = F(1.9875691500e-4), F(1.3981999507e-3), F(8.3334519073e-3)  # Cephes expf
_E3, _E4, _E5 = F(4.1665795894e-2), F(1.6666665459e-1), F(5.0000001201e-1)
_T0, _T1, _T2 = F(-5.70498872745e-3), F(2.06390887954e-2), F(-5.37397155531e-2)  # Cephes tanhf
_T3, _T4 = F(1.33314422036e-1), F(-3.33332819422e-1)
# erf by our own least squares at Chebyshev's points: x·N(x²) up to 1, and 1 − e^D(x) from there to 4.
_N0, _N1, _N2, _N3 = F(1.12837917), F(-3.76126269e-1), F(1.12835975e-1), F(-2.68543288e-2)
_N4, _N5, _N6 = F(5.18931194e-3), F(-8.01885499e-4), F(7.88249711e-5)
_D0, _D1, _D2, _D3 = F(-3.41962343e-4), F(-1.12708892), F(-6.38142486e-1), F(-1.03111457e-1)
_D4, _D5, _D6, _FOUR = F(2.18417071e-2), F(-2.94894595e-3), F(1.8655171e-4), F(4)
_ROOT_HALF, _DENSITY = F(math.sqrt(0.5)), F(1 / math.sqrt(2 * math.pi))
# R(s²) of ln(1 + f), from Sun's fdlibm.
_L1, _L2, _L3, _L4 = 0.6666666666666735, 0.3999999999940942, 0.2857142874366239, 0.22222198432149784
_L5, _L6, _L7 = 0.1818357216161805, 0.15313837699209373, 0.14798198605116586
_LN2_UPPER, _LN2_LOWER, _ROOT_HALF_BITS = 0.6931471803691238, 1.9082149292705877e-10, np.int64(0x3FE6A09E667F3BCD)
_0, _HALF, _1, _2, _SMALL, _FAR = F(0), F(0.5), F(1), F(2), F(0.625), F(16)
_activation_at, _backward_at = record_at(records.Activation), record_at(records.ActivationBackward)
_softmax_at, _softmax_backward_at = record_at(records.Softmax), record_at(records.SoftmaxBackward)


@compiled
def exp(x):
    """eˣ, clamped to what float32 holds."""
    x = min(max(x, _LOWEST), _HIGHEST)
    n = np.floor(x * _LOG2_E + _HALF)
    r = x - n * _LN2_HIGH - n * _LN2_LOW
    p = ((((_E0 * r + _E1) * r + _E2) * r + _E3) * r + _E4) * r + _E5
    power = np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)
    return (p * r * r + r + _1) * power


@compiled
def log(x):
    """ln x of a normal double above 0; NaN of NaN.

    x = 2ⁿ·(1 + f) with √½ ≤ 1 + f < √2, and ln(1 + f) = f − f²/2 + s·(f²/2 + R(s²)), s = f/(2 + f).
    """
    bits = np.float64(x).view(np.int64)
    n = (bits - _ROOT_HALF_BITS) >> np.int64(52)
    f = np.int64(bits - (n << np.int64(52))).view(np.float64) - 1.0
    s, square = f / (2.0 + f), 0.5 * f * f
    z = s * s
    r = z * (_L1 + z * (_L2 + z * (_L3 + z * (_L4 + z * (_L5 + z * (_L6 + z * _L7))))))
    y = n * _LN2_UPPER - ((square - (s * (square + r) + n * _LN2_LOWER)) - f)
    return y if x == x else x


@compiled
def sigmoid(x):
    return _1 / (_1 + exp(-x))


@compiled
def tanh(x):
    s = x * x
    near = x + x * s * ((((_T0 * s + _T1) * s + _T2) * s + _T3) * s + _T4)
    far = _1 - _2 / (exp(_2 * abs(x)) + _1)
    return near if abs(x) < _SMALL else math.copysign(far, x)


@compiled
def erf(x):
    a, s = min(abs(x), _FOUR), x * x
    near = x * ((((((_N6 * s + _N5) * s + _N4) * s + _N3) * s + _N2) * s + _N1) * s + _N0)
    far = _1 - exp((((((_D6 * a + _D5) * a + _D4) * a + _D3) * a + _D2) * a + _D1) * a + _D0)
    return near if a < _1 else math.copysign(far, x)


@inlined
def _activate(kind, x, y, slope):
    if kind == kinds.SIGMOID:
        for i in range(x.size):
            y[i] = sigmoid(x[i])
    elif kind == kinds.TANH:
        for i in range(x.size):
            y[i] = F(tanh(x[i]))
    elif kind == kinds.RELU:
        for i in range(x.size):
            y[i] = x[i] if x[i] > _0 else _0
    elif kind == kinds.LEAKY_RELU:
        for i in range(x.size):
            y[i] = x[i] if x[i] > _0 else slope * x[i]
    elif kind == kinds.GELU:
        for i in range(x.size):
            y[i] = _HALF * x[i] * (_1 + F(erf(x[i] * _ROOT_HALF)))
    elif kind == kinds.SWISH:
        for i in range(x.size):
            y[i] = x[i] * sigmoid(x[i])


@outlined(void(*[int64] * 4, float32))
def activate(kind, size, x_at, y_at, slope):
    """y = σ(x) for the activation `kind`; y may be x, which NO_ACTIVATION leaves as it is."""
    y = floats_at(y_at, size)
    if x_at == y_at:  # LLVM makes vectors of it only where it sees one array
        _activate(kind, y, y, slope)
    else:
        _activate(kind, floats_at(x_at, size), y, slope)


@outlined(void(*[int64] * 6, float32))
def activate_backward(kind, size, x_at, y_at, dy_at, dx_at, slope):
    """dx = dy · σ′(x), from the output y where that is enough.

    Where the activation rises everywhere and is no GELU or Swish, x_at may be the output's address too.
    """
    x, y, dy, dx = floats_at(x_at, size), floats_at(y_at, size), floats_at(dy_at, size), floats_at(dx_at, size)
    if kind == kinds.NO_ACTIVATION:
        for i in range(x.size):
            dx[i] = dy[i]
    elif kind == kinds.SIGMOID:
        for i in range(x.size):
            dx[i] = dy[i] * y[i] * (_1 - y[i])
    elif kind == kinds.TANH:
        for i in range(x.size):
            dx[i] = dy[i] * (_1 - y[i] * y[i])
    elif kind == kinds.RELU:
        for i in range(x.size):
            dx[i] = dy[i] if x[i] > _0 else _0
    elif kind == kinds.LEAKY_RELU:
        for i in range(x.size):
            dx[i] = dy[i] if x[i] > _0 else slope * dy[i]
    elif kind == kinds.GELU:
        for i in range(x.size):
            below = _HALF * (_1 + F(erf(x[i] * _ROOT_HALF)))
            near = min(max(x[i], -_FAR), _FAR)  # beyond, the density is 0 in float32
            dx[i] = dy[i] * (below + near * _DENSITY * exp(-_HALF * near * near))
    elif kind == kinds.SWISH:
        for i in range(x.size):
            gate = sigmoid(x[i])
            dx[i] = dy[i] * gate * (_1 + x[i] * (_1 - gate))


@compiled
def activation(ctx, at):
    op = _activation_at(at)
    first, last = numbers_of(ctx, op.width)
    activate(op.kind, last - first, ctx.workspace + 4 * (op.x + first), ctx.workspace + 4 * (op.y + first), F(op.slope))


@compiled
def activation_backward(ctx, at):
    op = _backward_at(at)
    first, size, base = ctx.low * op.width, (ctx.high - ctx.low) * op.width, ctx.workspace
    activate_backward(
        op.kind, size, base + 4 * (op.x + first), base + 4 * (op.y + first), base + 4 * (op.dy + first),
        base + 4 * (op.dx + first), F(op.slope),
    )  # fmt: skip


@compiled
def subtract_highest(x, y, highest):
    """y = x − highest, the largest x."""
    for i in range(x.size):
        y[i] = x[i] - highest


@compiled
def exponentials(y):
    """y = eʸ; of many rows at once, as those of ten numbers fill no register."""
    for i in range(y.size):
        y[i] = exp(y[i])


@compiled
def normalize(y):
    """y / Σ y, which is summed in double precision, one number after the other; Σ y before."""
    total = 0.0
    for i in range(y.size):
        total += y[i]
    scale = F(1.0 / total)
    for i in range(y.size):
        y[i] *= scale
    return total


@compiled
def softmax(ctx, at):
    op, width = _softmax_at(at), _softmax_at(at).width
    first, rows = ctx.low * op.rows, (ctx.high - ctx.low) * op.rows
    for r in range(first, first + rows):
        x, highest = rows_of(ctx, op.x, width, r, r + 1), F(-np.inf)
        for i in range(width):
            highest = max(highest, x[i])
        subtract_highest(x, rows_of(ctx, op.y, width, r, r + 1), highest)
    exponentials(rows_of(ctx, op.y, width, first, first + rows))
    for r in range(first, first + rows):
        normalize(rows_of(ctx, op.y, width, r, r + 1))


@compiled
def softmax_backward(ctx, at):
    """dx = y · (dy − ⟨dy, y⟩), row by row."""
    op, width = _softmax_backward_at(at), _softmax_backward_at(at).width
    for r in range(ctx.low * op.rows, ctx.high * op.rows):
        y, dy = rows_of(ctx, op.y, width, r, r + 1), rows_of(ctx, op.dy, width, r, r + 1)
        dx, inner = rows_of(ctx, op.dx, width, r, r + 1), 0.0
        for i in range(y.size):
            inner += y[i] * dy[i]
        for i in range(y.size):
            dx[i] = y[i] * (dy[i] - F(inner))
