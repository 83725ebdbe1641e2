"""TensorBoard, by tensorboardX."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glassnet.nn.stack import Stack
from glassnet.support.i18n import tr
from glassnet.training.callbacks import Progress
from glassnet.training.history import Epoch
from glassnet.training.trackers.base import (
    METRICS,
    Ending,
    Session,
    Status,
    Tracker,
    check_name,
    metrics,
    parameters,
    require,
)

BINS = 64  # of a histogram


class TensorBoard(Tracker):
    """Event files for TensorBoard: curves, settings, result, and histograms of the weights.

        net.fit(train, callbacks=gn.TensorBoard("logs"))          tensorboard --logdir logs

    `folder`: holds a folder for each training. `name`: of that one; by default the run's. A name that is taken gets a number.
    `histograms`: of each array of weights, after epochs 1, 2, 4, 8, … and the last.
    Needs `pip install "glassnet[tensorboard]"`.
    """

    def __init__(self, folder: str | Path = "logs", name: str | None = None, *, histograms: bool = True) -> None:
        require(["tensorboardX"], "TensorBoard", '"glassnet[tensorboard]"')
        self.folder = Path(check_name(folder, "TensorBoard(folder)", tr("a folder")))
        super().__init__(f"tensorboard {self.folder.absolute()}", name)
        self._histograms = histograms

    def open(self, progress: Progress, key: str | None) -> Session:
        if key is not None and (self.folder / key).is_dir():
            return _Session(self.folder / key, progress, self._histograms, resumed=True)
        name = self.run_name(progress) or "run"
        for number in itertools.count(1):
            folder = self.folder / (name if number == 1 else f"{name}-{number}")
            if not folder.exists():
                break
        folder.mkdir(parents=True)
        return _Session(folder, progress, self._histograms, resumed=False)


class _Session(Session):
    """Writes without the thread of tensorboardX's SummaryWriter, which a full disk ends, whereupon its queue blocks."""

    def __init__(self, folder: Path, progress: Progress, histograms: bool, *, resumed: bool) -> None:
        from tensorboardX import summary
        from tensorboardX.record_writer import RecordWriter

        self.key, self.resumed = folder.name, resumed
        self._epochs, self._histograms, self._summary = progress.epochs, histograms, summary
        now = time.time_ns()
        self._file = RecordWriter(str(folder / f"events.out.tfevents.{now // 10**9}.{socket.gethostname()}.{now}"))
        self._write(0, file_version="brain.Event:2")
        settings = parameters(progress.settings)
        experiment, start, self._end = summary.hparams(settings, dict.fromkeys(list(METRICS)[:4]))
        if not resumed:
            rows = (f"| {name} | {value} |" for name, value in settings.items())
            for made in (experiment, start, summary.text("settings", "\n".join(["| | |", "|---|---|", *rows]))):
                self._write(0, summary=made)

    def log(self, epochs: Sequence[Epoch]) -> None:
        for epoch in epochs:
            for name, value in metrics(epoch).items():
                self._write(epoch.epoch, summary=self._summary.scalar(name, value))
        self._file.flush()

    def look(self, network: Stack, epoch: int) -> None:
        if self._histograms and (epoch & (epoch - 1) == 0 or epoch == self._epochs):
            for slot in network.slots:
                values = slot.part(network.flat)
                self._write(epoch, summary=self._summary.histogram(f"weights/{slot.name}", values, BINS))

    def end(self, ending: Ending) -> None:
        from tensorboardX.proto.api_pb2 import Status as Of
        from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData, SessionEndInfo

        for name, value in ending.figures.items():
            self._write(ending.epoch, summary=self._summary.scalar(name, value))
        words = f"{ending.status.value} {ending.words}".strip()
        self._write(ending.epoch, summary=self._summary.text("status", words))
        status = Of.Value("STATUS_SUCCESS" if ending.status is Status.FINISHED else "STATUS_FAILURE")
        content = HParamsPluginData(session_end_info=SessionEndInfo(status=status, end_time_secs=time.time()), version=0)
        self._end.value[0].metadata.plugin_data.content = content.SerializeToString()
        self._write(ending.epoch, summary=self._end)
        self._file.close()

    def abandon(self) -> None:
        self._file.close()

    def _write(self, step: int, **content: Any) -> None:
        from tensorboardX.proto.event_pb2 import Event

        self._file.write(Event(wall_time=time.time(), step=step, **content).SerializeToString())
