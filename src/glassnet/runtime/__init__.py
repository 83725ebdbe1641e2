"""Training steps, losses and outputs over many images: on the kernels where possible, else in NumPy.

Both forms have the same interface.
"""

from glassnet.runtime.executor import Executor, thread_count, use_kernels
from glassnet.runtime.gradient import kernel_gradient
from glassnet.runtime.precision import check_precision, needs_kernels, warn_emulated
from glassnet.runtime.predictor import Predictor
from glassnet.runtime.ranks import Ranks
from glassnet.runtime.trainer import CompiledTrainer, ReferenceTrainer, StepPlan, Trainer, make_trainer

__all__ = [
    "CompiledTrainer",
    "Executor",
    "Predictor",
    "Ranks",
    "ReferenceTrainer",
    "StepPlan",
    "Trainer",
    "check_precision",
    "kernel_gradient",
    "make_trainer",
    "needs_kernels",
    "thread_count",
    "use_kernels",
    "warn_emulated",
]
