"""What an inspection leaves in a folder: contact sheets of classes and findings, and everything as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassnet.analysis.inspection import Inspection
from glassnet.data import Splits
from glassnet.present.figures import contact_sheet_figure, finding_figure, save_figure
from glassnet.support.atomic import write_text
from glassnet.support.strict_json import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_inspection(inspection: Inspection, folder: Path) -> list[Path]:
    """Write inspection.json and inspection.txt, and as PNG a sheet for each class and for each finding with images.

    The folder is made if need be. Returns what was written. Raises OSError where it can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / "inspection.json", folder / "inspection.txt"]
    write_text(written[0], json.dumps(plain(inspection.as_dict()), indent=1, allow_nan=False) + "\n")
    write_text(written[1], str(inspection).encode("utf-8", "backslashreplace").decode() + "\n")
    splits = inspection.splits
    if len(splits.train.shape) != 3 or splits.train.shape[2] not in (1, 3):
        return written
    sheets: dict[str, tuple[Callable[[Splits, Any], Figure], Any]] = {
        f"finding-{finding.name}.png": (finding_figure, finding) for finding in inspection.findings if finding.groups
    }
    classes = splits.classes or ()
    for index, name in enumerate(classes):
        number = str(index).zfill(len(str(len(classes) - 1)))
        safe = re.sub(r"[^\w.-]+", "_", name)[:60]
        sheets[f"class-{number}-{safe}.png"] = (contact_sheet_figure, index)
    for file, (draw, what) in sheets.items():
        save_figure(draw(splits, what), folder / file)
        written.append(folder / file)
    return written
