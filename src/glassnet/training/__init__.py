"""The training loop, its history, its callbacks and its checkpoints."""

from glassnet.training.callbacks import Callback, EarlyStopping, Progress
from glassnet.training.history import Epoch, History
from glassnet.training.loop import TrainingWarning
from glassnet.training.stop import Stop, StopReason

__all__ = ["Callback", "EarlyStopping", "Epoch", "History", "Progress", "Stop", "StopReason", "TrainingWarning"]
