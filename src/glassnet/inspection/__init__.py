"""The data check: what a person should know of pictures and labels before training on them."""

from __future__ import annotations

from glassnet.inspection.check import inspect
from glassnet.inspection.findings import Finding, Picture
from glassnet.inspection.result import Check, Inspection, Part

__all__ = ["Check", "Finding", "Inspection", "Part", "Picture", "inspect"]
