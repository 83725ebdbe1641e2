"""Trackers that are called as Weights & Biases is: trackio, and wandb itself."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from typing import Any

from glassnet.support.i18n import tr
from glassnet.training.callbacks import Progress
from glassnet.training.history import Epoch
from glassnet.training.trackers.base import Ending, Session, Status, Tracker, check_name, metrics, parameters, require


class WandB(Tracker):
    """A run in Weights & Biases or in trackio, which keeps everything on this machine and needs no account.

        net.fit(train, callbacks=gn.WandB("digits", module="trackio"))         trackio show

    `module`: what has init(project=, name=, config=), log(metrics, step=) and finish(). `name`: of the run; by default
    that of the run's folder. `options`: further ones of init. Needs `pip install wandb`, or trackio.
    """

    def __init__(self, project: str = "glassnet", *, module: str = "wandb", name: str | None = None, **options: Any) -> None:
        self.module = check_name(module, "WandB(module)", tr("a module, such as trackio"))
        self.project = check_name(project, "WandB(project)", tr("a name"))
        require([self.module], f"WandB(module={self.module!r})", self.module)
        super().__init__(f"{self.module} {self.project}", name)
        self._options = options

    def open(self, progress: Progress, key: str | None) -> Session:
        module = importlib.import_module(self.module)
        known = inspect.signature(module.init).parameters
        name, options = self.run_name(progress), dict(self._options)
        if key is not None and "resume" in known:
            options["resume"] = "allow"
            if "id" in known:
                options["id"] = key
            else:
                name = key
        run = module.init(project=self.project, name=name, config=parameters(progress.settings), **options)
        found = str(getattr(run, "id" if "id" in known else "name", None) or name)
        return _Session(module, found, resumed="resume" in options and found == key)


class _Session(Session):
    def __init__(self, module: Any, key: str, *, resumed: bool) -> None:
        self._module, self.key, self.resumed = module, key, resumed

    def log(self, epochs: Sequence[Epoch]) -> None:
        for epoch in epochs:
            self._module.log(metrics(epoch), step=epoch.epoch)

    def end(self, ending: Ending) -> None:
        self._module.log({**ending.figures, "status": ending.status.value}, step=ending.epoch)
        self._finish(ending.status)

    def abandon(self) -> None:
        self._finish(Status.FAILED)

    def _finish(self, status: Status) -> None:
        """Runs of wandb have an exit code, those of trackio none."""
        takes_code = "exit_code" in inspect.signature(self._module.finish).parameters
        self._module.finish(**({"exit_code": int(status is not Status.FINISHED)} if takes_code else {}))
