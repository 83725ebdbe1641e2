"""What happens between the products of a recurrent step: one image's gates, cell and state, forward and backward.

Whole registers, and a mask for the last units: LLVM's own vectors of such loops begin with dozens of checks for overlapping
arrays, which cost as much as a narrow cell. All operands are addresses, forward of the first of `count` units;
nn/recurrent.py has the equations.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils

from glassnet.kernels.codegen.simd import I32, I64, emitted
from glassnet.kernels.sizes import LANES

# eˣ = 2ⁿ·eʳ with n = x / ln 2 rounded, by a number so large that floats there are whole; Cephes' polynomial of r.
LOG2_E, LN2_HIGH, LN2_LOW, WHOLE, HIGHEST = 1.44269504, 0.693359375, -2.12194440e-4, 12582912.0, 87.0
EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)


def _polynomial(emit, x, coefficients):
    value = emit.constant(coefficients[0])
    for coefficient in coefficients[1:]:
        value = emit.multiply_add(value, x, emit.constant(coefficient))
    return value


def _below(emit, x):
    """x, at most HIGHEST."""
    limit = emit.constant(HIGHEST)
    return emit.builder.select(emit.builder.fcmp_ordered(">", x, limit), limit, x)


def _exponential(emit, x):
    """eʳ − 1 and 2ⁿ, the parts of eˣ."""
    builder = emit.builder
    shifted = emit.multiply_add(x, emit.constant(LOG2_E), emit.constant(WHOLE))
    n = builder.fsub(shifted, emit.constant(WHOLE))
    r = emit.multiply_add(n, emit.constant(-LN2_LOW), emit.multiply_add(n, emit.constant(-LN2_HIGH), x))
    less = emit.multiply_add(builder.fmul(_polynomial(emit, r, EXP), r), r, r)
    integers = ir.VectorType(I32, LANES)
    bits = builder.shl(builder.bitcast(shifted, integers), ir.Constant(integers, [23] * LANES))
    return less, builder.bitcast(builder.add(bits, ir.Constant(integers, [127 << 23] * LANES)), emit.vector)


def _sigmoid(emit, x):
    """1 / (1 + e⁻ˣ)"""
    builder, one, minus_zero = emit.builder, emit.constant(1.0), emit.constant(-0.0)
    x = _below(emit, builder.fsub(minus_zero, _below(emit, x)))
    less, power = _exponential(emit, x)
    return builder.fdiv(one, emit.multiply_add(builder.fadd(less, one), power, one))


def _tanh(emit, x):
    """±e / (e + 2) with e = e²ˣ − 1, which is exact to rounding near 0 and near ±1."""
    builder, one = emit.builder, emit.constant(1.0)
    negative = builder.fcmp_ordered("<", x, emit.zeros)
    minus_x = builder.fsub(emit.constant(-0.0), x)
    size = builder.select(negative, minus_x, x)
    less, power = _exponential(emit, _below(emit, builder.fadd(size, size)))
    e = emit.multiply_add(less, power, builder.fsub(power, one))
    found = builder.fdiv(e, builder.fadd(e, emit.constant(2.0)))
    return builder.select(negative, builder.fsub(emit.constant(-0.0), found), found)


def _each_register(emit, count, body, ahead=()):
    """Emit `body(load, store)` for each register of so many units; both take the address of a row's first number.

    The rows at the addresses `ahead` are brought into the cache meanwhile.
    """
    builder = emit.builder
    whole = builder.udiv(count, I64(LANES))
    with cgutils.for_range(builder, whole, intp=I64) as loop:
        here = builder.mul(loop.index, I64(4 * LANES))
        for row in ahead:
            emit.prefetch(builder.add(row, here))
        body(lambda at: emit.load(builder.add(at, here)), lambda value, at: emit.store(value, builder.add(at, here)))
    left = builder.sub(count, builder.mul(whole, I64(LANES)))
    with builder.if_then(builder.icmp_signed(">", left, I64(0))):
        behind, mask = builder.mul(whole, I64(4 * LANES)), emit.lanes_before(left, 0)
        body(
            lambda at: emit.load_masked(builder.add(at, behind), mask),
            lambda value, at: emit.store_masked(value, builder.add(at, behind), mask),
        )


def _gates(emit, z, units, number):
    """The addresses of a row's gates, which are `units` floats apart."""
    return [emit.builder.add(z, emit.builder.mul(units, I64(4 * gate))) for gate in range(number)]


def _slope(emit, y):
    """σ′ by its value: y·(1 − y)"""
    return emit.builder.fmul(y, emit.builder.fsub(emit.constant(1.0), y))


