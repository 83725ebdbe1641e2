"""Quads: four bytes in the 32 bits of one float, which products in int8 are made of.

A register holds LANES quads; the first byte of a quad is the lowest. A product with sums is

    sum ← sum + a₀·b₀ + a₁·b₁ + a₂·b₂ + a₃·b₃        in int32, a from 0 to 255, b from −127 to 127

as AVX-512-VNNI and AVX-VNNI compute it (VPDPBUSD). Elsewhere bytes are widened and multiplied as int32, with the same sum.
"""

from __future__ import annotations

from llvmlite import ir

from glassnet.kernels.codegen.host import HAS_INT8
from glassnet.kernels.codegen.simd import I32, Emitter


def add_quads(emit: Emitter, a: ir.Value, b: ir.Value, total: ir.Value) -> ir.Value:
    """total + Σ aᵢ·bᵢ, lane by lane; the registers are of floats by name."""
    builder, numbers = emit.builder, ir.VectorType(I32, emit.lanes)
    a, b, total = (builder.bitcast(value, numbers) for value in (a, b, total))
    if HAS_INT8:  # of a register, or of half a register
        function = emit.declare(f"llvm.x86.avx512.vpdpbusd.{32 * emit.lanes}", numbers, [numbers] * 3)
        return builder.bitcast(builder.call(function, [total, a, b]), emit.vector)

    def every(value: int) -> ir.Constant:
        return ir.Constant(numbers, [value] * emit.lanes)

    for place in range(4):
        unsigned = builder.and_(builder.lshr(a, every(8 * place)), every(255))
        signed = builder.ashr(builder.shl(b, every(24 - 8 * place)), every(24))
        total = builder.add(total, builder.mul(unsigned, signed))
    return builder.bitcast(total, emit.vector)


def scaled(emit: Emitter, total: ir.Value, row: ir.Value, apart: ir.Value) -> ir.Value:
    """(total − correction)·factor + bias: biases, factors and corrections lie at `row`, so many bytes apart."""
    builder, numbers = emit.builder, ir.VectorType(I32, emit.lanes)
    factors = builder.add(row, apart)
    correction = builder.bitcast(emit.load(builder.add(factors, apart)), numbers)
    exact = builder.sub(builder.bitcast(total, numbers), correction)
    return emit.multiply_add(builder.sitofp(exact, emit.vector), emit.load(factors), emit.load(row))
