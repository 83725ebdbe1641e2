"""Figures for files and notebooks: functions from results to matplotlib figures."""

from glassnet.present.figures.base import GREY, TRAIN, VALIDATION, WRONG, save_figure
from glassnet.present.figures.comparison import comparison_figure
from glassnet.present.figures.curves import (
    accuracy_figure,
    activation_statistics_figure,
    cost_figure,
    gradients_figure,
    history_figure,
    learning_rate_figure,
    updates_figure,
)
from glassnet.present.figures.explanations import (
    activations_figure,
    nearest_figure,
    occlusion_figure,
    saliency_figure,
    typical_input_figure,
)
from glassnet.present.figures.images import augmentation_figure, images_figure
from glassnet.present.figures.learning_curve import learning_curve_figure
from glassnet.present.figures.parallel import parallel_coordinates_figure
from glassnet.present.figures.prepared import ShownImage, prepared_figure
from glassnet.present.figures.quality import calibration_figure, class_accuracy_figure, confusion_figure
from glassnet.present.figures.search import (
    best_curve_figure,
    importance_figure,
    progress_figure,
    ranking_figure,
    slices_figure,
)
from glassnet.present.figures.sheets import contact_sheet_figure, finding_figure, label_sheet_figure
from glassnet.present.figures.training import training_figure
from glassnet.present.figures.weights import weights_figure

__all__ = [
    "GREY",
    "TRAIN",
    "VALIDATION",
    "WRONG",
    "ShownImage",
    "accuracy_figure",
    "activation_statistics_figure",
    "activations_figure",
    "augmentation_figure",
    "best_curve_figure",
    "calibration_figure",
    "class_accuracy_figure",
    "comparison_figure",
    "confusion_figure",
    "contact_sheet_figure",
    "cost_figure",
    "finding_figure",
    "gradients_figure",
    "history_figure",
    "images_figure",
    "importance_figure",
    "label_sheet_figure",
    "learning_curve_figure",
    "learning_rate_figure",
    "nearest_figure",
    "occlusion_figure",
    "parallel_coordinates_figure",
    "prepared_figure",
    "progress_figure",
    "ranking_figure",
    "saliency_figure",
    "save_figure",
    "slices_figure",
    "training_figure",
    "typical_input_figure",
    "updates_figure",
    "weights_figure",
]
