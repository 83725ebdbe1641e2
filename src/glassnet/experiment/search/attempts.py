"""Trials in Optuna's tables: begun, pruned, ended. A trial's result counts once its state is no longer RUNNING."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from glassnet.errors import InputError
from glassnet.experiment.search.plan import Point, fingerprint, plan_text
from glassnet.experiment.search.records import SearchPlan, State, Trial
from glassnet.experiment.search.space import Settings, distributions, settings_of, stand_in
from glassnet.experiment.search.storage import Storage, shown
from glassnet.experiment.search.suggestions import Suggestions
from glassnet.experiment.search.trial import Outcome
from glassnet.support.i18n import tr

RESULT = "glassnet"  # the attribute of a trial that holds all but its state
REDUCTION = 4  # of Hyperband and successive halving: the best quarter goes on
STATES: dict[TrialState, State] = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
Patient = Callable[[Callable[[], Any]], Any]


@dataclass(frozen=True)
class Attempt:
    """A trial that runs: its number in the database, and the `settings` to train with."""

    point: Point
    trial_id: int
    settings: Settings


class Attempts:
    """The trials of a plan's study, which is made if there is none. Raises `InputError` for a study of another plan."""

    def __init__(self, plan: SearchPlan, storage: Storage, name: str) -> None:
        self._plan, self._trials = plan, storage.trials
        self._returned: set[int] = set()
        self.own: list[Trial] = []  # those that were ended here, as `ended` would return them
        self._distributions: dict[str, BaseDistribution] = distributions(plan.space)
        self._suggestions = Suggestions(self._distributions, plan.maximise)
        self._study = optuna.create_study(
            storage=storage.trials,
            study_name=name,
            direction="maximize" if plan.maximise else "minimize",
            sampler=RandomSampler(0),
            pruner=_pruner(plan),
            load_if_exists=True,
        )
        self.study_id: int = storage.trials.get_study_id_from_name(name)
        self._check(storage)

    def _check(self, storage: Storage) -> None:
        mine = fingerprint(self._plan)
        found = self._study.user_attrs.get("fingerprint")
        if found is None and not self._study.get_trials(deepcopy=False):
            self._study.set_user_attr("fingerprint", mine)  # first: without it the study is not recognised
            self._study.set_user_attr("plan", plan_text(self._plan))
            found = self._study.user_attrs["fingerprint"]
        if found != mine:
            raise InputError(
                tr("The storage holds a study of this name with another plan."),
                where=tr("study {name} in {storage}", name=self._study.study_name, storage=shown(storage.url)),
                expected=tr("plan {fingerprint}", fingerprint=mine),
                received=tr("plan {fingerprint}", fingerprint=found) if found else tr("a study that glassnet did not make"),
                hint=tr("search with the same recipe and options, or in another database"),
            )

    def begin(self, point: Point) -> Attempt:
        """A new trial that is running. May leave another one if its answer is lost: `sweep` ends it."""
        if point.settings is None:
            trials = self._trials.get_all_trials(self.study_id, deepcopy=False)
            values = self._suggestions.suggest(trials, self._plan.seed, point.number)
            settings = settings_of(self._plan.space, values)
        else:
            settings = point.settings
            values = {key: stand_in(value) for key, value in settings.items()}
        template = create_trial(state=TrialState.RUNNING, params=values, distributions=self._distributions)
        return Attempt(point, self._trials.create_new_trial(self.study_id, template), settings)

    def should_prune(self, attempt: Attempt, step: int, value: float) -> bool:
        """Note the value of a step; whether the trial is to be pruned. Raises `UpdateFinishedTrialError` for a lost one."""
        self._trials.set_trial_intermediate_value(attempt.trial_id, step, value)
        return self._study.pruner.prune(self._study, self._trials.get_trial(attempt.trial_id))

    def commit(self, attempt: Attempt, outcome: Outcome, error: str | None, patient: Patient) -> bool:
        """Write a trial's result and end it; False if it was declared lost before, so that its result does not count."""
        value = float(np.mean(outcome.parts)) if outcome.parts else None
        if error is None and (value is None or isnan(value)):
            error = tr("The value is not a number.")
        state = TrialState.FAIL if error else TrialState.PRUNED if outcome.pruned else TrialState.COMPLETE
        values = None if error or value is None else [value]
        result: dict[str, Any] = {
            "number": attempt.point.number,
            "point": attempt.point.identity,
            "settings": attempt.settings,
            "parts": list(outcome.parts),
            "curve": list(outcome.curve),
            "seconds": outcome.seconds,
            "error": error,
        }
        try:
            patient(lambda: self._trials.set_trial_user_attr(attempt.trial_id, RESULT, result))
            patient(lambda: self._trials.set_trial_state_values(attempt.trial_id, state, values))
        except UpdateFinishedTrialError:  # declared lost, or ended by an attempt whose answer was lost
            ended: FrozenTrial = patient(lambda: self._trials.get_trial(attempt.trial_id))
            if not _counts(ended):
                return False
        self.own.append(_trial(result, STATES[state]))
        return True

    def end(self, trial_id: int) -> bool:
        """End a trial that may be lost, so that it can no longer commit; True if it had committed before."""
        with contextlib.suppress(UpdateFinishedTrialError):
            self._trials.set_trial_state_values(trial_id, TrialState.FAIL)
        return _counts(self._trials.get_trial(trial_id))

    def sweep(self, known: set[int]) -> None:
        """End trials that run but stand in no claim: of workers that died before they could note them."""
        for trial in self._trials.get_all_trials(self.study_id, deepcopy=False, states=(TrialState.RUNNING,)):
            if trial._trial_id not in known:
                self.end(trial._trial_id)

    def ended(self) -> tuple[Trial, ...]:
        """The trials that have ended for good and were not returned before."""
        found = self._trials.get_all_trials(self.study_id, deepcopy=False, states=tuple(STATES))
        new = [trial for trial in found if trial._trial_id not in self._returned and _counts(trial)]
        self._returned.update(trial._trial_id for trial in new)
        return tuple(map(_read, new))


def _counts(trial: FrozenTrial) -> bool:
    """Whether a trial has ended for good; one that was declared lost has failed without an error."""
    result = trial.user_attrs.get(RESULT)
    return result is not None and trial.state in STATES and (trial.state != TrialState.FAIL or bool(result["error"]))


def _read(trial: FrozenTrial) -> Trial:
    return _trial(trial.user_attrs[RESULT], STATES[trial.state])


def _trial(result: dict[str, Any], state: State) -> Trial:
    return Trial(**result | {"parts": tuple(result["parts"]), "curve": tuple(result["curve"]), "state": state})


def _pruner(plan: SearchPlan) -> BasePruner:
    most = plan.folds * plan.seeds if plan.folds * plan.seeds > 1 else plan.recipe.training.epochs
    if plan.pruner == "median":
        return MedianPruner()
    if plan.pruner == "halving":
        return SuccessiveHalvingPruner(min_resource=1, reduction_factor=REDUCTION)
    if plan.pruner == "hyperband":
        return HyperbandPruner(min_resource=1, max_resource=most, reduction_factor=REDUCTION)
    return NopPruner()
