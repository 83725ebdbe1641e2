"""Networks lowered to programs for the compiled interpreter."""

from glassnet.program.assemble import assemble, can_lower
from glassnet.program.assembler import Program

__all__ = ["Program", "assemble", "can_lower"]
