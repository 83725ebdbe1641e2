"""What a finished search shows: how its parameters are read, which of them matter, how much choosing the best flatters it."""

from glassnet.analysis.search.importance import FEWEST, Importance, importance_of
from glassnet.analysis.search.parameters import Scale, scale_of, scored, spelled
from glassnet.analysis.search.selection import Flattery, flattery_of

__all__ = ["FEWEST", "Flattery", "Importance", "Scale", "flattery_of", "importance_of", "scale_of", "scored", "spelled"]
