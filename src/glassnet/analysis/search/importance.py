"""How much each parameter of a search matters, by functional ANOVA."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet.analysis.search.parameters import Scale, scale_of, scored
from glassnet.experiment.search.records import SearchResult

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

FEWEST = 12  # complete trials
MOST = 150  # of more trials so many are drawn: the time grows faster than their number
TREES = 32


@dataclass(frozen=True)
class Importance:
    """`shares`: of the variance of the value, by key, the greatest first; of `trials` complete trials."""

    shares: dict[str, float]
    trials: int


def importance_of(result: SearchResult) -> Importance | None:
    """The share of the variance of the value that each parameter explains by itself (Hutter, Hoos, Leyton-Brown, ICML 2014).

    A random forest predicts the value from the settings; a share is the variance of its prediction along one parameter,
    averaged over all others, divided by the sum of these variances. By Optuna's evaluator with a fixed seed: the same trials
    give the same shares. None for less than two parameters, few trials or equal values, or if Optuna is not installed.
    """
    scales = [scale for parameter in result.plan.space if (scale := scale_of(result, parameter)).varies]
    trials = [trial for trial in scored(result) if all(np.isfinite(scale.place(trial.settings)) for scale in scales)]
    if len(scales) < 2 or len(trials) < FEWEST or len({trial.value for trial in trials}) < 2:
        return None
    try:
        import optuna
    except ImportError:
        return None
    if len(trials) > MOST:
        chosen = np.sort(np.random.default_rng(0).permutation(len(trials))[:MOST])
        trials = [trials[place] for place in chosen]
    trials.sort(key=lambda trial: trial.number)
    distributions = {scale.key: _distribution(scale) for scale in scales}
    frozen = [
        optuna.trial.create_trial(
            params={scale.key: _param(scale, trial.settings) for scale in scales},
            distributions=distributions,
            value=trial.value,
        )
        for trial in trials
    ]
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            study = optuna.create_study(direction="maximize" if result.plan.maximise else "minimize")
            study.add_trials(frozen)
            evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=TREES, seed=0)
            found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    finally:
        optuna.logging.set_verbosity(verbosity)
    shares = {key: float(share) for key, share in found.items()}
    if len(shares) < 2 or not np.isfinite(list(shares.values())).all() or sum(shares.values()) <= 0:
        return None
    ordered = sorted(shares, key=lambda key: (-round(shares[key], 12), list(distributions).index(key)))
    return Importance({key: shares[key] for key in ordered}, len(trials))


def _distribution(scale: Scale) -> BaseDistribution:
    """Of the places on the axis: names without an order are categories."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if scale.kind != "names":
        return FloatDistribution(scale.low, scale.high)
    if _ordered(scale):
        return IntDistribution(0, len(scale.names) - 1)
    return CategoricalDistribution(tuple(range(len(scale.names))))


def _param(scale: Scale, settings: dict[str, Any]) -> float | int:
    place = scale.place(settings)
    return int(place) if scale.kind == "names" else float(np.clip(place, scale.low, scale.high))


def _ordered(scale: Scale) -> bool:
    try:
        [float(name) for name in scale.names]
    except ValueError:
        return False
    return True
