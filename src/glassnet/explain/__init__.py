"""Why a network says what it says: where it looks, what its units know, and which training pictures are most like one."""

from glassnet.explain.nearest import Neighbours, nearest_training_pictures
from glassnet.explain.occlusion import occlusion
from glassnet.explain.saliency import saliency
from glassnet.explain.typical import TypicalInput, typical_input
from glassnet.explain.values import activations, hidden_layer

__all__ = [
    "Neighbours",
    "TypicalInput",
    "activations",
    "hidden_layer",
    "nearest_training_pictures",
    "occlusion",
    "saliency",
    "typical_input",
]
