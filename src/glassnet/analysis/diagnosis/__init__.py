"""Why a training fails: named rules over its history, network and data; and whether a difference is significant."""

from glassnet.analysis.diagnosis.difference import Difference, compare, diagnose_difference
from glassnet.analysis.diagnosis.finding import Diagnosis, Finding
from glassnet.analysis.diagnosis.rules import diagnose

__all__ = ["Diagnosis", "Difference", "Finding", "compare", "diagnose", "diagnose_difference"]
