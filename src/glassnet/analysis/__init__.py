"""Whether a training is right and what a network does: gradient check, diagnosis, data inspection, explanations, trace."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submodules=["explain"])
