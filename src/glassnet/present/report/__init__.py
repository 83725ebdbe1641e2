"""The report: one HTML file that tells of a run and needs nothing else. `report(run)` writes it."""

from glassnet.present.report.write import report

__all__ = ["report"]
