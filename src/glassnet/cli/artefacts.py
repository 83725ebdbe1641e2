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
    """Makes files one by one; one that fails does not prevent the others. `folder`: of a run, or of several."""

    def __init__(self, folder: Path) -> None:
        model = folder / MODEL
        self.folder = folder
        self.safe = tr("Training finished and the model is saved in {path}", path=model if model.exists() else folder)
        self._failed: list[tuple[Path, Exception]] = []
        self._output_error: OSError | WriteError | None = None

    @contextlib.contextmanager
    def making(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._failed.append((path, WriteError.of(error, path)))
        except Exception as error:  # a missing font, too little memory, a bug: the model is saved all the same
            self._failed.append((path, error))

    @contextlib.contextmanager
    def printing(self) -> Iterator[None]:
        """Files are made even if the output pipe is closed or its disk is full."""
        try:
            yield
        except (BrokenPipeError, WriteError) as error:
            self._output_error = error

    def check(self) -> None:
        """Raise `UnfinishedError` if something failed: where the model is, what is missing, how to make it later."""
        if self._failed:
            raise self._unfinished([path for path, _ in self._failed], self._failed[0][1])
        if isinstance(self._output_error, WriteError):
            raise UnfinishedError(
                tr("{safe}, but the output can't be written.", safe=self.safe),
                where=self._output_error.where,
                received=self._output_error.received,
            )
        if self._output_error is not None:
            raise self._output_error

    def _unfinished(self, paths: list[Path], first: Exception) -> UnfinishedError:
        reports = [path.parent for path in paths if path.name == REPORT]
        figures = [path.parent for path in paths if path.name != REPORT]
        steps = [f"glassnet report {folder}" for folder in reports[:1]]
        steps += [tr("glassnet train --resume {folder}, for the figures alone", folder=folder) for folder in figures[:1]]
        room = tr("{first}; then ", first=tr(MAKE_ROOM)) if is_full(first) else ""
        more = tr(" and {count} more", count=len(paths) - SHOWN) if len(paths) > SHOWN else ""
        return UnfinishedError(
            tr("{safe}, but not all of its figures and reports could be made.", safe=self.safe),
            where=", ".join(map(str, paths[:SHOWN])) + more,
            received=spell(first),
            hint=room + clauses(steps),
        )
