"""Figures, report and output after a training; errors are collected and raised once, at the end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from glassnet.errors import MAKE_ROOM, UnfinishedError, WriteError, is_full, spell
from glassnet.experiment.run_folder import MODEL, REPORT
from glassnet.support.i18n import clauses, tr

SHOWN = 4  # files that are named


class Artefacts:
    """Makes files one by one; one that fails does not prevent the others.

    `folder`: of the run, or of several.
    """

    def __init__(self, folder: Path) -> None:
        model = folder / MODEL
        self.folder, self.safe = (
            folder,
            tr("The training is done, its model is safe in {path}", path=model if model.exists() else folder),
        )
        self._failed: list[tuple[Path, Exception]] = []
        self._unsaid: OSError | WriteError | None = None

    @contextlib.contextmanager
    def making(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._failed.append((path, WriteError.of(error, path)))
        except Exception as error:  # a font, too little memory, a fault of ours: the model is safe all the same
            self._failed.append((path, error))

    @contextlib.contextmanager
    def saying(self) -> Iterator[None]:
        """Files are made even if the output pipe is closed or its disk is full."""
        try:
            yield
        except (BrokenPipeError, WriteError) as error:
            self._unsaid = error

    def check(self) -> None:
        """Raise `UnfinishedError` if something failed: where the model is, what is missing, how to make it later."""
        if self._failed:
            raise self._unfinished([path for path, _ in self._failed], self._failed[0][1])
        if isinstance(self._unsaid, WriteError):
            raise UnfinishedError(
                tr("{safe}, but the output can't be written.", safe=self.safe),
                where=self._unsaid.where,
                received=self._unsaid.received,
            )
        if self._unsaid is not None:
            raise self._unsaid

    def _unfinished(self, paths: list[Path], first: Exception) -> UnfinishedError:
        reports = [path for path in paths if path.name == REPORT]
        figures = [path for path in paths if path.name != REPORT]
        steps: list[str] = [
            *([f"glassnet report {reports[0].parent}"] if reports else []),
            *([tr("glassnet train --resume {folder}, for the figures alone", folder=figures[0].parent)] if figures else []),
        ]
        room = tr("{first}; then ", first=tr(MAKE_ROOM)) if is_full(first) else ""
        return UnfinishedError(
            tr("{safe}, but not all that belongs to it could be made.", safe=self.safe),
            where=", ".join(map(str, paths[:SHOWN]))
            + (tr(" and {count} more", count=len(paths) - SHOWN) if len(paths) > SHOWN else ""),
            received=spell(first),
            hint=room + clauses(steps),
        )
