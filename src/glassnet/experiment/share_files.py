"""The trainings of a learning curve in a folder: those that are done are not trained again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from glassnet.errors import RunError, reason, writing
from glassnet.experiment.shares import Measured, SharePlan
from glassnet.support.atomic import write_text
from glassnet.support.i18n import tr
from glassnet.support.paths import exists
from glassnet.support.strict_json import line, lines
from glassnet.training.history_rows import Count, Number

POINTS = "learning_curve.jsonl"


class Row(BaseModel, strict=True, extra="forbid"):
    """A training: a line of the file."""

    share: Number
    draw: Count
    images: Count
    epochs: Count
    correct: Count
    total: Count
    seconds: Number


@dataclass(frozen=True)
class ShareFile:
    """`learning_curve.jsonl` in a folder: the recipe and its data in the first line, then a line for each training.

    Written whole and atomically after each training.
    """

    folder: Path
    plan: SharePlan

    @property
    def path(self) -> Path:
        return self.folder / POINTS

    def read(self) -> list[Measured]:
        """The trainings in the file, none where there is no file. Raises `RunError` for a file of another curve."""
        if not exists(self.path):
            return []
        try:
            first, *rows = lines(self.path.read_text(encoding="utf-8"))
            found = [Measured(**Row.model_validate(row).model_dump()) for row in rows]
        except (OSError, ValueError, ValidationError) as error:
            received = reason(error)
            raise RunError(tr("The file of a learning curve is damaged."), where=self.path, received=received) from None
        if first != self._header():
            raise RunError(
                tr("The folder holds the learning curve of another recipe, seed or data set."),
                where=self.path,
                expected=tr("a new folder, or the command that it was made by"),
                hint=tr("choose another with --out"),
            )
        return found

    def write(self, measured: list[Measured]) -> None:
        with writing(self.path):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_text(self.path, line(self._header()) + "".join(line(asdict(one)) for one in measured))

    def _header(self) -> dict[str, Any]:
        sizes = {"images": len(self.plan.splits.train), "validation": len(self.plan.validation)}
        return {"recipe": self.plan.recipe.model_dump(mode="json", exclude_none=True), **sizes}


def share_file(plan: SharePlan, out: str | Path | None) -> ShareFile:
    """The file in `out`; by default in runs/NAME-curve, or the first of runs/NAME-curve-2, … that is new or this curve's."""
    if out is not None:
        return ShareFile(Path(out), plan)
    number = 1
    while True:
        name = f"{plan.recipe.name}-curve" + (f"-{number}" if number > 1 else "")
        file = ShareFile(Path("runs") / name, plan)
        try:
            if not exists(file.folder) or (exists(file.path) and file.read() is not None):
                return file
        except RunError:
            pass
        number += 1
