"""Networks at work: training steps, costs and outputs over many images; on the kernels where they can, else in NumPy.

Both forms have the same face, so that neither training nor prediction asks which one it has.
"""

from glassnet.runtime.executor import Machine, thread_count, use_kernels
from glassnet.runtime.predictor import Forward
from glassnet.runtime.trainer import CompiledTrainer, ReferenceTrainer, Trainer, make_trainer

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
