"""Pairs of bfloat16, each in the 32 bits of one float: what products in half precision are made of.

bfloat16 is the upper half of a float32: its exponent, and 8 bits of its 24. Numbers are rounded to the nearest, ties to even.
A register holds LANES pairs; the first of a pair is in the lower half. A product with sums is

    sum ← fma(a₀, b₀, fma(a₁, b₁, sum))        in float32

as AVX512-BF16 computes it (VDPBF16PS), for which numbers below 1e-38 are zero. Without that instruction the halves are
widened and multiplied as floats.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import types

from glassnet.kernels.codegen.host import HAS_BFLOAT16
from glassnet.kernels.codegen.simd import I32, VECTOR, Emitter, emitted
from glassnet.kernels.sizes import LANES

UPPER = 0xFFFF0000


class _BFloat(ir.Type):  # type: ignore[misc]  # llvmlite has no types
    """LLVM's bfloat, which llvmlite has no name for."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _BFloat)

    def __hash__(self) -> int:
        return hash(_BFloat)


BFLOAT = _BFloat()
HALVES = ir.VectorType(BFLOAT, 2 * LANES)


def add_products(emit: Emitter, a: ir.Value, b: ir.Value, total: ir.Value) -> ir.Value:
    """total + a₀·b₀ + a₁·b₁, lane by lane, of registers of pairs."""
    builder = emit.builder
    if HAS_BFLOAT16:  # of a register, or of half a register
        halves = ir.VectorType(BFLOAT, 2 * emit.lanes)
        name = f"llvm.x86.avx512bf16.dpbf16ps.{32 * emit.lanes}"
        function = emit.declare(name, emit.vector, [emit.vector, halves, halves])
        return builder.call(function, [total, builder.bitcast(a, halves), builder.bitcast(b, halves)])
    for half in (_second, _first):
        total = emit.multiply_add(half(emit, a), half(emit, b), total)
    return total


def pair_rows(emit: Emitter, first: ir.Value, second: ir.Value) -> ir.Value:
    """The pairs (first[i], second[i]) of two registers of floats."""
    builder = emit.builder
    if HAS_BFLOAT16:
        order = [lane // 2 + LANES * (lane % 2) for lane in range(2 * LANES)]
        halves = _rounded(emit, first, second)
        shuffled = builder.shuffle_vector(halves, halves, ir.Constant(ir.VectorType(I32, 2 * LANES), order))
        return builder.bitcast(shuffled, emit.vector)
    integers = ir.VectorType(I32, emit.lanes)
    low = builder.lshr(_upper(builder, first, integers), _all(integers, 16))
    return builder.bitcast(builder.or_(low, _upper(builder, second, integers)), emit.vector)


def pair_neighbours(emit: Emitter, first: ir.Value, second: ir.Value) -> ir.Value:
    """The pairs (v[2i], v[2i + 1]) of the floats v of two registers, one behind the other."""
    builder = emit.builder
    if HAS_BFLOAT16:
        return builder.bitcast(_rounded(emit, first, second), emit.vector)
    places = ir.VectorType(I32, LANES)
    even, odd = (
        builder.shuffle_vector(first, second, ir.Constant(places, [2 * lane + half for lane in range(LANES)]))
        for half in range(2)
    )
    return pair_rows(emit, even, odd)


@emitted(types.int32(types.float32, types.float32))
def pair_of(emit, first, second):
    """One pair, as an integer."""
    builder = emit.builder
    return builder.or_(builder.lshr(_upper(builder, first, I32), I32(16)), _upper(builder, second, I32))


def _rounded(emit: Emitter, first: ir.Value, second: ir.Value) -> ir.Value:
    function = emit.declare("llvm.x86.avx512bf16.cvtne2ps2bf16.512", HALVES, [VECTOR, VECTOR])
    return emit.builder.call(function, [second, first])


def _all(kind: ir.Type, value: int) -> ir.Constant:
    return ir.Constant(kind, [value] * kind.count if isinstance(kind, ir.VectorType) else value)


def _upper(builder: ir.IRBuilder, values: ir.Value, kind: ir.Type) -> ir.Value:
    """The bits of floats rounded to bfloat16, in the upper half; NaN stays NaN."""
    bits = builder.bitcast(values, kind)
    odd = builder.and_(builder.lshr(bits, _all(kind, 16)), _all(kind, 1))
    rounded = builder.add(bits, builder.add(odd, _all(kind, 0x7FFF)))
    is_nan = builder.fcmp_unordered("uno", values, values)
    kept = builder.select(is_nan, builder.or_(bits, _all(kind, 0x00400000)), rounded)
    return builder.and_(kept, _all(kind, UPPER))


def _second(emit: Emitter, pairs: ir.Value) -> ir.Value:
    integers = ir.VectorType(I32, emit.lanes)
    return emit.builder.bitcast(emit.builder.and_(emit.builder.bitcast(pairs, integers), _all(integers, UPPER)), emit.vector)


def _first(emit: Emitter, pairs: ir.Value) -> ir.Value:
    integers = ir.VectorType(I32, emit.lanes)
    return emit.builder.bitcast(emit.builder.shl(emit.builder.bitcast(pairs, integers), _all(integers, 16)), emit.vector)
