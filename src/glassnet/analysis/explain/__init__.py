"""Explanations of predictions: saliency, occlusion, activations, typical inputs and nearest training images."""

from glassnet.analysis.explain.saliency import occlusion, saliency
from glassnet.analysis.explain.typical import TypicalInput, typical_input
from glassnet.analysis.explain.values import Neighbours, activations, hidden_layer, nearest_training_images

__all__ = [
    "Neighbours",
    "TypicalInput",
    "activations",
    "hidden_layer",
    "nearest_training_images",
    "occlusion",
    "saliency",
    "typical_input",
]
