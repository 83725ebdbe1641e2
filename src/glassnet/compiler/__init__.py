"""Networks lowered to programs for the compiled interpreter."""

from glassnet.compiler.assemble import assemble, can_lower
from glassnet.compiler.optimizers import knows_optimizer, optimizer_kind, optimizer_options, param_group_records
from glassnet.compiler.program_builder import Program

__all__ = [
    "Program",
    "assemble",
    "can_lower",
    "knows_optimizer",
    "optimizer_kind",
    "optimizer_options",
    "param_group_records",
]
