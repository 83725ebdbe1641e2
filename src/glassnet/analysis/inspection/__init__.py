"""The data check: what a person should know of pictures and labels before training on them."""

from __future__ import annotations

from glassnet.analysis.inspection.check import inspect
from glassnet.analysis.inspection.findings import Finding, Picture
from glassnet.analysis.inspection.result import Check, Inspection, Part

__all__ = ["Check", "Finding", "Inspection", "Part", "Picture", "inspect"]
