"""Networks at work: training steps, costs and outputs over many pictures; on the kernels where they can, else in NumPy.

Both forms have the same face, so that neither training nor prediction asks which one it has.
"""

from glassnet.execution.forward import Forward
from glassnet.execution.machine import Machine, thread_count, use_kernels
from glassnet.execution.trainers import CompiledTrainer, ReferenceTrainer, Trainer, make_trainer

__all__ = [
    "CompiledTrainer",
    "Forward",
    "Machine",
    "ReferenceTrainer",
    "Trainer",
    "make_trainer",
    "thread_count",
    "use_kernels",
]
