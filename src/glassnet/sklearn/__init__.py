"""scikit-learn's face of a network: `NetworkClassifier`."""

from glassnet.sklearn.classifier import NetworkClassifier

__all__ = ["NetworkClassifier"]
