"""Learning curves: accuracy over the number of training images, extrapolated with its uncertainty."""

from glassnet.analysis.learning_curve.curve import LearningCurve, Point
from glassnet.analysis.learning_curve.trainings import learning_curve, measure

__all__ = ["LearningCurve", "Point", "learning_curve", "measure"]
