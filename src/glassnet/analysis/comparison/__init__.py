"""Which of several classifiers is better, whether that is shown, and what a simple one reaches."""

from glassnet.analysis.comparison.compare import compare
from glassnet.analysis.comparison.result import Comparison

__all__ = ["Comparison", "compare"]
