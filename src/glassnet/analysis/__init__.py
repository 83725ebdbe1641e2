"""Gradient check, diagnosis of trainings, inspection of data, explanations of predictions, trace."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submodules=["explain"])
