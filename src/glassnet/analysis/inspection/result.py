"""The result of an inspection, as text and as a dict."""

from __future__ import annotations

import textwrap
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from glassnet.analysis.inspection.findings import Finding, counted
from glassnet.analysis.inspection.pixels import Range
from glassnet.data import Splits
from glassnet.nn.confusion import DRAWN
from glassnet.support.i18n import mark, tr
from glassnet.support.terminal import table, text_width

if TYPE_CHECKING:
    from glassnet.analysis.inspection.label_scores import LabelScores


@dataclass(frozen=True)
class Part:
    """Statistics of one split; `counts`: images of each class, None for targets; `groups`: their number, None if unknown."""

    name: str
    images: int
    counts: npt.NDArray[np.int64] | None
    groups: int | None
    pixels: Range

    def cell(self, index: int) -> str:
        """The number and the share of the images of a class."""
        if self.counts is None:
            return ""
        share = tr("{share} %", share=f"{100 * self.counts[index] / max(int(self.counts.sum()), 1):.1f}")
        return f"{self.counts[index]:,} ({share})"


@dataclass(frozen=True)
class Check:
    """One check: the `names` of its possible findings, its `method` and its `result`."""

    names: tuple[str, ...]
    method: str
    result: str


@dataclass(frozen=True)
class Inspection:
    """`findings`, most severe first; `parts`, statistics of the splits; `checks` with their methods; `splits`, the data.
    `label_scores`: with `labels`, how far each label is to be doubted. `looked_at`: the number of images whose pixels were.

    `finding(name)` is one of the findings, or None. `as_dict()` gives everything for JSON, `str()` a report.
    """

    source: str
    splits: Splits
    findings: tuple[Finding, ...]
    parts: tuple[Part, ...]
    checks: tuple[Check, ...]
    label_scores: LabelScores | None = None
    looked_at: int | None = None

    def finding(self, name: str) -> Finding | None:
        return next((finding for finding in self.findings if finding.name == name), None)

    def as_dict(self) -> dict[str, Any]:
        """Findings with all their images, statistics and checks."""
        train = self.splits.train
        return {
            "data": self.source,
            "shape": list(train.shape),
            "dtype": str(train.images.dtype),
            "classes": None if train.classes is None else list(train.classes),
            "looked_at": sum(part.images for part in self.parts) if self.looked_at is None else self.looked_at,
            "findings": [finding.as_dict() for finding in self.findings],
            "parts": [
                {**asdict(part), "counts": None if part.counts is None else part.counts.tolist()} for part in self.parts
            ],
            "checks": [{**asdict(check), "names": list(check.names)} for check in self.checks],
        }

    def __str__(self) -> str:
        return "\n".join([self._headline(), *self._sampled(), "", *self._findings(), "", *self._facts(), "", *self._checks()])

    def _headline(self) -> str:
        train = self.splits.train
        images, size = sum(part.images for part in self.parts), " × ".join(map(str, train.shape))
        labels = tr("{count} target values", count=train.labels.shape[-1])
        if train.classes:
            labels = tr("{count} classes", count=len(train.classes))
        text = mark("{source}: {images:,} of {size}, {dtype}, {labels}")
        return tr(text, source=self.source, images=images, size=size, dtype=train.images.dtype, labels=labels)

    def _sampled(self) -> list[str]:
        total = sum(part.images for part in self.parts)
        if self.looked_at in (None, total):
            return []
        return [
            tr("The pixels of a sample of {some:,} of {total:,} images were looked at.", some=self.looked_at, total=total)
        ]

    def _findings(self) -> list[str]:
        if not self.findings:
            return [tr("No findings.")]
        lines: list[str] = [counted(len(self.findings), "finding")]
        for number, finding in enumerate(self.findings, 1):
            lines += ["", *f"{number}. {finding}".split("\n")]
        return lines

    def _facts(self) -> list[str]:
        """A table of the splits with the number of images of each class."""
        head = ["", *(part.name for part in self.parts)]
        rows = [[tr("images"), *(f"{part.images:,}" for part in self.parts)]]
        if any(part.groups is not None for part in self.parts):
            rows.append([tr("groups"), *("" if part.groups is None else f"{part.groups:,}" for part in self.parts)])
        rows.append([tr("pixels"), *(str(part.pixels) for part in self.parts)])
        rows.append([tr("mean"), *(f"{part.pixels.mean:.3g} ± {part.pixels.spread:.3g}" for part in self.parts)])
        classes = self.splits.classes
        if classes is not None:
            shown = range(len(classes)) if len(classes) <= 40 else [*range(38), len(classes) - 1]
            if len(classes) > DRAWN:  # the rarest and the most frequent
                order = np.argsort(self.splits.train.counts, kind="stable")
                shown = [*order[:5].tolist(), *order[-5:].tolist()]
            rows += [[tr("class {name}", name=classes[index]), *(part.cell(index) for part in self.parts)] for index in shown]
            if len(classes) > 40:
                rows.insert(-5 if len(classes) > DRAWN else -1, ["…", *("" for _ in self.parts)])
        return [f"  {line}" for line in table([head, *rows])]

    def _checks(self) -> list[str]:
        lines: list[str] = [tr("Checks")]
        for check in self.checks:
            text = f"{', '.join(check.names)}: {check.result}" + (f" ({check.method})" if check.method else "")
            lines += textwrap.wrap(text, text_width(), initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
        return lines
