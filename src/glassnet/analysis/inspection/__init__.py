"""Checks of images and labels before training."""

from __future__ import annotations

from glassnet.analysis.inspection.check import inspect
from glassnet.analysis.inspection.findings import Finding, ImageReference
from glassnet.analysis.inspection.result import Check, Inspection, Part

__all__ = ["Check", "Finding", "ImageReference", "Inspection", "Part", "inspect"]
