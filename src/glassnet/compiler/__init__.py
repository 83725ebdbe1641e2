"""Networks lowered to programs for the compiled interpreter."""

from glassnet.compiler.algorithms import FEW_IMAGES
from glassnet.compiler.assemble import BFLOAT16, FLOAT32, INT8, PRECISIONS, assemble, can_lower
from glassnet.compiler.optimizers import OPTIMIZER_KINDS, optimizer_options
from glassnet.compiler.program_builder import Program, Range
from glassnet.compiler.ranks import LOSSES, SharedProgram, cuts, nodes, share

__all__ = [
    "BFLOAT16",
    "FEW_IMAGES",
    "FLOAT32",
    "INT8",
    "LOSSES",
    "OPTIMIZER_KINDS",
    "PRECISIONS",
    "Program",
    "Range",
    "SharedProgram",
    "assemble",
    "can_lower",
    "cuts",
    "nodes",
    "optimizer_options",
    "share",
]
