"""Explanations of predictions: saliency, occlusion, activations, typical inputs and nearest training images."""

from glassnet.analysis.explain.nearest import Neighbours, nearest_training_images
from glassnet.analysis.explain.occlusion import occlusion
from glassnet.analysis.explain.saliency import saliency
from glassnet.analysis.explain.typical import TypicalInput, typical_input
from glassnet.analysis.explain.values import activations, hidden_layer

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
