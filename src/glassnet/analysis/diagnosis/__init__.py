"""Why a training fails: named rules over its history, its network and its data; whether a difference is more than chance."""

from glassnet.analysis.diagnosis.diagnose import diagnose
from glassnet.analysis.diagnosis.difference import Difference, compare, diagnose_difference
from glassnet.analysis.diagnosis.finding import Diagnosis, Finding

__all__ = ["Diagnosis", "Difference", "Finding", "compare", "diagnose", "diagnose_difference"]
