"""The training loop, its history, its callbacks and its checkpoints."""

from glassnet.errors import TrainingWarning
from glassnet.training.callbacks import Callback, EarlyStopping, Progress
from glassnet.training.history import Epoch, History
from glassnet.training.stop import Stop, StopReason
from glassnet.training.trackers import MLflow, TensorBoard, WandB

__all__ = [
    "Callback",
    "EarlyStopping",
    "Epoch",
    "History",
    "MLflow",
    "Progress",
    "Stop",
    "StopReason",
    "TensorBoard",
    "TrainingWarning",
    "WandB",
]
