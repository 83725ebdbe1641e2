"""Why a training fails: named rules over its history, its network and its data; whether a difference is more than chance."""

from glassnet.diagnosis.difference import Difference, compare, diagnose_difference
from glassnet.diagnosis.finding import Diagnosis, Finding
from glassnet.diagnosis.judgement import diagnose

__all__ = ["Diagnosis", "Difference", "Finding", "compare", "diagnose", "diagnose_difference"]
