"""Random transforms of images on their way into a network: one affine map and elastic field, resampled once, then shading.

Every number that an image draws follows from the step's key and the image's place in the mini-batch alone, so that neither
the order of work nor the number of threads matters. `augment` of data/augment.py is the definition.
"""

from __future__ import annotations

import math

import numpy as np
from numba import int64, void

from glassnet.kernels import records
from glassnet.kernels.codegen.addresses import floats_at, int32_at, integers_at, record_at
from glassnet.kernels.codegen.jit import called_at, compiled, outlined
from glassnet.kernels.dropout import key_of, split_mix
from glassnet.kernels.inputs import copy_scaled, load_rows
from glassnet.kernels.operands import source
from glassnet.kernels.sizes import WARP_LANES, warp_layout
from glassnet.support.random_keys import FIELD_SCALE, Draw

F = np.float32
_layout = compiled(warp_layout)
_0, _HALF, _1, _3, _4, _SIXTH = F(0), F(0.5), F(1), F(3), F(4), F(1 / 6)
_S16, _S32, _S40, _S48, _FIELD = np.uint64(16), np.uint64(32), np.uint64(40), np.uint64(48), np.uint64(0xFFFF)
_S1, _S63 = np.uint64(1), np.uint64(63)
_UNIT, _MIDDLE = 2.0**-24, np.int64(2 * 0xFFFF)
_LN3 = math.log(3.0)
_options_at, _augment_at = record_at(records.AugmentOptions), record_at(records.Augment)


@compiled
def _uniform(key, number):
    """A number of [0, 1), in steps of 2⁻²⁴."""
    return _UNIT * np.float64(split_mix(key, number) >> _S40)


@compiled
def _symmetric(key, number):
    """A number of [−1, 1)."""
    return 2.0 * _uniform(key, number) - 1.0


@compiled
def _normal(key, number):
    """Four sixteenths of a number's bits, summed about 0: nearly normal, never far out."""
    z = split_mix(key, number)
    total = (z & _FIELD) + ((z >> _S16) & _FIELD) + ((z >> _S32) & _FIELD) + (z >> _S48)
    return F(np.int64(total) - _MIDDLE)


@compiled
def is_mirrored(flips, image):
    """Whether an image is mirrored in an epoch: `flips` is a key and the epoch's parity (see `in_turn`, data/augment.py)."""
    return ((split_mix(flips >> _S1, image) >> _S63) ^ flips) & _S1 != 0


@compiled
def _inverse(options, key, mirrored, height, width):
    """Where column j, row i of the result comes from: x = a·j + b·i + c, y = d·j + e·i + f."""
    angle = options.rotation * _symmetric(key, Draw.ROTATION)
    size = 1.0 + options.scale * _symmetric(key, Draw.SCALE)
    stretch = 1.0 + options.stretch * _symmetric(key, Draw.STRETCH)
    lean = math.tan(options.shear * _symmetric(key, Draw.SHEAR))
    cosine, sine = math.cos(angle), math.sin(angle)
    d, e = sine * stretch / size, cosine * stretch / size
    a, b = cosine / (size * stretch) + lean * d, lean * e - sine / (size * stretch)
    if mirrored or _uniform(key, Draw.FLIP_X) < options.flip_x:
        a, b = -a, -b
    if _uniform(key, Draw.FLIP_Y) < options.flip_y:
        d, e = -d, -e
    crop = np.float64(options.crop)
    right = options.shift * _symmetric(key, Draw.SHIFT_X)
    down = options.shift * _symmetric(key, Draw.SHIFT_Y)
    right += math.floor(_uniform(key, Draw.CROP_X) * (2.0 * crop + 1.0)) - crop
    down += math.floor(_uniform(key, Draw.CROP_Y) * (2.0 * crop + 1.0)) - crop
    x, y = 0.5 * (width - 1), 0.5 * (height - 1)
    c, f = x - a * (x + right) - b * (y + down), y - d * (x + right) - e * (y + down)
    return F(a), F(b), F(c), F(d), F(e), F(f)


