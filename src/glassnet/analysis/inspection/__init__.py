"""The data check: what a person should know of images and labels before training on them."""

from __future__ import annotations

from glassnet.analysis.inspection.check import inspect
from glassnet.analysis.inspection.findings import Finding, ImageReference
from glassnet.analysis.inspection.result import Check, Inspection, Part

__all__ = ["Check", "Finding", "ImageReference", "Inspection", "Part", "inspect"]
