"""The report: a run as one self-contained HTML file. `report(run)` writes it."""

from glassnet.present.report.write import report

__all__ = ["report"]
