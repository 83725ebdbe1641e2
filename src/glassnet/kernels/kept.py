"""A fingerprint of numbers that tells whether they have changed since.

KEPT_WORDS sums of 64 bits, to which words are dealt in turn: s ← rotate((s ⊕ word)·factor). Each step is a bijection of s:
a change of one word is always seen. One of several is missed where every sum comes out as before, a chance of 2⁻⁶⁴ each.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import int64, void
from numba.core import cgutils

from glassnet.kernels.codegen.addresses import integers_at, keys_at
from glassnet.kernels.codegen.jit import outlined
from glassnet.kernels.codegen.simd import I64, emitted
from glassnet.kernels.sizes import KEPT_WORDS

REGISTERS = 4  # that hold the sums
FACTOR, TURN = 0x9E3779B97F4A7C15, 29  # odd; bits by which a sum is rotated
KIND = ir.VectorType(I64, KEPT_WORDS // REGISTERS)


def _splat(number):
    return ir.Constant(KIND, [number] * KIND.count)


@emitted()
def _add_blocks(emit, values, blocks, sums):
    """So many blocks of KEPT_WORDS words to the sums."""
    builder = emit.builder

    def register(address, number):
        return emit.pointer(builder.add(address, I64(8 * KIND.count * number)), KIND)

    totals = [emit.variable(builder.load(register(sums, r), align=8)) for r in range(REGISTERS)]
    with cgutils.for_range(builder, blocks, intp=I64) as loop:
        block = builder.add(values, builder.mul(loop.index, I64(8 * KEPT_WORDS)))
        for r, total in enumerate(totals):
            words = builder.load(register(block, r), align=8)
            product = builder.mul(builder.xor(words, builder.load(total)), _splat(FACTOR))
            turned = builder.or_(builder.shl(product, _splat(TURN)), builder.lshr(product, _splat(64 - TURN)))
            builder.store(turned, total)
    for r, total in enumerate(totals):
        builder.store(builder.load(total), register(sums, r), align=8)


@outlined(void(*[int64] * 3))
def keep(stretches_at, stretches, kept_at):
    """The fingerprint of some stretches of numbers, and whether it is that of the last call.

    A stretch: its address and its size in words of 8 bytes, at whose boundaries it lies. At `kept_at`: the fingerprint, as
    many words of room, and a word that becomes 1 if it is another, 0 if not.
    """
    table, sums_at = integers_at(stretches_at, 2 * stretches), kept_at + 8 * KEPT_WORDS
    kept, sums = keys_at(kept_at, KEPT_WORDS), keys_at(sums_at, KEPT_WORDS)
    for i in range(KEPT_WORDS):
        sums[i] = 0
    for stretch in range(stretches):
        address, size = table[2 * stretch], table[2 * stretch + 1]
        blocks = size // KEPT_WORDS
        _add_blocks(address, blocks, sums_at)
        rest = keys_at(address + 8 * KEPT_WORDS * blocks, size - KEPT_WORDS * blocks)
        for i in range(rest.size):
            product = (sums[i] ^ rest[i]) * np.uint64(FACTOR)
            sums[i] = (product << np.uint64(TURN)) | (product >> np.uint64(64 - TURN))
    changed = 0
    for i in range(KEPT_WORDS):
        if sums[i] != kept[i]:
            changed = 1
            kept[i] = sums[i]
    integers_at(kept_at + 16 * KEPT_WORDS, 1)[0] = changed