def _tanh_slope(emit, y):
    """tanh′ by its value: 1 − y²"""
    return emit.builder.fsub(emit.constant(1.0), emit.builder.fmul(y, y))


def _before(emit, rows, units, *states):
    """The same rows of states, (T, rows, units) each, one step earlier."""
    distance = emit.builder.mul(emit.builder.mul(rows, units), I64(4))
    return [emit.builder.sub(state, distance) for state in states]


@emitted()
def lstm_cell(emit, z, c_before, c, h, units, count):
    at = _gates(emit, z, units, 4)
    builder = emit.builder

    def body(load, store):
        i, f, g, o = (act(emit, load(gate)) for act, gate in zip((_sigmoid, _sigmoid, _tanh, _sigmoid), at, strict=True))
        for value, gate in zip((i, f, g, o), at, strict=True):
            store(value, gate)
        cell = emit.multiply_add(f, load(c_before), builder.fmul(i, g))
        store(cell, c)
        store(builder.fmul(o, _tanh(emit, cell)), h)

    _each_register(emit, count, body)


@emitted()
def gru_cell(emit, z, p, inner, inner_bias, h_before, h, units, count):
    at, product, builder = _gates(emit, z, units, 3), _gates(emit, p, units, 3), emit.builder

    def body(load, store):
        r, u = (_sigmoid(emit, builder.fadd(load(at[gate]), load(product[gate]))) for gate in range(2))
        m = builder.fadd(load(product[2]), load(inner_bias))
        n = _tanh(emit, emit.multiply_add(r, m, load(at[2])))
        for value, place in zip((m, r, u, n), (inner, *at), strict=True):
            store(value, place)
        rest = builder.fmul(builder.fsub(emit.constant(1.0), u), n)
        store(emit.multiply_add(u, load(h_before), rest), h)

    _each_register(emit, count, body)


@emitted()
def tanh_cell(emit, z, h, count):
    _each_register(emit, count, lambda load, store: store(_tanh(emit, load(z)), h))


@emitted()
def relu_cell(emit, z, h, count):
    def body(load, store):
        value = load(z)
        store(emit.builder.select(emit.builder.fcmp_ordered(">", value, emit.zeros), value, emit.zeros), h)

    _each_register(emit, count, body)


@emitted()
def lstm_cell_backward(emit, z, c_before, c, dh_at, dc, units, rows):
    at, builder = _gates(emit, z, units, 4), emit.builder

    def body(load, store):
        (i, f, g, o), dh = map(load, at), load(dh_at)
        bent = _tanh(emit, load(c))
        d = emit.multiply_add(builder.fmul(dh, o), _tanh_slope(emit, bent), load(dc))
        values = (
            builder.fmul(builder.fmul(d, g), _slope(emit, i)),
            builder.fmul(builder.fmul(d, load(c_before)), _slope(emit, f)),
            builder.fmul(builder.fmul(d, i), _tanh_slope(emit, g)),
            builder.fmul(builder.fmul(dh, bent), _slope(emit, o)),
        )
        for value, gate in zip(values, at, strict=True):
            store(value, gate)
        store(builder.fmul(d, f), dc)

    _each_register(emit, units, body, _before(emit, rows, units, c_before))


@emitted()
def gru_cell_backward(emit, z, inner, h_before, dp, dh_at, units, rows):
    at, dproduct, builder = _gates(emit, z, units, 3), _gates(emit, dp, units, 3), emit.builder

    def body(load, store):
        (r, u, n), dh = map(load, at), load(dh_at)
        dn = builder.fmul(builder.fmul(dh, builder.fsub(emit.constant(1.0), u)), _tanh_slope(emit, n))
        dr = builder.fmul(builder.fmul(dn, load(inner)), _slope(emit, r))
        du = builder.fmul(builder.fmul(dh, builder.fsub(load(h_before), n)), _slope(emit, u))
        store(builder.fmul(dh, u), dh_at)
        for value, place in zip((dr, du, dn, dr, du, builder.fmul(dn, r)), (*at, *dproduct), strict=True):
            store(value, place)

    _each_register(emit, units, body, _before(emit, rows, units, inner, h_before))


@emitted()
def tanh_cell_backward(emit, z, h, dh, units, rows):
    def body(load, store):
        store(emit.builder.fmul(load(dh), _tanh_slope(emit, load(h))), z)

    _each_register(emit, units, body, _before(emit, rows, units, h))


@emitted()
def relu_cell_backward(emit, z, h, dh, units, rows):
    def body(load, store):
        rises = emit.builder.fcmp_ordered(">", load(h), emit.zeros)
        store(emit.builder.select(rises, load(dh), emit.zeros), z)

    _each_register(emit, units, body, _before(emit, rows, units, h))
