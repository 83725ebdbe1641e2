"""Figures for files and notebooks: functions from results to matplotlib figures, drawn without a screen."""

from glassnet.figures.augmentation import augmentation_figure
from glassnet.figures.base import GREY, TRAIN, VALIDATION, WRONG, save_figure
from glassnet.figures.curves import (
    accuracy_figure,
    activation_statistics_figure,
    cost_figure,
    gradients_figure,
    updates_figure,
)
from glassnet.figures.explanations import (
    activations_figure,
    nearest_figure,
    occlusion_figure,
    saliency_figure,
    typical_input_figure,
)
from glassnet.figures.pictures import pictures_figure
from glassnet.figures.quality import calibration_figure, class_accuracy_figure, confusion_figure
from glassnet.figures.rates import learning_rate_figure
from glassnet.figures.sheets import contact_sheet_figure, finding_figure
from glassnet.figures.training import training_figure
from glassnet.figures.weights import weights_figure

__all__ = [
    "GREY",
    "TRAIN",
    "VALIDATION",
    "WRONG",
    "accuracy_figure",
    "activation_statistics_figure",
    "activations_figure",
    "augmentation_figure",
    "calibration_figure",
    "class_accuracy_figure",
    "confusion_figure",
    "contact_sheet_figure",
    "cost_figure",
    "finding_figure",
    "gradients_figure",
    "learning_rate_figure",
    "nearest_figure",
    "occlusion_figure",
    "pictures_figure",
    "saliency_figure",
    "save_figure",
    "training_figure",
    "typical_input_figure",
    "updates_figure",
    "weights_figure",
]
