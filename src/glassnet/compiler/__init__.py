"""Networks lowered to programs for the compiled interpreter."""

from glassnet.compiler.assemble import assemble, can_lower
from glassnet.compiler.optimizers import OPTIMIZER_KINDS, optimizer_options
from glassnet.compiler.program_builder import Program
from glassnet.compiler.ranks import LOSSES, SharedProgram, cuts, nodes, share

__all__ = [
    "LOSSES",
    "OPTIMIZER_KINDS",
    "Program",
    "SharedProgram",
    "assemble",
    "can_lower",
    "cuts",
    "nodes",
    "optimizer_options",
    "share",
]
