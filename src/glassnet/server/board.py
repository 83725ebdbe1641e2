"""What the page of a training shows now: sections of JSON, renewed as the run's files change."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from glassnet.errors import GlassnetError
from glassnet.experiment.live import LIVE, STOP
from glassnet.experiment.run_folder import HISTORY, REPORT
from glassnet.server import sections
from glassnet.server.sections import Row, Within, pair
from glassnet.server.tail import Live, LiveFile, Tail
from glassnet.support.i18n import Message, tr
from glassnet.training.stop import Stop

if TYPE_CHECKING:
    from glassnet.server.examine import Examiner

POLL = 0.4  # seconds between two looks at the files
DRAWN, DIAGNOSED = 1.0, 4.0  # seconds between two images of the weights, and between two diagnoses
LONG = 2.0  # seconds of an epoch
SHARE = 0.01  # of the time, at the most, that goes into these

Phase = Literal["training", "saving", "done", "broken"]
SAID: dict[str, Phase] = {"trained": "saving", "done": "done"}


class Board:
    """`sections`: the JSON text of each part of the page, with a number that grows as it changes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.sections = folder, dict[str, tuple[int, str]]()
        self.phase: Phase = "training"
        self.ended: float | None = None  # when the process of the training was gone
        self._tail, self._live_file, self._within = Tail(folder / HISTORY), LiveFile(folder / LIVE), Within()
        self._live: Live | None = None
        self._norms: dict[str, float] = {}
        self._activations: dict[str, str] = {}
        self._news = asyncio.Event()
        self._start, self._before = time.monotonic(), 0.0  # seconds of epochs that were trained before this process

    @property
    def is_training(self) -> bool:
        return self.phase == "training"

    @property
    def rows(self) -> list[Row]:
        """The epochs so far."""
        return [row for row in self._tail.rows if isinstance(row.get("epoch"), int)]

    async def changed(self, or_else: asyncio.Event, seconds: float) -> bool:
        """Wait until there is something new, or the other event was set; False after so many seconds."""
        waiting = [asyncio.ensure_future(event.wait()) for event in (self._news, or_else)]
        done, _ = await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        return bool(done)

    def tell(self, word: str) -> None:
        """What the process of the training says, and "gone" when it has ended."""
        self.phase = SAID.get(word, self.phase)
        if word == "gone":
            self.ended = time.monotonic()
            if self.phase != "done":
                self.phase = "broken"
        self.look()

    async def run(self) -> None:
        """Look at the files again and again; in a thread, look into the network."""
        examining = asyncio.create_task(self._examine())
        try:
            while True:
                self.look()
                await asyncio.sleep(POLL)
        finally:
            examining.cancel()

    def look(self) -> None:
        """Renew the sections that follow from the files."""
        self._tail.poll()
        live = self._live_file.poll()
        if live is not None:
            self._live = live
            self._within.add(live.epoch, live.step, live.cost, live.done)
        rows = self.rows
        epochs = self._live.epochs if self._live else len(rows)
        self._put("curves", sections.curves(rows, epochs) | {"within": self._within.points if _are_long(rows) else []})
        self._put("layers", sections.layers(rows, self._norms, self._activations))
        self._put("progress", self._progress(rows, epochs))

    def _put(self, name: str, value: Any) -> None:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        version, before = self.sections.get(name, (0, ""))
        if text != before:
            self.sections[name] = (version + 1, text)
            self._news.set()
            self._news = asyncio.Event()

    def _progress(self, rows: list[Row], epochs: int) -> dict[str, Any]:
        done = max(float(len(rows)), self._live.done if self._live else 0.0)
        spent = sum(value for row in rows if (value := sections.finite(row.get("seconds"))) is not None)
        left = sections.time_left(rows, done, epochs) if self.is_training else None
        stopping = self.is_training and (self.folder / STOP).exists()
        return {
            "phase": "stopping" if stopping else self.phase,
            "text": pair(self._text(rows, epochs, stopping)),
            "share": min(1.0, done / epochs) if epochs else 0.0,
            "left": None if left is None else pair(tr("about {time} left", time=sections.duration(left))),
            "cards": self._cards(rows, epochs, spent),
            "report": self.phase == "done" and (self.folder / REPORT).is_file(),
        }

    def _text(self, rows: list[Row], epochs: int, stopping: bool) -> Message:
        if self.phase == "saving":
            return tr("Training has ended. The report is being written …")
        if self.phase == "broken":
            command = f"glassnet train --resume {self.folder}"
            return tr("The training was interrupted. Continue with: {command}", command=command)
        if self.phase == "done":
            stopped = self._tail.rows[-1].get("stopped") if self._tail.rows else None
            with contextlib.suppress(ValueError, TypeError):
                return tr("Training ended early: {reason}", reason=Stop.of(stopped).text)
            return tr("Training is done.")
        now = min(max(len(rows) + 1, self._live.epoch if self._live else 0), max(epochs, 1))
        if stopping:
            return tr("Training stops after epoch {epoch} …", epoch=now)
        return tr("Training: epoch {epoch} of {epochs}", epoch=now, epochs=epochs) if self._live else tr("Training begins …")

    def _cards(self, rows: list[Row], epochs: int, spent: float) -> list[dict[str, Any]]:
        """Figures: name, value and note."""
        last: Row = rows[-1] if rows else {}
        best = sections.best(rows)
        cards: list[tuple[Message, str, str]] = [(tr("epochs"), f"{len(rows)}", tr("of {epochs}", epochs=epochs))]
        if (accuracy := sections.finite(last.get("validation_accuracy"))) is not None and best is not None:
            note = tr("best {accuracy:.2f} %, epoch {epoch}", accuracy=100 * best["validation_accuracy"], epoch=best["epoch"])
            cards.append((tr("validation accuracy"), f"{100 * accuracy:.2f} %", note))
        loss = sections.finite(last.get("train_cost")) if rows else self._live.cost if self._live else None
        held_out = sections.finite(last.get("validation_cost"))
        note = tr("validation {loss:.4g}", loss=held_out) if held_out is not None else tr("of the training images")
        cards.append((tr("loss"), "–" if loss is None else f"{loss:.4g}", note))
        pace = tr("{time} an epoch", time=_precise(spent / len(rows))) if rows else ""
        cards.append((tr("time"), sections.duration(spent or time.monotonic() - self._start), pace))
        return [{"name": pair(name), "value": pair(value), "note": pair(note)} for name, value, note in cards]

    async def _examine(self) -> None:
        """Renew the weights, and after further epochs the diagnosis, in a thread, and so seldom that it costs little."""
        try:
            examiner = await asyncio.to_thread(_examiner, self.folder)
        except (GlassnetError, OSError, MemoryError) as error:
            self._put("diagnosis", {"problem": pair(getattr(error, "what", None) or str(error))})
            return
        self._activations = examiner.activations()
        shown: Live | None = None
        diagnosed, due, final = 0, 0.0, False
        while not final:
            final = self.phase in ("done", "broken")
            rows, start = self.rows, time.monotonic()
            if (self._live is not None and self._live is not shown) or final:
                shown = self._live
                self._put("weights", await asyncio.to_thread(_weights, examiner, shown, final))
                self._norms = examiner.norms()
            if rows and (final or (len(rows) != diagnosed and start >= due)):
                diagnosed = len(rows)
                with contextlib.suppress(GlassnetError, ValueError, MemoryError):
                    history = self._tail.rows[:] if final else rows
                    self._put("diagnosis", await asyncio.to_thread(examiner.diagnosis, history))
                now = time.monotonic()
                due = now + max(DIAGNOSED, (now - start) / SHARE)
            self.look()
            took = time.monotonic() - start
            await asyncio.sleep(max(DRAWN, min(5.0, took / SHARE)) if self.phase != "done" else POLL)


def _examiner(folder: Path) -> Examiner:
    from glassnet.server.examine import Examiner

    return Examiner(folder)


def _weights(examiner: Examiner, live: Live | None, final: bool) -> dict[str, Any] | None:
    if live is not None:
        examiner.take(live.state)
    if final:
        examiner.take_result()
    return examiner.weights()


def _are_long(rows: list[Row]) -> bool:
    """Whether epochs take so long that their course is worth a line."""
    return not rows or (sections.finite(rows[-1].get("seconds")) or 0) > LONG


def _precise(seconds: float) -> Message:
    return tr("{seconds:.2g} s", seconds=seconds) if seconds < 10 else sections.duration(seconds)