@compiled
def spline(t):
    """The weights of four neighbouring control points at the share t of the way between the middle two."""
    s = _1 - t
    return (
        _SIXTH * s * s * s,
        _SIXTH * (_3 * t * t * (t - _1 - _1) + _4),
        _SIXTH * (_3 * s * s * (s - _1 - _1) + _4),
        _SIXTH * t * t * t,
    )


@compiled
def _columns(width, wide, per_pixel, weights_at, cells_at):
    """For each column: its four weights, and the first control point that they belong to."""
    weights, cells = floats_at(weights_at, 4 * wide), int32_at(cells_at, wide)
    for j in range(wide):
        u = (F(min(j, width - 1)) + _HALF) * per_pixel
        cell = np.int32(u)
        weights[4 * j], weights[4 * j + 1], weights[4 * j + 2], weights[4 * j + 3] = spline(u - F(cell))
        cells[j] = cell


@compiled
def _field(key, factor, controls, wide, points_at, weights_at, cells_at, field_at):
    """Control points drawn and joined along the rows: (controls, 2, wide), the shifts right, then down."""
    points, weights, cells = floats_at(points_at, controls), floats_at(weights_at, 4 * wide), int32_at(cells_at, wide)
    for line in range(2 * controls):
        for i in range(controls):
            points[i] = factor * _normal(key, Draw.FIELD + line * controls + i)
        moved = floats_at(field_at + 4 * line * wide, wide)
        for j in range(wide):
            at = np.int64(cells[j])
            near = weights[4 * j] * points[at] + weights[4 * j + 1] * points[at + 1]
            moved[j] = near + (weights[4 * j + 2] * points[at + 2] + weights[4 * j + 3] * points[at + 3])


@compiled
def _surround(source_at, is_bytes, height, width, channels, edge, padded_at):
    """The image as floats within a margin, one row and column before and two after: zeros, or its edge repeated."""
    line, inside = (width + 3) * channels, width * channels
    for i in range(height):
        row = floats_at(padded_at + 4 * ((i + 1) * line + channels), inside)
        copy_scaled(source_at + i * inside * (1 if is_bytes else 4), is_bytes, inside, _1, row)
        whole = floats_at(padded_at + 4 * (i + 1) * line, line)
        for c in range(channels):
            whole[c] = row[c] if edge else _0
            after = row[inside - channels + c] if edge else _0
            whole[inside + channels + c], whole[inside + 2 * channels + c] = after, after
    for i in (0, height + 1, height + 2):
        margin, near = (
            floats_at(padded_at + 4 * i * line, line),
            floats_at(padded_at + 4 * min(max(i, 1), height) * line, line),
        )
        for j in range(line):
            margin[j] = near[j] if edge else _0


