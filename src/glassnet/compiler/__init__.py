"""Networks lowered to programs for the compiled interpreter."""

from glassnet.compiler.assemble import assemble, can_lower
from glassnet.compiler.program_builder import Program

__all__ = ["Program", "assemble", "can_lower"]
