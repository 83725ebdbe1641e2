"""scikit-learn's face of a network: `NetworkClassifier`."""
