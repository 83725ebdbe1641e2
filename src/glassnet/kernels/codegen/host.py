"""The machine's vector unit: how many floats a register holds and how many registers there are.

`GLASSNET_SIMD` (avx512, avx2, neon, sse, wasm or scalar) overrides what is found; LLVM lowers wider vectors than the machine
has, so every choice gives right results everywhere, only slower. With avx2 no instruction of AVX-512 is used.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass

import llvmlite.binding as llvm

from glassnet.support.environment import check_variable


@dataclass(frozen=True)
class VectorUnit:
    """`lanes` floats a register; a tile of `tile_rows` × `tile_vectors` registers leaves room for operands.

    So does a dot tile (see matmul/skinny_gemm.py) of two images × `dot_outputs`.
    """

    name: str
    lanes: int
    tile_rows: int
    tile_vectors: int
    dot_outputs: int

    @property
    def tile_columns(self) -> int:
        return self.lanes * self.tile_vectors


# tile_rows * tile_vectors accumulators + tile_vectors loads + 1 broadcast must fit the register file.
UNITS = {
    "avx512": VectorUnit("avx512", 16, 14, 2, 10),  # 32 registers: 28 + 2 + 1
    "avx2": VectorUnit("avx2", 8, 6, 2, 5),  # 16 registers: 12 + 2 + 1
    "neon": VectorUnit("neon", 4, 8, 3, 10),  # 32 registers: 24 + 3 + 1
    "sse": VectorUnit("sse", 4, 6, 2, 5),  # 16 registers
    "wasm": VectorUnit("wasm", 4, 6, 2, 5),  # WebAssembly's 128 bits, on the 16 registers of most machines
    "scalar": VectorUnit("scalar", 1, 4, 2, 4),
}


def _detect() -> VectorUnit:
    if chosen := check_variable("GLASSNET_SIMD").lower():
        return UNITS[chosen]
    features = llvm.get_host_cpu_features()
    if features.get("avx512f") and features.get("avx512vl"):
        return UNITS["avx512"]
    if features.get("avx2") and features.get("fma"):
        return UNITS["avx2"]
    machine = platform.machine().lower()
    if machine in ("arm64", "aarch64"):
        return UNITS["neon"]
    if machine in ("x86_64", "amd64"):
        return UNITS["sse"]
    return UNITS["scalar"]


def _features() -> dict[str, bool]:
    found = llvm.get_host_cpu_features()
    return {name: has and not (UNIT.name == "avx2" and name.startswith("avx512")) for name, has in found.items()}


UNIT = _detect()
FEATURES = _features()  # of the processor, that LLVM may use
# Whether the processor multiplies pairs of bfloat16 itself, by AVX512-BF16; elsewhere they are multiplied as floats.
HAS_BFLOAT16 = UNIT.name == "avx512" and FEATURES.get("avx512bf16", False)
# Whether it multiplies quads of bytes itself, by AVX-512-VNNI or AVX-VNNI; elsewhere they are multiplied as int32.
HAS_INT8 = UNIT.name in ("avx512", "avx2") and any(map(FEATURES.get, ("avx512vnni", "avxvnni")))
IS_WASM = UNIT.name == "wasm"  # code for WebAssembly; it runs on this machine too, as any vector unit's does


def target() -> tuple[str, str]:
    """The processor's name and features, as LLVM writes them."""
    return llvm.get_host_cpu_name(), ",".join(f"{'+' if has else '-'}{name}" for name, has in sorted(FEATURES.items()))


def kernels_enabled() -> bool:
    """Whether the compiled kernels may be used: unless GLASSNET_KERNELS is 0."""
    return check_variable("GLASSNET_KERNELS") != "0"
