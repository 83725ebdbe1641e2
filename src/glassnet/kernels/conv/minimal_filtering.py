"""The transforms of Winograd's minimal filtering F(m×m, r×r), for each m and r that the convolutions use.

    y = Aᵀ[(G·w·Gᵀ) ⊙ (Bᵀ·d·B)]A        d: t×t pixels of x, t = m + r − 1; w: r×r taps; y: m×m pixels, from t² products

The matrices follow from t − 1 points, where polynomials are evaluated, and infinity (Cook and Toom). Of the six-point ones,
0, ±3/4, ±3/2 lose a third as much to rounding as the usual 0, ±1, ±2, and Bᵀ and Aᵀ hold no rounded numbers.

Sources: Lavin and Gray, arXiv 1509.09308; Barabasz et al., "Error Analysis and Improving the Accuracy of Winograd
Convolution", arXiv 1803.10986.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import prod
from typing import Any, NamedTuple

from glassnet.kernels.codegen.simd import I64, emitted
from glassnet.kernels.conv.channels import each_register

Matrix = list[list[Fraction]]
POINTS = {
    4: (Fraction(0), Fraction(1), Fraction(-1)),
    6: (Fraction(0), Fraction(3, 4), Fraction(-3, 4), Fraction(3, 2), Fraction(-3, 2)),
}  # of t, besides infinity


class Matrices(NamedTuple):
    """G, Bᵀ and Aᵀ."""

    g: Matrix
    bt: Matrix
    at: Matrix


def _times(polynomial: Iterable[Fraction], root: Fraction) -> list[Fraction]:
    """The coefficients of polynomial · (z − root), the lowest first."""
    factors = list(polynomial)
    return [up - root * here for up, here in zip([Fraction(0), *factors], [*factors, Fraction(0)], strict=True)]


def _product(roots: Iterable[Fraction]) -> list[Fraction]:
    """Of all z − root."""
    found = [Fraction(1)]
    for root in roots:
        found = _times(found, root)
    return found


def matrices(outputs: int, taps: int) -> Matrices:
    """Those of F(outputs, taps) in one dimension; t rows of G and Bᵀ, of which the last belongs to infinity."""
    size = outputs + taps - 1
    points, zero, one = POINTS[size], Fraction(0), Fraction(1)
    g, bt = [], []
    for x in points:
        others = [y for y in points if y != x]
        scale = prod((x - y for y in others), start=one)
        g.append([x**k / scale for k in range(taps)])
        bt.append([*_product(others), zero])
    g.append([zero] * (taps - 1) + [one])
    bt.append(_product(points))
    at = [[*(x**k for x in points), Fraction(k == outputs - 1)] for k in range(outputs)]
    return Matrices(g, bt, at)


def transposed(matrix: Matrix) -> Matrix:
    return [list(row) for row in zip(*matrix, strict=True)]


def _combination(emit: Any, factors: Sequence[Fraction], values: Sequence[Any]) -> Any:
    """Σ factor · value, beginning with one that needs no product if there is one."""
    terms = sorted(((f, v) for f, v in zip(factors, values, strict=True) if f), key=lambda term: term[0] != 1)
    (first, total), *rest = terms
    if first != 1:
        total = emit.builder.fmul(emit.constant(float(first)), total)
    for factor, value in rest:
        total = _plus(emit, total, factor, value)
    return total


def _plus(emit: Any, total: Any, factor: Fraction, value: Any) -> Any:
    """total + factor · value"""
    if abs(factor) == 1:
        return (emit.builder.fadd if factor == 1 else emit.builder.fsub)(total, value)
    return emit.multiply_add(emit.constant(float(factor)), value, total)


def _halves(a: Sequence[Fraction], b: Sequence[Fraction]) -> tuple[list[Fraction], list[Fraction]] | None:
    """(p, q) with a = p + q and b = p − q, where a and b differ in some signs alone; else None."""
    p, q = ([(x + sign * y) / 2 for x, y in zip(a, b, strict=True)] for sign in (1, -1))
    return (p, q) if any(p) and any(q) and all(not (x and y) for x, y in zip(p, q, strict=True)) else None


def _multiply(emit: Any, matrix: Matrix, values: Sequence[Any]) -> list[Any]:
    """matrix · values. Neighbouring rows, or columns, that differ only in signs share their sums."""
    matrix, values = [list(row) for row in matrix], list(values)
    columns = transposed(matrix)
    for j in range(len(columns) - 1):
        if halves := _halves(columns[j], columns[j + 1]):
            columns[j], columns[j + 1] = halves
            a, b = values[j], values[j + 1]
            values[j], values[j + 1] = emit.builder.fadd(a, b), emit.builder.fsub(a, b)
    matrix = transposed(columns)
    found: list[Any] = []
    while len(found) < len(matrix):
        i = len(found)
        halves = _halves(matrix[i], matrix[i + 1]) if i + 1 < len(matrix) else None
        if halves is None:
            found.append(_combination(emit, matrix[i], values))
            continue
        last = next(factor for factor in reversed(halves[1]) if factor)
        p, q = _combination(emit, halves[0], values), _combination(emit, [f / last for f in halves[1]], values)
        found += [_plus(emit, p, last, q), _plus(emit, p, -last, q)]
    return found


def _at(emit: Any, address: Any, distances: Any, i: int, j: int) -> Any:
    """The address of element i, j of a matrix; `distances` in floats: from row to row, and from column to column."""
    for distance, times in zip(distances, (i, j), strict=True):
        address = emit.builder.add(address, emit.builder.mul(distance, I64(4 * times)))
    return address


def _emit_transform(
    emit: Any, matrix: Matrix, channels: Any, source: Any, distances: Any, target: Any, target_distances: Any, *,
    written: Any = None, bias: Any = None, whole: bool = False,
) -> None:  # fmt: skip
    """T·X·Tᵀ + bias of the matrices X of all channels; `written`: so many rows and columns of the result, else all.

    `whole`: whole registers are written, also past the last channel.
    """
    builder, size = emit.builder, len(matrix[0])

    def register(offset: Any, mask: Any) -> None:
        start, end = builder.add(source, offset), builder.add(target, offset)
        added = None if bias is None else emit.load(builder.add(bias, offset))
        columns = [
            _multiply(emit, matrix, [emit.load(_at(emit, start, distances, i, j)) for i in range(size)]) for j in range(size)
        ]
        for i in range(len(matrix)):
            for j, value in enumerate(_multiply(emit, matrix, [column[i] for column in columns])):
                result = value if added is None else builder.fadd(value, added)
                inside = contextlib.nullcontext()
                if written is not None:
                    there = (builder.icmp_signed(">", most, I64(k)) for most, k in zip(written, (i, j), strict=True))
                    inside = builder.if_then(builder.and_(*there))
                place = _at(emit, end, target_distances, i, j)
                with inside:
                    if whole:
                        emit.store(result, place)
                    else:
                        emit.store_masked(result, place, mask)

    each_register(emit, channels, register)


def _grid(emit: Any, width: int, apart: Any) -> tuple[Any, Any]:
    """The distances in a matrix of `width` columns whose elements lie one behind the other, `apart` from each other."""
    return emit.builder.mul(apart, I64(width)), apart


def _of_image(matrix: Matrix, *, whole: bool = False) -> Any:
    """T·X·Tᵀ of pixels or taps X, as one matrix for each channel; see `whole` above."""

    def of_image(emit, x, line, pixel, channels, target, apart):
        _emit_transform(emit, matrix, channels, x, (line, pixel), target, _grid(emit, len(matrix), apart), whole=whole)

    return emitted()(of_image)


def _of_matrix(matrix: Matrix) -> Any:
    """T·X·Tᵀ of one matrix X for each channel, as taps."""

    def of_matrix(emit, m, apart, channels, target, line, pixel):
        _emit_transform(emit, matrix, channels, m, _grid(emit, len(matrix[0]), apart), target, (line, pixel))

    return emitted()(of_matrix)


def _finish(matrix: Matrix) -> Any:
    """The same as pixels, with a bias, and only so many `rows` and `columns` of them."""

    def finish(emit, m, apart, channels, bias, y, line, pixel, rows, columns):
        grid = _grid(emit, len(matrix[0]), apart)
        _emit_transform(emit, matrix, channels, m, grid, y, (line, pixel), written=(rows, columns), bias=bias)

    return emitted()(finish)


_F23, _F43, _F25 = matrices(2, 3), matrices(4, 3), matrices(2, 5)

# Bᵀ·d·B, by t.
inputs_4, inputs_6 = _of_image(_F23.bt, whole=True), _of_image(_F43.bt, whole=True)
# A·dy·Aᵀ, G·w·Gᵀ, Aᵀ·m·A + bias and Gᵀ·m·G, by m and r.
spread_23, spread_43, spread_25 = (_of_image(transposed(of.at), whole=True) for of in (_F23, _F43, _F25))
weights_23, weights_43, weights_25 = _of_image(_F23.g), _of_image(_F43.g), _of_image(_F25.g)
outputs_23, outputs_43, outputs_25 = _finish(_F23.at), _finish(_F43.at), _finish(_F25.at)
taps_23, taps_43, taps_25 = (_of_matrix(transposed(of.g)) for of in (_F23, _F43, _F25))