@compiled
def _mean(padded_at, height, width, channels):
    """The mean over the image within its margin."""
    s0, s1, s2, s3, inside = 0.0, 0.0, 0.0, 0.0, width * channels
    for i in range(height):
        row = floats_at(padded_at + 4 * ((i + 1) * (width + 3) * channels + channels), inside)
        for j in range(0, inside - 3, 4):  # independent sums
            s0, s1, s2, s3 = s0 + row[j], s1 + row[j + 1], s2 + row[j + 2], s3 + row[j + 3]
        for j in range(inside // 4 * 4, inside):
            s0 += row[j]
    return (s0 + s1 + (s2 + s3)) / (height * inside)


@compiled
def _moves(field_at, i, per_pixel, wide, moves_at):
    """The elastic shifts along row i: right of each column, then down."""
    u = (F(i) + _HALF) * per_pixel
    cell = np.int32(u)
    w0, w1, w2, w3 = spline(u - F(cell))
    size = 2 * wide
    p0, p1 = floats_at(field_at + 4 * size * cell, size), floats_at(field_at + 4 * size * (cell + 1), size)
    p2, p3 = floats_at(field_at + 4 * size * (cell + 2), size), floats_at(field_at + 4 * size * (cell + 3), size)
    moves = floats_at(moves_at, size)
    for j in range(size):
        moves[j] = w0 * p0[j] + w1 * p1[j] + (w2 * p2[j] + w3 * p3[j])


@compiled
def _places(right_at, places_at, wide, slope, start, last, reflects, apart, add):
    """Coordinates along a row, counted from the margin: whole parts · apart into `places`, fractions in place of shifts.

    Whole registers of columns; those past the image are harmless.
    """
    shifts, places = floats_at(right_at, wide), int32_at(places_at, wide)
    for j in range(wide):
        u = slope * F(np.int32(j)) + start + shifts[j]
        if reflects:  # about the first and the last pixel, at 1 and last − 1
            u = last - _1 - abs(last - _1 - _1 - abs(u - _1))
        u = min(max(u, _0), last)
        whole = np.int32(u)
        shifts[j] = u - F(whole)
        places[j] = whole * apart + places[j] * add


@compiled
def _bilinear(n0, n1, n2, n3, at, x, y):
    above, below = n0[at] + x * (n1[at] - n0[at]), n2[at] + x * (n3[at] - n2[at])
    return above + y * (below - above)


@compiled
def _blend(padded_at, line, channels, width, moves_at, wide, places_at, target_at):
    """One row of the result: each pixel from the four about its place."""
    size = int64(1) << 40  # bounds are not looked at
    n0, n1 = floats_at(padded_at, size), floats_at(padded_at + 4 * channels, size)
    n2, n3 = floats_at(padded_at + 4 * line, size), floats_at(padded_at + 4 * (line + channels), size)
    x, y, places = floats_at(moves_at, wide), floats_at(moves_at + 4 * wide, wide), int32_at(places_at, wide)
    row = floats_at(target_at, width * channels)
    if channels == 1:
        for j in range(width):
            row[j] = _bilinear(n0, n1, n2, n3, np.uint64(places[j]), x[j], y[j])
    elif channels == 3:
        for j in range(width):
            row[3 * j] = _bilinear(n0, n1, n2, n3, np.uint64(places[j]), x[j], y[j])
            row[3 * j + 1] = _bilinear(n0, n1, n2, n3, np.uint64(places[j] + 1), x[j], y[j])
            row[3 * j + 2] = _bilinear(n0, n1, n2, n3, np.uint64(places[j] + 2), x[j], y[j])
    else:
        for j in range(width):
            for c in range(channels):
                row[j * channels + c] = _bilinear(n0, n1, n2, n3, np.uint64(places[j] + c), x[j], y[j])


@compiled
def _shade(options, key, mean, is_bytes, target_at, size):
    """Contrast about the mean, and brightness; bytes stay within theirs."""
    y = floats_at(target_at, size)
    factor = 1.0 + options.contrast * _symmetric(key, Draw.CONTRAST)
    scale = 255.0 if is_bytes else 1.0
    offset = mean * (1.0 - factor) + scale * (options.brightness * _symmetric(key, Draw.BRIGHTNESS))
    lowest, highest = (_0, F(255)) if is_bytes else (F(-np.inf), F(np.inf))
    slope, start = F(factor), F(offset)
    for j in range(size):
        y[j] = min(max(slope * y[j] + start, lowest), highest)


@compiled
def _erase(options, key, value, height, width, channels, target_at):
    """A rectangle of random size and place becomes `value`."""
    least, most = np.float64(options.erase_least), np.float64(options.erase_most)
    area = (least + (most - least) * _uniform(key, Draw.ERASE_SIZE)) * height * width
    slant = math.exp(0.5 * _LN3 * _symmetric(key, Draw.ERASE_SHAPE))
    high = min(max(int64(math.floor(math.sqrt(area) * slant + 0.5)), 1), height)
    across = min(max(int64(math.floor(math.sqrt(area) / slant + 0.5)), 1), width)
    top = int64(math.floor(_uniform(key, Draw.ERASE_Y) * (height - high + 1)))
    left = int64(math.floor(_uniform(key, Draw.ERASE_X) * (width - across + 1)))
    for i in range(top, top + high):
        row = floats_at(target_at + 4 * (i * width + left) * channels, across * channels)
        for j in range(row.size):
            row[j] = value


@outlined(void(*[int64] * 14))
def augment(
    options_at, images_at, is_bytes, order_at, first, low, high, height, width, channels, key, flips, target_at, scratch_at
):  # fmt: skip
    """The rows low … high of a mini-batch: the images order[first + row], each under its own random transform."""
    options = _options_at(options_at)
    cells = options.elastic_grid
    field_at, weights_at, cells_at, moves_at, places_at, points_at, _ = _layout(height, width, channels, cells)
    field_at, weights_at, cells_at = scratch_at + 4 * field_at, scratch_at + 4 * weights_at, scratch_at + 4 * cells_at
    moves_at, places_at, points_at = scratch_at + 4 * moves_at, scratch_at + 4 * places_at, scratch_at + 4 * points_at
    wide, line, size = (width + WARP_LANES - 1) // WARP_LANES * WARP_LANES, (width + 3) * channels, height * width * channels
    per_pixel, elastic, edge = F(cells) / F(max(height, width)), options.elastic > _0, options.beyond != 0
    reflects = options.beyond == 2
    shaded = options.contrast > _0 or options.brightness > _0
    needs_mean = options.contrast > _0 or (edge and options.erase > _0)
    if elastic:
        _columns(width, wide, per_pixel, weights_at, cells_at)
    moves = floats_at(moves_at, 2 * wide)
    for r in range(low, high):
        own = split_mix(np.uint64(key), r)
        number = integers_at(order_at + 8 * (first + r), 1)[0]
        source_at = images_at + number * size * (1 if is_bytes else 4)
        mirrored = options.in_turn != 0 and is_mirrored(np.uint64(flips), number)
        image_at = target_at + 4 * r * size
        _surround(source_at, is_bytes, height, width, channels, edge, scratch_at)
        if elastic:
            factor = F(options.elastic * FIELD_SCALE)
            _field(own, factor, cells + 3, wide, points_at, weights_at, cells_at, field_at)
        a, b, c, d, e, f = _inverse(options, own, mirrored, height, width)
        for i in range(height):
            if elastic:
                _moves(field_at, i, per_pixel, wide, moves_at)
            else:
                for j in range(2 * wide):
                    moves[j] = _0
            _places(moves_at, places_at, wide, a, b * F(i) + c + _1, F(width + 1), reflects, np.int32(channels), np.int32(0))
            below, row = F(height + 1), np.int32(line)
            _places(moves_at + 4 * wide, places_at, wide, d, e * F(i) + f + _1, below, reflects, row, np.int32(1))
            _blend(scratch_at, line, channels, width, moves_at, wide, places_at, image_at + 4 * i * width * channels)
        mean = _mean(scratch_at, height, width, channels) if needs_mean else 0.0
        if shaded:
            _shade(options, own, mean, is_bytes, image_at, size)
        if options.erase > _0 and _uniform(own, Draw.ERASE) < options.erase:
            _erase(options, own, F(mean) if edge else _0, height, width, channels, image_at)


_call_augment = called_at(augment.sig)


@compiled
def augment_batch(ctx, at):
    """This thread's images, transformed, or as they are in an epoch without augmentation."""
    op = _augment_at(at)
    if ctx.plain:
        load_rows(ctx, op.x, op.y, op.height * op.width * op.channels, _1, ctx.low, ctx.high)
        return
    images, is_bytes, order, first = source(ctx, op.x)
    _call_augment(
        ctx.augment, at, images, is_bytes, order, first, ctx.low, ctx.high, op.height, op.width, op.channels,
        key_of(ctx, op.key), ctx.flips, ctx.workspace + 4 * op.y, ctx.scratch,
    )  # fmt: skip
