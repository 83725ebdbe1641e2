"""Networks lowered to programs for the compiled interpreter."""

from glassnet.compiler.assemble import assemble, can_lower
from glassnet.compiler.optimizers import OPTIMIZER_KINDS, optimizer_options
from glassnet.compiler.program_builder import Program

__all__ = ["OPTIMIZER_KINDS", "Program", "assemble", "can_lower", "optimizer_options"]
