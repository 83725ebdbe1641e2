"""LLVM instructions on whole registers: the few that the tile and the packing of panels are written in."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from glassnet.kernels.codegen.host import IS_WASM, UNIT
from glassnet.kernels.sizes import LANES

FLOAT, I1, I8, I32, I64 = ir.FloatType(), ir.IntType(1), ir.IntType(8), ir.IntType(32), ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, LANES)
BYTES, NUMBERS = ir.VectorType(I8, LANES), ir.VectorType(I32, LANES)
ZEROS = ir.Constant(VECTOR, [0.0] * LANES)


class Emitter:
    """Registers of `LANES` floats, or of fewer, at addresses held in 64-bit integers."""

    def __init__(self, builder: ir.IRBuilder, lanes: int = LANES) -> None:
        self.builder, self.lanes = builder, lanes
        self.vector, self.mask = ir.VectorType(FLOAT, lanes), ir.VectorType(I1, lanes)
        self.zeros = ir.Constant(self.vector, [0.0] * lanes)

    def declare(self, name: str, result: ir.Type, arguments: Sequence[ir.Type]) -> ir.Function:
        return cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(result, arguments), name)

    def pointer(self, address: ir.Value, kind: ir.Type | None = None) -> ir.Value:
        return self.builder.inttoptr(address, (kind or self.vector).as_pointer())

    def load(self, address: ir.Value) -> ir.Value:
        return self.builder.load(self.pointer(address), align=4)

    def load_bytes(self, address: ir.Value) -> ir.Value:
        return self.builder.load(self.pointer(address, BYTES), align=1)

    def store(self, value: ir.Value, address: ir.Value) -> None:
        self.builder.store(value, self.pointer(address), align=4)

    def splat(self, scalar: ir.Value) -> ir.Value:
        undefined = ir.Constant(ir.VectorType(scalar.type, self.lanes), ir.Undefined)
        one = self.builder.insert_element(undefined, scalar, I32(0))
        return self.builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(I32, self.lanes), [0] * self.lanes))

    def constant(self, value: float) -> ir.Constant:
        return ir.Constant(self.vector, [value] * self.lanes)

    def multiply_add(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """a·b + c, fused where the machine can."""
        function = self.declare(f"llvm.fmuladd.v{self.lanes}f32", self.vector, [self.vector] * 3)
        return self.builder.call(function, [a, b, c])

    def load_masked(self, address: ir.Value, mask: ir.Value, kind: ir.Type | None = None) -> ir.Value:
        """A register of floats, or of the numbers of `kind`, where the mask is set; zeros elsewhere."""
        kind = kind or self.vector
        zeros, size = ir.Constant(kind, [kind.element(0)] * self.lanes), 1 if kind == BYTES else 4
        if IS_WASM:  # which has no masked instructions; what lies behind an array may be read, and is stored as it was
            return self.builder.select(mask, self.builder.load(self.pointer(address, kind), align=size), zeros)
        arguments = [kind.as_pointer(), I32, self.mask, kind]
        name = f"llvm.masked.load.v{self.lanes}{'i8' if kind == BYTES else 'f32'}.p0"
        function = self.declare(name, kind, arguments)
        return self.builder.call(function, [self.pointer(address, kind), I32(size), mask, zeros])

    def store_masked(self, value: ir.Value, address: ir.Value, mask: ir.Value) -> None:
        if IS_WASM:
            self.store(self.builder.select(mask, value, self.load(address)), address)
            return
        arguments = [self.vector, self.vector.as_pointer(), I32, self.mask]
        function = self.declare(f"llvm.masked.store.v{self.lanes}f32.p0", ir.VoidType(), arguments)

        def under_mask() -> None:
            self.builder.call(function, [value, self.pointer(address), I32(4), mask])

        if UNIT.name == "avx512":  # whose masks cost nothing; elsewhere whole registers are stored without one
            under_mask()
            return
        everything = self.declare(f"llvm.vector.reduce.and.v{self.lanes}i1", I1, [self.mask])
        with self.builder.if_else(self.builder.call(everything, [mask]), likely=True) as (then_whole, then_part):
            with then_whole:
                self.store(value, address)
            with then_part:
                under_mask()

    def store_compressed(self, values: ir.Value, address: ir.Value, mask: ir.Value) -> ir.Value:
        """The elements under the mask, one behind the other; how many. Up to a register is written, the rest as it may be."""
        builder, kind = self.builder, values.type
        if self.lanes == 16:  # of AVX-512, which has an instruction for it
            name = f"llvm.experimental.vector.compress.v16{'f32' if kind.element == FLOAT else 'i32'}"
            function = self.declare(name, kind, [kind, self.mask, kind])
            packed = builder.call(function, [values, mask, ir.Constant(kind, ir.Undefined)])
            builder.store(packed, self.pointer(address, kind), align=4)
            return builder.zext(builder.ctpop(builder.bitcast(mask, ir.IntType(16))), I64)
        kept = I64(0)
        for lane in range(self.lanes):  # each is written; the next one overwrites it unless it is kept
            place = builder.add(address, builder.mul(kept, I64(4)))
            builder.store(builder.extract_element(values, I32(lane)), self.pointer(place, kind.element))
            kept = builder.add(kept, builder.zext(builder.extract_element(mask, I32(lane)), I64))
        return kept

    def prefetch(self, address: ir.Value, *, to_write: bool = False, near: bool = True) -> None:
        """Ask for a line in the first-level cache, or in the second; an address outside every buffer does no harm."""
        function = self.declare("llvm.prefetch.p0", ir.VoidType(), [I8.as_pointer(), I32, I32, I32])
        self.builder.call(function, [self.pointer(address, I8), I32(int(to_write)), I32(3 if near else 2), I32(1)])

    def lanes_before(self, limit: ir.Value, first: int) -> ir.Value:
        """The mask of the lanes whose number, counted from `first`, lies before `limit`."""
        lanes = ir.VectorType(I64, self.lanes)
        return self.builder.icmp_signed("<", ir.Constant(lanes, list(range(first, first + self.lanes))), self.splat(limit))

    def either(self, number: ir.Value, body: Callable[[bool], None]) -> None:
        """Emit body(True) for a number that is not 0, body(False) for 0, and the branch between them."""
        with self.builder.if_else(self.builder.icmp_signed("!=", number, number.type(0))) as (nonzero, zero):
            with nonzero:
                body(True)
            with zero:
                body(False)

    def each(self, count: ir.Value, body: Callable[[ir.Value], None]) -> None:
        """Emit body(i) for i < count, as a loop that LLVM does not unroll: a second copy would find no registers."""
        with cgutils.for_range(self.builder, count, intp=I64) as loop:
            body(loop.index)
            end = self.builder.block
        module = self.builder.module
        rolled = module.add_metadata(["llvm.loop.unroll.disable"])
        name = ir.values.MDValue(module, (rolled,), name=str(len(module.metadata)))
        name.operands = name, rolled  # a loop is named by a node that begins with itself
        end.terminator.set_metadata("llvm.loop", name)

    def variable(self, value: ir.Value) -> ir.Value:
        """The address of a variable on the stack that holds `value` first."""
        place = cgutils.alloca_once(self.builder, value.type)
        self.builder.store(value, place)
        return place

    def any(self, mask: ir.Value) -> ir.Value:
        """Whether a lane of the mask is set."""
        if LANES == 1:
            return self.builder.extract_element(mask, I32(0))
        bits = self.builder.bitcast(mask, ir.IntType(LANES))
        return self.builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))

    def transpose(self, rows: Sequence[ir.Value]) -> list[ir.Value]:
        """`LANES` registers as a square matrix, transposed by log2(LANES) rounds of two-register shuffles."""
        square, distance = list(rows), 1
        while distance < LANES:
            low = [lane if not lane & distance else LANES + lane - distance for lane in range(LANES)]
            high = [lane + distance if not lane & distance else LANES + lane for lane in range(LANES)]
            for i in (i for i in range(LANES) if not i & distance):
                a, b = square[i], square[i | distance]
                square[i] = self._shuffle(a, b, low)
                square[i | distance] = self._shuffle(a, b, high)
            distance *= 2
        return square

    def _shuffle(self, a: ir.Value, b: ir.Value, lanes: Sequence[int]) -> ir.Value:
        return self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, LANES), list(lanes)))


def emitted(signature: Any = None) -> Any:
    """Decorate `body(emit, *values)`, which emits LLVM code: a function for compiled code.

    Without a signature its arguments are 64-bit integers (numbers, addresses, distances), and it returns nothing.
    """

    def decorate(body: Callable[..., ir.Value | None]) -> Any:
        def call(_typing: Any, *arguments: Any) -> Any:
            def codegen(context: Any, builder: ir.IRBuilder, _signature: Any, values: Sequence[ir.Value]) -> ir.Value:
                result = body(Emitter(builder), *values)
                return context.get_dummy_value() if result is None else result

            return types.void(*[types.int64] * len(arguments)) if signature is None else signature, codegen

        call.__signature__ = inspect.signature(body)  # type: ignore[attr-defined]  # Numba reads the parameters from it
        return intrinsic(call)

    return decorate
