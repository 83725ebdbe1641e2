"""Pooling by means, layer normalisation, and the joints of branches, for this thread's share of the images."""

from __future__ import annotations

import numpy as np
from numba import int64, void

from glassnet.kernels.codegen.addresses import floats_at
from glassnet.kernels.codegen.jit import compiled, outlined
from glassnet.kernels.stage_at import stage_at_address

F = np.float32
_0 = F(0)


@outlined(void(*[int64] * 4))
def average_pool(stage_at, x_at, out_at, back):
    """out = the mean of each window of one image; `back`: x_at is dx, set from dout at out_at."""
    stage = stage_at_address(stage_at)
    filters, width = stage.filters, stage.out_width
    if back:
        dx = floats_at(x_at, stage.out_height * width * filters)
        for i in range(dx.size):
            dx[i] = _0
    for py in range(stage.pooled_height):
        top = py * stage.pool_stride_y - stage.pool_top
        y0, y1 = max(0, top), min(stage.out_height, top + stage.pool_height)
        for px in range(stage.pooled_width):
            left = px * stage.pool_stride_x - stage.pool_left
            x0, x1 = max(0, left), min(width, left + stage.pool_width)
            share = F(1.0 / ((y1 - y0) * (x1 - x0)))
            out = floats_at(out_at + 4 * (py * stage.pooled_width + px) * filters, filters)
            if not back:
                for f in range(filters):
                    out[f] = _0
            for i in range(y0, y1):
                for j in range(x0, x1):
                    x = floats_at(x_at + 4 * (i * width + j) * filters, filters)
                    if back:
                        for f in range(filters):
                            x[f] += share * out[f]
                    else:
                        for f in range(filters):
                            out[f] += x[f]
            if not back:
                for f in range(filters):
                    out[f] *= share


@compiled
def layer_norm(rows, width, x_at, normal_at, inverse_at, y_at, gamma_at, beta_at, epsilon):
    """x̂ and 1/√(variance + ε) of each row, and y = γ·x̂ + β.

    Differences are float64 in both directions: 1/√ε times what rounding leaves of a row of one value is no small thing.
    """
    gamma, beta, inverse = floats_at(gamma_at, width), floats_at(beta_at, width), floats_at(inverse_at, rows)
    for r in range(rows):
        at = 4 * r * width
        x, normal, y = floats_at(x_at + at, width), floats_at(normal_at + at, width), floats_at(y_at + at, width)
        total = 0.0
        for k in range(width):
            total += x[k]
        mean, squares = total / width, 0.0
        for k in range(width):
            away = x[k] - mean
            squares += away * away
        inverse[r] = F(1.0 / np.sqrt(squares / width + epsilon))
        for k in range(width):
            normal[k] = F((x[k] - mean) * inverse[r])
            y[k] = gamma[k] * normal[k] + beta[k]


@compiled
def layer_norm_back(rows, width, dy_at, normal_at, inverse_at, dx_at, gamma_at):
    """dx = r·(γ·dy − mean(γ·dy) − x̂·mean(γ·dy·x̂))"""
    gamma, inverse = floats_at(gamma_at, width), floats_at(inverse_at, rows)
    for r in range(rows):
        at = 4 * r * width
        dy, normal, dx = floats_at(dy_at + at, width), floats_at(normal_at + at, width), floats_at(dx_at + at, width)
        plain, along = 0.0, 0.0
        for k in range(width):
            scaled = np.float64(gamma[k]) * dy[k]
            plain += scaled
            along += scaled * normal[k]
        first, second = plain / width, along / width
        for k in range(width):
            dx[k] = F(inverse[r] * (np.float64(gamma[k]) * dy[k] - first - normal[k] * second))


@compiled
def layer_norm_sums(rows, width, dy_at, normal_at, dgamma_at, dbeta_at, low, high, rate, fused):
    """dγ = Σ dy·x̂ and dβ = Σ dy of the columns low … high; `fused`: straight into γ and β, at `rate`."""
    dgamma, dbeta = floats_at(dgamma_at, width), floats_at(dbeta_at, width)
    for k in range(low, high):
        along, plain = 0.0, 0.0
        for r in range(rows):
            dy = floats_at(dy_at + 4 * (r * width + k), 1)[0]
            along += dy * floats_at(normal_at + 4 * (r * width + k), 1)[0]
            plain += dy
        dgamma[k] = dgamma[k] - rate * F(along) if fused else F(along)
        dbeta[k] = dbeta[k] - rate * F(plain) if fused else F(plain)


@compiled
def add(a_at, b_at, target_at, size):
    """target = a + b"""
    a, b, target = floats_at(a_at, size), floats_at(b_at, size), floats_at(target_at, size)
    for i in range(size):
        target[i] = a[i] + b[i]


@compiled
def copy_channels(rows, source_at, source_width, target_at, target_width, width):
    """The first `width` values of each row of the source, to the first of each row of the target."""
    for r in range(rows):
        source, target = (
            floats_at(source_at + 4 * r * source_width, width),
            floats_at(target_at + 4 * r * target_width, width),
        )
        for k in range(width):
            target[k] = source[k]
